#!/usr/bin/perl

# Storefront traffic becomes events: views, products from structured data, the
# cart by its requests, and nothing at all from a visitor who said no.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;

my $ld = '{"@context":"https://schema.org/","@graph":[{"@type":'
    . '"BreadcrumbList"},{"@type":"Product","name":"Blue Mug","sku":"mug-1",'
    . '"image":"http://localhost/img/mug.svg","offers":[{"@type":"Offer",'
    . '"price":"12.50","priceCurrency":"EUR",'
    . '"availability":"https://schema.org/InStock"}]}]}';

my %page = (
    '/' => '<!DOCTYPE html><html><body class="home">hello</body></html>',
    '/product/blue-mug/' => '<!DOCTYPE html><html><body class="single-product '
        . 'postid-19">mug<script type="application/ld+json">' . $ld
        . '</script></body></html>',
    '/fragment' => '<li>no document</li>',
);

my $fragments = Nudge::Woo::fragments({ id => 19, key => '1f0e',
    sku => 'mug-1', quantity => 2, price => '12.50' });

$t->upstream(sub {
    my $r = shift;
    my ($path) = $r->{uri} =~ /^([^?]*)/;

    if ($r->{uri} =~ /wc-ajax=add_to_cart/) {
        return { body => '{"error":true,"product_url":false}', headers =>
            [['Content-Type', 'application/json; charset=UTF-8']] }
            if $r->{body} =~ /999999/;
        return { body => $fragments, headers =>
            [['Content-Type', 'application/json; charset=UTF-8'],
             ['Set-Cookie', 'woocommerce_cart_hash=abc; path=/']] };
    }

    return { status => 404, body => 'no' } unless $page{$path};
    return { body => $page{$path} };
});

$t->run(server => '
    nudge on;
    nudge_consent off;
    location / { proxy_pass %%UPSTREAM%%; }
    location /off/ { nudge off; proxy_pass %%UPSTREAM%%/; }
');

my $b = $t->browser;

# a view

my $r = $b->get('/');
is($r->{status}, 200, 'page');
is($r->{body}, $page{'/'}, 'page is untouched');
ok($b->cookie('nudge'), 'identity cookie');
like(scalar Nudge::header($r, 'Cache-Control'), qr/private/,
    'a response with our cookie is private');

my $cookie = $b->cookie('nudge');
$r = $b->get('/product/blue-mug/');
is($b->cookie('nudge'), $cookie, 'the cookie is not set again');
is($r->{body}, $page{'/product/blue-mug/'}, 'product page is untouched');

my @e = $t->wait_events(3);
is_deeply([map { $_->{e} } @e], ['page_view', 'page_view', 'view_item'],
    'views');
is($e[0]{visitor}, $e[1]{visitor}, 'the same visitor');

my $item = $e[2]{items}[0];
is($item->{id}, '19', 'the id the cart will use');
is($item->{sku}, 'mug-1', 'sku');
is($item->{name}, 'Blue Mug', 'name');
is($item->{price}, 12.5, 'price');
is($item->{stock}, 'in', 'availability');
is($item->{image}, '/img/mug.svg', 'image');

# the same page again: its structured data is known

$b->get('/product/blue-mug/');
@e = $t->wait_events(5);
is($e[4]{items}[0]{id}, '19', 'known product by its id');
ok(!exists $e[4]{items}[0]{name}, 'and not described again');

# what is not a view

$b->xhr('GET', '/fragment');
$b->get('/nowhere');
$t->browser(ua => 'Mozilla/5.0 (compatible; Examplebot/2.1)')->get('/');
$b->get('/off/');

# cart

$b->xhr('POST', '/?wc-ajax=add_to_cart',
    [product_id => 19, quantity => 2, product_sku => 'mug-1']);
@e = $t->events(e => 'add_to_cart');
is(scalar @e, 1, 'add_to_cart is written before the response ends');
is($e[0]{items}[0]{id}, '19', 'product');
is($e[0]{items}[0]{quantity}, 2, 'quantity');
isnt($b->cookie('nudge'), $cookie, 'the session version in the cookie rose');

$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 999999]);
is(scalar $t->events(e => 'add_to_cart'), 1, 'a refusal adds nothing');

sleep 1;
is(scalar(() = $t->events(e => 'page_view')), 3,
    'XHR, 404, bots and switched off locations are no views');

# global privacy control, without an answer to a consent banner

my $gpc = $t->browser;
$t->stop_nginx;
$t->{conf}{server} =~ s/consent off/consent auto/;
$t->write_conf;
$t->start_nginx;

my $n = $t->events;
$r = $gpc->get('/', headers => { 'Sec-GPC' => '1' });
is($r->{body}, $page{'/'}, 'page under Sec-GPC');
is_deeply([Nudge::header($r, 'Set-Cookie')], [], 'no cookie');
sleep 1;
is(scalar(() = $t->events), $n, 'no event');

$t->done;
