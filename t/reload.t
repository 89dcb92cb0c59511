#!/usr/bin/perl

# Reloads, shutdowns, crashes and a binary upgrade under load: what was
# answered is in the journal exactly once, nobody is turned away, and no
# worker stays behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Nudge;
use POSIX qw(_exit WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $add = '/wp-json/wc/store/v1/cart/add-item';

# the cart has exactly what was put into it just now

sub store {
    my $q = shift;

    sleep 1 if $q->{headers}{'x-slow'};

    return { body => '<!DOCTYPE html><html><body>page</body></html>' }
        if $q->{method} eq 'GET';

    my ($id) = $q->{body} =~ /"id":(\d+)/;

    return { headers => [['Content-Type', 'application/json']],
        body => JSON::PP::encode_json({ items => [ { key => "k$id",
            id => $id + 0, quantity => 1, name => 'Mug', prices => {
                price => '1250', currency_minor_unit => 2,
                currency_code => 'EUR' } } ] }) };
}

sub nginx {
    my (%opt) = @_;

    my $t = Nudge->new;
    my $mc = `memcached -V 2>/dev/null` =~ /memcached/ ? $t->memcached : 'off';

    $t->upstream(\&store);
    $t->{conf} = { workers => 2, memcached => $mc, log => 'notice',
        server => 'nudge on; nudge_consent off; nudge_preset woocommerce;'
            . ' location / { proxy_pass %%UPSTREAM%%; }', %opt };
    $t->write_conf;

    return $t;
}


# --- clients

# one request on $$s, or on a connection of its own: the answer, or why not

sub ask {
    my ($t, $s, $text) = @_;

    my $reused = defined $$s;

    $$s ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
        PeerPort => $t->port('http')) or return (undef, "connect: $!");

    my ($in, $end) = ('', time + 20);

    syswrite $$s, $text or do { undef $$s; return (undef, $reused ? 'idle'
        : "write: $!") };

    while (1) {
        return (undef, 'timeout') if time > $end;
        next unless IO::Select->new($$s)->can_read(1);

        if (!sysread $$s, $in, 65536, length $in) {
            undef $$s;

            # closed while it was idle, as far as the server could see

            return (undef, $reused && $in eq '' ? 'idle' : "cut: \"$in\"");
        }

        my ($head, $body) = split /\r\n\r\n/, $in, 2;
        next unless defined $body;
        my ($n) = $head =~ /^Content-Length: (\d+)/mi;
        next if defined $n && length $body < $n;

        undef $$s if $head =~ /^Connection: close/mi;

        return $head =~ m{^HTTP/1.1 200 } ? ($head, '')
            : (undef, (split /\r\n/, $head)[0]);
    }
}

# A client: cart, page, cart, ... until it is told to stop; writes down what
# was answered and what failed.  Every product and every page is asked for
# once only.

sub client {
    my ($t, $number, %opt) = @_;

    my $dir = $t->dir;

    return $t->daemon("client$number", sub {
        my ($cookie, $s, @done, @failed) = ($opt{cookie});
        my $n = 0;

        until (-e "$dir/stop") {
            my $id = ($number << 20) + ++$n;
            my $view = $opt{views} && $n % 2;
            my $body = "{\"id\":$id}";
            my $text = ($view ? "GET /p/$id" : "POST $add") . " HTTP/1.1\r\n"
                . "Host: localhost\r\nUser-Agent: $Nudge::UA\r\n"
                . ($opt{keep} ? '' : "Connection: close\r\n")
                . ($cookie ? "Cookie: $cookie\r\n" : '')
                . ($opt{slow} ? "X-Slow: 1\r\n" : '')
                . ($view || !$cookie ? "Accept: text/html\r\n" : '')
                . ($view ? "\r\n" : "Content-Type: application/json\r\n"
                    . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

            undef $s unless $opt{keep};
            my ($head, $why) = ask($t, \$s, $text);

            if (defined $head) {
                push @done, $id . ($view ? 'v' : 'c');
                $cookie = $1 if $head =~ /^Set-Cookie: (nudge=[^;]+)/m;

            } else {
                push @failed, $why;
            }

            last if $opt{once};
        }

        $t->write("done.$number", join ' ', @done);
        $t->write("failed.$number", join "\n", @failed);
    });
}

sub finish {
    my ($t, @numbers) = @_;

    $t->write('stop', '');
    my (@done, %failed);

    for (@numbers) {
        my $pid = delete $t->{pids}{"client$_"} or next;
        $t->reap($pid, 30);
        push @done, split / /, $t->read("done.$_") // '';
        $failed{$_} = [ split /\n/, $t->read("failed.$_") // 'no result' ];
    }

    unlink $t->dir . '/stop';

    return (\@done, \%failed);
}

# every answered cart change exactly once, every answered view too; nothing
# that nobody asked for

sub complete {
    my ($t, $done, $name, %opt) = @_;

    my (%have, %id);
    my @want = grep { !($opt{views_may_go} && /v$/) } @$done;

    # views are kept back for up to a second

    $t->wait_for(sub {
        %have = %id = ();

        for my $ev ($t->events) {
            $id{ $ev->{id} }++;
            $have{ $ev->{items}[0]{id} . 'c' }++ if $ev->{e} eq 'add_to_cart';
            $have{"$1v"}++ if $ev->{e} eq 'page_view'
                && $ev->{url} =~ m{/p/(\d+)};
        }

        return !grep { !$have{$_} } @want;
    }, 4);

    my @lost = grep { !$have{$_} } @want;
    my @twice = grep { $have{$_} > 1 } keys %have;
    my @same = grep { $id{$_} > 1 } keys %id;

    cmp_ok(scalar @$done, '>', 10, "$name: " . @$done . ' answers');
    is("@lost[0 .. ($#lost > 9 ? 9 : $#lost)]", '', "$name: nothing is lost");
    is("@twice", '', "$name: nothing is there twice");
    is("@same", '', "$name: every event has an id of its own");

    return;
}

sub workers {
    my ($t) = @_;

    return $t->processes('worker process');
}

# as many as configured, none of them on its way out, after at most 5 s

sub settled {
    my ($t, $name) = @_;

    ok($t->wait_for(sub {
        my @w = workers($t);
        my @old = $t->processes('is shutting down');
        return @w == 2 && !@old;
    }, 5), "$name: two workers, no old one") or diag join ' ', workers($t);
}


# --- 30 reloads, with the module and, for comparison, without

my %idle;

for my $stock (1, 0) {
    my $t = nginx();
    my $name = $stock ? 'stock' : 'reload';

    if ($stock) {
        my $conf = $t->read('nginx.conf');
        $conf =~ s/^load_module.*$//m;
        $conf =~ s/\bnudge\w*\s[^;]*;//g;
        $t->write('nginx.conf', $conf);
    }

    $t->start_nginx;
    client($t, $_, keep => $_ > 2, views => 1) for 1 .. 4;
    sleep 0.5;

    for (1 .. 30) {
        kill 'HUP', $t->{pids}{nginx};
        sleep 0.12;
    }

    sleep 0.5;
    my ($done, $failed) = finish($t, 1 .. 4);

    my @single = map { @{ $failed->{$_} } } 1, 2;
    my @keep = map { @{ $failed->{$_} } } 3, 4;
    my @hard = grep { $_ ne 'idle' } @keep;
    $idle{$name} = @keep - @hard;

    if ($stock) {
        note @$done . " answers, $idle{stock} keep-alive connections closed,"
            . ' ' . @single . ' other failures';

    } else {
        is(join("\n", @single), '', "$name: no request failed");
        is(join("\n", @hard), '', "$name: nor one over keep-alive"
            . ' but for connections closed between requests');

        # a matter of luck: a request that leaves as the connection is closed

        cmp_ok($idle{reload}, '<=', 3 * $idle{stock} + 10,
            "$name: $idle{reload} of those, $idle{stock} without the module");

        settled($t, $name);
        complete($t, $done, $name);
        unlike($t->read('error.log'), qr/exited on signal|\[crit\]|\[error\]/,
            "$name: quiet");
    }

    is(join("\n", $t->complaints), '', "$name: no alert");
    $t->stop;
}


# --- the sender through a storm: one before, one after

{
    my $t = nginx(sender => 1);
    $t->start_nginx;
    ok($t->wait_for(sub { $t->processes('nudge sender') == 1 }, 10), 'a sender');

    for (1 .. 10) {
        kill 'HUP', $t->{pids}{nginx};
        sleep 0.2;
    }

    ok($t->wait_for(sub { $t->processes('nudge sender') == 1
        && $t->processes('is shutting down') == 0 }, 15),
        'one sender after ten reloads');
    my @all = $t->processes('nudge sender');
    ok($t->stop_nginx('QUIT'), 'nginx stops');
    ok($t->wait_for(sub { !grep { kill 0, $_ } @all }, 10),
        'and the sender with it');
    is(join("\n", $t->complaints), '', 'sender: no alert');
    $t->stop;
}


# --- QUIT with requests in flight answers them all

{
    my $t = nginx();
    $t->start_nginx;

    for (1 .. 12) {
        my $b = $t->browser;
        $b->get('/');
        client($t, $_, slow => 1, once => 1, views => $_ > 6,
            cookie => 'nudge=' . $b->cookie('nudge'));
    }

    sleep 0.6;
    kill 'QUIT', $t->{pids}{nginx};

    my ($done, $failed) = finish($t, 1 .. 12);
    is(join("\n", map { @$_ } values %$failed), '', 'QUIT: all are answered');
    is(scalar @$done, 12, 'QUIT: all twelve');
    ok($t->reap($t->{pids}{nginx}, 10), 'QUIT: nginx is gone');
    delete $t->{pids}{nginx};

    complete($t, $done, 'QUIT');
    is(join("\n", $t->complaints), '', 'QUIT: no alert');
    $t->stop;
}


# --- kill -9 of workers: an answered cart change is on disk

{
    my $t = nginx();
    $t->allow(qr/exited on signal 9/);
    $t->start_nginx;

    client($t, $_, views => 1) for 1 .. 4;

    for (1 .. 6) {
        sleep 0.4;
        my ($victim) = workers($t);
        kill 'KILL', $victim if $victim;
    }

    sleep 0.5;
    my ($done, $failed) = finish($t, 1 .. 4);

    complete($t, $done, 'kill -9', views_may_go => 1);
    settled($t, 'kill -9');
    is(join("\n", $t->complaints), '', 'kill -9: no other alert');

    # the zone survived: the next ones work as ever

    client($t, 9, views => 1);
    sleep 0.5;
    ($done, $failed) = finish($t, 9);
    is("@{ $failed->{9} }", '', 'kill -9: afterwards nothing fails');
    complete($t, $done, 'kill -9, afterwards');
    $t->stop;
}


# --- USR2, then QUIT of the old master.  nginx takes USR2 for its parent's
# business as long as that is who started it: it has to become an orphan

{
    # a new binary gets no more environment than is named

    my $t = nginx(main => 'env LD_PRELOAD; env ASAN_OPTIONS;');
    my $helper = fork // die "fork: $!";

    if ($helper == 0) {
        $t->{owner} = 0;
        $t->start_nginx;
        _exit(0);
    }

    waitpid $helper, 0;
    chomp(my $old = $t->read('nginx.pid') // '');
    ok($old, 'USR2: nginx runs') or BAIL_OUT('no nginx');
    $t->{pids}{nginx} = $old;

    client($t, $_, views => 1) for 1 .. 3;
    sleep 0.5;
    kill 'USR2', $old;

    my $new;
    my $came = $t->wait_for(sub {
        chomp($new = $t->read('nginx.pid') // '');
        return $new && $new ne $old;
    }, 10);

    SKIP: {
        ok($came, 'USR2: a new master') or skip 'no upgrade here', 7;

        $t->wait_for(sub { grep { /^\d+$/ } workers($t) == 4 }, 3);
        sleep 0.5;
        kill 'QUIT', $old;
        ok($t->wait_for(sub { !kill 0, $old }, 10), 'USR2: the old one leaves');
        $t->{pids}{nginx} = $new;
        sleep 0.7;

        my ($done, $failed) = finish($t, 1 .. 3);
        is(join("\n", map { @$_ } values %$failed), '',
            'USR2: no request failed');
        settled($t, 'USR2');
        complete($t, $done, 'USR2');
    }

    finish($t, 1 .. 3);
    kill 'QUIT', $_ for grep { $_ } $old, $new;
    ok($t->wait_for(sub { !grep { $_ && kill 0, $_ } $old, $new }, 10),
        'USR2: all is over');
    delete $t->{pids}{nginx};
    is(join("\n", $t->complaints), '', 'USR2: no alert');
    $t->stop;
}

done_testing();
