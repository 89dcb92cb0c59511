
/*
 * The identity cookie and the key file.  The cookie is written in exactly one
 * way and read only that way: lower-case digits, no leading zeros, nothing
 * behind the tag.  Whoever forges one has to guess 64 bits; whoever replays
 * one is the visitor it was given to.
 */


#include "nudge_visitor.h"


#define NUDGE_VISITOR_FORMAT      '1'
#define NUDGE_VISITOR_TAG         16
#define NUDGE_VISITOR_PERSISTENT  0x1
#define NUDGE_VISITOR_SHOP        64    /* longest shop id that is signed */


static nudge_int_t nudge_visitor_tag(u_char tag[NUDGE_VISITOR_TAG],
    const nudge_str_t *shop, const u_char *data, size_t len,
    const u_char key[16]);
static nudge_int_t nudge_visitor_same(const u_char *a, const u_char *b,
    size_t len);
static int nudge_visitor_digit(u_char c);
static int nudge_keys_digit(u_char c);
static nudge_int_t nudge_keys_line(u_char key[32], const nudge_str_t *text);


static const u_char  nudge_visitor_hex[] = "0123456789abcdef";


/* the shop's length ends its id, so that no two shops sign the same text */

static nudge_int_t
nudge_visitor_tag(u_char tag[NUDGE_VISITOR_TAG], const nudge_str_t *shop,
    const u_char *data, size_t len, const u_char key[16])
{
    int       i;
    u_char    buf[1 + NUDGE_VISITOR_SHOP + NUDGE_VISITOR_COOKIE];
    uint64_t  n;

    if (shop->len > NUDGE_VISITOR_SHOP || len > NUDGE_VISITOR_COOKIE) {
        return NUDGE_ERROR;
    }

    buf[0] = (u_char) shop->len;

    if (shop->len) {
        memcpy(&buf[1], shop->data, shop->len);
    }

    memcpy(&buf[1 + shop->len], data, len);

    n = nudge_siphash(key, buf, 1 + shop->len + len);

    for (i = NUDGE_VISITOR_TAG - 1; i >= 0; i--) {
        tag[i] = nudge_visitor_hex[n & 0xf];
        n >>= 4;
    }

    return NUDGE_OK;
}


/* takes as long whichever byte differs first */

static nudge_int_t
nudge_visitor_same(const u_char *a, const u_char *b, size_t len)
{
    size_t           i;
    volatile u_char  diff;

    diff = 0;

    for (i = 0; i < len; i++) {
        diff |= a[i] ^ b[i];
    }

    return diff == 0;
}


static int
nudge_visitor_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


void
nudge_visitor_encode(nudge_buf_t *b, const nudge_visitor_t *v,
    const nudge_str_t *shop, const nudge_keys_t *keys)
{
    u_char        text[NUDGE_VISITOR_COOKIE], tag[NUDGE_VISITOR_TAG];
    nudge_buf_t   t;
    nudge_uint_t  digits;

    digits = 1;

    while (digits < 8 && v->version >> (4 * digits)) {
        digits++;
    }

    nudge_buf_init(&t, text, sizeof(text));

    nudge_buf_char(&t, NUDGE_VISITOR_FORMAT);
    nudge_buf_char(&t, '.');
    nudge_buf_put(&t, v->id, NUDGE_VISITOR_ID);
    nudge_buf_char(&t, '.');
    nudge_buf_hex(&t, v->version, digits);
    nudge_buf_char(&t, '.');
    nudge_buf_hex(&t, v->persistent ? NUDGE_VISITOR_PERSISTENT : 0, 1);
    nudge_buf_char(&t, '.');

    if (t.full
        || nudge_visitor_tag(tag, shop, text, t.pos - text, keys->current)
           != NUDGE_OK)
    {
        b->full = 1;
        return;
    }

    nudge_buf_put(b, text, t.pos - text);
    nudge_buf_put(b, tag, NUDGE_VISITOR_TAG);
}


nudge_int_t
nudge_visitor_decode(nudge_visitor_t *v, const nudge_str_t *value,
    const nudge_str_t *shop, const nudge_keys_t *keys)
{
    int           digit;
    u_char       *p, *last, tag[NUDGE_VISITOR_TAG];
    size_t        i;
    nudge_int_t   ok;

    memset(v, 0, sizeof(nudge_visitor_t));

    if (value->len < 2 + NUDGE_VISITOR_ID + 5 + NUDGE_VISITOR_TAG
        || value->len > NUDGE_VISITOR_COOKIE)
    {
        return NUDGE_DECLINED;
    }

    p = value->data;
    last = p + value->len - NUDGE_VISITOR_TAG;

    /* the tag first: nothing else of a forged cookie matters */

    if (nudge_visitor_tag(tag, shop, p, last - p, keys->current) != NUDGE_OK)
    {
        return NUDGE_DECLINED;
    }

    ok = nudge_visitor_same(tag, last, NUDGE_VISITOR_TAG);

    if (!ok && keys->has_previous) {
        (void) nudge_visitor_tag(tag, shop, p, last - p, keys->previous);
        ok = nudge_visitor_same(tag, last, NUDGE_VISITOR_TAG);
    }

    if (!ok || p[0] != NUDGE_VISITOR_FORMAT || p[1] != '.') {
        return NUDGE_DECLINED;
    }

    p += 2;

    for (i = 0; i < NUDGE_VISITOR_ID; i++) {
        if (nudge_visitor_digit(p[i]) < 0) {
            return NUDGE_DECLINED;
        }
    }

    memcpy(v->id, p, NUDGE_VISITOR_ID);
    p += NUDGE_VISITOR_ID;

    if (*p++ != '.') {
        return NUDGE_DECLINED;
    }

    for (i = 0; i < 8 && p < last; i++, p++) {
        digit = nudge_visitor_digit(*p);

        if (digit < 0) {
            break;
        }

        v->version = v->version << 4 | digit;
    }

    if (i == 0 || last - p != 3 || p[0] != '.' || p[2] != '.') {
        return NUDGE_DECLINED;
    }

    digit = nudge_visitor_digit(p[1]);

    if (digit < 0) {
        return NUDGE_DECLINED;
    }

    v->persistent = (digit & NUDGE_VISITOR_PERSISTENT) ? 1 : 0;

    return NUDGE_OK;
}


void
nudge_visitor_new(nudge_visitor_t *v, const u_char random[16])
{
    nudge_uint_t  i;

    memset(v, 0, sizeof(nudge_visitor_t));

    for (i = 0; i < 16; i++) {
        v->id[2 * i] = nudge_visitor_hex[random[i] >> 4];
        v->id[2 * i + 1] = nudge_visitor_hex[random[i] & 0xf];
    }
}


nudge_int_t
nudge_keys_parse(nudge_keys_t *keys, const nudge_str_t *text,
    nudge_uint_t *line)
{
    u_char       *p, *end, *eol, *hash;
    nudge_str_t   s;
    nudge_uint_t  n;

    memset(keys, 0, sizeof(nudge_keys_t));

    p = text->data;
    end = text->len ? p + text->len : p;
    n = 0;
    *line = 0;

    while (p < end) {

        (*line)++;

        eol = memchr(p, '\n', end - p);

        if (eol == NULL) {
            eol = end;
        }

        hash = memchr(p, '#', eol - p);

        s.data = p;
        s.len = (hash ? hash : eol) - p;
        s = nudge_str_trim(s);

        p = (eol == end) ? end : eol + 1;

        if (s.len == 0) {
            continue;
        }

        if (n == 2
            || nudge_keys_line(n ? keys->previous : keys->current, &s)
               != NUDGE_OK)
        {
            memset(keys, 0, sizeof(nudge_keys_t));
            return NUDGE_ERROR;
        }

        n++;
    }

    if (n == 0) {
        (*line)++;
        return NUDGE_ERROR;
    }

    keys->has_previous = (n == 2);

    return NUDGE_OK;
}


/* people may write keys in upper case */

static int
nudge_keys_digit(u_char c)
{
    if (c >= 'A' && c <= 'F') {
        c |= 0x20;
    }

    return nudge_visitor_digit(c);
}


static nudge_int_t
nudge_keys_line(u_char key[32], const nudge_str_t *text)
{
    int           hi, lo;
    nudge_uint_t  i;

    if (text->len != 64) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < 32; i++) {

        hi = nudge_keys_digit(text->data[2 * i]);
        lo = nudge_keys_digit(text->data[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return NUDGE_ERROR;
        }

        key[i] = (u_char) (hi << 4 | lo);
    }

    return NUDGE_OK;
}
