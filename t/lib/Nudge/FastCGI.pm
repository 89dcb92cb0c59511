package Nudge::FastCGI;

# A FastCGI responder for tests (FastCGI specification 1.0, single requests):
# the code gets the parameters and the body, and gives CGI output.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX qw(_exit);

sub run {
    my ($t, $name, $code) = @_;

    my $listen = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
        ReuseAddr => 1, LocalAddr => '127.0.0.1',
        LocalPort => $t->port($name)) or die "fastcgi: $!\n";

    $t->daemon($name, sub {
        local $SIG{CHLD} = 'IGNORE';

        while (1) {
            my $c = $listen->accept or next;
            my $pid = fork;
            next unless defined $pid;
            if ($pid == 0) {
                eval { answer($c, $code) };
                _exit(0);
            }
            close $c;
        }
    });

    close $listen;

    return;
}

sub get {
    my ($c, $n) = @_;

    my $buf = '';
    while (length $buf < $n) {
        sysread($c, $buf, $n - length $buf, length $buf) or die "closed\n";
    }

    return $buf;
}

sub answer {
    my ($c, $code) = @_;

    my ($params, $body, $id) = ('', '', 1);

    while (1) {
        my (undef, $type, $rid, $len, $pad) = unpack 'CCnnC', get($c, 8);
        my $data = $len ? get($c, $len) : '';
        get($c, $pad) if $pad;

        $id = $rid;
        if ($type == 4) { $params .= $data }
        if ($type == 5) { last unless $len; $body .= $data }
    }

    my %p;
    my $pos = 0;
    while ($pos < length $params) {
        my @n;
        for (0, 1) {
            my $n = unpack 'C', substr $params, $pos, 1;
            if ($n & 0x80) {
                $n = unpack('N', substr $params, $pos, 4) & 0x7fffffff;
                $pos += 4;
            } else { $pos++ }
            push @n, $n;
        }
        $p{ substr $params, $pos, $n[0] }
            = substr $params, $pos + $n[0], $n[1];
        $pos += $n[0] + $n[1];
    }

    my $out = $code->(\%p, $body);

    while (length $out) {
        my $part = substr $out, 0, 30000, '';
        syswrite $c, pack('CCnnCC', 1, 6, $id, length $part, 0, 0) . $part;
    }

    syswrite $c, pack('CCnnCC', 1, 6, $id, 0, 0, 0)
        . pack('CCnnCC', 1, 3, $id, 8, 0, 0) . pack('NCx3', 0, 0);
    close $c;

    return;
}

1;
