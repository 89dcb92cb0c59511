-- The installed campaign: pieces on the pages, mail in shadow mode.
--
-- Copy it to /etc/nudge/nudge.lua and fill in the shop.  "nginx -t" and
-- "nudge check" name file and line of every mistake.

shop {
    id = "shop",                    -- part of every key and file: keep it
    name = "Our shop",
    currency = "EUR",
    locale = "en",
    timezone = "UTC",
    privacy = "/privacy",

    -- Without these three nothing is ever sent:
    -- url = "https://shop.example",
    -- from = "Our shop <hello@shop.example>",
    -- postal_address = "Our shop Ltd, 1 High Street, London",
}

-- Mails are composed, recorded and shown by "nudge preview", but handed to
-- nobody.  Name a relay and remove the shadow once they read well.
mail {
    shadow = true,
    -- relay = "smtp://127.0.0.1:25",
}

-- What one person gets at most, and when we are quiet (their local time).
moderation {
    email = { max = 2, per = "1w", gap = "16h" },
    quiet = { "21:00", "08:00" },
}

offer "leaving-with-a-cart" {
    on = "exit_intent", kind = "popup", template = "cart",
    when = { items_min = 1, subscribed = false, ordered = false },
    cap = { 1, "1d" },
}

offer "goes-with-your-cart" {
    on = { "cart", "checkout" }, kind = "banner", template = "banner",
    recommend = "recent", count = 4,
    when = { items_min = 1 },
}

-- One reminder, four hours after the last change, and none after an order.
flow "abandoned-cart" {
    on = "cart_abandoned", after = "4h",
    { mail = "cart-reminder" },
}
