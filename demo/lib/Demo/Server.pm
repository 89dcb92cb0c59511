package Demo::Server;

# A small HTTP/1.1 server for the demo's store and mailbox: one process, one
# select() loop, keep-alive, chunked output.  State can live in plain Perl
# variables because there is only one process to hold it.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my $MAX_HEAD = 32 * 1024;
my $MAX_BODY = 1024 * 1024;
my $IDLE     = 75;
my $CHUNK    = 4096;

my %REASON = (
    200 => 'OK', 204 => 'No Content', 207 => 'Multi-Status', 301 => 'Moved',
    302 => 'Found', 303 => 'See Other', 304 => 'Not Modified',
    400 => 'Bad Request', 403 => 'Forbidden', 404 => 'Not Found',
    405 => 'Method Not Allowed', 409 => 'Conflict',
    413 => 'Content Too Large', 431 => 'Header Fields Too Large',
);


# listen => [ [ $socket, sub { ($class, $socket) connection } ], ... ]

sub new {
    my ($class, %arg) = @_;

    return bless {
        select  => IO::Select->new,
        listen  => {},
        conn    => {},
        handler => $arg{handler},
        log     => $arg{log},
        ticks   => [],
    }, $class;
}


# $protocol: undef is HTTP; otherwise an object with greeting() and
# input($connection) for a protocol of its own, see mail.pl

sub add_listener {
    my ($self, $address, $protocol) = @_;

    my $socket = IO::Socket::INET->new(
        LocalAddr => $address,
        Listen    => 128,
        ReuseAddr => 1,
        Blocking  => 0,
    ) or die "cannot listen on $address: $!\n";

    $self->{select}->add($socket);
    $self->{listen}{fileno $socket} = { socket => $socket,
                                        protocol => $protocol };

    return $socket->sockport;
}


sub run {
    my ($self) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $swept = time;

    while (1) {
        my @writing = grep { length $_->{out} } values %{$self->{conn}};
        my $writers = IO::Select->new(map { $_->{socket} } @writing);

        my ($readable, $writable)
            = IO::Select->select($self->{select}, $writers, undef, 5);

        for my $socket (@{$readable || []}) {
            if (my $listener = $self->{listen}{fileno $socket}) {
                $self->accept_on($listener);

            } elsif (my $c = $self->{conn}{fileno $socket}) {
                $self->read_from($c);
            }
        }

        for my $socket (@{$writable || []}) {
            my $c = defined fileno $socket && $self->{conn}{fileno $socket};
            $self->write_to($c) if $c;
        }

        if (time - $swept > 5) {
            $swept = time;
            $self->drop($_)
                for grep { $swept - $_->{seen} > $IDLE }
                    values %{$self->{conn}};
        }
    }
}


sub accept_on {
    my ($self, $listener) = @_;

    my $socket = $listener->{socket}->accept or return;

    $socket->blocking(0);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    my $c = {
        socket => $socket, fd => fileno $socket, in => '', out => '',
        seen => time, protocol => $listener->{protocol},
    };

    $self->{conn}{$c->{fd}} = $c;
    $self->{select}->add($socket);

    if ($c->{protocol}) {
        $c->{out} .= $c->{protocol}->greeting($c);
        $self->write_to($c);
    }
}


sub read_from {
    my ($self, $c) = @_;

    my $n = sysread $c->{socket}, $c->{in}, 65536, length $c->{in};

    return if !defined $n && ($!{EAGAIN} || $!{EINTR});

    if (!$n) {
        $self->drop($c);
        return;
    }

    $c->{seen} = time;

    if ($c->{protocol}) {
        $c->{out} .= $c->{protocol}->input($c);

    } else {
        while (my $answer = $self->next_answer($c)) {
            $c->{out} .= $answer;
            last if $c->{close};
        }
    }

    $self->write_to($c);
}


sub write_to {
    my ($self, $c) = @_;

    while (length $c->{out}) {
        my $n = syswrite $c->{socket}, $c->{out}, 65536;

        if (!defined $n) {
            return if $!{EAGAIN} || $!{EINTR};
            $self->drop($c);
            return;
        }

        substr $c->{out}, 0, $n, '';
        $c->{seen} = time;
    }

    $self->drop($c) if $c->{close};
}


sub drop {
    my ($self, $c) = @_;

    delete $self->{conn}{$c->{fd}} or return;
    $self->{select}->remove($c->{socket});
    close $c->{socket};
}


# the bytes of one answer, or undef while the request is not complete

sub next_answer {
    my ($self, $c) = @_;

    $c->{in} =~ s/^(?:\r?\n)+//;

    my $end = index $c->{in}, "\r\n\r\n";

    if ($end < 0) {
        return length $c->{in} > $MAX_HEAD ? refuse($c, 431) : undef;
    }

    my ($line, @fields) = split /\r\n/, substr $c->{in}, 0, $end;
    my ($method, $target, $version)
        = ($line || '') =~ m{^([A-Z]+) (\S+) HTTP/1\.([01])$}
        or return refuse($c, 400);

    my %header;

    for (@fields) {
        my ($name, $value) = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/
            or return refuse($c, 400);
        $name = lc $name;
        $header{$name} = defined $header{$name}
            ? $header{$name} . ($name eq 'cookie' ? '; ' : ', ') . $value
            : $value;
    }

    my $body = body($c, $end + 4, \%header);

    return undef if !defined $body;
    return refuse($c, 413) if ref $body;

    my $keep = $version ? 1 : 0;
    $keep = 0 if lc($header{connection} || '') eq 'close';

    my $req = request($method, $target, \%header, $body);
    my $res = eval { $self->{handler}->($req) };

    if (!$res) {
        warn "$method $target: $@";
        $res = [ 500, [ 'Content-Type' => 'text/plain' ], "sorry\n" ];
    }

    $c->{close} = 1 if !$keep;

    return answer($req, $res, $version, $keep);
}


# takes the whole request off the buffer; undef: more to come, a reference:
# too large

sub body {
    my ($c, $start, $header) = @_;

    if (lc($header->{'transfer-encoding'} || '') eq 'chunked') {
        my $body = '';
        pos($c->{in}) = $start;

        while ($c->{in} =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/gc) {
            my $size = hex $1;
            my $at = pos $c->{in};

            return \'too large' if length($body) + $size > $MAX_BODY;
            return undef if length $c->{in} < $at + $size + 2;

            if ($size == 0) {
                substr $c->{in}, 0, $at + 2, '';
                return $body;
            }

            $body .= substr $c->{in}, $at, $size;
            pos($c->{in}) = $at + $size + 2;
        }

        return undef;
    }

    my $length = $header->{'content-length'} || 0;

    return \'too large' if $length !~ /^\d+$/ || $length > $MAX_BODY;
    return undef if length $c->{in} < $start + $length;

    my $body = substr $c->{in}, $start, $length;
    substr $c->{in}, 0, $start + $length, '';

    return $body;
}


sub refuse {
    my ($c, $status) = @_;

    $c->{in} = '';
    $c->{close} = 1;

    return answer({ method => 'GET' },
                  [ $status, [ 'Content-Type' => 'text/plain' ],
                    "$REASON{$status}\n" ], 1, 0);
}


sub request {
    my ($method, $target, $header, $body) = @_;

    my ($path, $query) = split /\?/, $target, 2;
    my %cookie;

    $path =~ s{^https?://[^/]+}{};

    for (split /;\s*/, $header->{cookie} || '') {
        my ($name, $value) = split /=/, $_, 2;
        $cookie{$name} = $value if defined $value;
    }

    return {
        method => $method,
        target => $target,
        path   => decode($path),
        query  => defined $query ? $query : '',
        args   => form(defined $query ? $query : ''),
        header => $header,
        cookie => \%cookie,
        body   => $body,
        host   => $header->{host} || 'localhost',
    };
}


# the fields of a body, urlencoded or multipart; of repeated names the last

sub fields {
    my ($req) = @_;
    my $type = $req->{header}{'content-type'} || '';

    if ($type =~ m{^multipart/form-data;.*boundary="?([^";]+)"?}i) {
        my %field;

        for my $part (split /(?:^|\r\n)--\Q$1\E(?:--)?(?:\r\n|$)/,
                      $req->{body})
        {
            my ($head, $value) = split /\r\n\r\n/, $part, 2;

            next if !defined $value;
            next if $head !~ /\bname="([^"]*)"/i || $head =~ /filename=/i;
            my $name = $1;
            utf8::decode($value);
            $field{$name} = $value;
        }

        return \%field;
    }

    return form($req->{body});
}


sub form {
    my ($text) = @_;
    my %field;

    for (split /[&;]/, $text) {
        my ($name, $value) = split /=/, $_, 2;

        next if !defined $name;
        tr/+/ / for $name, grep { defined } $value;
        $field{text($name)} = defined $value ? text($value) : '';
    }

    return \%field;
}


sub decode {
    my ($s) = @_;

    $s =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;

    return $s;
}


sub text {
    my $s = decode($_[0]);

    utf8::decode($s);

    return $s;
}


sub encode {
    my ($s) = @_;

    utf8::encode($s) if utf8::is_utf8($s);
    $s =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;

    return $s;
}


# text into HTML

sub html {
    my ($s) = @_;

    return '' if !defined $s;

    $s =~ s/&/&amp;/g;
    $s =~ s/</&lt;/g;
    $s =~ s/>/&gt;/g;
    $s =~ s/"/&quot;/g;
    $s =~ s/'/&#39;/g;

    return $s;
}


sub answer {
    my ($req, $res, $version, $keep) = @_;
    my ($status, $headers, $body) = @$res;

    $body = '' if !defined $body;
    utf8::encode($body) if utf8::is_utf8($body);

    my $out = "HTTP/1.1 $status " . ($REASON{$status} || 'Whatever') . "\r\n";
    my @h = @$headers;

    while (my ($name, $value) = splice @h, 0, 2) {
        $value =~ tr/\r\n//d;
        $out .= "$name: $value\r\n";
    }

    $out .= 'Connection: ' . ($keep ? 'keep-alive' : 'close') . "\r\n";

    if ($status == 204 || $status == 304) {
        return "$out\r\n";
    }

    # pages in pieces, as a store writes them while it is still thinking

    if ($version && grep { /^text\/html/ } @$headers) {
        $out .= "Transfer-Encoding: chunked\r\n\r\n";
        return $out if $req->{method} eq 'HEAD';

        while (length $body) {
            my $piece = substr $body, 0, $CHUNK, '';
            $out .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
        }

        return $out . "0\r\n\r\n";
    }

    $out .= 'Content-Length: ' . length($body) . "\r\n\r\n";

    return $req->{method} eq 'HEAD' ? $out : $out . $body;
}

1;
