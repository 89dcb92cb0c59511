#!/usr/bin/perl

# memcached absent, refusing, hung, killed in between and lying: pages come in
# time, no worker dies, the breaker opens and closes again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Nudge;
use Test::More;
use Time::HiRes qw(sleep time);

my $campaign = <<'LUA';
shop { id = "mugs", name = "Mugs", url = "https://mugs.example",
       currency = "EUR", locale = "en" }
offer "reminder" { on = "cart", kind = "banner", template = "banner",
                   recommend = "recent", count = 2 }
LUA

my $page = '<html><body class="woocommerce-cart"><p>Page</p></body></html>';

sub start {
    my ($memcached, %opt) = @_;

    my $t = Nudge->new;

    $t->write('keys', 'b' x 64 . "\n");
    chmod 0600, $t->dir . '/keys';

    $t->upstream(sub {
        my $req = shift;

        return { body => $page } if $req->{method} eq 'GET';
        return { headers => [['Content-Type', 'application/json']],
                 body => '{"items":[{"key":"k19","id":19,"quantity":1,'
                       . '"name":"Mug","prices":{"price":"1250",'
                       . '"currency_minor_unit":2,"currency_code":"EUR"}}]}' };
    });

    $t->run(memcached => ref $memcached ? $memcached->($t) : $memcached,
        campaign => $campaign, http => 'nudge_key %%DIR%%/keys;',
        server => 'nudge on; nudge_preset woocommerce;'
            . ' nudge_status 127.0.0.1; nudge_timeout '
            . ($opt{timeout} || '20ms') . ';'
            . ' add_header X-Items "$nudge_cart_items" always;'
            . ' location / { proxy_pass %%UPSTREAM%%; }',
        workers => $opt{workers} || 1);

    return $t;
}

sub add {
    my ($t, $b) = @_;

    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item',
        '{"id":19,"quantity":1}');
}

# a browser with a cart, and so with a version in its cookie

sub stranger {
    my ($t) = @_;

    my $b = $t->browser;

    $b->get('/cart');
    add($t, $b);

    return $b;
}

sub workers {
    my ($t) = @_;

    # a child has its parent's title until it has its own

    return $t->wait_for(sub {
        join ' ', sort { $a <=> $b } $t->processes('worker process');
    });
}

sub fine {
    my ($t, $name) = @_;

    unlike($t->read('error.log'), qr/exited on signal/, "$name: nobody died");
    is(join("\n", $t->complaints), '', "$name: nothing alarming");

    my $start = time;
    $t->stop_nginx;
    cmp_ok(time - $start, '<', 3, "$name: the worker leaves at once");

    unlike($t->read('error.log'), qr/exited on signal|open socket/,
        "$name: and quietly");

    $t->stop;

    return;
}

# what shoppers see for whom memcached has to be asked: they come with a genuine
# cookie, but there is no hot copy of them here

my @known;

sub shop {
    my ($t, $name, %opt) = @_;

    my @visitors = map { bless { %$_, cookies => { %{ $_->{cookies} } },
                                 t => $t }, ref $_ } @known;
    my $pids = workers($t);
    my ($bad, $slow, $longest) = (0, 0, 0);

    for (1 .. $opt{rounds} || 2) {
        for my $b (@visitors) {
            my $start = time;
            my $r = $b->get('/cart');
            my $took = time - $start;

            $bad++ if $r->{status} != 200 || $r->{body} !~ /Page/;
            $slow++ if $took > 1;
            $longest = $took if $took > $longest;

            $r = add($t, $b);
            $bad++ if $r->{status} != 200 || $r->{body} !~ /k19/;
        }
    }

    is($bad, 0, "$name: every page is right");
    is($slow, 0, sprintf "$name: and in time (%d ms)", $longest * 1000);
    is(workers($t), $pids, "$name: by the same worker");

    return;
}

sub breaker {
    my ($t) = @_;

    return $t->status->{breaker} // 'none';
}

# none configured, and one that answers

my $t = start('off');
@known = map { stranger($t) } 1 .. 8;
shop($t, 'off');
is(breaker($t), 'closed', 'off: no breaker to open');
is($t->status->{counters}{memcached_gets}, 0, 'off: nothing asked');
fine($t, 'off');

$t = start(sub { $_[0]->memcached });
shop($t, 'good');
is(breaker($t), 'closed', 'good: the breaker is closed');
is($t->status->{counters}{memcached_errors}, 0, 'good: no errors');
cmp_ok($t->status->{counters}{memcached_gets}, '>', 8, 'good: it is asked');

# killed and started again

kill 'KILL', $t->{pids}{memcached};
waitpid delete $t->{pids}{memcached}, 0;
shop($t, 'killed');
is(breaker($t) =~ /open/, 1, 'killed: the breaker opens');
like($t->read('error.log'), qr/going on without it/, 'killed: the log says so');

my $skipped = $t->status->{counters}{memcached_skipped};
$t->browser->get('/cart');
my $again = $t->browser;
$again->get('/cart');
add($t, $again);
sleep 0.1;
cmp_ok($t->status->{counters}{memcached_skipped}, '>', $skipped,
    'killed: while open nothing is tried');

$t->memcached;
my $b = stranger($t);
ok($t->wait_for(sub { $b->get('/cart'); sleep 0.1; breaker($t) eq 'closed' },
    20), 'back: the breaker closes');
like($t->read('error.log'), qr/answers again/, 'back: the log says so');
fine($t, 'good');

# nobody there

my $free = Nudge->new;
$t = start('127.0.0.1:' . $free->port('nobody'));
shop($t, 'absent');
is(breaker($t) =~ /open/, 1, 'absent: the breaker is open');
fine($t, 'absent');

$t = start('unix:/nonexistent/memcached.sock');
shop($t, 'no socket');
fine($t, 'no socket');

$t = start('nudge-does-not-exist.invalid:11211');
shop($t, 'no name');
fine($t, 'no name');

# stopped: the connection stands, nobody answers

$t = start(sub { $_[0]->memcached });
my $asks = stranger($t);
kill 'STOP', $t->{pids}{memcached};
shop($t, 'hung');
is(breaker($t) =~ /open/, 1, 'hung: the breaker is open');
cmp_ok($t->status->{counters}{memcached_timeouts}, '>', 0,
    'hung: timeouts are counted');

my $start = time;
$asks->get('/cart') for 1 .. 10;
cmp_ok(time - $start, '<', 1, 'hung: nothing is waited for any more');
kill 'CONT', $t->{pids}{memcached};
ok($t->wait_for(sub {
    $asks->get('/cart');
    sleep 0.1;
    breaker($t) eq 'closed';
}, 20), 'hung: it goes on where it stopped');
fine($t, 'hung');

# it stops again when the worker has to leave

$t = start(sub { $_[0]->memcached }, timeout => '100ms');
my $leaving = stranger($t);
kill 'STOP', $t->{pids}{memcached};
add($t, $leaving) for 1 .. 3;
fine($t, 'leaving');

# connects are accepted and then nothing, ever

my $deaf = Nudge->new;
my $listen = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
    LocalAddr => '127.0.0.1', LocalPort => $deaf->port('deaf'));
$t = start('127.0.0.1:' . $deaf->port('deaf'));
shop($t, 'deaf');
fine($t, 'deaf');
close $listen;

# a worker told to quit answers those who still wait, and clients who go away
# while waiting leave nothing behind

$t = start(sub { $_[0]->memcached }, timeout => '400ms');
my @waiting = map { stranger($t) } 1 .. 6;
$t->stop_nginx;
$t->start_nginx;
kill 'STOP', $t->{pids}{memcached};

my @sockets = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
        PeerPort => $t->port('http'));
    print $s "GET /cart HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        . "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n"
        . "Sec-Fetch-Dest: document\r\nUser-Agent: $Nudge::UA\r\n"
        . 'Cookie: ' . join('; ', map { "$_=" . $waiting[0]->cookie($_) }
            sort keys %{ $waiting[0]{cookies} }) . "\r\n\r\n";
    $s;
} 1 .. 6;

sleep 0.1;
close $_ for splice @sockets, 0, 3;
sleep 0.05;
is($t->status->{counters}{waited}, 6, 'six wait');
kill 'QUIT', $t->{pids}{nginx};

my @pages = map { local $/; scalar <$_> } @sockets;
is(scalar(grep { defined && /Page/ } @pages), 3,
    'quit: those who wait get their page');
ok($t->reap(delete $t->{pids}{nginx}, 4), 'quit: then the worker leaves');
fine($t, 'quit');

# three servers, one of them dead: its sessions alone are without

my $dead = Nudge->new;
$t = start(sub {
    my $t = shift;
    return join ' ', $t->memcached('mc1'), $t->memcached('mc2'),
        '127.0.0.1:' . $dead->port('dead');
});

my @many = map { stranger($t) } 1 .. 24;

ok($t->wait_for(sub {
    add($t, $_) for @many;
    my $m = $t->status->{memcached};
    return @$m == 3 && $m->[2]{breaker} ne 'closed';
}, 10), 'three: the breaker of the dead one is open');

my $servers = $t->status->{memcached};
is("$servers->[0]{breaker} $servers->[1]{breaker}", 'closed closed',
    'three: the others are closed');
$t->stop_nginx;
$t->start_nginx;

my $known = 0;

for my $b (@many) {
    my $r = $b->get('/cart');
    $known++ if (Nudge::header($r, 'X-Items') // '') eq '1';
}

cmp_ok($known, '>', 4, 'three: most carts are there');
cmp_ok($known, '<', 24, 'three: those of the dead one are not');
fine($t, 'three');

# lies.  A liar reads a whole request of the binary protocol and answers with
# what the code makes of it, or drops the connection

sub liar {
    my ($t, $code) = @_;

    my $l = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
        ReuseAddr => 1, LocalAddr => '127.0.0.1',
        LocalPort => $t->port('liar')) or die "liar: $!\n";

    $t->daemon('liar', sub {
        my $select = IO::Select->new($l);
        my %in;

        while (1) {
            for my $c ($select->can_read) {
                if ($c == $l) {
                    my $new = $l->accept or next;
                    $select->add($new);
                    $in{$new} = '';
                    next;
                }

                my $close = !sysread $c, $in{$c}, 65536, length $in{$c};

                while (!$close && length $in{$c} >= 24) {
                    my ($magic, $op, $kl, $el, $dt, $vb, $bl, $opaque, $cas)
                        = unpack 'C C n C C n N N Q>', $in{$c};
                    last if length $in{$c} < 24 + $bl;
                    my $body = substr $in{$c}, 24, $bl;
                    substr($in{$c}, 0, 24 + $bl) = '';

                    my ($out, $drop) = $code->($op, $body, $kl, $opaque);
                    syswrite $c, $out if defined $out && length $out;
                    $close = 1 if $drop;
                }

                if ($close) {
                    $select->remove($c);
                    delete $in{$c};
                    close $c;
                }
            }
        }
    });

    close $l;

    return '127.0.0.1:' . $t->port('liar');
}

# a header of a reply, true but for what is given

sub reply {
    my ($op, $opaque, %h) = @_;

    my $body = $h{body} // '';

    return pack('C C n C C n N N Q>', $h{magic} // 0x81, $h{op} // $op,
        $h{keylen} // 0, $h{extlen} // 0, 0, $h{status} // 0,
        $h{bodylen} // length $body, $h{opaque} // $opaque, $h{cas} // 1)
        . $body;
}

my $bytes = join '', map { chr(($_ * 37 + 11) & 255) } 1 .. 997;

my %lies = (
    'END' => sub { "END\r\n" },
    'DELETED' => sub { "DELETED\r\n" },
    'OK' => sub { "OK\r\n" },
    'TOUCHED' => sub { "TOUCHED\r\n" },
    'a number' => sub { "42\r\n" },
    'a long number' => sub { '4' x 60 . "\r\n" },
    'garbage' => sub { $bytes },
    'nothing, closed' => sub { ('', 1) },
    'half a header' => sub { (substr(reply($_[0], $_[3]), 0, 11), 1) },
    'half a header, open' => sub { substr(reply($_[0], $_[3]), 0, 11) },
    'half a value' => sub {
        (substr(reply($_[0], $_[3], extlen => 4, keylen => $_[2],
            body => "\0\0\0\0" . substr($_[1], 0, $_[2]) . 'x' x 400), 0, 100),
         1)
    },
    'another opaque' => sub { reply($_[0], $_[3], opaque => 0xdeadbeef) },
    'a get answers a set' => sub {
        reply(0x0d, $_[3], extlen => 4, body => "\0\0\0\0value")
    },
    'a set answers a get' => sub { reply(0x01, $_[3]) },
    'noop to everything' => sub { reply(0x0a, $_[3]) },
    'an unknown operation' => sub { reply(0xee, $_[3], body => 'abc') },
    'a request for a reply' => sub { reply($_[0], $_[3], magic => 0x80) },
    'a huge body' => sub {
        reply($_[0], $_[3], bodylen => 0xfffffff0, body => 'x' x 100)
    },
    'a body shorter than its key' => sub {
        reply($_[0], $_[3], keylen => 200, extlen => 4, bodylen => 10,
            body => 'x' x 300)
    },
    'another key' => sub {
        reply(0x0d, $_[3], extlen => 4, keylen => 5,
            body => "\0\0\0\0otherNOT A SESSION") . reply(0x0a, $_[3])
    },
    'an endless key' => sub {
        $_[0] == 0x0d || $_[0] == 0x0a
            ? reply(0x0d, $_[3], extlen => 4, keylen => 60000,
                body => "\0\0\0\0" . 'k' x 60000 . 'v') . reply(0x0a, $_[3])
            : reply($_[0], $_[3], status => 4, body => 'no');
    },
    'an endless key, cut' => sub {
        (reply(0x0d, $_[3], extlen => 4, keylen => 60000,
            bodylen => 60100, body => "\0\0\0\0" . "\xff" x 59000), 1)
    },
    'a version' => sub { reply(0x0b, $_[3], body => 'x' x 5000) },
    'the endless key of another' => sub {
        reply(0x0d, $_[3], extlen => 4, keylen => 60000,
            body => "\0\0\0\0" . 'k' x 60001)
    },
    'statistics' => sub {
        reply(0x10, $_[3], keylen => 900, body => 'x' x 1000)
    },
    'an error without end' => sub {
        (reply($_[0], $_[3], status => 0x81, bodylen => 1 << 30,
            body => 'x' x 70000), 1)
    },
    'the right key twice' => sub {
        my $key = substr $_[1], 0, $_[2];
        return '' if $_[0] == 0x0a;
        my $one = reply(0x0d, $_[3], extlen => 4, keylen => length $key,
            body => "\0\0\0\0${key}{}");
        return $one . $one . reply(0x0a, $_[3]);
    },
    'a session that is none' => sub {
        my $key = substr $_[1], 0, $_[2];
        return reply(0x0a, $_[3]) if $_[0] == 0x0a;
        return reply(0x0d, $_[3], extlen => 4, keylen => length $key,
            body => "\0\0\0\0$key" . '{"v":1,"cart":[[[[[' . 'x' x 5000);
    },
    'a value too large' => sub {
        my $key = substr $_[1], 0, $_[2];
        return reply(0x0a, $_[3]) if $_[0] == 0x0a;
        return reply(0x0d, $_[3], extlen => 4, keylen => length $key,
            body => "\0\0\0\0$key" . 'x' x 200_000);
    },
    'every status' => do {
        my $n = 0;
        sub { reply($_[0], $_[3], status => $n++ % 140, body => 'text') }
    },
    'every operation' => do {
        my $n = 0;
        sub { reply($n++ % 11, $_[3], body => '') }
    },
    'out of memory' => sub {
        reply($_[0], $_[3], status => 0x82, body => 'Out of memory')
    },
    'a web server' => sub {
        ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 1)
    },
);

for my $name (sort keys %lies) {
    my $t = start(sub { liar($_[0], $lies{$name}) });
    shop($t, $name, rounds => 1);
    cmp_ok($t->status->{counters}{memcached_gets}, '>', 0,
        "$name: it was asked");
    fine($t, $name);
}

# the same to what is to be stored, with an honest "not there" before

for my $name ('END', 'DELETED', 'OK', 'TOUCHED', 'a number', 'garbage',
    'nothing, closed', 'half a header', 'another opaque',
    'a get answers a set', 'a huge body', 'noop to everything',
    'an unknown operation', 'every status', 'every operation', 'a version',
    'the endless key of another', 'statistics', 'an error without end')
{
    my $lie = $lies{$name};
    my $t = start(sub {
        liar($_[0], sub {
            return '' if $_[0] == 0x0d;
            return reply(0x0a, $_[3]) if $_[0] == 0x0a;
            return $lie->(@_);
        });
    });
    shop($t, "$name, storing", rounds => 1);
    cmp_ok($t->status->{counters}{memcached_sets}, '>', 0,
        "$name, storing: it was tried");
    fine($t, "$name, storing");
}

done_testing();
