#!/usr/bin/perl

# nginx's look, as far as a script can see it.

use strict;
use warnings;

my @files = @ARGV ? @ARGV
    : glob 'src/*/*.c src/*/*.h t/unit/*.c t/unit/*.h t/fuzz/*.c';

my $bad = 0;

sub complain {
    my ($file, $line, $what) = @_;

    print "$file:$line: $what\n";
    $bad++;

    return;
}

for my $file (@files) {
    open my $f, '<', $file or die "$file: $!\n";
    my @l = <$f>;
    close $f;
    chomp @l;

    complain($file, scalar @l, 'more than 1000 lines') if @l > 1000;

    my ($start, $blank, $comment) = (0, 0, 0);

    for my $i (0 .. $#l) {
        my $n = $i + 1;
        local $_ = $l[$i];

        complain($file, $n, 'tab') if /\t/;
        complain($file, $n, 'trailing space') if /\s$/;
        complain($file, $n, 'longer than 80 columns') if length > 80;
        complain($file, $n, 'something left to do')
            if /\b(?:TO(?:DO)|FIX(?:ME)|X{3}|HA(?:CK))\b/;

        my $code = $_;
        $code =~ s{"(?:[^"\\]|\\.)*"}{""}g;
        $code =~ s{'(?:[^'\\]|\\.)*'}{''}g;

        if ($comment) {
            if ($code =~ s{^.*?\*/}{}) { $comment = 0 } else { next }
        }
        $code =~ s{/\*.*?\*/}{}g;
        if ($code =~ s{/\*.*}{}) { $comment = 1 }

        complain($file, $n, 'C++ comment') if $code =~ m{//};
        complain($file, $n, 'no space before "("')
            if $code =~ /\b(?:if|while|for|switch)\(/;
        complain($file, $n, 'no blank line before "else"')
            if $code =~ /^\s*\} else/ && $i && $l[$i - 1] =~ /\S/;
        complain($file, $n, 'pointer compared without NULL')
            if $code =~ /if \(![a-z_]+->(?:next|data)\)/;

        if ($code =~ /^\{/) {
            $start = $n;

            # the name line is above, with the arguments; two blank lines
            # stand before the return type
            my $j = $i - 1;
            $j-- while $j > 0 && $l[$j] =~ /\S/;
            if ($l[$i - 1] =~ /\)$/ && $j > 2 && $file =~ /\.c$/) {
                complain($file, $j + 2, 'two blank lines before a function')
                    unless $l[$j] eq '' && ($l[$j - 1] eq ''
                        || $l[$j - 1] =~ m{\*/$|^#});
            }
        }

        if ($code =~ /^\}/ && $start) {
            complain($file, $start, 'function of ' . ($n - $start) . ' lines')
                if $n - $start > 120;
            $start = 0;
        }

        $blank = $_ eq '' ? $blank + 1 : 0;
        complain($file, $n, 'three blank lines') if $blank == 3;
    }

    if ($file =~ /\.c$/ && $file =~ /^src/) {
        complain($file, 1, 'no comment on what the file is for')
            unless ($l[1] // '') =~ m{^/\*};
    }

    if ($file =~ m{^src/.*/(\w+)\.h$}) {
        my $guard = uc($1) . '_H_INCLUDED_';
        complain($file, 1, "no guard _$guard")
            unless grep { /^#ifndef _(?:NUDGE_)?\Q$guard\E$/ } @l;
    }
}

print "$bad complaints\n" if $bad;
exit($bad ? 1 : 0);
