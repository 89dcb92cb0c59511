--
-- WooCommerce 7 to 11: classic and block themes, Store API, both checkouts.
--
-- Page slugs (cart, checkout, my-account) are settings and translated, so
-- pages are told by their body class and requests by the names of their
-- fields; slugs appear here only as a first guess before a page is known.
--

preset {
    name = "woocommerce",
    version = 1,

    -- REST routes: /wp-json/wc/..., or ?rest_route=/wc/... without permalinks
    route = { after = "/wp-json", query = "rest_route" },

    ignore = {
        "/**/wp-admin/**", "/**/wp-cron.php", "/**/xmlrpc.php",
        "/**/wp-content/**", "/**/wp-includes/**",
    },
}


-- Pages ----------------------------------------------------------------------

page "payment" {
    class = "woocommerce-order-pay",
    path = "/**/order-pay/#",
}

page "thankyou" {
    class = "woocommerce-order-received",
    path = "/**/order-received/#",
}

page "cart"     { class = "woocommerce-cart", path = "/cart" }
page "checkout" { class = "woocommerce-checkout", path = "/checkout" }
page "account"  { class = "woocommerce-account", path = "/my-account/**" }

page "product" {
    class = "single-product",
    path = "/product/*",
    id = "class:postid-",
}

page "search" {
    class = { "search-results", "search-no-results",
              "post-type-archive-product" },
    query = { s = true, post_type = "product" },
}

page "list" {
    class = { "post-type-archive-product", "tax-product_cat", "tax-product_tag",
              "tax-product_brand", "woocommerce-shop" },
    path = { "/shop/**", "/product-category/**", "/product-tag/**" },
}


-- Reading the cart -----------------------------------------------------------

-- Store API: prices are strings in minor units, the id is the variation's
local store_cart = {
    lines = "answer:items",
    key = "key",
    id = "id",
    sku = "sku",
    name = "name",
    url = "permalink",
    image = "images[1].src",
    quantity = "quantity",
    price = "prices.price",
    minor = "prices.currency_minor_unit",
    currency = "prices.currency_code",
}

-- Classic themes: the mini-cart as markup inside JSON.  Its product id is the
-- parent's even for a variation; what was added before tells which one.
local mini_cart = {
    html = "answer:fragments",
    key = "data-cart_item_key",
    id = "data-product_id",
    sku = "data-product_sku",
    times = "quantity",
    link = "a",
    empty = { answer = { cart_hash = false } },
}

local function store(route)
    return { "/wc/store/v1" .. route, "/wc/store" .. route }
end

-- a page that changed the cart sets this cookie, one that refused does not
local cart_page_ok = { status = { "2xx", "3xx" },
                       cookie = "woocommerce_cart_hash" }
local fragments_ok = { status = "2xx",
                       answer = { "fragments", error = false } }
local store_ok     = { status = "2xx" }


-- Store API ------------------------------------------------------------------

rule "store-batch" {
    event = "envelope",
    method = "POST",
    route = { "/wc/store/v1/batch", "/wc/store/batch", "/batch/v1" },
    body = "json",
    envelope = {
        requests = "requests", path = "path", method = "method", body = "body",
        responses = "responses", status = "status", answer = "body",
    },
}

rule "store-cart" {
    event = "read_cart",
    method = "GET",
    route = store "/cart",
    success = store_ok,
    cart = store_cart,
}

rule "store-add" {
    event = "add_to_cart",
    method = "POST",
    route = store "/cart/add-item",
    body = "json",
    json = { "id" },
    item = { id = "json:id", quantity = "json:quantity" },
    success = store_ok,
    cart = store_cart,
}

rule "store-update" {
    event = "set_quantity",
    method = "POST",
    route = store "/cart/update-item",
    body = "json",
    json = { "key", "quantity" },
    item = { key = "json:key", quantity = "json:quantity" },
    success = store_ok,
    cart = store_cart,
}

rule "store-remove" {
    event = "remove_from_cart",
    method = "POST",
    route = store "/cart/remove-item",
    body = "json",
    json = { "key" },
    item = { key = "json:key" },
    success = store_ok,
    cart = store_cart,
}

rule "store-line-add" {
    event = "add_to_cart",
    method = "POST",
    route = store "/cart/items",
    body = "json",
    json = { "id" },
    item = { id = "json:id", key = "answer:key", quantity = "json:quantity",
             name = "answer:name", sku = "answer:sku",
             price = "answer:prices.price",
             minor = "answer:prices.currency_minor_unit",
             currency = "answer:prices.currency_code" },
    success = store_ok,
}

rule "store-line-update" {
    event = "set_quantity",
    method = { "PUT", "PATCH", "POST" },
    route = store "/cart/items/*",
    body = "json",
    json = { "quantity" },
    item = { key = "route:-1", quantity = "json:quantity" },
    success = store_ok,
}

rule "store-line-remove" {
    event = "remove_from_cart",
    method = "DELETE",
    route = store "/cart/items/*",
    item = { key = "route:-1" },
    success = { status = "2xx" },
}

rule "store-coupon" {
    event = "coupon_apply",
    method = "POST",
    route = store "/cart/apply-coupon",
    body = "json",
    json = { "code" },
    text = "json:code",
    success = store_ok,
    cart = store_cart,
}

-- leaving the e-mail field of the block checkout, before any order
rule "store-customer" {
    event = "identify",
    method = "POST",
    route = store "/cart/update-customer",
    body = "json",
    email = "json:billing_address.email",
    success = store_ok,
    cart = store_cart,
}

rule "store-checkout" {
    event = "purchase",
    method = "POST",
    route = store "/checkout",
    body = "json",
    order = "answer:order_id",
    email = { "json:billing_address.email", "answer:billing_address.email" },
    success = { status = "2xx", answer = { "order_id" } },
    failed = {
        { status = "4xx" },
        { answer = { ["payment_result.payment_status"] =
                     { "failure", "error" } } },
    },
}


-- Classic cart ---------------------------------------------------------------

rule "ajax-add" {
    event = "add_to_cart",
    method = "POST",
    query = { ["wc-ajax"] = "add_to_cart" },
    body = "form",
    form = { "product_id" },
    item = { id = "form:product_id", sku = "form:product_sku",
             quantity = "form:quantity" },
    success = fragments_ok,
    cart = mini_cart,
}

rule "ajax-remove" {
    event = "remove_from_cart",
    method = "POST",
    query = { ["wc-ajax"] = "remove_from_cart" },
    body = "form",
    form = { "cart_item_key" },
    item = { key = "form:cart_item_key" },
    success = fragments_ok,
    cart = mini_cart,
}

-- a POST that follows pages and only reads
rule "ajax-fragments" {
    event = "read_cart",
    method = { "POST", "GET" },
    query = { ["wc-ajax"] = "get_refreshed_fragments" },
    success = fragments_ok,
    cart = mini_cart,
}

-- the product page posts to itself, usually multipart; a grouped product
-- names each of its parts
rule "form-add-grouped" {
    event = "add_to_cart",
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "add-to-cart" },
    each = "form:quantity[*]",
    item = { id = "match", parent = "form:add-to-cart", quantity = "value" },
    success = cart_page_ok,
}

rule "form-add" {
    event = "add_to_cart",
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "add-to-cart" },
    item = { id = { "form:variation_id", "form:add-to-cart" },
             parent = { "form:product_id", "form:add-to-cart" },
             quantity = "form:quantity" },
    success = cart_page_ok,
}

rule "link-add" {
    event = "add_to_cart",
    method = "GET",
    query = { "add-to-cart" },
    item = { id = { "query:variation_id", "query:add-to-cart" },
             parent = "query:add-to-cart", quantity = "query:quantity" },
    success = cart_page_ok,
}

-- the button's label is translated, its name is not; a script sends the
-- whole form to the cart page and gets a whole page back
rule "cart-update" {
    event = "set_quantity",
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "woocommerce-cart-nonce", "update_cart" },
    each = "form:cart[*][qty]",
    item = { key = "match", quantity = "value" },
    success = cart_page_ok,
}

rule "link-remove" {
    event = "remove_from_cart",
    method = "GET",
    query = { "remove_item", "_wpnonce" },
    item = { key = "query:remove_item" },
    success = { status = "3xx", location = "*removed_item=1*" },
}


-- Checkout and orders --------------------------------------------------------

-- the whole form as one field of another
rule "ajax-order-review" {
    event = "identify",
    method = "POST",
    query = { ["wc-ajax"] = "update_order_review" },
    body = "form",
    email = "form:post_data>billing_email",
    success = { status = "2xx" },
}

rule "ajax-checkout" {
    event = "purchase",
    method = "POST",
    query = { ["wc-ajax"] = "checkout" },
    body = "form",
    order = "answer:order_id",
    email = "form:billing_email",
    success = { status = "2xx", answer = { "order_id", result = "success" } },
    failed = {
        { status = "4xx" },
        { status = "2xx", answer = { result = "failure" } },
    },
}

-- the same form without a script; any page may hold it, so the order is known
-- by where the answer leads
rule "form-checkout" {
    event = "purchase",
    attempt = false,
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "woocommerce-process-checkout-nonce", "billing_email" },
    order = "location:-1",
    email = "form:billing_email",
    success = { status = "3xx", location = "*key=wc_order_*" },
}

-- paying an existing order: a payment page, its body is never read
rule "order-pay" {
    event = "purchase",
    method = "POST",
    path = "/**/order-pay/#",
    order = "path:order-pay",
    success = { status = "3xx", location = "*key=wc_order_*" },
}

-- the thank-you page: also how an order paid elsewhere becomes known
rule "order-received" {
    event = "purchase",
    attempt = false,
    method = "GET",
    query = { key = "wc_order_*", pay_for_order = false },
    path = "/**/#",
    order = "path:-1",
    success = { status = 200, class = "woocommerce-order-received" },
}

-- the same without permalinks
rule "order-received-plain" {
    event = "purchase",
    attempt = false,
    method = "GET",
    query = { "order-received", key = "wc_order_*" },
    order = "query:order-received",
    success = { status = 200, class = "woocommerce-order-received" },
}


-- Identity -------------------------------------------------------------------

rule "register" {
    event = "sign_up",
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "woocommerce-register-nonce", "email" },
    email = "form:email",
    success = { status = { "2xx", "3xx" }, cookie = "wordpress_logged_in_*" },
}

rule "login" {
    event = "login",
    method = "POST",
    query = { ["wc-ajax"] = false },
    body = "form",
    form = { "woocommerce-login-nonce", "username" },
    email = "form:username",
    success = { status = { "2xx", "3xx" }, cookie = "wordpress_logged_in_*" },
}

rule "wp-login" {
    event = "login",
    method = "POST",
    path = "/**/wp-login.php",
    body = "form",
    form = { "log" },
    email = "form:log",
    success = { status = { "2xx", "3xx" }, cookie = "wordpress_logged_in_*" },
}

-- the address is a setting; the nonce and the deleted cookie are not
rule "logout" {
    event = "logout",
    method = "GET",
    query = { "_wpnonce", remove_item = false },
    success = { status = { "2xx", "3xx" }, gone = "wordpress_logged_in_*" },
}


-- Search ---------------------------------------------------------------------

rule "search" {
    event = "search",
    method = "GET",
    navigation = true,
    query = { "s", post_type = "product" },
    text = "query:s",
    success = { status = 200 },
}
