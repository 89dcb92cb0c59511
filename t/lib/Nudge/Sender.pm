package Nudge::Sender;

# Runs "nudge sender" as nginx would: a configuration document on fd 0, a link
# whose end means that the parent is gone on fd 3, the error log on fd 2.
#
#     my $s = Nudge::Sender->new(port => $smtp->{port}, campaign => '...');
#     $s->start;
#     $s->journal->add({ ... });
#     $s->wait(sub { $s->value('select count(*) from orders') });
#     $s->kill9; $s->start;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find ();
use File::Temp qw(tempdir);
use IO::Socket;
use JSON::PP ();
use POSIX qw(_exit dup2);
use Socket;
use Time::HiRes qw(sleep time);

use Nudge::Journal;

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');
our $PROGRAM = ($ENV{NUDGE_BUILD} ? abs_path($ENV{NUDGE_BUILD})
                                  : "$ROOT/build") . '/nudge';
our $SHARE = "$ROOT/share";

my $json = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('nudge-sender-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    my $self = bless { dir => $dir, state => "$dir/state", owner => $$,
                       memcached => [], env => {}, %opt }, $class;

    mkdir $self->{state}, 0700;

    $self->{campaign} = $self->campaign(%opt) if !defined $opt{campaign};
    spew("$dir/nudge.lua", $self->{campaign});

    return $self;
}

# a shop that sends after seconds; "flow", "moderation", "mail" are replaced
# by what is given

sub campaign {
    my ($self, %opt) = @_;

    my $after = $opt{after} // '1s';
    my $port = $opt{port} // 9;
    my $mail = $opt{mail} // '';
    my $moderation = $opt{moderation}
        // 'quiet = { "00:00", "00:00" }, email = { max = 99, per = "1d",'
           . ' gap = "0s" }';
    my $flow = $opt{flow} // qq{flow "abandoned-cart" { on = "cart_abandoned",
        after = "$after", { mail = "cart-reminder" } }};
    my $zone = $opt{timezone} // 'UTC';

    return <<"LUA";
shop { id = "demo", name = "Blue Mug", url = "https://bluemug.example",
       currency = "EUR", locale = "en", timezone = "$zone",
       from = "Blue Mug <hello\@bluemug.example>",
       postal_address = "Blue Mug, 1 High Street, London" }
mail { relay = "smtp://127.0.0.1:$port", $mail }
moderation { $moderation }
$flow
LUA
}

sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}

sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or return '';
    local $/;
    return scalar <$fh> // '';
}

sub journal {
    my ($self) = @_;

    return $self->{journal}
        ||= Nudge::Journal->new("$self->{state}/journal");
}

# the bundle as nginx's master would have put it together

sub bundle {
    my ($self) = @_;

    my @files;
    my $base = "$SHARE/templates/en";

    File::Find::find({ no_chdir => 1, wanted => sub {
        return if !-f;
        push @files, { name => substr($_, 1 + length $base),
                       text => text($_) };
    } }, $base);

    push @files, { name => $_, text => text("$SHARE/onsite/$_") }
        for qw(nudge.css nudge.js);

    return { path => "$self->{dir}/nudge.lua", prefix => '/nudge/',
             text => text("$self->{dir}/nudge.lua"), files => \@files };
}

sub text {
    my $bytes = slurp($_[0]);
    utf8::decode($bytes);
    return $bytes;
}

sub document {
    my ($self) = @_;

    return $json->encode({
        v => 1, state => $self->{state}, state_max => 1 << 30,
        store => "sqlite:$self->{state}/store.db", log => $self->log,
        memcached => $self->{memcached}, share => $SHARE,
        keys => { current => '0123456789abcdef' x 4 },
        shops => [ $self->bundle ],
    });
}

sub log { return "$_[0]{dir}/error.log" }

sub start {
    my ($self, %env) = @_;

    socketpair(my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!";

    spew("$self->{dir}/conf.json", $self->document);

    my $parent = $$;
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open my $in, '<', "$self->{dir}/conf.json" or _exit(9);
        open my $err, '>>', $self->log or _exit(9);
        open my $null, '>', '/dev/null' or _exit(9);

        # out of the way first: any of them may be what another goes to

        my ($i, $e, $o, $l) = map { fcntl_dup($_) } $in, $err, $null, $far;

        dup2($i, 0);
        dup2($o, 1);
        dup2($e, 2);
        dup2($l, 3);
        POSIX::close($_) for 4 .. 255;

        @ENV{keys %{ $self->{env} }} = values %{ $self->{env} };
        @ENV{keys %env} = values %env;
        $ENV{NUDGE_PARENT} = $parent;

        { no warnings 'exec'; exec { $PROGRAM } 'nudge', 'sender' }
        _exit(9);
    }

    close $far;
    $self->{link} = $near;
    $self->{pid} = $pid;

    return $self;
}

# a descriptor well above those the child is given

sub fcntl_dup {
    my ($fh) = @_;

    my $fd = fcntl($fh, 0, 100) // die "dup: $!";
    return 0 + $fd;
}

sub running {
    my ($self) = @_;

    return 0 if !$self->{pid};
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;

    $self->{exit} = $?;
    delete $self->{pid};

    return 0;
}

sub kill9 {
    my ($self) = @_;

    return if !$self->{pid};

    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

# TERM, and the seconds it took

sub stop {
    my ($self, $signal) = @_;

    return 0 if !$self->{pid};

    my $begin = time;
    $signal = $signal || 'TERM';

    if ($signal eq 'link') {
        close $self->{link};

    } else {
        kill $signal, $self->{pid};
    }

    while ($self->running && time - $begin < 10) {
        sleep 0.02;
    }

    my $took = time - $begin;
    $self->kill9;

    return $took;
}

# waits until the code is true; 0 when it never is.  Long enough for a machine
# that has other things to do: only a failure takes it all

sub wait {
    my ($self, $code, $seconds) = @_;

    my $end = time + ($seconds || 40);

    for ( ;; ) {
        my $value = $code->();
        return $value if $value;
        return 0 if time > $end;
        sleep 0.05;
    }
}

# reads the store with the sqlite3 shell, from beside

sub rows {
    my ($self, $sql) = @_;

    return () if !-e "$self->{state}/store.db";

    open my $fh, '-|', 'sqlite3', '-readonly', '-cmd', '.timeout 3000',
        "$self->{state}/store.db", $sql or return ();
    chomp(my @rows = <$fh>);
    close $fh;

    return @rows;
}

sub value {
    my ($self, $sql) = @_;

    my ($value) = $self->rows($sql);
    return $value // '';
}

# changes the store while no sender runs

sub change {
    my ($self, $sql) = @_;

    return system('sqlite3', '-cmd', '.timeout 3000',
                  "$self->{state}/store.db", $sql) == 0;
}

# everything the journal holds has had its effect

sub settled {
    my ($self) = @_;

    my %want;

    for my $path (glob "$self->{state}/journal/journal.*") {
        my ($generation) = $path =~ /(\d+)$/;
        $want{0 + $generation} = -s $path;
    }

    return $self->wait(sub {
        my %have = map { split /\|/ }
                   $self->rows('select generation, offset from segment');

        return !grep { $want{$_} > ($have{$_} || 0)
                       && -e $self->journal->path($_) } keys %want;
    });
}

sub status {
    my ($self) = @_;

    return eval { $json->decode(slurp("$self->{state}/status.json")) } || {};
}

# runs a verb of the command line

sub run {
    my ($self, @args) = @_;

    my $pid = open my $fh, '-|';
    defined $pid or die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec { $PROGRAM } 'nudge', @args }
        _exit(9);
    }

    local $/;
    my $out = <$fh> // '';
    close $fh;

    return ($out, $? >> 8);
}

# what a shopper does, as events

sub shopper {
    my ($self, $name, %opt) = @_;

    return Nudge::Sender::Shopper->new($self, $name, %opt);
}

# lines nobody wants to find in the log

sub complaints {
    my ($self) = @_;

    return grep { /\[alert\]|\[emerg\]|Sanitizer|runtime error/ }
           split /\n/, slurp($self->log);
}

sub DESTROY {
    my ($self) = @_;

    local ($?, $!);
    $self->kill9 if $self->{owner} == $$;
}


package Nudge::Sender::Shopper;

# One browser: its visitor id, its address, its cart

sub new {
    my ($class, $sender, $name, %opt) = @_;

    my $visitor = unpack 'H32', substr($name . "\0" x 16, 0, 16);

    return bless { sender => $sender, visitor => $visitor,
                   email => "$name\@example.com", joinable => 1, %opt },
                 $class;
}

sub event {
    my ($self, $e, %more) = @_;

    my %ev = (e => $e, visitor => $self->{visitor}, %more);
    $ev{joinable} = JSON::PP::true() if $self->{joinable};
    delete $ev{$_} for grep { !defined $ev{$_} } keys %ev;

    return \%ev;
}

sub does {
    my ($self, $e, %more) = @_;

    my ($json) = $self->{sender}->journal->add($self->event($e, %more));
    return $json;
}

sub mug {
    my (%more) = @_;

    return { id => '19', name => 'Blue mug', url => '/product/blue-mug/',
             image => '/img/19.svg', price => 12.5, currency => 'EUR',
             stock => 'in', quantity => 1, %more };
}

sub adds {
    my ($self, %more) = @_;

    return $self->does('add_to_cart', items => [ mug(%more) ]);
}

# asks and, once the mail for it is out, confirms

sub subscribes {
    my ($self, %more) = @_;

    $self->does('subscribe', method => 'form', email => $self->{email},
                offer => 'popup', text => 'v1', page => 'cart');

    my $id = $self->{sender}->wait(sub { $self->id });

    $self->{sender}->wait(sub { $self->{sender}->value("select finished from"
        . " message where flow = 'confirm' and contact = '$id'") });

    $self->does('subscribe', method => 'confirm', contact => $id, %more);

    return $id;
}

sub id {
    my ($self) = @_;

    return $self->{sender}->value(
        "select id from contact where address = '$self->{email}'");
}

1;
