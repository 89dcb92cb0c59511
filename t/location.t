#!/usr/bin/perl

# Where an answer leads tells what it was: a cart line removed, an order placed
# without a script.  Location is seen as the store sent it, absolute, relative
# or rewritten by proxy_redirect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;

$t->upstream(sub {
    my $r = shift;

    return { body => '<!DOCTYPE html><html><body>x</body></html>' }
        if $r->{method} eq 'GET' && $r->{uri} !~ /remove_item/;

    return { body => Nudge::Woo::fragments({ id => 19, key => '1f0e',
                 quantity => 2, price => '12.50' }), headers =>
             [['Content-Type', 'application/json; charset=UTF-8'],
              ['Set-Cookie', 'woocommerce_cart_hash=abc; path=/']] }
        if $r->{uri} =~ /wc-ajax/;

    my ($to) = $r->{headers}{'x-to'} // '/';

    return { status => 302, headers => [['Location', $to]] };
});

$t->run(servers => '
    server { listen 127.0.0.1:%%PORT_HTTP%%; server_name localhost;
        nudge on; nudge_consent off;
        location / { proxy_pass %%UPSTREAM%%; }
        location /plain/ { proxy_pass %%UPSTREAM%%/; proxy_redirect off; }
    }');

my $upstream = 'http://127.0.0.1:' . $t->port('upstream');
my $order = 100;

for my $case ([ '/checkout/order-received/%d/?key=wc_order_a', 'a path' ],
              [ 'https://shop.example/checkout/order-received/%d/'
                . '?key=wc_order_a', 'another host' ],
              [ "$upstream/checkout/order-received/%d/?key=wc_order_a",
                'rewritten by nginx' ])
{
    for my $path ('/checkout/', '/plain/checkout/') {
        my $b = $t->browser;
        my $to = sprintf $case->[0], ++$order;

        $b->get('/');
        my $r = $b->submit($path, [ billing_email => 'jane@example.com',
            'woocommerce-process-checkout-nonce' => 'x' ],
            headers => { 'X-To' => $to });
        is($r->{status}, 302, "$case->[1], $path: answer");

        my @p = $t->events(e => 'purchase');
        is(@p ? $p[-1]{order} : undef, $order, 'is an order');
    }
}

my $b = $t->browser;

$b->get('/');
$b->xhr('POST', '/?wc-ajax=add_to_cart', [ product_id => 19, quantity => 2 ]);
$b->get('/cart/?remove_item=1f0e&_wpnonce=1',
    headers => { 'X-To' => 'http://localhost/cart/?removed_item=1' });

my @e = $t->events(e => 'remove_from_cart');
is(scalar @e, 1, 'a line is removed');
is($e[0]{items}[0]{id}, '19', 'its product');
is($e[0]{items}[0]{quantity}, 2, 'all of it');

$t->done;
