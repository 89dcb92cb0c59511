#!/usr/bin/perl

# The demo store: pages as in Demo::Page, WooCommerce's wire formats as in
# Demo::Shop, routes here.  Usage: store.pl ADDRESS:PORT

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use JSON::PP;
use POSIX qw(strftime);

use Demo::Catalogue;
use Demo::Page;
use Demo::Picture;
use Demo::Server;
use Demo::Shop;

my $json = JSON::PP->new->utf8->canonical;
my %picture;
my %static;

$SIG{TERM} = $SIG{INT} = sub { exit 0 };

my %TYPE = (css => 'text/css; charset=utf-8', svg => 'image/svg+xml',
            js => 'text/javascript; charset=utf-8');

for my $file (glob "$FindBin::Bin/static/*") {
    my ($name, $ext) = $file =~ m{([^/]+\.(\w+))$} or next;

    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    $static{$name} = [ $TYPE{$ext} || 'text/plain', <$fh> ];
}

my $server = Demo::Server->new(handler => \&handle);

$server->add_listener($ARGV[0] || '127.0.0.1:8081');
$server->run;


sub handle {
    my ($req) = @_;

    return static($req) if $req->{path} =~ m{^/(?:img|static)/};

    my $s = Demo::Shop::session($req);

    return ajax($req, $s) if defined $req->{args}{'wc-ajax'};
    return store_api($req, $s) if $req->{path} =~ m{^/wp-json/wc/store/v1/};

    return page($req, $s);
}

sub static {
    my ($req) = @_;
    my @cache = ('Cache-Control' => 'public, max-age=3600');

    if ($req->{path} =~ m{^/img/([a-z0-9-]+)\.svg$}
        && $Demo::Catalogue::BY_SLUG{$1})
    {
        $picture{$1} ||= Demo::Picture::draw(
            $1, $Demo::Catalogue::BY_SLUG{$1}{picture});

        return [ 200, [ 'Content-Type' => 'image/svg+xml', @cache ],
                 $picture{$1} ];
    }

    if ($req->{path} =~ m{^/static/([\w.-]+)$} && $static{$1}) {
        return [ 200, [ 'Content-Type' => $static{$1}[0], @cache ],
                 $static{$1}[1] ];
    }

    return [ 404, [ 'Content-Type' => 'text/plain' ], "not here\n" ];
}

sub html_page {
    my ($status, $body, @headers) = @_;

    return [ $status, [ 'Content-Type' => 'text/html; charset=UTF-8',
                        @headers ], $body ];
}

sub go {
    my ($status, $url, @headers) = @_;

    return [ $status, [ 'Content-Type' => 'text/html; charset=UTF-8',
                        Location => $url, @headers ], '' ];
}

sub page {
    my ($req, $s) = @_;
    my $path = $req->{path};
    my @touched;

    # the plain link: any page, GET

    if ($req->{method} eq 'GET' && defined $req->{args}{'add-to-cart'}) {
        my $p = Demo::Shop::add($s, $req->{args}{'add-to-cart'},
                                $req->{args}{quantity});

        $req->{notices} = [ $p ? added($p) : refused() ];
        @touched = $p ? (Demo::Shop::cookies($s), Demo::Shop::no_store())
                      : Demo::Shop::no_store();
    }

    if ($path eq '/') {
        return search($req, $s) if defined $req->{args}{s};
        return html_page(200, Demo::Page::home($req, $s,
                              notices => $req->{notices}), @touched);
    }

    if ($path eq '/shop/') {
        return html_page(200, Demo::Page::listing(
            $req, $s, 'Everything', 'Twenty-four things. We counted.',
            'archive post-type-archive post-type-archive-product woocommerce-shop woocommerce woocommerce-page',
            @Demo::Catalogue::PRODUCTS), @touched);
    }

    if ($path =~ m{^/product-category/([a-z-]+)/$}
        && (my $category = $Demo::Catalogue::CATEGORY{$1}))
    {
        return html_page(200, Demo::Page::listing(
            $req, $s, $category->[1], $category->[2],
            "archive tax-product_cat term-$1 woocommerce woocommerce-page",
            grep { $_->{category} eq $category->[0] }
                 @Demo::Catalogue::PRODUCTS), @touched);
    }

    if ($path =~ m{^/product/([a-z0-9-]+)/$}
        && (my $p = $Demo::Catalogue::BY_SLUG{$1}))
    {
        return product($req, $s, $p, @touched);
    }

    return cart($req, $s) if $path eq '/cart/';
    return checkout($req, $s) if $path eq '/checkout/';
    return received($req, $s) if $path =~ m{^/checkout/order-received/\d+/$};
    return account($req, $s) if $path =~ m{^/my-account/};
    return consent($req) if $path eq '/consent/';

    if ($path =~ m{^/(about|delivery|privacy)/$}) {
        return html_page(200, Demo::Page::text($req, $s, $1));
    }

    return html_page(404, Demo::Page::missing($req, $s));
}

sub added {
    my ($p) = @_;

    return [ 'message', '<a href="/cart/" class="button wc-forward">View cart'
             . '</a> &ldquo;' . Demo::Server::html($p->{name})
             . '&rdquo; has been added to your cart.' ];
}

sub refused {
    return [ 'error', 'Sorry, we do not have that many of it.' ];
}

sub search {
    my ($req, $s) = @_;
    my $words = $req->{args}{s};
    my @found = Demo::Catalogue::search($words);
    my $class = @found ? 'search-results' : 'search-no-results';

    return html_page(200, Demo::Page::listing(
        $req, $s, "Search: $words", '',
        "archive search $class post-type-archive-product woocommerce woocommerce-page",
        @found));
}

# the product page's form comes back to the page itself

sub product {
    my ($req, $s, $p, @touched) = @_;
    my @notices = @{$req->{notices} || []};

    if ($req->{method} eq 'POST') {
        my $f = Demo::Server::fields($req);
        my $done = Demo::Shop::add($s, $f->{'add-to-cart'}, $f->{quantity});

        @notices = $done ? added($done) : refused();
        @touched = $done ? (Demo::Shop::cookies($s), Demo::Shop::no_store())
                         : Demo::Shop::no_store();
    }

    return html_page(200, Demo::Page::product($req, $s, $p, @notices),
                     @touched);
}

sub cart {
    my ($req, $s) = @_;
    my $base = Demo::Page::base($req);
    my @notices;

    if ($req->{method} eq 'POST') {
        my $f = Demo::Server::fields($req);

        for (sort keys %$f) {
            my ($key) = /^cart\[([0-9a-f]{32})\]\[qty\]$/ or next;

            push @notices, refused()
                if !Demo::Shop::set($s, $key, $f->{$_});
        }

        push @notices, [ 'message', 'Cart updated.' ] if !@notices;

    } elsif (defined $req->{args}{remove_item}) {
        my $done = Demo::Shop::set($s, $req->{args}{remove_item}, 0);

        return go(302, $done ? "$base/cart/?removed_item=1" : "$base/cart/",
                  Demo::Shop::cookies($s), Demo::Shop::no_store());

    } elsif ($req->{args}{removed_item}) {
        push @notices, [ 'message', 'Removed.' ];
    }

    return html_page(200, Demo::Page::cart($req, $s, @notices),
                     ($req->{method} eq 'POST' ? Demo::Shop::cookies($s) : ()),
                     Demo::Shop::no_store());
}

# why an order cannot be placed, or undef

sub order_error {
    my ($s, $f) = @_;

    return 'Your cart is empty.' if !Demo::Shop::count($s);
    return 'Please enter an e-mail address.'
        if ($f->{billing_email} || '') !~ /^[^@\s]+@[^@\s]+\.[^@\s]+$/;
    return 'Please enter a name and an address.'
        if grep { !length($f->{"billing_$_"} || '') }
                qw(first_name last_name address_1 postcode city);
    return 'We do not deliver to this postcode.'
        if $f->{billing_postcode} =~ /^0+$/;

    return undef;
}

sub received_url {
    my ($req, $o) = @_;

    return Demo::Page::base($req)
        . "/checkout/order-received/$o->{id}/?key=$o->{key}";
}

sub checkout {
    my ($req, $s) = @_;
    my @notices;
    my $f = {};

    if ($req->{method} eq 'POST') {
        $f = Demo::Server::fields($req);
        my $error = order_error($s, $f);

        if (!$error) {
            my $o = Demo::Shop::place($s, $f->{billing_email});

            return go(302, received_url($req, $o), Demo::Shop::cookies($s),
                      Demo::Shop::no_store());
        }

        @notices = ([ 'error', $error ]);
    }

    if (!Demo::Shop::count($s)) {
        return go(302, Demo::Page::base($req) . '/cart/',
                  Demo::Shop::no_store());
    }

    return html_page(200, Demo::Page::checkout($req, $s, $f, @notices),
                     Demo::Shop::no_store());
}

sub received {
    my ($req, $s) = @_;
    my ($id) = $req->{path} =~ m{/(\d+)/$};
    my $o = Demo::Shop::order($id);

    if (!$o || ($req->{args}{key} || '') ne $o->{key}) {
        return html_page(404, Demo::Page::missing($req, $s));
    }

    return html_page(200, Demo::Page::received($req, $s, $o),
                     'Cache-Control' =>
                     'no-cache, must-revalidate, max-age=0, private');
}

sub account {
    my ($req, $s) = @_;
    my $cookie = "wordpress_logged_in_$Demo::Shop::SITE";

    if ($req->{path} =~ /customer-logout/) {
        return go(302, Demo::Page::base($req) . '/my-account/',
                  'Set-Cookie' => "$cookie=%20; expires=Fri, 21 Nov 2025 "
                  . '22:57:10 GMT; Max-Age=0; path=/',
                  Demo::Shop::no_store());
    }

    if ($req->{method} eq 'POST') {
        my $f = Demo::Server::fields($req);
        my $who = $f->{register} ? $f->{email} : $f->{username};

        # anybody may be anybody here, but not with the password "wrong"

        if (($who || '') =~ /^[^@\s]+@[^@\s]+\.[^@\s]+$/
            && ($f->{password} || 'wrong') ne 'wrong')
        {
            my $until = time + 172800;
            my $value = Demo::Server::encode(
                join '|', (split /@/, $who)[0], $until, md5_hex($who));

            return go(302, '/my-account/', 'Set-Cookie' =>
                      "$cookie=$value; path=/; HttpOnly",
                      Demo::Shop::no_store());
        }

        return html_page(200, Demo::Page::account(
            $req, $s, [ 'error', 'Unknown e-mail address or password.' ]),
            Demo::Shop::no_store());
    }

    return html_page(200, Demo::Page::account($req, $s),
                     Demo::Shop::no_store());
}

# what Cookiebot's script would have stored

sub consent {
    my ($req) = @_;
    my $f = Demo::Server::fields($req);
    my $all = ($f->{choice} || '') eq 'all' ? 'true' : 'false';
    my $back = $f->{back} || '/';

    $back = '/' if $back !~ m{^/[^/\\]} || $back =~ /[\x00-\x20]/;

    my $value = sprintf "{stamp:'%s',necessary:true,preferences:%s,"
        . "statistics:%s,marketing:%s,method:'explicit',ver:1,utc:%d000,"
        . "region:'es'}", md5_hex(rand() . time), $all, $all, $all, time;

    return go(303, $back, 'Set-Cookie' => 'CookieConsent='
              . Demo::Server::encode($value)
              . '; Max-Age=31536000; path=/; SameSite=Lax');
}

sub json_answer {
    my ($status, $data, @headers) = @_;

    return [ $status, [ 'Content-Type' => 'application/json; charset=UTF-8',
                        'X-Content-Type-Options' => 'nosniff',
                        'X-Robots-Tag' => 'noindex', @headers ],
             $json->encode($data) ];
}

# WooCommerce's own AJAX; failures answer 200 too

sub ajax {
    my ($req, $s) = @_;
    my $name = $req->{args}{'wc-ajax'};
    my $base = Demo::Page::base($req);
    my $f = Demo::Server::fields($req);
    my @no_store = Demo::Shop::no_store();

    if ($name eq 'get_refreshed_fragments') {
        return json_answer(200, Demo::Shop::fragments($s, $base), @no_store);
    }

    if ($name eq 'add_to_cart' && $req->{method} eq 'POST') {
        my $p = Demo::Shop::add($s, $f->{product_id}, $f->{quantity});

        if (!$p) {
            my $known = $Demo::Catalogue::BY_ID{$f->{product_id} || ''};

            return json_answer(200, {
                error => JSON::PP::true,
                product_url => $known ? "$base/product/$known->{slug}/"
                                      : JSON::PP::false }, @no_store);
        }

        return json_answer(200, Demo::Shop::fragments($s, $base),
                           Demo::Shop::cookies($s), @no_store);
    }

    if ($name eq 'remove_from_cart' && $req->{method} eq 'POST') {
        my $done = Demo::Shop::set($s, $f->{cart_item_key} || '', 0);

        return json_answer(200, $done ? Demo::Shop::fragments($s, $base)
                                      : { error => JSON::PP::true },
                           Demo::Shop::cookies($s), @no_store);
    }

    if ($name eq 'update_order_review' && $req->{method} eq 'POST') {
        return json_answer(200, {
            result => 'success', messages => '', reload => JSON::PP::false,
            fragments => { '.totals' => Demo::Page::totals($s) } },
            @no_store);
    }

    if ($name eq 'checkout' && $req->{method} eq 'POST') {
        my $error = order_error($s, $f);

        if ($error) {
            return json_answer(200, {
                result => 'failure', refresh => JSON::PP::false,
                reload => JSON::PP::false,
                messages => '<ul class="woocommerce-error" role="alert"><li>'
                            . "$error</li></ul>" }, @no_store);
        }

        my $o = Demo::Shop::place($s, $f->{billing_email});

        return json_answer(200, {
            result => 'success', redirect => received_url($req, $o),
            order_id => $o->{id} + 0 }, Demo::Shop::cookies($s), @no_store);
    }

    return [ 400, [ 'Content-Type' => 'text/html; charset=UTF-8' ], '0' ];
}

sub store_api {
    my ($req, $s) = @_;
    my $base = Demo::Page::base($req);
    my $before = Demo::Shop::cart_hash($s);
    my $body = length $req->{body} ? eval { $json->decode($req->{body}) } : {};

    if (ref $body ne 'HASH') {
        return json_answer(400, { code => 'rest_invalid_json',
                                  message => 'Invalid JSON body passed.' });
    }

    my ($status, $answer);

    if ($req->{path} =~ m{/batch$}) {
        ($status, $answer) = (207, { responses => [] });

        for (@{$body->{requests} || []}) {
            my ($code, $data) = Demo::Shop::api($s, $base, $_->{method} || 'POST',
                                                $_->{path} || '', $_->{body});

            push @{$answer->{responses}},
                { status => $code, body => $data, headers => {} };
        }

    } elsif ($req->{path} =~ m{/checkout$} && $req->{method} eq 'POST') {
        ($status, $answer) = api_checkout($req, $s, $body);

    } else {
        ($status, $answer) = Demo::Shop::api($s, $base, $req->{method},
                                             $req->{path}, $body);
    }

    my $hash = Demo::Shop::cart_hash($s);

    return json_answer($status, $answer, 'Cache-Control' => 'no-store',
                       'Cart-Hash' => $hash, Nonce => $Demo::Shop::NONCE,
                       $hash ne $before ? Demo::Shop::cookies($s) : ());
}

sub api_checkout {
    my ($req, $s, $body) = @_;
    my $address = ref $body->{billing_address} eq 'HASH'
        ? $body->{billing_address} : {};
    my %f = map { ("billing_$_" => $address->{$_}) } keys %$address;
    my $error = order_error($s, \%f);

    if ($error) {
        return Demo::Shop::api_error(400, 'invalid_address', $error);
    }

    my $o = Demo::Shop::place($s, $f{billing_email});

    return (200, {
        order_id => $o->{id} + 0, status => 'processing',
        order_key => $o->{key}, order_number => "$o->{id}",
        customer_id => 0, billing_address => $address,
        payment_method => $body->{payment_method} || 'cod',
        payment_result => {
            payment_status => 'success',
            payment_details => [ { key => 'result', value => 'success' } ],
            redirect_url => received_url($req, $o),
        },
    });
}
