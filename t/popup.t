#!/usr/bin/perl

# The exit-intent popup: the visitor's own cart of this instant, and when it
# is not shown.

use strict;
use warnings;
use utf8;

use Encode qw(encode_utf8);
use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use lib "$FindBin::Bin/lib";
use Nudge;

my %kind = (
    '/' => 'home', '/cart/' => 'woocommerce-cart',
    '/checkout/' => 'woocommerce-checkout',
    '/checkout/order-pay/7/' => 'woocommerce-checkout woocommerce-order-pay',
    '/checkout/order-received/7/' =>
        'woocommerce-checkout woocommerce-order-received',
    '/product/mug/' => 'single-product postid-19',
);

my $HOSTILE = "\"><script>alert('x')</script>\r\nSet-Cookie: a=b \x{17c}";

# the cart after POST .../add-item is what X-Cart says: "19=2,23=1"

sub store {
    my $q = shift;
    (my $path = $q->{uri}) =~ s/\?.*//;

    return { body => "<!DOCTYPE html><html><body class=\""
        . ($kind{$path} // 'page') . "\"><p>$path</p></body></html>" }
        if $q->{method} ne 'POST';

    my @items = map {
        my ($id, $n) = split /=/;
        { key => "key$id", id => $id + 0, quantity => $n + 0,
          name => $id == 66 ? $HOSTILE : "Mug $id",
          permalink => $id == 66 ? 'https://evil.example/"onclick='
              : "http://localhost/product/$id/",
          images => [{ src => $id == 66 ? 'javascript:alert(1)'
              : "http://localhost/img/$id.svg" }],
          prices => { price => '1250', currency_minor_unit => 2,
                      currency_code => 'EUR' } }
    } split /,/, $q->{headers}{'x-cart'} // '';

    return { headers => [['Content-Type', 'application/json']],
             body => JSON::PP->new->utf8->encode({ items => \@items }) };
}

my $campaign = <<'LUA';
shop { id = "test", name = "Test", url = "https://localhost",
       currency = "EUR", from = "Test <a@localhost.example>",
       postal_address = "1 High Street" }
offer "leaving" { on = "exit_intent", kind = "popup", template = "cart",
                  when = { cart_min = 20 }, cap = { 1, "1d" },
                  coupon = "COMEBACK" }
LUA

my $server = 'nudge on; nudge_preset woocommerce; nudge_timeout 300ms;'
    . ' location / { proxy_pass %%UPSTREAM%%; }';

my $t = Nudge->new;

$t->upstream(\&store);
$t->run(http => 'nudge_consent session;', campaign => $campaign,
    server => $server);

sub add {
    my ($b, $cart) = @_;
    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item',
        '{"id":19,"quantity":1}', headers => { 'X-Cart' => $cart });
}

sub leave {
    my ($b, $page) = @_;
    return $b->xhr('POST', '/nudge/exit', { page => $page // 'cart' },
        headers => { 'X-Requested-With' => 'nudge' });
}

sub counted { return $t->status->{counters}{ $_[0] } }

my $script = qr{<script src="/nudge/nudge\.js\?v=[0-9a-f]+" defer};

# the first page of a visit has no overlay, and its exit gets none

my $b = $t->browser;
my $r = $b->get('/');

unlike($r->{body}, $script, 'first page: no script');
ok($b->cookie('nudge') || keys %{ $b->{cookies} }, 'first page: cookie');
is(leave($b)->{status}, 204, 'first page: no popup');

# the script may be needed although the cart is empty: it fills on the page

$r = $b->get('/product/mug/');
like($r->{body}, qr{$script data-page="product"></script></body></html>$},
    'second page: script at the end');
like($r->{body}, qr{<link rel="stylesheet" href="/nudge/nudge\.css\?v=},
    'second page: style');
unlike($r->{body}, qr/<dialog/, 'second page: popup only when asked for');
is(Nudge::header($r, 'Cache-Control'), 'private, no-cache', 'private');

is(leave($b)->{status}, 204, 'empty cart');

# below what the offer asks for

is(add($b, '19=1')->{status}, 200, 'added');
is(leave($b)->{status}, 204, 'cart below the minimum');

add($b, '19=2,23=1');

# not on pages where somebody pays or has paid

for ('/checkout/order-pay/7/', '/checkout/order-received/7/') {
    unlike($b->get($_)->{body}, qr/nudge/, "no script: $_");
}

is(leave($b, 'payment')->{status}, 204, 'not on a payment page');
is(leave($b, 'thankyou')->{status}, 204, 'not on a thank-you page');

# nor for others

is($t->browser->xhr('POST', '/nudge/exit', { page => 'cart' })->{status}, 204,
    'somebody without a cookie');
my $forger = $t->browser;
$forger->set_cookie($_ => "1.$b->{cookies}{$_}") for keys %{ $b->{cookies} };
is(leave($forger)->{status}, 204, 'a forged cookie');

# now

$r = leave($b);
is($r->{status}, 200, 'popup');
like(Nudge::header($r, 'Content-Type'), qr{^text/html}, 'popup: type');
is(Nudge::header($r, 'Cache-Control'), 'no-store', 'popup: not kept');
ok(!defined Nudge::header($r, 'Set-Cookie'), 'popup: no cookie');
like($r->{body}, qr/^\s*<dialog class="nudge-popup" data-nudge-offer="leaving"/,
    'popup: a dialog');
like($r->{body}, qr/Mug 19.*Mug 23/s, 'popup: what is in the cart');
like($r->{body}, qr{href="/product/19/"}, 'popup: a link');
like($r->{body}, qr{src="/img/19\.svg"}, 'popup: a picture');
like($r->{body}, qr/37[.,]50/, 'popup: the total');
like($r->{body}, qr/COMEBACK/, 'popup: the coupon');
like($r->{body}, qr/action="\/nudge\/subscribe"/, 'popup: the form');
like($r->{body}, qr/name="offer" value="leaving"/, 'popup: names the offer');
unlike($r->{body}, qr/[^\x00-\x7f]/, 'popup: ASCII');
unlike($r->{body}, qr/<script|\son\w+=|\sstyle=/, 'popup: nothing inline');

my ($ev) = $t->wait_events(1, e => 'offer_view');
is($ev->{offer}, 'leaving', 'event: offer');
is($ev->{page}, 'cart', 'event: page');
like($ev->{visitor}, qr/^[0-9a-f]{32}$/, 'event: visitor');
cmp_ok(scalar $t->events(e => 'exit_intent'), '>=', 4, 'event: exits');
ok(!(grep { !$_->{visitor} } $t->events(e => 'exit_intent')),
    'event: none of a forger');

is(leave($b)->{status}, 204, 'the cap is spent');
is(counted('skipped_cap'), 1, 'and counted');
unlike($b->get('/cart/')->{body}, $script, 'the script is not needed now');
is(counted('offers_shown'), 1, 'shown: counted once');

# hostile product data

my $c = $t->browser;
$c->get('/');
add($c, '66=3');
$c->get('/cart/');
$r = leave($c);
is($r->{status}, 200, 'hostile: popup');
unlike($r->{body}, qr/<script|javascript:|evil\.example/i, 'hostile: no markup');
unlike($r->{raw}, qr/^Set-Cookie/m, 'hostile: no header');
unlike($r->{body}, qr/[^\x00-\x7f]/, 'hostile: ASCII');
like($r->{body}, qr/&#(?:x17c|380);/i, 'hostile: other characters arrive');

# a prefetched page costs nothing

my $d = $t->browser;
$d->get('/');
add($d, '19=9');
$r = $d->get('/cart/', headers => { 'Sec-Purpose' => 'prefetch' });
like($r->{body}, $script, 'prefetch: carries the script');
$d->get('/cart/');
is(leave($d)->{status}, 200, 'prefetch: the cap is not spent');

# the address is in the form: from then on nobody asks again

my $e = $t->browser;
$e->get('/');
add($e, '19=9');
$e->get('/cart/');
is($e->xhr('POST', '/nudge/subscribe', { email => 'ann@localhost.example',
    offer => 'leaving', website => '' },
    headers => { 'X-Requested-With' => 'nudge' })->{status}, 200, 'subscribed');
is(leave($e)->{status}, 204, 'and not asked again');
($ev) = $t->wait_events(1, e => 'subscribe');
ok($ev->{visitor}, 'subscribed: known which visitor');

# closing is noted

is($e->xhr('POST', '/nudge/close', { offer => 'leaving' })->{status}, 204,
    'closed');
($ev) = $t->wait_events(1, e => 'offer_close');
is($ev->{offer}, 'leaving', 'closed: event');

# while a consent banner is open there is no second thing in the way

my $f = $t->browser;
$f->get('/');
add($f, '19=9');
$f->set_cookie(CookieConsent => '0');
unlike($f->get('/cart/')->{body}, $script, 'consent banner open: no script');
is(leave($f)->{status}, 204, 'consent banner open: no popup');
$f->set_cookie(CookieConsent =>
    "{stamp:'x'%2Cnecessary:true%2Cmarketing:true%2Cmethod:'explicit'}");
like($f->get('/cart/')->{body}, $script, 'answered: script');
is(leave($f)->{status}, 200, 'answered: popup');

# refused: nothing

my $g = $t->browser;
$g->set_cookie(CookieConsent =>
    "{stamp:'x'%2Cnecessary:true%2Cmarketing:false%2Cmethod:'explicit'}");
$g->get('/') for 1 .. 3;
unlike($g->get('/cart/')->{body}, qr/nudge/, 'refused: nothing');
is(leave($g)->{status}, 204, 'refused: no popup');

cmp_ok(counted('skipped_condition'), '>=', 2, 'status: conditions');
cmp_ok(counted('skipped_consent'), '>=', 2, 'status: consent');

# two hosts and one memcached: the one that is asked does not know the cart,
# waits for it and shows it; when memcached hangs it waits no longer than it may

SKIP: {
    `memcached -V 2>/dev/null` =~ /memcached/ or skip 'no memcached', 7;

    my $mc = Nudge->new;
    my $server_mc = $mc->memcached;
    my @hosts;

    for my $i (0, 1) {
        my $h = $hosts[$i] = Nudge->new;
        $h->write('keys', 'ab' x 32 . "\n");
        chmod 0600, $h->dir . '/keys';
        $h->upstream(\&store);
        $h->run(http => 'nudge_consent session; nudge_key %%DIR%%/keys;',
            memcached => $server_mc, campaign => $campaign,
            server => $server);
    }

    my $h = $hosts[0]->browser;
    $h->get('/');
    $h->get('/');
    add($h, '19=2,23=1');

    $h->{port} = $hosts[1]->port('http');
    my $got = leave($h);
    is($got->{status}, 200, 'other host: popup');
    like($got->{body}, qr/Mug 19.*Mug 23/s, 'other host: the cart');
    cmp_ok($hosts[1]->status->{counters}{waited}, '>=', 1,
        'other host: had to ask');

    my $i = $hosts[0]->browser;
    $i->get('/');
    $i->get('/');
    add($i, '19=2,23=1');

    kill 'STOP', $mc->{pids}{memcached};
    $i->{port} = $hosts[1]->port('http');
    my $before = time;
    is(leave($i)->{status}, 204, 'memcached hangs: no popup');
    cmp_ok(time - $before, '<', 2, 'memcached hangs: not for long');
    cmp_ok($hosts[1]->status->{counters}{skipped_unknown}, '>=', 1,
        'memcached hangs: counted');
    kill 'CONT', $mc->{pids}{memcached};

    $_->stop for @hosts;
    is(join("\n", map { $_->complaints } @hosts), '', 'other hosts: quiet');
}

$t->done;
