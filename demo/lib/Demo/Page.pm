package Demo::Page;

# The demo store's pages: WooCommerce's body classes, forms and structured
# data, in a theme of its own.  Every page works without a script.

use strict;
use warnings;
use utf8;

use JSON::PP;
use Demo::Catalogue;
use Demo::Server;
use Demo::Shop;

my $json = JSON::PP->new->canonical->escape_slash(0);

*html = \&Demo::Server::html;
*money = \&Demo::Shop::money;


# arg: title, class, main, and for product pages: graph

sub page {
    my ($req, $s, %arg) = @_;
    my $base = base($req);
    my $title = $arg{title} ? html($arg{title}) . ' &ndash; Blue Mug'
                            : 'Blue Mug &ndash; cups, pots and tea';
    my $here = $req->{path};
    my $nav = join '', map {
        my $url = "/product-category/$_->[0]/";
        sprintf '<a href="%s"%s>%s</a>', $url,
            $here eq $url ? ' aria-current="page"' : '', html($_->[1])
    } @Demo::Catalogue::CATEGORIES;
    my $graph = $arg{graph}
        ? '<script type="application/ld+json">'
          . script_safe($json->encode({ '@context' => 'https://schema.org/',
                                        '@graph' => $arg{graph} }))
          . "</script>\n"
        : '';
    my $notice = join '', map {
        my ($kind, $text) = @$_;
        "<div class=\"woocommerce-$kind\" role=\"alert\">$text</div>"
    } @{$arg{notices} || []};
    my $search = html($req->{args}{s} || '');

    return <<"END";
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<meta name="theme-color" content="#fbf8f2">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/shop.css">
</head>
<body class="$arg{class} wp-theme-bluemug woocommerce-no-js">
<a class="skip" href="#main">Skip to the content</a>
<p class="strip">Free delivery from &euro;50 &middot; 30 days to change your mind</p>
<header class="site">
<a class="brand" href="/"><img src="/static/icon.svg" alt="" width="40" height="40"> <span>Blue Mug</span></a>
<form class="search" role="search" action="/" method="get"><label class="hidden" for="s">Search the shop</label><input id="s" type="search" name="s" value="$search" placeholder="Search mugs, pots, tea"><input type="hidden" name="post_type" value="product"></form>
<a class="account" href="/my-account/">Account</a>
<details class="mini"><summary>@{[ cart_summary($s) ]}</summary>
<div class="drawer">@{[ Demo::Shop::mini_cart($s, $base) ]}</div></details>
@{[ Demo::Shop::cart_link($s, $base) ]}
<nav aria-label="Shop"><a href="/shop/"@{[ $here eq '/shop/' ? ' aria-current="page"' : '' ]}>Everything</a>$nav</nav>
</header>
<main id="main" tabindex="-1">
<div class="woocommerce-notices-wrapper">$notice</div>
$arg{main}
</main>
<footer class="site">
<div><strong>Blue Mug</strong><br>Kiln Lane 4, 11001 C&aacute;diz, Spain<br>Open Tuesday to Saturday, ten to six.</div>
<div><a href="/shop/">Shop</a><br><a href="/delivery/">Delivery &amp; returns</a><br><a href="/about/">About us</a><br><a href="/privacy/">Privacy</a></div>
<div class="fine">A demonstration store. Nothing here is for sale, and every order is a happy end for somebody who was never going to pay.</div>
</footer>
@{[ consent($req) ]}
<script src="/static/shop.js" defer></script>
$graph</body>
</html>
END
}

sub base { return "http://$_[0]{host}" }

sub cart_summary {
    my ($s) = @_;

    return '<span class="hidden">Look into the cart</span>'
        . '<svg viewBox="0 0 12 8" aria-hidden="true"><path d="M1 1.5l5 5 5-5"'
        . ' fill="none" stroke="currentColor" stroke-width="1.8"/></svg>';
}

sub script_safe {
    my ($text) = @_;

    $text =~ s/</\\u003C/g;
    $text =~ s/>/\\u003E/g;

    return $text;
}

# Cookiebot's element and cookie, so that what understands Cookiebot
# understands this

sub consent {
    my ($req) = @_;

    return '' if $req->{cookie}{CookieConsent};

    my $back = html($req->{method} eq 'GET' ? $req->{target} : $req->{path});

    return <<"END";
<div id="CybotCookiebotDialog" class="consent" role="dialog" aria-labelledby="consent-title">
<form method="post" action="/consent/">
<input type="hidden" name="back" value="$back">
<p><strong id="consent-title">Biscuits with your tea?</strong> We use cookies to run the shop and, if you agree, to remember what you liked and to write to you about it.</p>
<p class="choices"><button name="choice" value="all" class="button">Allow all</button> <button name="choice" value="necessary" class="button plain">Only necessary</button></p>
</form>
</div>
END
}


# --- pieces

sub card {
    my ($p) = @_;
    my $name = html($p->{name});
    my $out = $p->{stock} > 0
        ? "<a href=\"?add-to-cart=$p->{id}\" data-quantity=\"1\" class=\"button add_to_cart_button ajax_add_to_cart\" data-product_id=\"$p->{id}\" data-product_sku=\"$p->{sku}\" aria-label=\"Add to cart: &ldquo;$name&rdquo;\" rel=\"nofollow\">Add to cart</a>"
        : "<a href=\"/product/$p->{slug}/\" class=\"button plain\" aria-label=\"Read more about &ldquo;$name&rdquo;\">Read more</a>";
    my $stock = $p->{stock} > 0 ? 'instock' : 'outofstock';
    my $badge = $p->{stock} > 0 ? '' : '<span class="badge">Sold out</span>';

    return <<"END";
<li class="product type-product post-$p->{id} $stock product_cat-$p->{category}">
<a href="/product/$p->{slug}/" class="woocommerce-LoopProduct-link"><span class="picture"><img src="/img/$p->{slug}.svg" alt="" width="600" height="600" loading="lazy">$badge</span><h2 class="woocommerce-loop-product__title">$name</h2><span class="line">@{[ html($p->{line}) ]}</span><span class="price">@{[ money($p->{cents}) ]}</span></a>
$out
</li>
END
}

sub grid { return '<ul class="products">' . join('', map { card($_) } @_) . '</ul>' }


# --- pages

sub home {
    my ($req, $s, %arg) = @_;
    my %by = %Demo::Catalogue::BY_SLUG;
    my @favourites = @by{qw(the-blue-mug everyday-teapot speckled-morning-mug
        earl-grey matcha-bowl stovetop-kettle harbour-stripe-mug
        nesting-bowls)};
    my %face = (mugs => 'camp-mug', teapots => 'cobalt-teapot-for-two',
                bowls => 'ramen-bowl', tea => 'chamomile-honeybush',
                extras => 'bamboo-whisk');
    my $categories = join '', map {
        "<li><a href=\"/product-category/$_->[0]/\"><img src=\"/img/$face{$_->[0]}.svg\" alt=\"\" width=\"600\" height=\"600\" loading=\"lazy\"><span>"
        . html($_->[1]) . '</span></a></li>'
    } @Demo::Catalogue::CATEGORIES;

    return page($req, $s, %arg, class => 'home page woocommerce-page', main => <<"END");
<section class="hero">
<div class="words"><p class="eyebrow">Fired in C&aacute;diz since 2009</p><h1>Good mornings are made by&nbsp;hand.</h1><p class="lead">Stoneware, teapots and whole-leaf tea from a workshop of four people, one kiln and a very large table.</p><p><a class="button big" href="/product-category/mugs/">Find your mug</a> <a class="more" href="/shop/">or look at everything</a></p></div>
<div class="art" aria-hidden="true"><img src="/img/the-blue-mug.svg" alt="" width="600" height="600"><img src="/img/everyday-teapot.svg" alt="" width="600" height="600"><img src="/img/earl-grey.svg" alt="" width="600" height="600"></div>
</section>
<section><h2>Where to begin</h2><ul class="faces">$categories</ul></section>
<section><h2>What people take home this week</h2>@{[ grid(@favourites) ]}</section>
<section class="story"><div><h2>Small batches, second firing</h2><p>Every piece is thrown, dried for a week, fired, glazed and fired again at 1240&nbsp;&deg;C. That is why a Blue Mug survives the dishwasher, the move and the grandchildren.</p></div><ul><li><strong>240</strong> pieces in a kiln load</li><li><strong>11&nbsp;days</strong> from clay to shelf</li><li><strong>0</strong> drops spilled by our teapots</li></ul></section>
END
}

sub listing {
    my ($req, $s, $title, $intro, $class, @products) = @_;
    my $n = @products;
    my $count = $n == 1 ? 'One thing' : "$n things";

    return page($req, $s, title => $title, class => $class,
                notices => $req->{notices}, main => <<"END");
<header class="woocommerce-products-header"><h1 class="woocommerce-products-header__title">@{[ html($title) ]}</h1><p class="lead">@{[ html($intro) ]}</p></header>
<p class="woocommerce-result-count">$count</p>
@{[ $n ? grid(@products) : '<p class="woocommerce-no-products-found">Nothing found. Perhaps a <a href="/product/the-blue-mug/">Blue Mug</a>?</p>' ]}
END
}

sub product {
    my ($req, $s, $p, @notices) = @_;
    my $base = base($req);
    my $name = html($p->{name});
    my $url = "$base/product/$p->{slug}/";
    my $category = $Demo::Catalogue::CATEGORY{$p->{category}};
    my @others = grep { $_->{category} eq $p->{category} && $_ != $p
                        && $_->{stock} } @Demo::Catalogue::PRODUCTS;
    my $form = $p->{stock} > 0 ? <<"END" : '<p class="stock out-of-stock">Sold out. The kiln is being loaded.</p>';
<p class="stock in-stock">@{[ $p->{stock} < 10 ? "Only $p->{stock} left" : 'In stock, leaves the workshop tomorrow' ]}</p>
<form class="cart" action="$url" method="post" enctype="multipart/form-data">
<div class="quantity"><label class="hidden" for="quantity">Quantity</label><input type="number" id="quantity" class="input-text qty text" name="quantity" value="1" min="1" max="$p->{stock}" inputmode="numeric"></div>
<button type="submit" name="add-to-cart" value="$p->{id}" class="single_add_to_cart_button button alt big">Add to cart</button>
</form>
END
    my $stock = $p->{stock} > 0 ? 'instock' : 'outofstock';

    return page($req, $s, title => $p->{name},
                class => "single single-product postid-$p->{id} woocommerce woocommerce-page",
                notices => \@notices, graph => graph($req, $p), main => <<"END");
<nav class="woocommerce-breadcrumb" aria-label="Breadcrumb"><a href="/">Home</a> / <a href="/product-category/$p->{category}/">@{[ html($category->[1]) ]}</a> / $name</nav>
<div id="product-$p->{id}" class="product type-product post-$p->{id} $stock product_cat-$p->{category}">
<div class="woocommerce-product-gallery"><img src="/img/$p->{slug}.svg" alt="$name" width="600" height="600"></div>
<div class="summary entry-summary">
<h1 class="product_title entry-title">$name</h1>
<p class="line">@{[ html($p->{line}) ]}</p>
<p class="price">@{[ money($p->{cents}) ]} <small>incl. VAT</small></p>
<div class="woocommerce-product-details__short-description"><p>@{[ html($p->{text}) ]}</p></div>
$form
<ul class="promises"><li>Packed in paper wool, no plastic</li><li>A broken one is replaced, no questions</li><li>Free delivery from &euro;50</li></ul>
<p class="product_meta">SKU: <span class="sku">$p->{sku}</span></p>
</div>
</div>
<section class="related products"><h2>Goes well with</h2>@{[ grid(grep { defined } @others[0 .. 3]) ]}</section>
END
}

# as WooCommerce prints it, in the footer

sub graph {
    my ($req, $p) = @_;
    my $base = base($req);
    my $url = "$base/product/$p->{slug}/";
    my $category = $Demo::Catalogue::CATEGORY{$p->{category}};
    my $price = sprintf '%d.%02d', $p->{cents} / 100, $p->{cents} % 100;
    my @crumbs = ([ 'Home', $base ],
                  [ $category->[1], "$base/product-category/$category->[0]/" ],
                  [ $p->{name}, $url ]);
    my $n = 0;

    return [
        { '@context' => 'https://schema.org/', '@type' => 'BreadcrumbList',
          itemListElement => [ map {
              { '@type' => 'ListItem', position => ++$n,
                item => { name => $_->[0], '@id' => $_->[1] } }
          } @crumbs ] },
        { '@context' => 'https://schema.org/', '@type' => 'Product',
          '@id' => "$url#product", name => $p->{name}, url => $url,
          description => $p->{text}, image => "$base/img/$p->{slug}.svg",
          sku => $p->{sku}, category => $category->[1],
          brand => { '@type' => 'Brand', name => 'Blue Mug' },
          offers => [ { '@type' => 'Offer', price => $price,
              priceCurrency => 'EUR',
              priceSpecification => [ {
                  '@type' => 'UnitPriceSpecification', price => $price,
                  priceCurrency => 'EUR', validThrough => '2027-12-31' } ],
              priceValidUntil => '2027-12-31',
              availability => 'https://schema.org/'
                  . ($p->{stock} > 0 ? 'InStock' : 'OutOfStock'),
              url => $url,
              seller => { '@type' => 'Organization', name => 'Blue Mug',
                          url => $base } } ] },
    ];
}

sub cart {
    my ($req, $s, @notices) = @_;
    my $base = base($req);
    my @lines = Demo::Shop::lines($s);

    if (!@lines) {
        return page($req, $s, title => 'Cart', notices => \@notices,
                    class => 'page woocommerce-cart woocommerce-page',
                    main => '<h1>Cart</h1><div class="empty"><p class="cart-empty woocommerce-info">Your cart is empty.</p><p><a class="button wc-backward" href="/shop/">To the shelves</a></p></div>');
    }

    my $rows = join '', map {
        my $p = $_->{product};
        my $name = html($p->{name});
        <<"END"
<tr class="woocommerce-cart-form__cart-item cart_item">
<td class="product-thumbnail"><a href="/product/$p->{slug}/"><img src="/img/$p->{slug}.svg" alt="" width="88" height="88"></a></td>
<td class="product-name"><a href="/product/$p->{slug}/">$name</a><br><a role="button" href="$base/cart/?remove_item=$_->{key}&#038;_wpnonce=$Demo::Shop::NONCE" class="remove" aria-label="Remove $name from cart" data-product_id="$p->{id}" data-product_sku="$p->{sku}">Remove</a></td>
<td class="product-price">@{[ money($p->{cents}) ]}</td>
<td class="product-quantity"><label class="hidden" for="q$p->{id}">$name quantity</label><input type="number" id="q$p->{id}" class="input-text qty text" name="cart[$_->{key}][qty]" value="$_->{quantity}" min="0" max="$p->{stock}" inputmode="numeric"></td>
<td class="product-subtotal">@{[ money($_->{cents}) ]}</td>
</tr>
END
    } @lines;

    return page($req, $s, title => 'Cart', notices => \@notices,
                class => 'page woocommerce-cart woocommerce-page',
                main => <<"END");
<h1>Cart</h1>
<div class="woocommerce columns">
<form class="woocommerce-cart-form" action="$base/cart/" method="post">
<table class="shop_table cart"><thead class="hidden"><tr><th>Picture</th><th>Product</th><th>Price</th><th>Quantity</th><th>Subtotal</th></tr></thead><tbody>$rows</tbody></table>
<p class="actions"><button type="submit" class="button plain" name="update_cart" value="Update cart">Update cart</button>
<input type="hidden" name="woocommerce-cart-nonce" value="$Demo::Shop::NONCE"><input type="hidden" name="_wp_http_referer" value="/cart/"></p>
</form>
<div class="cart-collaterals"><div class="cart_totals"><h2>Total</h2>@{[ totals($s) ]}<p><a href="$base/checkout/" class="checkout-button button alt big wide wc-forward">To the checkout</a></p><p class="fine">Delivery in two to three days, also to a parcel shop.</p></div></div>
</div>
END
}

sub totals {
    my ($s) = @_;
    my $cents = Demo::Shop::total($s);
    my $shipping = Demo::Shop::shipping($cents);

    return '<table class="totals"><tr class="cart-subtotal"><th>Subtotal</th><td>'
        . money($cents) . '</td></tr><tr class="shipping"><th>Delivery</th><td>'
        . ($shipping ? money($shipping) : 'free')
        . '</td></tr><tr class="order-total"><th>Total</th><td><strong>'
        . money($cents + $shipping) . '</strong></td></tr></table>';
}

sub checkout {
    my ($req, $s, $field, @notices) = @_;
    my %f = map { $_ => html($field->{$_}) } keys %$field;
    my $input = sub {
        my ($name, $label, $type, $complete, $class) = @_;
        my $value = defined $f{$name} ? $f{$name} : '';

        return "<p class=\"form-row $class\"><label for=\"$name\">$label</label><input class=\"input-text\" type=\"$type\" id=\"$name\" name=\"$name\" value=\"$value\" autocomplete=\"$complete\" required></p>";
    };
    my $items = join '', map {
        '<tr class="cart_item"><td><img src="/img/' . $_->{product}{slug}
        . '.svg" alt="" width="56" height="56"></td><td class="product-name">'
        . html($_->{product}{name}) . " <strong class=\"product-quantity\">&times;&nbsp;$_->{quantity}</strong></td><td class=\"product-total\">"
        . money($_->{cents}) . '</td></tr>'
    } Demo::Shop::lines($s);

    return page($req, $s, title => 'Checkout', notices => \@notices,
                class => 'page woocommerce-checkout woocommerce-page',
                main => <<"END");
<h1>Checkout</h1>
<form name="checkout" class="checkout woocommerce-checkout columns" action="/checkout/" method="post">
<div class="col" id="customer_details">
<h2>Where shall it go?</h2>
<div class="fields">
@{[ $input->('billing_email', 'E-mail address', 'email', 'email', 'wide') ]}
@{[ $input->('billing_first_name', 'First name', 'text', 'given-name', '') ]}
@{[ $input->('billing_last_name', 'Last name', 'text', 'family-name', '') ]}
@{[ $input->('billing_address_1', 'Street and number', 'text', 'address-line1', 'wide') ]}
@{[ $input->('billing_postcode', 'Postcode', 'text', 'postal-code', '') ]}
@{[ $input->('billing_city', 'City', 'text', 'address-level2', '') ]}
<p class="form-row wide"><label for="billing_country">Country</label><select id="billing_country" name="billing_country" autocomplete="country"><option value="ES">Spain</option><option value="PT">Portugal</option><option value="FR">France</option><option value="DE">Germany</option><option value="PL">Poland</option></select></p>
</div>
<p class="form-row news"><label><input type="checkbox" name="newsletter" value="1"> Write to me when the kiln is opened, about once a month</label></p>
<h2>How would you like to pay?</h2>
<ul class="wc_payment_methods"><li><label><input type="radio" name="payment_method" value="cod" checked> Cash, to the courier</label></li><li><label><input type="radio" name="payment_method" value="bacs"> Bank transfer in advance</label></li></ul>
</div>
<div class="col" id="order_review"><div class="cart_totals"><h2>Your order</h2><table class="shop_table woocommerce-checkout-review-order-table">$items</table>@{[ totals($s) ]}
<p><button type="submit" class="button alt big wide" name="woocommerce_checkout_place_order" id="place_order" value="Place order">Place order</button></p>
<input type="hidden" name="woocommerce-process-checkout-nonce" value="$Demo::Shop::NONCE"><input type="hidden" name="_wp_http_referer" value="/checkout/">
<p class="fine">By ordering you agree to <a href="/delivery/">our terms</a>.</p></div></div>
</form>
END
}

sub received {
    my ($req, $s, $o) = @_;
    my $total = money($o->{cents} + $o->{shipping});
    my $items = join '', map {
        '<tr><td><img src="/img/' . $_->{product}{slug}
        . '.svg" alt="" width="56" height="56"></td><td>'
        . html($_->{product}{name}) . " &times; $_->{quantity}</td><td>"
        . money($_->{cents}) . '</td></tr>'
    } @{$o->{lines}};

    return page($req, $s, title => 'Thank you',
                class => 'page woocommerce-checkout woocommerce-page woocommerce-order-received',
                main => <<"END");
<div class="woocommerce-order"><h1>Thank you</h1>
<p class="woocommerce-notice woocommerce-thankyou-order-received lead">Your order has been received. We are already looking for the paper wool.</p>
<ul class="woocommerce-order-overview"><li class="woocommerce-order-overview__order order">Order number: <strong>$o->{id}</strong></li><li class="woocommerce-order-overview__email email">E-mail: <strong>@{[ html($o->{email}) ]}</strong></li><li class="woocommerce-order-overview__total total">Total: <strong>$total</strong></li></ul>
<table class="shop_table">$items</table>
<p><a class="button" href="/shop/">Back to the shop</a></p></div>
END
}

sub account {
    my ($req, $s, @notices) = @_;
    my ($user) = map { $req->{cookie}{$_} }
                 grep { /^wordpress_logged_in_/ } keys %{$req->{cookie}};
    my $class = 'page woocommerce-account woocommerce-page'
        . ($user ? ' logged-in' : '');

    if ($user) {
        my ($name) = split /\|/, Demo::Server::decode($user);

        return page($req, $s, title => 'Account', class => $class,
                    notices => \@notices,
                    main => '<h1>Account</h1><p class="lead">Hello, ' . html($name)
                    . '.</p><p><a class="button plain" href="/my-account/customer-logout/?_wpnonce='
                    . "$Demo::Shop::NONCE\">Log out</a></p>");
    }

    return page($req, $s, title => 'Account', class => $class,
                notices => \@notices, main => <<"END");
<h1>Account</h1><div class="columns">
<form class="woocommerce-form-login login col" method="post" action="/my-account/"><h2>Log in</h2><p class="form-row"><label for="username">E-mail address</label><input class="input-text" type="email" id="username" name="username" autocomplete="username" required></p><p class="form-row"><label for="password">Password</label><input class="input-text" type="password" id="password" name="password" autocomplete="current-password" required></p><p><input type="hidden" name="woocommerce-login-nonce" value="$Demo::Shop::NONCE"><button class="button" name="login" value="Log in">Log in</button></p></form>
<form class="woocommerce-form-register register col" method="post" action="/my-account/"><h2>Register</h2><p class="form-row"><label for="reg_email">E-mail address</label><input class="input-text" type="email" id="reg_email" name="email" autocomplete="email" required></p><p class="form-row"><label for="reg_password">Password</label><input class="input-text" type="password" id="reg_password" name="password" autocomplete="new-password" required></p><p><input type="hidden" name="woocommerce-register-nonce" value="$Demo::Shop::NONCE"><button class="button plain" name="register" value="Register">Register</button></p></form>
</div>
END
}

my %TEXT = (
    about => [ 'About us', 'Four people, one kiln and a very large table. We began with a mug that was meant to be a present and turned out blue.' ],
    delivery => [ 'Delivery and returns', 'Two to three days within the EU, free from fifty euros, 4.90 below. You have thirty days to change your mind, and a broken piece is replaced.' ],
    privacy => [ 'Privacy', 'What you buy stays between us. We write only to those who asked for it twice: once in a form, once in a mail. Every mail has a link that ends it.' ],
);

sub text {
    my ($req, $s, $name) = @_;
    my $t = $TEXT{$name} or return undef;

    return page($req, $s, title => $t->[0], class => 'page page-text',
                main => '<h1>' . html($t->[0]) . '</h1><p class="lead">'
                        . html($t->[1]) . '</p>');
}

sub missing {
    my ($req, $s) = @_;

    return page($req, $s, title => 'Not here', class => 'error404',
                main => '<h1>Not on any shelf</h1><p class="lead">This page is not here. The <a href="/shop/">shop</a> is.</p>');
}

1;
