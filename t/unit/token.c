
/*
 * Tokens of the links in mails.
 */


#include <stdio.h>

#include "nudge_token.h"

#include "tap.h"


#define NOW  INT64_C(1763769600)


static nudge_pool_t  *pool;
static nudge_keys_t   keys;
static nudge_str_t    shop = nudge_string("bluemug");


static nudge_token_t
token(u_char kind, const char *contact, const char *claim, const char *target,
    int64_t expires)
{
    nudge_token_t  t;

    t.kind = kind;
    t.shop = shop;
    t.contact = nudge_cstr(contact);
    t.claim = nudge_cstr(claim);
    t.target = nudge_cstr(target);
    t.expires = expires;

    return t;
}


static nudge_int_t
encode(const nudge_token_t *t, nudge_str_t *text)
{
    nudge_int_t  rc;
    nudge_buf_t  b;

    if (nudge_buf_grow(&b, pool, 64, 4096) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    rc = nudge_token_encode(&b, t, &keys);
    *text = nudge_buf_result(&b);

    return rc;
}


static void
test_round(void)
{
    nudge_str_t    text;
    nudge_token_t  t, u;

    t = token('l', "c0123456789abcdef", "cart.1/step%2", "/cart/?a=b.c%20",
              NOW + 10);
    is_int(encode(&t, &text), NUDGE_OK, "encode");
    ok(strspn((char *) text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
              "opqrstuvwxyz0123456789-_") >= text.len, "fits a URL as it is");
    is_int(nudge_token_decode(&u, pool, &text, 'l', &shop, NOW, &keys),
           NUDGE_OK, "decode");
    is_str(u.contact, "c0123456789abcdef", "contact");
    is_str(u.claim, "cart.1/step%2", "claim");
    is_str(u.target, "/cart/?a=b.c%20", "target");
    is_str(u.shop, "bluemug", "shop");
    is_int(u.expires, NOW + 10, "expiry");

    is_int(nudge_token_decode(&u, pool, &text, 'u', &shop, NOW, &keys),
           NUDGE_DECLINED, "one link never acts as another");
    is_int(nudge_token_decode(&u, pool, &text, 'l', &shop, NOW + 10, &keys),
           NUDGE_OK, "good to the last second");
    is_int(nudge_token_decode(&u, pool, &text, 'l', &shop, NOW + 11, &keys),
           NUDGE_AGAIN, "expired");
    is_str(u.contact, "c0123456789abcdef", "whose it was");

    text.len--;
    is_int(nudge_token_decode(&u, pool, &text, 'l', &shop, NOW, &keys),
           NUDGE_DECLINED, "cut");

    t = token('u', "c1", "", "", 0);
    encode(&t, &text);
    is_int(nudge_token_decode(&u, pool, &text, 'u', &shop, NOW * 1000, &keys),
           NUDGE_OK, "never expires");
    ok(u.claim.len == 0 && u.target.len == 0, "nothing more in it");
}


static void
test_tampering(void)
{
    int            n, bad;
    u_char         c;
    size_t         i;
    nudge_str_t    text, s;
    nudge_keys_t   other;
    nudge_token_t  t, u;

    bad = 0;

    for (n = 0; n < 3; n++) {
        t = token('u', "c0123456789abcdef" + n, "7", "", 0);
        encode(&t, &text);

        for (i = 0; i < text.len; i++) {
            c = text.data[i];

            for (text.data[i] = 1; text.data[i] < 255; text.data[i]++) {
                if (text.data[i] != c
                    && nudge_token_decode(&u, pool, &text, 'u', &shop, NOW,
                                          &keys)
                       != NUDGE_DECLINED)
                {
                    bad++;
                }
            }

            text.data[i] = c;
        }
    }

    ok(bad == 0, "no character may change (%d)", bad);

    s = nudge_cstr("redmug");
    is_int(nudge_token_decode(&u, pool, &text, 'u', &s, NOW, &keys),
           NUDGE_DECLINED, "another shop's");

    other = keys;
    memset(other.current, 9, 32);
    is_int(nudge_token_decode(&u, pool, &text, 'u', &shop, NOW, &other),
           NUDGE_DECLINED, "under another key");

    memcpy(other.previous, keys.current, 32);
    other.has_previous = 1;
    is_int(nudge_token_decode(&u, pool, &text, 'u', &shop, NOW, &other),
           NUDGE_OK, "under the previous key");

    s = nudge_cstr("");
    is_int(nudge_token_decode(&u, pool, &s, 'u', &shop, NOW, &keys),
           NUDGE_DECLINED, "an empty token");

    s.data = nudge_palloc(pool, 4096);
    memset(s.data, 'A', 4096);

    for (s.len = 1; s.len < 4096; s.len += 61) {
        bad += nudge_token_decode(&u, pool, &s, 'u', &shop, NOW, &keys)
               != NUDGE_DECLINED;
    }

    ok(bad == 0, "long ones");
}


static void
test_targets(void)
{
    char           longest[600];
    nudge_str_t    text;
    nudge_uint_t   i;
    nudge_token_t  t;

    static const char  *bad[] = {
        "https://evil.example/", "//evil.example/", "/\\evil.example/",
        "/a\nb", "/\t/evil.example", "cart", "/a b", "/\xc5\xbc"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t = token('l', "c1", "1", bad[i], 0);
        is_int(encode(&t, &text), NUDGE_ERROR, "bad target %d", (int) i);
    }

    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[599] = '\0';
    t = token('l', "c1", "1", longest, 0);
    is_int(encode(&t, &text), NUDGE_ERROR, "a token too long");

    longest[300] = '\0';
    ok(encode(&t, &text) == NUDGE_ERROR, "the string's length counts");
    t = token('l', "c1", "1", longest, 0);
    ok(encode(&t, &text) == NUDGE_OK && text.len <= NUDGE_TOKEN_MAX,
       "300 bytes of target fit");
}


/* RFC 4231, test case 1, has a key of 20 bytes: zeros behind it change
 * nothing, as HMAC pads the key with them (RFC 2104) */

static void
test_hmac(void)
{
    u_char        out[65];
    nudge_str_t   s;
    nudge_keys_t  k;

    memset(&k, 0, sizeof(nudge_keys_t));
    memset(k.current, 0x0b, 20);

    s = nudge_cstr("Hi There");
    is_int(nudge_token_hmac(out, &s, &k), NUDGE_OK, "hmac");
    is_str(nudge_cstr((char *) out), "b0344c61d8db38535ca8afceaf0bf12b"
           "881dc200c9833da726e9376c2e32cff7", "RFC 4231, test case 1");
}


int
main(void)
{
    nudge_uint_t  i;

    pool = nudge_pool_create(16 * 1024 * 1024);

    if (pool == NULL) {
        printf("Bail out! no memory\n");
        return 0;
    }

    memset(&keys, 0, sizeof(nudge_keys_t));

    for (i = 0; i < 32; i++) {
        keys.current[i] = (u_char) (i * 3);
    }

    test_round();
    test_tampering();
    test_targets();
    test_hmac();

    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
