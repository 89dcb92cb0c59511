#!/usr/bin/perl

# The sender beside memcached: a look at the live session before each message,
# doubt when there is no answer, and one store for each shop.  And a clock
# that steps.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Nudge::Sender;
use Nudge::SMTP;

plan skip_all => 'nudge is not built' if !-x $Nudge::Sender::PROGRAM;

for my $need (qw(sqlite3 memcached)) {
    plan skip_all => "no $need" if !grep { -x "$_/$need" }
                                   split(/:/, $ENV{PATH}), '/usr/bin';
}

my $dir = tempdir(CLEANUP => 1);
my $smtp = Nudge::SMTP->new(dir => "$dir/smtp");
my $port = free_port();
my $memcached;
my $n = 0;

sub free_port {
    my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    return $l->sockport;
}

sub memcached {
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        my @user = $> == 0 ? (-u => 'nobody') : ();
        open STDERR, '>', '/dev/null';
        { no warnings 'exec';
          exec 'memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0, @user }
        POSIX::_exit(9);
    }

    for (1 .. 1500) {
        last if IO::Socket::INET->new("127.0.0.1:$port");
        sleep 0.02;
    }

    return $pid;
}

# one that answers as another sender, faster by a moment, makes it answer: the
# key is not there, and when it is to be added it is

sub overtaken {
    my ($uuid) = @_;

    my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1',
                                  LocalPort => $port, ReuseAddr => 1)
        or die "port $port: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        while (my $s = $l->accept) {
            my $kid = fork // POSIX::_exit(1);
            binary($s, $uuid), POSIX::_exit(0) if $kid == 0;
            close $s;
        }
        POSIX::_exit(0);
    }

    return $pid;
}

# the binary protocol: get, getk and their quiet kin, add, noop

sub binary {
    my ($s, $uuid) = @_;

    my $added = 0;

    for ( ;; ) {
        my ($op, $keys, $extras, $len, $opaque)
            = unpack 'x C n C x3 N a4', taken($s, 24);
        my $key = substr taken($s, $len), $extras, $keys;
        my $get = $op == 0 || $op == 9 || $op == 12 || $op == 13;
        my ($status, $value) = (0, '');

        if ($get && $added && $key =~ /:store$/) {
            $value = pack('N', 0) . ($op > 11 ? $key : '') . $uuid;

        } elsif ($get) {
            next if $op == 9 || $op == 13;
            $status = 1;

        } elsif ($op == 2) {
            $added = 1;
            $status = 2;
        }

        syswrite $s, pack('C C n C x n N a4 x8', 0x81, $op,
                          $value ne '' && $op > 11 ? $keys : 0,
                          $value ne '' ? 4 : 0, $status, length $value,
                          $opaque) . $value;
    }
}

sub taken {
    my ($s, $n) = @_;

    my $bytes = '';

    while (length $bytes < $n) {
        sysread $s, $bytes, $n - length $bytes, length $bytes
            or POSIX::_exit(0);
    }

    return $bytes;
}

END {
    local $?;
    if ($memcached) { kill 'KILL', $memcached; waitpid $memcached, 0 }
}

# one command of the text protocol

sub ask {
    my ($text) = @_;

    my $m = IO::Socket::INET->new("127.0.0.1:$port") or return '';
    print $m "${text}quit\r\n";
    local $/;
    return scalar <$m>;
}

sub put { my ($key, $value) = @_;
    return ask("set $key 0 0 " . length($value) . "\r\n$value\r\n") }

my $s = Nudge::Sender->new(port => $smtp->{port}, mail => 'customers = true',
                           memcached => [ "127.0.0.1:$port" ]);

sub shopper {
    my $name = sprintf 'm%02d', ++$n;
    my $p = $s->shopper($name);

    $p->does('purchase', order => "old-$name", email => $p->{email},
             t => int(time * 1000) - 30 * 86400_000);
    return $p;
}

sub state { my ($p) = @_;
    return $s->value("select state || ' ' || reason from message where"
                     . " visitor = '$p->{visitor}'") }

# what waits a minute, now

sub hurry {
    $s->stop;
    $s->change("update message set next = 0, reason = '' where state ="
               . " 'queued'");
    $s->start;
}

# on a machine that is busy a healthy memcached may not have answered in time,
# which is a doubt like any other: a minute's wait, which is not waited for

sub becomes {
    my ($p, $want) = @_;

    for (1 .. 6) {
        $s->wait(sub { state($p) =~ /$want|session_unknown/ });
        return 1 if state($p) =~ $want;
        last if state($p) !~ /session_unknown/;
        hurry();
    }

    diag(state($p));

    return 0;
}

$memcached = memcached();
$s->start;
$s->wait(sub { $s->status->{pid} });

{
    my $p = shopper();
    $p->adds;
    ok(becomes($p, qr/^sent/), 'no session there: sent');

    my $uuid = $s->value("select value from meta where name = 'uuid'");
    like(ask("get nudge:demo:store\r\n"), qr/\r\n\Q$uuid\E\r\n/,
         'the store says whose shop this is');
}

# another host's order, seen nowhere but in the live session

{
    my $p = shopper();
    my $now = int(time * 1000);

    put("nudge:demo:s:$p->{visitor}", session($now, ordered => $now + 500));
    $p->adds;
    ok(becomes($p, qr/^skipped ordered$/), 'ordered on another host');
}

{
    my $p = shopper();

    put("nudge:demo:s:$p->{visitor}", 'not a session');
    $p->adds;
    ok($s->wait(sub { state($p) eq 'queued session_unknown' }),
       'a session that cannot be read: held') or diag state($p);
    ask("delete nudge:demo:s:$p->{visitor}\r\n");
    hurry();
    ok(becomes($p, qr/^sent/), 'sent later');
}

# the shop is another store's

{
    my $p = shopper();
    my $uuid = $s->value("select value from meta where name = 'uuid'");

    put('nudge:demo:store', 'f' x 32);
    $p->adds;
    ok(becomes($p, qr/^queued other_store$/),
       'another store serves this shop: held');
    put('nudge:demo:store', $uuid);
    hurry();
    ok(becomes($p, qr/^sent/), 'sent later');
}

# hung, then dead

{
    my $p = shopper();

    kill 'STOP', $memcached;
    $p->adds;
    ok($s->wait(sub { state($p) eq 'queued session_unknown' }),
       'memcached hangs: held') or diag state($p);
    kill 'CONT', $memcached;

    my $q = shopper();
    kill 'KILL', $memcached;
    waitpid $memcached, 0;
    $q->adds;
    ok($s->wait(sub { state($q) eq 'queued session_unknown' }),
       'memcached is dead: held') or diag state($q);

    $memcached = memcached();
    hurry();
    ok(becomes($p, qr/^sent/) && becomes($q, qr/^sent/),
       'an empty one comes back: both sent');
    is(scalar(grep { /^X-To: (?:\Q$p->{email}\E|\Q$q->{email}\E)\r$/m }
              $smtp->mails), 2, 'each once');
}

# several threads find it empty and say whose store this is: whose it is
# matters then, not who was first

for my $mine (1, 0) {
    my $p = shopper();
    my $uuid = $s->value("select value from meta where name = 'uuid'");

    $s->stop;
    kill 'KILL', $memcached;
    waitpid $memcached, 0;
    $memcached = overtaken($mine ? $uuid : 'f' x 32);
    $s->start;
    $p->adds;
    ok(becomes($p, $mine ? qr/^sent/ : qr/^queued other_store$/),
       $mine ? 'overtaken by another thread: sent'
             : 'overtaken by another store: held');
}

# a session document as this version writes it

sub session {
    my ($now, %more) = @_;

    my %s = (v => 1, created => $now, active => $now, version => 1,
             pages => 1, visits => 1, %more);

    return JSON::PP->new->canonical->encode(\%s);
}

$s->stop;
is_deeply([ $s->complaints ], [], 'no alerts');


# --- a clock that steps back delays, and never repeats

SKIP: {
    my $cc = $ENV{CC} || 'cc';

    Nudge::Sender::spew("$dir/step.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int          rc;
    long         step;
    FILE        *f;
    static int (*real)(clockid_t, struct timespec *);

    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))
               dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = real(id, ts);

    if (id == CLOCK_REALTIME) {
        f = fopen(getenv("NUDGE_STEP"), "r");
        if (f) {
            if (fscanf(f, "%ld", &step) == 1) {
                ts->tv_sec += step;
            }
            fclose(f);
        }
    }

    return rc;
}
C

    system("$cc -shared -fPIC -o $dir/step.so $dir/step.c -ldl") == 0
        or skip 'no C compiler', 6;

    Nudge::Sender::spew("$dir/step", "0\n");

    my $t = Nudge::Sender->new(port => $smtp->{port}, after => '2s',
        mail => 'customers = true', env => { LD_PRELOAD => "$dir/step.so",
        NUDGE_STEP => "$dir/step", ASAN_OPTIONS => 'verify_asan_link_order=0'
        });
    $s = $t;

    $t->start;
    $t->wait(sub { $t->status->{pid} });

    my $before = $smtp->mails;
    my $p = shopper();
    $p->adds;
    ok($t->wait(sub { $smtp->mails == $before + 1 }), 'a mail');

    Nudge::Sender::spew("$dir/step", "-86400\n");
    $p->does('view_cart', snapshot => JSON::PP::true(), cart => [],
             t => int(time * 1000) + 1);
    my $q = shopper();
    $q->adds;
    $t->settled;
    sleep 3.5;
    is(scalar($smtp->mails), $before + 1, 'a day back: nothing is due');
    is($t->value("select state from message where visitor ="
                 . " '$p->{visitor}'"), 'sent', 'nothing is repeated');

    Nudge::Sender::spew("$dir/step", "0\n");
    ok($t->wait(sub { $smtp->mails == $before + 2 }),
       'the clock is right again: the other one goes out');
    $t->stop;
    is_deeply([ $t->complaints ], [], 'no alerts');
}

done_testing();
