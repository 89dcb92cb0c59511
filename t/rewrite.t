#!/usr/bin/perl

# The rewriting of the stream alone, under sanitizers: random bufs with random
# flags, a filter below that sends little at a time, allocations that fail.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{NUDGE_BUILD} ? abs_path($ENV{NUDGE_BUILD}) : "$root/build";
my $src = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
my $dir = tempdir(CLEANUP => 1);
my $cc = $ENV{CC} || 'cc';

plan skip_all => 'no C compiler'
    if system("$cc --version >/dev/null 2>&1") != 0;

$src = "$src/src" if -d "$src/src/core";

plan skip_all => 'no configured nginx sources'
    unless -e "$build/ngx_http_nudge_module.so" && -d "$src/core";

my $lua = `pkg-config --variable=includedir luajit 2>/dev/null`;
chomp $lua;

# nginx hands null pointers of no length around, and means it

my @command = ($cc, '-std=gnu11', '-O1', '-g', '-D_GNU_SOURCE',
    '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
    '-fno-sanitize=nonnull-attribute',
    (map { "-I$src/$_" } qw(core event event/modules os/unix http
        http/modules http/v2)),
    "-I$build/nginx", "-I$root/src/core", "-I$root/src/nginx",
    '-I' . ($lua || '/usr/include/luajit-2.1'), "$root/t/rewrite/driver.c",
    "$root/src/nginx/ngx_http_nudge_rewrite.c",
    glob("$root/src/core/nudge_html*.c"), glob("$root/src/core/nudge_core*.c"),
    '-o', "$dir/driver");

is(system(@command), 0, 'the driver builds') or BAIL_OUT("@command");

for my $i (0 .. 3) {
    my ($first, $last) = ($i * 5000, $i * 5000 + 4999);
    my $out = `$dir/driver $first $last 2>&1`;
    is($out, "ok\n", "seeds $first to $last");
}

done_testing();
