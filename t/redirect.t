#!/usr/bin/perl

# Internal redirects wipe a request's contexts: try_files to FastCGI, a named
# location, error_page and index all end in a view of the address asked for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::FastCGI;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;
my $page = '<!DOCTYPE html><html><body class="single-product postid-7">'
    . '<script type="application/ld+json">{"@type":"Product","name":"Bowl",'
    . '"offers":{"price":"9.00","priceCurrency":"EUR"}}</script></body></html>';

Nudge::FastCGI::run($t, 'fastcgi', sub {
    my ($p, $body) = @_;

    if ($p->{REQUEST_URI} =~ /wc-ajax=add_to_cart/) {
        return "Content-Type: application/json\r\n\r\n"
            . ($body =~ /product_id=7/ ? Nudge::Woo::fragments({ id => 7,
                key => 'k7', quantity => 1, price => '9.00' })
                : '{"error":true}');
    }

    return "Content-Type: text/html\r\n\r\n$page";
});

$t->upstream(sub {
    my $r = shift;
    return $r->{uri} =~ m{^/gone} ? { status => 404, body => 'gone' }
                                  : { body => $page };
});

$t->write('html/index.php', '<?php');
$t->write('html/dir/index.html', $page);

$t->run(server => '
    nudge on;
    nudge_consent off;
    index index.php index.html;

    location / { try_files $uri $uri/ /index.php?$args; }

    location ~ \.php$ {
        fastcgi_pass 127.0.0.1:%%PORT_FASTCGI%%;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param CONTENT_TYPE $content_type;
    }

    location /named/ { try_files /none @store; }
    location @store { proxy_pass %%UPSTREAM%%; }

    location /gone {
        proxy_pass %%UPSTREAM%%;
        proxy_intercept_errors on;
        error_page 404 =200 /sorry;
    }

    location /sorry { proxy_pass %%UPSTREAM%%/; }
    location /rewritten/ { rewrite ^ /product.php last; }
');

my $b = $t->browser;

for my $uri ('/product/bowl/', '/named/bowl/', '/gone/bowl/', '/rewritten/b',
             '/dir/')
{
    my $n = $t->events(e => 'page_view');
    my $r = $b->get($uri);
    is($r->{body}, $page, "$uri arrives");
    my @e = $t->wait_events($n + 1, e => 'page_view');
    is(scalar @e, $n + 1, "$uri is one view");
    is($e[-1]{url}, $uri, "$uri is the address");
}

my @v = $t->events(e => 'view_item');
is($v[0]{items}[0]{id}, '7', 'product through try_files and FastCGI');

$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 7, quantity => 1]);
my @e = $t->events(e => 'add_to_cart');
is(scalar @e, 1, 'cart request through try_files and FastCGI');
is($e[0]{items}[0]{id}, '7', 'its product');

$t->done;
