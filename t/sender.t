#!/usr/bin/perl

# The sender, driven as nginx drives it: from a cart in the journal to one
# mail at the relay, and what has to stop it on the way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Nudge::Sender;
use Nudge::SMTP;

plan skip_all => 'nudge is not built' if !-x $Nudge::Sender::PROGRAM;
plan skip_all => 'no sqlite3 shell' if !grep { -x "$_/sqlite3" }
                                         split /:/, $ENV{PATH};

my $s = Nudge::Sender->new(port => smtp()->{port});
my $smtp = $s->{smtp} = smtp();

sub smtp {
    our $sink ||= Nudge::SMTP->new(
        dir => File::Temp::tempdir(CLEANUP => 1));
    return $sink;
}

$s->start;
ok($s->wait(sub { $s->status->{pid} }), 'started, status written');
is($s->status->{v}, 1, 'status has its version');
is_deeply($s->status->{shops}, { demo => { sending => JSON::PP::true(),
          why => '' } }, 'the shop may send');


# --- one cart, one mail

{
    my $anna = $s->shopper('anna');
    my $id = $anna->subscribes;

    like($id, qr/^c[0-9a-f]{16}$/, 'a contact with an opaque id');
    ok($s->wait(sub { $smtp->mails == 1 }), 'double opt-in mail');

    my ($confirm) = $smtp->mails;
    like($confirm, qr/^X-To: anna\@example\.com\r$/m, 'to the right address');
    like($confirm, qr/confirm\?t=/, 'with a link to confirm');
    unlike($confirm, qr/List-Unsubscribe/, 'which is not marketing');

    ok($s->wait(sub { $s->value("select status from contact")
                      eq 'confirmed' }), 'confirmed');

    my $begin = time;
    $anna->adds;

    ok($s->wait(sub { $smtp->mails == 2 }), 'reminder');
    cmp_ok(time - $begin, '>', 0.95, 'not before its time');

    my (undef, $mail) = $smtp->mails;
    like($mail, qr/^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m,
         'one-click unsubscribe');
    like($mail, qr/Blue mug/, 'shows the cart');
    my ($claim) = $s->rows("select claim from message where flow ="
                           . " 'abandoned-cart'");
    like($mail, qr/^Message-ID: <\Q$claim\E\./m, 'Message-ID is the claim');

    ok($s->wait(sub { $s->value("select state from episode") eq 'done' }),
       'the episode is done');

    $anna->adds(quantity => 2);
    $s->settled;
    sleep 1.6;
    is(scalar($smtp->mails), 2, 'one episode a cart');

    my @ledger = $s->rows("select what, method, wording from consent"
                          . " order by id");
    is_deeply(\@ledger, [ 'asked|form|v1', 'confirmed|confirm|' ],
              'the consent ledger has both');
}


# --- nobody is written to who has not confirmed

{
    my $bob = $s->shopper('bob');
    $bob->does('identify', email => $bob->{email});
    $bob->adds;

    ok($s->wait(sub { $s->value("select reason from message where state ="
                      . " 'skipped'") eq 'not_confirmed' }),
       'an address typed at checkout is no consent');

    my $carl = $s->shopper('carl', joinable => 0);
    $carl->does('identify', email => $carl->{email});
    $carl->adds;
    $s->settled;
    is($s->value("select count(*) from contact where address like 'carl%'"),
       0, 'and without consent it is not even kept');
    is($s->value("select count(*) from message where visitor ="
                 . " '$carl->{visitor}'"), 0, 'nothing to send to nobody');
}


# --- asked, and the answer comes when the reminder is due already

{
    my $hanna = $s->shopper('hanna');
    my $mine = "visitor = '$hanna->{visitor}' and flow = 'abandoned-cart'";

    $hanna->adds;
    $hanna->does('subscribe', method => 'form', email => $hanna->{email});
    ok($s->wait(sub { $s->value("select state || ' ' || reason from message"
                                . " where $mine") eq 'queued not_confirmed' }),
       'not confirmed yet: held');
    is($s->value("select next - due from message where $mine"), 86400_001,
       'until it is overdue');

    $hanna->does('subscribe', method => 'confirm', contact => $hanna->id);
    ok($s->wait(sub { $s->value("select state from message where $mine")
                      eq 'sent' }), 'goes out when she has confirmed');
    is(scalar(grep { /^X-To: hanna/m && /List-Unsub/ } $smtp->mails), 1,
       'once');

    my $ida = $s->shopper('ida');
    $mine = "visitor = '$ida->{visitor}' and flow = 'abandoned-cart'";

    $ida->adds;
    $ida->does('subscribe', method => 'form', email => $ida->{email});
    $s->wait(sub { $s->value("select reason from message where $mine")
                   eq 'not_confirmed' });
    $ida->does('unsubscribe', contact => $ida->id, method => 'page');
    $ida->does('subscribe', method => 'confirm', contact => $ida->id);
    $s->settled;
    is($s->value("select state || ' ' || reason from message where $mine"),
       'skipped unsubscribed', 'who says no meanwhile is left alone');
}


# --- what stops a reminder

my %stops = (
    order => sub { $_[0]->does('purchase', order => 'o1') },
    'guest order with the address' => sub {
        my $other = $s->shopper("$_[1]-phone", joinable => 0);
        $other->does('purchase', order => 'o2', email => uc $_[0]{email});
    },
    unsubscribe => sub {
        $_[0]->does('unsubscribe', contact => $_[0]->id, method => 'page');
    },
    'cart emptied' => sub {
        $_[0]->does('view_cart', snapshot => JSON::PP::true(), cart => []);
    },
    gap => sub {
        my $now = int(time * 1000);
        $s->journal->add({ e => 'gap', from => $now - 10, to => $now });
    },
    'consent withdrawn' => sub { $_[0]->does('consent',
                                             reason => 'withdrawn') },
    logout => sub { $_[0]->does('logout') },
);

my %reasons = (
    order => 'ordered', 'guest order with the address' => 'ordered',
    unsubscribe => 'unsubscribed', 'cart emptied' => 'cart_empty',
    gap => 'gap', 'consent withdrawn' => 'withdrawn', logout => 'logout',
);

my $n = 0;

for my $what (sort keys %stops) {
    my $name = 'dora' . ++$n;
    my $dora = $s->shopper($name);
    $dora->subscribes;

    # should all this take longer than the reminder waits, it waits there

    $smtp->mode('DATA wait');
    $dora->adds;
    $s->settled;

    my $v = $dora->{visitor};
    is($s->value("select state from episode where visitor = '$v'"), 'open',
       "$what: before");

    $stops{$what}->($dora, $name);
    $s->settled;

    is($s->value("select state || ' ' || reason from episode where visitor ="
                 . " '$v'"), "void $reasons{$what}", "$what: stops it");

    $smtp->go('DATA');
    $s->wait(sub { !$s->value("select count(*) from message where state in"
                              . " ('taken', 'attempt', 'final')") });
    $smtp->mode('');
}

sleep 1.5;
is(scalar(grep { /^X-To: dora/m && /List-Unsubscribe/ } $smtp->mails), 0,
   'none of them got a reminder');


# --- after an order

{
    my $emil = $s->shopper('emil');
    $emil->subscribes;
    $emil->does('purchase', order => 'o9', value => 12.5, currency => 'EUR');
    $emil->does('purchase', order => 'o9', value => 12.5, currency => 'EUR');
    $s->settled;
    is($s->value("select count(*) from orders where id = 'o9'"), 1,
       'an order counts once');

    $emil->adds;
    ok($s->wait(sub { $s->value("select reason from message where visitor ="
                      . " '$emil->{visitor}' and state = 'skipped'")
                      eq 'after_order' }), 'a day of silence after an order');
}


# --- an order that may just be happening

{
    my $fred = $s->shopper('fred');
    $fred->subscribes;
    $fred->adds;
    $fred->does('order_attempt', attempt => 'a1');

    ok($s->wait(sub { $s->value("select reason from message where visitor ="
                      . " '$fred->{visitor}' and state = 'queued'")
                      eq 'order_pending' }), 'held while it is unresolved');

    $fred->does('order_failed', attempt => 'a1');
    ok($s->wait(sub { grep { /^X-To: fred/m && /List-Unsub/ }
                      $smtp->mails }), 'goes out when it failed');
}


# --- asking twice

{
    my $gina = $s->shopper('gina');
    my $before = $smtp->mails;

    $gina->does('subscribe', method => 'form', email => $gina->{email})
        for 1 .. 3;
    $s->wait(sub { $smtp->mails > $before });
    sleep 0.5;
    is(scalar($smtp->mails), $before + 1,
       'one double opt-in mail a day, however often the form is sent');
}


# --- the command line

{
    my ($out, $rc) = $s->run('contact', 'show', '-d', $s->{state},
                             'anna@example.com');
    is($rc, 0, 'contact show');
    like($out, qr/status\s+confirmed/, 'tells the status');
    like($out, qr/abandoned-cart 1 sent/, 'and what was sent');

    (undef, $rc) = $s->run('contact', 'show', '-d', $s->{state}, 'nobody@x.y');
    is($rc, 1, 'contact show of nobody fails');
}

# --- the log is opened anew

{
    my $log = $s->log;
    rename $log, "$log.1" or die;
    kill 'USR1', $s->{pid};
    ok($s->wait(sub { -e $log }), 'USR1: the log is opened anew');
}

cmp_ok($s->stop, '<', 4, 'drains in time');
like(Nudge::Sender::slurp($s->log),
     qr{^[\d/]{10} [\d:]{8} \[notice\] \d+#0: nudge sender: exited$}m,
     'and says so there');
is($s->{exit}, 0, 'and exits cleanly');
is_deeply([ $s->complaints ], [], 'no alerts');
unlike(join('', map { Nudge::Sender::slurp($_) } glob $s->log . '*'),
       qr/\@example/, 'no address in the log');

done_testing();
