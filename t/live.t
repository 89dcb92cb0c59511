#!/usr/bin/perl

# What passed by a moment ago is known at once, without sender or catalogue:
# the popup names a product whose page was just seen.  A line nobody can name
# is left out, and then there is no total that would count it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;
my @json = (['Content-Type', 'application/json']);

my %line = (
    19 => { id => 19, key => 'a', quantity => 1, price => '10.00', name => '' },
    21 => { id => 21, key => 'b', quantity => 2, price => '5.00', name => '' },
    30 => { id => 30, key => 'c', quantity => 1, price => '7.00',
            name => 'Listed &amp; seen nowhere' },
);

$t->upstream(sub {
    my $r = shift;

    return { headers => \@json, body => Nudge::Woo::fragments(
        map { $line{$_} } $r->{body} =~ /product_id=21/ ? (19, 21)
            : $r->{body} =~ /product_id=(\d+)/) }
        if $r->{uri} =~ /wc-ajax=add_to_cart/;

    my ($id) = $r->{uri} =~ m{/product/(\d+)/};

    return { body => '<!DOCTYPE html><html><body class="home">x</body></html>' }
        unless $id;

    return { body => '<!DOCTYPE html><html><body class="single-product '
        . "postid-$id\"><script type=\"application/ld+json\">{\"\@type\":"
        . "\"Product\",\"name\":\"Mug $id\",\"image\":\"http://localhost/i/"
        . "$id.svg\",\"offers\":{\"price\":\"10.00\",\"priceCurrency\":\"EUR\""
        . ',"availability":"InStock"}}</script></body></html>' };
});

$t->run(server => 'nudge on; nudge_consent off;
    location / { proxy_pass %%UPSTREAM%%; }', campaign => <<'LUA');
shop { id = "live", url = "https://localhost", currency = "EUR" }
offer "leaving" { on = "exit_intent", kind = "popup", template = "cart",
                  cap = { 9, "1d" } }
LUA

my $b = $t->browser;

sub leave {
    return $b->xhr('POST', '/nudge/exit', [page => 'cart'], headers =>
        { Origin => 'http://localhost', 'X-Requested-With' => 'nudge' });
}

$b->get('/');
$b->get('/search/');
$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19, quantity => 1]);
is(leave()->{status}, 204, 'nothing of the cart can be named: no popup');

$b->get('/product/19/');
$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19, quantity => 1]);

my $r = leave();
is($r->{status}, 200, 'popup');
like($r->{body}, qr/Mug 19/, 'its name, from the page just seen');
like($r->{body}, qr{href="/product/19/"}, 'its page');
like($r->{body}, qr{src="/i/19.svg"}, 'its picture');
like($r->{body}, qr{nudge-total.*10\.00}s, 'the total');

$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 21, quantity => 2]);
$r = leave();
is(scalar(() = $r->{body} =~ /class="nudge-line"/g), 1,
    'a line nobody can name is left out');
unlike($r->{body}, qr/nudge-total/, 'and no total counts it');

$b->get('/product/21/');
$r = leave();
is(scalar(() = $r->{body} =~ /class="nudge-line"/g), 2, 'both, once seen');
like($r->{body}, qr{nudge-total.*20\.00}s, 'and their total');

# added from a list: the mini cart in the answer names it

my $c = $t->browser;
$c->get('/');
$c->get('/search/');
$c->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 30, quantity => 1]);
$b = $c;
$r = leave();
like($r->{body}, qr{href="/\?p=30">Listed &#x26; seen nowhere<}i,
    'name and page from the mini cart') or diag $r->{body};
like($r->{body}, qr{nudge-total.*7\.00}s, 'and the total');

$t->done;
