package Nudge::SMTP;

# A relay that can be told to misbehave at any verb, while it runs.  Keeps
# every message whose final dot arrived, and counts those that were cut.
#
#     my $smtp = Nudge::SMTP->new(dir => $dir, port => $port);
#     $smtp->mode('RCPT 550 5.1.1 nobody');      # reply so
#     $smtp->mode('DOT cut');                    # no reply, line closed
#     $smtp->mode('DATA wait');                  # until $smtp->go
#     $smtp->mode('MAIL tarpit 3');              # seconds
#     my @mails = $smtp->mails;
#
# Verbs: CONNECT EHLO MAIL RCPT DATA DOT.  Several modes, one a line.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

sub new {
    my ($class, %opt) = @_;

    my $self = bless { port => 0, owner => $$, %opt }, $class;

    mkdir $self->{dir};
    $self->mode('');
    $self->start if !$opt{stopped};

    return $self;
}

sub start {
    my ($self) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
        LocalPort => $self->{port}, ReuseAddr => 1, Proto => 'tcp')
        or die "smtp port $self->{port}: $!";

    $self->{port} = $listen->sockport;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        setpgrp;
        local $SIG{CHLD} = 'IGNORE';
        local $SIG{PIPE} = 'IGNORE';
        local $SIG{TERM} = 'DEFAULT';

        while (my $client = $listen->accept) {
            my $kid = fork // _exit(1);

            if ($kid == 0) {
                close $listen;
                eval { $self->serve($client) };
                _exit(0);
            }

            close $client;
        }

        _exit(0);
    }

    close $listen;
    $self->{pid} = $pid;
}

sub stop {
    my ($self) = @_;

    return if !$self->{pid} || $self->{owner} != $$;

    # connections, too: the group is ours

    kill 'KILL', -$self->{pid}, $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY { local ($?, $!); $_[0]->stop }

sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', "$path.new.$$" or die "$path: $!";
    print $fh $text;
    close $fh;
    rename "$path.new.$$", $path or die "$path: $!";
}

sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or return '';
    local $/;
    return scalar <$fh>;
}

sub mode {
    my ($self, @modes) = @_;

    unlink glob "$self->{dir}/go.* $self->{dir}/at.*";
    spew("$self->{dir}/mode", join "\n", @modes);
}

# the client stands at this verb

sub reached {
    my ($self, $verb) = @_;

    return -e "$self->{dir}/at.$verb";
}

sub go {
    my ($self, $verb) = @_;

    spew("$self->{dir}/go.$verb", '');
}

sub mails {
    my ($self) = @_;

    return map { slurp($_) } sort glob "$self->{dir}/mail.*";
}

sub partial {
    my ($self) = @_;

    return scalar(my @cut = glob "$self->{dir}/cut.*");
}

# what this verb is answered; undef: the line is to be cut

sub reply {
    my ($self, $verb, $usual) = @_;

    for (split /\n/, slurp("$self->{dir}/mode")) {

        next if !/^\Q$verb\E (.*)/;
        my $what = $1;

        if ($what eq 'cut') {
            return undef;

        } elsif ($what eq 'wait') {
            spew("$self->{dir}/at.$verb", '');
            my $end = time + 30;
            sleep 0.02 while !-e "$self->{dir}/go.$verb" && time < $end;

        } elsif ($what =~ /^tarpit ([\d.]+)/) {
            spew("$self->{dir}/at.$verb", '');
            sleep $1;

        } else {
            return $what;
        }
    }

    return $usual;
}

sub serve {
    my ($self, $s) = @_;

    my ($rcpt, $from, $reply) = ('', '');

    $reply = $self->reply('CONNECT', '220 sink ESMTP');
    return if !defined $reply;
    print $s "$reply\r\n";

    while (my $line = <$s>) {
        my ($verb) = $line =~ /^([A-Za-z]+)/ or next;
        $verb = uc $verb;

        if ($verb eq 'QUIT') {
            print $s "221 bye\r\n";
            return;
        }

        $reply = $self->reply($verb, $verb eq 'DATA' ? '354 go on' : '250 ok');
        return if !defined $reply;

        $from = $1 if $verb eq 'MAIL' && $line =~ /<(.*?)>/;
        $rcpt = $1 if $verb eq 'RCPT' && $line =~ /<(.*?)>/;

        print $s "$reply\r\n";

        if ($verb eq 'DATA' && $reply =~ /^354/) {
            return if !$self->data($s, $from, $rcpt);
        }
    }
}

sub data {
    my ($self, $s, $from, $rcpt) = @_;

    my $text = "X-From: $from\r\nX-To: $rcpt\r\n";
    my $name = sprintf '%017.6f.%d', time, $$;

    while (my $line = <$s>) {

        if ($line eq ".\r\n") {
            spew("$self->{dir}/mail.$name", $text);

            my $reply = $self->reply('DOT', '250 2.0.0 taken');
            return 0 if !defined $reply;

            # only what was accepted, or left without an answer, is a mail

            unlink "$self->{dir}/mail.$name" if $reply !~ /^2/;
            print $s "$reply\r\n";

            return 1;
        }

        $line =~ s/^\.//;
        $text .= $line;
    }

    spew("$self->{dir}/cut.$name", $text);

    return 0;
}

1;
