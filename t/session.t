#!/usr/bin/perl

# The session: hot copy, memcached, cookie version and merge.  Two hosts (two
# nginx with a zone and a journal each) share one memcached and one key; the
# store answers with the cart the test asks for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Nudge;
use Test::More;
use Time::HiRes qw(sleep time);

my $key = 'a' x 64;

my $campaign = <<'LUA';
shop { id = "mugs", name = "Mugs", url = "https://mugs.example",
       currency = "EUR", locale = "en" }
offer "reminder" { on = "cart", kind = "banner", template = "banner",
                   recommend = "recent", count = 2 }
LUA

# POST /wp-json/wc/store/v1/cart/add-item, with the cart afterwards in X-Cart
# as "19=2,23=1"; anything else is a page

sub store {
    my $req = shift;

    return { body => '<html><body class="woocommerce-cart"><p>Page</p>'
                   . '</body></html>' }
        unless $req->{method} eq 'POST';

    my @items = map {
        my ($id, $n) = split /=/;
        { key => "key$id", id => $id + 0, quantity => $n + 0,
          name => "Mug $id", permalink => "http://localhost/product/$id/",
          prices => { price => '1250', currency_minor_unit => 2,
                      currency_code => 'EUR' } }
    } split /,/, $req->{headers}{'x-cart'} // '';

    sleep $req->{headers}{'x-sleep'} if $req->{headers}{'x-sleep'};

    return { headers => [['Content-Type', 'application/json']],
             body => JSON::PP::encode_json({ items => \@items }) };
}

sub host {
    my ($memcached, %opt) = @_;

    my $t = Nudge->new;

    $t->write('keys', "$key\n");
    chmod 0600, $t->dir . '/keys';
    $t->upstream(\&store);

    $t->run(memcached => $memcached, campaign => $campaign,
        http => 'nudge_key %%DIR%%/keys;' . ($opt{http} // ''),
        server => 'nudge on; nudge_preset woocommerce; nudge_status 127.0.0.1;'
            . ' nudge_timeout ' . ($opt{timeout} || '500ms') . ';'
            . ' add_header X-Items "$nudge_cart_items" always;'
            . ' location / { proxy_pass %%UPSTREAM%%; }',
        workers => $opt{workers} || 1, %opt);

    return $t;
}

sub add {
    my ($b, $t, $cart, %h) = @_;

    my ($last) = $cart =~ /(\d+)=\d+$/;

    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item',
        JSON::PP::encode_json({ id => $last + 0, quantity => 1 }),
        port => $t->port('http'), headers => { 'X-Cart' => $cart, %h });
}

sub items {
    my ($b, $t) = @_;

    my $r = $b->get('/cart', port => $t->port('http'));

    return Nudge::header($r, 'X-Items') // 'none';
}

sub counter {
    my ($t, $name) = @_;

    return $t->status->{counters}{$name} // -1;
}

# a document of memcached, by the text protocol

sub document {
    my ($addr, $visitor) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $addr, Proto => 'tcp') or return;
    print $s "get nudge:mugs:s:$visitor\r\nquit\r\n";

    my $all = do { local $/; <$s> } // '';
    my ($n) = $all =~ /^VALUE \S+ \d+ (\d+)/ or return;

    return eval { JSON::PP::decode_json(substr $all,
        index($all, "\n") + 1, $n) };
}

sub visitor {
    my ($b) = @_;

    my ($id) = ($b->cookie('nudge') // '') =~ /([0-9a-f]{32})/;

    return $id // '';
}

my $addr;
my $one = Nudge->new;
$addr = $one->memcached;

my $here = host($addr);
my $there = host($addr);

# the very next request on the other host

my $browser = $here->browser;

items($browser, $here);
like(visitor($browser), qr/^[0-9a-f]{32}$/, 'the visitor has a cookie');

add($browser, $here, '19=2');
is(items($browser, $there), 2, 'the other host sees the cart at once');
add($browser, $there, '19=2,23=1');
is(items($browser, $here), 3, 'and what was added there is seen here');

for my $i (1 .. 20) {
    my ($x, $y) = $i % 2 ? ($here, $there) : ($there, $here);
    add($browser, $x, '19=' . (2 + $i));
    my $got = items($browser, $y);
    is($got, 2 + $i, "change $i is seen by the other host") if $got != 2 + $i;
}

pass('twenty changes back and forth');

my $doc = $here->wait_for(sub {
    my $d = document($addr, visitor($browser));
    return $d && $d->{version} ? $d : undef;
});

ok($doc, 'the document is in memcached, as JSON');
unlike(JSON::PP::encode_json($doc || {}), qr/\@/, 'without an address');

# changes on both hosts at the same moment: nothing is lost

my $parallel = $here->browser;

items($parallel, $here);
add($parallel, $here, '19=1');
items($parallel, $there);

for my $t ($here, $there) {
    my $pid = fork;
    die unless defined $pid;
    if ($pid == 0) {
        $_->{owner} = 0 for $one, $here, $there;
        my $mine = bless { %$parallel,
            cookies => { %{ $parallel->{cookies} } } }, ref $parallel;
        $mine->get("/product/p$_/", port => $t->port('http')) for 1 .. 5;
        POSIX::_exit(0);
    }
}

wait for 1 .. 2;

my $pages = $here->wait_for(sub {
    my $d = document($addr, visitor($parallel)) || {};
    return ($d->{pages} || 0) >= 6 ? $d->{pages} : undef;
}, 4);

ok($pages, 'views of both hosts meet in one document');
is(items($parallel, $there), 1, 'the cart is what it was');

# a document that is late: the cookie says that there is more to come

my $slow = $here->browser;

items($slow, $here);
add($slow, $here, '19=5');
is(items($slow, $there), 5, 'before');

kill 'STOP', $one->{pids}{memcached};
my $start = time;
is(items($slow, $there), 5, 'a current hot copy needs no memcached');
cmp_ok(time - $start, '<', 0.4, 'and does not wait for it');
add($slow, $here, '19=6');
$start = time;
my $r = $slow->get('/cart', port => $there->port('http'));
my $took = time - $start;
is($r->{status}, 200, 'the page comes without memcached');
cmp_ok($took, '<', 1.5, 'within the time');
is(Nudge::header($r, 'X-Items'), 5, 'what is known is older');
cmp_ok(counter($there, 'skipped_unknown'), '>', 0, 'so no personal piece');
kill 'CONT', $one->{pids}{memcached};

my $again = $here->wait_for(sub { return items($slow, $there) eq '6' }, 8);
ok($again, 'memcached is back, and so is the cart');

# reload and restart

add($browser, $here, '19=9');
$here->reload;
sleep 0.5;
is(items($browser, $here), 9, 'a reload keeps the zone');

$here->stop_nginx;
$here->start_nginx;
is(items($browser, $here), 9, 'a restart reads it from memcached');

add($browser, $here, '19=11');
$here->stop_nginx;
is(items($browser, $there), 11,
    'what changed last goes out before a worker does');
$here->start_nginx;

# memcached forgets: unknown at first, then life goes on

my $s = IO::Socket::INET->new(PeerAddr => $addr, Proto => 'tcp');
print $s "flush_all\r\nquit\r\n";
1 while <$s>;
$here->stop_nginx;
$here->start_nginx;

items($browser, $here);
cmp_ok(counter($here, 'skipped_unknown'), '>', 0, 'lost everywhere: unknown');
ok($here->wait_for(sub {
    items($browser, $here);
    sleep 0.2;
    my $before = counter($here, 'skipped_unknown');
    items($browser, $here);
    return counter($here, 'skipped_unknown') == $before;
}, 6), 'and known again after a moment');

# garbage under the key is replaced

my $garbage = $here->browser;

items($garbage, $here);
$s = IO::Socket::INET->new(PeerAddr => $addr, Proto => 'tcp');
print $s 'set nudge:mugs:s:' . visitor($garbage)
       . " 0 0 9\r\n{\"v\":[[[[\r\nquit\r\n";
1 while <$s>;
add($garbage, $here, '19=3');
is(items($garbage, $there), 3, 'what is no session is written over');

# withdrawal

my $gone = $here->browser;

items($gone, $here);
add($gone, $here, '19=4');
ok($here->wait_for(sub { document($addr, visitor($gone)) }),
    'a session to withdraw');
my $id = visitor($gone);
$gone->get('/cart', port => $here->port('http'), headers => { 'Sec-GPC' => 1 });
ok($here->wait_for(sub { !document($addr, $id) }, 4),
    'withdrawn, the document is gone');
sleep 1.3;
ok(!document($addr, $id), 'and does not come back');

# one host, no memcached, several workers

my $c = host('off', workers => 2);

my $lone = $c->browser;

items($lone, $c);

for my $n (1 .. 12) {
    add($lone, $c, "19=$n");
    my $got = items($lone, $c);
    is($got, $n, 'all workers see the same') if $got != $n;
}

is(items($lone, $c), 12, 'workers share the hot copy');
my $unknown = counter($c, 'skipped_unknown');
is($unknown, 0, 'nobody was unknown');

$c->stop_nginx;
$c->start_nginx;
items($lone, $c);
is(counter($c, 'skipped_unknown'), 1, 'after a restart unknown once');
items($lone, $c);
is(counter($c, 'skipped_unknown'), 1, 'and known from then on');
add($lone, $c, '19=7');
is(items($lone, $c), 7, 'the cart begins anew');

# two tabs at once, on different workers

my @pids;

for my $n (1 .. 6) {
    my $pid = fork;
    die unless defined $pid;
    if ($pid == 0) {
        $_->{owner} = 0 for $one, $here, $there, $c;
        $lone->get("/product/x$n/$_/", port => $c->port('http')) for 1 .. 10;
        POSIX::_exit(0);
    }
    push @pids, $pid;
}

waitpid $_, 0 for @pids;
is(items($lone, $c), 7, 'the cart survived sixty views on two workers');

# reloads and killed workers, while shoppers go on

my $d = host($addr, workers => 2);
$d->allow(qr/exited on signal 9/);

my @shoppers = map { $d->browser } 1 .. 4;

items($_, $d) for @shoppers;
add($shoppers[$_], $d, '19=' . ($_ + 1)) for 0 .. 3;

my $wrong = 0;

for my $round (1 .. 8) {
    if ($round % 2) {
        $d->reload;

    } else {
        my ($pid) = $d->processes('worker process');
        kill 'KILL', $pid if $pid;
        sleep 0.1;
    }

    for my $i (0 .. 3) {
        my $r = $shoppers[$i]->get('/cart', port => $d->port('http'));

        # the one connection of a killed worker
        next if $r->{status} == 0 && $round % 2 == 0;

        $wrong++ if $r->{status} != 200
            || (Nudge::header($r, 'X-Items') // '') ne $i + 1;
    }
}

is($wrong, 0, 'every page is right and knows its cart');
ok($d->wait_for(sub { $d->processes('worker process') == 2 }, 6),
    'and two workers are left');

for my $t ($here, $there, $c, $d) {
    $t->stop;
    is(join("\n", $t->complaints), '', 'error.log has nothing alarming');
    unlike($t->read('error.log'), qr/exited on signal (?!9)/,
        'no worker died');
}

done_testing();
