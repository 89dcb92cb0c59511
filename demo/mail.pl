#!/usr/bin/perl

# A mailbox for the demo: takes every mail by SMTP, shows them on a page.
# Usage: mail.pl SMTP-ADDRESS:PORT WEB-ADDRESS:PORT

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(decode);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);
use POSIX qw(strftime);

use Demo::Server;

my @mails;

$SIG{TERM} = $SIG{INT} = sub { exit 0 };

my $server = Demo::Server->new(handler => \&handle);

$server->add_listener($ARGV[0] || '127.0.0.1:8025', bless {}, 'Demo::SMTP');
$server->add_listener($ARGV[1] || '127.0.0.1:8082');
$server->run;


# --- SMTP, as little as a relay can be

package Demo::SMTP;

sub greeting { return "220 mailbox.demo ESMTP\r\n" }

sub input {
    my ($self, $c) = @_;
    my $out = '';

    while ($c->{in} =~ s/^([^\r\n]*)\r?\n//) {
        my $line = $1;

        if ($c->{data}) {
            if ($line eq '.') {
                main::received($c->{to}, $c->{text});
                $out .= "250 2.0.0 it is in the box\r\n";
                $c->{data} = 0;

            } else {
                $line =~ s/^\.//;
                $c->{text} .= "$line\n";
            }

            next;
        }

        if ($line =~ /^EHLO/i) {
            $out .= "250-mailbox.demo\r\n250 8BITMIME\r\n";

        } elsif ($line =~ /^(?:HELO|RSET|NOOP|MAIL FROM:)/i) {
            $c->{to} = '';
            $out .= "250 2.0.0 ok\r\n";

        } elsif ($line =~ /^RCPT TO:\s*<([^>]*)>/i) {
            $c->{to} = $1;
            $out .= "250 2.1.5 ok\r\n";

        } elsif ($line =~ /^DATA/i) {
            ($c->{data}, $c->{text}) = (1, '');
            $out .= "354 go on\r\n";

        } elsif ($line =~ /^QUIT/i) {
            $c->{close} = 1;
            return $out . "221 2.0.0 bye\r\n";

        } else {
            $out .= "502 5.5.1 what?\r\n";
        }
    }

    return $out;
}


package main;

# --- reading a mail

sub received {
    my ($to, $source) = @_;
    my $mail = parse($source);

    $mail->{n} = @mails + 1;
    $mail->{envelope_to} = $to;
    $mail->{source} = $source;
    $mail->{time} = time;
    push @mails, $mail;

    printf "mail %d: %s\n", $mail->{n}, $mail->{header}{subject} || '';
}

sub parse {
    my ($source) = @_;
    my ($head, $body) = split /\n\n/, $source, 2;
    my $header = headers($head);
    my $mail = { header => $header, text => '', html => '' };

    if (($header->{'content-type'} || '') =~ m{^multipart/.*boundary="?([^";]+)}s) {
        my @parts = split /(?:^|\n)--\Q$1\E(?:--)?[ \t]*(?:\n|$)/, $body;

        for my $part (@parts[1 .. $#parts]) {
            my ($h, $b) = split /\n\n/, $part, 2;

            next if !defined $b;

            my $type = headers($h);
            my $name = ($type->{'content-type'} || '') =~ m{^text/html}
                ? 'html' : 'text';

            $mail->{$name} = part_text($type, $b);
        }

    } else {
        $mail->{text} = part_text($header, defined $body ? $body : '');
    }

    return $mail;
}

sub headers {
    my ($head) = @_;
    my %header;

    $head = '' if !defined $head;
    $head =~ s/\n(?=[ \t])//g;

    for (split /\n/, $head) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        $header{lc $name} = decode('MIME-Header', $value);
    }

    return \%header;
}

sub part_text {
    my ($header, $body) = @_;
    my $encoding = lc($header->{'content-transfer-encoding'} || '7bit');

    $body = decode_qp($body) if $encoding =~ /quoted-printable/;
    $body = decode_base64($body) if $encoding =~ /base64/;

    return decode('UTF-8', $body);
}


# --- the page

sub handle {
    my ($req) = @_;
    my @type = ('Content-Type' => 'text/html; charset=UTF-8',
                'Cache-Control' => 'no-store');

    if ($req->{path} eq '/api/mails') {
        return [ 200, [ 'Content-Type' => 'application/json' ],
                 JSON::PP->new->utf8->canonical->encode(\@mails) ];
    }

    if ($req->{path} =~ m{^/mail/(\d+)/html$} && $mails[$1 - 1]) {
        my $html = $mails[$1 - 1]{html};

        $html =~ s{(<head[^>]*>)}{$1<base target="_blank">}i;

        return [ 200, \@type, $html ];
    }

    if ($req->{path} =~ m{^/mail/(\d+)(?:/(text|source))?$} && $mails[$1 - 1]) {
        return [ 200, \@type, page($mails[$1 - 1], $2 || 'page') ];
    }

    if ($req->{path} eq '/') {
        return [ 200, \@type, page($mails[-1], 'page', 1) ];
    }

    return [ 404, \@type, page(undef, 'page') ];
}

sub page {
    my ($mail, $view, $live) = @_;
    my $list = join '', map {
        my $here = $mail && $_ == $mail ? ' aria-current="true"' : '';

        "<li><a href=\"/mail/$_->{n}\"$here><b>" . html($_->{header}{subject})
        . '</b><span>' . html($_->{envelope_to}) . '</span><time>'
        . strftime('%H:%M:%S', localtime $_->{time}) . '</time></a></li>'
    } reverse @mails;
    my $count = @mails;
    my $content = $mail ? content($mail, $view)
        : '<p class="none">Nothing has arrived yet.</p>';

    $list = '<li class="none">Empty</li>' if !$list;

    return <<"END";
<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox ($count)</title>
<style>
* { box-sizing: border-box }
body { margin: 0; background: #eef1f5; color: #23303d; font: 16px/1.5 system-ui, sans-serif }
.all { display: grid; grid-template-columns: minmax(15rem, 22rem) 1fr; min-height: 100vh }
.list { border-right: 1px solid #d7dde5; background: #fff }
h1 { margin: 0; padding: 1.1rem 1.25rem; font-size: 1.1rem }
ul { margin: 0; padding: 0; list-style: none }
li a { display: block; padding: .8rem 1.25rem; border-top: 1px solid #edf0f4; color: inherit; text-decoration: none }
li a[aria-current] { background: #e7eef8; box-shadow: inset 4px 0 #2f5d9b }
li b, li span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
li span, time { color: #5c6670; font-size: .875rem }
.mail { display: flex; flex-direction: column; min-width: 0; padding: 1.25rem clamp(1rem, 3vw, 2.5rem) }
.mail h2 { margin: 0 0 .3rem; font-size: 1.5rem; line-height: 1.25 }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .8rem; margin: 0; font-size: .9375rem }
dt { color: #5c6670 } dd { margin: 0; overflow-wrap: anywhere }
nav { display: flex; gap: .4rem; margin: 1rem 0 }
nav a { padding: .35rem 1rem; border-radius: 1rem; color: inherit; text-decoration: none }
nav a[aria-current] { background: #23303d; color: #fff }
iframe, pre { flex: 1; width: 100%; min-height: 34rem; margin: 0; border: 1px solid #d7dde5; border-radius: 12px; background: #fff }
pre { padding: 1.25rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.55 ui-monospace, monospace }
.none { padding: 1.25rem; color: #5c6670 }
\@media (max-width: 46em) { .all { grid-template-columns: minmax(0, 1fr) } .list { border: 0 } }
</style></head>
<body><div class="all"><div class="list"><h1>Mailbox</h1><ul>$list</ul></div>
<main class="mail">$content</main></div>
<script>
setInterval(function () {
    fetch("/api/mails").then(function (r) { return r.json(); })
    .then(function (m) { if (m.length != $count) location = @{[ $live ? '"/"' : 'location' ]}; });
}, 2000);
</script>
</body></html>
END
}

sub content {
    my ($mail, $view) = @_;
    my $h = $mail->{header};
    my $fields = join '', map {
        $h->{lc $_} ? "<dt>$_</dt><dd>" . html($h->{lc $_}) . '</dd>' : ''
    } qw(From To Date List-Unsubscribe);
    my $tabs = join '', map {
        my ($name, $label, $path) = @$_;
        "<a href=\"/mail/$mail->{n}$path\""
        . ($name eq $view ? ' aria-current="page"' : '') . ">$label</a>"
    } ([ 'page', 'As a page', '' ], [ 'text', 'As text', '/text' ],
       [ 'source', 'Source', '/source' ]);
    my $body = $view eq 'source' ? '<pre>' . html($mail->{source}) . '</pre>'
        : $view eq 'text' ? '<pre>' . links(html($mail->{text})) . '</pre>'
        : "<iframe title=\"The mail\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/mail/$mail->{n}/html\"></iframe>";

    return '<h2>' . html($h->{subject}) . "</h2><dl>$fields</dl><nav>$tabs"
        . "</nav>$body";
}

sub links {
    my ($html) = @_;

    $html =~ s{(https?://[^\s<]+)}{<a href="$1" target="_blank">$1</a>}g;

    return $html;
}

sub html { return Demo::Server::html($_[0]) }
