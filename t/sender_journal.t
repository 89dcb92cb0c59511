#!/usr/bin/perl

# The journal, read: exactly once whatever happens to the sender or to the
# files; segments deleted when they are read and let go of, and not before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(:flock);
use Test::More;
use Time::HiRes qw(sleep time);

use Nudge::Sender;

plan skip_all => 'nudge is not built' if !-x $Nudge::Sender::PROGRAM;
plan skip_all => 'no sqlite3 shell' if !grep { -x "$_/sqlite3" }
                                         split /:/, $ENV{PATH};

my $s = Nudge::Sender->new;
my $j = $s->journal;
my $n = 0;

sub order {
    my (%more) = @_;

    return { e => 'purchase', order => 'o' . ++$n, %more };
}

# each order of ours raises this by one; a second effect would, too

sub orders { return $s->value("select value from counter where name ="
                              . " 'orders'") || 0 }
sub stored { return $s->value('select count(*) from orders') || 0 }


# --- kill -9 while it reads

{
    my $want = 0;

    for my $round (1 .. 12) {
        $s->start;
        my $end = time + 0.15 + rand 0.35;

        while (time < $end) {
            $j->add(map { order(), { e => 'search', text => 'x' x 200 } }
                    1 .. 20);
            $want += 20;
            $j->rotate if rand() < 0.2;
            sleep 0.005;
        }

        $s->kill9;
    }

    $s->start;
    ok($s->wait(sub { stored() == $want }, 20), "$want orders stored")
        or diag stored();
    is(orders(), $want, 'each had its effect once');
    ok($s->wait(sub { my @left = glob "$j->{dir}/journal.*"; @left == 1 }),
       'old segments are gone') or diag join ' ', glob "$j->{dir}/*";
}


# --- a segment somebody still holds

{
    my $held = $j->path;

    open my $fh, '>>', $held or die;
    flock $fh, LOCK_SH or die;

    $j->rotate;
    $j->add(order());
    $s->settled;
    sleep 1.2;
    ok(-e $held, 'a held segment stays');

    syswrite $fh, Nudge::Journal::frame($j->event(order()));
    ok($s->wait(sub { stored() == $n }), 'and is read on')
        or diag stored() . " of $n";
    close $fh;
    ok($s->wait(sub { !-e $held }), 'until it is let go of');
}


# --- the same event twice

{
    my ($json) = $j->add({ e => 'order_attempt', attempt => 'twice' },
                         { e => 'gap', from => 1, to => 2 });
    $s->settled;
    my $gaps = $s->value("select value from counter where name = 'gaps'");
    my @again = grep { $_->{e} eq 'gap' } Nudge::Journal::read($j->{dir});
    $j->append(Nudge::Journal::frame(JSON::PP->new->canonical->encode(
        $again[-1])));
    $s->settled;
    is($s->value("select value from counter where name = 'gaps'"), $gaps,
       'told by its id');
    is($s->value("select value from counter where name = 'repeated'"), 1,
       'and counted');
}


# --- ids out of order, as several workers write them

{
    my $before = stored();
    my @json = map { $j->event(order()) } 1 .. 50;
    $j->append(join '', map { Nudge::Journal::frame($_) } reverse @json);
    ok($s->wait(sub { stored() == $before + 50 }), 'none lost');
}


# --- damage

{
    my $before = stored();
    my $frame = Nudge::Journal::frame($j->event(order()));

    $j->append(substr $frame, 0, 40);               # torn
    $j->append("\nN1 00000000 5 hello\n");          # wrong sum
    $j->append("garbage\n" x 100);
    $j->append(Nudge::Journal::frame('not json'));
    $j->append(Nudge::Journal::frame('{"v":1,"e":"no such thing"}'));
    $j->append(Nudge::Journal::frame('{"v":99,"e":"purchase"}'));
    $j->add(order());
    ok($s->wait(sub { stored() == $before + 1 }), 'the next record is read');
}


# --- a record that comes in pieces

{
    my $before = stored();
    my $frame = Nudge::Journal::frame($j->event(order()));

    for my $part ($frame =~ /(.{1,7})/gs) {
        $j->append($part);
        sleep 0.02;
    }

    ok($s->wait(sub { stored() == $before + 1 }), 'read once it is whole');
}


# --- the segment cut, replaced, gone

{
    my $before = stored();

    truncate $j->path, 0 or die;
    $j->add(order());
    ok($s->wait(sub { stored() == $before + 1 }), 'cut to nothing, goes on');

    unlink $j->path or die;
    $j->add(order());
    ok($s->wait(sub { stored() == $before + 2 }), 'replaced, goes on');

    $s->stop;
    unlink $j->path or die;
    $j->add(order());
    $s->start;
    ok($s->wait(sub { stored() == $before + 3 }),
       'replaced while nobody looked');

    $s->stop;
    my $copy = Nudge::Sender::slurp($j->path);
    unlink $j->path or die;
    Nudge::Sender::spew($j->path, $copy);
    $j->add(order());
    $s->start;
    ok($s->wait(sub { stored() == $before + 4 }), 'restored from a copy');

    system 'rm', '-r', $j->{dir};
    sleep 0.7;
    mkdir $j->{dir}, 0700;
    ok($s->running, 'the directory gone: still there');
    $s->stop;
    $j->{generation} = 1;
    $j->add(order());
    $s->start;
    ok($s->wait(sub { stored() == $before + 5 }), 'generations begin anew');
    is(orders(), stored(), 'and none was counted twice');
}


# --- a backlog does not keep it from leaving

{
    my $before = stored();

    $s->stop;
    my @json = map { $j->event({ e => 'view_item', visitor => sprintf('%032x',
        $_ % 997), items => [ { id => "p$_", name => 'x' } ] }) } 1 .. 40000;
    $j->append(join '', map { Nudge::Journal::frame($_) } @json);
    $j->add(order());
    $s->start;
    sleep 0.5;
    cmp_ok($s->stop, '<', 4, 'TERM in a backlog: drains in time');
    is(stored(), $before, 'which was not read to its end');
    $s->start;
    ok($s->wait(sub { stored() == $before + 1 }, 60), 'and is read on');
}


# --- two senders

{
    my $other = bless { %$s, link => undef, pid => undef }, 'Nudge::Sender';

    $other->start;
    sleep 1;
    ok($s->running && $other->running, 'the second waits for the lock');
    my $pid = $s->status->{pid};
    is($pid, $s->{pid}, 'and does nothing');
    $s->stop;
    ok($other->wait(sub { $other->status->{pid} == $other->{pid} }),
       'takes over when the first ends');
    cmp_ok($other->stop('link'), '<', 4, 'ends with its parent');
}


# --- a store of the future

{
    $s->change('insert into migration values (99, 0)');
    $s->start;
    ok($s->wait(sub { !$s->running }), 'a newer store is refused');
    isnt($s->{exit}, 0, 'with a failure');
    like(Nudge::Sender::slurp($s->log), qr/schema 99/, 'that says why');
    is(scalar(grep { !/schema 99/ } $s->complaints), 0, 'no other alert')
        or diag join "\n", $s->complaints;
}

done_testing();
