package Nudge::Journal;

# Writes and reads journal segments as the module does: framed JSON, appended
# under a shared lock.  Events get ids of their own unless they bring one.
#
#     my $j = Nudge::Journal->new("$state/journal");
#     $j->add({ e => 'add_to_cart', visitor => $v, items => [ ... ] });
#     $j->rotate;

use strict;
use warnings;

use Compress::Zlib ();
use Fcntl qw(:flock O_WRONLY O_APPEND O_CREAT);
use JSON::PP ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, $dir, %opt) = @_;

    mkdir $dir, 0700 if !-d $dir;

    return bless { dir => $dir, generation => 1, nonce => 1, seq => 0,
                   shop => 'demo', %opt }, $class;
}

sub path {
    my ($self, $generation) = @_;

    return sprintf '%s/journal.%010d', $self->{dir},
                   $generation // $self->{generation};
}

sub rotate {
    my ($self) = @_;

    $self->{generation}++;
    $self->append('');
}

# the bytes of one record

sub frame {
    my ($text) = @_;

    return sprintf "\nN1 %08x %d %s\n", Compress::Zlib::crc32($text),
                   length $text, $text;
}

# an event with what every event has

sub event {
    my ($self, $ev) = @_;

    my %ev = (v => 1, t => int(time * 1000), shop => $self->{shop}, %$ev);

    $ev{id} = sprintf '%016x-%x', $self->{nonce}, ++$self->{seq} if !$ev{id};

    return $json->encode(\%ev);
}

sub append {
    my ($self, $bytes, $generation) = @_;

    my $path = $self->path($generation);

    sysopen my $fh, $path, O_WRONLY | O_APPEND | O_CREAT, 0600
        or die "$path: $!";
    flock $fh, LOCK_SH;
    defined syswrite $fh, $bytes or die "$path: $!";
    close $fh;
}

# events, in one write; gives their JSON

sub add {
    my ($self, @events) = @_;

    my @json = map { $self->event($_) } @events;

    $self->append(join '', map { frame($_) } @json);

    return @json;
}

# what stands in all segments, oldest first

sub read {
    my ($dir) = @_;

    my @events;

    for my $path (sort glob "$dir/journal.*") {
        open my $fh, '<:raw', $path or next;
        local $/;
        my $text = <$fh>;

        while ($text =~ /\nN1 ([0-9a-f]{8}) (\d+) ([^\n]*)\n/g) {
            next if length $3 != $2;
            next if Compress::Zlib::crc32($3) != hex $1;
            push @events, $json->decode($3);
            pos($text)--;
        }
    }

    return @events;
}

1;
