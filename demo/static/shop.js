/* What WooCommerce's scripts do, as far as the demo store needs it.  Without
 * a script every link and form works too. */

(function () {
    "use strict";

    document.body.classList.replace("woocommerce-no-js", "woocommerce-js");

    function post(action, data) {
        return fetch("/?wc-ajax=" + action, {
            method: "POST",
            headers: {
                "Content-Type":
                    "application/x-www-form-urlencoded; charset=UTF-8",
                "X-Requested-With": "XMLHttpRequest"
            },
            body: new URLSearchParams(data).toString()
        }).then(function (r) { return r.json(); });
    }

    function refresh(fragments) {
        Object.keys(fragments || {}).forEach(function (selector) {
            document.querySelectorAll(selector).forEach(function (e) {
                e.outerHTML = fragments[selector];
            });
        });
    }

    document.addEventListener("click", function (event) {
        var add = event.target.closest(".ajax_add_to_cart"),
            remove = event.target.closest(".remove_from_cart_button");

        if (add) {
            event.preventDefault();
            add.classList.add("loading");

            post("add_to_cart", {
                success_message: "has been added to your cart",
                product_sku: add.dataset.product_sku,
                product_id: add.dataset.product_id,
                quantity: add.dataset.quantity
            }).then(function (answer) {
                if (answer.error) {
                    location = answer.product_url || "/shop/";
                    return;
                }

                refresh(answer.fragments);
                add.classList.remove("loading");
                add.classList.add("added");

                if (!add.nextElementSibling) {
                    add.insertAdjacentHTML("afterend",
                        '<a href="/cart/" class="added_to_cart">View cart</a>');
                }
            });

        } else if (remove) {
            event.preventDefault();

            post("remove_from_cart", {
                cart_item_key: remove.dataset.cart_item_key
            }).then(function (answer) { refresh(answer.fragments); });
        }
    });

    /* pages may come from a cache: the mini-cart never does */

    if (/woocommerce_items_in_cart=1/.test(document.cookie)) {
        post("get_refreshed_fragments", { time: Date.now() })
        .then(function (answer) { refresh(answer.fragments); });
    }

    var checkout = document.querySelector("form.checkout");

    if (!checkout) {
        return;
    }

    checkout.addEventListener("change", function () {
        post("update_order_review", {
            security: checkout["woocommerce-process-checkout-nonce"].value,
            payment_method: checkout.payment_method.value,
            country: checkout.billing_country.value,
            postcode: checkout.billing_postcode.value,
            city: checkout.billing_city.value,
            post_data: new URLSearchParams(new FormData(checkout)).toString()
        }).then(function (answer) { refresh(answer.fragments); });
    });

    checkout.addEventListener("submit", function (event) {
        event.preventDefault();

        post("checkout", new FormData(checkout)).then(function (answer) {
            if (answer.result == "success") {
                location = answer.redirect;
                return;
            }

            document.querySelector(".woocommerce-notices-wrapper").innerHTML
                = answer.messages;
            scrollTo(0, 0);
        });
    });
})();
