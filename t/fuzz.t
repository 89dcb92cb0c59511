#!/usr/bin/perl

# A short run of every fuzz target: the corpus holds, and the first seconds of
# mutation find nothing.  NUDGE_FUZZ_SECONDS each (5); "make fuzz" runs longer.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{NUDGE_BUILD} ? abs_path($ENV{NUDGE_BUILD}) : "$root/build";
my $seconds = $ENV{NUDGE_FUZZ_SECONDS} || 5;

plan skip_all => 'no clang' if !grep { -x "$_/clang" } split /:/, $ENV{PATH};
plan skip_all => 'not built: make fuzz-build' if !-d "$build/fuzz";

my @before = tree();

for my $source (sort glob "$root/t/fuzz/*.c") {
    my $name = basename($source, '.c');

    if (!ok(-x "$build/fuzz/$name", "$name is built")) {
        next;
    }

    my @seeds = glob "$root/t/fuzz/corpus/$name/*";

    cmp_ok(scalar @seeds, '>', 0, "$name has a corpus");

    my $out = `sh '$root/t/fuzz/run' '$build' $seconds $name 2>&1`;

    is($?, 0, "$name finds nothing in $seconds s") or diag($out);

    my ($executions) = $out =~ /^ok\s+\Q$name\E\s+(\d+) executions/m;

    cmp_ok($executions || 0, '>=', scalar @seeds, "$name ran its corpus");
    note($out);
}

is_deeply([ tree() ], \@before, 'the tree is as it was');

done_testing();


sub tree {
    return sort map { "$_ " . (stat)[7] } glob "$root/t/fuzz/corpus/*/*";
}
