#!/usr/bin/perl

# Hostile structured data and hostile names, from the store's page to the
# shopper's mailbox: pages pass bit for bit, and in popup, banner and mail a
# name is text and nothing else.

use strict;
use warnings;
use utf8;

use Digest::MD5 qw(md5_hex);
use Encode qw(decode encode_utf8);
use FindBin;
use JSON::PP ();
use MIME::Base64 ();
use MIME::QuotedPrint ();
use Test::More;
use Time::HiRes qw(sleep time);
use lib "$FindBin::Bin/lib";

use Nudge;
use Nudge::SMTP;

plan skip_all => 'no memcached' unless `memcached -V 2>/dev/null` =~ /memcached/;
plan skip_all => 'the program is not built' unless -x "$Nudge::BUILD/nudge";

my $json = JSON::PP->new->utf8->canonical;

my %name = (
    script    => '"><script>alert(1)</script>',
    attribute => q(' onmouseover='alert(1)' x="y` onload=alert(1)),
    header    => "Mug\r\nBcc: victim\@example.com\r\nX-Evil: 1\r\n\r\n"
                 . "<b>body</b>\r\n.\r\nMAIL FROM:<x\@example.com>\r\n",
    bidi      => "\x{202e}guM\x{200b}\x{200d}\x{feff}\x{2066}\x{202d}",
    long      => 'Long<' . 'A' x 10240,
    template  => '{{shop.name}}{{{token}}}{{>head}}{{#cart}}{{/cart}}{{=<% %>=}}',
    entities  => '&lt;b&gt;&amp;&quot;&#60;i&#62; <!-- --> ]]> <![CDATA[',
    control   => "M\0u\x01g\x1b[31m\x7f\x{85}\x{2028}\x{2029}",
    word      => '=?utf-8?q?Bcc:_victim=40example.com?= =0D=0ABcc: x',
    close     => '</span></td></table></title></style><img src=x onerror=a(1)>',
    dots      => ".\n..\n.\nQUIT\n--=_boundary--\n",
    astral    => "\x{1f600} z\x{17c}\x{10ffff} e\x{301}",
);

# what a link may be: the shop's own path; a picture also https elsewhere

my %url = (
    'javascript:alert(1)' => '', "java\tscript:alert(1)" => '',
    ' javascript:alert(1)' => '', 'JaVaScRiPt:alert(1)' => '',
    'data:text/html,<script>alert(1)</script>' => '',
    'vbscript:x' => '', 'https://evil.example/x' => '',
    '//evil.example/x' => '', '/\\evil.example/x' => '',
    'http://localhost@evil.example/' => '',
    'http://localhost.evil.example/' => '',
    "/x\r\nSet-Cookie: a=b" => '', 'http://localhost/fine"onclick="a(1)' => 'any',
);

my %cart;           # id => line of the store's answer
my $id = 100;

sub line {
    my (%l) = @_;

    $cart{++$id} = { key => "key$id", id => $id + 0, quantity => 1,
        name => 'Mug', permalink => "http://localhost/product/$id/",
        images => [ { src => "http://localhost/img/$id.svg" } ],
        prices => { price => '1250', currency_minor_unit => 2,
            currency_code => 'EUR' }, %l };

    return $id;
}

my $plain = line();
my @plain = map { line() } 1 .. 4;
my %by_name = map { $_ => line(name => $name{$_}) } sort keys %name;
my %by_url = map { $_ => line(permalink => $_, images => [ { src =>
    $_ =~ /^https:/ ? 'http://evil.example/x' : $_ } ]) } sort keys %url;
my $bare = line(permalink => '', images => []);


# --- structured data

sub product { return { '@context' => 'https://schema.org', '@type' => 'Product',
    name => 'Mug', sku => 'ld', offers => { '@type' => 'Offer',
    price => '12.50', priceCurrency => 'EUR' }, @_ } }

my $ok = $json->encode(product());

my @ld = (
    [ 'cut', substr $ok, 0, 60 ],
    [ 'empty', '' ],
    [ 'not JSON', '<b>{[("\'' ],
    [ '10 MB', '{"@type":"Product","name":"' . 'x' x (10 << 20) . '"}' ],
    [ 'arrays, 10,000 deep', '[' x 10000 . ']' x 10000 ],
    [ 'graphs, 10,000 deep', '{"@graph":[' x 10000 . ']}' x 10000 ],
    [ 'unclosed', '{"a":' x 10000 ],
    [ 'duplicate keys', '{"@type":"Product","@type":["Thing","Product"],'
        . '"name":"a","name":{"b":1},"offers":1,"offers":[[]]}' ],
    [ 'numbers', '{"@type":"Product","sku":1e999,"name":-1e999,"offers":'
        . '{"price":1e999,"priceCurrency":1e-999,"availability":0.1e400}}' ],
    [ 'NaN', '{"@type":"Product","name":NaN,"sku":Infinity,"offers":-nan}' ],
    [ 'NUL', "{\"\@type\":\"Product\",\"name\":\"a\0b\",\"sku\":\"\\u0000\"}" ],
    [ 'overlong UTF-8', "{\"\@type\":\"Product\",\"name\":\"\xc0\xbc\xe0\x80"
        . "\xbcscript\xf0\x80\x80\xbc\",\"sku\":\"o\"}" ],
    [ 'lone surrogates', '{"@type":"Product","name":"\\ud800x\\udc00\\ud800",'
        . '"sku":"\\udfff"}' ],
    [ 'raw surrogates', "{\"\@type\":\"Product\",\"name\":\"\xed\xa0\x80\"}" ],
    [ 'script in a string', '{"@type":"Product","name":"a</script><b>","sku":'
        . '"s"}' ],
    [ 'escaped script', '{"@type":"Product","name":"<\\/script><script>alert'
        . '(1)<\\/script>","sku":"s2"}' ],
    [ 'comment', '<!-- <script> ' . $ok . ' </script> -->' ],
    [ 'CDATA', "/*<![CDATA[*/\n$ok\n/*]]>*/" ],
    [ 'entities', '{&quot;@type&quot;:&quot;Product&quot;,"name":"&lt;b&gt;"}' ],
    [ 'many types', $json->encode(product('@type' => [ ('Product') x 5000 ])) ],
    [ 'many offers', $json->encode(product(offers => [ map { {
        '@type' => 'Offer', price => $_ } } 1 .. 900 ])) ],
    [ 'wrong everywhere', $json->encode(product(name => [], sku => {},
        image => [ [ {} ] ], url => 5, offers => { price => [],
        availability => {} }, brand => [ { name => [] } ])) ],
    [ 'byte order mark', "\xef\xbb\xbf$ok" ],
    [ 'not UTF-8 at all', "\xff\xfe{\0\"\0" . "\x80" x 1000 ],
    map({ [ "name: $_", $json->encode(product(name => $name{$_},
        sku => "n-$_", image => 'javascript:alert(1)',
        url => 'https://evil.example/')) =~ s{</}{<\\/}gr ] }
        sort keys %name),
);

sub page {
    my ($class, $data) = @_;

    return "<!DOCTYPE html><html><head><title>x</title></head>"
        . "<body class=\"$class\"><p>caf\xe9</p>" . (defined $data
        ? "<script type=\"application/ld+json\">$data</script>" : '')
        . "<p>after</p></body></html>\n";
}

sub store {
    my $q = shift;

    if ($q->{method} eq 'POST') {
        my @ids = split /,/, $q->{headers}{'x-cart'} // '';
        return { headers => [['Content-Type', 'application/json']],
            body => $json->encode({ items => [ @cart{@ids} ] }) };
    }

    return { body => page('single-product', $ld[$1][1]), chunked => 1 }
        if $q->{uri} =~ m{^/ld/(\d+)};

    return { body => page('woocommerce-cart') } if $q->{uri} =~ m{^/cart};
    return { body => page('home') };
}

my $t = Nudge->new;
my $smtp = Nudge::SMTP->new(dir => $t->dir . '/smtp');

$t->upstream(\&store);
$t->run(memcached => $t->memcached, sender => 1, campaign => <<"LUA",
shop { id = "hostile", name = "Mugs & <Co>", url = "https://localhost",
       currency = "EUR", from = "Mugs <a\@localhost.example>",
       postal_address = "1 High Street" }
mail { relay = "smtp://127.0.0.1:$smtp->{port}" }
moderation { quiet = { "00:00", "00:00" },
             email = { max = 99, per = "1d", gap = "0s" } }
offer "leaving" { on = "exit_intent", kind = "popup", template = "cart",
                  cap = { 1, "1d" } }
offer "beside" { on = "cart", kind = "banner", template = "banner",
                 recommend = "popular", count = 12 }
flow "abandoned-cart" { on = "cart_abandoned", after = "2s",
                        { mail = "cart-reminder" } }
LUA
    server => 'nudge on; nudge_consent off; nudge_preset woocommerce;'
        . ' nudge_timeout 500ms; location / { proxy_pass %%UPSTREAM%%;'
        . ' proxy_http_version 1.1; }');

sub workers { return join ' ', $t->processes('worker process') }

my $pids = $t->wait_for(\&workers);

for my $i (0 .. $#ld) {
    my ($what, $data) = @{ $ld[$i] };

    for my $round (1, 2) {
        my $r = $t->browser->get("/ld/$i", timeout => 30);
        my $want = page('single-product', $data);
        is(md5_hex($r->{body}), md5_hex($want),
            "$what: bit for bit, " . ($round == 1 ? 'new' : 'known'));
    }
}

is(workers(), $pids, 'no worker died of it');


# --- markup: strictly what we wrote, whatever the names are

# tags and the names of their attributes in order; what is no tag must not
# look like one

sub structure {
    my ($html, $bad) = @_;

    my @found;

    while ($html =~ /\G([^<]*)(?:<(\/?[a-z][a-z0-9]*|!DOCTYPE)((?:\s+[a-z-]+
        (?:="[^"<>]*")?|\shtml)*)\s*>)?/gcx)
    {
        last if !defined $2 && $1 eq '';
        next unless defined $2;
        my ($tag, $attributes) = ($2, $3);
        my @names;

        while ($attributes =~ /\s([a-z-]+)(?:="([^"]*)")?/g) {
            push @names, $1;
            my $v = $2 // '';
            push @$bad, "$1=$v" if $1 =~ /^(?:href|src|action)$/
                && $v !~ m{^(?:/(?![/\\])|https://(?:localhost|cdn)/)[^\s<>]*$};
        }

        push @found, "$tag @names";
    }

    my $rest = substr $html, pos $html // 0;
    push @$bad, 'rest: ' . substr $rest, 0, 60 if $rest ne '';

    return join "\n", @found;
}

sub add {
    my ($b, @ids) = @_;
    return $b->xhr('POST', '/wp-json/wc/store/v1/cart/add-item',
        qq({"id":$ids[-1],"quantity":1}),
        headers => { 'X-Cart' => join ',', @ids });
}

sub popup {
    my (@ids) = @_;

    my $b = $t->browser;
    $b->get('/') for 1 .. 2;
    add($b, @ids);

    # a token bucket for each address stands before it

    my $r = $t->wait_for(sub {
        my $r = $b->xhr('POST', '/nudge/exit', { page => 'cart' },
            headers => { 'X-Requested-With' => 'nudge' });
        return $r->{status} != 429 && $r;
    }, 10) || {};

    return $r;
}

my @bad;
my $want = structure(popup($plain)->{body}, \@bad);
my $want_bare = structure(popup($bare)->{body}, \@bad);
like($want, qr/^dialog .*\bimg\b.*\bform\b/s, 'popup: the plain one');
is("@bad", '', 'popup: it is as it should be');
isnt($want, $want_bare, 'popup: without picture and link there are none');

for my $what (sort keys %name) {
    my $r = popup($by_name{$what});
    @bad = ();

    is(structure($r->{body}, \@bad), $want, "popup: \"$what\": no other tags");
    is("@bad", '', "popup: \"$what\": nothing else");
    unlike($r->{body} // '', qr/[^\n\x20-\x7e]/, "popup: \"$what\": printable ASCII");
    unlike($r->{raw} // '', qr/^(?:Bcc|Set-Cookie|X-Evil):/m,
        "popup: \"$what\": no header");
    cmp_ok(length $r->{body}, '<', 16384, "popup: \"$what\": of decent size");
}

for my $url (sort keys %url) {
    my $r = popup($by_url{$url});
    (my $show = $url) =~ s/[^ -~]/?/g;
    @bad = ();

    my $got = structure($r->{body}, \@bad);
    is($got, $want_bare, "popup: link \"$show\": dropped") if $url{$url} eq '';
    is("@bad", '', "popup: link \"$show\": nothing else");
    unlike($r->{body}, qr/evil|script:|alert/i, "popup: link \"$show\": gone");
}


# --- banner: the catalogue has learned those names by now

my $hostile = qr/&(?:lt|#60|#x3c);(?:script|img)/i;
my $b = $t->browser;
$b->get('/') for 1 .. 2;
add($b, $plain);

my $r = $t->wait_for(sub {
    my $r = $b->get('/cart/');
    return $r->{body} =~ /nudge-banner/ && $r->{body} =~ $hostile && $r;
}, 20) || { body => '' };

@bad = ();
my ($piece) = $r->{body} =~ m{(<aside.*</aside>)}s;
my $found = structure($piece // '', \@bad);

ok(defined $piece, 'banner: is there');
is("@bad", '', 'banner: nothing but our markup');
my %allowed = map { $_ => 1 } 'aside class data-nudge-offer aria-labelledby',
    'h2 class id', '/h2 ', 'ul class', 'li class', 'a class href',
    'img class src alt width height loading decoding', 'span class', '/span ',
    '/a ', '/li ', '/ul ', '/aside ';
is(join(', ', grep { !$allowed{$_} } split /\n/, $found), '',
    'banner: no other tag or attribute');
unlike($piece // '', qr/evil\.example|javascript:/, 'banner: no alien link');
like($piece // '', $hostile,
    'banner: with a hostile name in it');
unlike($piece // '', qr/[^\n\x20-\x7e]/, 'banner: printable ASCII');
(my $without = $r->{body}) =~ s{<link rel="stylesheet"[^>]*>}{};
$without =~ s{\Q$piece\E}{} if defined $piece;
$without =~ s{<script src="/nudge/nudge\.js[^>]*></script>}{};
$without =~ s{\s*(?=</body>)}{};
is($without, page('woocommerce-cart'), 'banner: the rest bit for bit');


# --- mail

sub mail_to {
    my ($to, $subject) = @_;

    my ($mail) = grep { /^X-To: \Q$to\E\r$/m && /^Subject: .*\Q$subject\E/mi }
        $smtp->mails;
    return $mail;
}

sub shopper {
    my ($to, @ids) = @_;

    my $b = $t->browser;
    $b->get('/') for 1 .. 2;

    my $r = $b->xhr('POST', '/nudge/subscribe', { email => $to,
        offer => 'leaving', website => '' },
        headers => { 'X-Requested-With' => 'nudge' });
    is($r->{status}, 200, "$to: subscribed");

    my $mail = $t->wait_for(sub { mail_to($to, 'confirm') }, 20) || '';
    my ($token) = text($mail) =~ m{/nudge/confirm\?t=([\w.~%-]+)};
    ok($token, "$to: is asked") or diag $mail;

    $r = $b->submit('/nudge/confirm', { t => $token // '' });
    is($r->{status}, 200, "$to: confirmed");
    add($b, @ids);
}

# the header as [name, value] unfolded, and the parts as [type, content]

sub mime {
    my ($mail) = @_;

    my ($head, $body) = split /\r\n\r\n/, $mail, 2;
    $head =~ s/\r\n[ \t]+/ /g;
    my @h = map { [ split /:\s*/, $_, 2 ] } split /\r\n/, $head;
    my %h = map { lc $_->[0] => $_->[1] } @h;
    my ($boundary) = ($h{'content-type'} // '')
        =~ m{^multipart/alternative;.*boundary="?([^";]+)} or return (\@h);

    my @parts = split /(?:^|\r\n)--\Q$boundary\E(?:--)?[ \t]*(?:\r\n|$)/, $body;
    shift @parts;

    my @out;
    for my $p (@parts) {
        next if $p =~ /^\s*$/;
        my ($ph, $pb) = split /\r\n\r\n/, $p, 2;
        my ($type) = $ph =~ /^Content-Type: ([\w\/]+)/mi;
        $pb = MIME::QuotedPrint::decode_qp($pb)
            if $ph =~ /^Content-Transfer-Encoding: quoted-printable/mi;
        $pb = MIME::Base64::decode_base64($pb)
            if $ph =~ /^Content-Transfer-Encoding: base64/mi;
        push @out, [ $type // '', decode('UTF-8', $pb) ];
    }

    return (\@h, @out);
}

sub text { my ($h, @parts) = mime($_[0]); return $parts[0] ? $parts[0][1] : '' }

sub html_shape {
    my ($html) = @_;

    # our own style element, and the only comments there are

    $html =~ s{<style>.*?</style>}{}s;
    my @bad;
    my $got = structure($html, \@bad);

    return ($got, "@bad");
}

my @names = sort keys %name;
my @groups = map { [ splice @names, 0, 4 ] } 1 .. 3;

shopper('plain@example.com', @plain);
shopper("names$_\@example.com", map { $by_name{$_} } @{ $groups[$_ - 1] })
    for 1 .. 3;
my @links = grep { $url{$_} eq '' } sort keys %url;
shopper('links@example.com', map { $by_url{$_} } @links[0 .. 3]);

my $model = $t->wait_for(sub { mail_to('plain@example.com', 'cart') }, 30) || '';
my ($mh, @mp) = mime($model);
is(join(' ', map { $_->[0] } @mp), 'text/plain text/html', 'mail: the plain one');
my ($shape, $why) = html_shape($mp[1] ? $mp[1][1] : '');
is($why, '', 'mail: the plain one is as it should be');
my $headers = join ' ', map { $_->[0] } @$mh;

for my $i (1 .. 4) {
    my $to = $i < 4 ? "names$i\@example.com" : 'links@example.com';
    my $mail = $t->wait_for(sub { mail_to($to, 'cart') }, 30) || '';
    ok($mail ne '', "$to: mail") or next;

    my ($h, @parts) = mime($mail);
    is(join(' ', map { $_->[0] } @$h), $headers, "$to: the same header lines");
    unlike(join("\n", map { $_->[1] } @$h), qr/victim|evil/i,
        "$to: with nothing of ours in them");
    unlike($mail, qr/[^\r]\n|\r[^\n]/, "$to: lines end in CR LF");
    unlike($mail, qr/[^\r\n]{999}/, "$to: and are no longer than they may");
    unlike($mail, qr/[^\r\n\t\x20-\x7e]/, "$to: ASCII on the wire");
    is(join(' ', map { $_->[0] } @parts), 'text/plain text/html',
        "$to: two parts");

    my ($plain_text, $html) = map { $_->[1] } @parts;
    my ($got, $odd) = html_shape($html // '');
    is($odd, '', "$to: nothing but our markup");
    is($got, $shape, "$to: the same tags as with plain names") if $i < 4;
    unlike($html // '', qr/evil\.example|(?:java|vb)script:|data:text/i,
        "$to: no alien link") if $i == 4;

    unlike($plain_text // '', qr/^(?:Bcc|X-Evil|MAIL FROM|QUIT|\.)/mi,
        "$to: a name stays in its line of the text");
    unlike($plain_text // '', qr/[^\r\n\P{Cc}]/, "$to: without controls");
    unlike($plain_text // '', qr/[\x{202a}-\x{202e}\x{2066}-\x{2069}\x{2028}\x{2029}]/,
        "$to: nor characters that turn lines around");
    is(scalar(() = $plain_text =~ /^- 1 x /mg), 4, "$to: four lines");
    cmp_ok(length $mail, '<', 102_000, "$to: not cut off by mailboxes");
}

is($smtp->partial, 0, 'no mail was cut');
is(scalar(grep { !/^X-To: (?:plain|names\d|links)\@example\.com\r$/m }
    $smtp->mails), 0, 'nobody else was written to');
is(workers(), $pids, 'no worker died');
unlike($t->read('error.log'), qr/exited on signal/, 'nor anybody else');

$t->done;
