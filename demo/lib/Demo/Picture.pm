package Demo::Picture;

# The demo store's product pictures, drawn: a few forms thrown in different
# proportions, glazes and patterns.  Everything is plain SVG, deterministic,
# and small enough to be inlined anywhere.

use strict;
use warnings;

my $seed = 1;


# a product's "picture" => { form, ... } to the bytes of an SVG document

sub draw {
    my ($name, $p) = @_;

    $seed = 7;
    $seed = ($seed * 31 + ord) % 65521 for split //, $name;

    my $form = __PACKAGE__->can("form_$p->{form}") or die "no form $p->{form}";
    my $alt = $name;

    $alt =~ s/-/ /g;

    return <<"END" . $form->($p) . "</svg>\n";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="40 70 520 520" role="img" aria-label="$alt">
<defs>
<linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="$p->{wall}"/><stop offset="1" stop-color="@{[ shade($p->{wall}, -0.05) ]}"/></linearGradient>
<linearGradient id="round" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#000" stop-opacity=".26"/><stop offset=".22" stop-color="#fff" stop-opacity=".10"/><stop offset=".36" stop-color="#fff" stop-opacity=".30"/><stop offset=".56" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity=".30"/></linearGradient>
<linearGradient id="inside" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#000" stop-opacity=".10"/><stop offset="1" stop-color="#000" stop-opacity=".38"/></linearGradient>
<radialGradient id="shadow"><stop offset="0" stop-color="#2b2118" stop-opacity=".42"/><stop offset=".7" stop-color="#2b2118" stop-opacity=".12"/><stop offset="1" stop-color="#2b2118" stop-opacity="0"/></radialGradient>
<radialGradient id="sun" cx=".32" cy=".25" r=".8"><stop offset="0" stop-color="#fff" stop-opacity=".65"/><stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient>
</defs>
<rect width="600" height="600" fill="url(#wall)"/>
<rect width="600" height="600" fill="url(#sun)"/>
<path d="M0 452C140 440 460 440 600 452V600H0Z" fill="@{[ shade($p->{wall}, -0.11) ]}"/>
<path d="M0 452C140 440 460 440 600 452" fill="none" stroke="#fff" stroke-opacity=".35" stroke-width="2"/>
END
}


# --- forms

sub form_mug {
    my ($p) = @_;
    my ($w, $h) = ($p->{w} || 230, $p->{h} || 250);
    my ($l, $b) = (300 - $w / 2 - 18, 500);
    my ($r, $t) = ($l + $w, $b - $h);
    my $rim = $w * 0.11;
    my $taper = $p->{taper} || 8;
    my $hx = $r + $w * 0.42;
    my $bx = $r - $taper;
    my $handle = sprintf 'M%d %dC%d %d %d %d %d %d', $r - 8, $t + $h * 0.22,
        $hx, $t + $h * 0.14, $hx, $b - $h * 0.10, $bx - 4, $b - $h * 0.24;
    my $body = sprintf 'M%d %dL%d %dQ%d %d %d %dH%dQ%d %d %d %dL%d %dA%d %d 0 0 1 %d %dZ',
        $l, $t, $l + $taper, $b - 34, $l + $taper + 3, $b, $l + $taper + 42, $b,
        $bx - 42, $bx - 3, $b, $bx, $b - 34, $r, $t, $w / 2, $rim, $l, $t;

    return shadow(300 - 8, $b - 2, $w * 0.78)
        . ($p->{nohandle} ? '' : stroke($handle, $p->{color}, $w * 0.115)
                                 . stroke($handle, '#000', $w * 0.115, .10)
                                 . stroke($handle, '#fff', $w * 0.03, .28))
        . body($p, $body, $l, $t - $rim, $r, $b)
        . opening($p, ($l + $r) / 2, $t, $w / 2, $rim)
        . steam($p, ($l + $r) / 2, $t - 30);
}

sub form_pair {
    my ($p) = @_;
    my $one = { %$p, w => 150, h => 135, steam => 0 };

    return '<g transform="translate(-98,-26) scale(1)">' . form_mug($one)
        . '</g><g transform="translate(84,14)">'
        . form_mug({ %$one, color => $p->{accent}, accent => $p->{color},
                     steam => $p->{steam} })
        . '</g>';
}

sub form_bowl {
    my ($p) = @_;
    my ($w, $h, $b) = ($p->{w} || 360, $p->{h} || 170, 500);
    my ($l, $t) = (300 - $w / 2, $b - $h);
    my $r = $l + $w;
    my $rim = $w * 0.13;
    my $foot = $w * 0.20;
    my $body = sprintf 'M%d %dC%d %d %d %d %d %dV%dH%dV%dC%d %d %d %d %d %dA%d %d 0 0 1 %d %dZ',
        $l, $t, $l + 4, $t + $h * 0.62, 300 - $foot - 62, $b - 22, 300 - $foot,
        $b - 16, $b, 300 + $foot, $b - 16, 300 + $foot + 62, $b - 22, $r - 4,
        $t + $h * 0.62, $r, $t, $w / 2, $rim, $l, $t;

    return shadow(300, $b - 2, $w * 0.52)
        . body($p, $body, $l, $t - $rim, $r, $b)
        . opening($p, 300, $t, $w / 2, $rim)
        . steam($p, 300, $t - 20);
}

sub form_nest {
    my ($p) = @_;
    my $out = '';
    my @bowl = ([ 380, 150, 0, $p->{color} ], [ 320, 128, -72, $p->{accent} ],
                [ 262, 108, -140, $p->{third} ]);

    for (@bowl) {
        my ($w, $h, $y, $color) = @$_;

        $out .= "<g transform=\"translate(0,$y)\">"
            . form_bowl({ %$p, w => $w, h => $h, color => $color, steam => 0,
                          noshadow => $y != 0 })
            . '</g>';
    }

    return $out;
}

sub form_plate {
    my ($p) = @_;
    my $d = sprintf 'M90 430C90 470 190 500 300 500S510 470 510 430Z';

    return shadow(300, 498, 260)
        . body({ %$p, pattern => 'none' }, $d, 90, 400, 510, 500)
        . "<ellipse cx=\"300\" cy=\"424\" rx=\"212\" ry=\"62\" fill=\""
        . shade($p->{color}, 0.10) . "\"/>"
        . "<ellipse cx=\"300\" cy=\"424\" rx=\"212\" ry=\"62\" fill=\"none\" stroke=\""
        . $p->{accent} . "\" stroke-width=\"5\"/>"
        . "<ellipse cx=\"300\" cy=\"428\" rx=\"146\" ry=\"40\" fill=\""
        . shade($p->{color}, 0.03) . "\"/>"
        . "<ellipse cx=\"300\" cy=\"430\" rx=\"146\" ry=\"40\" fill=\"url(#inside)\" opacity=\".35\"/>"
        . cake();
}

sub form_teapot {
    my ($p) = @_;
    my $c = $p->{color};
    my $tall = $p->{tall} || 0;
    my $top = 282 - $tall;
    my $body = "M160 400C160 ${\($top + 20)} 218 $top 300 ${top}S440 ${\($top + 20)} 440 400C440 470 392 500 300 500S160 470 160 400Z";
    my $spout = 'M408 448C470 440 470 360 512 318L544 330C520 372 528 452 428 486Z';
    my $handle = $p->{side}
        ? 'M196 420C150 424 110 436 72 452'
        : "M178 346C64 318 60 470 184 450";
    my $out = shadow(306, 498, 215);

    $out .= stroke($handle, $p->{handle} || $c, $p->{side} ? 40 : 28)
        . stroke($handle, '#fff', 7, .22);
    $out .= "<path d=\"$spout\" fill=\"$c\"/><path d=\"$spout\" fill=\"url(#inside)\" opacity=\".6\"/>";
    $out .= body($p, $body, 150, $top, 450, 500);

    my $lid = "M222 ${\($top + 14)}C232 ${\($top - 22)} 368 ${\($top - 22)} 378 ${\($top + 14)}C350 ${\($top + 30)} 250 ${\($top + 30)} 222 ${\($top + 14)}Z";

    $out .= "<path d=\"$lid\" fill=\"" . shade($c, 0.08) . "\"/>"
        . "<path d=\"$lid\" fill=\"url(#round)\" opacity=\".8\"/>"
        . "<circle cx=\"300\" cy=\"${\($top - 28)}\" r=\"19\" fill=\"$p->{accent}\"/>"
        . "<circle cx=\"294\" cy=\"${\($top - 34)}\" r=\"6\" fill=\"#fff\" opacity=\".5\"/>";

    return $out . steam($p, 518, 290);
}

sub form_kettle {
    my ($p) = @_;
    my $c = $p->{color};
    my $body = $p->{goose}
        ? 'M188 300C188 286 412 286 412 300L446 476Q450 500 424 500H176Q150 500 154 476Z'
        : 'M150 440C150 330 214 280 300 280S450 330 450 440C450 486 430 500 396 500H204C170 500 150 486 150 440Z';
    my $spout = $p->{goose}
        ? 'M426 470C500 474 476 330 520 268'
        : 'M428 410C486 396 496 344 524 318';
    my $handle = $p->{goose}
        ? 'M184 330C92 320 84 420 104 474'
        : 'M196 316C196 150 404 150 404 316';
    my $out = shadow(300, 498, 220)
        . stroke($spout, shade($c, -0.08), $p->{goose} ? 24 : 40)
        . stroke($spout, '#fff', 6, .28)
        . stroke($handle, $p->{handle}, 26) . stroke($handle, '#fff', 6, .22)
        . body($p, $body, 150, 280, 450, 500);
    my $top = $p->{goose} ? 290 : 282;

    return $out
        . "<path d=\"M226 ${\($top + 2)}C236 ${\($top - 26)} 364 ${\($top - 26)} 374 ${\($top + 2)}Z\" fill=\""
        . shade($c, 0.10) . "\"/>"
        . "<circle cx=\"300\" cy=\"${\($top - 30)}\" r=\"16\" fill=\"$p->{handle}\"/>"
        . steam($p, 520, $p->{goose} ? 236 : 286);
}

sub form_tin {
    my ($p) = @_;
    my ($l, $r, $t, $b) = (190, 410, 210, 500);
    my $body = "M$l ${t}V${\($b - 22)}A110 24 0 0 0 $r ${\($b - 22)}V${t}Z";
    my $out = shadow(300, $b - 4, 175)
        . body({ %$p, pattern => 'none' }, $body, $l, $t, $r, $b + 4);

    $out .= "<path d=\"M$l 300V420A110 24 0 0 0 $r 420V300A110 24 0 0 1 $l 300Z\" fill=\"#fbf6ea\"/>"
        . "<path d=\"M$l 306V310A110 24 0 0 0 $r 310V306A110 24 0 0 1 $l 306Z\" fill=\"$p->{accent}\"/>"
        . "<path d=\"M$l 410V414A110 24 0 0 0 $r 414V410A110 24 0 0 1 $l 410Z\" fill=\"$p->{accent}\"/>";
    $out .= sprig(300, 366, $p->{accent}, $p->{sprig} || 'leaf');
    $out .= "<path d=\"M$l 300V420A110 24 0 0 0 $r 420V300A110 24 0 0 1 $l 300Z\" fill=\"url(#round)\" opacity=\".7\"/>";
    $out .= "<path d=\"M182 ${\($t - 18)}V${\($t + 20)}A118 26 0 0 0 418 ${\($t + 20)}V${\($t - 18)}Z\" fill=\"" . shade($p->{color}, -0.05) . "\"/>"
        . "<path d=\"M182 ${\($t - 18)}V${\($t + 20)}A118 26 0 0 0 418 ${\($t + 20)}V${\($t - 18)}Z\" fill=\"url(#round)\"/>"
        . "<ellipse cx=\"300\" cy=\"${\($t - 18)}\" rx=\"118\" ry=\"26\" fill=\"" . shade($p->{color}, 0.12) . "\"/>"
        . "<ellipse cx=\"300\" cy=\"${\($t - 20)}\" rx=\"88\" ry=\"17\" fill=\"none\" stroke=\"#fff\" stroke-opacity=\".4\" stroke-width=\"3\"/>";

    return $out;
}

sub form_jug {
    my ($p) = @_;
    my $body = 'M214 250L196 226C226 240 300 236 372 236C398 236 410 250 404 268C396 300 428 340 428 410C428 470 400 500 312 500S196 470 196 410C196 340 226 300 214 250Z';
    my $handle = 'M402 290C500 280 504 420 418 430';

    return shadow(306, 498, 170)
        . stroke($handle, $p->{color}, 26) . stroke($handle, '#fff', 7, .25)
        . body($p, $body, 190, 226, 430, 500)
        . "<path d=\"M198 228C240 250 340 250 402 262C398 240 380 236 372 236C300 236 226 240 198 228Z\" fill=\"" . shade($p->{color}, -0.28) . "\"/>";
}

sub form_whisk {
    my ($p) = @_;
    my $out = shadow(300, 498, 120);

    for my $i (-9 .. 9) {
        my $x = 300 + $i * 7.2;
        my $bulge = 300 + $i * 12.5;
        my $foot = 300 + $i * 6.0;

        $out .= stroke("M$x 292C$bulge 360 $bulge 430 $foot 496", $p->{color},
                       5) . stroke("M$x 292C$bulge 360 $bulge 430 $foot 496",
                                   '#fff', 1.4, .35);
    }

    return $out
        . "<path d=\"M236 300Q300 316 364 300V282Q300 298 236 282Z\" fill=\"$p->{accent}\"/>"
        . "<path d=\"M250 290L258 120Q300 110 342 120L350 290Q300 304 250 290Z\" fill=\"$p->{color}\"/>"
        . "<path d=\"M250 290L258 120Q300 110 342 120L350 290Q300 304 250 290Z\" fill=\"url(#round)\"/>"
        . "<ellipse cx=\"300\" cy=\"119\" rx=\"42\" ry=\"8\" fill=\"" . shade($p->{color}, -0.2) . "\"/>"
        . stroke('M254 210Q300 222 346 210', '#000', 2, .18);
}


# --- parts

# the solid: glaze, pattern, light

sub body {
    my ($p, $path, $l, $t, $r, $b) = @_;
    my $id = 'c' . int next_random() * 1e6;

    return "<clipPath id=\"$id\"><path d=\"$path\"/></clipPath>"
        . "<path d=\"$path\" fill=\"$p->{color}\"/>"
        . "<g clip-path=\"url(#$id)\">" . pattern($p, $l, $t, $r, $b)
        . "</g><path d=\"$path\" fill=\"url(#round)\"/>";
}

sub pattern {
    my ($p, $l, $t, $r, $b) = @_;
    my $kind = $p->{pattern} || 'none';
    my ($w, $h, $out) = ($r - $l, $b - $t, '');

    if ($kind eq 'dip' || $kind eq 'drip') {
        my $y = $t + $h * ($p->{level} || 0.58);
        my $d = "M$l $y";

        if ($kind eq 'drip') {
            for my $i (1 .. 8) {
                my $x = $l + $w * $i / 8;
                my $x0 = $l + $w * ($i - 1) / 8;
                my $deep = $y + (($i % 2) ? 20 : -4) + next_random() * 34;

                $d .= sprintf 'C%.0f %.0f %.0f %.0f %.0f %.0f', $x0 + 8,
                    $deep, $x - 8, $deep, $x, $y;
            }

            return "<path d=\"${d}V${\($t - 60)}H${l}Z\" fill=\"$p->{accent}\"/>";
        }

        $d .= sprintf 'C%.0f %.0f %.0f %.0f %.0f %.0f', $l + $w * .3, $y - 26,
            $l + $w * .7, $y + 22, $r, $y - 8;

        return "<path d=\"${d}V${\($b + 9)}H${l}Z\" fill=\"$p->{accent}\"/>";
    }

    if ($kind eq 'stripes') {
        for my $i (0 .. 3) {
            my $y = $t + $h * (0.34 + $i * 0.15);

            $out .= "<path d=\"M$l ${y}Q${\($l + $w / 2)} ${\($y + 26)} $r ${y}V${\($y + $h * 0.065)}Q${\($l + $w / 2)} ${\($y + $h * 0.065 + 26)} $l ${\($y + $h * 0.065)}Z\" fill=\"$p->{accent}\"/>";
        }

    } elsif ($kind eq 'speckle') {
        for (1 .. 90) {
            $out .= sprintf '<circle cx="%.0f" cy="%.0f" r="%.1f" fill="%s" opacity="%.2f"/>',
                $l + next_random() * $w, $t + next_random() * $h,
                1.2 + next_random() * 3.2, $p->{accent},
                .45 + next_random() * .5;
        }

    } elsif ($kind eq 'dots') {
        for my $row (0 .. 3) {
            for my $col (0 .. 7) {
                $out .= sprintf '<circle cx="%.0f" cy="%.0f" r="%.0f" fill="%s"/>',
                    $l + $w * ($col + ($row % 2) / 2) / 7.2,
                    $t + $h * (0.34 + $row * 0.17), $w * 0.032, $p->{accent};
            }
        }

    } elsif ($kind eq 'leaf') {
        for my $i (0 .. 2) {
            $out .= sprig($l + $w * (0.22 + 0.28 * $i), $t + $h * 0.62,
                          $p->{accent}, 'leaf');
        }

    } elsif ($kind eq 'waves') {
        for my $i (0 .. 5) {
            my $y = $t + $h * (0.36 + $i * 0.10);
            my $d = "M$l $y";

            $d .= 'q' . $w / 16 . ' -16 ' . $w / 8 . ' 0' for 1 .. 8;
            $out .= stroke($d, $p->{accent}, 4, .9);
        }
    }

    return $out;
}

sub opening {
    my ($p, $x, $y, $rx, $ry) = @_;
    my $inner = $p->{inside} || shade($p->{color}, 0.18);
    my $out = "<ellipse cx=\"$x\" cy=\"$y\" rx=\"$rx\" ry=\"$ry\" fill=\""
        . shade($p->{color}, 0.14) . "\"/>";

    $out .= sprintf '<ellipse cx="%s" cy="%s" rx="%.0f" ry="%.0f" fill="%s"/>',
        $x, $y + 1, $rx - 9, $ry - 5, $inner;
    $out .= sprintf '<ellipse cx="%s" cy="%s" rx="%.0f" ry="%.0f" fill="url(#inside)"/>',
        $x, $y + 1, $rx - 9, $ry - 5;

    if ($p->{filled}) {
        $out .= sprintf '<ellipse cx="%s" cy="%s" rx="%.0f" ry="%.0f" fill="%s"/>',
            $x, $y + $ry * 0.28, $rx * 0.84, $ry * 0.60, $p->{filled};
        $out .= sprintf '<ellipse cx="%.0f" cy="%.0f" rx="%.0f" ry="%.0f" fill="#fff" opacity=".16"/>',
            $x - $rx * 0.25, $y + $ry * 0.22, $rx * 0.34, $ry * 0.18;
    }

    return $out;
}

sub steam {
    my ($p, $x, $y) = @_;

    return '' if !$p->{steam};

    my $out = '';

    for my $i (-1 .. 1) {
        my ($at, $top) = ($x + $i * 30, $y - 86 + abs($i) * 22);

        $out .= stroke("M$at ${y}c-18 -26 18 -42 0 ${\($top - $y)}", '#fff', 7,
                       .55);
    }

    return $out;
}

sub sprig {
    my ($x, $y, $color, $kind) = @_;

    if ($kind eq 'flower') {
        my $out = '';

        for my $i (0 .. 7) {
            $out .= sprintf '<ellipse cx="0" cy="-21" rx="8" ry="16" fill="%s" transform="translate(%d,%d) rotate(%d)"/>',
                $color, $x, $y, $i * 45;
        }

        return $out . "<circle cx=\"$x\" cy=\"$y\" r=\"9\" fill=\"#e9b949\"/>";
    }

    if ($kind eq 'sun') {
        my $out = "<circle cx=\"$x\" cy=\"$y\" r=\"15\" fill=\"$color\"/>";

        $out .= sprintf '<path d="M0 -22v-14" stroke="%s" stroke-width="5" stroke-linecap="round" transform="translate(%d,%d) rotate(%d)"/>',
            $color, $x, $y, $_ * 45 for 0 .. 7;

        return $out;
    }

    my $out = stroke("M$x ${\($y + 36)}V${\($y - 30)}", $color, 4);

    for my $i (0 .. 2) {
        my $at = $y + 22 - $i * 22;

        $out .= "<path d=\"M$x ${at}c8 -20 26 -22 34 -20c-2 16 -16 24 -34 20Z\" fill=\"$color\"/>"
            . "<path d=\"M$x ${at}c-8 -20 -26 -22 -34 -20c2 16 16 24 34 20Z\" fill=\"$color\"/>";
    }

    return $out;
}

sub cake {
    return '<path d="M232 418L330 352L396 404L300 434Z" fill="#f4e3c4"/>'
        . '<path d="M232 418V372L330 308V352Z" fill="#f9eed9"/>'
        . '<path d="M232 418V372L300 388V434Z" fill="#e7c99a"/>'
        . '<path d="M300 434V388L396 360V404Z" fill="#dcb983"/>'
        . '<path d="M232 372L330 308L396 360L300 388Z" fill="#b9503c"/>'
        . '<path d="M232 396L300 412L396 384" fill="none" stroke="#b9503c" stroke-width="7"/>'
        . '<circle cx="318" cy="346" r="11" fill="#7b2433"/>'
        . '<circle cx="314" cy="342" r="3" fill="#fff" opacity=".7"/>';
}

sub shadow {
    my ($x, $y, $rx) = @_;

    return sprintf '<ellipse cx="%d" cy="%d" rx="%d" ry="%d" fill="url(#shadow)"/>',
        $x + 14, $y, $rx, $rx * 0.16;
}

sub stroke {
    my ($path, $color, $width, $opacity) = @_;

    return sprintf '<path d="%s" fill="none" stroke="%s" stroke-width="%.1f" stroke-linecap="round"%s/>',
        $path, $color, $width, defined $opacity ? " opacity=\"$opacity\"" : '';
}


# lighter (up to 1) or darker (down to -1)

sub shade {
    my ($color, $by) = @_;
    my @rgb = map { hex } $color =~ /^#(..)(..)(..)$/;

    $_ = int($by > 0 ? $_ + (255 - $_) * $by : $_ * (1 + $by)) for @rgb;

    return sprintf '#%02x%02x%02x', @rgb;
}

sub next_random {
    $seed = ($seed * 1103515245 + 12345) % 2147483648;

    return $seed / 2147483648;
}

1;
