#!/usr/bin/perl

# The sender killed before and after every system call, from its start to the end of a
# delivery: claim, attempt, the mail itself, the result.  Nothing is lost:
# every shopper's message ends as sent or is reported as ambiguous.  Nothing
# is doubled: no shopper gets two.
#
# Every round begins with the same store and a shopper of its own.
#
# TEST_NUDGE_FULL=1 kills at every single write of the store as well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use Nudge::Sender;
use Nudge::SMTP;

plan skip_all => 'nudge is not built' if !-x $Nudge::Sender::PROGRAM;
plan skip_all => 'no sqlite3 shell' if !grep { -x "$_/sqlite3" }
                                         split /:/, $ENV{PATH};

my $dir = tempdir(CLEANUP => 1);
my $cc = $ENV{CC} || 'cc';

system("$cc -shared -fPIC -O1 -o $dir/killat.so $FindBin::Bin/lib/killat.c"
       . ' -ldl') == 0
    or plan skip_all => 'no C compiler';

my $smtp = Nudge::SMTP->new(dir => "$dir/smtp");
my $s = Nudge::Sender->new(port => $smtp->{port}, after => '1s',
                           mail => 'customers = true');

# the store every round begins with: flows begin with their first activation,
# so that has to be over

$s->start;
$s->wait(sub { $s->status->{pid} });
$s->stop;
sleep 1.2;

my $template = $s->{state};
my ($rounds, $ambiguous, @lost, @twice, @stuck, %mails) = (0, 0);

# a cart that is due as soon as the sender is up, and a sender that dies at
# its n-th call; then one that lives.  0: the first did not die

sub round {
    my ($at) = @_;

    my $name = sprintf 'k%04d', $rounds;
    my $p = $s->shopper($name);
    my $now = int(time * 1000);

    $s->{state} = "$s->{dir}/$name";
    system 'cp', '-a', $template, $s->{state};
    delete $s->{journal};

    $s->journal->add(
        $p->event('purchase', order => "old-$name", email => $p->{email},
                  t => $now - 30 * 86400_000),
        $p->event('add_to_cart', items => [ Nudge::Sender::Shopper::mug() ],
                  t => $now - 950));

    $s->start(LD_PRELOAD => "$dir/killat.so", NUDGE_KILLAT => $at,
              NUDGE_KILLAT_LOG => "$dir/covered",
              $ENV{TEST_NUDGE_FULL} ? (NUDGE_KILLAT_ALL => 1) : (),
              ASAN_OPTIONS => 'verify_asan_link_order=0');

    my $end = time + 20;
    my $died = 1;

    while ($s->running) {

        # alive and everything delivered: n is beyond the last call

        if (time > $end || ended($p)) {
            sleep 0.3;
            last if !$s->running;
            $died = 0;
            $s->kill9;
        }

        sleep 0.03;
    }

    $s->start;
    push @stuck, $at if !$s->wait(sub { ended($p) }, 15);
    $s->kill9;

    my $state = $s->value('select state from message');
    my $mails = grep { /^X-To: \Q$p->{email}\E\r$/m } $smtp->mails;

    $ambiguous++ if $state eq 'ambiguous';
    push @twice, $at if $mails > 1;
    push @lost, "$at $state" if $mails == 0 && $state ne 'ambiguous';
    push @lost, "$at $state" if $mails == 1 && $state !~ /^(sent|ambiguous)$/;

    system 'rm', '-r', $s->{state};
    $rounds++;

    return $died;
}

sub ended { return $s->value('select count(*) from message where finished'
                             . ' > 0') }

my $begin = time;

for my $when ('', '+') {
    for (my $n = 1; $n < 600; $n++) {
        last if !round("$n$when");
    }
}

note sprintf '%d rounds in %.0f s', $rounds, time - $begin;

cmp_ok($rounds, '>', 30, "the sender was killed at $rounds calls");
is_deeply(\@stuck, [], 'every message comes to its end');
is_deeply(\@lost, [], 'nothing is lost');
is_deeply(\@twice, [], 'nothing is sent twice');
cmp_ok($ambiguous, '>', 0, "$ambiguous are reported as ambiguous");
cmp_ok($ambiguous, '<', $rounds / 3, 'and they are few');

my %covered;
$covered{$_}++ for split /\n/, Nudge::Sender::slurp("$dir/covered");
note join ', ', map { "$_ $covered{$_}" } sort keys %covered;
ok($covered{pwrite64} && $covered{fdatasync} && $covered{send},
   'at writes to the store, at syncs and at sends');
is_deeply([ $s->complaints ], [], 'no alerts');


# --- the disk is full: nothing is lost then, either

{
    my $t = Nudge::Sender->new(port => $smtp->{port}, after => '1s',
        mail => 'customers = true', env => {
            LD_PRELOAD => "$dir/killat.so", NUDGE_FULL => "$dir/full",
            ASAN_OPTIONS => 'verify_asan_link_order=0' });

    my $state = sub { $t->value("select state from message where visitor ="
                                . " '$_[0]{visitor}'") };
    my $mails = sub { my ($p) = @_;
        scalar grep { /^X-To: \Q$p->{email}\E\r$/m } $smtp->mails };

    $t->start;
    $t->wait(sub { $t->status->{pid} });

    # full while events come in

    my $p = $t->shopper('full1');
    Nudge::Sender::spew("$dir/full", '');
    $p->does('purchase', order => 'f1', email => $p->{email},
             t => int(time * 1000) - 30 * 86400_000);
    $p->adds;
    sleep 1.5;
    ok($t->running, 'disk full: still there');
    is($t->value('select count(*) from orders'), 0, 'nothing stored');
    unlink "$dir/full";
    ok($t->wait(sub { $state->($p) eq 'sent' }), 'room again: sent')
        or diag $state->($p);
    is($mails->($p), 1, 'once');

    # full between the final dot and its reply

    my $q = $t->shopper('full2');
    $smtp->mode('DOT wait');
    $q->does('purchase', order => 'f2', email => $q->{email},
             t => int(time * 1000) - 30 * 86400_000);
    $q->adds;
    ok($t->wait(sub { $smtp->reached('DOT') }), 'at the final dot');
    Nudge::Sender::spew("$dir/full", '');
    $smtp->go('DOT');
    sleep 1.5;
    is($state->($q), 'final', 'sent, and it cannot be written');
    unlink "$dir/full";
    ok($t->wait(sub { $state->($q) eq 'sent' }), 'written as soon as it can')
        or diag $state->($q);
    is($mails->($q), 1, 'and not sent again');
    $smtp->mode('');
    $t->stop;
}

done_testing();
