#!/usr/bin/perl

# What lies below /nudge/: who may call it, how often, and what it does.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use lib "$FindBin::Bin/lib";
use Nudge;

my $KEY = '0123456789abcdef' x 4;
my $form = 'application/x-www-form-urlencoded';

my $t = Nudge->new;

$t->upstream(sub { return { body => '<html><body>store</body></html>' } });
$t->write('keys', "$KEY\n");
chmod 0600, "$t->{dir}/keys";

$t->run(http => 'nudge_key %%DIR%%/keys;
    set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;', campaign => <<'LUA',
shop { id = "test", name = "Café <Test>", url = "https://shop.example",
       from = "Test <hello@shop.example>", postal_address = "1 High Street" }
offer "leaving" { on = "exit_intent", kind = "popup", template = "cart" }
LUA
    servers => <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_HTTP%%;
        server_name localhost;
        error_page 404 405 413 = @store;
        nudge on;
        location / { proxy_pass %%UPSTREAM%%; }
        location @store { proxy_pass %%UPSTREAM%%; }
        location ^~ /nudge/ { return 500; }
    }
    server {
        listen 127.0.0.1:%%PORT_HTTP2%% http2;
        nudge on;
        location / { proxy_pass %%UPSTREAM%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_BARE%%;
        nudge on;
        nudge_campaign off;
        location / { proxy_pass %%UPSTREAM%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_CLOSED%%;
        nudge on;
        nudge_campaign off;
        nudge_status off;
        nudge_path /_n/;
        rewrite ^ /gone last;
        location / { proxy_pass %%UPSTREAM%%; }
    }
CONF

my ($r, $text);
my $address = 1;

# assets

$r = req('GET', '/nudge/nudge.js');
is($r->{status}, 200, 'script');
like(Nudge::header($r, 'Content-Type'), qr{^(application|text)/javascript},
    'script: type');
is(Nudge::header($r, 'Cache-Control'), 'no-cache', 'script: no version');
my $etag = Nudge::header($r, 'ETag');
like($etag, qr/^"[0-9a-f]+"$/, 'script: etag');
(my $v = $etag) =~ tr/"//d;
is($r->{body}, $t->read("$Nudge::ROOT/share/onsite/nudge.js"), 'script: text');

$r = req('GET', "/nudge/nudge.css?v=$v");
is($r->{status}, 200, 'style');
like(Nudge::header($r, 'Content-Type'), qr{^text/css}, 'style: type');
is(Nudge::header($r, 'Cache-Control'), 'public, max-age=31536000, immutable',
    'style: cached under its version');
is($r->{body}, $t->read("$Nudge::ROOT/share/onsite/nudge.css"), 'style: text');

$r = req('GET', '/nudge/nudge.css?v=old');
is(Nudge::header($r, 'Cache-Control'), 'no-cache', 'style: other version');

$r = req('GET', "/nudge/nudge.js?v=$v",
    headers => { 'If-None-Match' => $etag });
is($r->{status}, 304, 'script: not modified');

$r = req('HEAD', '/nudge/nudge.js');
is($r->{status}, 200, 'script: HEAD');
is($r->{body}, '', 'script: HEAD has no body');

# names and methods; the shop's error pages have no say

$r = req('GET', '/nudge/nonsense');
is("$r->{status} $r->{body}", "404 not found\n", 'unknown name');
is(req('GET', '/nudge/')->{status}, 404, 'no name');
is(req('GET', '/nudge/status/x')->{status}, 404, 'below a name');
is(req('GET', '/nudge')->{body}, '<html><body>store</body></html>',
    'beside the path');

for ([GET => 'exit', 'POST'], [GET => 'subscribe', 'POST'],
    [DELETE => 'unsubscribe', 'GET, HEAD, POST'],
    [POST => 'nudge.js', 'GET, HEAD'], [POST => 'status', 'GET, HEAD'])
{
    my ($method, $name, $allow) = @$_;
    $r = req($method, "/nudge/$name");
    is($r->{status}, 405, "$method $name");
    is(Nudge::header($r, 'Allow'), $allow, "$method $name: allow");
}

elsewhere();

# where a POST comes from

sub post {
    my ($name, $body, %headers) = @_;
    return req('POST', "/nudge/$name", body => $body,
        headers => { 'Content-Type' => $form, 'User-Agent' => $Nudge::UA,
            %headers });
}

for (
    ['nothing said', 403],
    ['cross-site', 403, 'Sec-Fetch-Site' => 'cross-site',
        Origin => 'http://localhost'],
    ['same-site', 403, 'Sec-Fetch-Site' => 'same-site'],
    ['typed in', 403, 'Sec-Fetch-Site' => 'none'],
    ['same-origin', 204, 'Sec-Fetch-Site' => 'same-origin'],
    ['origin', 204, Origin => 'http://localhost'],
    ['origin, https', 204, Origin => 'https://LOCALHOST'],
    ['origin, other', 403, Origin => 'http://evil.example'],
    ['origin, null', 403, Origin => 'null'],
    ['origin, longer', 403, Origin => 'http://localhost.evil.example'],
    ['origin, user', 403, Origin => 'http://localhost@evil.example'],
    ['referer', 204, Referer => 'http://localhost/cart?x'],
    ['referer, other', 403, Referer => 'http://evil.example/localhost'],
    ['origin over referer', 403, Origin => 'http://evil.example',
        Referer => 'http://localhost/'],
) {
    my ($what, $status, %h) = @$_;
    is(post('close', 'offer=leaving', %h)->{status}, $status,
        "from: $what");
}

my %here = ('Sec-Fetch-Site' => 'same-origin');

elsewhere();

# bodies

is(post('close', 'x' x 4096, %here)->{status}, 204, 'body: as much as may');
is(post('close', 'x' x 4097, %here)->{status}, 413, 'body: too much');
is(post('close', 'x' x 200_000, %here)->{status}, 413, 'body: far too much');
is(post('close', '', %here)->{status}, 204, 'body: none');
is(post('close', "\0\xff%zz&&&=;=", %here)->{status}, 204, 'body: garbage');

$r = $t->raw("POST /nudge/close HTTP/1.1\r\nHost: localhost\r\n"
    . "Sec-Fetch-Site: same-origin\r\nTransfer-Encoding: chunked\r\n"
    . "Connection: close\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
like($r, qr/^HTTP\S+ 411/, 'body: without a length');

$r = $t->raw("POST /nudge/close HTTP/1.1\r\nHost: localhost\r\n"
    . "Sec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\noffer=abc"
    . "GET /nudge/nudge.css HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\n\r\n");
like($r, qr/^HTTP\S+ 204.*HTTP\S+ 200/s, 'body: the connection goes on');

# a form

$r = post('subscribe', 'email=ann%40shop.example&offer=leaving&website=',
    %here);
is($r->{status}, 200, 'subscribe');
like($r->{body}, qr/^<!DOCTYPE html>.*nudge-content/s, 'subscribe: a page');
unlike($r->{raw}, qr/[^\x00-\x7f]/, 'subscribe: ASCII');
like($r->{body}, qr/Caf&#xe9; &#x3c;Test&#x3e;|Caf&#233; &#60;Test&#62;/i,
    'subscribe: escaped');
is(Nudge::header($r, 'Cache-Control'), 'no-store', 'subscribe: not kept');
like(Nudge::header($r, 'Content-Security-Policy'), qr/default-src 'none'/,
    'subscribe: policy');
ok(!defined Nudge::header($r, 'Set-Cookie'), 'subscribe: no cookie');

my ($ev) = $t->wait_events(1, e => 'subscribe');
is($ev->{email}, 'ann@shop.example', 'subscribe: address');
is($ev->{method}, 'form', 'subscribe: method');
is($ev->{offer}, 'leaving', 'subscribe: offer');
is($ev->{shop}, 'test', 'subscribe: shop');
like($ev->{text}, qr/^cart\@[0-9a-f]{16}$/, 'subscribe: wording');
ok($ev->{joinable}, 'subscribe: joins a person');

for my $bad ('', 'ann', 'ann@', 'a b@shop.example', "ann\@shop.example\r\nx",
    'ann@shop', '"a"@shop.example', 'x' x 300 . '@shop.example')
{
    is(post('subscribe', 'email=' . Nudge::Browser::escape($bad), %here)
        ->{status}, 400, 'subscribe: bad address');
    elsewhere();
}

elsewhere();
is(post('subscribe', 'email=bot%40shop.example&website=x', %here)->{status},
    200, 'subscribe: robot');
is(post('subscribe', 'email=bob%40shop.example&offer=none', %here)->{status},
    200, 'subscribe: unknown offer');

my @ev = $t->wait_events(2, e => 'subscribe');
is(join(' ', map { $_->{email} } @ev), 'ann@shop.example bob@shop.example',
    'subscribe: only those of people');
ok(!defined $ev[1]{offer}, 'subscribe: no offer of ours');

elsewhere();

# links of mails

sub token {
    my ($kind, %o) = @_;

    $text = join '.', $kind, $o{shop} // 'test', $o{contact} // 'c0123456789',
        $o{claim} // 'claim-1', $o{expires} // 0, $o{target} // '';

    return encode_base64url($text
        . substr hmac_sha256("\0$text", pack 'H*', $o{key} // $KEY), 0, 16);
}

sub journal { return scalar $t->events(e => $_[0]) }

my $c = token('c');

$r = req('GET', "/nudge/confirm?t=$c");
is($r->{status}, 200, 'confirm: page');
like($r->{body}, qr/<form[^>]*method="post"[^>]*action="\/nudge\/confirm"/,
    'confirm: form');
like($r->{body}, qr/value="\Q$c\E"/, 'confirm: token');
is(Nudge::header($r, 'Referrer-Policy'), 'no-referrer', 'confirm: referrer');

is(journal('subscribe'), 2, 'confirm: GET does nothing');

$r = post('confirm', "t=$c");
is($r->{status}, 200, 'confirm: done');
($ev) = grep { $_->{method} eq 'confirm' } $t->events(e => 'subscribe');
is($ev->{contact}, 'c0123456789', 'confirm: contact, already there');
is($ev->{claim}, 'claim-1', 'confirm: claim');

my $u = token('u');

$r = req('GET', "/nudge/unsubscribe?t=$u");
is($r->{status}, 200, 'unsubscribe: page');
is(journal('unsubscribe'), 0, 'unsubscribe: GET does nothing');
is(req('HEAD', "/nudge/unsubscribe?t=$u")->{status}, 200,
    'unsubscribe: HEAD');
is(journal('unsubscribe'), 0, 'unsubscribe: HEAD does nothing');

$r = post('unsubscribe', "t=$u");
is($r->{status}, 200, 'unsubscribe: done');
is(journal('unsubscribe'), 1, 'unsubscribe: on disk when said');

$r = post("unsubscribe?t=$u", 'List-Unsubscribe=One-Click',
    Origin => 'https://mailbox.example', 'Sec-Fetch-Site' => 'cross-site');
is($r->{status}, 200, 'unsubscribe: one click');

$r = req('POST', "/nudge/unsubscribe?t=$u", headers => {
    'Content-Type' => 'multipart/form-data; boundary=xyz' },
    body => "--xyz\r\nContent-Disposition: form-data; name=\"List-Unsubscribe"
        . "\"\r\n\r\nOne-Click\r\n--xyz--\r\n");
is($r->{status}, 200, 'unsubscribe: one click, multipart');

is(join(' ', map { "$_->{method}:$_->{contact}" }
    $t->events(e => 'unsubscribe')), 'page:c0123456789 '
    . 'one-click:c0123456789 one-click:c0123456789', 'unsubscribe: events');

elsewhere();

for (
    ['nothing', '', 404], ['garbage', 'AAAA', 404], ['a kilobyte',
        'A' x 1000, 404],
    ['another kind', token('u'), 404], ['another shop',
        token('c', shop => 'other'), 404],
    ['another key', token('c', key => 'ff' x 32), 404],
    ['expired', token('c', expires => 1_600_000_000), 410],
    ['cut', substr($c, 0, -1), 404],
) {
    my ($what, $token, $status) = @$_;
    is(req('GET', "/nudge/confirm?t=$token")->{status}, $status,
        "token: $what, page");
    is(post('confirm', "t=$token")->{status}, $status, "token: $what, form");
}

is(journal('subscribe'), 3, 'token: none of them acted');

elsewhere();

# clicks

$r = req('GET', '/nudge/click?t=' . token('l', target => '/cart/?a=b'),
    headers => { 'User-Agent' => $Nudge::UA });
is($r->{status}, 302, 'click');
is(Nudge::header($r, 'Location'), 'https://shop.example/cart/?a=b',
    'click: where to');
($ev) = $t->wait_events(1, e => 'message_click');
is($ev->{claim}, 'claim-1', 'click: claim');
is($ev->{contact}, 'c0123456789', 'click: contact');

for ('//evil.example/', '/\\evil.example/', 'https://evil.example/', '') {
    $r = req('GET', '/nudge/click?t=' . token('l', target => $_));
    unlike(Nudge::header($r, 'Location') // '', qr/evil/,
        "click: not to \"$_\"");
}

is(req('GET', '/nudge/click?t=' . token('u'))->{status}, 404,
    'click: another kind');
$r = req('GET', '/nudge/click?t='
    . token('l', target => '/x', expires => 1_600_000_000));
is(Nudge::header($r, 'Location'), 'https://shop.example/',
    'click: expired leads home');

# status

my $s = $t->status;
is($s->{shops}[0]{id}, 'test', 'status: shop');
ok(defined $s->{counters}{rate_limited}, 'status: counters');
is($s->{shops}[0]{offers}, 1, 'status: offers');
is($t->request('GET', '/nudge/status', port => $t->port('bare'))->{status},
    200, 'status: capture only');
is(req('GET', '/nudge/nudge.js', port => $t->port('bare'))->{status},
    404, 'capture only has no assets');
is(req('GET', '/nudge/status')->{status}, 403, 'status: not for everybody');
is($t->request('GET', '/_n/status', port => $t->port('closed'))->{status},
    403, 'status: off');

# the same over HTTP/2, where bodies arrive in their own time

SKIP: {
    `curl --version 2>/dev/null` =~ /HTTP2/ or skip 'no curl with HTTP/2', 4;

    my $h2 = 'http://127.0.0.1:' . $t->port('http2') . '/nudge';
    my $curl = 'curl -s --http2-prior-knowledge -w "%{http_code}" -m 10';

    is(`$curl -o /dev/null -d List-Unsubscribe=One-Click '$h2/unsubscribe?t=$u'`,
        200, 'http/2: unsubscribe');
    my $here = '-H "Sec-Fetch-Site: same-origin"';

    is(`$curl -o /dev/null -d offer=leaving $here $h2/close`, 204,
        'http/2: close');

    # nginx resets a stream whose body it does not want: some see only that
    like(`yes | head -c 9999 | $curl -o /dev/null -d \@- $here $h2/close`,
        qr/^(?:413|000)$/, 'http/2: too much');
    is(`$curl -o /dev/null $h2/nudge.js`, 200, 'http/2: script');
}

# an address's tokens

elsewhere();
my %seen;
$seen{ req('GET', '/nudge/confirm')->{status} }++ for 1 .. 80;
ok($seen{404} && $seen{404} >= 40, 'a burst is let through');
ok($seen{429}, 'and then no more');
$r = req('GET', '/nudge/confirm');
is(Nudge::header($r, 'Retry-After'), '1', 'when to come back')
    if $r->{status} == 429;
is(req('GET', '/nudge/nudge.js')->{status}, 200, 'assets are free');
is(post("unsubscribe?t=$u", 'List-Unsubscribe=One-Click')->{status}, 200,
    'a mailbox provider is not held up');

elsewhere();
%seen = ();
$seen{ post('subscribe', 'email=x', %here)->{status} }++ for 1 .. 20;
ok($seen{429}, 'addresses: only a few at a time');

# not durable: not said

$t->stop_nginx;
system 'rm', '-rf', "$t->{dir}/state/journal";
$t->write('state/journal', 'in the way');
$t->allow(qr/journal/);
$t->start_nginx;

$r = post("unsubscribe?t=$u", 'List-Unsubscribe=One-Click');
is($r->{status}, 503, 'unsubscribe: no disk, no promise');
like($r->{body}, qr/hello&#x40;shop\.example|hello\@shop\.example/i,
    'unsubscribe: where to write to');
$r = post('subscribe', 'email=ann%40shop.example', %here);
is($r->{status}, 503, 'subscribe: no disk');

$t->done;


# each part of the test comes from an address of its own, whose bucket is full

sub elsewhere { $address++; return }

sub req {
    my ($method, $uri, %opt) = @_;

    return $t->request($method, $uri, %opt, headers => {
        'X-Real-IP' => "10.0.0.$address", %{ $opt{headers} || {} } });
}
