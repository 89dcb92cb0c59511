#!/usr/bin/perl

# An order wins every race: order_attempt is in the journal before the store
# is asked, its outcome before the shopper reads it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;
my @json = (['Content-Type', 'application/json; charset=UTF-8']);

$t->upstream(sub {
    my $r = shift;

    # what the journal holds at the moment the store is asked
    if ($r->{uri} =~ /checkout/ && $r->{method} eq 'POST') {
        my @e = $t->events(e => 'order_attempt');
        $t->write('seen.' . @e, join ',', map { $_->{email} // '-' } @e);
    }

    if ($r->{uri} =~ /wc-ajax=checkout/) {
        return { headers => \@json, body =>
            '{"result":"failure","messages":"<ul>no</ul>"}' }
            if $r->{body} =~ /fail/;
        return { status => 502, body => 'no' } if $r->{body} =~ /broken/;
        return { headers => \@json, body => '{"result":"success","redirect":'
            . '"http:\/\/localhost\/checkout\/order-received\/64\/?key=k",'
            . '"order_id":64}' };
    }

    if ($r->{uri} =~ m{/wp-json/wc/store/v1/checkout}) {
        return { headers => \@json, body => '{"order_id":63,"status":'
            . '"processing","order_key":"wc_order_k","payment_result":'
            . '{"payment_status":"success","redirect_url":""},'
            . '"billing_address":{"email":"jane@example.com"}}' };
    }

    return { body => '<!DOCTYPE html><html><body class="woocommerce-checkout '
        . 'woocommerce-order-received">thanks</body></html>' }
        if $r->{uri} =~ /order-received/;

    return { body => '<!DOCTYPE html><html><body>x</body></html>' };
});

$t->run(server => '
    nudge on;
    nudge_consent off;
    location / { proxy_pass %%UPSTREAM%%; }
');

my $b = $t->browser;
$b->get('/');

# classic checkout

my $r = $b->xhr('POST', '/?wc-ajax=checkout', [
    billing_first_name => 'Jane', billing_email => 'jane@example.com',
    payment_method => 'cod', account_password => 'CANARY-password' ]);
is($r->{status}, 200, 'classic checkout');

my @a = $t->events(e => 'order_attempt');
ok(scalar @a, 'order_attempt');
is($t->read('seen.' . @a), join(',', map { $_->{email} // '-' } @a),
    'all of it was written before the store was asked');
is($a[-1]{email}, 'jane@example.com', 'with the address of the form');
is($a[0]{attempt}, $a[-1]{attempt}, 'one attempt');

my @p = $t->events(e => 'purchase');
is(scalar @p, 1, 'purchase');
is($p[0]{order}, '64', 'its number');
is($p[0]{attempt}, $a[0]{attempt}, 'resolves the attempt');
is($p[0]{email}, 'jane@example.com', 'its address');

# Store API

$b->xhr('POST', '/wp-json/wc/store/v1/checkout?_locale=site',
    '{"billing_address":{"email":"jane@example.com"},"payment_method":"cod",'
    . '"customer_password":"CANARY-password"}');
@p = $t->events(e => 'purchase');
is($p[1]{order}, '63', 'purchase through the Store API');

# failure, and an answer that leaves everything open

$b->xhr('POST', '/?wc-ajax=checkout', [ billing_email => 'fail@example.com' ]);
my @f = $t->events(e => 'order_failed');
is(scalar @f, 1, 'a refused order has failed');
is($f[0]{attempt}, ($t->events(e => 'order_attempt'))[-1]{attempt},
    'which resolves its attempt');

$b->xhr('POST', '/?wc-ajax=checkout', [ billing_email => 'broken@example.com' ]);
is(scalar(() = $t->events(e => 'order_failed')), 1,
    'a bad gateway says nothing about the order');
is(scalar(() = $t->events(e => 'purchase')), 2, 'neither way');

# the thank-you page names the order again; it counts once, downstream

$b->get('/checkout/order-received/64/?key=wc_order_CANARYkey');
@p = $t->events(e => 'purchase');
is($p[-1]{order}, '64', 'thank-you page');

# a browser that denied everything still buys

my $d = $t->browser;
$d->xhr('POST', '/?wc-ajax=checkout', [ billing_email => 'anon@example.com' ],
    headers => { 'Sec-GPC' => '1' });
@p = $t->events(e => 'purchase');
is($p[-1]{order}, '64', 'an order without a visitor');

my $all = join '', map { $t->read($_) } glob $t->dir . '/state/journal/*';
unlike($all, qr/CANARY/, 'no password and no key in the journal');

$t->done;
