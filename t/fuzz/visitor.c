
/*
 * Cookies and key files as anybody may send them.  No cookie but one made
 * with the key is ever taken, and what is taken is spelt as it would be
 * written.
 */


#include "nudge_visitor.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


/* the input says what is in the cookie, and what is changed afterwards */

static void
fuzz_cookie(const uint8_t *data, size_t size, const nudge_keys_t *keys)
{
    u_char           buf[NUDGE_VISITOR_COOKIE], copy[NUDGE_VISITOR_COOKIE];
    nudge_str_t      shop, value;
    nudge_buf_t      b;
    nudge_visitor_t  v, w;

    shop.data = (u_char *) data;
    shop.len = size;
    value = shop;

    check(nudge_visitor_decode(&v, &value, &shop, keys) == NUDGE_DECLINED);

    if (size < 24) {
        return;
    }

    nudge_visitor_new(&v, data);
    memcpy(&v.version, data + 16, 4);
    v.persistent = data[20] & 1;

    shop.len = data[21] % 65;
    shop.len = shop.len < size ? shop.len : size;

    nudge_buf_init(&b, buf, sizeof(buf));
    nudge_visitor_encode(&b, &v, &shop, keys);
    check(!b.full);

    value = nudge_buf_result(&b);
    check(nudge_visitor_decode(&w, &value, &shop, keys) == NUDGE_OK);
    check(memcmp(v.id, w.id, NUDGE_VISITOR_ID) == 0
          && v.version == w.version && v.persistent == w.persistent);

    memcpy(copy, buf, value.len);
    copy[data[22] % value.len] ^= data[23];
    value.data = copy;

    check((nudge_visitor_decode(&w, &value, &shop, keys) == NUDGE_OK)
          == (data[23] == 0));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nudge_str_t      text;
    nudge_uint_t     line, gpc, mode;
    nudge_keys_t     keys, parsed;
    nudge_consent_t  consent;

    memset(&keys, 0x5a, sizeof(nudge_keys_t));

    text.data = (u_char *) data;
    text.len = size;

    consent = nudge_consent_cookies(&text);
    check(consent <= NUDGE_CONSENT_GRANTED);

    if (consent == NUDGE_CONSENT_GRANTED) {
        check(nudge_str_find(&text, "CookieConsent") != NULL);
    }

    check(nudge_consent_value(&text) != NUDGE_CONSENT_UNKNOWN);

    for (mode = 0; mode < 6; mode++) {
        for (gpc = 0; gpc < 2; gpc++) {
            if (mode != NUDGE_CONSENT_OFF && consent == NUDGE_CONSENT_DENIED) {
                check(nudge_consent_storage(mode, consent, gpc)
                      == NUDGE_STORE_NOTHING);
            }

            check(nudge_consent_storage(mode, consent, 1)
                  != NUDGE_STORE_PERSON);
        }
    }

    if (nudge_keys_parse(&parsed, &text, &line) != NUDGE_OK) {
        check(line > 0);
    }

    fuzz_cookie(data, size, &keys);

    return 0;
}
