#!/usr/bin/perl

# The sender's pure parts, with the sanitizers on: see t/sender/driver.c.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More ();

my $root = abs_path(dirname(__FILE__) . '/..');
my $dir = tempdir(CLEANUP => 1);
my $cc = $ENV{CC} || 'cc';

Test::More::plan skip_all => 'no C compiler' if system "$cc --version >/dev/null 2>&1";
Test::More::plan skip_all => 'no time zones' if !-e '/usr/share/zoneinfo/Europe/Madrid';

my @core = grep { m{/nudge_core[a-z_]*\.c$} } glob "$root/src/core/*.c";

system($cc, qw(-std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -pthread
               -Wno-unused-parameter -fno-sanitize-recover=undefined),
       '-fsanitize=address,undefined',
       "-I$root/src/core", "-I$root/src/sender", "$root/t/sender/driver.c",
       (map { "$root/src/sender/$_.c" } qw(timezone seen file)), @core,
       '-o', "$dir/driver") == 0
    or Test::More::BAIL_OUT('the driver does not build');

# the zones stay in memory for the life of the process, on purpose; the driver
# prints TAP itself

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
open my $out, '-|', "$dir/driver" or Test::More::BAIL_OUT("driver: $!");
print while <$out>;
close $out or print "not ok - the driver died\n";
