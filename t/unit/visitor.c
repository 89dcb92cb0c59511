
/*
 * The identity cookie, the key file, and consent.
 */


#include <stdio.h>

#include "nudge_visitor.h"

#include "tap.h"


static nudge_keys_t   keys;
static nudge_str_t    shop = nudge_string("bluemug");


static nudge_str_t
cookie(const nudge_visitor_t *v, const nudge_str_t *s, u_char buf[80])
{
    nudge_buf_t  b;

    nudge_buf_init(&b, buf, NUDGE_VISITOR_COOKIE);
    nudge_visitor_encode(&b, v, s, &keys);

    if (b.full) {
        return nudge_cstr("");
    }

    return nudge_buf_result(&b);
}


static void
test_cookie(void)
{
    int              bit, bad;
    u_char           buf[80], random[16], copy[80];
    size_t           i;
    nudge_str_t      value, s;
    nudge_keys_t     other;
    nudge_visitor_t  v, w;

    for (i = 0; i < 16; i++) {
        random[i] = (u_char) (i * 17);
    }

    nudge_visitor_new(&v, random);
    s.data = v.id;
    s.len = NUDGE_VISITOR_ID;
    is_str(s, "00112233445566778899aabbccddeeff", "an id");

    v.version = 0x1f;
    v.persistent = 1;
    value = cookie(&v, &shop, buf);
    s = value;
    s.len = value.len - 16;
    is_str(s, "1.00112233445566778899aabbccddeeff.1f.1.", "a cookie");
    is_int(nudge_visitor_decode(&w, &value, &shop, &keys), NUDGE_OK,
           "is genuine");
    ok(memcmp(v.id, w.id, NUDGE_VISITOR_ID) == 0 && w.version == 0x1f
       && w.persistent, "and says what it said");

    bad = 0;
    s.data = copy;

    for (i = 0; i < value.len; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(copy, value.data, value.len);
            copy[i] ^= 1 << bit;
            s.len = value.len;
            bad += nudge_visitor_decode(&w, &s, &shop, &keys)
                   != NUDGE_DECLINED;
        }

        memcpy(copy, value.data, value.len);
        s.len = i;
        bad += nudge_visitor_decode(&w, &s, &shop, &keys) != NUDGE_DECLINED;
    }

    ok(bad == 0, "no bit may change and no byte be missing (%d)", bad);

    s = nudge_cstr("redmug");
    is_int(nudge_visitor_decode(&w, &value, &s, &keys), NUDGE_DECLINED,
           "of another shop");

    other = keys;
    memset(other.current, 7, 32);
    is_int(nudge_visitor_decode(&w, &value, &shop, &other), NUDGE_DECLINED,
           "under another key");

    memcpy(other.previous, keys.current, 32);
    is_int(nudge_visitor_decode(&w, &value, &shop, &other), NUDGE_DECLINED,
           "under a previous key there is not");

    other.has_previous = 1;
    is_int(nudge_visitor_decode(&w, &value, &shop, &other), NUDGE_OK,
           "under the previous key");

    v.version = UINT32_MAX;
    value = cookie(&v, &shop, buf);
    ok(value.len <= NUDGE_VISITOR_COOKIE
       && nudge_visitor_decode(&w, &value, &shop, &keys) == NUDGE_OK
       && w.version == UINT32_MAX, "the largest version");

    v.version = 0;
    v.persistent = 0;
    value = cookie(&v, &shop, buf);
    ok(nudge_visitor_decode(&w, &value, &shop, &keys) == NUDGE_OK
       && w.version == 0 && !w.persistent, "the smallest");

    s = nudge_cstr("");
    is_int(nudge_visitor_decode(&w, &s, &shop, &keys), NUDGE_DECLINED,
           "an empty cookie");
}


#define KEY1  "00112233445566778899aabbccddeeff"                              \
              "0123456789ABCDEF0123456789abcdef"
#define KEY2  "ffeeddccbbaa99887766554433221100"                              \
              "0123456789abcdef0123456789abcdef"


static void
test_keys(void)
{
    nudge_uint_t  i, line;
    nudge_str_t   s;
    nudge_keys_t  k;

    static struct {
        const char   *text;
        nudge_uint_t  line;
    } bad[] = {
        { "", 1 },
        { "# nothing\n\n", 3 },
        { KEY1 "\n" KEY2 "\n" KEY1 "\n", 3 },
        { "\n" KEY1 "0\n", 2 },
        { KEY1 "\nabc", 2 },
        { "x" KEY2, 1 },
        { "\x10" KEY1, 1 }
    };

    s = nudge_cstr("# ours\r\n\n" KEY1 " # since May\r\n" KEY2);
    is_int(nudge_keys_parse(&k, &s, &line), NUDGE_OK, "two keys");
    ok(k.has_previous && k.current[1] == 0x11 && k.current[20] == 0x89
       && k.previous[0] == 0xff, "in order");

    s = nudge_cstr(KEY1);
    is_int(nudge_keys_parse(&k, &s, &line), NUDGE_OK, "one key");
    ok(!k.has_previous, "no previous one");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = nudge_cstr(bad[i].text);
        ok(nudge_keys_parse(&k, &s, &line) == NUDGE_ERROR
           && line == bad[i].line, "bad key file %d, line %d (%d)", (int) i,
           (int) bad[i].line, (int) line);
    }
}


static void
test_consent(void)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    static struct {
        const char       *cookie;
        nudge_consent_t   consent;
    } cases[] = {
        { "", NUDGE_CONSENT_UNKNOWN },
        { "a=b; xCookieConsent=-1; CookieConsentx=-1", NUDGE_CONSENT_UNKNOWN },
        { "CookieConsent", NUDGE_CONSENT_UNKNOWN },
        { "a=b; CookieConsent=", NUDGE_CONSENT_PENDING },
        { "CookieConsent=0", NUDGE_CONSENT_PENDING },
        { "a=b;CookieConsent=-1;c=d", NUDGE_CONSENT_GRANTED },
        { "CookieConsent=-2", NUDGE_CONSENT_DENIED },
        { "CookieConsent=true", NUDGE_CONSENT_DENIED },

        /* as a browser sends it */

        { "CookieConsent={stamp:%27Nn6TAKn3kYxtRfVY%2BR0w==%27%2C"
          "necessary:true%2Cpreferences:false%2Cstatistics:false%2C"
          "marketing:true%2Cmethod:%27explicit%27%2Cver:1%2C"
          "utc:1763769600000%2Cregion:%27pl%27}", NUDGE_CONSENT_GRANTED },
        { "CookieConsent=%7Bstamp%3A%27a%27%2Cnecessary%3Atrue%2C"
          "marketing%3Afalse%2Cver%3A1%7D", NUDGE_CONSENT_DENIED },
        { "CookieConsent={necessary:true,marketing:true}",
          NUDGE_CONSENT_GRANTED },
        { "CookieConsent={necessary:true}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={\"marketing\":true}", NUDGE_CONSENT_GRANTED },

        /* almost */

        { "CookieConsent={marketing:true", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:'true'}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:'x'true}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:true'x'}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:true''}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:true,marketing:false}",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:false,marketing:true}",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent={stamp:',marketing:true,',marketing:false}",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent={stamp:',marketing:true,'}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={stamp:'\\',marketing:true,'}",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent={a:{marketing:true}}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={nomarketing:true}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:truest}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:true}}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:true}%2", NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing%zz:true}", NUDGE_CONSENT_DENIED },
        { "CookieConsent={mark eting:true}", NUDGE_CONSENT_DENIED },

        /* several: the one that allows less */

        { "CookieConsent=-1; CookieConsent={marketing:false}",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent={marketing:false}; CookieConsent=-1",
          NUDGE_CONSENT_DENIED },
        { "CookieConsent=-1; CookieConsent=0", NUDGE_CONSENT_PENDING }
    };

    static struct {
        const char       *value;
        nudge_consent_t   consent;
    } values[] = {
        { "", NUDGE_CONSENT_PENDING }, { " ", NUDGE_CONSENT_PENDING },
        { "1", NUDGE_CONSENT_GRANTED }, { "YES", NUDGE_CONSENT_GRANTED },
        { "True", NUDGE_CONSENT_GRANTED },
        { "granted", NUDGE_CONSENT_GRANTED },
        { "allow", NUDGE_CONSENT_GRANTED }, { "0", NUDGE_CONSENT_DENIED },
        { "no", NUDGE_CONSENT_DENIED }, { "11", NUDGE_CONSENT_DENIED },
        { "allowed", NUDGE_CONSENT_DENIED }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s = nudge_cstr(cases[i].cookie);
        is_int(nudge_consent_cookies(&s), cases[i].consent, "%s",
               cases[i].cookie);
    }

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        s = nudge_cstr(values[i].value);
        is_int(nudge_consent_value(&s), values[i].consent, "value \"%s\"",
               values[i].value);
    }
}


static void
test_storage(void)
{
    nudge_uint_t  mode, answer;

    /* columns: unknown, pending, denied, granted; N, V, P */

    static const char  *plain[] = { "VNNP", "NNNP", "VVNV", "PPPP" };
    static const char  *gpc[] = { "NNNV", "NNNV", "NNNV", "VVVV" };

    for (mode = NUDGE_CONSENT_AUTO; mode <= NUDGE_CONSENT_OFF; mode++) {
        for (answer = NUDGE_CONSENT_UNKNOWN; answer <= NUDGE_CONSENT_GRANTED;
             answer++)
        {
            is_int("NVP"[nudge_consent_storage(mode, answer, 0)],
                   plain[mode][answer], "mode %d, answer %d", (int) mode,
                   (int) answer);
            is_int("NVP"[nudge_consent_storage(mode, answer, 1)],
                   gpc[mode][answer], "mode %d, answer %d, Sec-GPC",
                   (int) mode, (int) answer);
        }
    }
}


int
main(void)
{
    nudge_uint_t  i;

    memset(&keys, 0, sizeof(nudge_keys_t));

    for (i = 0; i < 32; i++) {
        keys.current[i] = (u_char) i;
    }

    test_cookie();
    test_keys();
    test_consent();
    test_storage();

    done_testing();

    return 0;
}
