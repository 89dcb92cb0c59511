#!/usr/bin/perl

# nudge simulate: the sender's own decisions on a journal's own clock.  Also
# where rules that take days are tested: restarts, caps, gaps, quiet hours
# across a change of the clocks, overdue, double steps.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::Local qw(timegm);

use Nudge::Sender;

plan skip_all => 'nudge is not built' if !-x $Nudge::Sender::PROGRAM;

# "2026-03-28 22:00" in UTC, as milliseconds

sub at {
    my ($y, $mo, $d, $h, $mi, $s) = $_[0]
        =~ /^(\d+)-(\d+)-(\d+) (\d+):(\d+)(?::(\d+))?$/ or die $_[0];
    return 1000 * timegm($s || 0, $mi, $h, $d, $mo - 1, $y);
}

my $anna = '61' x 16;
my $phone = '62' x 16;
my %person = (visitor => $anna, joinable => JSON::PP::true());
my %mug = (id => '19', name => 'Blue mug', url => '/mug', image => '/mug.svg',
           price => 12.5, currency => 'EUR', quantity => 1);

# somebody we may write to without a word about subscriptions: accept
# customers, and let there be an old order

sub customer {
    my ($day, %who) = @_;

    return ({ e => 'purchase', t => at("$day 00:00"), order => "old$day",
              email => 'anna@example.com', %person, %who });
}

sub add {
    my ($when, %more) = @_;

    return { e => 'add_to_cart', t => at($when), items => [ { %mug } ],
             %person, %more };
}

# a cart on each of these days, emptied in the evening

sub carts {
    my @days = @_;

    return map { (add("2026-01-$_ 10:00"),
                  { e => 'view_cart', t => at("2026-01-$_ 20:00"), %person,
                    snapshot => JSON::PP::true(), cart => [] }) } @days;
}

# the lines of a simulation, without contact ids; who: with visitors

sub simulate {
    my ($opt, @events) = @_;

    my $s = Nudge::Sender->new(mail => 'customers = true', after => '4h',
                               %$opt);
    my $j = $s->journal;
    $j->add($_) for @events;

    my ($out, $rc) = $s->run('simulate', '-c', "$s->{dir}/nudge.lua", '-s',
                             $Nudge::Sender::SHARE, $j->{dir});
    is($rc, 0, 'exit code') or diag $out;
    $out =~ s/  contact \S+//g;
    $out =~ s/  visitor \S+//g if !$opt->{who};

    return [ split /\n/, $out ];
}

# --- the plain case, and its end

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00')),
    [ '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'four hours after the last change');

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'purchase', t => at('2026-01-10 13:59:59'),
                     order => 'new', %person }),
    [ '2026-01-10 13:59:59 UTC  skip  abandoned-cart step 1  ordered',
      '3 events: 0 messages would be sent, 1 not' ],
    'an order a second before');

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'purchase', t => at('2026-01-10 12:00'),
                     order => 'new', email => 'ANNA@example.com',
                     visitor => $phone }),
    [ '2026-01-10 12:00:00 UTC  skip  abandoned-cart step 1  ordered',
      '3 events: 0 messages would be sent, 1 not' ],
    'a guest order on a second device, known by its address');

is_deeply(simulate({}, add('2026-01-10 10:00')),
    [ '2026-01-11 14:00:00 UTC  skip  abandoned-cart step 1  no_contact',
      '1 events: 0 messages would be sent, 1 not' ],
    'nobody to write to');

is_deeply(simulate({}, add('2026-01-10 10:00'),
                   { e => 'identify', email => 'anna@example.com', %person,
                     t => at('2026-01-10 20:00') }),
    [ '2026-01-10 20:00:00 UTC  skip  abandoned-cart step 1  not_confirmed',
      '2 events: 0 messages would be sent, 1 not' ],
    'known too late, and never asked');

# --- subscribers: the ids are those of the store the journal was made for

sub asks {
    my ($when, $email, %more) = @_;

    return { e => 'subscribe', method => 'form', email => $email, %person,
             offer => 'popup', text => 'v1', t => at($when), %more };
}

sub answers {
    my ($when, $e, $id, %more) = @_;

    return { e => $e, contact => sprintf('c%016x', $id), t => at($when),
             ($e eq 'subscribe' ? (method => 'confirm') : ()), %more };
}

is_deeply(simulate({}, asks('2026-01-10 09:00', 'anna@example.com'),
                   answers('2026-01-10 09:05', 'subscribe', 7),
                   add('2026-01-10 10:00')),
    [ '2026-01-10 09:00:00 UTC  send  confirm step 1',
      '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '3 events: 2 messages would be sent, 0 not' ],
    'asked, confirmed, reminded');

is_deeply(simulate({}, add('2026-01-10 10:00'),
                   asks('2026-01-10 10:30', 'anna@example.com'),
                   answers('2026-01-11 13:59', 'subscribe', 7)),
    [ '2026-01-10 10:30:00 UTC  send  confirm step 1',
      '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1'
      . '  not_confirmed until 2026-01-11 14:00:00 UTC',
      '2026-01-11 13:59:00 UTC  send  abandoned-cart step 1',
      '3 events: 2 messages would be sent, 0 not' ],
    'confirmed when the reminder had been due for almost a day');

is_deeply(simulate({}, add('2026-01-10 10:00'),
                   asks('2026-01-10 10:30', 'anna@example.com'),
                   answers('2026-01-11 14:01', 'subscribe', 7)),
    [ '2026-01-10 10:30:00 UTC  send  confirm step 1',
      '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1'
      . '  not_confirmed until 2026-01-11 14:00:00 UTC',
      '2026-01-11 14:00:00 UTC  skip  abandoned-cart step 1  not_confirmed',
      '3 events: 1 messages would be sent, 1 not' ],
    'and for more than a day');

is_deeply(simulate({}, add('2026-01-10 10:00'),
                   asks('2026-01-10 10:30', 'anna@example.com'),
                   { e => 'purchase', t => at('2026-01-10 15:00'),
                     order => 'new', %person },
                   answers('2026-01-10 16:00', 'subscribe', 7)),
    [ '2026-01-10 10:30:00 UTC  send  confirm step 1',
      '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1'
      . '  not_confirmed until 2026-01-11 14:00:00 UTC',
      '2026-01-10 15:00:00 UTC  skip  abandoned-cart step 1  ordered',
      '4 events: 1 messages would be sent, 1 not' ],
    'an order meanwhile');

is_deeply(simulate({}, add('2026-01-10 10:00'),
                   asks('2026-01-10 10:30', 'anna@example.com'),
                   answers('2026-01-10 11:00', 'subscribe', 7),
                   answers('2026-01-10 13:00', 'unsubscribe', 7),
                   answers('2026-01-10 13:30', 'subscribe', 7)),
    [ '2026-01-10 10:30:00 UTC  send  confirm step 1',
      '2026-01-10 13:00:00 UTC  skip  abandoned-cart step 1  unsubscribed',
      '5 events: 1 messages would be sent, 1 not' ],
    'the same id is the same person: unsubscribed stays');

my @two = (add('2026-01-10 10:00'), add('2026-01-10 10:00', visitor => $phone),
           asks('2026-01-10 10:10', 'anna@example.com'),
           asks('2026-01-10 10:20', 'bert@example.com', visitor => $phone));
my @asked = ('2026-01-10 10:10:00 UTC  send  confirm step 1  visitor 61616161',
             '2026-01-10 10:20:00 UTC  send  confirm step 1  visitor 62626262');
my $waits = '  not_confirmed until 2026-01-11 14:00:00 UTC';

for my $t ([ 'in a browser nobody knows: who has waited longest', 61, 62 ],
           [ 'in the browser that asked: that one', 62, 61, visitor => $phone ])
{
    my ($what, $sent, $held, %where) = @$t;
    my $lines = simulate({ who => 1 }, @two,
                         answers('2026-01-10 11:00', 'subscribe', 7, %where));

    is_deeply([ splice @$lines, 0, 2 ], \@asked, 'both are asked');
    is_deeply([ sort @$lines ], [
      '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1  visitor '
      . $held x 4 . $waits,
      '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1  visitor '
      . $sent x 4,
      '2026-01-11 14:00:00 UTC  skip  abandoned-cart step 1  visitor '
      . $held x 4 . '  not_confirmed',
      '5 events: 3 messages would be sent, 1 not' ], $what);
}

is_deeply([ grep { /abandoned|events/ }
            @{ simulate({ who => 1 }, @two,
                        answers('2026-01-10 11:00', 'subscribe', 7),
                        answers('2026-01-10 11:10', 'subscribe', 7),
                        answers('2026-01-10 11:20', 'subscribe', 8),
                        answers('2026-01-10 11:30', 'unsubscribe', 7)) } ],
    [ '2026-01-10 11:30:00 UTC  skip  abandoned-cart step 1  visitor 61616161'
      . '  unsubscribed',
      '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1  visitor 62626262',
      '8 events: 3 messages would be sent, 1 not' ],
    'each id is one person, however often the button is pressed');

is_deeply(simulate({}, asks('2026-01-01 10:00', 'anna@example.com'),
                   answers('2026-01-08 10:01', 'subscribe', 7),
                   answers('2026-01-08 10:02', 'unsubscribe', 8)),
    [ '2026-01-01 10:00:00 UTC  send  confirm step 1',
      '2 events were of contacts that are not in this journal',
      '3 events: 1 messages would be sent, 0 not' ],
    'the link has died: another person, and one more');

is_deeply(simulate({}, customer('2026-01-01'), carts(10),
                   answers('2026-01-11 15:00', 'unsubscribe', 7), carts(20)),
    [ '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '2026-01-20 14:00:00 UTC  skip  abandoned-cart step 1  unsubscribed',
      '6 events: 1 messages would be sent, 1 not' ],
    'an unsubscribe of somebody new: who was written to last');

# --- restarts

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   add('2026-01-10 12:00'),
                   { e => 'view_item', t => at('2026-01-10 15:00'),
                     items => [ { %mug } ], %person }),
    [ '2026-01-10 16:00:00 UTC  send  abandoned-cart step 1',
      '4 events: 1 messages would be sent, 0 not' ],
    'a change restarts the clock, a view does not');

is_deeply(simulate({}, customer('2026-01-01'),
                   map { add(sprintf '2026-01-%02d %02d:00', 10 + int($_ / 24),
                             $_ % 24) } map { $_ * 3 } 0 .. 12),
    [ '2026-01-11 04:00:00 UTC  send  abandoned-cart step 1',
      '14 events: 1 messages would be sent, 0 not' ],
    'restarts are capped at a day');

# --- the silence after an order

is_deeply(simulate({}, customer('2026-01-09'), add('2026-01-09 10:00')),
    [ '2026-01-09 14:00:00 UTC  skip  abandoned-cart step 1  after_order',
      '2 events: 0 messages would be sent, 1 not' ],
    'a day of silence after an order');

# --- an attempt holds

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'order_attempt', attempt => 'a', %person,
                     t => at('2026-01-10 13:00') },
                   { e => 'order_failed', attempt => 'a', %person,
                     t => at('2026-01-10 15:00') }),
    [ '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1'
      . '  order_pending until 2026-01-11 13:00:00 UTC',
      '2026-01-10 15:00:00 UTC  send  abandoned-cart step 1',
      '4 events: 1 messages would be sent, 0 not' ],
    'an unresolved attempt holds until it has failed');

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'order_attempt', attempt => 'a', %person,
                     t => at('2026-01-10 13:00') }),
    [ '2026-01-10 14:00:00 UTC  hold  abandoned-cart step 1'
      . '  order_pending until 2026-01-11 13:00:00 UTC',
      '2026-01-11 13:00:00 UTC  send  abandoned-cart step 1',
      '3 events: 1 messages would be sent, 0 not' ],
    'for a day at most');

# --- moderation

is_deeply(simulate({ moderation => 'quiet = { "00:00", "00:00" },'
                     . ' email = { max = 2, per = "1w", gap = "0s" }' },
                   customer('2026-01-01'), carts(10, 12, 14, 20)),
    [ '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '2026-01-12 14:00:00 UTC  send  abandoned-cart step 1',
      '2026-01-14 14:00:00 UTC  skip  abandoned-cart step 1  cap',
      '2026-01-20 14:00:00 UTC  send  abandoned-cart step 1',
      '9 events: 3 messages would be sent, 1 not' ],
    'two a week');

my $twice = 'flow "abandoned-cart" { on = "cart_abandoned", after = "4h",'
          . ' { mail = "cart-reminder" },'
          . ' { mail = "cart-reminder", after = "2h" } }';

is_deeply(simulate({ flow => $twice, moderation => 'quiet = { "00:00",'
                     . ' "00:00" }, email = { max = 9, per = "1w",'
                     . ' gap = "16h" }' },
                   customer('2026-01-01'), add('2026-01-10 10:00')),
    [ '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '2026-01-10 16:00:00 UTC  hold  abandoned-cart step 2'
      . '  too_soon until 2026-01-11 06:00:00 UTC',
      '2026-01-11 06:00:00 UTC  send  abandoned-cart step 2',
      '2 events: 2 messages would be sent, 0 not' ],
    'sixteen hours between two');

# --- quiet hours

my $quiet = 'quiet = { "21:00", "08:00" }, email = { max = 99, per = "1d",'
          . ' gap = "0s" }';
my %madrid = (timezone => 'Europe/Madrid', moderation => $quiet);

is_deeply(simulate({ %madrid }, customer('2026-03-01'),
                   add('2026-03-28 22:00')),
    [ '2026-03-29 02:00:00 UTC  hold  abandoned-cart step 1'
      . '  quiet until 2026-03-29 06:00:00 UTC',
      '2026-03-29 06:00:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'eight o\'clock on the morning after the clocks went forward');

is_deeply(simulate({ %madrid }, customer('2026-10-01'),
                   add('2026-10-24 20:30')),
    [ '2026-10-25 00:30:00 UTC  hold  abandoned-cart step 1'
      . '  quiet until 2026-10-25 07:00:00 UTC',
      '2026-10-25 07:00:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'and after they went back');

is_deeply(simulate({ timezone => 'Europe/Madrid', moderation =>
                     'quiet = { "21:00", "02:30" }, email = { max = 99,'
                     . ' per = "1d", gap = "0s" }' }, customer('2026-03-01'),
                   add('2026-03-28 19:00')),
    [ '2026-03-28 23:00:00 UTC  hold  abandoned-cart step 1'
      . '  quiet until 2026-03-29 01:00:00 UTC',
      '2026-03-29 01:00:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'an end of the night that does not exist on that day');

is_deeply(simulate({ %madrid }, customer('2055-07-01'),
                   add('2055-07-10 17:30')),
    [ '2055-07-10 21:30:00 UTC  hold  abandoned-cart step 1'
      . '  quiet until 2055-07-11 06:00:00 UTC',
      '2055-07-11 06:00:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'summer time in a year no table reaches');

is_deeply(simulate({ timezone => 'Asia/Kolkata', moderation => $quiet },
                   customer('2026-01-01'), add('2026-01-10 12:00')),
    [ '2026-01-10 16:00:00 UTC  hold  abandoned-cart step 1'
      . '  quiet until 2026-01-11 02:30:00 UTC',
      '2026-01-11 02:30:00 UTC  send  abandoned-cart step 1',
      '2 events: 1 messages would be sent, 0 not' ],
    'a zone half an hour off');

# --- gaps in the journal, sold-out products

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'gap', t => at('2026-01-10 11:00'),
                     from => at('2026-01-10 10:30'),
                     to => at('2026-01-10 11:00') }),
    [ '2026-01-10 11:00:00 UTC  skip  abandoned-cart step 1  gap',
      '3 events: 0 messages would be sent, 1 not' ],
    'what happened in a gap is not known');

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'gap', t => at('2026-01-10 11:00'), from => 1,
                     shop => 'other', to => at('2026-01-10 11:00') })->[0],
    '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
    'a gap of another shop');

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'view_item', t => at('2026-01-10 11:00'),
                     items => [ { %mug, stock => 'out' } ],
                     visitor => $phone }),
    [ '2026-01-10 14:00:00 UTC  skip  abandoned-cart step 1  sold_out',
      '3 events: 0 messages would be sent, 1 not' ],
    'sold out since, as another visitor\'s page told');

# --- two devices of one person

is_deeply(simulate({}, customer('2026-01-01'), add('2026-01-10 10:00'),
                   { e => 'login', t => at('2026-01-10 10:10'),
                     email => 'anna@example.com', joinable =>
                     JSON::PP::true(), visitor => $phone },
                   add('2026-01-10 10:20', visitor => $phone)),
    [ '2026-01-10 14:00:00 UTC  send  abandoned-cart step 1',
      '2026-01-10 14:20:00 UTC  skip  abandoned-cart step 1  reminded',
      '4 events: 1 messages would be sent, 1 not' ],
    'the same person on two devices is reminded once');

# --- bots

is_deeply(simulate({}, customer('2026-01-01'),
                   add('2026-01-10 10:00', bot => JSON::PP::true())),
    [ '2 events: 0 messages would be sent, 0 not' ], 'a bot has no cart');

# --- mistakes

{
    my $s = Nudge::Sender->new;
    my ($out, $rc) = $s->run('simulate', '-c', "$s->{dir}/nudge.lua", '-s',
                             $Nudge::Sender::SHARE, "$s->{dir}/none");
    is($rc, 1, 'no such journal');
    like($out, qr/none": No such file/, 'says so');

    ($out, $rc) = $s->run('frobnicate');
    is($rc, 2, 'unknown verb');

    ($out, $rc) = $s->run('check', '-s', $Nudge::Sender::SHARE,
                          "$s->{dir}/nudge.lua");
    is($rc, 0, 'check') or diag $out;

    Nudge::Sender::spew("$s->{dir}/bad.lua", "shop { id = \"x\" }\nflow {\n");
    ($out, $rc) = $s->run('check', '-s', $Nudge::Sender::SHARE,
                          "$s->{dir}/bad.lua");
    is($rc, 1, 'check of a broken campaign');
    like($out, qr/bad\.lua:\d+: /, 'names file and line');

    $s->journal->add({ e => 'search', text => 'mugs' });
    ($out, $rc) = $s->run('events', $s->journal->{dir});
    like($out, qr/^\{.*"e":"search".*\}$/m, 'events');
}

done_testing();
