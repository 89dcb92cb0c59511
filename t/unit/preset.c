
/*
 * The WooCommerce preset against every shape of request it knows, and against
 * the recorded exchanges where they are at hand.
 */


#include <time.h>

#include "preset_play.h"


static nudge_preset_t  *woo;


#define LINE(key, id, q, price)                                               \
    "{\"key\":\"" key "\",\"id\":" id ",\"quantity\":" q ","                 \
    "\"name\":\"Mug &amp; Cup\",\"permalink\":\"https://shop.example/m/\","  \
    "\"prices\":{\"price\":\"" price "\",\"currency_minor_unit\":2,"         \
    "\"currency_code\":\"EUR\"}}"
#define CART(lines)  "{\"items\":[" lines "],\"errors\":[]}"
#define DONE(cart)   "{\"status\":200,\"body\":" cart "}"
#define MINI(lines, hash)                                                     \
    "{\"fragments\":{\"div.widget_shopping_cart_content\":\"" lines "\","    \
    "\"a.cart-contents\":\"<a href='/cart/'>1</a>\"},"                      \
    "\"cart_hash\":\"" hash "\"}"
#define MINI_LINE(key, id, q, price)                                          \
    "<li><a class=\\\"remove\\\" data-product_id=\\\"" id "\\\" "            \
    "data-cart_item_key=\\\"" key "\\\" data-product_sku=\\\"s" id "\\\">"   \
    "&times;<\\/a><a href='x'>Mug<\\/a> <span class='quantity'>" q           \
    " &times; <span class='amount'><bdi><span>&euro;<\\/span>" price         \
    "<\\/bdi><\\/span><\\/span><\\/li>"


static void
product_forms(void)
{
    forget(0);

    gives(woo, 0, "multipart product form",
          (shape_t) { "POST", "/product/mug/", NULL,
              "multipart/form-data; boundary=xx",
              "--xx\r\nContent-Disposition: form-data; name=\"quantity\"\r\n"
              "\r\n2\r\n--xx\r\nContent-Disposition: form-data; "
              "name=\"add-to-cart\"\r\n\r\n19\r\n--xx--\r\n",
              200, OKAY, NULL, NULL, NULL },
          "add_to_cart 19 2 - - - -");
    gives(woo, 0, "the same refused: no cookie",
          (shape_t) { "POST", "/product/mug/", NULL, FORM,
              "quantity=2&add-to-cart=19", 200, NULL, NULL, NULL, NULL },
          "-");
    gives(woo, 0, "the cookie deleted is no cookie",
          (shape_t) { "POST", "/product/mug/", NULL, FORM,
              "quantity=2&add-to-cart=19", 200,
              "woocommerce_cart_hash=0; Max-Age=0; path=/", NULL, NULL,
              NULL },
          "-");
    gives(woo, 0, "variation, led to the cart",
          (shape_t) { "POST", "/product/tee/", NULL, FORM,
              "attribute_pa_color=blue&quantity=1&add-to-cart=11"
              "&product_id=11&variation_id=34", 302, OKAY,
              "https://shop.example/cart/", NULL, NULL },
          "add_to_cart 34 1 - - - -");
    ok(visitor[0].ndeltas == 2
       && nudge_str_is(&visitor[0].deltas[1].item.parent, "11"),
       "the variation knows its parent");
    gives(woo, 0, "variation not chosen is the product",
          (shape_t) { "POST", "/product/tee/", NULL, FORM,
              "add-to-cart=11&product_id=11&variation_id=0", 200, OKAY, NULL,
              NULL, NULL },
          "add_to_cart 11 1 - - - -");
    gives(woo, 0, "grouped product: its parts",
          (shape_t) { "POST", "/product/set/", NULL, FORM,
              "quantity%5B22%5D=1&quantity%5B23%5D=0&quantity%5B24%5D=3"
              "&add-to-cart=40", 200, OKAY, NULL, NULL, NULL },
          "add_to_cart 22,24 1,3 -,- - - -");
    gives(woo, 0, "plain link",
          (shape_t) { "GET", "/any/", "utm_source=x&add-to-cart=15&quantity=4",
              NULL, NULL, 200, OKAY, NULL, NULL, NULL },
          "add_to_cart 15 4 - - - -");
    gives(woo, 0, "plain link to nothing",
          (shape_t) { "GET", "/any/", "add-to-cart=", NULL, NULL, 200, OKAY,
              NULL, NULL, NULL },
          "-");
    gives(woo, 0, "a failing page",
          (shape_t) { "GET", "/any/", "add-to-cart=15", NULL, NULL, 500, OKAY,
              NULL, NULL, NULL },
          "-");
    gives(woo, 0, "any other form",
          (shape_t) { "POST", "/contact/", NULL, FORM,
              "name=x&email=a%40b.example", 200, OKAY, NULL, NULL, NULL },
          "-");
}


static void
ajax(void)
{
    forget(0);

    gives(woo, 0, "listing button",
          (shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
              "product_sku=s14&product_id=14&quantity=1", 200, OKAY, NULL,
              MINI(MINI_LINE("k14", "14", "1", "18.00"), "ab"), NULL },
          "add_to_cart 14 1 18.00 - - 14x1@18.00");
    gives(woo, 0, "again: the difference, and the price as written there",
          (shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
              "product_id=14&quantity=2", 200, OKAY, NULL,
              MINI(MINI_LINE("k14", "14", "3", "1.018,00"), "ac"), NULL },
          "add_to_cart 14 2 1018.00 - - 14x3@1018.00");
    gives(woo, 0, "refused with 200",
          (shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
              "product_id=14&quantity=1", 200, NULL, NULL,
              "{\"error\":true,\"product_url\":false}", NULL },
          "-");
    gives(woo, 0, "an answer that is not JSON",
          (shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
              "product_id=14&quantity=1", 200, NULL, NULL, "-1", NULL },
          "-");
    gives(woo, 0, "a theme whose fragments show no lines",
          (shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
              "product_id=15&quantity=1", 200, OKAY, NULL,
              MINI("<p>4 items</p>", "ad"), NULL },
          "add_to_cart 15 1 - - - -");
    gives(woo, 0, "fragments: one more line by another device",
          (shape_t) { "POST", "/", "wc-ajax=get_refreshed_fragments", FORM,
              "time=1", 200, NULL, NULL,
              MINI(MINI_LINE("k14", "14", "3", "18.00")
                   MINI_LINE("k15", "15", "1", "5.00")
                   MINI_LINE("k16", "16", "1", "6.00"), "ae"), NULL },
          "view_cart - - - - - 14x3@18.00,15x1@5.00,16x1@6.00");
    gives(woo, 0, "fragments: nothing new",
          (shape_t) { "POST", "/", "wc-ajax=get_refreshed_fragments", FORM,
              "time=1", 200, NULL, NULL,
              MINI(MINI_LINE("k14", "14", "3", "18.00")
                   MINI_LINE("k15", "15", "1", "5.00")
                   MINI_LINE("k16", "16", "1", "6.00"), "ae"), NULL },
          "-");
    gives(woo, 0, "mini-cart remove",
          (shape_t) { "POST", "/", "wc-ajax=remove_from_cart", FORM,
              "cart_item_key=k14", 200, OKAY, NULL,
              MINI(MINI_LINE("k15", "15", "1", "5.00")
                   MINI_LINE("k16", "16", "1", "6.00"), "af"), NULL },
          "remove_from_cart 14 3 18.00 - - 15x1@5.00,16x1@6.00");
    gives(woo, 0, "the last ones, and the store says empty",
          (shape_t) { "POST", "/", "wc-ajax=remove_from_cart", FORM,
              "cart_item_key=k15", 200, NULL, NULL, MINI("<p>None</p>", ""),
              NULL },
          "remove_from_cart 15 1 5.00 - - empty");
    forget(0);
    gives(woo, 0, "removing what nobody knows",
          (shape_t) { "POST", "/", "wc-ajax=remove_from_cart", FORM,
              "cart_item_key=zz", 200, NULL, NULL, MINI("<p>None</p>", ""),
              NULL },
          "remove_from_cart - 1 - - - empty");
}


static void
store_api(void)
{
    forget(0);

    gives(woo, 0, "first sight of a cart that is not empty: the line asked for",
          (shape_t) { "POST", "/wp-json/wc/store/v1/cart/add-item", NULL, JSON,
              "{\"id\":22,\"quantity\":1}", 201, NULL, NULL,
              CART(LINE("a", "9", "5", "100") "," LINE("b", "22", "1", "4500")),
              NULL },
          "add_to_cart 22 1 45.00 - - 9x5@1.00,22x1@45.00");
    ok(visitor[0].nlines == 2
       && nudge_str_is(&visitor[0].lines[0].name, "Mug & Cup")
       && nudge_str_is(&visitor[0].lines[0].url, "/m/")
       && nudge_str_is(&visitor[0].lines[0].currency, "EUR"),
       "name, address and currency of a line");
    gives(woo, 0, "a product asked for by its parent: the line that grew",
          (shape_t) { "POST", "/blog/wp-json/wc/store/cart/add-item", NULL,
              JSON, "{\"id\":11,\"quantity\":2,\"variation\":[]}", 201, NULL,
              NULL, CART(LINE("a", "9", "5", "100") ","
                         LINE("b", "22", "1", "4500") ","
                         LINE("c", "34", "2", "700")), NULL },
          "add_to_cart 34 2 7.00 - - 9x5@1.00,22x1@45.00,34x2@7.00");
    gives(woo, 0, "quantity up, without permalinks",
          (shape_t) { "POST", "/index.php",
              "rest_route=%2Fwc%2Fstore%2Fv1%2Fcart%2Fupdate-item&_locale=site",
              JSON, "{\"key\":\"a\",\"quantity\":7}", 200, NULL, NULL,
              CART(LINE("a", "9", "7", "100") ","
                   LINE("b", "22", "1", "4500") ","
                   LINE("c", "34", "2", "700")), NULL },
          "add_to_cart 9 2 1.00 - - 9x7@1.00,22x1@45.00,34x2@7.00");
    gives(woo, 0, "quantity down to nothing",
          (shape_t) { "POST", "/wp-json/wc/store/v1/cart/update-item", NULL,
              JSON, "{\"key\":\"b\",\"quantity\":0}", 200, NULL, NULL,
              CART(LINE("a", "9", "7", "100") ","
                   LINE("c", "34", "2", "700")), NULL },
          "remove_from_cart 22 1 45.00 - - 9x7@1.00,34x2@7.00");
    gives(woo, 0, "refused",
          (shape_t) { "POST", "/wp-json/wc/store/v1/cart/add-item", NULL, JSON,
              "{\"id\":22,\"quantity\":1}", 400, NULL, NULL,
              "{\"code\":\"x\",\"message\":\"y\"}", NULL },
          "-");
    gives(woo, 0, "a batch: one done, one refused, one done",
          (shape_t) { "POST", "/wp-json/wc/store/v1/batch", NULL, JSON,
              "{\"requests\":["
              "{\"path\":\"/wc/store/v1/cart/add-item\",\"method\":\"POST\","
              "\"body\":{\"id\":9,\"quantity\":1}},"
              "{\"path\":\"/wc/store/v1/cart/add-item\",\"method\":\"POST\","
              "\"body\":{\"id\":77,\"quantity\":1}},"
              "{\"path\":\"/wc/store/v1/cart/remove-item?x=1\","
              "\"body\":{\"key\":\"c\"}}]}", 207, NULL, NULL,
              "{\"responses\":["
              DONE(CART(LINE("a", "9", "8", "100") ","
                        LINE("c", "34", "2", "700"))) ","
              "{\"status\":404,\"body\":{\"code\":\"gone\"}},"
              DONE(CART(LINE("a", "9", "8", "100"))) "]}", NULL },
          "add_to_cart 9 1 1.00 - - 9x8@1.00,34x2@7.00; "
          "remove_from_cart 34 2 7.00 - - 9x8@1.00");
    gives(woo, 0, "an address saved, the cart as known",
          (shape_t) { "POST", "/wp-json/wc/store/v1/batch", NULL, JSON,
              "{\"requests\":[{\"path\":\"/wc/store/v1/cart/update-customer\","
              "\"method\":\"POST\",\"body\":{\"billing_address\":{"
              "\"email\":\" anna@shop.example \"}}}]}", 207, NULL, NULL,
              "{\"responses\":[" DONE(CART(LINE("a", "9", "8", "100"))) "]}",
              NULL },
          "identify - - - - anna@shop.example -");
    gives(woo, 0, "half an address, another price",
          (shape_t) { "POST", "/wp-json/wc/store/v1/cart/update-customer",
              NULL, JSON, "{\"billing_address\":{\"email\":\"anna@\"}}", 200,
              NULL, NULL, CART(LINE("a", "9", "8", "150")), NULL },
          "view_cart - - - - - 9x8@1.50");
    gives(woo, 0, "reading it: nothing new",
          (shape_t) { "GET", "/wp-json/wc/store/v1/cart", NULL, NULL, NULL,
              200, NULL, NULL, CART(LINE("a", "9", "8", "150")), NULL },
          "-");
    gives(woo, 0, "one line removed by its own route",
          (shape_t) { "DELETE", "/wp-json/wc/store/v1/cart/items/a", NULL,
              NULL, NULL, 204, NULL, NULL, NULL, NULL },
          "remove_from_cart 9 8 1.50 - - -");

    forget(0);
    gives(woo, 0, "a quantity set on a line nobody knows: the cart alone",
          (shape_t) { "POST", "/wp-json/wc/store/v1/cart/update-item", NULL,
              JSON, "{\"key\":\"a\",\"quantity\":7}", 200, NULL, NULL,
              CART(LINE("a", "9", "7", "100")), NULL },
          "view_cart - - - - - 9x7@1.00");
    gives(woo, 0, "an envelope answered by nonsense",
          (shape_t) { "POST", "/wp-json/wc/store/v1/batch", NULL, JSON,
              "{\"requests\":[{\"path\":\"/wc/store/v1/cart/add-item\","
              "\"body\":{\"id\":9}}]}", 207, NULL, NULL,
              "{\"responses\":[null]}", NULL },
          "-");
}


static void
classic_cart(void)
{
    forget(0);

    gives(woo, 0, "a cart to begin with",
          (shape_t) { "GET", "/wp-json/wc/store/v1/cart", NULL, NULL, NULL,
              200, NULL, NULL,
              CART(LINE("a", "9", "2", "100") "," LINE("b", "8", "3", "200")
                   "," LINE("c", "7", "1", "300")), NULL },
          "view_cart - - - - - 9x2@1.00,8x3@2.00,7x1@3.00");
    gives(woo, 0, "quantities: up, down and the same",
          (shape_t) { "POST", "/panier/", NULL, FORM,
              "cart%5Ba%5D%5Bqty%5D=5&cart%5Bb%5D%5Bqty%5D=1"
              "&cart%5Bc%5D%5Bqty%5D=1&woocommerce-cart-nonce=1"
              "&update_cart=Mettre", 200, OKAY, NULL, NULL, NULL },
          "add_to_cart 9 3 1.00 - - -; remove_from_cart 8 2 2.00 - - -");
    gives(woo, 0, "an add whose key is never told",
          (shape_t) { "GET", "/", "add-to-cart=6", NULL, NULL, 200, OKAY,
              NULL, NULL, NULL },
          "add_to_cart 6 1 - - - -");
    gives(woo, 0, "... is the one line without, when its key comes up",
          (shape_t) { "POST", "/cart/", NULL, FORM,
              "cart[a][qty]=5&cart[b][qty]=1&cart[c][qty]=1&cart[d][qty]=4"
              "&woocommerce-cart-nonce=1&update_cart=x", 200, OKAY, NULL,
              NULL, NULL },
          "add_to_cart 6 3 - - - -");
    gives(woo, 0, "removal by link",
          (shape_t) { "GET", "/panier/", "remove_item=c&_wpnonce=1", NULL,
              NULL, 302, OKAY, "https://shop.example/panier/?removed_item=1",
              NULL, NULL },
          "remove_from_cart 7 1 3.00 - - -");
    gives(woo, 0, "removal refused leads elsewhere",
          (shape_t) { "GET", "/panier/", "remove_item=b&_wpnonce=1", NULL,
              NULL, 302, NULL, "https://shop.example/panier/", NULL, NULL },
          "-");

    forget(0);
    gives(woo, 0, "quantities of lines nobody knows",
          (shape_t) { "POST", "/panier/", NULL, FORM,
              "cart[a][qty]=5&woocommerce-cart-nonce=1&update_cart=x", 200,
              OKAY, NULL, NULL, NULL },
          "-");
}


static void
orders(void)
{
    static const shape_t  classic = {
        "POST", "/", "wc-ajax=checkout", FORM,
        "billing_first_name=Jim&billing_email=jim%40shop.example"
        "&account_password=x", 200, NULL, NULL,
        "{\"result\":\"success\",\"redirect\":\"x\",\"order_id\":64}", NULL
    };

    shape_t           s;
    nudge_str_t       cookie, email;
    nudge_match_t     match;
    nudge_exchange_t  x;

    forget(0);

    gives(woo, 0, "classic checkout", classic,
          "purchase - - - 64 jim@shop.example -");
    s = classic;
    s.answer = "{\"result\":\"failure\",\"messages\":\"<ul>\"}";
    gives(woo, 0, "refused with 200", s, "order_failed - - - - - -");
    s.answer = "<html>";
    gives(woo, 0, "an answer nobody understands leaves it open", s, "-");
    s.answer = NULL;
    s.status = 502;
    gives(woo, 0, "so does a gateway error", s, "-");

    x = exchange(&classic, &cookie);
    x.status = 0;
    nudge_str_null(&x.answer);
    nudge_preset_match(woo, &x, &match);
    ok(match.order && match.body && match.answer && match.change,
       "an order is known before it goes upstream");
    email = nudge_preset_order_email(woo, &match, &x, js, pool);
    ok(nudge_str_is(&email, "jim@shop.example"), "and by whom");
    x.path = nudge_cstr("/product/x/");
    nudge_str_null(&x.args);
    nudge_preset_match(woo, &x, &match);
    ok(!match.order, "an ordinary form is none");

    gives(woo, 0, "block checkout",
          (shape_t) { "POST", "/wp-json/wc/store/v1/checkout", "_locale=site",
              JSON, "{\"billing_address\":{\"email\":\"a@b.example\"},"
              "\"customer_password\":\"x\"}", 200, NULL, NULL,
              "{\"order_id\":63,\"payment_result\":{\"payment_status\":"
              "\"success\"}}", NULL },
          "purchase - - - 63 a@b.example -");
    gives(woo, 0, "payment refused",
          (shape_t) { "POST", "/wp-json/wc/store/v1/checkout", NULL, JSON,
              "{\"billing_address\":{\"email\":\"a@b.example\"}}", 200, NULL,
              NULL, "{\"order_id\":63,\"payment_result\":{\"payment_status\":"
              "\"failure\"}}", NULL },
          "order_failed - - - - - -");
    gives(woo, 0, "refused by status",
          (shape_t) { "POST", "/wp-json/wc/store/v1/checkout", NULL, JSON,
              "{}", 400, NULL, NULL, "{\"code\":\"x\"}", NULL },
          "order_failed - - - - - -");
    gives(woo, 0, "a draft is no order",
          (shape_t) { "PUT", "/wp-json/wc/store/v1/checkout", NULL, JSON,
              "{}", 200, NULL, NULL, "{\"order_id\":63}", NULL },
          "-");
    gives(woo, 0, "checkout without a script",
          (shape_t) { "POST", "/kasse/", NULL, FORM,
              "billing_email=a%40b.example"
              "&woocommerce-process-checkout-nonce=1", 302, NULL,
              "https://shop.example/kasse/fertig/77/?key=wc_order_x#top",
              NULL, NULL },
          "purchase - - - 77 a@b.example -");
    gives(woo, 0, "thank-you page",
          (shape_t) { "GET", "/checkout/order-received/63/",
              "key=wc_order_81", NULL, NULL, 200, NULL, NULL, NULL,
              "page woocommerce-checkout woocommerce-order-received" },
          "purchase - - - 63 - -");
    gives(woo, 0, "its slug translated, its class not yet known",
          (shape_t) { "GET", "/kasse/bestellung-erhalten/63/",
              "utm=1&key=wc_order_81", NULL, NULL, 200, NULL, NULL, NULL,
              NULL },
          "purchase - - - 63 - -");
    gives(woo, 0, "without permalinks",
          (shape_t) { "GET", "/", "page_id=7&order-received=63&key=wc_order_8",
              NULL, NULL, 200, NULL, NULL, NULL, NULL },
          "purchase - - - 63 - -");
    gives(woo, 0, "another page with such a key",
          (shape_t) { "GET", "/my-account/view-order/63/", "key=wc_order_8",
              NULL, NULL, 200, NULL, NULL, NULL, "woocommerce-account" },
          "-");
    gives(woo, 0, "the page that asks for payment is none",
          (shape_t) { "GET", "/checkout/order-pay/63/",
              "pay_for_order=true&key=wc_order_8", NULL, NULL, 200, NULL,
              NULL, NULL, NULL },
          "-");

    s = (shape_t) { "POST", "/checkout/order-pay/63/",
                    "pay_for_order=true&key=wc_order_8", FORM,
                    "woocommerce_pay=1&billing_email=x%40y.example", 302, NULL,
                    "/checkout/order-received/63/?key=wc_order_8", NULL,
                    NULL };
    gives(woo, 0, "paid there", s, "purchase - - - 63 - -");
    x = exchange(&s, &cookie);
    nudge_preset_match(woo, &x, &match);
    ok(match.payment && match.order && !match.body && !match.answer,
       "and its body is never read");
}


static void
people(void)
{
    forget(0);

    gives(woo, 0, "the form inside a field",
          (shape_t) { "POST", "/", "wc-ajax=update_order_review", FORM,
              "billing_email=no%40no.example&post_data=billing_first_name"
              "%3DJane%26billing_email%3Djane%2540shop.example"
              "%26account_password%3Dx", 200, NULL, NULL,
              "{\"result\":\"success\"}", NULL },
          "identify - - - - jane@shop.example -");
    gives(woo, 0, "half an address is none",
          (shape_t) { "POST", "/", "wc-ajax=update_order_review", FORM,
              "post_data=billing_email%3Djane%2540", 200, NULL, NULL,
              "{\"result\":\"success\"}", NULL },
          "-");
    gives(woo, 0, "registered",
          (shape_t) { "POST", "/mein-konto/", NULL, FORM,
              "email=joe%40shop.example&password=x"
              "&woocommerce-register-nonce=1&register=R", 302, LOGIN,
              "/mein-konto/", NULL, NULL },
          "sign_up - - - - joe@shop.example -");
    gives(woo, 0, "not registered",
          (shape_t) { "POST", "/mein-konto/", NULL, FORM,
              "email=joe%40shop.example&password=x"
              "&woocommerce-register-nonce=1&register=R", 200, NULL, NULL,
              NULL, NULL },
          "-");
    gives(woo, 0, "logged in by address",
          (shape_t) { "POST", "/my-account/", NULL, FORM,
              "username=joe%40shop.example&password=x"
              "&woocommerce-login-nonce=1&login=L", 302, LOGIN, NULL, NULL,
              NULL },
          "login - - - - joe@shop.example -");
    gives(woo, 0, "logged in by name",
          (shape_t) { "POST", "/wp-login.php", NULL, FORM, "log=joe&pwd=x",
              302, LOGIN, NULL, NULL, NULL },
          "login - - - - - -");
    gives(woo, 0, "wrong password",
          (shape_t) { "POST", "/my-account/", NULL, FORM,
              "username=joe%40shop.example&password=y"
              "&woocommerce-login-nonce=1&login=L", 200,
              "wordpress_test_cookie=1", NULL, NULL, NULL },
          "-");
    gives(woo, 0, "logged out",
          (shape_t) { "GET", "/mon-compte/sortie/", "_wpnonce=1", NULL, NULL,
              302, "wordpress_logged_in_5c0a=%20; expires=Fri, 21 Nov 2025 "
              "22:57:10 GMT; Max-Age=0; path=/", "/", NULL, NULL },
          "logout - - - - - -");
    gives(woo, 0, "a nonce alone",
          (shape_t) { "GET", "/mon-compte/sortie/", "_wpnonce=1", NULL, NULL,
              200, NULL, NULL, NULL, NULL },
          "-");
    gives(woo, 0, "searched",
          (shape_t) { "GET", "/", "s=blue+mug&post_type=product", NULL, NULL,
              200, NULL, NULL, NULL, NULL },
          "search - - - - - -");
}


static void
pages(void)
{
    static const struct {
        const char  *path;
        const char  *args;
        const char  *class;
        const char  *kind;
        const char  *id;
    } page[] = {
        { "/product/mug/", NULL, "single single-product postid-19 x",
          "product", "19" },
        { "/produkt/tasse/", NULL, "single-product postid-7", "product", "7" },
        { "/product/mug/", NULL, NULL, "product", "" },
        { "/product/mug/", NULL, "error404", "", "" },
        { "/koszyk/", NULL, "page woocommerce-cart woocommerce-page", "cart",
          "" },
        { "/cart/", NULL, NULL, "cart", "" },
        { "/cart/x/", NULL, NULL, "", "" },
        { "/kasse/", NULL, "woocommerce-checkout", "checkout", "" },
        { "/kasse/order-received/5/", NULL,
          "woocommerce-checkout woocommerce-order-received", "thankyou", "" },
        { "/checkout/order-pay/5/", "pay_for_order=true", NULL, "payment",
          "" },
        { "/checkout/order-received/5/", NULL, NULL, "thankyou", "" },
        { "/", "s=mug&post_type=product", "search search-results", "search",
          "" },
        { "/shop/", NULL, "archive post-type-archive-product", "list", "" },
        { "/c/mugs/", NULL, "archive tax-product_cat", "list", "" },
        { "/my-account/orders/", NULL, NULL, "account", "" },
        { "/blog/", NULL, "single single-post postid-3", "", "" },
        { "/blog/", NULL, NULL, "", "" },
        { "/", NULL, NULL, "", "" }
    };

    nudge_str_t       kind, id, cookie;
    nudge_uint_t      i;
    nudge_exchange_t  x;

    for (i = 0; i < sizeof(page) / sizeof(page[0]); i++) {
        x = exchange(&(shape_t) { "GET", page[i].path, page[i].args, NULL,
                                  NULL, 200, NULL, NULL, NULL,
                                  page[i].class }, &cookie);
        kind = nudge_preset_page(woo, &x);
        id = nudge_preset_page_id(woo, &x);
        ok(nudge_str_is(&kind, page[i].kind)
           && nudge_str_is(&id, page[i].id),
           "page %s (%s): \"%.*s\" \"%.*s\"", page[i].path,
           page[i].class ? page[i].class : "class not known", (int) kind.len,
           kind.data, (int) id.len, id.data);
    }
}


static void
matching(void)
{
    static const struct {
        const char    *method;
        const char    *path;
        const char    *args;
        const char    *type;
        nudge_uint_t   n;
        unsigned       body:1;
        unsigned       answer:1;
        unsigned       change:1;
    } request[] = {
        { "GET", "/", NULL, NULL, 0, 0, 0, 0 },
        { "GET", "/product/mug/", "utm_source=x&fbclid=y", NULL, 0, 0, 0, 0 },
        { "HEAD", "/?add-to-cart=1", "add-to-cart=1", NULL, 0, 0, 0, 0 },
        { "GET", "/", "add-to-cart=1", NULL, 1, 0, 0, 1 },
        { "GET", "/", "add%2Dto%2Dcart=1", NULL, 1, 0, 0, 1 },
        { "GET", "/", "add-to-cart=1&add-to-cart=", NULL, 0, 0, 0, 0 },
        { "GET", "/wp-json/wc/store/v1/cart", NULL, NULL, 1, 0, 1, 0 },
        { "GET", "/wp-json/wc/store/v1/products", NULL, NULL, 0, 0, 0, 0 },
        { "POST", "/", "wc-ajax=get_refreshed_fragments", FORM, 1, 0, 1, 0 },
        { "POST", "/", "wc-ajax=add_to_cart", FORM, 1, 1, 1, 1 },
        { "POST", "/wp-admin/admin-ajax.php", NULL, FORM, 0, 0, 0, 0 },
        { "POST", "/product/mug/", NULL, "image/png", 0, 0, 0, 0 },
        { "POST", "/x/", NULL, "application/x-www-form-urlencoded", 6, 1, 0,
          1 },
        { "POST", "/wp-json/wc/store/v1/batch", "_locale=site", JSON, 1, 1, 1,
          1 }
    };

    double            ns;
    nudge_str_t       cookie;
    nudge_uint_t      i, n;
    nudge_match_t     m;
    struct timespec   from, to;
    nudge_exchange_t  x;

    for (i = 0; i < sizeof(request) / sizeof(request[0]); i++) {
        x = exchange(&(shape_t) { request[i].method, request[i].path,
                                  request[i].args, request[i].type, NULL, 0,
                                  NULL, NULL, NULL, NULL }, &cookie);
        nudge_preset_match(woo, &x, &m);
        ok(m.n == request[i].n && m.body == request[i].body
           && m.answer == request[i].answer && m.change == request[i].change,
           "%s %s?%s: %u candidates%s%s%s", request[i].method,
           request[i].path, request[i].args ? request[i].args : "",
           (unsigned) m.n, m.body ? ", body" : "", m.answer ? ", answer" : "",
           m.change ? ", change" : "");
    }

    x = exchange(&(shape_t) { "GET", "/product/hoodie-with-zipper/",
                              "utm_source=mail&utm_medium=x", NULL, NULL, 0,
                              NULL, NULL, NULL, NULL }, &cookie);
    n = 100000;
    clock_gettime(CLOCK_MONOTONIC, &from);

    for (i = 0; i < n; i++) {
        nudge_preset_match(woo, &x, &m);
    }

    clock_gettime(CLOCK_MONOTONIC, &to);
    ns = (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec);
    printf("# an ordinary page: %.0f ns in this build\n", ns / n);
}


/* markup as no template of the store would write it */

static void
markup(void)
{
    forget(0);

    gives(woo, 0, "quotes, case, comments, a line twice, a line without an id",
          (shape_t) { "POST", "/", "wc-ajax=get_refreshed_fragments", FORM,
              "time=1", 200, NULL, NULL,
              MINI("<!-- <a data-cart_item_key=z data-product_id=1> -->"
                   "<A DATA-CART_ITEM_KEY=k1 Data-Product_Id='3&#49;' x>"
                   "<b class='a quantity b'>2 <i>x</i> <b>5</b>,50 kr</b>"
                   "<a data-cart_item_key='k1' data-product_id='31'>"
                   "<a data-cart_item_key='k2'><span class=quantity>9</span>"
                   "<a title='a > b' data-product_id=4 data-cart_item_key=k4>"
                   "<span class=quantity>many</span><a data-cart_item_key",
                   "x"), NULL },
          "view_cart - - - - - 31x2@5.50,4x1");
    gives(woo, 0, "cut anywhere",
          (shape_t) { "POST", "/", "wc-ajax=get_refreshed_fragments", FORM,
              "time=1", 200, NULL, NULL,
              MINI("<a data-cart_item_key=k1 data-product_id=31>"
                   "<a data-cart_item_key=k4 data-product_id=4>"
                   "<span class='quantity'>1", "x"), NULL },
          "-");
}


/* bodies and answers longer than what is copied of them */

static void
cut(void)
{
    const char        *got;
    nudge_str_t        cookie;
    nudge_match_t      match;
    nudge_exchange_t   x;

    forget(0);

    x = exchange(&(shape_t) { "POST", "/mug/", NULL, FORM,
                     "add-to-cart=14&quantity=12", 200, OKAY, NULL, NULL,
                     NULL }, &cookie);
    x.body.len--;
    x.body_cut = 1;
    got = play(woo, &x, 0, &match);
    ok(strcmp(got, "add_to_cart 14 1 - - - -") == 0,
       "the field where a form was cut is not read: %s", got);

    x.body.len = sizeof("add-to-cart=1") - 1;
    got = play(woo, &x, 0, &match);
    ok(strcmp(got, "-") == 0, "nor is an id: %s", got);

    x = exchange(&(shape_t) { "POST", "/", "wc-ajax=checkout", FORM,
                     "billing_email=a%40b.example", 200, NULL, NULL,
                     "{\"result\":\"success\",\"order_id\":64}", NULL },
                 &cookie);
    x.answer_cut = 1;
    got = play(woo, &x, 0, &match);
    ok(strcmp(got, "-") == 0, "an answer cut off leaves an order open: %s",
       got);

    x = exchange(&(shape_t) { "POST", "/wp-json/wc/store/v1/cart/add-item",
                     NULL, JSON, "{\"id\":22}", 201, NULL, NULL,
                     CART(LINE("b", "22", "1", "4500")), NULL }, &cookie);
    x.answer_cut = 1;
    got = play(woo, &x, 0, &match);
    ok(strcmp(got, "add_to_cart 22 1 - - - -") == 0,
       "a cart too long to read: the request is believed: %s", got);
}


/* no memory is an error, never a crash or half a list */

static void
little_memory(void)
{
    size_t            limit;
    nudge_int_t       n;
    nudge_str_t       cookie;
    nudge_uint_t      failed, fine;
    nudge_pool_t     *small;
    nudge_match_t     match;
    nudge_event_t     ev[4];
    nudge_exchange_t  x;

    forget(0);
    failed = 0;
    fine = 0;
    x = exchange(&(shape_t) { "POST", "/", "wc-ajax=add_to_cart", FORM,
                     "product_id=14&quantity=1", 200, OKAY, NULL,
                     MINI(MINI_LINE("k14", "14", "1", "18.00"), "ab"), NULL },
                 &cookie);
    nudge_preset_match(woo, &x, &match);

    for (limit = 0; limit < 200000; limit += 997) {
        small = nudge_pool_create(limit);

        if (small == NULL) {
            continue;
        }

        n = nudge_preset_events(woo, &match, &x, js, small, &visitor[0], ev,
                                4);
        failed += n == NUDGE_ERROR;
        fine += n == 1 && ev[0].nitems == 1;
        nudge_pool_destroy(small);
    }

    ok(failed > 0 && fine > 0, "%u pools too small, %u large enough",
       (unsigned) failed, (unsigned) fine);
    ok(nudge_preset_events(woo, &match, &x, js, pool, NULL, ev, 4) == 1,
       "no session is needed");
    ok(nudge_preset_events(woo, &match, &x, js, pool, NULL, ev, 0) == 0,
       "no room, no events");
}


/* one line of exchanges.jsonl */

static nudge_exchange_t
recorded(const nudge_value_t *v, nudge_str_t *cookies)
{
    u_char                *q;
    nudge_str_t            line;
    nudge_exchange_t       x;
    const nudge_value_t   *request, *response, *h;

    memset(&x, 0, sizeof(nudge_exchange_t));
    request = nudge_value_get(v, "request");
    response = nudge_value_get(v, "response");
    h = nudge_value_get(request, "headers");

    x.method = nudge_value_str(nudge_value_get(request, "method"));
    x.path = nudge_value_str(nudge_value_get(request, "path"));
    q = memchr(x.path.data, '?', x.path.len);

    if (q != NULL) {
        x.args.data = q + 1;
        x.args.len = x.path.data + x.path.len - x.args.data;
        x.path.len = q - x.path.data;
    }

    x.host = nudge_cstr("127.0.0.1:18181");
    x.content_type = nudge_value_str(nudge_value_get(h, "content-type"));
    x.body = nudge_value_str(nudge_value_get(request, "body"));
    line = nudge_value_str(nudge_value_get(h, "sec-fetch-dest"));
    x.navigation = nudge_str_is(&line, "document");
    x.status = nudge_value_int(nudge_value_get(response, "status"), 0);
    x.set_cookie = cookies;

    for (h = nudge_value_at(nudge_value_get(response, "headers"), 0); h;
         h = h->next)
    {
        line = nudge_value_str(h);
        q = memchr(line.data, ':', line.len);

        if (q == NULL) {
            continue;
        }

        line.len -= q + 1 - line.data;
        *q = '\0';
        q++;

        if (strcasecmp((char *) line.data, "content-type:") == 0
            || strcasecmp((char *) line.data, "content-type") == 0)
        {
            line.data = q;
            x.answer_type = nudge_str_trim(line);

        } else if (strcasecmp((char *) line.data, "location") == 0) {
            line.data = q;
            x.location = nudge_str_trim(line);

        } else if (strcasecmp((char *) line.data, "set-cookie") == 0
                   && x.nset_cookie < 32)
        {
            line.data = q;
            cookies[x.nset_cookie++] = nudge_str_trim(line);
        }
    }

    if (nudge_str_starts(&x.answer_type, "application/json")) {
        x.answer = nudge_value_str(nudge_value_get(response, "body"));
    }

    return x;
}


/* the row of an exchange: "event product quantity price order e-mail cart" */

static int
row(const nudge_str_t *table, const nudge_str_t *name, char *dst, size_t size)
{
    int           column;
    char         *d;
    u_char       *p, *end, *eol;

    end = table->data + table->len;

    for (p = table->data; p < end; p = eol + 1) {
        eol = memchr(p, '\n', end - p);
        eol = eol ? eol : end;

        if ((size_t) (eol - p) <= name->len || p[name->len] != '\t'
            || memcmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        column = 0;
        d = dst;

        for (p += name->len + 1; p < eol && d < dst + size - 1; p++) {
            column += *p == '\t';

            if (column == 7) {
                *d = '\0';
                return p[1] - 'A';
            }

            *d++ = *p == '\t' ? ' ' : (char) *p;
        }
    }

    return -1;
}


static void
recordings(void)
{
    int                who;
    char               path[512], expected[512];
    u_char            *p, *end, *eol;
    const char        *dir, *got;
    nudge_str_t        file, table, line, name, cookies[32];
    nudge_uint_t       n;
    nudge_match_t      match;
    nudge_value_t     *v;
    nudge_exchange_t   x;

    dir = getenv("NUDGE_STOREFRONTS");
    snprintf(path, sizeof(path), "%s/exchanges.jsonl",
             dir ? dir : "../shared/storefronts/woocommerce");
    file = project(path);

    if (file.data == NULL) {
        snprintf(path, sizeof(path), "%s/woocommerce/exchanges.jsonl",
                 dir ? dir : "../shared/storefronts");
        file = project(path);
    }

    if (file.data == NULL) {
        printf("# recordings are not at hand: not replayed\n");
        return;
    }

    table = project("t/recordings/woocommerce.tsv");
    ok(table.len > 0, "the table of what they mean");

    for (who = 0; who < 4; who++) {
        forget(who);
    }

    n = 0;
    end = file.data + file.len;

    for (p = file.data; p < end; p = eol + 1) {
        eol = memchr(p, '\n', end - p);
        eol = eol ? eol : end;
        line.data = p;
        line.len = eol - p;
        nudge_pool_reset(pool);
        v = nudge_json_decode(js, pool, &line, NULL);
        name = nudge_value_str(nudge_value_get(v, "name"));
        who = row(&table, &name, expected, sizeof(expected));

        if (!ok(who >= 0 && who < 4, "%.*s is in the table", (int) name.len,
                name.data))
        {
            continue;
        }

        /* "-" stands for a whole row of them */

        if (expected[0] == '-') {
            expected[1] = '\0';
        }

        x = recorded(v, cookies);
        got = play(woo, &x, who, &match);
        ok(strcmp(got, expected) == 0, "%.*s: %s (%s)", (int) name.len,
           name.data, got, expected);
        n++;
    }

    ok(n == 24, "all of them");
    free(file.data);
    free(table.data);
}


int
main(void)
{
    nudge_str_t    text;
    nudge_error_t  error;

    begin();
    text = project("share/presets/woocommerce.lua");
    woo = nudge_preset_compile(&text, "woocommerce.lua", &error);

    if (ok(woo != NULL, "the WooCommerce preset %s", error.text)) {
        product_forms();
        ajax();
        store_api();
        classic_cart();
        orders();
        people();
        pages();
        matching();
        markup();
        cut();
        little_memory();
        recordings();
    }

    free(text.data);
    nudge_preset_destroy(woo);
    finish();

    return 0;
}
