#!/usr/bin/perl

# The sender: started by nginx, restarted when it dies, one at a time through
# reloads and kills, gone when nginx goes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Nudge;
use Test::More;
use Time::HiRes qw(sleep);

my $t = Nudge->new;

$t->upstream(sub { return { body => '<!DOCTYPE html><html><body>x' } });
$t->allow(qr/exited on signal 9/);

$t->run(sender => 1, server => '
    nudge on;
    location / { proxy_pass %%UPSTREAM%%; }
');

sub senders { return grep { alive($_) } $t->processes('nudge sender') }

sub alive {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/stat" or return 0;
    my ($state) = (<$f> // '') =~ /\) (\S)/;
    return $state && $state ne 'Z';
}

sub one { return $t->wait_for(sub { my @s = senders(); @s == 1 ? $s[0] : 0 },
                              10) }

my $first = one();
ok($first, 'one sender');

opendir my $d, "/proc/$first/fd";
my %fd = map { $_ => readlink "/proc/$first/fd/$_" } grep { /^\d/ } readdir $d;
closedir $d;
is(scalar(grep { /TCP|inet/ } values %fd), 0, 'no inherited sockets');
my $port = sprintf ':%04X ', $t->port('http');
my %inode = map { $_ => 1 } map { /(\d+)\]/ ? $1 : () } values %fd;
my @listen = grep { /$port/ && / 0A / && $inode{ (split)[9] } }
    split /\n/, $t->read('/proc/net/tcp');
is(scalar @listen, 0, 'not the listening one either');

open my $c, '<', "/proc/$first/cmdline";
my $cmd = <$c>;
is($cmd, "nudge\0sender\0", 'no secret in its arguments');

kill 'KILL', $first;
my $second = $t->wait_for(sub {
    my ($s) = grep { $_ != $first } senders(); $s }, 10);
ok($second, 'another one after kill -9');

my ($manager) = $t->processes('cache manager');
ok($manager, 'cache manager');
kill 'KILL', $manager;
ok($t->wait_for(sub { !alive($second) }, 10),
    'the sender leaves when its parent is killed');
my $third = one();
ok($third, 'and the next manager starts the next one');

$t->reload;
my $fourth = $t->wait_for(sub {
    my @s = senders(); @s == 1 && $s[0] != $third ? $s[0] : 0 }, 15);
ok($fourth, 'a reload hands over to a new sender');

for (1 .. 5) { $t->reload; sleep 0.2 }
sleep 1;
my $last = $t->wait_for(sub {
    my @s = senders(); @s == 1 && $s[0] != $fourth ? $s[0] : 0 }, 15);
ok($last, 'one sender after a storm of reloads');

# USR1: the error log is opened again by the sender, too

rename $t->dir . '/error.log', $t->dir . '/error.old';
kill 'USR1', $t->{pids}{nginx};
ok($t->wait_for(sub {
    (readlink("/proc/$last/fd/2") // '') eq $t->dir . '/error.log' }, 10),
    'USR1 reaches the sender');

my $pid = $last;
ok($t->stop_nginx, 'nginx quits');
ok($t->wait_for(sub { !alive($pid) }, 5), 'so does the sender');

# a program that cannot be run is found before traffic

$t->{conf}{http} = '';
$t->write_conf;
my $conf = $t->read('nginx.conf');
$conf =~ s/nudge_sender \S+;/nudge_sender \/nonexistent\/nudge;/;
$t->write('nginx.conf', $conf);
my $out = $t->test_conf;
like($out, qr/nudge_sender "\/nonexistent\/nudge" cannot be executed/,
    'nginx -t checks the program');

$t->done;
