#!/usr/bin/perl

# The journal: what a worker cannot write it counts, confesses as a gap and
# never lets a page wait for; quotas drop views before anything that matters;
# segments survive kill -9.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::Woo;
use Test::More;

my $t = Nudge->new;
my $page = '<!DOCTYPE html><html><body>x</body></html>';

$t->upstream(sub {
    my $r = shift;
    return { headers => [['Content-Type', 'application/json']],
        body => Nudge::Woo::fragments({ id => 19, key => 'k', quantity => 1,
                                        price => '1.00' }) }
        if $r->{uri} =~ /wc-ajax=add_to_cart/;
    return { headers => [['Content-Type', 'application/json']],
        body => '{"result":"success","redirect":"x","order_id":7}' }
        if $r->{uri} =~ /wc-ajax=checkout/;
    return { body => $page };
});

sub conf {
    my ($state, $max) = @_;
    return (state => $state . ($max ? " max=$max" : ''), workers => 2,
        server => '
    nudge on;
    nudge_consent off;
    location / { proxy_pass %%UPSTREAM%%; }
');
}

# a worker dies: what triggers messages is already on disk

$t->run(conf('%%DIR%%/state'));
$t->allow(qr/exited on signal 9/);

my $b = $t->browser;
$b->get('/');
$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]);
kill 'KILL', $t->processes('worker process');
is(scalar(() = $t->events(e => 'add_to_cart')), 1,
    'a cart event survives kill -9 of every worker');

$t->wait_for(sub { $t->processes('worker process') == 2 });
is($b->get('/')->{body}, $page, 'the shop goes on');
my @files = glob $t->dir . '/state/journal/*';
is(scalar @files, 1, 'in the same segment');

# a full segment is followed by the next one, and let go of by every worker

my $seg = (sort glob $t->dir . '/state/journal/*')[-1];
truncate $seg, 65 * 1024 * 1024;
sleep 2;
$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]) for 1 .. 8;
my @segs = sort glob $t->dir . '/state/journal/*';
is(scalar @segs, 2, 'rotated at 64 megabytes');
ok($t->wait_for(sub {
    !grep { (readlink($_) // '') eq $seg }
        map { glob "/proc/$_/fd/*" } $t->processes('worker process') }, 5),
    'no worker holds the old segment');
my ($old) = $seg =~ /(\d+)$/;
my ($new) = $segs[1] =~ /(\d+)$/;
is($new, sprintf('%010d', $old + 1), 'the generation rose by one');
unlink $seg;

# quotas: the journal is over half of max, then over nine tenths

$t->stop_nginx;
unlink glob $t->dir . '/state/journal/*';
open my $f, '>', $t->dir . '/state/journal/journal.0000000001';
truncate $f, 600 * 1024;
close $f;

$t->{conf} = { conf('%%DIR%%/state', '1m') };
$t->write_conf;
$t->start_nginx;

$b->get('/');
$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]);
sleep 2;
is(scalar(() = $t->events(e => 'page_view')), 0, 'views are dropped at half');
is(scalar(() = $t->events(e => 'add_to_cart')), 1, 'cart events are not');

$t->stop_nginx;
open $f, '>', $t->dir . '/state/journal/journal.0000000001';
truncate $f, 1000 * 1024;
close $f;
unlink glob $t->dir . '/state/journal/journal.0000000002';
$t->start_nginx;

$b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]);
$b->xhr('POST', '/?wc-ajax=checkout', [billing_email => 'a@example.com']);
is(scalar(() = $t->events(e => 'add_to_cart')), 0,
    'at nine tenths carts are dropped, too');
is(scalar(() = $t->events(e => 'purchase')), 1, 'orders never');
$t->stop_nginx;

# a full disk

SKIP: {
    skip 'needs root to mount a small tmpfs', 6 if $> != 0;

    my $small = $t->dir . '/small';
    mkdir $small;
    skip 'no tmpfs here', 6
        if system("mount -t tmpfs -o size=256k,mode=755 none $small 2>/dev/null");

    $t->{conf} = { conf($small) };
    $t->write_conf;
    $t->start_nginx;

    $b->get('/');
    $t->wait_for(sub { glob "$small/journal/*" });

    open my $fill, '>', "$small/fill";
    1 while syswrite $fill, 'x' x 4096;
    close $fill;

    my $late = 0;
    for (1 .. 40) {
        my $r = $b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]);
        $late++ unless $r->{status} == 200;
    }
    is($late, 0, 'every answer arrives on a full disk');
    is($b->get('/')->{body}, $page, 'every page, too');

    my $s = $t->status;
    my @log = grep { /nudge journal/ } split /\n/, $t->read('error.log');
    ok(scalar @log >= 1 && @log <= 2, 'logged once a minute and worker');
    ok(($s->{journal_errors} // $s->{counters}{journal_errors} // 0) > 0,
        'counted') or diag explain $s;

    unlink "$small/fill";
    sleep 6;
    $b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19]);
    $b->xhr('POST', '/?wc-ajax=add_to_cart', [product_id => 19])
        for 1 .. 4;
    my @e = $t->events(state => $small, e => 'gap');
    ok(scalar @e >= 1, 'the first record afterwards is a gap');
    ok($e[0]{from} && $e[0]{to} >= $e[0]{from}, 'from and to') if @e;

    $t->stop_nginx;
    system("umount -l $small");
}

$t->done;
