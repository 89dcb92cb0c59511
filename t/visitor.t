#!/usr/bin/perl

# Who somebody is and what may be kept of them: forged cookies cost nothing,
# the cookie goes only where it may, consent comes before storage, and what
# was kept goes when consent does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP ();
use Nudge;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'no memcached' unless `memcached -V 2>/dev/null` =~ /memcached/;

my @json = (['Content-Type', 'application/json']);
my $yes = "{stamp:'4mE%2Bw%3D%3D'%2Cnecessary:true%2Cpreferences:false"
    . "%2Cstatistics:true%2Cmarketing:true%2Cmethod:'explicit'%2Cver:1"
    . "%2Cutc:1700000000000%2Cregion:'de'}";
(my $no = $yes) =~ s/marketing:true/marketing:false/;

# the page says in its arguments which headers it wants; the cart always has
# one mug

sub store {
    my $q = shift;

    if ($q->{uri} =~ m{^/wp-json/}) {
        return { headers => \@json, body => JSON::PP::encode_json({
            items => [ { key => 'k19', id => 19, quantity => 1,
                name => 'Mug', prices => { price => '1250',
                    currency_minor_unit => 2, currency_code => 'EUR' } } ],
            billing_address => { email => 'ann@example.com' } }) };
    }

    my ($args) = $q->{uri} =~ /\?(.*)/;
    my %a = map { split /=/, $_, 2 } split /&/, $args // '';
    s/%([0-9a-f]{2})/chr hex $1/gie for values %a;

    my @h = (['Content-Type', $a{type} // 'text/html; charset=UTF-8']);
    push @h, ['Cache-Control', $a{cc}] if defined $a{cc};
    push @h, ['Expires', 'Thu, 01 Jan 2037 00:00:00 GMT'] if $a{expires};

    return { headers => \@h, status => $a{status} || 200, body =>
        '<!DOCTYPE html><html><body class="woocommerce-cart">x</body></html>' };
}

# servers of one nginx, all of one shop but "other"

my %mode = (
    http     => 'nudge_consent auto;',
    cookiebot => 'nudge_consent required cookiebot;',
    source   => 'nudge_consent required $cookie_allow;',
    visit    => 'nudge_consent session;',
    off      => 'nudge_consent off;',
    other    => 'nudge_consent off; nudge_campaign %%DIR%%/other.lua;',
    secure   => 'nudge_consent off; nudge_cookie who secure=on path=/x'
                . ' domain=localhost;',
    insecure => 'nudge_consent off; nudge_cookie nudge secure=off;',
);

my $t = Nudge->new;
my $mc = $t->memcached;

$t->upstream(\&store);
$t->write('other.lua', "shop { id = \"other\", name = \"Other\" }\n");
$t->write('keys', 'a1' x 32 . "\n");
$t->write('templates/en/onsite/plain.html', '<aside class="nudge-banner"'
    . ' data-nudge-offer="{{offer.name}}">Hello</aside>');

my $tls = tls();
my $servers = join '', map {
    my $ssl = $_ eq 'insecure' && $tls
        ? 'listen 127.0.0.1:%%PORT_TLS%% ssl;' : '';
    "server { listen 127.0.0.1:%%PORT_" . uc($_) . "%%; $ssl nudge on;"
    . " server_name localhost; $mode{$_} nudge_timeout 300ms;"
    . " nudge_preset woocommerce;"
    . ' add_header X-Visitor "$nudge_visitor" always;'
    . ' add_header X-Items "$nudge_cart_items" always;'
    . ' location / { proxy_pass %%UPSTREAM%%; } }' . "\n"
} sort keys %mode;

$servers .= "server { listen 127.0.0.1:%%PORT_ONTLS%% ssl; nudge on;"
    . ' nudge_consent off; location / { proxy_pass %%UPSTREAM%%; } }' if $tls;

$t->run(memcached => $mc, servers => $servers, campaign => <<'LUA',
shop { id = "mugs", name = "Mugs", currency = "EUR" }
offer "hello" { on = "cart", kind = "banner", template = "plain",
                cap = { 1, "1d" }, when = { pages_min = 2 } }
LUA
    http => 'nudge_key %%DIR%%/keys;' . ($tls ? "ssl_certificate $tls.crt;"
        . " ssl_certificate_key $tls.key;" : ''));

sub tls {
    my $base = $t->dir . '/tls';

    return undef if system("openssl req -x509 -newkey ec -pkeyopt"
        . " ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2"
        . " -keyout $base.key -out $base.crt >/dev/null 2>&1");
    return $base;
}

sub browser { return $t->browser(port => $t->port($_[0] // 'http')) }

sub add {
    my ($b, %opt) = @_;
    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item',
        '{"id":19,"quantity":1}', %opt);
}

sub hint {
    my ($b, %opt) = @_;
    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/update-customer',
        '{"billing_address":{"email":"ann@example.com"}}', %opt);
}

sub set { my ($r) = @_;
    return grep { /^(?:nudge|who)=/ } Nudge::header($r, 'Set-Cookie') }

sub id { return ($_[0] // '') =~ /\b([0-9a-f]{32})\b/ ? $1 : '' }

sub counter { return $t->status->{counters}{ $_[0] } }

# every key in memcached

sub keys_stored {
    my $s = IO::Socket::INET->new(PeerAddr => $mc, Proto => 'tcp') or die;
    print $s "lru_crawler metadump all\r\n";

    my @keys;
    while (my $line = <$s>) {
        last if $line =~ /^(?:END|ERROR|BUSY|CLIENT_ERROR)/;
        push @keys, $1 if $line =~ /^key=(\S+)/;
    }

    s/%([0-9a-f]{2})/chr hex $1/gie for @keys;
    return sort @keys;
}

sub document {
    my ($key) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $mc, Proto => 'tcp') or die;
    print $s "get $key\r\nquit\r\n";

    my $all = do { local $/; <$s> } // '';
    my ($n) = $all =~ /^VALUE \S+ \d+ (\d+)/ or return undef;

    return substr $all, index($all, "\n") + 1, $n;
}


# --- before consent nothing is stored; 5 modes, 5 answers, with and without
# Sec-GPC

my %answer = (none => undef, asked => '0', region => '-1', yes => $yes,
              no => $no);

# N nothing, V the visit, P a person: without and with Sec-GPC

my %want = (
    http      => { none => 'VN', asked => 'NN', region => 'PV', yes => 'PV',
                   no => 'NN' },
    cookiebot => { none => 'NN', asked => 'NN', region => 'PV', yes => 'PV',
                   no => 'NN' },
    visit     => { none => 'VN', asked => 'VN', region => 'VV', yes => 'VV',
                   no => 'NN' },
    off       => { none => 'PV', asked => 'PV', region => 'PV', yes => 'PV',
                   no => 'PV' },
);

my (%case, @bad);

for my $mode (sort keys %want) {
    for my $answer (sort keys %answer) {
        for my $gpc (0, 1) {
            my $want = substr $want{$mode}{$answer}, $gpc, 1;
            my $name = "$mode, $answer" . ($gpc ? ', Sec-GPC' : '');
            $case{$name} = { want => $want, got => shopper($mode, "CookieConsent",
                $answer{$answer}, $gpc) };
        }
    }
}

for my $s ([ undef, 'N' ], [ '', 'N' ], [ 'no', 'N' ], [ '0', 'N' ],
           [ 'maybe', 'N' ], [ '1', 'P' ], [ 'Yes', 'P' ], [ 'granted', 'P' ],
           [ $yes, 'N' ], [ '1;', 'P' ], [ 'x' x 3000, 'N' ])
{
    my ($value, $want) = @$s;
    $case{'required $cookie_allow, "' . substr($value // 'none', 0, 20) . '"'}
        = { want => $want, got => shopper('source', 'allow', $value, 0) };
}

sub shopper {
    my ($mode, $cookie, $value, $gpc) = @_;

    my $b = browser($mode);
    $b->set_cookie($cookie => $value) if defined $value;
    my %h = $gpc ? (headers => { 'Sec-GPC' => '1' }) : ();

    my $r = $b->get('/', %h);
    my @c = set($r);
    add($b, %h);
    hint($b, %h);

    return { cookie => $c[0] // '', id => id($c[0]), body => $r->{body} };
}

sleep 1.5;                  # views are kept back for up to a second

my @events = $t->events;
my %stored = map { $_ => 1 } keys_stored();

for my $name (sort keys %case) {
    my ($want, $got) = @{ $case{$name} }{qw(want got)};
    my $id = $got->{id};
    my @mine = grep { $id ne '' && ($_->{visitor} // '') eq $id } @events;

    if ($want eq 'N') {
        is($got->{cookie}, '', "$name: no cookie");
        next;
    }

    my $person = $want eq 'P';
    my %e = map { $_->{e} => $_ } @mine;
    my @why;

    push @why, 'cookie' unless $id;
    push @why, 'Max-Age' if ($got->{cookie} =~ /Max-Age/ ? 1 : 0) != $person;
    push @why, 'view' unless $e{page_view};
    push @why, 'cart' unless $e{add_to_cart};
    push @why, 'hint' if ($e{identify} ? 1 : 0) != $person;
    push @why, 'address' if !$person && grep { $_->{email} } @mine;
    push @why, 'joinable' if grep { ($_->{joinable} ? 1 : 0) != $person } @mine;
    push @why, 'document' unless delete $stored{"nudge:mugs:s:$id"};

    is("@why", '', "$name: " . ($person ? 'a person' : 'the visit'));
}

is(join(' ', sort keys %stored), '', 'memcached has nothing of anybody else');

my %known = map { $_->{got}{id} => 1 } values %case;
is(scalar(grep { !$known{ $_->{visitor} // '' } } @events), 0,
    'neither has the journal');
unlike(join('', map { document($_) // '' } keys_stored()), qr/ann\@|ann%40/,
    'no address in memcached');


# --- several answers: the one that allows less counts, wherever it stands

for my $order ([ $yes, $no ], [ $no, $yes ]) {
    for my $sep ('; CookieConsent=', "\r\nCookie: CookieConsent=") {
        my $r = $t->request('GET', '/', headers => {
            'Accept' => 'text/html', 'User-Agent' => $Nudge::UA,
            'Cookie' => 'CookieConsent=' . join $sep, @$order });
        is(join(' ', set($r)), '', 'two answers, one of them no'
            . ($sep =~ /\n/ ? ', two lines' : ''));
    }
}


# --- forged cookies

my $b = browser('off');
my @attr = split /;\s*/, (set($b->get('/')))[0];
my $good = $b->cookie('nudge');
my $me = id($good);

is(join('; ', sort map { s/=.*//r } @attr[1 .. $#attr]),
    'HttpOnly; Max-Age; Path; SameSite', 'attributes');
ok((grep { $_ eq 'SameSite=Lax' } @attr), 'SameSite=Lax');
ok((grep { $_ eq 'Path=/' } @attr), 'Path=/');

my $gets = counter('memcached_gets');
my $forged = counter('cookies_forged');
like($gets, qr/^\d+$/, 'the status counts');

(my $tag = $good) =~ s/(.)$/$1 eq '0' ? '1' : '0'/e;
(my $newer = $good) =~ s/\.0\./.1./;
(my $upper = $good) =~ s/([a-f])/uc $1/e;

my $stranger = browser('other');
$stranger->get('/');
my $alien = $stranger->cookie('nudge');

my @forged = (
    [ 'wrong tag', $tag ], [ 'another version', $newer ],
    [ 'upper case', $upper ], [ 'truncated', substr $good, 0, -1 ],
    [ 'one digit more', $good . '0' ], [ 'no tag', substr $good, 0, -17 ],
    [ '8 KB', $good . 'a' x 7900 ], [ '7 KB of dots', '.' x 7000 ],
    [ 'quoted', qq{"$good"} ], [ 'empty', '' ], [ 'one byte', '1' ],
    [ 'control characters', "1.\x01\x7f\xff" . substr $good, 5 ],
    [ 'escaped', join '', map { sprintf '%%%02x', ord } split //, $good ],
    [ 'other shop', $alien ],
);

for my $f (@forged) {
    my ($name, $value) = @$f;

    my $r = browser('off')->set_cookie(nudge => $value)->get('/');
    my ($c) = set($r);
    is($r->{status}, 200, "$name: page");
    ok($c && id($c) ne $me && id($c) ne '', "$name: a new id");

    # not even where a cart may change and memcached would be asked

    my $x = browser('off')->set_cookie(nudge => $value);
    $r = add($x);
    is(Nudge::header($r, 'X-Visitor') // '', '', "$name: nobody");
}

my $r = browser('off')->set_cookie(nudge => "$tag; nudge=$tag")->get('/');
isnt(id((set($r))[0]), $me, 'forged twice: a new id');

$r = browser('off')->set_cookie(nudge => "$good; nudge=$good")->get('/');
is(Nudge::header($r, 'X-Visitor'), $me, 'twice the same: the visitor');

is(counter('memcached_gets'), $gets, 'no forged cookie made memcached read');
cmp_ok(counter('cookies_forged') - $forged, '>=', 2 * @forged - 2,
    'they are counted');

$r = $b->get('/');
is(Nudge::header($r, 'X-Visitor'), $me, 'the genuine one is known');
is(join(' ', set($r)), '', 'and not set again');


# --- where the cookie goes, and how

for my $p ('cc=public,+max-age=60', 'cc=s-maxage=60', 'cc=PUBLIC',
           'cc=max-age=9,immutable', 'type=application/json',
           'type=text/plain', 'type=image/svg%2Bxml')
{
    my $n = browser('off');
    is(join(' ', set($n->get("/?$p"))), '', "$p: no cookie");
}

is(join(' ', set(browser('off')->xhr('GET', '/'))), '', 'XHR: no cookie');
is(join(' ', set(browser('off')->send('GET', '/', headers => {
    'Accept' => '*/*' }))), '', 'no HTML asked for: no cookie');
is(join(' ', set(browser('off')->get('/', headers => {
    'Sec-Fetch-Dest' => 'iframe' }))), '', 'a frame: no cookie');
is(join(' ', set(browser('off')->send('GET', '/', headers => {
    'Accept' => 'text/html', 'X-Requested-With' => 'XMLHttpRequest' }))), '',
    'an XHR without Sec-Fetch: no cookie');

for my $p ('x=1', 'cc=max-age=600&expires=1', 'cc=no-cache', 'cc=private',
           'status=404', 'type=TEXT/HTML')
{
    $r = browser('off')->get("/?$p");
    is(scalar(set($r)), 1, "$p: cookie");
    like(join(',', Nudge::header($r, 'Cache-Control')), qr/\bprivate\b/,
        "$p: private");
    is(scalar(Nudge::header($r, 'Expires')), undef, "$p: no Expires");
}

$r = browser('off')->get('/?cc=no-store');
is(scalar(set($r)), 1, 'no-store: cookie');
is(join(',', Nudge::header($r, 'Cache-Control')), 'no-store',
    'no-store stays as it is');

my ($c) = set(browser('secure')->get('/'));
like($c, qr/^who=.*; Path=\/x; Domain=localhost; .*; Secure$/,
    'name, path, domain and secure=on');
unlike((set(browser('insecure')->get('/')))[0], qr/Secure/, 'secure=off');

SKIP: {
    skip 'no openssl or no curl', 2 if !$tls || system('curl -V >/dev/null');

    my %got = map {
        my $p = $t->port($_);
        $_ => scalar `curl -ksi -A '$Nudge::UA' -H 'Accept: text/html' https://127.0.0.1:$p/`
    } qw(ontls tls);

    like($got{ontls}, qr/^Set-Cookie: nudge=.*; Secure\r$/m, 'Secure on https');
    like($got{tls}, qr/^Set-Cookie: nudge=(?!.*Secure).*\r$/m,
        'secure=off on https, too');
}


# --- withdrawal

for my $how ('a page', 'an XHR') {
    my $w = browser();
    $w->set_cookie(CookieConsent => $yes);
    $w->get('/');
    add($w);

    my $cookie = $w->cookie('nudge');
    my $id = id($cookie);
    ok($t->wait_for(sub { document("nudge:mugs:s:$id") }), "$how: a document");

    $w->set_cookie(CookieConsent => $no);
    $r = $how eq 'a page' ? $w->get('/') : add($w);

    like((set($r))[0] // '', qr/^nudge=; .*Max-Age=0/, "$how: cookie expires");
    like(join(',', Nudge::header($r, 'Cache-Control')), qr/private|no-store/,
        "$how: private");
    ok($t->wait_for(sub { !defined document("nudge:mugs:s:$id") }),
        "$how: the document is deleted");

    my ($ev) = grep { $_->{visitor} eq $id }
        $t->wait_events(1, e => 'consent');
    is($ev->{reason} // 'none', 'withdrawn', "$how: the journal knows");

    is(scalar(grep { ($_->{visitor} // '') eq $id
        && $_->{e} eq 'add_to_cart' } $t->events), 1, "$how: nothing else is");

    $r = $w->get('/');
    is(join(' ', set($r)), '', "$how: then silence");

    # consent is given again, with the old cookie: an empty session

    $w->set_cookie(nudge => $cookie)->set_cookie(CookieConsent => $yes);
    $r = $w->get('/');
    is(Nudge::header($r, 'X-Items') || 0, 0, "$how: nothing was kept");
}

# what was for the visit becomes a person's, and says so

my $g = browser();
like((set($g->get('/')))[0], qr/^(?!.*Max-Age)nudge=/, 'visit: no Max-Age');
my $g_id = id($g->cookie('nudge'));
$g->set_cookie(CookieConsent => $yes);
like((set($g->get('/')))[0] // '', qr/Max-Age=/, 'granted: it lasts');
is(id($g->cookie('nudge')), $g_id, 'granted: the same visitor');
ok($t->wait_for(sub { grep { $_->{visitor} eq $g_id
    && $_->{reason} eq 'granted' } $t->events(e => 'consent') }),
    'granted: the journal knows');


# --- a prefetch is no view until it is seen

for my $h ('Sec-Purpose', 'Purpose') {
    my $p = browser('off');
    $p->get('/', headers => { $h => 'prefetch' });
    my $id = id($p->cookie('nudge'));

    for (1 .. 4) {
        $r = $p->get('/', headers => { $h => $h eq 'Purpose' ? 'prefetch'
            : 'prefetch;prerender' });
        unlike($r->{body}, qr/nudge-banner/, "$h: pages are not counted")
            if $_ == 4;
    }

    my @e = grep { ($_->{visitor} // '') eq $id } $t->wait_for(sub {
        my @v = grep { ($_->{visitor} // '') eq $id } $t->events;
        return @v >= 5 && \@v;
    }) ? $t->events : ();
    @e = grep { ($_->{visitor} // '') eq $id && $_->{e} eq 'page_view' } @e;
    is(scalar(grep { $_->{tentative} } @e), 5, "$h: five tentative views");

    $t->wait_for(sub { document("nudge:mugs:s:$id") }, 2);
    my $doc = eval { JSON::PP::decode_json(document("nudge:mugs:s:$id")) } || {};
    is($doc->{pages} || 0, 0, "$h: no page in the session");
}


# --- bots are served, not counted

for my $ua ('Mozilla/5.0 (compatible; Googlebot/2.1)', 'curl/7.88.1', undef,
            'Mozilla/5.0 HeadlessChrome/140', 'x' x 4000 . 'bot')
{
    my $before = () = $t->events;
    my $name = substr $ua // 'none', 0, 40;
    my %h = ('Accept' => 'text/html', Cookie => "nudge=$good");
    $h{'User-Agent'} = $ua if defined $ua;

    next if length($ua // '') > 256;    # only the beginning is looked at

    $r = $t->request('GET', '/', headers => \%h, port => $t->port('off'));
    is($r->{status}, 200, "bot \"$name\": page");
    $r = $t->request('GET', '/', headers => { %h, Cookie => undef },
        port => $t->port('off'));
    is(join(' ', set($r)), '', "bot \"$name\": no cookie");
    $r = $t->request('POST', '/wp-json/wc/store/v1/cart/add-item',
        headers => { %h, 'Content-Type' => 'application/json' },
        body => '{"id":19,"quantity":1}', port => $t->port('off'));
    is($r->{status}, 200, "bot \"$name\": cart");
    is(scalar(() = $t->events), $before, "bot \"$name\": no event");
}

sleep 1.2;
is(scalar(grep { $_->{bot} } $t->events), 0, 'not a second later either');


# --- keys: rotation, and files that are none

my $old = $b->cookie('nudge');

sub restart {
    my ($keys) = @_;
    $t->stop_nginx;
    $t->write('keys', $keys);
    $t->start_nginx;
}

sub seen {
    my ($r) = browser('off')->set_cookie(nudge => $old)->get('/');
    return Nudge::header($r, 'X-Visitor') // '';
}

my ($k1, $k2, $k3) = ('a1' x 32, 'B2' x 32, 'c3' x 32);

restart("# since today\n$k2\n\n  $k1  # until next week");
is(seen(), $me, 'rotation: the previous key is still good');
my $fresh = browser('off');
$fresh->get('/');
isnt(id($fresh->cookie('nudge')), '', 'rotation: new cookies');

$t->write('keys', "$k3\n$k2\n");
$t->reload;
ok($t->wait_for(sub { seen() ne $me }), 'rotation by reload: the oldest is not');
is(Nudge::header($fresh->get('/'), 'X-Visitor'), id($fresh->cookie('nudge')),
    'rotation: what the middle one signed is');

my %broken = (
    'empty' => [ '', 1 ], 'comment only' => [ "# nothing\n", 2 ],
    'short' => [ "$k1\nabc\n", 2 ], 'long' => [ "${k1}0\n", 1 ],
    'three' => [ "$k1\n# a comment\n$k2\n$k3\n", 4 ],
    'no digits' => [ "\n" . 'z' x 64 . "\n", 2 ], 'NUL' => [ "\0" x 64, 1 ],
);

$t->allow(qr/\[emerg\].*keys/);
my $file = $t->dir . '/keys';

for my $name (sort keys %broken) {
    my ($text, $line) = @{ $broken{$name} };
    my $size = -s $t->dir . '/error.log';

    $t->write('keys', $text);
    $t->reload;

    ok($t->wait_for(sub {
        substr($t->read('error.log'), $size) =~ /\[emerg\].*\Q$file\E:$line:/
    }), "$name: line $line is named");
}

is(Nudge::header($fresh->get('/'), 'X-Visitor'), id($fresh->cookie('nudge')),
    'a reload with a broken key file leaves the old keys at work');

# nor does a reload die of a file that cannot be made

$t->write('keys', "$k3\n$k2\n");
my $http = $t->{conf}{http};
$t->{conf}{http} =~ s{/keys;}{/none/keys;};
$t->reload;
ok($t->wait_for(sub { $t->read('error.log') =~ m{none/keys" cannot be created} }),
    'a key file that cannot be made is complained of');
ok($t->wait_for(sub { $t->read('error.log') =~ /goes on with keys/ }),
    'and the shop goes on');
is(Nudge::header($fresh->get('/'), 'X-Visitor'), id($fresh->cookie('nudge')),
    'with the keys it had');
is(waitpid($t->{pids}{nginx}, POSIX::WNOHANG()), 0, 'the master lives');
$t->{conf}{http} = $http;
$t->write_conf;
$t->stop_nginx;

for my $name (sort keys %broken) {
    my ($text, $line) = @{ $broken{$name} };
    my $size = -s $t->dir . '/error.log';

    $t->write('keys', $text);
    local %ENV = (%ENV, Nudge::sanitizer());
    my $out = `timeout 10 $Nudge::NGINX -p $t->{dir} -c $t->{dir}/nginx.conf 2>&1`;
    isnt($?, 0, "$name: does not start");
    like($out . substr($t->read('error.log'), $size),
        qr/\Q$file\E:$line: expected one or two lines/, "$name: says where");
}

# without a file one is made, but not by -t

unlink $file;
my $out = $t->test_conf;
is($?, 0, 'no file: -t is content') or diag $out;
ok(!-e $file, 'no file: and makes none');
$t->start_nginx;
like($t->read('keys') // '', qr/^[0-9a-f]{64}\n$/, 'no file: start makes one');
is(sprintf('%o', (stat $file)[2] & 0777), '600', 'for our eyes only');

unlike($t->read('error.log'), qr/\Q$good\E|$k1|$k3/i,
    'neither keys nor cookies in the log');

$t->done;
