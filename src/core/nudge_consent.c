
/*
 * Consent, as the cookies of consent managers tell it, and what follows from
 * it (D15).  Whatever is not understood is no consent.
 *
 *                 Cookiebot's "CookieConsent"
 *   "-1"          the visitor's region asks for none: granted
 *   "", "0"       asked, not answered: pending
 *   {stamp:'..',necessary:true,...,marketing:true,method:'explicit',...}
 *                 percent-encoded; a script object, not JSON: granted when
 *                 marketing is true, denied otherwise
 *
 *                 what may be kept, by mode, answer and Sec-GPC
 *                 granted    unknown    pending    denied
 *   auto          person     visit      nothing    nothing
 *   required      person     nothing    nothing    nothing
 *   session       visit      visit      visit      nothing
 *   off           person     person     person     person
 *   Sec-GPC: 1    visit      nothing    nothing    nothing
 *   off and GPC   visit      visit      visit      visit
 *
 * Sec-GPC is never overruled by an answer: a visitor who says both gets what
 * both allow.
 */


#include "nudge_visitor.h"


#define NUDGE_CONSENT_VALUE  4096       /* longest value looked at */


typedef struct {
    u_char          *pos;
    u_char          *end;
} nudge_consent_text_t;


static int nudge_consent_next(nudge_consent_text_t *t);
static nudge_consent_t nudge_consent_cookiebot(nudge_str_t value);
static nudge_consent_t nudge_consent_object(nudge_str_t value);
static nudge_uint_t nudge_consent_word(u_char *word, size_t len,
    const char *s);


/* the next character, percent-decoded; -1 at the end, -2 on a bad escape */

static int
nudge_consent_next(nudge_consent_text_t *t)
{
    int           c, i, n;

    if (t->pos == t->end) {
        return -1;
    }

    if (*t->pos != '%') {
        return *t->pos++;
    }

    if (t->end - t->pos < 3) {
        return -2;
    }

    n = 0;

    for (i = 1; i < 3; i++) {
        c = t->pos[i];

        if (c >= '0' && c <= '9') {
            n = n << 4 | (c - '0');
            continue;
        }

        c |= 0x20;

        if (c < 'a' || c > 'f') {
            return -2;
        }

        n = n << 4 | (c - 'a' + 10);
    }

    t->pos += 3;

    return n;
}


static nudge_uint_t
nudge_consent_word(u_char *word, size_t len, const char *s)
{
    return len == strlen(s) && memcmp(word, s, len) == 0;
}


/*
 * {name:value,...} where names may be quoted, and values are words, numbers
 * or quoted strings; "marketing" counts only as a name of the outer object,
 * whatever stands in a string, and only with the plain word true, each time.
 */

static nudge_consent_t
nudge_consent_object(nudge_str_t value)
{
    int                    c, quote;
    u_char                 word[32];
    size_t                 len;
    nudge_uint_t           in_value, marketing, granted, ended;
    nudge_consent_text_t   t;

    t.pos = value.data;
    t.end = value.data + value.len;

    if (nudge_consent_next(&t) != '{') {
        return NUDGE_CONSENT_DENIED;
    }

    len = 0;
    quote = 0;
    in_value = 0;
    marketing = 0;
    granted = 0;
    ended = 0;

    while ((c = nudge_consent_next(&t)) >= 0) {

        if (ended) {
            return NUDGE_CONSENT_DENIED;
        }

        if (quote) {
            if (c == '\\') {
                if (nudge_consent_next(&t) < 0) {
                    return NUDGE_CONSENT_DENIED;
                }

                len = sizeof(word);

            } else if (c == quote) {
                quote = 0;

            } else if (in_value) {

                /* a string is never the word true */

                len = sizeof(word);

            } else if (len < sizeof(word)) {
                word[len++] = (u_char) c;
            }

            continue;
        }

        switch (c) {

        case '\'':
        case '"':
            quote = c;

            if (in_value) {
                len = sizeof(word);
            }

            break;

        case ':':
            if (in_value) {
                return NUDGE_CONSENT_DENIED;
            }

            marketing = nudge_consent_word(word, len, "marketing");
            in_value = 1;
            len = 0;
            break;

        case ',':
        case '}':
            if (marketing) {
                if (!in_value || !nudge_consent_word(word, len, "true")) {
                    return NUDGE_CONSENT_DENIED;
                }

                granted = 1;
            }

            ended = (c == '}');
            in_value = 0;
            marketing = 0;
            len = 0;
            break;

        case '{':
        case '[':
            return NUDGE_CONSENT_DENIED;

        default:
            if ((c != ' ' || len) && len < sizeof(word)) {
                word[len++] = (u_char) c;
            }
        }
    }

    if (c == -2 || !ended || !granted) {
        return NUDGE_CONSENT_DENIED;
    }

    return NUDGE_CONSENT_GRANTED;
}


static nudge_consent_t
nudge_consent_cookiebot(nudge_str_t value)
{
    value = nudge_str_trim(value);

    if (value.len >= 2 && value.data[0] == '"'
        && value.data[value.len - 1] == '"')
    {
        value.data++;
        value.len -= 2;
    }

    if (value.len == 0 || nudge_str_is(&value, "0")) {
        return NUDGE_CONSENT_PENDING;
    }

    if (nudge_str_is(&value, "-1")) {
        return NUDGE_CONSENT_GRANTED;
    }

    if (value.len > NUDGE_CONSENT_VALUE) {
        return NUDGE_CONSENT_DENIED;
    }

    return nudge_consent_object(value);
}


/*
 * Cookies of one name may come several times, from different paths and
 * domains (RFC 6265, section 5.4); of different answers the one that allows
 * less counts.
 */

nudge_consent_t
nudge_consent_cookies(const nudge_str_t *cookie)
{
    u_char           *p, *end, *next, *eq;
    nudge_str_t       name, value;
    nudge_consent_t   found, one;

    found = NUDGE_CONSENT_UNKNOWN;

    if (cookie->len == 0) {
        return found;
    }

    p = cookie->data;
    end = p + cookie->len;

    while (p < end) {

        next = memchr(p, ';', end - p);

        if (next == NULL) {
            next = end;
        }

        eq = memchr(p, '=', next - p);

        if (eq) {
            name.data = p;
            name.len = eq - p;
            name = nudge_str_trim(name);

            if (nudge_str_is(&name, "CookieConsent")) {
                value.data = eq + 1;
                value.len = next - (eq + 1);

                one = nudge_consent_cookiebot(value);

                if (found == NUDGE_CONSENT_UNKNOWN || one < found) {
                    found = one;
                }
            }
        }

        p = (next == end) ? end : next + 1;
    }

    return found;
}


nudge_consent_t
nudge_consent_value(const nudge_str_t *value)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    static const char  *grants[] = { "1", "yes", "true", "granted", "allow" };

    s = nudge_str_trim(*value);

    if (s.len == 0) {
        return NUDGE_CONSENT_PENDING;
    }

    for (i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
        if (nudge_str_case_is(&s, grants[i])) {
            return NUDGE_CONSENT_GRANTED;
        }
    }

    return NUDGE_CONSENT_DENIED;
}


nudge_storage_t
nudge_consent_storage(nudge_consent_mode_t mode, nudge_consent_t answer,
    nudge_uint_t gpc)
{
    nudge_storage_t  storage;

    switch (mode) {

    case NUDGE_CONSENT_OFF:
        return gpc ? NUDGE_STORE_VISIT : NUDGE_STORE_PERSON;

    case NUDGE_CONSENT_SESSION:
        storage = (answer == NUDGE_CONSENT_DENIED) ? NUDGE_STORE_NOTHING
                                                   : NUDGE_STORE_VISIT;
        break;

    case NUDGE_CONSENT_REQUIRED:
        storage = (answer == NUDGE_CONSENT_GRANTED) ? NUDGE_STORE_PERSON
                                                    : NUDGE_STORE_NOTHING;
        break;

    case NUDGE_CONSENT_AUTO:
        storage = (answer == NUDGE_CONSENT_GRANTED) ? NUDGE_STORE_PERSON
                  : (answer == NUDGE_CONSENT_UNKNOWN) ? NUDGE_STORE_VISIT
                  : NUDGE_STORE_NOTHING;
        break;

    default:
        return NUDGE_STORE_NOTHING;
    }

    if (gpc && storage != NUDGE_STORE_NOTHING) {
        storage = (answer == NUDGE_CONSENT_GRANTED) ? NUDGE_STORE_VISIT
                                                    : NUDGE_STORE_NOTHING;
    }

    return storage;
}
