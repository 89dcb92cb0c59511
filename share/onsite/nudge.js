/*
 * nudge: asks once, when the visitor is about to leave, whether there is
 * something to show.  First-party, keeps nothing, no eval, no inline code.
 */
(function (d, w) {
    "use strict";

    var me = d.currentScript, start = Date.now(), asked, low, lowAt;

    if (!me || !w.fetch || !w.HTMLDialogElement) {
        return;
    }

    var prefix = me.dataset.prefix
                 || new URL(me.src).pathname.replace(/[^\/]*$/, "");

    /* a dialog or a consent banner has the visitor's attention */

    function busy() {
        return [].some.call(d.querySelectorAll("dialog[open],"
            + "[aria-modal=true],#CybotCookiebotDialog,#onetrust-banner-sdk,"
            + "#usercentrics-root,.cky-consent-bar,.cmplz-cookiebanner"),
            function (e) {
                return e.getClientRects().length
                       && w.getComputedStyle(e).visibility != "hidden";
            });
    }

    function post(name, body) {
        return fetch(prefix + name, {
            method: "POST",
            credentials: "same-origin",
            keepalive: true,
            headers: {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Requested-With": "nudge"
            },
            body: body
        });
    }

    function find(html, selector) {
        var t = d.createElement("template");

        t.innerHTML = html;
        return t.content.querySelector(selector);
    }

    function submit(event) {
        var form = event.target, box = form.closest(".nudge-content");

        if (form.getAttribute("method") != "post" || !box) {
            return;
        }

        event.preventDefault();

        if (form.busy) {
            return;
        }

        form.busy = 1;

        post("subscribe", new URLSearchParams(new FormData(form)).toString())
        .then(function (r) {
            return r.ok ? r.text() : "";
        })
        .then(function (html) {
            var answer = find(html, ".nudge-content") || find(html, "*"),
                title = answer.querySelector("h1,h2");  /* none: throws */

            box.replaceWith(answer);

            if (title) {
                title.id = "nudge-popup-title";
                title.tabIndex = -1;
                title.focus();
            }
        })
        .catch(function () {
            form.submit();
        });
    }

    function show(html) {
        var box = find(html, "dialog");

        if (!box || busy()) {
            return;
        }

        box.addEventListener("submit", submit);

        box.addEventListener("click", function (event) {
            if (event.target == box) {
                box.close();
            }
        });

        box.addEventListener("close", function () {
            post("close", "offer="
                 + encodeURIComponent(box.dataset.nudgeOffer || ""))
            .catch(function () {});
            box.remove();
        });

        d.body.appendChild(box);
        box.showModal();
    }

    function ask() {
        if (asked || Date.now() - start < 3000 || busy()) {
            return;
        }

        asked = 1;

        post("exit", "page=" + encodeURIComponent(me.dataset.page || ""))
        .then(function (r) {
            return r.status == 200 ? r.text() : "";
        })
        .then(show)
        .catch(function () {});
    }

    /* out through the top, where tabs and the address bar are */

    d.addEventListener("mouseout", function (event) {
        if (!event.relatedTarget && event.clientY <= 0) {
            ask();
        }
    });

    /* where there is no pointer: back up in one go, after having read on */

    if (w.matchMedia("(pointer: coarse)").matches) {
        w.addEventListener("scroll", function () {
            var y = w.scrollY, now = Date.now();

            if (!(y < low) || now - lowAt > 800) {
                low = y;
                lowAt = now;

            } else if (low - y > w.innerHeight * .6) {
                ask();
            }
        }, { passive: true });
    }
})(document, window);
