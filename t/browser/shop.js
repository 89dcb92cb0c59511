/*
 * A real browser walks through the demo store behind nginx.  Prints one line
 * for each thing looked at, "ok - ..." or "not ok - ...", for browser.t, which
 * starts everything and passes the addresses as JSON:
 *
 *     { web, self, none, mailbox, chromium, shots }
 *
 * self and none are the same store under the policies default-src 'self' and
 * script-src 'none'; shots is a directory for screenshots, or empty.
 */
"use strict";

const { chromium } = require("playwright-core");
const conf = JSON.parse(process.argv[2]);

const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    + "(KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

let browser;

function ok(good, what, more) {
    console.log((good ? "ok - " : "not ok - ") + what);

    if (!good && more !== undefined) {
        console.log("# " + JSON.stringify(more));
    }

    return good;
}

async function shot(page, name, options) {
    if (conf.shots) {
        await page.screenshot({ path: `${conf.shots}/${name}.png`,
                                ...options });
    }
}

/* a visitor of her own; what the console complains about is kept */

async function visitor(base, options) {
    const context = await browser.newContext({
        baseURL: base, userAgent: agent,
        viewport: { width: 1280, height: 800 }, ...options
    });
    const page = await context.newPage();

    page.complaints = [];
    page.on("console", (m) => {
        if ((m.type() === "error" || m.type() === "warning")
            && !(m.location().url || "").startsWith(conf.mailbox)
            && !/favicon/.test(m.location().url))
        {
            page.complaints.push(m.text() + " " + m.location().url);
        }
    });
    page.on("pageerror", (e) => page.complaints.push(String(e)));

    return page;
}

async function consents(page) {
    await page.goto("/");
    await page.click("#CybotCookiebotDialog button[value=all]");
    await page.waitForLoadState();
}

/* two things looked at, the second put into the cart */

async function fills(page) {
    await page.goto("/product/cobalt-teapot-for-two/");
    await page.goto("/product/earl-grey/");
    await page.goto("/product/the-blue-mug/");
    await page.fill("input.qty", "2");
    await page.click("button[name=add-to-cart]");
    await page.waitForLoadState();
    await page.waitForTimeout(300);
}

/* the pointer goes out through the top of the window, where tabs are */

async function leaves(page) {
    await page.waitForTimeout(3200);
    await page.mouse.move(500, 200);
    await page.mouse.move(500, 20);
    await page.evaluate(() => document.documentElement.dispatchEvent(
        new MouseEvent("mouseout", { bubbles: true, clientX: 500,
                                     clientY: -1, relatedTarget: null })));
    await page.waitForTimeout(700);
}

/* products are published a moment after somebody saw them */

async function published() {
    const page = await visitor(conf.web);

    await consents(page);
    await fills(page);
    await page.goto("/product/matcha-bowl/");
    await page.context().close();

    for (let i = 0; i < 60; i++) {
        const r = await fetch(`${conf.web}/nudge/status`);
        const shop = (await r.json()).shops[0];

        if (shop.catalogue.products >= 4) {
            return;
        }

        await new Promise((done) => setTimeout(done, 250));
    }

    ok(false, "the catalogue is published");
}

const dialog = "dialog.nudge-popup[open]";

/* layout shifts from now on, whatever causes them */

const shifts = `
    window.shifted = [];
    new PerformanceObserver(function (list) {
        list.getEntries().forEach(function (e) {
            shifted.push({ value: e.value, nodes: (e.sources || []).map(
                function (s) {
                    return s.node && (s.node.className || s.node.nodeName);
                }) });
        });
    }).observe({ type: "layout-shift", buffered: true });
`;

async function first() {
    const page = await visitor(conf.web);

    await page.goto("/cart/");
    ok(await page.locator("#CybotCookiebotDialog").isVisible(),
       "the consent bar is open");
    ok(await page.locator("script[src*='/nudge/']").count() === 0,
       "first page of a visit: no script");
    await leaves(page);
    ok(await page.locator(dialog).count() === 0,
       "first page of a visit: no popup");

    await page.goto("/product/the-blue-mug/");
    await page.click("button[name=add-to-cart]");
    await page.waitForLoadState();
    await page.goto("/cart/");
    ok(await page.locator("#CybotCookiebotDialog").isVisible(),
       "the consent bar is still open");
    await leaves(page);
    ok(await page.locator(dialog).count() === 0,
       "no popup while the consent bar is open");
    await shot(page, "consent");
    await page.context().close();
}

/* with consent from the start, so that it is the first page alone that counts */

async function landing() {
    const page = await visitor(conf.web);

    await page.context().addCookies([{ name: "CookieConsent", url: conf.web,
        value: encodeURIComponent("{stamp:'x',necessary:true,"
            + "marketing:true,method:'explicit'}") }]);
    await page.goto("/?add-to-cart=21");
    ok(await page.locator("#CybotCookiebotDialog").count() === 0,
       "no consent bar");
    ok(await page.locator("script[src*='/nudge/']").count() === 0,
       "on the page where a visit begins there is no script");

    await page.goto("/cart/");
    ok(await page.locator("script[src*='/nudge/']").count() === 1,
       "on the next one there is");
    await page.context().close();
}

async function popup() {
    const page = await visitor(conf.web);

    await page.addInitScript(shifts);
    await consents(page);
    await page.goto("/");
    await shot(page, "home");
    await fills(page);
    await shot(page, "product");
    await page.goto("/product/matcha-bowl/");
    await page.click("button[name=add-to-cart]");
    await page.waitForLoadState();
    await page.goto("/cart/");
    await shot(page, "cart", { fullPage: true });

    ok(await page.locator("aside.nudge-banner").count() === 1,
       "the cart page carries a banner");
    ok(await page.evaluate(() => document.body.contains(
        document.querySelector("aside.nudge-banner"))), "inside body");
    ok(await page.locator("aside.nudge-banner .nudge-card").count() > 0,
       "with products");

    const inCart = await page.locator(
        "aside.nudge-banner a[href*='the-blue-mug']").count();
    ok(inCart === 0, "none of them is in the cart already");

    const script = page.locator("script[src*='/nudge/nudge.js']");
    ok(await script.count() === 1, "and the script");

    await leaves(page);

    if (!ok(await page.locator(dialog).count() === 1,
            "leaving the window opens the popup"))
    {
        await shot(page, "no-popup");
        return page.context().close();
    }

    await shot(page, "popup");

    const text = await page.locator(dialog).innerText();
    ok(/The Blue Mug/.test(text), "it shows the cart", text);
    ok(/2\s*\u00d7/.test(text), "how many of it", text);
    ok(/Matcha Bowl/.test(text), "all of it", text);
    ok(/\u20ac86\.00/.test(text), "what it comes to", text);
    ok(await page.evaluate((d) => document.querySelector(d).contains(
        document.activeElement), dialog), "the focus is inside");
    ok(await page.evaluate((d) => document.querySelector(d).parentNode
        === document.body, dialog), "the dialog is a child of body");
    ok(await page.evaluate((d) => {
        const e = document.querySelector(d);
        const l = document.getElementById(e.getAttribute("aria-labelledby"));
        return l && e.contains(l) && l.textContent.trim() !== "";
    }, dialog), "it has an accessible name");

    for (let i = 0; i < 12; i++) {
        await page.keyboard.press("Tab");
    }

    ok(await page.evaluate((d) => {
        const e = document.activeElement;
        return e === document.body || document.querySelector(d).contains(e);
    }, dialog), "Tab does not leave it for the page below");

    await page.keyboard.press("Escape");
    await page.waitForTimeout(300);
    ok(await page.locator(dialog).count() === 0, "Escape closes it");
    await leaves(page);
    ok(await page.locator(dialog).count() === 0,
       "and it does not come back on this page");
    ok(await page.evaluate(() => history.length) <= 11,
       "history is not touched");

    const moved = await page.evaluate(() => shifted);
    ok(moved.every((s) => !s.nodes.some((n) => /nudge/.test(n))),
       "nothing of ours ever moved", moved);
    ok(moved.reduce((sum, s) => sum + s.value, 0) === 0,
       "and nothing was moved", moved);
    ok(page.complaints.length === 0, "the console is silent",
       page.complaints);
    await page.context().close();
}

async function subscribes() {
    const page = await visitor(conf.web);

    await consents(page);
    await fills(page);
    await page.goto("/cart/");
    await leaves(page);

    if (!ok(await page.locator(dialog).count() === 1, "the popup, again")) {
        return page.context().close();
    }

    await page.fill(dialog + " input[type=email]", "ines@shopper.example");
    await page.click(dialog + " form.nudge-form button");
    await page.waitForTimeout(800);

    const text = await page.locator(dialog).innerText();
    ok(/check your inbox/i.test(text), "an address gives \"check your inbox\"",
       text);
    ok(await page.evaluate((d) => document.querySelector(d).contains(
        document.activeElement), dialog), "the focus stays inside");
    ok(new URL(page.url()).pathname === "/cart/", "the page stays");
    await shot(page, "subscribed");

    const mail = await mailFor("ines@shopper.example", /confirm/i);

    if (ok(mail, "a mail to confirm it arrives")) {
        await page.goto(`${conf.mailbox}/mail/${mail.n}`);
        await shot(page, "mail-confirm", { fullPage: true });

        const link = /http\S+\/nudge\/confirm\?t=\S+/.exec(mail.text);

        await page.goto(link[0]);
        await shot(page, "confirm");
        ok(await page.locator("form button").count() >= 1,
           "its link shows a page with a button");
        await page.click("form button");
        await page.waitForLoadState();
        await shot(page, "confirmed");
        ok(page.url().indexOf("/nudge/confirm") > 0
           && /confirmed|thank|welcome/i.test(
                  await page.locator("body").innerText()),
           "which confirms", await page.locator("body").innerText());
    }

    const reminder = await mailFor("ines@shopper.example", /cart/i, 60);

    if (ok(reminder, "the reminder arrives")) {
        await page.goto(`${conf.mailbox}/`);
        await shot(page, "mailbox");
        await page.goto(`${conf.mailbox}/mail/${reminder.n}`);
        await shot(page, "mail-reminder", { fullPage: true });

        const link = /<(http[^>]+)>/.exec(reminder.header["list-unsubscribe"]);

        await page.goto(link[1]);
        await shot(page, "unsubscribe");
        await page.click("form button");
        await page.waitForLoadState();
        await shot(page, "unsubscribed");
        ok(/unsubscribed|no more|will not/i.test(
               await page.locator("body").innerText()),
           "unsubscribing is one button",
           await page.locator("body").innerText());
    }

    ok(page.complaints.length === 0, "the console is silent",
       page.complaints);
    await page.context().close();
}

async function mailFor(to, subject, seconds) {
    for (let i = 0; i < (seconds || 15) * 4; i++) {
        const r = await fetch(`${conf.mailbox}/api/mails`);
        const found = (await r.json()).reverse().find((m) =>
            m.envelope_to === to && subject.test(m.header.subject));

        if (found) {
            return found;
        }

        await new Promise((done) => setTimeout(done, 250));
    }

    return null;
}

/* no script: banner, and a form that works */

async function plain() {
    const page = await visitor(conf.web, { javaScriptEnabled: false });

    await consents(page);
    await fills(page);
    await page.goto("/cart/");
    ok(await page.locator("aside.nudge-banner .nudge-card").count() > 0,
       "without JavaScript: the banner is there");
    ok(await page.locator("aside.nudge-banner").isVisible(), "and visible");
    ok(await page.locator("dialog").evaluateAll((l) => l.length).catch(
        () => 0) === 0, "and no dialog");

    const href = await page.locator("aside.nudge-banner a").first()
        .getAttribute("href");
    await page.goto(href);
    ok(/product/.test(page.url()), "its links lead to products");
    await page.context().close();
}

async function phone() {
    const page = await visitor(conf.web, {
        viewport: { width: 390, height: 844 }, deviceScaleFactor: 2,
        isMobile: true, hasTouch: true
    });

    await consents(page);
    await shot(page, "phone-home");
    await fills(page);
    await shot(page, "phone-product");
    await page.goto("/cart/");
    await shot(page, "phone-cart", { fullPage: true });
    ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390,
       "a phone does not scroll sideways");
    await leaves(page);

    if (!ok(await page.locator(dialog).count() === 1, "the popup, on a phone"))
    {
        return page.context().close();
    }

    await shot(page, "phone-popup");

    const box = await page.locator(dialog).boundingBox();
    ok(box.x >= 0 && box.x + box.width <= 390 && box.y >= 0
       && box.y + box.height <= 845, "it fits the screen", box);

    const input = await page.locator(dialog + " input[type=email]");
    ok(parseFloat(await input.evaluate((e) => getComputedStyle(e).fontSize))
       >= 16, "its field does not make a phone zoom in");

    for (const button of await page.locator(
        dialog + " button:visible").all())
    {
        const b = await button.boundingBox();
        ok(b.height >= 24 && b.width >= 24, "a button for fingers", b);
    }

    await page.context().close();
}

async function still() {
    const page = await visitor(conf.web, { reducedMotion: "reduce" });

    await consents(page);
    await fills(page);
    await page.goto("/cart/");
    await leaves(page);

    if (ok(await page.locator(dialog).count() === 1, "the popup, once more")) {
        const moves = await page.locator(dialog).evaluate((e) => {
            const s = getComputedStyle(e);
            return [s.animationName, s.animationDuration];
        });
        ok(moves[0] === "none" || parseFloat(moves[1]) < 0.01,
           "who wants less motion gets none", moves);
    }

    await page.context().close();
}

async function policies() {
    let page = await visitor(conf.self);

    await consents(page);
    await fills(page);
    await page.goto("/cart/");
    ok(await page.locator("aside.nudge-banner").count() === 1,
       "default-src 'self': banner");
    ok(await page.evaluate(() => getComputedStyle(document.querySelector(
        "aside.nudge-banner ul")).listStyleType) === "none",
       "with its style sheet");
    await leaves(page);
    ok(await page.locator(dialog).count() === 1, "and popup");
    await page.waitForTimeout(200);

    const ours = page.complaints.filter((c) => /nudge/i.test(c));
    ok(ours.length === 0, "the policy is not violated", ours);
    await page.context().close();

    page = await visitor(conf.none);
    await consents(page);
    await fills(page);
    await page.goto("/cart/");
    ok(await page.locator("script[src*='/nudge/']").count() === 0,
       "script-src 'none': no script is put in");
    ok(page.complaints.filter((c) => /nudge/i.test(c)).length === 0,
       "and none is refused", page.complaints);
    await page.context().close();
}

(async function () {
    browser = await chromium.launch({
        executablePath: conf.chromium, headless: true,
        args: [ "--headless", "--no-sandbox", "--disable-gpu",
                "--disable-quic", "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update", "--disable-sync" ]
    });

    await published();

    for (const part of [ first, landing, popup, subscribes, plain, phone, still,
                         policies ])
    {
        if (conf.only && !conf.only.split(",").includes(part.name)) {
            continue;
        }

        try {
            await part();

        } catch (e) {
            ok(false, `${part.name}: ${String(e).split("\n")[0]}`);
        }
    }

    await browser.close();
    console.log("ok - done");
})().catch(function (e) {
    console.log("not ok - " + String(e).split("\n")[0]);
    process.exit(1);
});
