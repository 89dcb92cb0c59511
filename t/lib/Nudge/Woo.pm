package Nudge::Woo;

# The answers WooCommerce gives, as far as tests need them.

use strict;
use warnings;

use JSON::PP ();

# wc-ajax cart answers: the mini cart as HTML inside JSON; lines are
# { id, key, sku, quantity, price }

sub fragments {
    my (@lines) = @_;

    my $list = join '', map {
        qq{<li class="woocommerce-mini-cart-item mini_cart_item"><a role="button"}
        . qq{ href="http://localhost/cart/?remove_item=$_->{key}" }
        . qq{class="remove remove_from_cart_button" }
        . qq{data-product_id="$_->{id}" data-cart_item_key="$_->{key}" }
        . qq{data-product_sku="@{[ $_->{sku} // '' ]}">&times;</a> }
        . qq{<a href="http://localhost/?p=$_->{id}">@{[ $_->{name} // 'x' ]}</a> }
        . qq{<span class="quantity">$_->{quantity} &times; }
        . qq{<span class="woocommerce-Price-amount amount"><bdi>}
        . qq{<span class="woocommerce-Price-currencySymbol">&euro;</span>}
        . qq{$_->{price}</bdi></span></span></li>}
    } @lines;

    return JSON::PP->new->canonical->encode({
        fragments => { 'div.widget_shopping_cart_content' =>
            qq{<div class="widget_shopping_cart_content">\n<ul class="}
            . qq{woocommerce-mini-cart cart_list product_list_widget ">$list}
            . '</ul></div>' },
        cart_hash => @lines ? 'abc' : '',
    });
}

# the Store API's cart; lines as above with name, url and image, prices in
# units

sub cart {
    my (@lines) = @_;

    my $total = 0;
    $total += $_->{price} * $_->{quantity} for @lines;

    return {
        items => [ map { {
            key => $_->{key}, id => $_->{id} + 0, quantity => $_->{quantity} + 0,
            name => $_->{name} // 'x', sku => $_->{sku} // '',
            permalink => $_->{url} // "http://localhost/?p=$_->{id}",
            images => [ { src => $_->{image} // 'http://localhost/i.svg' } ],
            prices => { price => sprintf('%d', $_->{price} * 100 + 0.5),
                currency_code => 'EUR', currency_minor_unit => 2 },
        } } @lines ],
        items_count => scalar @lines,
        totals => { total_price => sprintf('%d', $total * 100 + 0.5),
            currency_code => 'EUR', currency_minor_unit => 2 },
    };
}

sub json { return JSON::PP->new->utf8->canonical->encode($_[0]) }

1;
