#!/usr/bin/perl

# Declared events: nudge_event with variables and if=, X-Nudge-Event from the
# store, which the client never sees; and the variables.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Test::More;

my $t = Nudge->new;

$t->upstream(sub {
    my $r = shift;

    return { body => 'bad', headers => [
        ['X-Nudge-Event', 'purchase; value=1'],
        ['X-Nudge-Event', 'nonsense; order=1'],
        ['X-Nudge-Event', ';;;=;'],
        ['X-Nudge-Event', 'gap; from=1'] ] } if $r->{uri} eq '/bad';

    return { body => 'done', headers => [
        ['x-nudge-event', 'purchase; order=A-1; value=45.00; currency=EUR'],
        ['X-Nudge-Event', 'add_to_wishlist; id=19; name=Blue Mug'] ] }
        if $r->{uri} eq '/upstream';

    return { body => 'x', headers => [['X-Order', 'B-2']] }
        if $r->{uri} =~ m{^/declared/ok};

    return { body => '<!DOCTYPE html><html><body>x</body></html>' };
});

$t->run(http => '
    log_format nudge "$nudge_event|$nudge_visitor|$nudge_cart_items|'
    . '$nudge_consent";
', server => '
    nudge on;
    nudge_consent off;
    access_log %%DIR%%/nudge.log nudge;

    location / { proxy_pass %%UPSTREAM%%; }

    location /declared/ {
        nudge_event purchase order=$upstream_http_x_order value=$arg_value
                    currency=PLN if=$upstream_http_x_order;
        nudge_event search text=$arg_q if=$arg_q;
        proxy_pass %%UPSTREAM%%;
    }
');

my $b = $t->browser;
$b->get('/');

my $r = $b->get('/upstream');
is($r->{body}, 'done', 'page');
unlike($r->{raw}, qr/nudge-event/i, 'the client does not see X-Nudge-Event');

my @e = $t->events(e => 'purchase');
is(scalar @e, 1, 'purchase from the response header');
is($e[0]{order}, 'A-1', 'order');
is($e[0]{value}, 45, 'value');
is($e[0]{currency}, 'EUR', 'currency');

@e = $t->wait_events(1, e => 'add_to_wishlist');
is($e[0]{items}[0]{id}, '19', 'item of an upstream event');
is($e[0]{items}[0]{name}, 'Blue Mug', 'its name');

$r = $b->get('/bad');
unlike($r->{raw}, qr/nudge-event/i, 'hidden when malformed, too');
is(scalar(() = $t->events(e => 'purchase')), 1, 'no purchase without order');

$b->get('/declared/ok?value=7,50');
@e = $t->events(e => 'purchase');
is(scalar @e, 2, 'purchase by nudge_event');
is($e[1]{order}, 'B-2', 'order from an upstream header');
is($e[1]{value}, 7.5, 'localised value');

$b->get('/declared/none?q=tea');
@e = $t->wait_events(1, e => 'search');
is($e[0]{text}, 'tea', 'nudge_event by variable');
is(scalar(() = $t->events(e => 'purchase')), 2, 'if= is not set');

my $log = $t->read('nudge.log');
like($log, qr/^page_view\|[0-9a-f]{32}\|0\|unknown$/m, 'variables in the log');
like($log, qr/^purchase,add_to_wishlist\|/m, '$nudge_event lists all');

$t->done;
