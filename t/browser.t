#!/usr/bin/perl

# A real browser in the demo store: what a visitor sees and what she does not,
# with and without JavaScript, under strict policies, on a phone.  What is
# looked at stands in browser/shop.js.
#
# NUDGE_TEST_SHOTS names a directory for screenshots.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Nudge;
use Test::More;

my ($chromium) = grep { -x } $ENV{CHROMIUM} || (), '/usr/bin/chromium',
    '/usr/bin/chromium-browser', '/usr/bin/google-chrome';

plan skip_all => 'no chromium' unless $chromium;
plan skip_all => 'no node' unless `node --version 2>/dev/null` =~ /^v/;

if (!-d "$FindBin::Bin/browser/node_modules/playwright-core") {
    my $out = `npm ci --no-audit --no-fund --prefix $FindBin::Bin/browser 2>&1`;
    plan skip_all => 'npm ci cannot fetch playwright-core: '
        . (split /\n/, $out)[-1] if $?;
}

my $t = Nudge->new;
my $memcached = $t->memcached;
my $store = '127.0.0.1:' . $t->port('store');
my $smtp = '127.0.0.1:' . $t->port('smtp');
my $mailbox = '127.0.0.1:' . $t->port('mailbox');

run('store', "$Nudge::ROOT/demo/store.pl", $store);
run('mailbox', "$Nudge::ROOT/demo/mail.pl", $smtp, $mailbox);
$t->wait_port($t->port($_)) or die "$_ does not start\n"
    for qw(store smtp mailbox);

# the demo's campaign, at this test's ports and with a shorter wait

my $campaign = $t->read("$Nudge::ROOT/demo/nudge.lua");

$campaign =~ s/127\.0\.0\.1:8080/'127.0.0.1:' . $t->port('http')/ge;
$campaign =~ s/127\.0\.0\.1:8025/$smtp/g;
$campaign =~ s/after = "20s"/after = "12s"/;

my $pass = "location / { proxy_pass http://$store; proxy_http_version 1.1;
    proxy_set_header Host \$http_host; proxy_set_header Connection ''; }";

$t->run(sender => 1, memcached => $memcached, campaign => $campaign,
    http => 'gzip on; nudge on;', servers => "
    server { listen 127.0.0.1:%%PORT_HTTP%%; $pass }
    server { listen 127.0.0.1:%%PORT_SELF%%; $pass
        add_header Content-Security-Policy \"default-src 'self'\"; }
    server { listen 127.0.0.1:%%PORT_NONE%%; $pass
        add_header Content-Security-Policy
            \"default-src 'self'; script-src 'none'\"; }");

my $conf = JSON::PP->new->canonical->encode({
    web => 'http://127.0.0.1:' . $t->port('http'),
    self => 'http://127.0.0.1:' . $t->port('self'),
    none => 'http://127.0.0.1:' . $t->port('none'),
    mailbox => "http://$mailbox", chromium => $chromium,
    shots => $ENV{NUDGE_TEST_SHOTS} || '', only => $ENV{NUDGE_TEST_ONLY} || '',
});

open my $node, '-|', 'node', "$FindBin::Bin/browser/shop.js", $conf
    or die "node: $!\n";

while (my $line = <$node>) {
    chomp $line;

    if ($line =~ /^(not )?ok - (.*)/) {
        ok(!$1, $2);

    } else {
        diag($line);
    }
}

ok(close $node, 'the browser ended well');

$t->done;


sub run {
    my ($name, @command) = @_;

    return $t->daemon($name, sub {
        open STDOUT, '>', $t->dir . "/$name.log";
        open STDERR, '>&', \*STDOUT;
        exec $^X, @command or die "$name: $!\n";
    });
}
