-- The demo's campaign: a real one with short delays.  demo = true allows mail
-- from a store that has no https; demo/run puts in the ports it found.

shop {
    id = "bluemug",
    name = "Blue Mug",
    url = "http://127.0.0.1:8080",
    currency = "EUR",
    locale = "en",
    timezone = "Europe/Madrid",
    from = "Blue Mug <hello@bluemug.example>",
    postal_address = "Kiln Lane 4, 11001 Cádiz, Spain",
    privacy = "/privacy/",
    demo = true,
}

mail { relay = "smtp://127.0.0.1:8025" }

-- a demo is played through several times an hour, also at night
moderation {
    email = { max = 3, per = "1w", gap = "5s" },
    quiet = { "00:00", "00:00" },
}

offer "leaving-with-a-cart" {
    on = "exit_intent", kind = "popup", template = "cart",
    when = { items_min = 1, subscribed = false, ordered = false },
    cap = { 3, "1h" },
}

offer "goes-with-your-cart" {
    on = { "cart", "checkout" }, kind = "banner", template = "banner",
    recommend = "recent", count = 4,
    when = { items_min = 1 },
}

flow "abandoned-cart" {
    on = "cart_abandoned", after = "20s",
    { mail = "cart-reminder" },
}
