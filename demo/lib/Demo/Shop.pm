package Demo::Shop;

# Carts, orders and the answers in WooCommerce's shapes: cookies, mini-cart
# fragments, Store API.  State is in memory and gone when the demo ends.

use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Demo::Catalogue;
use Demo::Server;

our $SITE = md5_hex('bluemug');
our $NONCE = substr md5_hex("nonce $SITE"), 0, 10;

my %session;            # id => { cart => { key => quantity }, order of keys }
my %order;              # id => { key, items, total, email }
my $next_order = 1001;

my %CURRENCY = (
    currency_code => 'EUR', currency_symbol => "\x{20ac}",
    currency_minor_unit => 2, currency_decimal_separator => '.',
    currency_thousand_separator => ',', currency_prefix => "\x{20ac}",
    currency_suffix => '',
);


# --- sessions and cookies

sub session {
    my ($req) = @_;
    my $cookie = Demo::Server::decode(
        $req->{cookie}{"wp_woocommerce_session_$SITE"} || '');
    my ($id) = $cookie =~ /^(t_[0-9a-f]{30})\|/;

    return $session{$id} if $id && $session{$id};

    return { id => undef, cart => {}, keys => [] };
}

sub keep {
    my ($s) = @_;

    return if $s->{id};

    $s->{id} = 't_' . substr md5_hex(rand() . $$ . time), 0, 30;
    $s->{is_new} = 1;
    $session{$s->{id}} = $s;
}

# Set-Cookie fields for an answer that touched the cart

sub cookies {
    my ($s) = @_;
    my $hash = cart_hash($s);
    my @out;

    if ($hash) {
        push @out, 'Set-Cookie' => 'woocommerce_items_in_cart=1; path=/',
                   'Set-Cookie' => "woocommerce_cart_hash=$hash; path=/";

    } else {
        push @out, map { ('Set-Cookie' => "$_=0; expires=Sat, 21 Nov 2020 "
                          . '21:59:46 GMT; Max-Age=0; path=/') }
                       qw(woocommerce_items_in_cart woocommerce_cart_hash);
    }

    if (delete $s->{is_new}) {
        my $until = time + 172800;
        my $value = join '|', $s->{id}, $until, $until - 86400,
                              md5_hex("$s->{id}$SITE");

        push @out, 'Set-Cookie' => "wp_woocommerce_session_$SITE="
            . Demo::Server::encode($value)
            . '; Max-Age=172800; path=/; HttpOnly';
    }

    return @out;
}

sub no_store {
    return 'Cache-Control' =>
        'no-cache, must-revalidate, max-age=0, no-store, private',
        'Expires' => 'Wed, 11 Jan 1984 05:00:00 GMT';
}


# --- the cart

sub line_key { return md5_hex($_[0]{id}) }

# undef when it cannot be had

sub add {
    my ($s, $id, $quantity) = @_;
    my $p = $Demo::Catalogue::BY_ID{$id || ''} or return undef;
    my $key = line_key($p);

    $quantity = 1 if !defined $quantity || $quantity !~ /^\d{1,4}$/;

    return undef if $quantity < 1
        || ($s->{cart}{$key} || 0) + $quantity > $p->{stock};

    keep($s);
    push @{$s->{keys}}, $key if !$s->{cart}{$key};
    $s->{cart}{$key} += $quantity;
    $s->{product}{$key} = $p;

    return $p;
}

sub set {
    my ($s, $key, $quantity) = @_;

    return 0 if !$s->{cart}{$key} || $quantity !~ /^\d{1,4}$/;

    if ($quantity == 0) {
        delete $s->{cart}{$key};
        $s->{keys} = [ grep { $_ ne $key } @{$s->{keys}} ];
        return 1;
    }

    return 0 if $quantity > $s->{product}{$key}{stock};

    $s->{cart}{$key} = $quantity;

    return 1;
}

sub lines {
    my ($s) = @_;

    return map {
        { key => $_, product => $s->{product}{$_},
          quantity => $s->{cart}{$_},
          cents => $s->{product}{$_}{cents} * $s->{cart}{$_} }
    } @{$s->{keys}};
}

sub count {
    my ($s) = @_;
    my $n = 0;

    $n += $_ for values %{$s->{cart}};

    return $n;
}

sub total {
    my ($s) = @_;
    my $cents = 0;

    $cents += $_->{cents} for lines($s);

    return $cents;
}

sub shipping { return $_[0] >= 5000 || $_[0] == 0 ? 0 : 490 }

sub cart_hash {
    my ($s) = @_;
    my @lines = lines($s);

    return @lines ? md5_hex(join '|', map { "$_->{key}:$_->{quantity}" } @lines)
                  : '';
}


# --- orders

sub place {
    my ($s, $email) = @_;
    my $id = $next_order++;
    my $cents = total($s);

    $order{$id} = {
        id => $id, email => $email, lines => [ lines($s) ],
        key => 'wc_order_' . substr(md5_hex(rand() . $id), 0, 13),
        cents => $cents, shipping => shipping($cents),
    };

    $s->{cart} = {};
    $s->{keys} = [];

    return $order{$id};
}

sub order { return $order{$_[0]} }


# --- markup shared by pages and fragments

sub money {
    my ($cents) = @_;

    return sprintf '<span class="woocommerce-Price-amount amount"><bdi>'
        . '<span class="woocommerce-Price-currencySymbol" translate="no">'
        . '&euro;</span>%d.%02d</bdi></span>', $cents / 100, $cents % 100;
}

sub cart_link {
    my ($s, $base) = @_;
    my $n = count($s);

    return "<a class=\"cart-contents\" href=\"$base/cart/\" title=\"View your"
        . ' shopping cart"><svg viewBox="0 0 24 24" aria-hidden="true"><path'
        . ' d="M4 8h13v6.5A5.5 5.5 0 0 1 11.5 20h-2A5.5 5.5 0 0 1 4 14.5Z'
        . 'M17 9.5h1.5a2.8 2.8 0 0 1 0 5.6H17" fill="none"'
        . ' stroke="currentColor" stroke-width="1.7"/></svg>'
        . '<span class="cart-word">Cart</span> '
        . '<span class="count" aria-label="' . $n . ' items">' . $n
        . '</span></a>';
}

sub mini_cart {
    my ($s, $base) = @_;
    my @lines = lines($s);

    if (!@lines) {
        return '<div class="widget_shopping_cart_content">'
            . "\n\n\t<p class=\"woocommerce-mini-cart__empty-message\">"
            . "No products in the cart.</p>\n\n</div>";
    }

    my $out = "<div class=\"widget_shopping_cart_content\">\n\n\t"
        . '<ul class="woocommerce-mini-cart cart_list product_list_widget ">';

    for (@lines) {
        my $p = $_->{product};
        my $name = Demo::Server::html($p->{name});

        $out .= <<"END";

		<li class="woocommerce-mini-cart-item mini_cart_item">
			<a role="button" href="$base/cart/?remove_item=$_->{key}&#038;_wpnonce=$NONCE" class="remove remove_from_cart_button" aria-label="Remove $name from cart" data-product_id="$p->{id}" data-cart_item_key="$_->{key}" data-product_sku="$p->{sku}" data-success_message="&ldquo;$name&rdquo; has been removed from your cart">&times;</a>
			<a href="$base/product/$p->{slug}/">
				<img width="324" height="324" src="$base/img/$p->{slug}.svg" class="attachment-woocommerce_thumbnail size-woocommerce_thumbnail" alt="$name" decoding="async" loading="lazy" />$name
			</a>
			<span class="quantity">$_->{quantity} &times; @{[ money($p->{cents}) ]}</span>
		</li>
END
    }

    return $out . "\t</ul>\n\n\t"
        . '<p class="woocommerce-mini-cart__total total"><strong>Subtotal:'
        . '</strong> ' . money(total($s)) . "</p>\n\n\t"
        . '<p class="woocommerce-mini-cart__buttons buttons">'
        . "<a href=\"$base/cart/\" class=\"button wc-forward\">View cart</a>"
        . "<a href=\"$base/checkout/\" class=\"button checkout wc-forward\">"
        . "Checkout</a></p>\n\n</div>";
}

sub fragments {
    my ($s, $base) = @_;

    return {
        fragments => {
            'div.widget_shopping_cart_content' => mini_cart($s, $base),
            'a.cart-contents' => cart_link($s, $base),
        },
        cart_hash => cart_hash($s),
    };
}


# --- Store API

sub api_cart {
    my ($s, $base) = @_;
    my $cents = total($s);
    my $shipping = shipping($cents);

    return {
        items => [ map { api_line($_, $base) } lines($s) ],
        coupons => [], fees => [],
        totals => {
            total_items => "$cents", total_items_tax => '0',
            total_discount => '0', total_discount_tax => '0',
            total_shipping => "$shipping", total_shipping_tax => '0',
            total_price => '' . ($cents + $shipping), total_tax => '0',
            tax_lines => [], %CURRENCY,
        },
        billing_address => $s->{billing} || { email => '' },
        needs_payment => $cents ? \1 : \0, needs_shipping => \1,
        items_count => count($s), items_weight => 0, cross_sells => [],
        errors => [], payment_methods => [ 'cod', 'bacs' ],
        extensions => {},
    };
}

sub api_line {
    my ($line, $base) = @_;
    my $p = $line->{product};

    return {
        key => $line->{key}, id => $p->{id} + 0, type => 'simple',
        quantity => $line->{quantity} + 0, name => $p->{name},
        quantity_limits => { minimum => 1, maximum => $p->{stock} + 0,
                             multiple_of => 1, editable => \1 },
        short_description => "<p>$p->{line}</p>",
        description => "<p>$p->{text}</p>", sku => $p->{sku},
        permalink => "$base/product/$p->{slug}/",
        images => [ { id => $p->{id} + 100,
                      src => "$base/img/$p->{slug}.svg",
                      thumbnail => "$base/img/$p->{slug}.svg",
                      name => $p->{slug}, alt => '' } ],
        variation => [], item_data => [],
        prices => {
            price => "$p->{cents}", regular_price => "$p->{cents}",
            sale_price => "$p->{cents}", price_range => undef, %CURRENCY,
        },
        totals => {
            line_subtotal => "$line->{cents}", line_subtotal_tax => '0',
            line_total => "$line->{cents}", line_total_tax => '0', %CURRENCY,
        },
        catalog_visibility => 'visible', extensions => {},
    };
}

sub api_error {
    my ($status, $code, $message) = @_;

    return ($status, { code => "woocommerce_rest_$code", message => $message,
                       data => { status => $status } });
}

# one call, single or out of a batch: ($status, $answer)

sub api {
    my ($s, $base, $method, $path, $body) = @_;

    $body = {} if ref $body ne 'HASH';

    if ($path =~ m{/cart$} && $method eq 'GET') {
        return (200, api_cart($s, $base));
    }

    if ($method ne 'POST') {
        return api_error(405, 'no_route', 'No route was found matching the '
                         . 'URL and request method.');
    }

    if ($path =~ m{/cart/add-item$}) {
        my $p = add($s, $body->{id}, $body->{quantity});

        return $p ? (201, api_cart($s, $base))
                  : api_error(400, 'product_out_of_stock',
                              'This product cannot be added to the cart.');
    }

    if ($path =~ m{/cart/(update|remove)-item$}) {
        my $quantity = $1 eq 'remove' ? 0 : $body->{quantity};

        return defined $quantity && defined $body->{key}
               && set($s, $body->{key}, $quantity)
            ? (200, api_cart($s, $base))
            : api_error(409, 'cart_invalid_key', 'Cart item does not exist.');
    }

    if ($path =~ m{/cart/update-customer$}) {
        $s->{billing} = $body->{billing_address}
            if ref $body->{billing_address} eq 'HASH';

        return (200, api_cart($s, $base));
    }

    return api_error(404, 'no_route', 'No route was found matching the URL '
                     . 'and request method.');
}

1;
