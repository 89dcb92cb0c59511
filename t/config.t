#!/usr/bin/perl

# "nginx -t" finds every mistake of a configuration, a campaign and a preset
# before it can hurt, names the place and says what was expected; it makes no
# file.  The configuration that comes with the project passes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Test::More;

my $t = Nudge->new;
my $dir = $t->dir;
my $n = 0;

# context, text, expected message; @ is where the test's own directory stands

my @bad = (
    [ server => 'nudge maybe;',
      'invalid value "maybe" in "nudge" directive' ],
    [ server => 'nudge on; nudge off;', '"nudge" directive is duplicate' ],
    [ server => 'nudge_unknown on;', 'unknown directive "nudge_unknown"' ],

    [ server => 'nudge_state /tmp;',
      '"nudge_state" directive is not allowed here' ],
    [ http => 'nudge_state @/a; nudge_state @/b;',
      '"nudge_state" directive is duplicate' ],
    [ http => 'nudge_state @/a min=1g;',
      'invalid parameter "min=1g", expected "max=SIZE"' ],
    [ http => 'nudge_state @/a max=1k;',
      'invalid size "max=1k", expected at least 1m' ],
    [ http => 'nudge_state @/a max=much;', 'invalid size "max=much"' ],

    [ http => 'nudge_memcached 127.0.0.1:99999;',
      'invalid port in nudge_memcached "127.0.0.1:99999"' ],
    [ http => 'nudge_memcached;',
      'invalid number of arguments in "nudge_memcached" directive' ],
    [ http => 'nudge_memcached off; nudge_memcached 127.0.0.1;',
      '"nudge_memcached" directive is duplicate' ],
    [ server => 'nudge_memcached 127.0.0.1;',
      '"nudge_memcached" directive is not allowed here' ],

    [ http => 'nudge_key a b;',
      'invalid number of arguments in "nudge_key" directive' ],
    [ http => 'nudge_key a; nudge_key b;',
      '"nudge_key" directive is duplicate' ],

    [ http => 'nudge_zone big;', '"nudge_zone" directive invalid value' ],
    [ http => 'nudge_zone 64k;', server => 'nudge on;',
      'nudge_zone is too small, expected at least 1m' ],

    [ http => 'nudge_sender @/nowhere;', server => 'nudge on;',
      'nudge_sender "@/nowhere" cannot be executed (2: No such file' ],
    [ http => 'nudge_sender @/plain;', server => 'nudge on;',
      'nudge_sender "@/plain" cannot be executed (13: Permission denied)' ],
    [ http => 'nudge_sender off; nudge_sender off;',
      '"nudge_sender" directive is duplicate' ],

    [ http => 'nudge_store mysql:shop;', server => 'nudge on;',
      'invalid nudge_store "mysql:shop", expected "sqlite:/PATH"' ],
    [ http => 'nudge_store sqlite:relative.db;', server => 'nudge on;',
      'invalid nudge_store "sqlite:relative.db", expected "sqlite:/PATH"' ],

    [ http => 'nudge_share @/nowhere;', server => 'nudge on;',
      'nudge_preset "woocommerce": cannot read '
      . '"@/nowhere/presets/woocommerce.lua" (2: No such file' ],

    [ server => 'nudge_path nudge;',
      'invalid nudge_path "nudge", expected a path such as "/nudge/"' ],
    [ server => 'nudge_path /nudge;', 'invalid nudge_path "/nudge"' ],
    [ server => 'nudge_path /a/; nudge_path /b/;',
      '"nudge_path" directive is duplicate' ],

    [ server => 'nudge_cookie "my cookie";',
      'invalid cookie name "my cookie"' ],
    [ server => 'nudge_cookie n secure=maybe;',
      'invalid parameter "secure=maybe", expected "domain=", "path=/..." or '
      . '"secure=on|off"' ],
    [ server => 'nudge_cookie n path=shop;',
      'invalid parameter "path=shop", expected' ],
    [ server => 'nudge_cookie a; nudge_cookie b;',
      '"nudge_cookie" directive is duplicate' ],

    [ server => 'nudge_timeout soon;',
      '"nudge_timeout" directive invalid value' ],

    [ server => 'nudge_status everybody;',
      'invalid address "everybody", expected addresses, networks or "off"' ],
    [ server => 'nudge_status off; nudge_status off;',
      '"nudge_status" directive is duplicate' ],

    [ server => 'nudge on; nudge_preset nostore;',
      'nudge_preset "nostore": cannot read '
      . '"%%ROOT%%/share/presets/nostore.lua" (2: No such file' ],
    [ server => 'nudge on; nudge_preset @/syntax.lua;',
      '@/syntax.lua:3: unexpected symbol' ],
    [ server => 'nudge on; nudge_preset @/unknown.lua;',
      '@/unknown.lua:3: ' ],
    [ server => 'nudge_preset a; nudge_preset b;',
      '"nudge_preset" directive is duplicate' ],

    [ server => 'nudge_event bought;', 'unknown event "bought"' ],
    [ server => 'nudge_event gap;', 'unknown event "gap"' ],
    [ server => 'nudge_event view_item colour=red;',
      'invalid parameter "colour=red" of nudge_event, expected id=, name=, ' ],
    [ server => 'nudge_event purchase value=$arg_v;',
      '"nudge_event" directive with "purchase" needs "order="' ],
    [ server => 'nudge_event login if=$uri if=$uri;',
      '"nudge_event" directive has a duplicate "if="' ],
    [ server => 'nudge_event view_item id=$nosuch;',
      'unknown "nosuch" variable' ],

    [ server => 'nudge_consent never;',
      'invalid value "never", expected "auto", "required SOURCE", "session" '
      . 'or "off"' ],
    [ server => 'nudge_consent required;',
      '"nudge_consent required" and no other takes a source' ],
    [ server => 'nudge_consent auto cookiebot;',
      '"nudge_consent required" and no other takes a source' ],
    [ server => 'nudge_consent required $nosuch;',
      'unknown "nosuch" variable' ],
    [ server => 'nudge_consent off; nudge_consent off;',
      '"nudge_consent" directive is duplicate' ],

    [ server => 'nudge_body_size lots;',
      '"nudge_body_size" directive invalid value' ],
);

$t->write('plain', 'not a program');
chmod 0644, "$dir/plain";
$t->write('syntax.lua', "preset { name = \"x\", version = 1 }\nrule \"a\" {\n");
$t->write('unknown.lua', "preset { name = \"x\", version = 1 }\n\n"
    . "rule \"a\" { event = \"bought\" }\n");

for my $case (@bad) {
    my ($message, %text) = (pop @$case, @$case);

    $message =~ s/@/$dir/g;
    $message = $t->expand($message);

    my ($out, $status) = check(%text);
    my $name = join ' ', map { $text{$_} } sort keys %text;
    $name =~ s/\Q$dir\E/DIR/g;

    ok($status && index($out, $message) >= 0, "$name")
        or diag("status $status, expected:\n$message\ngot:\n$out");

    # nginx looks for variables after it has read everything
    next if $message =~ /^unknown "\w+" variable/;

    like($out, qr{\[emerg\]\ .*
        (?:\ in\ \S+nginx\.conf:\d+|\.lua:\d+:\ |expected|cannot\ be)}x,
        "... and says where");
}

# campaigns: file and line of the mistake, in the campaign's own words

my $shop = "shop { id = \"x\", name = \"X\", url = \"https://x.example\",\n"
    . "    currency = \"EUR\" }\n";

my @campaigns = (
    [ 'shop {', 'nudge.lua:1: ' ],
    [ "\n\nshop { id = \"Not So\" }", 'nudge.lua:3: ' ],
    [ "${shop}offer \"a\" { on = \"nowhen\", kind = \"popup\", "
      . "template = \"cart\" }", 'nudge.lua:3: ' ],
    [ "${shop}offer \"a\" { on = \"cart\", kind = \"popup\", "
      . "template = \"cart\" }", 'nudge.lua:3: ' ],
    [ "${shop}offer \"a\" { on = \"exit_intent\", kind = \"popup\", "
      . "template = \"nosuch\" }",
      'nudge.lua:3: found no "onsite/nosuch.html"' ],
    [ "${shop}flow \"a\" { on = \"cart_abandoned\", after = \"4h\",\n"
      . "    { mail = \"nosuch\" } }", 'nudge.lua:3: found no "mail/nosuch.' ],
    [ "${shop}flow \"a\" { on = \"cart_abandoned\", after = \"soon\",\n"
      . "    { mail = \"cart-reminder\" } }", '"after"' ],
    [ "${shop}\nuse \"flows/nosuch\"", 'nudge.lua:4: found no file '
      . '"flows/nosuch.lua"' ],
    [ "${shop}os.remove(\"/etc/passwd\")", 'nudge.lua:3: ' ],
    [ "${shop}while true do end", 'nudge.lua:3: ' ],
    [ "${shop}local s = \"x\" while true do s = s .. s end",
      'nudge.lua:' ],
    [ "${shop}mail { relay = \"http://127.0.0.1\" }", 'nudge.lua:3: ' ],
    [ "${shop}moderation { email = { max = 0, per = \"1d\" } }",
      'nudge.lua:3: ' ],
    [ "shop { id = \"x\", naem = \"X\" }", 'nudge.lua:1: ' ],
);

for my $case (@campaigns) {
    my ($text, $message) = @$case;

    $t->write('nudge.lua', $text);

    my ($out, $status) = check(
        server => 'nudge on; nudge_campaign @/nudge.lua;');
    ok($status && index($out, $message) >= 0, "campaign: $message")
        or diag("status $status:\n$text\n--\n$out");
}

my ($out, $status) = check(server => 'nudge on; nudge_campaign @/none.lua;');
like($out, qr{\Q$dir\E/none\.lua: found no such file}, 'no campaign file');
ok($status, 'is a mistake');

# a template of the shop's own that does not compile

$t->write('nudge.lua', "${shop}offer \"a\" { on = \"exit_intent\", "
    . "kind = \"popup\", template = \"mine\" }\n");
$t->write('templates/en/onsite/mine.html', "<dialog>\n{{#cart.items}}\n");
($out, $status) = check(server => 'nudge on; nudge_campaign @/nudge.lua;');
like($out, qr{mine\.html:\d+: }, 'a template that does not end');
ok($status, 'is a mistake');

# two shops under one id

$t->write('nudge.lua', $shop);
$t->write('other.lua', $shop);
($out, $status) = check(servers => '
    server { listen 127.0.0.1:1; nudge on; nudge_campaign @/nudge.lua; }
    server { listen 127.0.0.1:2; nudge on; nudge_campaign @/other.lua; }');
like($out, qr/have the same shop\.id/, 'two campaigns of one shop.id');
ok($status, 'are a mistake');

# everything at once, and right

my $full = '
    nudge_key       @/keys;
    nudge_zone      4m;
    nudge_store     sqlite:@/store.db;
    nudge_timeout   15ms;
    nudge_path      /n/;
    nudge_cookie    visit domain=.x.example path=/shop secure=on;
    nudge_status    127.0.0.0/8 ::1;
    nudge_body_size 8k;
    nudge_consent   required $cookie_consent;';

($out, $status) = check(http => "nudge_state \@/state max=100m;
    nudge_memcached 127.0.0.1 127.0.0.1:11212 unix:\@/memcached;
    nudge_sender %%BUILD%%/nudge; $full", server => '
    nudge on; nudge_campaign @/nudge.lua; nudge_preset woocommerce;
    location /other/ { nudge_preset off;
        nudge_event view_item id=$arg_id name=$arg_n price=$arg_p currency=EUR;
        nudge_event purchase order=$upstream_http_x_order value=$arg_v
                    email=$arg_e if=$upstream_http_x_order; }
    location /raw/ { nudge off; }');
is($status, 0, 'a configuration with everything') or diag($out);
unlike($out, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'and not a word');

ok(!-e "$dir/keys", 'nginx -t makes no keys');
ok(!-e "$dir/store.db", 'and no store');
is_deeply([glob "$dir/state/journal/*"], [], 'and no journal');

# without "nudge on" nothing of it is looked at, and nothing is needed

($out, $status) = check(http => 'nudge_state @/unused;', server => '');
is($status, 0, 'a server without nudge') or diag($out);

# the example: its paths become the test's

SKIP: {
    my $example = $t->read("$Nudge::ROOT/nginx.conf.example")
        // skip('no example', 2);

    $t->write('etc/nudge.lua', $t->read("$Nudge::ROOT/share/nudge.lua"));
    certificate();

    my $before = $example;

    for ($example) {
        s{modules/(ngx_http_nudge_module\.so)}{$Nudge::BUILD/$1};
        s{^(\s*user)\s+.*;}{$1 root;}m if $> == 0;
        s{^\s*user\s+.*;}{}m if $> != 0;
        s!^http \{\n!http {\n    nudge_share $Nudge::ROOT/share;
    nudge_sender $Nudge::BUILD/nudge;\n!m;
        s{/etc/nudge/}{$dir/etc/}g;
        s{/etc/nginx/mime\.types}{$dir/etc/mime.types}g;
        s{/etc/ssl/\S+?/([\w.-]+);}{$dir/etc/$1;}g;
        s{/var/lib/nudge}{$dir/lib}g;
        s{/var/log/nginx/}{$dir/logs/}g;
        s{/run/nginx\.pid}{$dir/nginx.pid}g;
        s{(\slisten\s+)(80|443)\b}{"${1}127.0.0.1:" . $t->port("web$2")}ge;
    }

    isnt($example, $before, 'the example, with this place\'s paths');
    $t->write('etc/mime.types', "types { text/html html; }\n");
    $t->write('example.conf', $example);

    my $said = $t->test_conf("$dir/example.conf");
    is($?, 0, 'the example passes nginx -t') or diag($said);
    unlike($said, qr/\[(?:error|crit|alert|emerg)\]/, 'without complaint');
    unlike($said, qr/\[warn\].*nudge/, 'or warning of ours');
}

# what stands first in the README: a configuration and its campaign

SKIP: {
    my $readme = $t->read("$Nudge::ROOT/README.md") // skip('no README', 3);
    my ($synopsis) = $readme =~ /^Synopsis\n=+\n+(.*?)^Description\n/ms;
    my ($conf) = $synopsis =~ /^```nginx\n(.*?)^```/ms;
    my ($lua) = $synopsis =~ /^```lua\n(.*?)^```/ms;

    ok($conf && $lua, 'the synopsis');
    $t->write('etc/nudge.lua', $lua);

    for ($conf) {
        s!modules/(ngx_http_nudge_module\.so)!$Nudge::BUILD/$1!;
        s!^http \{\n!http {\n    nudge_share $Nudge::ROOT/share;
    nudge_sender $Nudge::BUILD/nudge;\n!m;
        s!/etc/nudge/!$dir/etc/!;
        s!/var/lib/nudge!$dir/lib!;
        s!(listen\s+)80;!"${1}127.0.0.1:" . $t->port('web80') . ';'!e;
        s!\A!pid $dir/nginx.pid;\nerror_log $dir/error.log;\n!;
    }

    $t->write('synopsis.conf', ($> == 0 ? "user root;\n" : '') . $conf);
    my $said = $t->test_conf("$dir/synopsis.conf");
    is($?, 0, 'the synopsis of the README passes nginx -t') or diag($said);

    my $share = "$Nudge::ROOT/share";
    $said = `$Nudge::BUILD/nudge check -s $share $dir/etc/nudge.lua`;
    like($said, qr/: ok$/m, 'and its campaign nudge check');
}

$t->done;


# nginx -t on this: http, server or servers are text for those blocks

sub check {
    my (%text) = @_;

    s/@/$dir/g for values %text;
    my $http = $text{http} // '';
    my $given = sub { $http =~ /\b$_[0]\s/ };

    $t->{conf} = { http => $http, map { $_ => $text{$_} }
        grep { defined $text{$_} } qw(server servers) };
    $t->write_conf;

    # what the harness sets itself gives way to what is tried
    my $conf = $t->read('nginx.conf');

    for my $name (qw(nudge_state nudge_share nudge_sender nudge_memcached
                     nudge_campaign))
    {
        $conf =~ s/^    \Q$name\E [^;]*;\n//m if $given->($name);
    }

    $t->write('nginx.conf', $conf);

    my $out = $t->test_conf;

    return ($out, $? >> 8 || $? & 127);
}

# a certificate for the example's server

sub certificate {
    system("openssl req -x509 -newkey rsa:2048 -nodes -batch -days 1 "
        . "-subj /CN=shop.example -keyout $dir/etc/shop.example.key "
        . "-out $dir/etc/shop.example.crt 2>/dev/null") == 0
        or die "openssl makes no certificate\n";
}
