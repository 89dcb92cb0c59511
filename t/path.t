#!/usr/bin/perl

# The path, all the way through, on real parts: the demo store behind nginx
# with the module, memcached, the sender, a relay.  Delays are seconds here.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../demo/lib";

use JSON::PP ();
use List::Util qw(shuffle);
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);
use Nudge;
use Nudge::SMTP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'nudge is not built' if !-x "$Nudge::BUILD/nudge";

for my $need (qw(memcached sqlite3)) {
    plan skip_all => "no $need" if !grep { -x "$_/$need" }
                                     split /:/, $ENV{PATH};
}

my $AFTER = 3;              # seconds until a cart is abandoned
my $MUG = 'The Blue Mug';   # 21
my $TEA = 'Earl Grey Blue Flower';      # 39
my $people = 0;

$| = 1;

my $world = world();

subtest 'a cart left behind comes back as one mail' => \&recovered;
subtest 'a guest\'s order in time' => \&guest;
subtest 'an order on another device' => \&device;
subtest 'an order the store does not answer' => \&unresolved;
subtest 'the status tells' => sub { status($world) };
subtest 'a word of no, and everything dies' => sub { unsubscribed($world) };
end($world);

subtest 'an order while the mail is handed over' => \&during;
subtest 'memcached loses everything' => \&forgetful;
subtest 'processes die at random' => \&dying;
subtest 'two hosts, one memcached' => \&hosts;

done_testing();


# --- the scenarios

sub recovered {
    my $s = shopper($world);
    my $n = counter($world, 'offers_shown');

    $s->visits('/');
    $s->consents;
    $s->visits('/product-category/teapots/');
    $s->visits("/product/$_/") for qw(earl-grey matcha-bowl the-blue-mug);

    # recommendations come from the catalogue, which the sender publishes

    ok(report($world, sub {
        ($_[0]{shops}[0]{catalogue}{products} // 0) >= 3 }, 10)
        ->{shops}[0]{catalogue}{generation}, 'a catalogue');

    $s->adds_by_form(21, 2);
    $s->visits('/cart/');
    $s->adds(39);

    my $banner = $s->visits('/checkout/');
    like($banner->{body}, qr/<aside class="nudge-banner"/, 'a banner');
    like($banner->{body}, qr/<script src="\/nudge\/nudge\.js/,
         'the script that notices an exit');

    my $popup = $s->leaves('checkout');
    is($popup->{status}, 200, 'a popup');
    like($popup->{body}, qr/<dialog class="nudge-popup"/, 'it is a dialog');
    like($popup->{body}, qr/\Q$MUG\E/, 'with the mug');
    like($popup->{body}, qr/\Q$TEA\E/, 'and the tea');
    unlike($popup->{body}, qr/Matcha/, 'not what was only looked at');
    cmp_ok(counter($world, 'offers_shown'), '>', $n, 'it is counted');

    my $link = $s->asks($popup);
    ok($link, 'a mail asks whether that was the shopper') or return;

    my $page = $s->visits($link);
    is($page->{status}, 200, 'its link shows a page');
    sleep 1;
    is(scalar($s->events('subscribe')), 1, 'which confirms nothing');
    is($s->contact('status'), 'pending', 'in the store neither');

    is($s->presses($page)->{status}, 200, 'its button does');
    ok($s->is_confirmed, 'confirmed');

    # all of that took its time; the clock starts with the last change

    $s->adds(39);

    my $mail = $s->reminder;
    ok($mail, 'a reminder') or return diag(became($s));

    for my $part ('text/plain', 'text/html') {
        my $text = part($mail, $part);
        like($text, qr/\Q$MUG\E/, "$part: the mug");
        like($text, qr/\Q$TEA\E/, "$part: the tea");
        unlike($text, qr/Matcha/, "$part: nothing else");
        like($text, qr{/nudge/unsubscribe\?t=}, "$part: a way out");
    }

    like(part($mail, 'text/plain'), qr/2 x \Q$MUG\E.*2 x [^\n]*\Q$TEA\E/s,
         'as many as there were');
    is(header($mail, 'List-Unsubscribe-Post'), 'List-Unsubscribe=One-Click',
       'one click');
    like(header($mail, 'Message-ID'), qr/^<[^\s<>@]+@[^\s<>@]+>$/,
         'an id of its own');

    sleep $AFTER + 1;
    is(scalar($s->reminders), 1, 'exactly one');

    # the mail leads back to the shop

    my ($click) = part($mail, 'text/plain')
        =~ m{http://localhost(/nudge/click\?t=\S+)};

    if (ok($click, 'a link to the cart')) {
        my $r = $s->visits($click);
        is($r->{status}, 302, 'leads on');
        like(Nudge::header($r, 'Location') // '', qr{/cart/?}, 'to the cart');
    }

    $world->{left} = [ $s, $mail ];
}

sub unsubscribed {
    my ($w) = @_;

    my ($s, $mail) = @{ $w->{left} || [] };

    if (!ok($mail, 'there is a mail to answer')) {
        return;
    }

    my ($path) = header($mail, 'List-Unsubscribe')
        =~ m{<http://localhost(/nudge/unsubscribe\?t=[^>]+)>};
    ok($path, 'the mail says where') or return;

    my $page = $s->visits($path);
    is($page->{status}, 200, 'GET: a page');
    sleep 0.5;
    is(scalar(grep { $_->{contact} eq $s->contact('id') }
              $w->{t}->events(e => 'unsubscribe')), 0, 'GET changes nothing');

    my $r = $w->{t}->request('POST', $path,
        body => 'List-Unsubscribe=One-Click', headers => {
            'Content-Type' => 'application/x-www-form-urlencoded',
            'X-Real-IP' => '198.51.100.9' });
    is($r->{status}, 200, 'POST: done');

    # at once, everything: what was said has to be on disk

    kill9($w);
    kill 'KILL', $w->{t}{pids}{memcached};
    waitpid delete $w->{t}{pids}{memcached}, 0;
    $w->{t}->memcached;
    $w->{t}->start_nginx;

    ok(wait_for(sub { $s->contact('status') eq 'unsubscribed' }),
       'the store knows');

    my $n = $w->{smtp}->mails;

    $s->visits('/');
    $s->adds(22);
    $s->visits('/cart/');
    sleep $AFTER + 3;

    is(scalar($w->{smtp}->mails), $n, 'nothing more to anybody');
}

sub guest {
    my $s = shopper($world);

    $s->subscribes or return;
    $s->adds(21);
    is($s->orders->{status}, 200, 'ordered');
    is(scalar($s->events('purchase')), 1, 'seen');
    $s->stays_quiet('an order: no reminder');
}

sub device {
    my $s = shopper($world);

    $s->subscribes or return;
    $s->adds(21);

    # no cookie in common: the address of the form is all there is

    my $other = shopper($world, email => $s->{email});
    $other->visits('/');
    $other->adds(22);
    is($other->orders->{status}, 200, 'ordered elsewhere');
    isnt($other->{browser}->cookie('nudge') // '',
         $s->{browser}->cookie('nudge'), 'another visitor');
    $s->stays_quiet('no reminder');
}

sub unresolved {
    my $s = shopper($world);

    $s->subscribes or return;
    $s->adds(21);

    my $r = $s->orders(broken => 1);
    is($r->{status}, 502, 'the store does not answer');
    my %attempt = map { $_->{attempt} => 1 } $s->events('order_attempt');
    is(scalar(keys %attempt), 1, 'an attempt');
    is(scalar($s->events('purchase')) + scalar($s->events('order_failed')), 0,
       'of which nobody knows the outcome');
    $s->stays_quiet('no reminder');

    cmp_ok(value($world, 'select count(*) from attempt where resolved = 0'),
           '>=', 1, 'the attempt is open');
}

sub during {
    my $w = world();
    my $s = shopper($w);

    $s->subscribes or return end($w);
    $w->{smtp}->mode('DATA wait');
    $s->adds(21);

    ok(wait_for(sub { $w->{smtp}->reached('DATA') }, $AFTER + 15),
       'the relay has the sender wait in DATA');
    is($s->orders->{status}, 200, 'the order');
    $w->{smtp}->go('DATA');

    ok(wait_for(sub { became($s) =~ /^(?:skipped|held|dead|void)/ }, 10),
       'the message is given up') or diag(became($s));
    is(scalar($s->reminders), 0, 'no message was completed');

    $w->{smtp}->mode('');
    $s->stays_quiet('not later either');
    end($w);
}

sub forgetful {
    my $w = world();
    my ($s, $u, $v) = map { shopper($w) } 1 .. 3;

    # flushed while the clock runs

    $s->subscribes or return end($w);
    $s->adds(21);
    sleep 0.5;
    flush($w);
    $s->visits('/cart/');
    wait_for(sub { $s->reminders }, $AFTER + 6);
    sleep 1;
    cmp_ok(scalar($s->reminders), '<=', 1, 'flushed: not two mails');
    note('flushed: ' . $s->reminders . ' mail');

    # killed while the clock runs; the store goes on

    $u->subscribes or return end($w);
    $u->adds(21);
    kill 'KILL', $w->{t}{pids}{memcached};
    waitpid delete $w->{t}{pids}{memcached}, 0;

    my $before = time;
    is($u->visits('/product/matcha-bowl/')->{status}, 200, 'dead: a page');
    is($u->adds(22)->{status}, 200, 'dead: a cart');
    cmp_ok(time - $before, '<', 3, 'dead: on time');

    sleep $AFTER + 2;
    $w->{t}->memcached;
    $u->visits('/cart/');
    wait_for(sub { $u->reminders }, $AFTER + 3);
    sleep 1;
    cmp_ok(scalar($u->reminders), '<=', 1, 'killed: not two mails');
    cmp_ok(scalar($s->reminders), '<=', 1, 'nor to the first');
    note('killed: ' . $u->reminders . ' mail');

    # and all is well again

    is(report($w, sub { ($_[0]{breaker} // '') eq 'closed' }, 15)->{breaker},
       'closed', 'the breaker closes');
    $v->visits('/');
    $v->consents;
    $v->adds(21);
    $v->visits('/cart/');
    like($v->leaves('cart')->{body}, qr/\Q$MUG\E/, 'the next one\'s popup');
    end($w);
}

sub dying {
    my $w = world(workers => 2);
    my @s = map { shopper($w) } 1 .. 4;

    for my $s (@s) {
        $s->subscribes or return end($w);
    }

    my @what = ('nudge sender', 'worker process', 'cache manager');
    my $end = time + 2 * $AFTER + 4;
    my ($kills, $n) = (0, 0);

    while (time < $end) {

        # everybody comes once, in between; a page that a dying worker took
        # along is asked for again, as people do

        if (my $s = $s[$n]) {
            my $r;

            for (1 .. 10) {
                $r = $s->adds(21);
                last if $r->{status} == 200;
                sleep 0.1;
            }

            is($r->{status}, 200, "shopper $n: a cart");
            $n++;
        }

        my ($pid) = shuffle $w->{t}->processes($what[rand @what]);
        $kills += kill 'KILL', $pid if $pid;
        sleep 0.05 + rand 0.6;
    }

    note("$kills kills");
    cmp_ok($kills, '>', 5, 'many died');

    for my $s (@s) {
        wait_for(sub { $s->reminders || became($s) =~ /^ambiguous/ }, 20);
    }

    sleep $AFTER;

    for my $i (0 .. $#s) {
        my $got = $s[$i]->reminders;
        my $state = became($s[$i]);

        # the one moment of which nobody can tell: reported, not repeated

        $got = 1 if $got == 0 && $state =~ /^ambiguous/;
        is($got, 1, "shopper $i: one reminder") or diag($state, "\n",
            join "\n", map { JSON::PP->new->canonical->encode($_) }
            $s[$i]->events('add_to_cart'));
    }

    ok(wait_for(sub { $w->{t}->processes('nudge sender') == 1 }, 35),
       'one sender in the end');
    end($w);
}

sub hosts {
    my $a = world();
    my $b = world(peer => $a);
    my $s = shopper($a);
    my ($missed, $stale) = (0, 0);

    $s->visits('/');
    $s->consents;
    $s->visits('/');

    # back and forth: whoever is asked knows what the other has just seen

    # names are what each host has seen on product pages

    for my $w ($a, $b) {
        my $first = shopper($w);

        $first->visits("/product/$_/") for qw(the-blue-mug earl-grey
            speckled-morning-mug espresso-pair);
        is(report($w, sub {
            ($_[0]{shops}[0]{catalogue}{products} // 0) == 4 }, 10)
            ->{shops}[0]{catalogue}{products}, 4, 'four products');
    }

    my @ids = ([ 21, $MUG ], [ 39, $TEA ],
               [ 22, name_of(22) ], [ 23, name_of(23) ]);

    for my $i (0 .. $#ids) {
        my ($here, $there) = $i % 2 ? ($b, $a) : ($a, $b);

        $s->at($here)->adds($ids[$i][0]);

        my $r = $s->at($there)->leaves('cart');
        my @lost = grep { index($r->{body}, html($_->[1])) < 0 } @ids[0 .. $i];

        is($r->{status}, 200, "change $i: a popup on the other host");
        is(join(', ', map { $_->[1] } @lost), '',
           "change $i: with all of the cart");
    }

    cmp_ok(counter($b, 'waited') + counter($a, 'waited'), '>=', 1,
           'memcached was asked');

    # one shop, one store: whoever comes second has no say

    my ($x, $y) = (shopper($a), shopper($b));

    ok($x->subscribes, 'the first host asks and is answered');

    $y->visits('/');
    $y->consents;
    $y->adds(21);
    $y->at($b)->visits('/cart/');
    $y->{browser}->xhr('POST', '/nudge/subscribe', {
        email => $y->{email}, offer => 'leaving-with-a-cart', website => '' },
        headers => { $y->own, 'X-Requested-With' => 'nudge' });

    ok(wait_for(sub { value($b, 'select reason from message') }, 8),
       'the second host has something to say');
    is(value($b, "select state || ' ' || reason from message"),
       'queued other_store', 'and keeps it to itself');
    is(scalar($y->mails(qr/./)), 0, 'no mail');

    end($b);
    end($a);
}

sub status {
    my ($w) = @_;

    my $s = shopper($w);

    $s->visits('/');
    $s->consents;
    $s->visits('/');
    is($s->leaves('home')->{status}, 204, 'an empty cart: no popup');

    my $no = shopper($w);
    $no->visits('/');
    $no->consents('none');
    $no->visits('/cart/') for 1 .. 2;

    my $robot = shopper($w, ua => 'Mozilla/5.0 (compatible; examplebot/1.0)');
    $robot->visits('/cart/') for 1 .. 2;

    ok($s->subscribes, 'somebody') or return;
    $s->adds(21);

    # seen in time: a cart that waits

    my $due = report($w, sub { $_[0]{sender}{oldest_due_ms} }, $AFTER)
        ->{sender}{oldest_due_ms};
    ok($due, 'the oldest due message') or diag($w->{t}->request('GET',
        '/nudge/status')->{body});
    cmp_ok(abs(($due // 0) / 1000 - time), '<', $AFTER + 2, 'is due soon');

    ok($s->reminder, 'it comes');

    my $st = report($w, sub {
        ($_[0]{sender}{journal_lag_bytes} // 1) == 0
            && ($_[0]{sender}{messages}{sent} // 0) >= 2
    });

    cmp_ok($st->{counters}{$_}, '>', 0, "counters: $_")
        for qw(requests events visitors_new memcached_gets memcached_sets
               offers_shown skipped_condition skipped_consent skipped_bot);
    is($st->{counters}{$_}, 0, "counters: $_")
        for qw(events_dropped journal_errors cookies_forged skipped_error);
    is($st->{breaker}, 'closed', 'breaker');
    is($st->{journal}{dropping}, 'none', 'journal: drops nothing');
    cmp_ok($st->{journal}{generation}, '>', 0, 'journal: generation');
    is($st->{sender}{journal_lag_bytes}, 0, 'sender: journal read');
    cmp_ok($st->{sender}{ingested}, '>', 10, 'sender: ingested');
    cmp_ok($st->{sender}{contacts}, '>=', 2, 'sender: contacts');
    cmp_ok($st->{sender}{messages}{sent}, '>=', 2, 'sender: sent');
    ok($st->{sender}{shops}{bluemug}{sending}, 'sender: sends');

    my ($shop) = grep { $_->{id} eq 'bluemug' } @{ $st->{shops} };
    ok($shop->{sending}, 'shop: sends');
    is($shop->{offers}, 2, 'shop: offers');
    is($shop->{flows}, 1, 'shop: flows');
    cmp_ok($shop->{catalogue}{products}, '>=', 1, 'shop: catalogue');

    is($w->{t}->request('GET', '/nudge/status',
       headers => { 'X-Real-IP' => '198.51.100.7' })->{status}, 403,
       'not for the world');
}


# --- a world: store, relay, memcached, nginx

sub world {
    my (%opt) = @_;

    my $t = Nudge->new;
    my $w = { t => $t };

    if ($opt{peer}) {
        $w->{smtp} = $opt{peer}{smtp};
        $w->{memcached} = $opt{peer}{memcached};
        $t->{ports}{$_} = $opt{peer}{t}->port($_) for qw(store broken);
        $w->{shared} = 1;

    } else {
        $w->{smtp} = Nudge::SMTP->new(dir => $t->dir . '/smtp');
        $w->{memcached} = $t->memcached;
        store($t);
        $t->upstream(sub { return { status => 502, body => 'no' } }, 'broken');
    }

    $t->write('keys', '0123456789abcdef' x 4 . "\n");
    chmod 0600, $t->dir . '/keys';

    $t->allow(qr/exited on signal 9/);
    $t->run(sender => 1, workers => $opt{workers} || 1,
        memcached => $w->{memcached}, http => <<"CONF",
    nudge_key %%DIR%%/keys;
    nudge_timeout 500ms;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    map \$http_x_test_store \$store {
        default 127.0.0.1:@{[ $t->port('store') ]};
        broken  127.0.0.1:@{[ $t->port('broken') ]};
    }
CONF
        server => <<'CONF', campaign => <<"LUA");
        nudge on;
        nudge_preset woocommerce;
        location / {
            proxy_pass http://$store;
            proxy_set_header Host $http_host;
        }
CONF
shop { id = "bluemug", name = "Blue Mug", url = "http://localhost",
       currency = "EUR", locale = "en", timezone = "Europe/Madrid",
       from = "Blue Mug <hello\@bluemug.example>", privacy = "/privacy/",
       postal_address = "Kiln Lane 4, 11001 Cadiz, Spain", demo = true }
mail { relay = "smtp://127.0.0.1:$w->{smtp}{port}" }
moderation { email = { max = 99, per = "1d", gap = "0s" },
             quiet = { "00:00", "00:00" } }
offer "leaving-with-a-cart" {
    on = "exit_intent", kind = "popup", template = "cart",
    when = { items_min = 1, subscribed = false, ordered = false },
    cap = { 9, "1h" } }
offer "goes-with-your-cart" {
    on = { "cart", "checkout" }, kind = "banner", template = "banner",
    recommend = "recent", count = 4, when = { items_min = 1 } }
flow "abandoned-cart" { on = "cart_abandoned", after = "${AFTER}s",
                        { mail = "cart-reminder" } }
LUA

    # a flow begins with its first activation

    wait_for(sub { -e $w->{t}->dir . '/state/status.json'
                   && value($w, 'select count(*) from activation') }, 10);
    sleep 0.1;

    return $w;
}

sub store {
    my ($t) = @_;

    my $port = $t->port('store');
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        exec $^X, "$Nudge::ROOT/demo/store.pl", "127.0.0.1:$port"
            or POSIX::_exit(127);
    }

    $t->{pids}{store} = $pid;
    $t->wait_port($port) or die "the store does not start\n";

    return;
}

sub end {
    my ($w) = @_;

    $w->{t}->stop;
    is(join("\n", $w->{t}->complaints), '', 'error.log has nothing alarming');
    $w->{smtp}->stop if !$w->{shared};

    return;
}

# nginx and all that belongs to it, at once

sub kill9 {
    my ($w) = @_;

    my @pids = ($w->{t}->processes('nginx'), $w->{t}->processes('nudge'));

    kill 'KILL', @pids, $w->{t}{pids}{nginx};
    waitpid delete $w->{t}{pids}{nginx}, 0;
    wait_for(sub { !grep { kill 0, $_ } @pids }, 5);

    return;
}

sub flush {
    my ($w) = @_;

    my ($port) = $w->{memcached} =~ /:(\d+)/;
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or return;

    print $s "flush_all\r\n";
    my $answer = <$s>;
    is($answer, "OK\r\n", 'memcached is empty');

    return;
}

sub wait_for { return Nudge::wait_for(undef, @_) }

# /nudge/ has a limit of its own an address: asked twice a second

sub report {
    my ($w, $good, $seconds) = @_;

    my ($st, $end) = ({}, time + ($seconds || 5));

    while (1) {
        $st = $w->{t}->status;
        return $st if !$good || $good->($st) || time > $end;
        sleep 0.5;
    }
}

sub counter { return report($_[0])->{counters}{$_[1]} // 0 }

sub value {
    my ($w, $sql) = @_;

    my $db = $w->{t}->dir . '/state/store.db';

    return '' if !-e $db;

    open my $fh, '-|', 'sqlite3', '-readonly', '-cmd', '.timeout 3000', $db,
        $sql or return '';
    my $value = <$fh> // '';
    close $fh;
    chomp $value;

    return $value;
}

# what became of the message to a shopper: state, reason, detail

sub became {
    my ($s) = @_;

    return value($s->{world}, "select m.state || ' ' || m.reason || ' ' ||"
        . " m.detail from message m join contact c on c.id = m.contact"
        . " where c.address = '$s->{email}' and m.flow = 'abandoned-cart'"
        . ' order by m.created desc limit 1');
}

sub name_of {
    require Demo::Catalogue;
    no warnings "once";
    return $Demo::Catalogue::BY_ID{$_[0]}{name};
}

# text as pieces carry it: ASCII

sub html {
    my ($s) = @_;

    $s =~ s/([^\x20-\x7e]|[&<>"'])/sprintf '&#x%x;', ord $1/ge;

    return $s;
}


# --- mails

sub header {
    my ($mail, $name) = @_;

    my ($head) = split /\r\n\r\n/, $mail, 2;
    $head =~ s/\r\n[ \t]+/ /g;
    my ($value) = $head =~ /^\Q$name\E: *(.*?)\r?$/mi;

    return $value // '';
}

# the decoded text of one part

sub part {
    my ($mail, $type) = @_;

    my ($boundary) = header($mail, 'Content-Type') =~ /boundary="?([^";]+)/;

    for my $part ($boundary ? split(/\r\n--\Q$boundary\E(?:--)?\r\n/, $mail)
                            : $mail)
    {
        header($part, 'Content-Type') =~ m{^\Q$type\E} or next;

        my $how = header($part, 'Content-Transfer-Encoding');
        my (undef, $text) = split /\r\n\r\n/, $part, 2;

        $text = $how =~ /base64/i ? decode_base64($text)
              : $how =~ /quoted/i ? decode_qp($text) : $text;
        utf8::decode($text);

        return $text;
    }

    return '';
}


# --- a shopper

sub shopper {
    my ($w, %opt) = @_;

    $people++;

    return bless {
        world => $w, t => $w->{t}, email => "shopper$people\@shopper.example",
        address => '198.51.100.' . (10 + $people), %opt,
        browser => $w->{t}->browser($opt{ua} ? (ua => $opt{ua}) : ()),
    }, 'Shopper';
}


package Shopper;

sub at {
    my ($self, $w) = @_;

    $self->{browser}{port} = $w->{t}->port('http');

    return $self;
}

# the address in front of nginx is the shopper's own

sub own { return ('X-Real-IP' => $_[0]{address}) }

sub visits {
    my ($self, $path) = @_;

    return $self->{browser}->get($path, headers => { $self->own });
}

sub consents {
    my ($self, $choice) = @_;

    return $self->{browser}->submit('/consent/', { choice => $choice || 'all',
        back => '/' }, headers => { $self->own });
}

sub adds {
    my ($self, $id) = @_;

    return $self->{browser}->xhr('POST', '/?wc-ajax=add_to_cart',
        { product_id => $id, quantity => 1 }, headers => { $self->own });
}

sub adds_by_form {
    my ($self, $id, $quantity) = @_;

    my $boundary = '----WebKitFormBoundaryPath';
    my $body = join '', map {
        "--$boundary\r\nContent-Disposition: form-data; name=\"$_->[0]\""
        . "\r\n\r\n$_->[1]\r\n"
    } [ quantity => $quantity ], [ 'add-to-cart' => $id ];

    return $self->{browser}->send('POST', '/product/the-blue-mug/',
        body => "$body--$boundary--\r\n", headers => { $self->own,
            'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document',
            'Sec-Fetch-Site' => 'same-origin', Accept => 'text/html',
            'Content-Type' => "multipart/form-data; boundary=$boundary" });
}

sub leaves {
    my ($self, $page) = @_;

    return $self->{browser}->xhr('POST', '/nudge/exit', { page => $page },
        headers => { $self->own, 'X-Requested-With' => 'nudge' });
}

# leaves the address in the popup; gives the path of the link mailed to it

sub asks {
    my ($self, $popup) = @_;

    my ($offer) = $popup->{body} =~ /data-nudge-offer="([^"]+)"/;

    $self->{browser}->xhr('POST', '/nudge/subscribe', {
        email => $self->{email}, offer => $offer // '', website => '' },
        headers => { $self->own, 'X-Requested-With' => 'nudge' });

    my $mail = main::wait_for(sub {
        ($self->mails(qr/confirm/i))[0] }, 15) or return;
    my ($path) = main::part($mail, 'text/plain')
        =~ m{http://localhost(/nudge/confirm\?t=\S+)};

    return $path;
}

# the page's own form

sub presses {
    my ($self, $page) = @_;

    my ($token) = $page->{body} =~ /name="t" value="([^"]+)"/;

    return $self->{browser}->submit('/nudge/confirm', { t => $token // '' },
        headers => { $self->own });
}

# all of it, on the way to a cart; the cart is emptied again

sub subscribes {
    my ($self) = @_;

    $self->visits('/');
    $self->consents;
    $self->visits("/product/$_/") for qw(earl-grey the-blue-mug);
    $self->adds(39);
    $self->visits('/cart/');

    my $popup = $self->leaves('cart');
    my $link = $popup->{status} == 200 && $self->asks($popup);
    my $done = $link && $self->presses($self->visits($link));

    return 1 if $done && $done->{status} == 200 && $self->is_confirmed;

    main::fail("$self->{email} subscribes");
    main::diag("popup: $popup->{status}, link: " . ($link || 'none') . "\n"
               . $self->{t}->request('GET', '/nudge/status')->{body});

    return 0;
}

sub orders {
    my ($self, %opt) = @_;

    return $self->{browser}->xhr('POST', '/?wc-ajax=checkout', {
        billing_email => $self->{email}, billing_first_name => 'Ann',
        billing_last_name => 'Bee', billing_address_1 => 'C 1',
        billing_postcode => '11001', billing_city => 'D',
        payment_method => 'cod' }, headers => { $self->own,
            $opt{broken} ? ('X-Test-Store' => 'broken') : () });
}

sub contact {
    my ($self, $column) = @_;

    return main::value($self->{world}, "select $column from contact where"
        . " address = '$self->{email}'");
}

sub is_confirmed {
    my ($self) = @_;

    return main::wait_for(sub { $self->contact('confirmed') > 0 }, 5);
}

sub mails {
    my ($self, $subject) = @_;

    return grep { /^X-To: \Q$self->{email}\E\r$/m
                  && main::header($_, 'Subject') =~ $subject }
           $self->{world}{smtp}->mails;
}

sub reminders { return $_[0]->mails(qr/cart/) }

sub reminder {
    my ($self) = @_;

    return main::wait_for(sub { ($self->reminders)[0] }, $AFTER + 15);
}

# nothing comes until long after it would have

sub stays_quiet {
    my ($self, $what) = @_;

    Time::HiRes::sleep($AFTER + 2);
    main::is(scalar($self->reminders), 0, $what);

    return;
}

# this shopper's events, by the cookie's visitor id

sub events {
    my ($self, $e) = @_;

    my ($id) = ($self->{browser}->cookie('nudge') // '') =~ /([0-9a-f]{32})/;

    return grep { ($_->{visitor} // '') eq ($id // '')
                  || ($_->{email} // '') eq $self->{email} }
           $self->{t}->events(e => $e);
}
