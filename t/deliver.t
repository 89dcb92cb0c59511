#!/usr/bin/perl

# What became of a message, as deliver_smtp tells it, against a relay that
# misbehaves at every verb.  Relay and driver append to one log, so the order
# of attempt, last look and final dot is on record and not believed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(_exit);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $dir = tempdir(CLEANUP => 1);
my $log = "$dir/log";
my $driver = "$dir/driver";
my @children;

my $cc = $ENV{CC} || 'cc';

if (system("$cc --version >/dev/null 2>&1") != 0) {
    plan skip_all => 'no C compiler';
}

my @core = grep { m{/nudge_core[a-z_]*\.c$} } glob("$root/src/core/*.c");

if (system($cc, '-std=gnu11', '-O1', '-g', '-Wall', '-Wextra',
           '-Wno-unused-parameter', '-Werror', "-I$root/src/core",
           "-I$root/src/sender", "$root/t/deliver/driver.c",
           "$root/src/sender/deliver_smtp.c", @core, '-o', $driver, '-lcurl'))
{
    plan skip_all => 'the driver does not build' if !-e '/usr/include/curl'
        && !glob('/usr/include/*/curl/curl.h');
    BAIL_OUT('the driver does not build');
}

my $message = "Date: Sun, 22 Nov 2026 00:15:29 +0000\r\nSubject: x\r\n\r\n"
    . ".first\r\n..second\r\n.\r\n" . ('abcdefgh' x 9 . "\r\n") x 2000;

spew("$dir/message", $message);

END {
    kill 'KILL', $_ for @children;
}


# --- in order

{
    my $r = deliver({}, 'anna@shop.example');

    like($r->{out}[0], qr/^sent stage=5 code=250 /, 'sent');
    is_deeply([ order($r) ],
              [ qw(MAIL RCPT DATA before_data last_look dot) ],
              'before_data after DATA was answered, last_look before the dot');
    ok(message_of($r) eq $message, 'dots stuffed once, bytes intact');
    unlike(join('', @{$r->{log}}), qr/SIZE=|SMTPUTF8/, 'plain MAIL FROM');
}

{
    my $r = deliver({}, 'wait=50', 'anna@shop.example', 'bert@shop.example',
                    'cleo@shop.example');

    is(scalar(grep { /^sent / } @{$r->{out}}), 3, 'three messages sent');
    is(scalar(grep { /^connect/ } @{$r->{log}}), 1, 'on one connection');
    is(scalar(grep { /^RCPT/ } @{$r->{log}}), 3, 'one recipient each');
}

{
    my $r = deliver({ hangup_after => 1 }, 'wait=200', 'anna@shop.example',
                    'bert@shop.example');

    is(scalar(grep { /^sent / } @{$r->{out}}), 2,
       'a kept connection that died is replaced');
    is(scalar(grep { /^dot/ } @{$r->{log}}), 2, 'and nothing is sent twice');
}


# --- the last look

{
    my $r = deliver({}, 'look=no', 'anna@shop.example');

    like($r->{out}[0], qr/^aborted stage=4 /, 'the last look says no');
    is(count($r, qr/^dot/), 0, 'no final dot');
    is(count($r, qr/^closed in message/), 1, 'closed in the message');
    is(count($r, qr/^QUIT/), 0, 'no QUIT among its bytes');
}

{
    my $r = deliver({}, 'look=no', 'anna@shop.example', 'look=sleep0',
                    'bert@shop.example');

    like($r->{out}[1], qr/^sent /, 'the next message is not harmed');
    is(count($r, qr/^dot/), 1, 'one message arrived');
    is(count($r, qr/^connect/), 2, 'on a connection of its own');
}

{
    my $r = deliver({}, 'look=sleep1200', 'anna@shop.example');

    like($r->{out}[0], qr/^sent /, 'a last look may take a second');
}

{
    my $r = deliver({}, 'before=no', 'anna@shop.example');

    like($r->{out}[0], qr/^aborted /, 'no attempt on record');
    is(count($r, qr/^(?:bytes|dot|last_look)/), 0, 'not a byte of it left');
}

{
    my $r = deliver({ rcpt => 'hang' }, 'stop=yes', 'anna@shop.example');

    like($r->{out}[0], qr/^aborted .*text=stopped/, 'asked to stop');
}


# --- refusals: verb => reply, class, stage, address is bad

my @refusals = (
    [ 'greeting', '554 5.3.2 not here', 'temporary', 0, 0 ],
    [ 'greeting', '421 4.3.2 busy', 'temporary', 0, 0 ],
    [ 'mail', '451 4.3.0 later', 'temporary', 1, 0 ],
    [ 'mail', '550 5.7.1 you may not', 'permanent', 1, 0 ],
    [ 'rcpt', '450 4.2.0 greylisted', 'temporary', 2, 0 ],
    [ 'rcpt', '550 5.1.1 <anna@shop.example> who?', 'permanent', 2, 1 ],
    [ 'rcpt', '550 no such user', 'permanent', 2, 1 ],
    [ 'rcpt', '554 5.7.1 blocked', 'permanent', 2, 0 ],
    [ 'rcpt', '550 5.1.8 sender', 'permanent', 2, 0 ],
    [ 'rcpt', '421 4.7.0 slow down', 'temporary', 2, 0 ],
    [ 'data', '452 4.3.1 full', 'temporary', 3, 0 ],
    [ 'data', '554 5.5.1 no', 'permanent', 3, 0 ],
    [ 'end', '451 4.7.1 try again', 'temporary', 5, 0 ],
    [ 'end', '550 5.7.1 spam', 'permanent', 5, 0 ],
    [ 'end', "550-5.1.1 no\r\n550 5.1.1 such user", 'permanent', 5, 1 ],
    [ 'end', '421 4.3.2 going down', 'temporary', 5, 0 ],
);

for my $t (@refusals) {
    my ($verb, $reply, $class, $stage, $bad) = @$t;
    my $r = deliver({ $verb => $reply }, 'anna@shop.example');
    my ($code) = $reply =~ /^(\d+)/;
    my ($enhanced) = $reply =~ /(\d\.\d\.\d)/;
    (my $shown = $reply) =~ s/[\r\n].*//s;

    $enhanced = '' if !defined $enhanced;

    like($r->{out}[0], qr/^$class\sstage=$stage\scode=$code\sbad=$bad
                          \senhanced=$enhanced\stext=$code/x,
         "$verb: $shown");
    unlike($r->{out}[0], qr/anna/, 'the address is not in the words');

    is(count($r, qr/^before_data/), $verb eq 'end' ? 1 : 0,
       'an attempt only when a message was to follow');
}


# --- cut and silence: verb => what, class

for my $t ([ 'greeting', 'temporary', 0 ], [ 'mail', 'temporary', 1 ],
           [ 'rcpt', 'temporary', 2 ], [ 'data', 'temporary', 3 ],
           [ 'end', 'ambiguous', 5 ])
{
    my ($verb, $class, $stage) = @$t;
    my $r = deliver({ $verb => 'cut' }, 'anna@shop.example');

    like($r->{out}[0], qr/^$class stage=$stage code=0 /, "$verb: cut");

    $r = deliver({ $verb => 'hang' }, 'timeout=4', 'anna@shop.example');

    like($r->{out}[0], qr/^$class stage=$stage code=0 /, "$verb: silence");
}

{
    my $r = deliver({ end => "250-2.0.0 almost\r\ncut" }, 'anna@shop.example');

    like($r->{out}[0], qr/^ambiguous /, 'half a reply to the final dot');

    # one that does not fit into the buffers between the two: of a small one
    # the last byte may be on its way before the first is answered with a reset

    spew("$dir/message", $message x (1 + buffers() / length $message));
    $r = deliver({ body => 'cut' }, 'anna@shop.example');
    spew("$dir/message", $message);

    like($r->{out}[0], qr/^temporary stage=4 /, 'cut in the message');
    is(count($r, qr/^last_look/), 0, 'before the last look');

    $r = deliver({ end => '250 ' . 'x' x 200_000 }, 'anna@shop.example');

    like($r->{out}[0], qr/^(?:sent|ambiguous) /, 'a reply without end');

    $r = run_driver('smtp://127.0.0.1:' . free_port(), 'anna@shop.example');

    like($r->{out}[0], qr/^temporary stage=0 code=0 /, 'nobody listens');

    $r = run_driver('http://127.0.0.1:' . free_port(), 'anna@shop.example');

    like($r->{out}[0], qr/^temporary stage=0 .*not supported/i,
         'no other protocol');

    $r = deliver({}, "anna\@shop.example\nRCPT TO:<eve\@shop.example>");

    like($r->{out}[0], qr/^permanent .*address_invalid/, 'no second command');
    is(count($r, qr/^connect/), 0, 'and no connection');
}


# --- TLS

{
    my $r = deliver({}, 'tls=1', 'anna@shop.example');

    like($r->{out}[0], qr/^temporary stage=0 /, 'STARTTLS wanted, not offered');
    is(count($r, qr/^MAIL/), 0, 'nothing was said in clear');

    $r = deliver({ starttls => 'garbage' }, 'tls=1', 'anna@shop.example');

    like($r->{out}[0], qr/^temporary stage=0 /, 'STARTTLS, then no TLS');
}

SKIP: {
    skip 'no openssl program', 4 if system('openssl version >/dev/null 2>&1');

    my $key = "$dir/key.pem";
    my $cert = "$dir/cert.pem";

    system("openssl req -x509 -newkey rsa:2048 -nodes -keyout $key -out $cert"
           . " -days 2 -subj /CN=relay -addext 'subjectAltName=IP:127.0.0.1'"
           . " 2>/dev/null") == 0 or skip 'no certificate', 4;

    my $port = free_port();
    my $relay = relay({ smtps => [ $key, $cert, $port ] });
    my $r = run_driver("smtps://127.0.0.1:$port", 'anna@shop.example');

    like($r->{out}[0], qr/^temporary stage=0 .*certificate/i,
         'a certificate nobody signed');
    is(count($r, qr/^MAIL/), 0, 'nothing was said to it');
    stop_relay($relay);

    $port = free_port();
    $relay = relay({ smtps => [ $key, $cert, $port ] });
    $r = run_driver("smtps://127.0.0.1:$port", "ca=$cert", 'tls=1',
                    'anna@shop.example');

    like($r->{out}[0], qr/^sent /, 'a certificate that is trusted');
    ok(message_of($r) eq $message, 'bytes intact');
    stop_relay($relay);
}

done_testing();


sub deliver {
    my ($how, @arg) = @_;
    my $relay = relay($how);
    my $r = run_driver("smtp://127.0.0.1:$relay->{port}", @arg);

    # the driver is gone, so each of the relay's sessions comes to its end

    for (1 .. 600) {
        $r->{log} = [ slurp($log) ];
        last if count($r, qr/^connect/) == count($r, qr/^end/);
        select undef, undef, undef, 0.05;
    }

    stop_relay($relay);

    return $r;
}

# what both kernels together may hold of one connection, at most

sub buffers {
    my $bytes = 0;

    for my $name (qw(tcp_wmem tcp_rmem)) {
        my ($max) = (slurp("/proc/sys/net/ipv4/$name"))[0] =~ /(\d+)\s*$/;
        $bytes += $max;
    }

    return 2 * $bytes;
}

sub run_driver {
    my ($url, @arg) = @_;

    open my $fh, '-|', $driver, $log, $url, "$dir/message", @arg
        or die "cannot run driver: $!";

    my @out = <$fh>;

    close $fh or die "driver failed: $?";

    return { out => \@out, log => [ slurp($log) ] };
}

sub order {
    my ($r) = @_;

    return grep { /^(?:MAIL|RCPT|DATA|before_data|last_look|dot)$/ }
           map { (split)[0] } @{$r->{log}};
}

sub count {
    my ($r, $re) = @_;

    return scalar grep { $_ =~ $re } @{$r->{log}};
}

sub message_of {
    return join '', slurp("$dir/received");
}

sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or return ();

    return <$fh>;
}

sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    return $s->sockport;
}


# The relay: says what it is told to at each verb.  A value is a reply, "cut"
# (close), "hang" (say nothing until the other one does something).

sub relay {
    my ($how) = @_;
    my $server;
    my $port = 0;

    spew($log, '');
    spew("$dir/received", '');

    if (!$how->{smtps}) {
        $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1',
                                        ReuseAddr => 1)
            or die "no relay: $!";
        $port = $server->sockport;
    }

    my $pid = fork;

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';

        if ($how->{smtps}) {
            relay_tls($how);

        } else {
            my $n = 0;

            while (my $s = $server->accept) {
                relay_session($s, $s, $how, $n++);
                close $s;
                note_log('end');
            }
        }

        _exit(0);
    }

    push @children, $pid;

    if ($how->{smtps}) {
        for (1 .. 600) {
            my $listening = sprintf ':%04X 00000000:0000 0A',
                                    $how->{smtps}[2];

            last if grep { /$listening/ } slurp('/proc/net/tcp');
            select undef, undef, undef, 0.05;
        }
    }

    return { pid => $pid, port => $port };
}

sub relay_tls {
    my ($how) = @_;
    my ($key, $cert, $port) = @{$how->{smtps}};

    pipe(my $from_tls, my $tls_out);
    pipe(my $tls_in, my $to_tls);

    my $pid = fork;

    if ($pid == 0) {
        open STDIN, '<&', $tls_in;
        open STDOUT, '>&', $tls_out;
        open STDERR, '>', '/dev/null';
        close $_ for $from_tls, $to_tls, $tls_in, $tls_out;
        no warnings 'exec';
        exec 'openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port",
             '-key', $key, '-cert', $cert, '-naccept', 5;
        _exit(1);
    }

    $SIG{TERM} = sub { kill 'KILL', $pid; _exit(0) };
    close $tls_in;
    close $tls_out;

    # the greeting waits in the pipe for the first connection: a probe would
    # take it away

    relay_session($from_tls, $to_tls, $how, 0);
    sleep 5;
    kill 'KILL', $pid;
}

sub stop_relay {
    my ($relay) = @_;

    kill 'TERM', $relay->{pid};
    waitpid $relay->{pid}, 0;
    @children = grep { $_ != $relay->{pid} } @children;
}

sub note_log {
    my ($what) = @_;

    open my $fh, '>>', $log or die "$log: $!";
    syswrite $fh, "$what\n";
    close $fh;
}

sub relay_session {
    my ($in, $out, $how, $n) = @_;
    my $messages = 0;

    note_log('connect');

    return if !answer($out, $how, 'greeting', '220 relay.example ESMTP');

    while (defined(my $line = <$in>)) {
        $line =~ s/\r?\n//;

        if ($line =~ /^(MAIL|RCPT|DATA|QUIT)/) {
            note_log($line);
        }

        if ($line =~ /^EHLO/) {
            my $more = $how->{starttls} ? "250-STARTTLS\r\n" : '';
            answer($out, $how, 'ehlo',
                   "250-relay.example\r\n${more}250-SIZE 1000000\r\n"
                   . "250-SMTPUTF8\r\n250 8BITMIME") or return;

        } elsif ($line =~ /^STARTTLS/) {
            answer($out, $how, 'tls', '220 go') or return;
            syswrite $out, "this is not TLS\r\n" x 10;
            return;

        } elsif ($line =~ /^MAIL/) {
            answer($out, $how, 'mail', '250 2.1.0 ok') or return;

        } elsif ($line =~ /^RCPT/) {
            answer($out, $how, 'rcpt', '250 2.1.5 ok') or return;

        } elsif ($line =~ /^DATA/) {
            answer($out, $how, 'data', '354 go on') or return;

            next if $how->{data} && $how->{data} =~ /^\d/;

            relay_message($in, $how) or return;
            answer($out, $how, 'end', '250 2.0.0 queued') or return;

            if (defined $how->{hangup_after} && $n == 0
                && ++$messages == $how->{hangup_after})
            {
                return;
            }

        } elsif ($line =~ /^QUIT/) {
            answer($out, $how, 'quit', '221 bye');
            return;

        } else {
            answer($out, $how, 'other', '500 what?') or return;
        }
    }

    note_log('closed');
}

sub relay_message {
    my ($in, $how) = @_;
    my $text = '';
    my $noted = 0;

    while (defined(my $line = <$in>)) {

        if (!$noted++) {
            note_log('bytes');
            return 0 if $how->{body};
        }

        if ($line eq ".\r\n") {
            note_log('dot');

            open my $fh, '>>:raw', "$dir/received" or die;
            print $fh $text;
            close $fh;

            return 1;
        }

        $line =~ s/^\.//;
        $text .= $line;
    }

    note_log('closed in message');

    return 0;
}

sub answer {
    my ($out, $how, $verb, $reply) = @_;

    $reply = $how->{$verb} if defined $how->{$verb};

    if ($reply eq 'hang') {
        IO::Select->new($out)->can_read(60);
        return 0;
    }

    return 0 if $reply eq 'cut';

    my $cut = $reply =~ s/\r\ncut$//;

    syswrite $out, "$reply\r\n";

    return !$cut;
}
