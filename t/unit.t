#!/usr/bin/perl

# The unit tests: every program of "make unit" as a subtest, its own lines
# under its own name.  A program that dies, that a sanitizer complains about,
# that is not built, or whose plan does not fit what it printed has failed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{NUDGE_BUILD} ? abs_path($ENV{NUDGE_BUILD}) : "$root/build";

plan skip_all => 'not built: make unit' if !-d "$build/unit";

chdir $root or die "$root: $!\n";

for my $source (sort glob "$root/t/unit/*.c") {
    my $name = basename($source, '.c');

    subtest $name => sub { program($name) };
}

done_testing();


sub program {
    my ($name) = @_;

    my $program = "$build/unit/$name";

    if (!ok(-x $program, "$name is built")) {
        return;
    }

    # what an LD_PRELOAD for nginx brings along is not for these

    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    local $ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=1';

    my $out = `timeout 300 '$program' 2>&1 </dev/null`;
    my $status = $?;
    my ($count, $plan, @strange) = (0);

    for my $line (split /\n/, $out) {

        if ($line =~ /^(not )?ok (\d+)(?: - (.*))?$/) {
            my ($bad, $number, $what) = ($1, $2, $3 // '');

            $count++;
            ok(!$bad, "$name: $what");
            push @strange, $line if $number != $count;

        } elsif ($line =~ /^1\.\.(\d+)$/) {
            push @strange, $line if defined $plan;
            $plan = $1;

        } elsif ($line =~ /Sanitizer|runtime error:/) {
            push @strange, $line;
            diag($out =~ /(^[^\n]*\Q$line\E.*)/ms ? substr $1, 0, 4000 : $line);

        } elsif ($line =~ /^#/) {
            diag("$name: $line");
        }
    }

    is($status, 0, "$name ends well");
    is($plan // 'none', $count, "$name: its plan");
    cmp_ok($count, '>', 0, "$name tests something");
    is(join("\n", @strange), '', "$name: no complaint");
}
