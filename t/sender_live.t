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

    for (1 .. 100) {
        last if IO::Socket::INET->new("127.0.0.1:$port");
        sleep 0.02;
    }

    return $pid;
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
    $s->change("update message set next = 0 where state = 'queued'");
    $s->start;
}

$memcached = memcached();
$s->start;
$s->wait(sub { $s->status->{pid} });

{
    my $p = shopper();
    $p->adds;
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'no session there: sent')
        or diag state($p);

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
    ok($s->wait(sub { state($p) eq 'skipped ordered' }),
       'ordered on another host') or diag state($p);
}

{
    my $p = shopper();

    put("nudge:demo:s:$p->{visitor}", 'not a session');
    $p->adds;
    ok($s->wait(sub { state($p) eq 'queued session_unknown' }),
       'a session that cannot be read: held') or diag state($p);
    ask("delete nudge:demo:s:$p->{visitor}\r\n");
    hurry();
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'sent later') or diag state($p);
}

# the shop is another store's

{
    my $p = shopper();
    my $uuid = $s->value("select value from meta where name = 'uuid'");

    put('nudge:demo:store', 'f' x 32);
    $p->adds;
    ok($s->wait(sub { state($p) eq 'queued other_store' }),
       'another store serves this shop: held') or diag state($p);
    put('nudge:demo:store', $uuid);
    hurry();
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'sent later') or diag state($p);
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
    ok($s->wait(sub { state($p) =~ /^sent/ && state($q) =~ /^sent/ }),
       'an empty one comes back: both sent') or diag state($p), state($q);
    is(scalar(grep { /^X-To: (?:\Q$p->{email}\E|\Q$q->{email}\E)\r$/m }
              $smtp->mails), 2, 'each once');
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
    sleep 2.5;
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
