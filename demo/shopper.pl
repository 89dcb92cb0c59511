#!/usr/bin/perl

# One shopper, scripted: looks around, allows cookies, fills a cart, is about
# to leave, leaves an address in the popup, confirms it, and goes.  Then waits
# for the mail that brings people back.  Exits 0 when it came.
#
# Usage: shopper.pl STORE-URL MAILBOX-URL NUDGE JOURNAL

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(sleep time);

use Demo::Server;

my ($store, $mailbox, $nudge, $journal) = @ARGV;

die "usage: $0 STORE-URL MAILBOX-URL NUDGE JOURNAL\n" if !defined $journal;

my $email = 'maya@shopper.example';
my $http = HTTP::Tiny->new(
    max_redirect => 0, timeout => 10, keep_alive => 1,
    agent => 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like'
        . ' Gecko) Chrome/140.0.0.0 Safari/537.36');
my %cookie;
my $referer;
my $began = time;

$| = 1;
binmode STDOUT, ':utf8';


title('A shopper walks in');

my $home = visit('/', 'opens the store');
asset($_) for $home->{content} =~ m{(?:href|src)="(/static/[^"]+)"}g;

act('POST', '/consent/', form(choice => 'all', back => '/'),
    'allows cookies', 303);
visit('/', 'looks around');
sleep 0.4;
visit('/product-category/teapots/', 'goes to the teapots');
look('everyday-teapot', 'the Everyday Teapot');
look('cobalt-teapot-for-two', 'the Cobalt Teapot for Two');
look('matcha-bowl', 'the Matcha Bowl');
look('earl-grey', 'the Earl Grey');
look('the-blue-mug', 'the Blue Mug');

my $boundary = '----WebKitFormBoundaryDemoShopper1';
my $body = join '', map {
    "--$boundary\r\nContent-Disposition: form-data; name=\"$_->[0]\"\r\n\r\n"
    . "$_->[1]\r\n"
} [ quantity => 2 ], [ 'add-to-cart' => 21 ];

act('POST', '/product/the-blue-mug/', {
    content => "$body--$boundary--\r\n",
    headers => { navigation(), 'Content-Type' =>
                 "multipart/form-data; boundary=$boundary" } },
    'puts two of them into the cart');
visit('/cart/', 'opens the cart, and goes on looking');
sleep 1.5;
visit('/product-category/tea/', 'goes back to the tea');
act('POST', '/?wc-ajax=add_to_cart',
    form(product_id => 39, quantity => 1, product_sku => 'BM-TEA-39',
         ajax => 1),
    'adds a tin of Earl Grey');
sleep 0.5;

my $cart = visit('/cart/', 'opens the cart again');

# the catalogue is a few seconds old at most, but here the store is, too
for (1 .. 10) {
    last if $cart->{content} =~ /class="nudge-banner"/;
    sleep 1;
    $cart = visit('/cart/', 'and once more');
}

note($cart->{content} =~ /class="nudge-banner"/
     ? 'the page carries a banner with products to go with it'
     : 'the page carries no banner');

asset($_) for $cart->{content} =~ m{(?:href|src)="(/nudge/[^"]+)"}g;
sleep 1;


title('The pointer leaves through the top of the window');

my $popup = act('POST', '/nudge/exit', form(page => 'cart', nudge => 1),
                'nudge.js asks whether there is something to show');

if ($popup->{status} != 200 || $popup->{content} !~ /<dialog/) {
    fail("no popup: status $popup->{status}");
}

print "\n", indent($popup->{content}), "\n";

my ($offer) = $popup->{content} =~ /data-nudge-offer="([^"]+)"/;

sleep 0.5;
act('POST', '/nudge/subscribe',
    form(email => $email, offer => $offer || '', website => '', nudge => 1),
    "leaves the address $email");


title('Double opt-in');

my $confirm = mail(qr/confirm/i, 20)
    or fail('no mail to confirm the address came');
my ($link) = $confirm->{text} =~ m{(http\S+/nudge/confirm\?t=\S+)}
    or fail('the mail has no link to confirm');

note("\"$confirm->{header}{subject}\" has arrived");

(my $path = $link) =~ s{^http://[^/]+}{};

my $page = visit($path, 'opens the link: a page with a button');
my ($token) = $page->{content} =~ /name="t" value="([^"]+)"/
    or fail("no button on the page (status $page->{status})");

act('POST', '/nudge/confirm', form(t => $token), 'presses it');


title('And leaves, without buying');
note('waiting for the reminder, some twenty seconds after the cart changed');

my $mail = mail(qr/cart/i, 60) or fail('no reminder came');

title('What nginx saw on its way');
events();

title('The mail that came');
print indent(join '', map {
    my $value = $mail->{header}{lc $_};
    defined $value ? "$_: $value\n" : ''
} qw(From To Subject Date Message-ID List-Unsubscribe List-Unsubscribe-Post));
print "\n", indent($mail->{text}), "\n";
note("as a page: $mailbox/mail/$mail->{n}");

exit 0;


# --- telling

sub title {
    my ($text) = @_;

    print "\n", -t STDOUT ? "\e[1m$text\e[0m" : "=== $text", "\n\n";
}

sub note { printf "  %5.1fs  %s\n", time - $began, $_[0] }

sub indent {
    my ($text) = @_;

    $text =~ s/^/    /mg;

    return $text;
}

# the journal's events, one a line

sub events {
    open my $fh, '-|', $nudge, 'events', $journal or return;

    my $first;

    while (<$fh>) {
        my $ev = eval { JSON::PP->new->utf8->decode($_) } or next;
        my @what = map { item($_) } @{$ev->{items} || []};

        $first = $ev->{t} if !defined $first;

        push @what, 'cart: ' . (join(' + ', map { item($_) } @{$ev->{cart}})
                                || 'empty') if $ev->{snapshot};
        push @what, map { "$_ $ev->{$_}" } grep { defined $ev->{$_} }
                    qw(reason method offer email order contact);
        push @what, $ev->{url} if !@what && defined $ev->{url};

        printf "  %5.1fs  %-16s %s\n", ($ev->{t} - $first) / 1000, $ev->{e},
               join ', ', @what;
    }

    close $fh;
    print "\n  as they are: $nudge events $journal\n";
}

sub item {
    my ($item) = @_;

    return join ' ', grep { defined }
        $item->{quantity} ? "$item->{quantity} x" : undef,
        defined $item->{name} ? $item->{name} : "product $item->{id}",
        defined $item->{price} ? sprintf '%.2f', $item->{price} : undef;
}

sub fail {
    my ($why) = @_;

    note($why);
    events();
    exit 1;
}


# --- a browser, as far as the store and nginx can tell

sub navigation {
    return ('Sec-Fetch-Dest' => 'document', 'Sec-Fetch-Mode' => 'navigate',
            'Sec-Fetch-Site' => 'same-origin',
            Accept => 'text/html,application/xhtml+xml,*/*;q=0.8');
}

sub form {
    my %field = @_;
    my $ajax = delete $field{ajax};
    my $own = delete $field{nudge};
    my %header = ('Content-Type' => 'application/x-www-form-urlencoded');

    if ($ajax || $own) {
        %header = (%header, Accept => '*/*', 'Sec-Fetch-Dest' => 'empty',
                   'Sec-Fetch-Mode' => 'cors',
                   'Sec-Fetch-Site' => 'same-origin',
                   'X-Requested-With' => $own ? 'nudge' : 'XMLHttpRequest');

    } else {
        %header = (%header, navigation());
    }

    my $body = join '&', map {
        Demo::Server::encode($_) . '=' . Demo::Server::encode($field{$_})
    } sort keys %field;

    return { content => $body, headers => \%header };
}

sub visit {
    my ($path, $what) = @_;

    return act('GET', $path, { headers => { navigation() } }, $what);
}

sub look {
    my ($slug, $name) = @_;

    visit("/product/$slug/", "looks at $name");
    asset("/img/$slug.svg");
    sleep 0.5;
}

sub asset {
    my ($path) = @_;

    request('GET', $path, { headers => {
        'Sec-Fetch-Dest' => 'image', 'Sec-Fetch-Mode' => 'no-cors' } });
}

sub act {
    my ($method, $path, $options, $what, $want) = @_;
    my $r = request($method, $path, $options);

    $referer = "$store$path" if $method eq 'GET';

    note("$what  ($method " . ($path =~ /^([^?]*\?t=.{8})/ ? "$1..." : $path)
         . ", $r->{status})");

    if ($r->{status} >= 400 || ($want && $r->{status} != $want)) {
        fail("unexpected: $r->{status} $r->{reason}");
    }

    return $r;
}

sub request {
    my ($method, $path, $options) = @_;
    my %header = (%{$options->{headers} || {}});

    $header{Cookie} = join '; ', map { "$_=$cookie{$_}" } sort keys %cookie
        if %cookie;
    $header{Referer} = $referer if defined $referer;
    $header{Origin} = $store if $method eq 'POST';

    my $r = $http->request($method, "$store$path",
                           { %$options, headers => \%header });
    my $set = $r->{headers}{'set-cookie'};

    for (ref $set ? @$set : defined $set ? $set : ()) {
        my ($name, $value) = /^([^=]+)=([^;]*)/ or next;

        if (/;\s*Max-Age=0/i) {
            delete $cookie{$name};

        } else {
            $cookie{$name} = $value;
        }
    }

    utf8::decode($r->{content}) if defined $r->{content};

    return $r;
}

# the newest mail to us whose subject fits

sub mail {
    my ($subject, $patience) = @_;
    my $until = time + $patience;

    while (time < $until) {
        my $r = HTTP::Tiny->new(timeout => 5)->get("$mailbox/api/mails");
        my $mails = $r->{success}
            ? JSON::PP->new->utf8->decode($r->{content}) : [];

        for (reverse @$mails) {
            return $_ if $_->{envelope_to} eq $email
                && $_->{header}{subject} =~ $subject;
        }

        sleep 0.3;
    }

    return undef;
}
