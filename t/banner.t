#!/usr/bin/perl

# The banner: products of the mapped catalogue, with the prices and stock that
# passed by since, and nothing where there is nothing to show.

use strict;
use warnings;
use utf8;

use FindBin;
use JSON::PP ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Nudge;
use Nudge::Catalogue;

my %kind = ('/cart/' => 'woocommerce-cart', '/koszyk/' => 'woocommerce-cart',
    '/checkout/' => 'woocommerce-checkout',
    '/zaplac/' => 'woocommerce-checkout woocommerce-order-pay');

sub store {
    my $q = shift;
    my ($path, $args) = split /\?/, $q->{uri}, 2;

    if ($q->{method} eq 'POST') {
        my @items = map {
            { key => "key$_", id => $_ + 0, quantity => 1, name => "Mug $_",
              prices => { price => '1250', currency_minor_unit => 2,
                          currency_code => 'EUR' } }
        } split /,/, $q->{headers}{'x-cart'} // '';

        return { headers => [['Content-Type', 'application/json']],
                 body => JSON::PP::encode_json({ items => \@items }) };
    }

    my ($id) = $path =~ m{^/product/(\d+)/};
    my $class = $id ? "single-product postid-$id" : $kind{$path} // 'home';
    my $data = '';

    if ($id && $args) {
        my ($price, $stock) = split /,/, $args;
        $data = '<script type="application/ld+json">'
            . JSON::PP->new->canonical->encode({ '@type' => 'Product',
                '@context' => 'https://schema.org', name => "Mug $id",
                sku => $id, offers => { '@type' => 'Offer',
                price => $price, priceCurrency => 'EUR',
                availability => "https://schema.org/$stock" } })
            . '</script>';
    }

    return { status => 304, headers => [['ETag', '"x"']] }
        if ($q->{headers}{'if-none-match'} // '') eq '"x"';

    return { headers => [['ETag', '"x"']],
        body => "<!DOCTYPE html><html><body class=\"$class\"><p>$path</p>"
            . "$data</body></html>" };
}

my $t = Nudge->new;

$t->upstream(\&store);
$t->run(http => 'nudge_consent off;', campaign => <<'LUA',
shop { id = "test", name = "Test", currency = "EUR" }
offer "goes-with-it" { on = { "cart", "checkout" }, kind = "banner",
                       template = "banner", recommend = "popular", count = 3 }
LUA
    server => 'nudge on; nudge_preset woocommerce;'
        . ' location / { proxy_pass %%UPSTREAM%%; }');

sub product {
    my ($id, %o) = @_;
    return { id => $id, name => "Mug $id", url => "/product/$id/",
        image => "/img/$id.svg", price => 10_000 + $id, currency => 'EUR',
        stock => 'in', popularity => 1000 - $id, %o };
}

sub shown {
    my ($r) = @_;
    return join ' ', $r->{body} =~ m{href="/product/(\d+)/"}g;
}

my $b = $t->browser;
my $r;

# no catalogue yet

$r = $b->get('/cart/');
is($r->{body}, '<!DOCTYPE html><html><body class="woocommerce-cart">'
    . '<p>/cart/</p></body></html>', 'no catalogue: the page is the store\'s');
is($t->status->{counters}{skipped_empty}, 1, 'no catalogue: counted');

# and then there is one

Nudge::Catalogue::publish($t, 'test', 1, map { product($_) } 1 .. 8);

ok($t->wait_for(sub { shown($b->get('/cart/')) }, 5), 'catalogue found');

$r = $b->get('/cart/');
my $piece = '</p><link rel="stylesheet" href="[^"]+"><aside class="nudge-banner"'
    . ' data-nudge-offer="goes-with-it"[^>]*>.*</aside>\s*</body></html>$';
like($r->{body}, qr{$piece}s, 'banner: before the end of the body');
is(shown($r), '1 2 3', 'banner: the most popular');
like($r->{body}, qr{src="/img/1\.svg"}, 'banner: picture');
like($r->{body}, qr{10[.,]00}, 'banner: price');
unlike($r->{body}, qr{nudge\.js}, 'banner: needs no script');
unlike($r->{body}, qr/[^\x00-\x7f]/, 'banner: ASCII');
ok(!defined Nudge::header($r, 'ETag'), 'banner: no validator');

my ($ev) = $t->wait_events(1, e => 'offer_view');
is("$ev->{offer} $ev->{page}", 'goes-with-it cart', 'banner: event');

is(shown($b->get('/checkout/')), '1 2 3', 'checkout');
is($b->get('/')->{body}, '<!DOCTYPE html><html><body class="home"><p>/</p>'
    . '</body></html>', 'home page: untouched');
is(Nudge::header($b->get('/'), 'ETag'), '"x"', 'home page: validator');
is($b->get('/', headers => { 'If-None-Match' => '"x"' })->{status}, 304,
    'home page: 304 stays possible') or diag('conditions were dropped');

# not what is in the cart

$b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item', '{"id":2,"quantity":1}',
    headers => { 'X-Cart' => '2' });
is(shown($b->get('/cart/')), '1 3 4', 'not what is in the cart');

# what passes by wins

$b->get('/product/1/?7.77,InStock');
ok($t->wait_for(sub { $b->get('/cart/')->{body} =~ /7[.,]77/ }),
    'live price wins');
$b->get('/product/3/?10,OutOfStock');
ok($t->wait_for(sub { shown($b->get('/cart/')) eq '1 4 5' }),
    'live stock wins');

# a page known by its body class alone

my $c = $t->browser;
is(shown($c->get('/koszyk/')), '', 'translated path: not known at first');
is(shown($c->get('/koszyk/')), '1 2 4', 'translated path: then it is');
$c->get('/zaplac/') for 1 .. 2;
unlike($c->get('/zaplac/')->{body}, qr/nudge/, 'never on a payment page');

# a newer generation

Nudge::Catalogue::publish($t, 'test', 2, product(30), product(31),
    product(32, stock => 'out', popularity => 9999),
    product(33, image => 'javascript:alert(1)', popularity => 9998),
    product(34, url => '//evil.example/', popularity => 9997),
    product(35, name => "</a><script>x</script>\" \x{17c}\x{1f600}",
        popularity => 9996));

ok($t->wait_for(sub { shown($b->get('/cart/')) =~ /30/ }, 5), 'newer one found');
$r = $b->get('/cart/');
unlike($r->{body}, qr/evil\.example|javascript:|<script/, 'hostile: harmless');
unlike($r->{body}, qr/[^\x00-\x7f]/, 'hostile: ASCII');
like($r->{body}, qr/&#(?:x1f600|128512);/i, 'hostile: characters arrive');
unlike(shown($r), qr/32/, 'not what is sold out');
is($t->status->{shops}[0]{catalogue}{generation}, 2, 'status: generation');

# a file that is none leaves what is there

my $good = $t->read('state/catalogue/test.0000000002');
substr $good, 200, 1, chr(ord(substr $good, 200, 1) ^ 1);
$t->write('state/catalogue/test.0000000003', $good);
$t->write('state/catalogue/test.0000000004.tmp', 'x');
$t->write('state/catalogue/other.0000000009', 'x');
ok($t->wait_for(sub { $b->get('/cart/');
    ($t->read('error.log') // '') =~ /catalogue of "test"/ }, 5),
    'damaged one is reported');
like(shown($b->get('/cart/')), qr/30/, 'and not used');

$t->done;
