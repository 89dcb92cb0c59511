
/*
 * Which product a page presents, from JSON-LD as shops print it.
 */


#include <stdlib.h>

#include "nudge_page.h"

#include "tap.h"


static nudge_json_t  *js;
static nudge_pool_t  *pool;


#define CTX  "\"@context\":\"https://schema.org/\","
#define P    "{" CTX "\"@type\":\"Product\","


/* "id|sku|name|url|image|category|brand|price currency|stock" */

static void
product(const char *name, const char *want, const char *block,
    const char *second)
{
    nudge_int_t    rc;
    nudge_buf_t    b;
    nudge_str_t    blocks[2], host;
    nudge_item_t   item;

    nudge_pool_reset(pool);

    host = nudge_cstr("shop.example");
    blocks[0] = nudge_cstr(block);
    blocks[1] = nudge_cstr(second);

    rc = nudge_page_product(js, pool, blocks, second ? 2 : 1, &host, &item);

    if (rc != NUDGE_OK) {
        is_str(nudge_cstr(rc == NUDGE_DECLINED ? "none" : "error"), want,
               "%s", name);
        return;
    }

    nudge_buf_grow(&b, pool, 256, 4096);
    nudge_buf_str(&b, &item.id);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.sku);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.name);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.url);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.image);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.category);
    nudge_buf_char(&b, '|');
    nudge_buf_str(&b, &item.brand);
    nudge_buf_char(&b, '|');

    if (item.price != NUDGE_MONEY_NONE) {
        nudge_buf_money(&b, item.price);
        nudge_buf_char(&b, ' ');
        nudge_buf_str(&b, &item.currency);
    }

    nudge_buf_char(&b, '|');
    nudge_buf_int(&b, item.stock);

    is_str(nudge_buf_result(&b), want, "%s", name);
}


static void
test_shapes(void)
{
    product("as WooCommerce prints it",
            "hoodie|hoodie|Hoodie with Zipper|/product/hoodie/|/h.jpg|||"
            "45.00 USD|1",
            "{" CTX "\"@graph\":[{\"@type\":\"BreadcrumbList\",\"itemList"
            "Element\":[]},{\"@type\":\"Product\",\"@id\":"
            "\"https://shop.example/"
            "product/hoodie/#product\",\"name\":\"Hoodie with Zipper\",\"url\":"
            "\"https://shop.example/product/hoodie/\",\"image\":\"https://"
            "shop.example/h.jpg\",\"sku\":\"hoodie\",\"offers\":[{\"@type\":"
            "\"Offer\",\"priceSpecification\":[{\"@type\":"
            "\"UnitPriceSpecification\",\"price\":\"45.00\",\"priceCurrency\":"
            "\"USD\"}],\"availability\":\"https://schema.org/InStock\"}]}]}",
            NULL);

    product("a number, an object, a productID",
            "19|H-1|H|/p/h?c=1|https://cdn.example/h.jpg|Men|ACME|12.50 EUR|2",
            P "\"productID\":19,\"sku\":\"H-1\",\"name\":\"H\",\"url\":"
            "\"/p/h?c=1#top\",\"image\":{\"@type\":\"ImageObject\",\"url\":"
            "\"https://cdn.example/h.jpg\"},\"category\":{\"name\":\"Men\"},"
            "\"brand\":{\"@type\":\"Brand\",\"name\":\"ACME\"},\"offers\":"
            "{\"price\":12.5,\"priceCurrency\":\"EUR\",\"availability\":"
            "\"OutOfStock\"}}", NULL);

    product("the price paid, not the list price", "1|1||||||8.00 PLN|0",
            P "\"sku\":1,\"offers\":{\"priceSpecification\":[{\"priceType\":"
            "\"https://schema.org/ListPrice\",\"price\":\"10\","
            "\"priceCurrency\":\"PLN\"},{\"price\":\"8\",\"priceCurrency\":"
            "\"PLN\"}]}}", NULL);

    product("not the price of a kilogram", "1|1||||||3.00 EUR|0",
            P "\"sku\":\"1\",\"offers\":{\"priceSpecification\":[{\"price\":12,"
            "\"priceCurrency\":\"EUR\",\"referenceQuantity\":{}},{\"price\":3,"
            "\"priceCurrency\":\"EUR\"}]}}", NULL);

    product("an AggregateOffer", "1|1||||||42.00 USD|1",
            P "\"sku\":\"1\",\"offers\":{\"@type\":\"AggregateOffer\","
            "\"lowPrice\":\"42.00\",\"highPrice\":\"45.00\",\"priceCurrency\":"
            "\"USD\",\"availability\":\"http://schema.org/InStock\"}}", NULL);

    product("an AggregateOffer of offers", "1|1||||||7.00 USD|1",
            P "\"sku\":\"1\",\"offers\":{\"@type\":\"AggregateOffer\","
            "\"offers\":[{\"price\":9,\"priceCurrency\":\"USD\","
            "\"availability\":\"InStock\"},{\"price\":7,\"priceCurrency\":"
            "\"USD\",\"availability\":\"InStock\"},{\"price\":5,"
            "\"priceCurrency\":\"USD\",\"availability\":\"SoldOut\"}]}}", NULL);

    product("all sold out", "1|1||||||5.00 USD|2",
            P "\"sku\":\"1\",\"offers\":[{\"price\":9,\"priceCurrency\":"
            "\"USD\",\"availability\":\"SoldOut\"},{\"price\":5,"
            "\"priceCurrency\":"
            "\"USD\",\"availability\":\"SoldOut\"}]}", NULL);

    product("a price of 0 is none", "1|1|||||||0",
            P "\"sku\":\"1\",\"offers\":{\"price\":\"0.00\",\"priceCurrency\":"
            "\"USD\"}}", NULL);

    product("three decimals, and no currency", "1|1||||||12.50 |0",
            P "\"sku\":\"1\",\"offers\":{\"price\":\"12.500\","
            "\"priceCurrency\":\"dinar\"}}", NULL);

    product("a localised price", "1|1||||||1234.50 PLN|3",
            P "\"sku\":\"1\",\"offers\":{\"price\":\"1 234,50 z\\u0142\","
            "\"priceCurrency\":\"PLN\",\"availability\":\"PreOrder\"}}", NULL);

    product("a ProductGroup", "G||Shirt|||||20.00 EUR|1",
            "{\"@type\":\"ProductGroup\",\"productID\":\"G\",\"name\":"
            "\"Shirt\",\"hasVariant\":[{\"@type\":\"Product\",\"sku"
            "\":\"a\",\"offers\":"
            "{\"price\":25,\"priceCurrency\":\"EUR\",\"availability\":"
            "\"InStock\"}},{\"@type\":\"Product\",\"sku\":\"b\",\"offers\":"
            "{\"price\":20,\"priceCurrency\":\"EUR\"}}]}", NULL);

    product("a ProductGroup and its variants beside it", "G||Shirt||||||0",
            "[{\"@type\":\"Product\",\"sku\":\"a\"},{\"@type\":\"Product\","
            "\"sku\":\"b\"},{\"@type\":\"ProductGroup\",\"productID\":\"G\","
            "\"name\":\"Shirt\"},{\"@type\":\"Product\",\"sku\":\"c\"}]", NULL);

    product("types in an array, with a prefix", "1|1|||||||0",
            "{\"@type\":[\"Thing\",\"http://schema.org/Product\"],\"sku\":"
            "\"1\"}", NULL);

    product("the mainEntity of a page", "1|1|||||||0",
            "{\"@type\":\"ItemPage\",\"mainEntity\":{\"@type\":\"Product\","
            "\"sku\":\"1\"}}", NULL);

    product("images and categories in arrays", "1|1|||/a.jpg|Mugs|||0",
            P "\"sku\":\"1\",\"image\":[\"/a.jpg\",\"/b.jpg\"],\"category\":"
            "[\"Mugs\",\"Blue\"]}", NULL);

    product("references and white space in a name",
            "1|1|Ben & Jerry\xe2\x80\x99s <mug>||||||0",
            P "\"sku\":\"1\",\"name\":\"  Ben &amp;\\n\\t Jerry&#8217;s "
            "&lt;mug&gt; \"}", NULL);

    product("no id at all", "||Mug||||||0", P "\"name\":\"Mug\"}", NULL);
    product("wrong types", "||||||||0",
            P "\"name\":[1],\"offers\":7,\"image\":true,\"brand\":[],\"url\":{}"
            ",\"sku\":null}", NULL);
}


static void
test_which(void)
{
    product("nothing", "none", "{}", NULL);
    product("not json", "none", "{\"@type\":\"Product\"", NULL);
    product("a bad block is skipped", "1|1|||||||0", "{\"@type\":Product}",
            P "\"sku\":\"1\"}");
    product("another thing", "none", "{\"@type\":\"Organization\"}",
            "[1,\"x\"]");
    product("two products", "none", P "\"sku\":\"1\"}", P "\"sku\":\"2\"}");
    product("the same twice", "1|1|Mug||/m.jpg|||4.00 EUR|0",
            P "\"sku\":\"1\",\"name\":\"Mug\"}",
            P "\"sku\":\"1\",\"name\":\"Mug!\",\"image\":\"/m.jpg\",\"offers\":"
            "{\"price\":4,\"priceCurrency\":\"EUR\"}}");
    product("a list", "none",
            "{\"@type\":\"ItemList\",\"itemListElement\":[{\"@type\":"
            "\"ListItem\",\"item\":{\"@type\":\"Product\",\"sku\":\"1\"}}],"
            "\"mainEntity\":{\"@type\":\"Product\",\"sku\":\"2\"}}", NULL);
    product("a product with related ones", "1|1|||||||0",
            P "\"sku\":\"1\",\"isRelatedTo\":[{\"@type\":\"Product\",\"sku\":"
            "\"2\"}]}", "{\"@type\":\"ItemList\",\"itemListElement\":[{"
            "\"@type\":\"Product\",\"sku\":\"3\"}]}");
    product("in a comment", "1|1|||||||0",
            "<!--\n" P "\"sku\":\"1\"}\n//-->", NULL);
    product("in CDATA", "1|1|||||||0",
            "\n//<![CDATA[\n" P "\"sku\":\"1\"}\n//]]>\n", NULL);
    product("with references for quotes", "1|1|||||||0",
            "{&quot;@type&quot;:&quot;Product&quot;,&quot;sku&quot;:&quot;1"
            "&quot;}", NULL);
    product("with a semicolon behind", "1|1|||||||0", P "\"sku\":\"1\"};",
            NULL);
    product("empty", "none", "", " ");
}


static void
test_local(void)
{
    nudge_str_t   host;
    nudge_uint_t  i;

    static const struct {
        const char     *url, *host, *local;
    } t[] = {
        { "https://shop.example/p/1?a#b", "shop.example", "/p/1?a" },
        { "HTTP://Shop.Example/p", "shop.example", "/p" },
        { "https://shop.example", "shop.example", "/" },
        { "https://shop.example:443/p", "shop.example", "/p" },
        { "http://127.0.0.1:8080/p", "127.0.0.1:8080", "/p" },
        { "http://127.0.0.1:8081/p", "127.0.0.1:8080", "" },
        { "/p", "shop.example", "/p" }, { " /p\n", "shop.example", "/p" },
        { "//shop.example/p", "shop.example", "" },
        { "//evil.example/p", "shop.example", "" },
        { "/\\evil.example", "shop.example", "" },
        { "/\t/evil.example", "shop.example", "" },
        { "https://shop.example//evil.example", "shop.example", "" },
        { "https://shop.example/\\evil.example", "shop.example", "" },
        { "https://shop.example@evil.example/", "shop.example", "" },
        { "https://shop.example.evil.example/", "shop.example", "" },
        { "https://evil.example/shop.example", "shop.example", "" },
        { "javascript:alert(1)", "shop.example", "" },
        { "data:text/html,x", "shop.example", "" },
        { "ftp://shop.example/", "shop.example", "" },
        { "p/1", "shop.example", "" }, { "", "shop.example", "" },
        { "https:///p", "", "" }, { "https://shop.example?x", "shop.example",
                                    "" },
        { NULL, NULL, NULL }
    };

    for (i = 0; t[i].url; i++) {
        host = nudge_cstr(t[i].host);
        is_str(nudge_page_local(nudge_cstr(t[i].url), &host), t[i].local,
               "\"%s\" on \"%s\"", t[i].url, t[i].host);
    }
}


static void
test_stock(void)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    static const struct {
        const char     *text;
        nudge_stock_t   stock;
    } t[] = {
        { "https://schema.org/InStock", NUDGE_STOCK_IN },
        { "http://schema.org/OutOfStock", NUDGE_STOCK_OUT },
        { "schema:PreOrder", NUDGE_STOCK_PREORDER },
        { "in stock", NUDGE_STOCK_IN }, { "out_of_stock", NUDGE_STOCK_OUT },
        { " InStock ", NUDGE_STOCK_IN }, { "SoldOut", NUDGE_STOCK_OUT },
        { "Discontinued", NUDGE_STOCK_OUT },
        { "BackOrder", NUDGE_STOCK_PREORDER },
        { "LimitedAvailability", NUDGE_STOCK_IN },
        { "", NUDGE_STOCK_UNKNOWN }, { "yes", NUDGE_STOCK_UNKNOWN },
        { "InStockInStockInStockInStockInStock", NUDGE_STOCK_UNKNOWN },
        { NULL, 0 }
    };

    for (i = 0; t[i].text; i++) {
        s = nudge_cstr(t[i].text);
        is_int(nudge_page_stock(&s), t[i].stock, "\"%s\"", t[i].text);
    }
}


int
main(void)
{
    js = nudge_json_create(1024 * 1024);
    pool = nudge_pool_create(1024 * 1024);

    test_shapes();
    test_which();
    test_local();
    test_stock();

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);
    done_testing();

    return 0;
}
