package Nudge::Catalogue;

# A catalogue file as the sender would publish it, written from the format's
# description alone, so that the reader is held to what it says.
#
#     Nudge::Catalogue::publish($t, 'shop', 1, { id => '19', name => 'Mug',
#         url => '/product/mug/', image => '/mug.svg', price => 12_500,
#         currency => 'EUR', stock => 'in', popularity => 7 }, ...);

use strict;
use warnings;

use Compress::Zlib ();
use Encode ();

my %stock = (in => 1, out => 2, preorder => 3);

sub publish {
    my ($t, $shop, $generation, @products) = @_;

    my $dir = "$t->{dir}/state/catalogue";
    my $name = sprintf '%s.%010d', $shop, $generation;

    mkdir $dir;
    $t->write("state/catalogue/.$name.tmp",
        build($shop, $generation, @products));
    rename "$dir/.$name.tmp", "$dir/$name" or die "rename: $!\n";

    return "$dir/$name";
}

sub build {
    my ($shop, $generation, @products) = @_;

    my @sorted = sort { $a->{hash} cmp $b->{hash} || $a->{id} cmp $b->{id} }
        map { { %$_, hash => fnv($_->{id}) } } @products;
    my $n = @sorted;

    my $index = align(40 + length $shop);
    my $popular = $index + 16 * $n;
    my $offset = align($popular + 4 * $n);
    my ($entries, $records) = ('', '');

    for my $p (@sorted) {
        my @s = map { Encode::encode_utf8($p->{$_} // '') }
            qw(id parent key sku name url image category brand currency);
        my $record = pack('L<L<q<q<', $p->{popularity} // 0,
            $stock{ $p->{stock} // '' } // 0,
            $p->{price} // -9223372036854775807 - 1, $p->{seen} // 1)
            . pack('(S<)*', map { length } @s) . join '', @s;

        $entries .= reverse($p->{hash}) . pack 'Q<', $offset;
        $records .= $record;
        $offset += length $record;
    }

    my @rank = sort {
        ($sorted[$b]{popularity} // 0) <=> ($sorted[$a]{popularity} // 0)
            || $sorted[$a]{id} cmp $sorted[$b]{id}
    } 0 .. $#sorted;

    my $rest = pack('Q<Q<L<L<', $offset, $generation, $n, length $shop)
        . padded($shop, $index - 40) . $entries
        . padded(pack('(L<)*', @rank), align($popular + 4 * $n) - $popular)
        . $records;

    return 'nudgecat' . pack('L<L<', 1, Compress::Zlib::crc32($rest)) . $rest;
}

# FNV-1a, 64 bit, as eight bytes, the most significant first

sub fnv {
    my ($text) = @_;

    use integer;

    my $h = -3750763034362895579;           # 0xcbf29ce484222325
    for my $c (unpack 'C*', Encode::encode_utf8($text)) {
        $h = ($h ^ $c) * 1099511628211;     # 0x100000001b3
    }

    return pack 'q>', $h;
}

sub align { return int(($_[0] + 7) / 8) * 8 }

sub padded { return $_[0] . "\0" x ($_[1] - length $_[0]) }

1;
