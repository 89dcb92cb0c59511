#!/usr/bin/perl

# A real store, as recorded: every exchange goes through nginx with the module
# and a player answers as WooCommerce did.  What the journal then holds is
# compared with two tables written by hand from the recordings
# (recordings/woocommerce.tsv, recordings/pages.tsv), and what the browser got
# with what the store said, bit for bit.
#
# The recordings are not part of the project: NUDGE_STOREFRONTS names their
# directory, ../shared/storefronts is looked at otherwise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Nudge;
use Test::More;

my $place = $ENV{NUDGE_STOREFRONTS} || "$Nudge::ROOT/../shared/storefronts";
$place = "$place/woocommerce" if -d "$place/woocommerce";

plan skip_all => 'the recordings of WooCommerce are not at hand '
    . '(NUDGE_STOREFRONTS)' unless -r "$place/exchanges.jsonl";

# the recordings do not carry these pages' bodies: what stands in for each
my %body = (
    'add-form-multipart' => 'product-after-add.html',
    'add-variable-multipart' => 'product-variable.html',
    'add-get-link' => 'shop-listing.html',
    'classic-cart-update' => 'cart-classic.html',
    'order-received-page' => 'order-received.html',
);

my $host = '127.0.0.1:18181';
my $home = '<!DOCTYPE html><html><head><title>Woo Test Shop</title></head>'
         . '<body class="home">welcome</body></html>';

my $t = Nudge->new;
my %exchange = map { $_->{name} => $_ } exchanges();
my @rows = table('woocommerce.tsv');
my @pages = table('pages.tsv');

# what the store says: named by a header which nothing looks at

$t->upstream(sub {
    my $r = shift;
    my $name = $r->{headers}{'x-player'} // 'home';

    return { body => $home } if $name eq 'home';

    return { body => page($name), chunked => 1, headers =>
        [['Content-Type', 'text/html; charset=UTF-8'],
         ['Cache-Control', 'no-cache, must-revalidate, max-age=0, no-store, '
          . 'private']] } if $name =~ /\.html$/;

    return recorded($exchange{$name});
});

$t->run(server => '
    nudge on;
    nudge_consent off;
    location / { proxy_pass %%UPSTREAM%%; proxy_set_header Host $http_host; }
');

is(join(' ', sort map { $_->[0] } @rows), join(' ', sort keys %exchange),
    'the table has every exchange, and no other');

my %browser;

for my $row (@rows) {
    my ($name, $event, $product, $quantity, $price, $order, $email, $cart,
        $who) = @$row;

    my $b = $browser{$who} ||= visitor();
    my $x = $exchange{$name} or next;
    my $before = $t->events;
    my $r = replay($b, $x);

    my $want = recorded($x);
    is($r->{status}, $x->{response}{status}, "$name: status");
    ok($r->{body} eq $want->{body}, "$name: answer, bit for bit");
    is(join("\n", passed($r)), join("\n", said($want)), "$name: its headers");

    # views may be buffered for a second, and a read cart is a view
    $t->wait_events($before + 1) if $event eq 'view_cart';

    my @e = $t->events;
    @e = grep { $_->{e} !~ /^(?:page_view|view_item|view_item_list)$/ }
        @e[$before .. $#e];

    my @attempts = grep { $_->{e} eq 'order_attempt' } @e;
    @e = grep { $_->{e} ne 'order_attempt' } @e;

    is(join('; ', map { line($_) } @e), $event eq '-' ? '' : join(' ', $event,
        "product=$product", "quantity=$quantity", "price=$price",
        "order=$order", "email=$email", "cart=$cart"), "$name: what it means");

    next unless $event eq 'purchase' && $x->{request}{method} eq 'POST';

    ok(scalar @attempts, "$name: the attempt was noted first");
    is($e[0]{attempt}, $attempts[0]{attempt}, "$name: and is resolved");
}

# nothing came late

sleep 1;
is(scalar(grep { $_->{e} !~ /^(?:page_view|view_item|order_attempt)$/ }
    $t->events), scalar(grep { $_->[1] ne '-' } @rows), 'and nothing else');

# each visitor is one, and none is another

my %ids = map { $_->{visitor} => 1 } $t->events;
is(scalar keys %ids, scalar keys %browser, 'as many visitors as there were');

# pages as they are viewed

my $b = visitor();

for my $row (@pages) {
    my ($file, $path, $event, $id, $sku, $name, $price, $currency, $stock,
        $image) = @$row;

    my $before = $t->events;
    my $r = $b->get($path, headers => { 'X-Player' => $file, Host => $host });
    ok($r->{body} eq page($file), "$file: bit for bit");
    ok($r->{complete}, "$file: complete");

    # whatever a page brings about is written together, within a second
    my @e = $t->wait_events($before + 1);
    @e = @e[$before .. $#e];

    is($e[0]{e}, 'page_view', "$file: a view");

    my ($item) = map { $_->{items}[0] } grep { $_->{e} eq 'view_item' } @e;

    is(join(' ', map { $_->{e} } @e[1 .. $#e]), $event eq '-' ? '' : $event,
        "$file: what else");

    next unless $event eq 'view_item';

    is($item->{id}, $id, "$file: product");
    is($item->{sku}, $sku, "$file: sku");
    is($item->{name}, $name, "$file: name");
    cmp_ok($item->{price} // 0, '==', $price, "$file: price");
    is($item->{currency}, $currency, "$file: currency");
    is($item->{stock}, $stock, "$file: availability");
    is($item->{image}, $image, "$file: picture");
}

# nothing that was typed as a secret went anywhere

my $journal = join '', map { $t->read($_) }
    glob $t->dir . '/state/journal/journal.*';

unlike($journal, qr/wc_order_/, 'no order key in the journal');
unlike($journal, qr/HMAC|wordpress_/, 'no session of the store either');

for my $x (values %exchange) {
    my $text = $x->{request}{body} // '';
    my ($secret) = $text =~ /(?:^|&)password=([^&]+)/ or next;
    ok(index($journal, $secret) == -1, "$x->{name}: no password");
}

$t->done;


sub visitor {
    my $b = $t->browser;
    my $before = $t->events;

    my $r = $b->get('/', headers => { Host => $host });
    is($r->{body}, $home, 'a visitor arrives');
    ok($b->cookie('nudge'), 'and gets a cookie');

    # the view is written within a second: what follows is told apart
    $t->wait_events($before + 1);

    return $b;
}

sub exchanges {
    open my $f, '<:raw', "$place/exchanges.jsonl" or die "exchanges: $!\n";

    return map { JSON::PP->new->utf8->decode($_) } grep { /\S/ } <$f>;
}

sub table {
    my ($name) = @_;

    open my $f, '<', "$FindBin::Bin/recordings/$name" or die "$name: $!\n";

    return map { chomp; [ split /\t/ ] } grep { !/^#/ && /\S/ } <$f>;
}

sub page {
    my ($file) = @_;

    open my $f, '<:raw', "$place/$file" or die "$file: $!\n";
    local $/;

    return scalar <$f>;
}

# the answer as the player gives it

sub recorded {
    my ($x) = @_;

    my $r = $x->{response};
    my $body = $r->{body} // '';

    if ($body =~ /^\[html page, \d+ bytes; not included\]$/) {
        $body = page($body{ $x->{name} });
    }

    utf8::encode($body) if utf8::is_utf8($body);

    my @headers = map { [ split /:\s*/, $_, 2 ] }
        grep { !/^(?:Transfer-Encoding|Content-Length):/i } @{ $r->{headers} };

    return { status => $r->{status}, body => $body, headers => \@headers,
             chunked => 1 };
}

# the request as the browser sent it, with our cookie beside the store's own

sub replay {
    my ($b, $x) = @_;

    my %h = %{ $x->{request}{headers} };
    my $cookie = delete $h{cookie};
    my $body = $x->{request}{body};

    utf8::encode($body) if defined $body && utf8::is_utf8($body);

    $h{Host} = $host;
    $h{'X-Player'} = $x->{name};
    $h{'User-Agent'} = delete $h{'user-agent'} || $Nudge::UA;
    $h{Cookie} = join '; ', grep { defined && length } $cookie,
        'nudge=' . $b->cookie('nudge');

    delete $h{'content-length'};

    my $r = $t->request($x->{request}{method}, $x->{request}{path},
        headers => \%h, body => $body);

    for my $c (Nudge::header($r, 'Set-Cookie')) {
        $b->set_cookie(nudge => $1) if $c =~ /^nudge=([^;]+)/;
    }

    return $r;
}

# header lines of the store that reached the browser: ours is one cookie, and
# a response that sets it leaves private

sub passed {
    my ($r) = @_;

    return sort grep {
        !/^(?:server|date|connection|transfer-encoding|cache-control|expires):/
        && !/^set-cookie: nudge=/
    } map { lc($_->[0]) . ": $_->[1]" } @{ $r->{headers} };
}

sub said {
    my ($r) = @_;

    return sort grep { !/^(?:cache-control|expires):/ }
        map { lc($_->[0]) . ": $_->[1]" } @{ $r->{headers} };
}

# an event in the words of the table

sub line {
    my ($e) = @_;

    my @i = @{ $e->{items} || [] };
    my @c = map { "$_->{id}x$_->{quantity}"
        . (defined $_->{price} ? '@' . money($_->{price}) : '') }
        @{ $e->{cart} || [] };

    return join ' ', $e->{e},
        'product=' . (@i ? join(',', map { $_->{id} } @i) : '-'),
        'quantity=' . (@i ? join(',', map { $_->{quantity} // '-' } @i) : '-'),
        'price=' . (@i && defined $i[0]{price}
            ? join(',', map { money($_->{price}) } @i) : '-'),
        'order=' . ($e->{order} // '-'), 'email=' . ($e->{email} // '-'),
        'cart=' . ($e->{snapshot} ? @c ? join(',', @c) : 'empty' : '-');
}

sub money { return sprintf '%.2f', $_[0] }
