#!/usr/bin/perl

# Request bodies of every size and shape: the store gets each byte as it was
# sent, whatever we make of it, and what is secret is nowhere to be found.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use IO::Socket::INET;
use JSON::PP ();
use Nudge;
use Test::More;
use Time::HiRes qw(sleep time);

my $CANARY = 'CaNaRy7h3s3cr3t';
my $have_mc = `memcached -V 2>/dev/null` =~ /memcached/;
my $t = Nudge->new;
my $cart = '{"items":[{"key":"k19","id":19,"quantity":1,"name":"Mug",'
    . '"prices":{"price":"1250","currency_minor_unit":2,"currency_code":"EUR"}'
    . '}]}';

# says what arrived; the answer is a cart where one is asked for

$t->upstream(sub {
    my $q = shift;

    my $sum = length($q->{body}) . ' ' . md5_hex($q->{body});
    my @h = (['X-Sum', $sum]);

    return { headers => [@h, ['Content-Type', 'application/json']],
        body => $q->{uri} =~ /checkout/ ? '{"order_id":7,"result":"success",'
            . '"payment_result":{"payment_status":"success"}}' : $cart }
        if $q->{uri} =~ m{/wp-json/|rest_route|wc-ajax};

    return { headers => [@h, ['Set-Cookie', 'woocommerce_cart_hash=x']],
        body => '<!DOCTYPE html><html><body>x</body></html>' };
});

my $server = <<'CONF';
    nudge on;
    nudge_consent off;
    nudge_preset woocommerce;
    nudge_body_size 16k;
    client_max_body_size 64m;
    proxy_http_version 1.1;
    location / { proxy_pass %%UPSTREAM%%; }
    location /stream/ { proxy_request_buffering off;
        proxy_pass %%UPSTREAM%%/; }
    location /file/ { client_body_in_file_only on;
        proxy_pass %%UPSTREAM%%/; }
    location /clean/ { client_body_in_file_only clean;
        proxy_pass %%UPSTREAM%%/; }
    location /single/ { client_body_in_single_buffer on;
        client_body_buffer_size 64m; proxy_pass %%UPSTREAM%%/; }
    location /small/ { client_body_buffer_size 64; proxy_pass %%UPSTREAM%%/; }
CONF

$t->run(memcached => $have_mc ? $t->memcached : 'off', servers => <<"CONF");
    server { listen 127.0.0.1:%%PORT_HTTP%%; server_name localhost; $server }
    server { listen 127.0.0.1:%%PORT_H2%% http2; server_name localhost;
        $server }
CONF

sub counter { return $t->status->{counters}{ $_[0] } }

sub sum { return length($_[0]) . ' ' . md5_hex($_[0]) }

my $add = '/wp-json/wc/store/v1/cart/add-item';
my %json = ('Content-Type' => 'application/json');
my %form = ('Content-Type' => 'application/x-www-form-urlencoded');

sub visitor {
    my $b = $t->browser;
    $b->get('/');
    return $b;
}

sub added { return scalar(my @e = $t->events(e => 'add_to_cart')) }

# the body, chunked as the list says

sub chunked {
    my ($body, $size) = @_;

    my $out = '';
    for (my $i = 0; $i < length $body; $i += $size) {
        my $piece = substr $body, $i, $size;
        $out .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
    }

    return $out . "0\r\n\r\n";
}

sub head {
    my ($b, $uri, @more) = @_;

    return "POST $uri HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        . "User-Agent: $Nudge::UA\r\nAccept: */*\r\n"
        . "X-Requested-With: XMLHttpRequest\r\nCookie: nudge="
        . $b->cookie('nudge') . "\r\n" . join('', map { "$_\r\n" } @more)
        . "\r\n";
}


# --- what we understand, however it is sent

my $b = visitor();
my $body = '{"id":19,"quantity":3,"pad":"' . 'x' x 700 . '"}';
my $n = added();

for my $where ('', '/stream', '/file', '/clean', '/single', '/small') {

    # a rule names the path the browser asked for: through a location the
    # Store API route comes as the argument

    my $uri = $where eq '' ? $add
        : "$where/?rest_route=/wc/store/v1/cart/add-item";
    my $r = $b->xhr('POST', $uri, $body);

    is($r->{status}, 200, "$where: status");
    is(Nudge::header($r, 'X-Sum'), sum($body), "$where: body");

    my @e = $t->events(e => 'add_to_cart');
    is(scalar @e, ++$n, "$where: one event");
    is($e[-1]{items}[0]{quantity}, 3, "$where: understood") if @e;

    for my $size (1, 7, 64, 100000) {
        $r = Nudge::parse($t->raw(head($b, $uri,
            'Content-Type: application/json', 'Transfer-Encoding: chunked')
            . chunked($body, $size)), 'POST');
        is(Nudge::header($r, 'X-Sum'), sum($body), "$where: chunks of $size");
        is(added(), ++$n, "$where: chunks of $size: one event");
    }
}

# one byte at a time on the wire

{
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
        PeerPort => $t->port('http')) or die;
    my $short = '{"id":19,"quantity":5}';
    syswrite $s, head($b, $add, 'Content-Type: application/json',
        'Content-Length: ' . length $short);
    for (split //, $short) { syswrite $s, $_; sleep 0.002 }
    my $in = do { local $/; <$s> };
    is(Nudge::header(Nudge::parse($in), 'X-Sum'), sum($short),
        'byte by byte: body');
    is(added(), ++$n, 'byte by byte: one event');
    is(($t->events(e => 'add_to_cart'))[-1]{items}[0]{quantity}, 5,
        'byte by byte: understood');
}


# --- larger than nudge_body_size: the page is right, nothing is invented

my $cut = counter('bodies_cut');
my $cuts = 0;
my $megabyte = '{"pad":"' . join('', map { chr(33 + $_ % 90) } 1 .. 1 << 20)
    =~ tr/"\\/''/r . '","id":19,"quantity":9}';
my $twenty = $megabyte x 20;

for my $c ([ '17 KB', '{"pad":"' . 'y' x 17000 . '","id":19,"quantity":9}' ],
           [ '1 MB', $megabyte ], [ '20 MB', $twenty ])
{
    my ($name, $body) = @$c;

    for my $where ('', '/stream', '/file', '/small') {
        my $uri = $where eq '' ? $add
            : "$where/?rest_route=/wc/store/v1/cart/add-item";
        my $r = $b->xhr('POST', $uri, $body, timeout => 60);
        is($r->{status}, 200, "$name$where: status");
        is(Nudge::header($r, 'X-Sum'), sum($body), "$name$where: every byte");
        is($r->{body}, $cart, "$name$where: the answer");
        $cuts++;
        next if $name eq '20 MB';

        $r = Nudge::parse($t->raw(head($b, $uri,
            'Content-Type: application/json', 'Transfer-Encoding: chunked')
            . chunked($body, 30000), timeout => 60), 'POST');
        is(Nudge::header($r, 'X-Sum'), sum($body), "$name$where: chunked");
        $cuts++;
    }
}

is(scalar(grep { ($_->{items}[0]{quantity} // 0) == 9 }
    $t->events(e => 'add_to_cart')), 0, 'what was cut off is not invented');
cmp_ok(counter('bodies_cut') - $cut, '>=', $cuts, 'and counted');
$n = added();

# exactly as large as it may be, and one byte more

for my $more (0, 1) {
    my $text = '{"id":19,"quantity":1,"pad":"';
    $text .= 'z' x (16384 + $more - 2 - length $text) . '"}';
    my $before = counter('bodies_cut');
    my $r = $b->xhr('POST', $add, $text);
    is(Nudge::header($r, 'X-Sum'), sum($text), "16384 + $more: body");
    is(counter('bodies_cut') - $before, $more, "16384 + $more: counted");
    is(added(), $n + 1, '16384: understood') if !$more;
}

$n = added();


# --- shapes that are none; the store gets them all, no event comes of it

my $deep = '[' x 10000;
my @garbage = (
    [ 'arrays 10,000 deep', $add, \%json, "{\"id\":$deep" . ']' x 10000 . '}' ],
    [ 'objects 10,000 deep', $add, \%json, '{"id":' x 10000 . 1 . '}' x 10000 ],
    [ 'never closed', $add, \%json, $deep ],
    [ 'twice the same name', $add, \%json, '{"id":{},"id":[]}' ],
    [ 'numbers', $add, \%json, '{"id":1e999,"quantity":-1e999}' ],
    [ 'NUL', $add, \%json, "{\"id\":\0,\"quantity\":1}" ],
    [ 'not UTF-8', $add, \%json, "{\"id\":\"\xc0\xaf\xed\xa0\x80" ],
    [ 'surrogates', $add, \%json, '{"id":["\\ud800","\\udc00\\ud800"]}' ],
    [ 'empty', $add, \%json, '' ],
    [ 'nothing but spaces', $add, \%json, ' ' x 9000 ],
    [ 'no type', $add, {}, 'id=19' ],
    [ 'multipart without boundary', '/product/x/',
        { 'Content-Type' => 'multipart/form-data' },
        "--x\r\nContent-Disposition: form-data; name=\"add-to-cart\"\r\n\r\n19"
        . "\r\n--x--\r\n" ],
    [ 'multipart, empty boundary', '/product/x/',
        { 'Content-Type' => 'multipart/form-data; boundary=' },
        "--\r\nContent-Disposition: form-data; name=\"add-to-cart\"\r\n\r\n19" ],
    [ 'multipart, boundary of 10 KB', '/product/x/',
        { 'Content-Type' => 'multipart/form-data; boundary=' . 'b' x 7000 },
        '--' . 'b' x 7000 . "\r\nContent-Disposition: form-data; "
        . "name=\"add-to-cart\"\r\n\r\n19\r\n" ],
    [ 'multipart, no end of a name', '/product/x/',
        { 'Content-Type' => 'multipart/form-data; boundary=x' },
        "--x\r\nContent-Disposition: form-data; name=\"add-to-cart\\" ],
    [ 'multipart, only boundaries', '/product/x/',
        { 'Content-Type' => 'multipart/form-data; boundary=x' },
        "--x\r\n" x 3000 . '--x--' ],
    [ 'form: garbage', '/?wc-ajax=add_to_cart', \%form,
        "&&==&%&%%&%zz=%1&product%5fid&\0=\xff\xfe&+=+&" . '=' x 5000 ],
    [ 'form: 5,000 fields', '/?wc-ajax=add_to_cart', \%form,
        join '&', map { "f$_=$_" } 1 .. 2200 ],
    [ 'form: nothing but %', '/?wc-ajax=add_to_cart', \%form, '%' x 16000 ],
    [ 'batch, hollow', '/wp-json/wc/store/v1/batch', \%json,
        '{"requests":[' . '{},' x 4000 . '[]]}' ],
);

for my $g (@garbage) {
    my ($name, $uri, $h, $body) = @$g;

    my $r = $t->request('POST', $uri, body => $body, headers => {
        'User-Agent' => $Nudge::UA, Cookie => 'nudge=' . $b->cookie('nudge'),
        %$h });
    is($r->{status}, 200, "$name: status");
    is(Nudge::header($r, 'X-Sum'), sum($body), "$name: body");
}

my @e = $t->events(e => 'add_to_cart');
is(scalar(grep { @{ $_->{items} || [] } != 1 } @e), 0, 'no event without item');
is(scalar(grep { !defined $_->{items}[0]{id}
    || $_->{items}[0]{id} !~ /^[\w.-]{1,64}$/ } @e[$n .. $#e]), 0,
    'nor with an item that is none') or diag explain [ @e[$n .. $#e] ];
is($b->get('/')->{status}, 200, 'and the worker is well');


# --- clients that leave in the middle

my $pids = join ' ', $t->processes('worker process');

for my $where ('', '/stream', '/file') {
    my $uri = $where eq '' ? $add
        : "$where/?rest_route=/wc/store/v1/cart/add-item";

    for my $sent (0, 1, 500, 20000) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $t->port('http'), Proto => 'tcp') or die;
        syswrite $s, head($b, $uri, 'Content-Type: application/json',
            'Content-Length: 100000') . substr $megabyte, 0, $sent;
        sleep 0.03;
        close $s;

        $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $t->port('http'), Proto => 'tcp') or die;
        syswrite $s, head($b, $uri, 'Content-Type: application/json',
            'Transfer-Encoding: chunked') . "fffff\r\n"
            . substr $megabyte, 0, $sent;
        sleep 0.03;
        close $s;
    }
}

$n = added();
is($b->get('/')->{status}, 200, 'clients that left: all is well');
is(join(' ', $t->processes('worker process')), $pids, 'the same workers');


# --- bodies while memcached is asked first

SKIP: {
    skip 'no memcached', 6 unless $have_mc;

    # a cookie newer than the hot copy: another host gave it

    for my $state ('CONT', 'STOP') {
        my $v = visitor();
        $v->xhr('POST', $add, '{"id":19,"quantity":1}');
        $v->xhr('POST', $add, '{"id":19,"quantity":1}');

        # the zone forgets, memcached and the cookie do not
        $t->stop_nginx;
        $t->start_nginx;

        kill $state, $t->{pids}{memcached};
        my $r = $v->xhr('POST', $add, $body);
        is($r->{status}, 200, "waiting, $state: status");
        is(Nudge::header($r, 'X-Sum'), sum($body), "waiting, $state: body");

        $r = Nudge::parse($t->raw(head($v, $add, 'Content-Type:'
            . ' application/json', 'Transfer-Encoding: chunked')
            . chunked($body, 1)), 'POST');
        is(Nudge::header($r, 'X-Sum'), sum($body), "waiting, $state: chunked");
        kill 'CONT', $t->{pids}{memcached};
    }
}


# --- HTTP/2

SKIP: {
    skip 'curl cannot speak HTTP/2', 12
        unless `curl -V 2>/dev/null` =~ /HTTP2/;

    my $v = visitor();
    my $port = $t->port('h2');

    for my $c ([ 'small', $body ], [ '1 MB', $megabyte ],
               [ '20 MB', $twenty ])
    {
        for my $where ('', '/stream', '/file') {
            my ($name, $text) = @$c;
            my $file = $t->write('upload', $text);
            my $uri = $where eq '' ? $add
                : "$where/?rest_route=/wc/store/v1/cart/add-item";
            my $before = added();

            my $out = `curl -si --http2-prior-knowledge -m 60 \\
                -A '$Nudge::UA' -H 'X-Requested-With: XMLHttpRequest' \\
                -H 'Content-Type: application/json' -H 'Expect:' \\
                -b nudge=@{[ $v->cookie('nudge') ]} --data-binary \@$file \\
                'http://127.0.0.1:$port$uri'`;
            like($out, qr/^HTTP\/2 200/, "HTTP/2, $name$where: status");
            like($out, qr/^x-sum: \Q@{[ sum($text) ]}\E\r$/mi,
                "HTTP/2, $name$where: body");
            is(added(), $before + 1, "HTTP/2, $name$where: event")
                if $name eq 'small';
        }
    }
}


# --- secrets stay where they are

my %secret = (password => $CANARY, pwd => $CANARY, user_pass => $CANARY,
    account_password => $CANARY, card_number => $CANARY, cvv => $CANARY,
    iban => $CANARY, 'wc-stripe-cvc' => $CANARY);

sub with { return [ %secret, @_ ] }

my $v = visitor();
my $boundary = 'XyZ';
my $multipart = sub {
    my %f = @_;
    return join('', map { "--$boundary\r\nContent-Disposition: form-data;"
        . " name=\"$_\"\r\n\r\n$f{$_}\r\n" } sort keys %f) . "--$boundary--\r\n";
};
my %mp = ('Content-Type' => "multipart/form-data; boundary=$boundary");

$v->xhr('POST', '/?wc-ajax=add_to_cart', with(product_id => 19));
$v->xhr('POST', '/?wc-ajax=checkout', with(billing_email => 'a@example.com'));
$v->xhr('POST', '/?wc-ajax=update_order_review', with(post_data =>
    "billing_email=b%40example.com&account_password=$CANARY"));
$v->xhr('POST', '/wp-json/wc/store/v1/checkout', JSON::PP::encode_json({
    %secret, billing_address => { email => 'c@example.com', %secret },
    payment_data => [ { key => 'card', value => $CANARY } ] }));
$v->xhr('POST', $add, JSON::PP::encode_json({ %secret, id => 19 }));
$v->submit('/my-account/', { %secret, 'woocommerce-login-nonce' => 'x',
    username => 'd@example.com' });
$v->submit('/my-account/', { %secret, 'woocommerce-register-nonce' => 'x',
    email => 'e@example.com' });
$v->submit('/wp-login.php', { %secret, log => 'f@example.com' });
$v->submit('/checkout/order-pay/7/?key=wc_order_x', with(id => $CANARY));
$t->request('POST', '/product/x/', body => $multipart->(%secret,
    'add-to-cart' => 19), headers => { 'User-Agent' => $Nudge::UA,
    Cookie => 'nudge=' . $v->cookie('nudge'), %mp });
$t->request('POST', '/product/x/', body => $multipart->(%secret) . "\xff" x 99,
    headers => { 'User-Agent' => $Nudge::UA, %mp });

sleep 1.3;

my $journal = join '', map { $t->read($_) } glob $t->dir . '/state/journal/*';
like($journal, qr/a\@example\.com/, 'what is no secret is in the journal');
unlike($journal, qr/\Q$CANARY\E/i, 'secrets are not');
unlike($t->read('error.log'), qr/\Q$CANARY\E/i, 'nor in error.log');

SKIP: {
    skip 'no memcached', 2 unless $have_mc;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port('memcached'), Proto => 'tcp') or die;
    print $s "lru_crawler metadump all\r\n";
    my @keys;
    while (my $line = <$s>) {
        last if $line =~ /^(?:END|ERROR|BUSY)/;
        push @keys, $1 =~ s/%([0-9a-f]{2})/chr hex $1/gier
            if $line =~ /^key=(\S+)/;
    }

    ok(scalar @keys, 'memcached has sessions');
    print $s map { "get $_\r\n" } @keys;
    print $s "quit\r\n";
    my $all = do { local $/; <$s> } // '';
    unlike($all, qr/\Q$CANARY\E|\@example/i, 'without secrets and addresses');
}

$t->done;
