#!/usr/bin/perl

# The HTML filter: the piece is put in where it belongs, and everything else
# arrives bit for bit, however the response is cut into buffers.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";
use Nudge;

my $PIECE = '<link rel="stylesheet" href="/nudge/nudge.css?v=%s">'
    . '<aside class="nudge-banner" data-nudge-offer="hello">Hello</aside>';

# what looks like the mark and is not, then the mark

my $tricky = <<'HTML';
<!DOCTYPE html><html lang="en"><head><title>a </body> b</title>
<style>p::after { content: "</body>" }</style>
<script>var a = "</body>"; <!-- <script> </body> </script> --> </script>
<script type="application/ld+json">{"@type":"Thing","name":"</body>"}</script>
</head><body class="home page" data-x="</body>"><!-- </body> --><p>caf&eacute;
<textarea></body></textarea><< < </ </b </bo </bod </bodyguard>
<template></body></template><img alt='</body>'></p>
HTML

my $end = "</BODY\t>\n</html>\n";
my $page = $tricky . $end;

my $t = Nudge->new;

$t->write('templates/en/onsite/plain.html', '<aside class="nudge-banner"'
    . ' data-nudge-offer="{{offer.name}}">Hello</aside>');
$t->write('html/static.html', $page);
$t->write('html/static.txt', $page);
$t->write('html/big.html', $tricky . ('<p>' . 'x' x 995 . "</p>\n") x 300
    . $end);

$t->upstream(sub {
    my $q = shift;
    my ($path, $args) = split /\?/, $q->{uri}, 2;
    my %a = map { split /=/, $_, 2 } split /&/, $args // '';
    my @h = (['ETag', '"abc"'], ['Accept-Ranges', 'bytes'],
        ['Last-Modified', 'Mon, 01 Jan 2024 00:00:00 GMT'],
        ['Cache-Control', $a{cc} // 'max-age=60'],
        ['Expires', 'Thu, 01 Jan 2037 00:00:00 GMT']);

    push @h, map { ['Content-Security-Policy', unesc($_)] }
        split /\|/, $a{csp} if defined $a{csp};
    push @h, ['Content-Type', unesc($a{type})] if defined $a{type};
    push @h, ['Content-Disposition', 'attachment; filename=x']
        if $a{attachment};
    push @h, ['Content-Encoding', 'br'] if $a{br};

    my $body = $page;
    $body = unesc($a{body}) if defined $a{body};
    $body =~ s/<!DOCTYPE html>// if $a{nodoctype};

    my @pieces = ($body);

    if ($a{split}) {
        @pieces = (substr($body, 0, $a{split}), substr($body, $a{split}));
    }

    if ($a{bytes}) {
        @pieces = unpack "(a$a{bytes})*", $body;
    }

    return { status => $a{status} || 200, headers => \@h,
        pieces => \@pieces, chunked => !$a{length} };
});

my $off = 'proxy_buffering off; proxy_http_version 1.1;';
my $on = 'proxy_buffers 8 256; proxy_buffer_size 1k; proxy_busy_buffers_size'
       . ' 1k; proxy_max_temp_file_size 0; proxy_http_version 1.1;';

my $http = 'nudge_consent off;'
    . ' proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;';

$t->run(campaign => <<'LUA', http => $http, server => <<"CONF");
shop { id = "test", name = "Test" }
offer "hello" { on = "page", kind = "banner", template = "plain" }
LUA
        nudge on;
        location / { proxy_pass %%UPSTREAM%%; $off }
        location /buffered/ { proxy_pass %%UPSTREAM%%; $on }
        location /eager/ {
            proxy_pass %%UPSTREAM%%; $off postpone_output 0;
        }
        location /gzip/ { proxy_pass %%UPSTREAM%%; $off gzip on;
            gzip_min_length 0; gzip_proxied any; }
        location /plain/ { nudge off; proxy_pass %%UPSTREAM%%; $off }
        location /cached/ {
            proxy_pass %%UPSTREAM%%; proxy_cache pages;
            proxy_ignore_headers Cache-Control Expires Set-Cookie;
            proxy_cache_valid 200 1m;
        }
        location = /static.html { }
        location = /big.html { sendfile on; output_buffers 2 512; }
        location = /small.html { sendfile on; output_buffers 1 7;
            alias %%DIR%%/html/static.html; }
        location = /included.html { ssi on; alias %%DIR%%/html/ssi.html; }
CONF

$t->write('html/ssi.html', '<!DOCTYPE html><html><body><!--# include'
    . ' virtual="/plain/?body=%3Cp%3Einner%3C%2Fbody%3E%3C%2Fp%3E&length=1"'
    . ' --><p>after</p></body></html>');

my $b = $t->browser;
my $r = $b->get('/');

my ($v) = $r->{body} =~ /nudge\.css\?v=([0-9a-f]+)/;
ok($v, 'the piece is there') or diag($r->{raw});
$PIECE = sprintf $PIECE, $v // 'none';

my $want = $tricky . $PIECE . $end;

is($r->{body}, $want, 'whole page');
ok(!defined Nudge::header($r, 'ETag'), 'no etag');
ok(!defined Nudge::header($r, 'Last-Modified'), 'no last-modified');
ok(!defined Nudge::header($r, 'Expires'), 'no expires');
ok(!defined Nudge::header($r, 'Content-Length'), 'no length');
ok(!defined Nudge::header($r, 'Accept-Ranges'), 'no ranges');
is(join('|', Nudge::header($r, 'Cache-Control')), 'private, no-cache',
    'private');

is(join('|', Nudge::header($b->get('/?cc=no-store'), 'Cache-Control')),
    'private, no-cache, no-store', 'no-store stays');

# conditions and ranges are not for pages that may carry a piece

$r = $b->get('/', headers => { 'If-None-Match' => '"abc"',
    'If-Modified-Since' => 'Mon, 01 Jan 2024 00:00:00 GMT' });
is($r->{status}, 200, 'conditional request');
$r = $b->get('/static.html', headers => { 'Range' => 'bytes=0-9' });
is($r->{status}, 200, 'range request');

# every cut

for my $where ('/', '/buffered/', '/eager/') {
    my @bad;

    for my $i (1 .. length($page) - 1) {
        push @bad, $i if $b->get("$where?split=$i")->{body} ne $want;
    }

    is("@bad", '', "cut at every byte, $where");
}

for my $where ('/', '/buffered/', '/eager/') {
    for my $n (1, 2, 3, 5, 7, 16, 17) {
        is($b->get("$where?bytes=$n")->{body}, $want,
            "pieces of $n bytes, $where");
    }
}

# pages made of what the scanner finds hardest

srand(42);
my @words = ('<', '</', '</b', '</bo', '</body', '</body>', '</BODY >', '>',
    '<!--', '-->', '<script>', '</script>', '<p x="', '"', ' ', 'a', '</bod',
    '<title>', '</title>', '<!DOCTYPE html>', '<body>', '--', '/', '<<');

my @bad;

for my $n (1 .. 60) {
    my $body = '<html>' . join '', map { $words[rand @words] } 1 .. 40;
    my $whole = $b->get('/?body=' . Nudge::Browser::escape($body))->{body};
    my $rest = $whole;
    my $count = () = $rest =~ /\Q$PIECE\E/g;
    $rest =~ s/\Q$PIECE\E//;

    push @bad, "altered: $body" if $rest ne $body;
    push @bad, "twice: $body" if $count > 1;
    push @bad, "place: $body"
        if $count && $whole !~ m{\Q$PIECE\E</body[\s/>]}i;

    for my $bytes (1, 2, 3, 7) {
        my $cut = $b->get("/?bytes=$bytes&body="
            . Nudge::Browser::escape($body))->{body};
        push @bad, "cut by $bytes: $body" if $cut ne $whole;
    }
}

is(join("\n", @bad), '', 'hostile pages');

# files

is($b->get('/static.html')->{body}, $want, 'file');
is($b->get('/small.html')->{body}, $want, 'file in tiny buffers');
my $big = $t->read('html/big.html');
my $with = $big;
$with =~ s/(?=<\/BODY)/$PIECE/;
is($b->get('/big.html')->{body}, $with, 'large file');

$r = $b->get('/included.html');
is($r->{body}, '<!DOCTYPE html><html><body><p>inner' . $PIECE
    . '</body></p><p>after</p></body></html>', 'ssi: one merged stream');

# nginx's own cache holds the store's page, not ours

for (1 .. 3) {
    is($b->get('/cached/')->{body}, $want, "cached: piece, $_");
    $r = $t->request('GET', '/cached/', headers => { Accept => 'text/html',
        'User-Agent' => 'Googlebot' });
    is($r->{body}, $page, "cached: page, $_");
}

is(Nudge::header($r, 'ETag'), '"abc"', 'cached: etag');

# compressed by us, after the piece is in

SKIP: {
    eval { require IO::Uncompress::Gunzip; 1 } or skip 'no gunzip', 2;

    for my $n (0, 3) {
        $r = $b->get("/gzip/?bytes=$n",
            headers => { 'Accept-Encoding' => 'gzip' });
        my $out = '';
        IO::Uncompress::Gunzip::gunzip(\$r->{body} => \$out);
        is($out, $want, "gzip, pieces of $n");
    }
}

# HTTP/1.0

$r = $t->raw("GET / HTTP/1.0\r\nHost: localhost\r\nAccept: text/html\r\n"
    . "User-Agent: $Nudge::UA\r\n\r\n");
like($r, qr/\r\n\r\n\Q$want\E\z/, 'http/1.0');

# keep-alive: the length of what was sent is right

my $get = "GET /?bytes=5 HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
    . "User-Agent: $Nudge::UA\r\n";
$r = $t->raw("$get\r\n${get}Connection: close\r\n\r\n");
my $n = () = $r =~ /data-nudge-offer/g;
is($n, 2, 'pipelined');

# what passes untouched, validators and all

sub untouched {
    my ($what, $uri, $body, %opt) = @_;

    my $got = $b->get($uri, %opt);
    is($got->{body}, $body, "$what: body");
    is(Nudge::header($got, 'ETag'), '"abc"', "$what: etag");
    is(Nudge::header($got, 'Cache-Control'), 'max-age=60', "$what: caching");
}

untouched('other type', '/?type=text%2Fplain', $page);
untouched('almost html', '/?type=text%2Fhtmlx', $page);
untouched('404', '/?status=404', $page);
untouched('attachment', '/?attachment=1', $page);
untouched('encoded', '/?br=1', $page);
untouched('utf-16', '/?type=text%2Fhtml%3B+charset%3DUTF-16LE', $page);
untouched('csp none', "/?csp=default-src+'none'", $page);
untouched('csp sandbox', '/?csp=sandbox+allow-scripts', $page);
untouched('csp, second of two',
    "/?csp=default-src+'self'|style-src+https%3A%2F%2Fcdn.example", $page);
untouched('script asks', '/', $page, headers => {
    'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Dest' => 'empty' });
untouched('off here', '/plain/', $page);

$r = $b->send('HEAD', '/', headers => { Accept => 'text/html' });
is($r->{body}, '', 'HEAD has no body');
is(Nudge::header($r, 'ETag'), '"abc"', 'HEAD keeps its etag');

for my $bot ('Googlebot/2.1 (+http://www.google.com/bot.html)', '') {
    $r = $t->request('GET', '/', headers => { 'User-Agent' => $bot,
        Accept => 'text/html' });
    is($r->{body}, $page, 'robot "' . $bot . '"');
}

# a page that turns out to be none

$r = $b->get('/?body=%3Cp%3Efragment%3C%2Fp%3E%3C%2Fbody%3E');
is($r->{body}, '<p>fragment</p></body>', 'fragment');
$r = $b->get('/?body=%3Chtml%3E%3Cp%3Eno+end%3C%2Fbod');
is($r->{body}, '<html><p>no end</bod', 'no mark, held bytes arrive');
$r = $b->get('/?bytes=1&body=%3Chtml%3E%3Cp%3Eno+end%3C%2Fbod');
is($r->{body}, '<html><p>no end</bod', 'no mark, byte by byte');
$r = $b->get('/?body=');
is($r->{body}, '', 'empty page');
my $meta = '<html><head><meta http-equiv="Content-Security-Policy" content='
    . '"default-src \'none\'"></head><body></body>';
$r = $b->get('/?body=' . Nudge::Browser::escape($meta));
is($r->{body}, $meta, 'csp meta');

# what a policy allows

$r = $b->get("/?csp=default-src+'self'");
is($r->{body}, $want, 'csp self');
$r = $b->get("/?csp=style-src+'nonce-r4nd0m'+'strict-dynamic'");
like($r->{body}, qr/<link rel="stylesheet" href="[^"]+" nonce="r4nd0m">/,
    'csp nonce is copied');
$r = $b->get("/?csp=style-src+'nonce-a%22b'");
is($r->{body}, $page, 'a nonce that is none');

my $s = $t->status->{counters};
cmp_ok($s->{skipped_csp} // 0, '>=', 4, 'status: csp');
cmp_ok($s->{skipped_encoded} // 0, '>=', 1, 'status: encoded');
cmp_ok($s->{skipped_charset} // 0, '>=', 1, 'status: charset');
cmp_ok($s->{skipped_fragment} // 0, '>=', 3, 'status: fragment');
cmp_ok($s->{offers_shown} // 0, '>=', 100, 'status: shown');

$t->done;


sub unesc {
    my ($s) = @_;

    $s =~ tr/+/ /;
    $s =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;

    return $s;
}
