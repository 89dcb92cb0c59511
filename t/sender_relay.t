#!/usr/bin/perl

# A relay that refuses, defers, stalls and cuts the line at every verb, and an
# order that arrives at every step of a send: never two mails, never one after
# the order, nothing forgotten.

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

my $smtp = Nudge::SMTP->new(dir => tempdir(CLEANUP => 1));
my $s = Nudge::Sender->new(port => $smtp->{port}, mail => 'customers = true');

$s->start;
$s->wait(sub { $s->status->{pid} });

my $n = 0;

# somebody with a cart who may be written to: a customer of old

sub shopper {
    my $name = sprintf 'p%02d', ++$n;
    my $p = $s->shopper($name);

    $p->does('purchase', order => "old-$name", email => $p->{email},
             t => int(time * 1000) - 30 * 86400_000);
    return $p;
}

sub mails { my ($p) = @_;
    return scalar grep { /^X-To: \Q$p->{email}\E\r$/m } $smtp->mails }

sub state { my ($p) = @_;
    return $s->value("select state || ' ' || reason from message where"
                     . " visitor = '$p->{visitor}'") }


# --- replies

my @replies = (
    [ 'MAIL 451 4.3.0 later', 'queued relay_later' ],
    [ 'RCPT 450 4.2.0 greylisted', 'queued relay_later' ],
    [ 'DATA 451 4.3.0 later', 'queued relay_later' ],
    [ 'DOT 452 4.3.1 full', 'queued relay_later' ],
    [ 'RCPT 550 5.1.1 nobody here', 'dead bad_address' ],
    [ 'DATA 554 5.7.1 no', 'dead refused' ],
    [ 'DOT 554 5.7.1 spam', 'dead refused' ],
    [ 'MAIL cut', 'queued relay_later' ],
    [ 'RCPT cut', 'queued relay_later' ],
    [ 'DATA cut', 'queued relay_later' ],
    [ 'DOT cut', 'ambiguous no_reply' ],
);

for my $case (@replies) {
    my ($mode, $want) = @$case;
    my $p = shopper();

    $smtp->mode($mode);
    $p->adds;
    ok($s->wait(sub { state($p) eq $want }), "\"$mode\": $want")
        or diag state($p);
    is(mails($p), $want =~ /^ambiguous/ ? 1 : 0, "\"$mode\": mails");

    # the retry is a minute later, give or take; on a slow machine that may be
    # within this test, so it is put off

    if ($mode =~ /^DOT 452/) {
        my $wait = $s->value("select next - attempted from message where"
                             . " visitor = '$p->{visitor}'");
        cmp_ok($wait, '>', 60_000, 'retried after a minute');
        cmp_ok($wait, '<', 80_000, 'with a little jitter');
    }

    $s->change("update message set next = next + 3600000 where state ="
               . " 'queued'");

    if ($want =~ /bad_address/) {
        is($s->value("select count(*) from suppression where reason ="
                     . " 'bounced'"), 1, 'a dead address is suppressed');
        my $again = $s->shopper('again');
        $again->does('identify', email => $p->{email});
        $again->adds;
        ok($s->wait(sub { state($again) eq 'skipped suppressed' }),
           'and not written to again') or diag state($again);
    }
}

# --- the relay comes back, the messages go out, once

$smtp->mode('');
$s->stop;
my @waiting = $s->rows("select visitor from message where state = 'queued'");
cmp_ok(scalar @waiting, '>', 5, 'messages wait');
my $before = $smtp->mails;
$s->change("update message set next = 0 where state = 'queued'");
$s->start;
ok($s->wait(sub { $s->value("select count(*) from message where state ="
                  . " 'queued'") == 0 }), 'all gone out');
is(scalar($smtp->mails), $before + @waiting, 'each once');
is($s->value("select count(*) from message where state = 'ambiguous'"), 1,
   'the ambiguous one is reported, not repeated');


# --- nobody there

$smtp->stop;
{
    my $p = shopper();
    $p->adds;
    ok($s->wait(sub { state($p) eq 'queued relay_down' }),
       'no relay: held') or diag state($p);
    $smtp->start;
    $s->stop;
    $s->change("update message set next = 0 where state = 'queued'");
    $s->start;
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'relay back: sent')
        or diag state($p);
    is(mails($p), 1, 'once');
}


# --- given up after a day

{
    my $p = shopper();
    $smtp->mode('RCPT 450 4.2.0 later');
    $p->adds;
    $s->wait(sub { state($p) eq 'queued relay_later' });
    $s->stop;
    $s->change("update message set due = due - 86370000, next = 0,"
               . " tries = 12 where state = 'queued'");
    $s->start;
    ok($s->wait(sub { state($p) eq 'dead gave_up' }),
       'given up when the next try would be too late') or diag state($p);
    $smtp->mode('');
}


# --- an order at each step

for my $verb (qw(CONNECT EHLO MAIL RCPT DATA)) {
    my $p = shopper();

    $s->stop;               # no connection kept
    $s->start;
    $smtp->mode("$verb wait");
    $p->adds;
    ok($s->wait(sub { $smtp->reached($verb) }, 12), "$verb: reached");
    $p->does('purchase', order => "new-$verb");
    $smtp->go($verb);
    ok($s->wait(sub { state($p) eq 'skipped ordered' }), "$verb: ordered")
        or diag state($p);
    $smtp->mode('');
    sleep 0.3;
    is(mails($p), 0, "$verb: no mail");
}

cmp_ok($smtp->partial, '>=', 1, 'the line was cut before the final dot');

{
    my $p = shopper();

    $smtp->mode('DOT wait');
    $p->adds;
    $s->wait(sub { $smtp->reached('DOT') }, 12);
    $p->does('purchase', order => 'late');
    $s->settled;
    $smtp->go('DOT');
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'after the dot it is sent')
        or diag state($p);
    is(mails($p), 1, 'and stays one');
    $smtp->mode('');
}

# an unsubscribe and an attempt while the relay thinks

for my $case ([ unsubscribe => 'skipped unsubscribed' ],
              [ order_attempt => 'queued order_pending' ])
{
    my ($what, $want) = @$case;
    my $p = shopper();

    $smtp->mode('DATA wait');
    $p->adds;
    $s->wait(sub { $smtp->reached('DATA') }, 12);
    $p->does($what, attempt => 'x', contact => $p->id);
    $smtp->go('DATA');
    ok($s->wait(sub { state($p) eq $want }), "$what at DATA: $want")
        or diag state($p);
    is(mails($p), 0, "$what at DATA: no mail");
    $smtp->mode('');
}


# --- killed at the worst moments

for my $case ([ 'DATA wait', qr/^sent/, 1 ],
              [ 'DOT wait', qr/^ambiguous interrupted/, 1 ],
              [ 'RCPT wait', qr/^sent/, 1 ])
{
    my ($mode, $want, $mails) = @$case;
    my ($verb) = $mode =~ /(\w+)/;
    my $p = shopper();

    $smtp->mode($mode);
    $p->adds;
    $s->wait(sub { $smtp->reached($verb) }, 12);
    $s->kill9;
    $smtp->go($verb);
    $smtp->mode('');
    $s->start;
    ok($s->wait(sub { state($p) =~ $want }), "killed at $verb: "
       . state($p)) or diag state($p);
    sleep 0.5;
    is(mails($p), $mails, "killed at $verb: one mail");
}


# --- a campaign may want the ambiguous ones repeated

{
    my $t = Nudge::Sender->new(port => $smtp->{port},
        mail => 'customers = true', flow => 'flow "abandoned-cart" {'
        . ' on = "cart_abandoned", after = "1s", ambiguous = "resend",'
        . ' { mail = "cart-reminder" } }');
    my $p = $t->shopper('resend');

    $t->start;
    $t->wait(sub { $t->status->{pid} });
    $smtp->mode('DOT cut');
    $p->does('purchase', order => 'r', email => $p->{email},
             t => int(time * 1000) - 30 * 86400_000);
    $p->adds;
    ok($t->wait(sub { $t->value("select reason from message where state ="
                      . " 'queued'") eq 'ambiguous' }), 'resend: waits');
    $t->stop;
    $smtp->mode('');
    $t->change('update message set next = 0');
    $t->start;
    ok($t->wait(sub { $t->value('select state from message') eq 'sent' }),
       'resend: sent again');
    $t->stop;

    my @ids = map { /^Message-ID: (\S+)/m }
              grep { /^X-To: resend/m } $smtp->mails;
    is(scalar @ids, 2, 'resend: two mails');
    is($ids[0], $ids[1], 'resend: with one Message-ID');
}


# --- a drain does not wait for a relay that stalls

{
    my $p = shopper();

    $smtp->mode('MAIL tarpit 20');
    $p->adds;
    $s->wait(sub { $smtp->reached('MAIL') }, 12);
    cmp_ok($s->stop, '<', 4, 'TERM during a stall: drains in time');
    $smtp->mode('');
    $s->start;
    ok($s->wait(sub { state($p) =~ /^sent/ }), 'and goes on afterwards')
        or diag state($p);
    is(mails($p), 1, 'once');
    cmp_ok($s->stop('link'), '<', 4, 'the parent\'s end drains it, too');
}

is_deeply([ $s->complaints ], [], 'no alerts');

done_testing();
