#!/usr/bin/perl

# The demo store speaks WooCommerce's wire formats, and the whole demo ends
# well: a shopper leaves with a full cart and gets one mail about it.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{NUDGE_BUILD} || "$root/build";
my $json = JSON::PP->new->utf8;
my $port = free_port();
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 10);
my %cookie;

my $store = fork;
defined $store or die "fork: $!";

if ($store == 0) {
    exec $^X, "$root/demo/store.pl", "127.0.0.1:$port";
    die "exec: $!";
}

END {
    kill 'TERM', $store if $store;
    waitpid $store, 0 if $store;
    $? = 0 if !defined $?;
}

for (1 .. 100) {
    last if IO::Socket::INET->new("127.0.0.1:$port");
    sleep 0.05;
}


# --- pages

my $r = request('GET', '/shop/');

is($r->{status}, 200, 'the shelves');
is(scalar(() = $r->{content} =~ /class="product type-product/g), 24,
   'twenty-four products');
is(scalar(() = $r->{content} =~ /class="badge">Sold out/g), 2, 'two sold out');
is($r->{headers}{'transfer-encoding'}, 'chunked', 'in pieces');
ok(!%cookie, 'no cookie before the first product in the cart');

for my $name ($r->{content} =~ m{src="(/img/[^"]+)"}g) {
    my $svg = request('GET', $name);

    if ($svg->{status} != 200 || $svg->{content} !~ m{^<svg .*</svg>\s*$}s) {
        fail("picture $name");
    }
}

$r = request('GET', '/product/the-blue-mug/');

like($r->{content}, qr/<body class="[^"]*\bsingle-product postid-21\b/,
     'body class');

my ($ld) = $r->{content} =~ m{<script type="application/ld\+json">(.*?)</script>};
my ($product) = grep { $_->{'@type'} eq 'Product' }
                @{$json->decode($ld)->{'@graph'}};

is($product->{offers}[0]{price}, '24.00', 'JSON-LD: price');
is($product->{offers}[0]{availability}, 'https://schema.org/InStock', 'stock');
ok(index($r->{content}, $ld) > 0.8 * length $r->{content}, 'in the footer');


# --- the cart, in its seven shapes

my $boundary = 'XyZ';

$r = request('POST', '/product/the-blue-mug/',
    "--$boundary\r\nContent-Disposition: form-data; name=\"quantity\"\r\n\r\n"
    . "2\r\n--$boundary\r\nContent-Disposition: form-data;"
    . " name=\"add-to-cart\"\r\n\r\n21\r\n--$boundary--\r\n",
    'Content-Type' => "multipart/form-data; boundary=$boundary");

is($r->{status}, 200, 'the form answers with the page');
like($r->{content}, qr/woocommerce-message/, 'and says so');
is($cookie{woocommerce_items_in_cart}, 1, 'items cookie');
ok($cookie{woocommerce_cart_hash}, 'cart hash cookie');
ok((grep { /^wp_woocommerce_session_/ } keys %cookie), 'session cookie');

$r = form('/?wc-ajax=add_to_cart', product_id => 39, quantity => 1);

my $answer = $json->decode($r->{content});

like($answer->{fragments}{'div.widget_shopping_cart_content'},
     qr/data-product_id="39" data-cart_item_key="[0-9a-f]{32}"/, 'fragments');
is($answer->{cart_hash}, $cookie{woocommerce_cart_hash}, 'cart hash');

for my $t ([ 27, 'sold out' ], [ 999, 'unknown' ]) {
    $r = form('/?wc-ajax=add_to_cart', product_id => $t->[0]);

    is($r->{status}, 200, "$t->[1]: 200");
    ok($json->decode($r->{content})->{error}, "$t->[1]: error");
}

my $before = $cookie{woocommerce_cart_hash};

$r = request('GET', '/shop/?add-to-cart=22');
is($r->{status}, 200, 'the plain link');
isnt($cookie{woocommerce_cart_hash}, $before, 'changes the cart');

$r = api('GET', 'cart');
is(scalar @{$answer->{items}}, 3, 'Store API: three lines');
is($answer->{items}[0]{prices}{price}, '2400', 'minor units');
is($answer->{items}[0]{quantity}, 2, 'two mugs');

my @key = map { $_->{key} } @{$answer->{items}};

api('POST', 'cart/update-item', { key => $key[0], quantity => 3 });
is($answer->{items}[0]{quantity}, 3, 'update-item');

api('POST', 'batch', { requests => [
    { path => '/wc/store/v1/cart/remove-item', method => 'POST',
      body => { key => $key[2] } },
    { path => '/wc/store/v1/cart/add-item', method => 'POST',
      body => { id => 27 } } ] });

is($r->{status}, 207, 'batch: 207');
is($answer->{responses}[0]{status}, 200, 'the first succeeds');
is($answer->{responses}[1]{status}, 400, 'the second fails inside');

$r = form('/cart/', "cart[$key[0]][qty]" => 1, update_cart => 'Update cart',
          'woocommerce-cart-nonce' => 'x');
is($r->{status}, 200, 'quantity in the classic cart');
api('GET', 'cart');
is($answer->{items_count}, 2, 'is taken');

$r = request('GET', "/cart/?remove_item=$key[1]&_wpnonce=x");
is($r->{status}, 302, 'remove link');
like($r->{headers}{location}, qr/removed_item=1/, 'says so');


# --- orders

$r = request('GET', '/checkout/');
like($r->{content}, qr/<body class="[^"]*woocommerce-checkout/, 'checkout');
like($r->{content}, qr/name="newsletter"/, 'a news box');
unlike($r->{content}, qr/name="newsletter"[^>]*checked/, 'not ticked');

$r = form('/?wc-ajax=checkout', billing_email => 'nobody');
is($r->{status}, 200, 'a refused order: 200');
is($json->decode($r->{content})->{result}, 'failure', 'failure');

my %address = (billing_email => 'a@shop.example', billing_first_name => 'A',
               billing_last_name => 'B', billing_address_1 => 'C 1',
               billing_postcode => '11001', billing_city => 'D');

$r = form('/?wc-ajax=checkout', %address);
$answer = $json->decode($r->{content});
is($answer->{result}, 'success', 'an order');
ok(!$cookie{woocommerce_cart_hash}, 'takes the cart cookie away');

(my $path = $answer->{redirect}) =~ s{^http://[^/]+}{};

$r = request('GET', $path);
like($r->{content}, qr/woocommerce-order-received/, 'thank you');
like($r->{content}, qr/overview__order order">Order number: <strong>$answer->{order_id}</,
     'with its number');
is(request('GET', "/checkout/order-received/$answer->{order_id}/?key=x")->{status},
   404, 'not for others');

request('GET', '/?add-to-cart=44');
$r = form('/checkout/', %address, billing_postcode => '00000');
is($r->{status}, 200, 'without a script: refused');
$r = form('/checkout/', %address);
is($r->{status}, 302, 'without a script: ordered');
like($r->{headers}{location}, qr{/order-received/\d+/\?key=wc_order_}, 'location');

request('GET', '/?add-to-cart=44');
api('POST', 'checkout', { billing_address => {
    map { /^billing_(.*)/ ? ($1 => $address{$_}) : () } keys %address } });
is($answer->{payment_result}{payment_status}, 'success', 'Store API: ordered');

form('/consent/', choice => 'all', back => '//evil.example/');
like($cookie{CookieConsent}, qr/marketing%3Atrue/, 'the consent bar');
is($r->{headers}{location}, '/', 'leads nowhere else');


# --- all of it

SKIP: {
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

    for ("$build/ngx_http_nudge_module.so", "$build/nudge", $nginx) {
        skip "no $_", 4 if !-e $_;
    }

    skip 'no memcached', 4 if system('memcached -V >/dev/null 2>&1');

    local $ENV{NUDGE_DEMO_DIR} = tempdir(CLEANUP => 1) . '/demo';
    local $ENV{NUDGE_BUILD} = $build;
    local $ENV{NGINX} = $nginx;

    my $out = `$^X $root/demo/run --once 2>&1`;

    is($?, 0, 'the demo ends well') or diag($out);
    like($out, qr/carries a banner/, 'a banner');
    like($out, qr/<dialog class="nudge-popup".*The Blue Mug.*<\/dialog>/s,
         'a popup with the cart');
    like($out, qr/Subject: Your cart.*2 x The Blue Mug/s, 'and the mail');
}

done_testing();


sub request {
    my ($method, $path, $body, %header) = @_;

    $header{Cookie} = join '; ', map { "$_=$cookie{$_}" } sort keys %cookie
        if %cookie;

    $r = $http->request($method, "http://127.0.0.1:$port$path", {
        headers => \%header, defined $body ? (content => $body) : () });

    my $set = $r->{headers}{'set-cookie'};

    for (ref $set ? @$set : defined $set ? $set : ()) {
        my ($name, $value) = /^([^=]+)=([^;]*)/;

        if (/Max-Age=0/) {
            delete $cookie{$name};

        } else {
            $cookie{$name} = $value;
        }
    }

    return $r;
}

sub form {
    my ($path, %field) = @_;

    return request('POST', $path, $http->www_form_urlencode(\%field),
                   'Content-Type' => 'application/x-www-form-urlencoded');
}

sub api {
    my ($method, $path, $data) = @_;

    request($method, "/wp-json/wc/store/v1/$path",
            $data ? $json->encode($data) : undef,
            $data ? ('Content-Type' => 'application/json') : ());
    $answer = $json->decode($r->{content});

    return $r;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    return $s->sockport;
}
