package Nudge;

# The test harness: a private directory and private ports for every test, real
# nginx with the module, real memcached, upstreams written in the test itself,
# and a browser that keeps cookies and sends what browsers send.  When the
# object goes, everything it started goes, and any [alert], [emerg] or
# sanitizer line in error.log fails the test.
#
#     my $t = Nudge->new;
#     $t->upstream(sub { my $req = shift; return { body => 'hello' } });
#     $t->run(server => 'nudge on; location / { proxy_pass %%UPSTREAM%%; }');
#     my $b = $t->browser;
#     is($b->get('/')->{body}, 'hello');
#     $t->done;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(:sys_wait_h _exit);
use Test::More ();
use Time::HiRes qw(sleep time);

our $ROOT = abs_path(dirname(__FILE__) . '/../..');
our $BUILD = $ENV{NUDGE_BUILD} ? abs_path($ENV{NUDGE_BUILD}) : "$ROOT/build";
our $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

our $UA = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 '
        . '(KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

my %ports;

sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('nudge-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;

    my $self = bless {
        dir => $dir, ports => {}, pids => {}, allow => [], locks => [],
        owner => $$, %opt,
    }, $class;

    make_path("$dir/logs", "$dir/html", "$dir/tmp");

    return $self;
}

sub dir { return $_[0]{dir} }

# a free port of 127.0.0.1: taken by its UDP twin for as long as we live, so
# that tests running at the same time do not choose the same one

sub port {
    my ($self, $name) = @_;

    return $self->{ports}{$name} if $self->{ports}{$name};

    for (1 .. 500) {
        my $p = 20000 + int(rand 12000);

        my $udp = IO::Socket::INET->new(Proto => 'udp',
            LocalAddr => '127.0.0.1', LocalPort => $p) or next;
        my $tcp = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
            ReuseAddr => 1, LocalAddr => '127.0.0.1', LocalPort => $p)
            or next;

        close $tcp;
        push @{ $self->{locks} }, $udp;

        return $self->{ports}{$name} = $p;
    }

    die "no free port\n";
}

sub write {
    my ($self, $name, $text) = @_;

    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";
    make_path(dirname($path));

    open my $f, '>:raw', $path or die "$path: $!\n";
    print $f $text;
    close $f or die "$path: $!\n";

    return $path;
}

sub read {
    my ($self, $name) = @_;

    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $f, '<:raw', $path or return undef;
    local $/;
    return scalar <$f>;
}

sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%ROOT%%/$ROOT/g;
    $text =~ s/%%BUILD%%/$BUILD/g;
    $text =~ s{%%UPSTREAM%%}{'http://127.0.0.1:' . $self->port('upstream')}ge;
    $text =~ s/%%PORT_(\w+)%%/$self->port(lc $1)/ge;

    return $text;
}

# Starts nginx.  main, events, http, server: text put into those blocks.
# servers: text instead of the one server.  workers, sender (default off),
# memcached (default off), campaign (Lua text), master (default on).

sub run {
    my ($self, %opt) = @_;

    $self->{conf} = { %opt };
    $self->write_conf;

    my $out = $self->test_conf;
    die "nginx -t failed:\n$out" if $?;

    $self->start_nginx;

    return $self;
}

# what "nginx -t" says; $? is its status

sub test_conf {
    my ($self, $file) = @_;

    local %ENV = (%ENV, sanitizer());
    $file ||= "$self->{dir}/nginx.conf";

    return `$NGINX -t -p $self->{dir} -c $file 2>&1`;
}

# Debian's nginx carries no sanitizer: for an instrumented module its run-time
# has to come first (NUDGE_NGINX_PRELOAD=libasan.so.8:libubsan.so.1)

sub sanitizer {
    return () unless $ENV{NUDGE_NGINX_PRELOAD};
    return (LD_PRELOAD => $ENV{NUDGE_NGINX_PRELOAD},
            ASAN_OPTIONS => $ENV{ASAN_OPTIONS} || 'detect_leaks=0');
}

sub write_conf {
    my ($self) = @_;

    my %o = %{ $self->{conf} };

    my $sender = $o{sender} ? "$BUILD/nudge" : 'off';
    my $memcached = $o{memcached} || 'off';
    my $campaign = 'off';

    if (defined $o{campaign}) {
        $campaign = $self->write('nudge.lua', $self->expand($o{campaign}));
    }

    my $server = $o{servers} || <<"CONF";
    server {
        listen 127.0.0.1:%%PORT_HTTP%%;
        server_name localhost;
@{[ $o{server} || '' ]}
    }
CONF

    my $user = $> == 0 ? 'user root;' : '';
    my $level = $o{log} || 'info';

    my $conf = <<"CONF";
$user
load_module $BUILD/ngx_http_nudge_module.so;
daemon off;
master_process @{[ defined $o{master} && !$o{master} ? 'off' : 'on' ]};
worker_processes @{[ $o{workers} || 1 ]};
pid %%DIR%%/nginx.pid;
error_log %%DIR%%/error.log $level;
@{[ $o{main} || '' ]}
events { worker_connections 1024; @{[ $o{events} || '' ]} }
http {
    access_log off;
    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path %%DIR%%/tmp/proxy;
    fastcgi_temp_path %%DIR%%/tmp/fastcgi;
    uwsgi_temp_path %%DIR%%/tmp/uwsgi;
    scgi_temp_path %%DIR%%/tmp/scgi;
    root %%DIR%%/html;
    default_type text/html;
    nudge_state @{[ $o{state} || '%%DIR%%/state' ]};
    nudge_share %%ROOT%%/share;
    nudge_sender $sender;
    nudge_memcached $memcached;
    nudge_campaign $campaign;
@{[ $o{http} || '' ]}
$server
}
CONF

    $self->write('nginx.conf', $self->expand($conf));

    return;
}

sub start_nginx {
    my ($self) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>>', "$self->{dir}/error.log";
        open STDOUT, '>>', "$self->{dir}/error.log";

        local %ENV = (%ENV, sanitizer());

        exec($NGINX, '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf")
            or _exit(127);
    }

    $self->{pids}{nginx} = $pid;
    $self->wait_port($self->port('http')) or die "nginx does not answer:\n"
        . ($self->read('error.log') // '');

    return $pid;
}

sub reload {
    my ($self) = @_;

    $self->write_conf;
    kill 'HUP', $self->{pids}{nginx};

    return;
}

sub stop_nginx {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pids}{nginx} or return;
    kill $signal || 'QUIT', $pid;

    return $self->reap($pid, 10);
}

sub reap {
    my ($self, $pid, $seconds) = @_;

    my $end = time + $seconds;

    while (time < $end) {
        return 1 if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;

    return 0;
}

# children of the nginx master whose title contains $what ("worker", "cache
# manager"), and senders of this nginx

sub processes {
    my ($self, $what) = @_;

    my (@found, %children);

    for my $dir (glob '/proc/[0-9]*') {
        open my $f, '<', "$dir/stat" or next;
        my $stat = <$f> // next;
        my ($pid, $ppid) = $stat =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @{ $children{$ppid} }, $pid;
    }

    my @queue = $self->{pids}{nginx} // ();

    while (defined(my $pid = shift @queue)) {
        push @queue, @{ $children{$pid} || [] };

        open my $f, '<', "/proc/$pid/cmdline" or next;
        my $title = do { local $/; <$f> } // '';
        $title =~ s/\0/ /g;

        push @found, $pid if index($title, $what) >= 0;
    }

    return @found;
}

sub wait_port {
    my ($self, $port, $seconds) = @_;

    my $end = time + ($seconds || 10);

    while (time < $end) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $port, Proto => 'tcp');
        return 1 if $s;
        sleep 0.02;
    }

    return 0;
}

# polls until the code gives something true, or gives up

sub wait_for {
    my ($self, $code, $seconds) = @_;

    my $end = time + ($seconds || 5);

    while (1) {
        my $got = $code->();
        return $got if $got;
        return $got if time > $end;
        sleep 0.02;
    }
}

sub memcached {
    my ($self, $name, @args) = @_;

    $name ||= 'memcached';
    my $port = $self->port($name);

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec('memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0, '-m', 16,
             '-t', 1, ($> == 0 ? ('-u', 'root') : ()), @args) or _exit(127);
    }

    $self->{pids}{$name} = $pid;
    $self->wait_port($port) or die "memcached does not start\n";

    return "127.0.0.1:$port";
}

# Forks a daemon that runs the code; killed at the end.

sub daemon {
    my ($self, $name, $code) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $self->{owner} = 0;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT QUIT);
        $SIG{PIPE} = 'IGNORE';
        eval { $code->() };
        print STDERR "# daemon $name: $@" if $@;
        _exit($@ ? 1 : 0);
    }

    return $self->{pids}{$name} = $pid;
}

# An HTTP/1.1 upstream: the code gets { method, uri, headers, body } and gives
# { status, headers => [[name, value], ...], body } or { raw => bytes } or
# { pieces => [...] } written one by one; chunked when chunked => 1.  Every
# connection has a child of its own.

sub upstream {
    my ($self, $code, $name) = @_;

    $name ||= 'upstream';

    my $listen = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
        ReuseAddr => 1, LocalAddr => '127.0.0.1',
        LocalPort => $self->port($name)) or die "upstream: $!\n";

    $self->daemon($name, sub {
        local $SIG{CHLD} = 'IGNORE';

        while (1) {
            my $c = $listen->accept or next;
            my $pid = fork;
            next unless defined $pid;
            if ($pid == 0) {
                close $listen;
                eval { serve($c, $code) };
                _exit(0);
            }
            close $c;
        }
    });

    close $listen;

    return $self;
}

# a chunk's size and its data may come in packets of their own

sub read_body {
    my ($c, $h, $rest) = @_;

    my $chunked = ($h->{'transfer-encoding'} // '') =~ /chunked/;
    my $more = sub { sysread $c, $rest, 65536, length $rest };
    my ($body, $n) = ('', $h->{'content-length'} // 0);

    do {
        if ($chunked) {
            while (index($rest, "\r\n") < 0) { $more->() or return }
            $rest =~ s/^([0-9a-f]+)[^\n]*\n//i or return;
            $n = hex $1;
        }

        my $whole = $chunked ? $n + 2 : $n;
        while (length $rest < $whole) { $more->() or return }
        $body .= substr $rest, 0, $n;
        substr($rest, 0, $whole) = '';
    } while ($chunked && $n);

    return ($body, $rest);
}

sub serve {
    my ($c, $code) = @_;

    my $buf = '';
    $c->autoflush(1);

    while (1) {
        while ($buf !~ /\r\n\r\n/) {
            sysread($c, $buf, 65536, length $buf) or return;
        }

        my ($head, $rest) = split /\r\n\r\n/, $buf, 2;
        my ($line, @lines) = split /\r\n/, $head;
        my ($method, $uri) = split / /, $line;
        my %h;
        for (@lines) {
            my ($k, $v) = split /:\s*/, $_, 2;
            $h{lc $k} = defined $h{lc $k} ? "$h{lc $k}, $v" : $v;
        }

        (my $body, $buf) = read_body($c, \%h, $rest) or return;

        my $r = $code->({ method => $method, uri => $uri, headers => \%h,
                          body => $body, socket => $c, head => $head })
            or return;

        answer($c, $method, $r) or return;
    }
}

sub answer {
    my ($c, $method, $r) = @_;

    if (defined $r->{raw}) {
        syswrite $c, $r->{raw};
        return !$r->{close};
    }

    my @pieces = $r->{pieces} ? @{ $r->{pieces} } : ($r->{body} // '');
    my @headers = @{ $r->{headers} || [] };
    my $status = $r->{status} || 200;
    my $bare = $status == 304 || $status == 204;

    push @headers, ['Content-Type', 'text/html']
        unless $bare || grep { lc $_->[0] eq 'content-type' } @headers;
    push @headers, $r->{chunked} ? ['Transfer-Encoding', 'chunked']
        : ['Content-Length', length join('', @pieces)]
        unless $bare;

    my $out = "HTTP/1.1 $status X\r\n"
            . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n";

    if ($method eq 'HEAD' || $bare) {
        syswrite $c, $out;
        return 1;
    }

    if (@pieces == 1 && !$r->{chunked}) {
        syswrite $c, $out . $pieces[0];
        return 1;
    }

    syswrite $c, $out;

    for my $p (@pieces) {
        next if $p eq '';
        syswrite $c, $r->{chunked}
            ? sprintf("%x\r\n%s\r\n", length $p, $p) : $p;
        sleep $r->{delay} if $r->{delay};
    }

    syswrite $c, "0\r\n\r\n" if $r->{chunked};

    return 1;
}

# bytes out, bytes in: until the peer closes

sub raw {
    my ($self, $bytes, %opt) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $opt{port} || $self->port('http'), Proto => 'tcp')
        or return '';

    my $in = '';
    my $end = time + ($opt{timeout} || 10);

    syswrite $s, $bytes;

    while (time < $end) {
        next unless IO::Select->new($s)->can_read(0.1);
        sysread($s, $in, 65536, length $in) or last;
    }

    return $in;
}

# one request on a connection of its own

sub request {
    my ($self, $method, $uri, %opt) = @_;

    my %h = (Host => 'localhost', Connection => 'close',
             %{ $opt{headers} || {} });
    my $body = $opt{body} // '';

    $h{'Content-Length'} = length $body
        if $method ne 'GET' && $method ne 'HEAD' && !$opt{no_length};

    my $text = "$method $uri HTTP/1.1\r\n"
        . join('', map { defined $h{$_} ? "$_: $h{$_}\r\n" : () } sort keys %h)
        . "\r\n" . $body;

    return parse($self->raw($text, %opt), $method);
}

sub parse {
    my ($raw, $method) = @_;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my $r = { raw => $raw, status => 0, body => '', headers => [] };

    return $r unless defined $head;

    my ($line, @lines) = split /\r\n/, $head;
    ($r->{status}) = ($line // '') =~ /^HTTP\S+ (\d+)/;
    $r->{status} ||= 0;
    $r->{headers} = [ map { [ split /:\s*/, $_, 2 ] } @lines ];
    $r->{body} = $body // '';

    if ((header($r, 'Transfer-Encoding') // '') eq 'chunked'
        && ($method // '') ne 'HEAD')
    {
        my ($in, $out) = ($r->{body}, '');
        $r->{complete} = 0;
        while ($in =~ s/^([0-9a-f]+)[^\r\n]*\r\n//i) {
            my $n = hex $1;
            if ($n == 0) { $r->{complete} = 1; last }
            last if length $in < $n;
            $out .= substr $in, 0, $n, '';
            $in =~ s/^\r\n//;
        }
        $r->{body} = $out;
    }

    return $r;
}

sub header {
    my ($r, $name) = @_;

    my @v = map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $r->{headers} };

    return wantarray ? @v : $v[0];
}

sub browser {
    my ($self, %opt) = @_;

    return Nudge::Browser->new($self, %opt);
}

# the events of the journal, oldest first; needs nothing of ours to read them

sub events {
    my ($self, %opt) = @_;

    my @events;
    my $json = JSON::PP->new->utf8;
    my $state = $opt{state} || "$self->{dir}/state";

    for my $file (sort glob "$state/journal/journal.*") {
        my $text = $self->read($file) // next;
        while ($text =~ /\nN1 [0-9a-f]{8} (\d+) /g) {
            my $data = substr $text, pos $text, $1;
            my $ev = eval { $json->decode($data) } or next;
            push @events, $ev;
        }
    }

    @events = grep { $_->{e} eq $opt{e} } @events if $opt{e};

    return @events;
}

# waits for views, which workers keep for up to a second

sub wait_events {
    my ($self, $n, %opt) = @_;

    $self->wait_for(sub { my @e = $self->events(%opt); @e >= $n }, 4);

    return $self->events(%opt);
}

sub status {
    my ($self, %opt) = @_;

    my $r = $self->request('GET', '/nudge/status', %opt);

    return eval { JSON::PP->new->utf8->decode($r->{body}) } || {};
}

# a line of error.log that this test brings about on purpose

sub allow {
    my ($self, @patterns) = @_;

    push @{ $self->{allow} }, @patterns;

    return;
}

sub complaints {
    my ($self) = @_;

    my @bad;

    for my $line (split /\n/, $self->read('error.log') // '') {
        next unless $line =~ /\[(?:alert|emerg)\]|Sanitizer|runtime error/;
        next if grep { $line =~ $_ } @{ $self->{allow} };
        push @bad, $line;
    }

    return @bad;
}

sub stop {
    my ($self) = @_;

    $self->stop_nginx;

    for my $name (keys %{ $self->{pids} }) {
        my $pid = delete $self->{pids}{$name};
        kill 'CONT', $pid;
        kill 'TERM', $pid;
        $self->reap($pid, 3);
    }

    return;
}

sub done {
    my ($self) = @_;

    $self->stop;

    my @bad = $self->complaints;
    Test::More::is(join("\n", @bad), '', 'error.log has nothing alarming');
    Test::More::done_testing();

    return;
}

sub DESTROY {
    my ($self) = @_;

    return unless ($self->{owner} || 0) == $$;

    local ($?, $@);
    $self->stop;

    if ($ENV{NUDGE_TEST_KEEP}) {
        print STDERR "# kept $self->{dir}\n";

    } else {
        remove_tree($self->{dir}, { safe => 0 });
    }
}


package Nudge::Browser;

use strict;
use warnings;

# keeps cookies, follows nothing, sends what a browser sends

sub new {
    my ($class, $t, %opt) = @_;

    return bless { t => $t, cookies => {}, ua => $Nudge::UA, %opt }, $class;
}

sub cookie { my ($self, $name) = @_; return $self->{cookies}{$name} }

sub set_cookie {
    my ($self, $name, $value) = @_;

    if (defined $value) { $self->{cookies}{$name} = $value }
    else { delete $self->{cookies}{$name} }

    return $self;
}

sub send {
    my ($self, $method, $uri, %opt) = @_;

    my %h = ('User-Agent' => $self->{ua}, %{ $opt{headers} || {} });

    $h{Cookie} = join '; ', map { "$_=$self->{cookies}{$_}" }
        sort keys %{ $self->{cookies} } if %{ $self->{cookies} };

    my $r = $self->{t}->request($method, $uri, %opt, headers => \%h,
        port => $opt{port} || $self->{port});

    for my $c (Nudge::header($r, 'Set-Cookie')) {
        my ($name, $value) = $c =~ /^([^=;]+)=([^;]*)/ or next;
        if ($c =~ /Max-Age=0\b/i) { delete $self->{cookies}{$name} }
        else { $self->{cookies}{$name} = $value }
    }

    return $r;
}

my %navigate = (
    'Accept' => 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document',
    'Sec-Fetch-Site' => 'same-origin',
);

sub get {
    my ($self, $uri, %opt) = @_;

    return $self->send('GET', $uri, %opt,
        headers => { %navigate, %{ $opt{headers} || {} } });
}

# a form of the page, sent by the browser itself

sub submit {
    my ($self, $uri, $form, %opt) = @_;

    return $self->send('POST', $uri, %opt, body => form($form),
        headers => { %navigate,
            'Content-Type' => 'application/x-www-form-urlencoded',
            'Origin' => 'http://localhost', %{ $opt{headers} || {} } });
}

# fetch() or XMLHttpRequest

sub xhr {
    my ($self, $method, $uri, $body, %opt) = @_;

    my $type = ref $body
        ? 'application/x-www-form-urlencoded; charset=UTF-8'
        : 'application/json';
    $body = form($body) if ref $body;

    return $self->send($method, $uri, %opt, body => $body,
        headers => { 'Accept' => '*/*', 'X-Requested-With' => 'XMLHttpRequest',
            'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Dest' => 'empty',
            'Sec-Fetch-Site' => 'same-origin',
            (defined $body ? ('Content-Type' => $type) : ()),
            %{ $opt{headers} || {} } });
}

sub form {
    my ($form) = @_;

    my @pairs = ref $form eq 'ARRAY' ? @$form
        : map { $_ => $form->{$_} } sort keys %$form;
    my @out;

    while (my ($k, $v) = splice @pairs, 0, 2) {
        push @out, escape($k) . '=' . escape($v);
    }

    return join '&', @out;
}

sub escape {
    my ($s) = @_;

    $s =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;

    return $s;
}

1;
