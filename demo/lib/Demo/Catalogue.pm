package Demo::Catalogue;

# What the demo store sells: 24 things around tea and coffee.  Prices are in
# cents; two products are sold out.

use strict;
use warnings;
use utf8;

our @CATEGORIES = (
    [ 'mugs', 'Mugs & cups', 'To hold on to while the day gets going.' ],
    [ 'teapots', 'Teapots & kettles', 'They pour without dripping. We checked.' ],
    [ 'bowls', 'Bowls & plates', 'For breakfast, noodles, and a slice of cake.' ],
    [ 'tea', 'Tea', 'Whole leaf, packed in tins you will want to keep.' ],
    [ 'extras', 'Little things', 'What a good cup still needed.' ],
);

# id, slug, name, category, cents, stock, line, text, picture

our @PRODUCTS = map { product(@$_) } (
    [ 21, 'the-blue-mug', 'The Blue Mug', 'mugs', 2400, 40,
      'The one we named the shop after.',
      'Thrown by hand in stoneware and dipped in a cobalt glaze that breaks to rust at the rim. Holds 320 ml, sits well in both hands, goes in the dishwasher.',
      { form => 'mug', color => '#2f5d9b', accent => '#244a80', wall => '#e9eef5', pattern => 'dip', level => .62, inside => '#f2ede2', filled => '#6b4327', steam => 1 } ],
    [ 22, 'speckled-morning-mug', 'Speckled Morning Mug', 'mugs', 2200, 32,
      'Oatmeal glaze, iron freckles.',
      'Every speckle is a grain of iron in the clay that melted through the glaze, so no two are alike. A generous 350 ml for the first coffee of the day.',
      { form => 'mug', color => '#ece2cf', accent => '#6d5138', wall => '#e6d8c6', pattern => 'speckle', inside => '#f8f2e4', filled => '#7a4a2a', w => 240, h => 230 } ],
    [ 23, 'espresso-pair', 'Espresso Pair', 'mugs', 2600, 18,
      'Two small cups that belong together.',
      'A pair of 80 ml cups, one terracotta, one cream, thick-walled so that the espresso stays hot to the last sip.',
      { form => 'pair', color => '#b9593a', accent => '#efe4d0', wall => '#f0dfd3', pattern => 'none', filled => '#3d2415' } ],
    [ 24, 'tall-latte-tumbler', 'Tall Latte Tumbler', 'mugs', 2100, 25,
      'No handle, ribbed where you hold it.',
      'Slim, stackable and double-dipped. 400 ml: room for a proper latte and its foam.',
      { form => 'mug', nohandle => 1, color => '#8aa28c', accent => '#f0ead9', wall => '#e5ebe2', pattern => 'drip', level => .22, w => 190, h => 300, taper => 20, inside => '#f4efe2', filled => '#c79a6b' } ],
    [ 25, 'camp-mug', 'Camp Mug', 'mugs', 1800, 60,
      'Enamel, for the balcony and beyond.',
      'Steel with a double coat of white enamel and a blue rim. Light, tough, happy on an open fire. 300 ml.',
      { form => 'mug', color => '#f7f5ef', accent => '#2f5d9b', wall => '#dfe8ee', pattern => 'dots', inside => '#fdfcf8', filled => '#5b3720', taper => 4, h => 215 } ],
    [ 26, 'harbour-stripe-mug', 'Harbour Stripe Mug', 'mugs', 2300, 21,
      'Four stripes, painted on the wheel.',
      'The brush stays still and the mug turns: that is why the lines are never quite the same. 330 ml.',
      { form => 'mug', color => '#f3ede0', accent => '#2f5d9b', wall => '#eadfce', pattern => 'stripes', filled => '#6b4327' } ],
    [ 27, 'giant-sunday-mug', 'Giant Sunday Mug', 'mugs', 2900, 0,
      'Half a litre of slow morning.',
      'Our largest mug, 520 ml, with a handle for four fingers. It sells out with every firing; the next one is in three weeks.',
      { form => 'mug', color => '#d6a13d', accent => '#f2e6c9', wall => '#f5ead0', pattern => 'drip', level => .20, w => 290, h => 280, filled => '#8a5a33', steam => 1 } ],
    [ 28, 'everyday-teapot', 'Everyday Teapot', 'teapots', 5800, 14,
      '0.9 l, and it does not drip.',
      'A round pot with a wide mouth, a fine built-in strainer and a spout cut sharp so that the last drop goes back in.',
      { form => 'teapot', color => '#3f5f52', accent => '#d8b46a', wall => '#e3ebe4', pattern => 'none', steam => 1 } ],
    [ 29, 'kyusu-side-handle', 'Kyusu with Side Handle', 'teapots', 6400, 9,
      'For green tea, poured with a turn of the wrist.',
      'Unglazed red clay, 280 ml, with a ceramic sieve of two hundred holes. The clay softens the tea a little more each year.',
      { form => 'teapot', side => 1, color => '#8f3f2c', accent => '#6e2e20', wall => '#f1ddd2', pattern => 'none', tall => -14 } ],
    [ 30, 'cobalt-teapot-for-two', 'Cobalt Teapot for Two', 'teapots', 5200, 12,
      'The Blue Mug\'s companion.',
      'Same clay, same cobalt, 600 ml: two Blue Mugs, exactly.',
      { form => 'teapot', color => '#2f5d9b', accent => '#c9793f', wall => '#e6ecf4', pattern => 'waves', steam => 1 } ],
    [ 31, 'stovetop-kettle', 'Stovetop Kettle', 'teapots', 7400, 7,
      'Enamelled steel, sings a fifth.',
      'A 1.5 l kettle for gas and induction. Its whistle has two notes, so you will know it from every other sound in the house.',
      { form => 'kettle', color => '#c8663f', accent => '#f2e5d0', handle => '#4a3527', wall => '#f4e3d5', pattern => 'none', steam => 1 } ],
    [ 32, 'gooseneck-kettle', 'Gooseneck Kettle', 'teapots', 8900, 5,
      'Pours as slowly as you like.',
      'Brushed steel, walnut handle, a thermometer in the lid. For pour-over coffee and for people who water orchids.',
      { form => 'kettle', goose => 1, color => '#b8bcbc', accent => '#8d9292', handle => '#5b3d28', wall => '#e6e7e4', pattern => 'none', steam => 1 } ],
    [ 33, 'iron-teapot', 'Cast-Iron Teapot', 'teapots', 6800, 0,
      'Keeps warm through a whole conversation.',
      'Hobnail cast iron, enamelled inside, 0.8 l. Heavy in the best way. Back in spring.',
      { form => 'teapot', color => '#33373b', accent => '#8b3a2b', handle => '#26292c', wall => '#e2e1dc', pattern => 'dots', tall => -8 } ],
    [ 34, 'breakfast-bowl', 'Breakfast Bowl', 'bowls', 1900, 38,
      'Porridge, fruit, or last night\'s soup.',
      'A deep bowl with a foot you can hook a finger under. 500 ml, stackable, oven-safe.',
      { form => 'bowl', color => '#efe6d4', accent => '#2f5d9b', wall => '#e8e4da', pattern => 'dip', level => .55, filled => '#e8c896' } ],
    [ 35, 'ramen-bowl', 'Ramen Bowl', 'bowls', 2700, 16,
      'Wide enough for everything you add.',
      'Tenmoku glaze outside, cream inside, two notches for chopsticks. 900 ml.',
      { form => 'bowl', color => '#4a2f22', accent => '#7a4a2d', wall => '#efe0cf', pattern => 'drip', level => .30, w => 400, h => 190, inside => '#f0e4cb', filled => '#d99a4e', steam => 1 } ],
    [ 36, 'nesting-bowls', 'Nesting Bowls, Set of Three', 'bowls', 5400, 11,
      'Three sizes, one footprint.',
      'For mixing, serving and the last three olives. Sage, sand and cobalt; they live inside each other.',
      { form => 'nest', color => '#8aa28c', accent => '#e6d7ba', third => '#2f5d9b', wall => '#ecece2', pattern => 'none' } ],
    [ 37, 'matcha-bowl', 'Matcha Bowl', 'bowls', 3800, 13,
      'A chawan with a view.',
      'The front is where the glaze ran lowest: turn it towards your guest. Wide enough for a whisk to dance.',
      { form => 'bowl', color => '#6f7f58', accent => '#cdbf98', wall => '#e9ecdd', pattern => 'drip', level => .34, w => 320, h => 200, inside => '#e8e2cc', filled => '#8aa64a' } ],
    [ 38, 'cake-plate', 'Cake Plate', 'bowls', 1700, 44,
      'A slice looks better on it.',
      'Flat, with a raised lip that keeps the crumbs. 20 cm, with a hand-painted line.',
      { form => 'plate', color => '#f3ecdf', accent => '#2f5d9b', wall => '#e3e9f0', pattern => 'none' } ],
    [ 39, 'earl-grey', 'Earl Grey Blue Flower', 'tea', 1250, 80,
      'Bergamot from Calabria, cornflowers on top.',
      'A bright Ceylon with real bergamot oil and nothing else. 100 g, about forty cups.',
      { form => 'tin', color => '#2b4a7c', accent => '#3d68ad', sprig => 'flower', wall => '#e9edf5' } ],
    [ 40, 'sencha', 'Sencha Uji', 'tea', 1490, 52,
      'Steamed, grassy, sweet.',
      'First harvest from Uji, with the sea in it. Brew at 70 °C and do it three times. 80 g.',
      { form => 'tin', color => '#55713f', accent => '#6d8b4c', sprig => 'leaf', wall => '#e8eedd' } ],
    [ 41, 'chamomile-honeybush', 'Chamomile & Honeybush', 'tea', 1150, 47,
      'For after nine in the evening.',
      'Whole chamomile heads with South African honeybush: round, soft, without caffeine. 90 g.',
      { form => 'tin', color => '#d19a34', accent => '#c07f1d', sprig => 'sun', wall => '#f6ebd2' } ],
    [ 42, 'assam-breakfast', 'Assam Breakfast', 'tea', 1090, 66,
      'Stands up to milk.',
      'Malty, dark, wide awake. A second-flush Assam from two small gardens. 125 g.',
      { form => 'tin', color => '#7d3226', accent => '#a1483a', sprig => 'leaf', wall => '#f2e0d8' } ],
    [ 43, 'bamboo-whisk', 'Bamboo Whisk', 'extras', 1600, 28,
      'Eighty tines from one piece of bamboo.',
      'A chasen for matcha, split by hand in Takayama. Soak it for a minute before you begin.',
      { form => 'whisk', color => '#d8b877', accent => '#2f5d9b', wall => '#eee9da' } ],
    [ 44, 'milk-jug', 'Milk Jug', 'extras', 2200, 23,
      'A clean pour and a thumb rest.',
      '250 ml, cream glaze, with a lip that knows when to stop.',
      { form => 'jug', color => '#efe6d3', accent => '#2f5d9b', wall => '#e5e9ec', pattern => 'dip', level => .66 } ],
);

our %BY_ID = map { $_->{id} => $_ } @PRODUCTS;
our %BY_SLUG = map { $_->{slug} => $_ } @PRODUCTS;
our %CATEGORY = map { $_->[0] => $_ } @CATEGORIES;


sub product {
    my ($id, $slug, $name, $category, $cents, $stock, $line, $text, $picture)
        = @_;

    return {
        id => $id, slug => $slug, name => $name, category => $category,
        cents => $cents, stock => $stock, line => $line, text => $text,
        picture => $picture, sku => sprintf('BM-%s-%02d',
                                            uc substr($category, 0, 3), $id),
    };
}


sub search {
    my ($words) = @_;
    my @words = grep { length } split /\W+/, lc $words;

    return grep {
        my $text = lc "$_->{name} $_->{line} $_->{text} $_->{category}";
        !grep { index($text, $_) < 0 } @words;
    } @PRODUCTS;
}

1;
