
/*
 * Tokens of the links in mails.  The text inside is
 *
 *   <kind>.<shop>.<contact>.<claim>.<expiry>.<target>
 *
 * with dots, percent signs, blanks and everything not ASCII percent-encoded
 * in all parts but the last, so that it reads in one way only; 16 bytes of
 * HMAC-SHA256 follow.  What is signed begins with a zero byte, which keeps it
 * apart from everything nudge_token_hmac() is asked to name.
 */
#include "nudge_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define NUDGE_TOKEN_MAC    16
#define NUDGE_TOKEN_BYTES  (NUDGE_TOKEN_MAX / 4 * 3)


static nudge_int_t nudge_token_mac(u_char mac[32], const u_char key[32],
    const u_char *data, size_t len);
static void nudge_token_part(nudge_buf_t *b, const nudge_str_t *s);
static nudge_int_t nudge_token_unpart(nudge_pool_t *pool, nudge_str_t *dst,
    u_char **pos, u_char *end);
static nudge_int_t nudge_token_target(const nudge_str_t *target);
static void nudge_token_base64(nudge_buf_t *b, const u_char *data,
    size_t len);
static nudge_int_t nudge_token_unbase64(u_char *dst, size_t *len,
    const nudge_str_t *text);
static nudge_int_t nudge_token_genuine(const u_char *data, size_t len,
    const nudge_keys_t *keys);
static nudge_int_t nudge_token_read(nudge_token_t *t, nudge_pool_t *pool,
    u_char *p, u_char *end);
static int nudge_token_digit(u_char c);


static const u_char  nudge_token_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


static nudge_int_t
nudge_token_mac(u_char mac[32], const u_char key[32], const u_char *data,
    size_t len)
{
    unsigned int  n;

    n = 0;

    if (HMAC(EVP_sha256(), key, 32, data, len, mac, &n) == NULL || n != 32) {
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


static void
nudge_token_part(nudge_buf_t *b, const nudge_str_t *s)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c == '.' || c == '%' || c <= ' ' || c >= 0x7f) {
            nudge_buf_char(b, '%');
            nudge_buf_hex(b, c, 2);

        } else {
            nudge_buf_char(b, c);
        }
    }

    nudge_buf_char(b, '.');
}


static int
nudge_token_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


static nudge_int_t
nudge_token_unpart(nudge_pool_t *pool, nudge_str_t *dst, u_char **pos,
    u_char *end)
{
    int      hi, lo;
    u_char  *p, *dot, *out;

    p = *pos;
    dot = memchr(p, '.', end - p);

    if (dot == NULL) {
        return NUDGE_DECLINED;
    }

    *pos = dot + 1;

    out = nudge_palloc(pool, dot - p + 1);
    if (out == NULL) {
        return NUDGE_ERROR;
    }

    dst->data = out;

    while (p < dot) {

        if (*p != '%') {
            *out++ = *p++;
            continue;
        }

        if (dot - p < 3) {
            return NUDGE_DECLINED;
        }

        hi = nudge_token_digit(p[1]);
        lo = nudge_token_digit(p[2]);

        if (hi < 0 || lo < 0) {
            return NUDGE_DECLINED;
        }

        *out++ = (u_char) (hi << 4 | lo);
        p += 3;
    }

    *out = '\0';
    dst->len = out - dst->data;

    return NUDGE_OK;
}


/* a path on the shop: browsers take "//" and "/\" for another host, and drop
 * tabs and newlines before they look */

static nudge_int_t
nudge_token_target(const nudge_str_t *target)
{
    size_t  i;

    if (target->len == 0) {
        return NUDGE_OK;
    }

    if (target->data[0] != '/') {
        return NUDGE_ERROR;
    }

    if (target->len > 1
        && (target->data[1] == '/' || target->data[1] == '\\'))
    {
        return NUDGE_ERROR;
    }

    for (i = 0; i < target->len; i++) {
        if (target->data[i] <= ' ' || target->data[i] >= 0x7f) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static void
nudge_token_base64(nudge_buf_t *b, const u_char *data, size_t len)
{
    size_t    i, j, n;
    uint32_t  bits;

    for (i = 0; i < len; i += 3) {

        n = (len - i < 3) ? len - i : 3;
        bits = 0;

        for (j = 0; j < 3; j++) {
            bits = bits << 8 | (j < n ? data[i + j] : 0);
        }

        for (j = 0; j <= n; j++) {
            nudge_buf_char(b, nudge_token_alphabet[bits >> (18 - 6 * j)
                                                   & 0x3f]);
        }
    }
}


/* no padding, and the bits left over are zero: one spelling of each token */

static nudge_int_t
nudge_token_unbase64(u_char *dst, size_t *len, const nudge_str_t *text)
{
    size_t          i, n;
    uint32_t        bits;
    const u_char   *p;

    bits = 0;
    n = 0;

    for (i = 0; i < text->len; i++) {

        p = text->data[i] ? memchr(nudge_token_alphabet, text->data[i], 64)
                          : NULL;

        if (p == NULL) {
            return NUDGE_DECLINED;
        }

        bits = bits << 6 | (uint32_t) (p - nudge_token_alphabet);

        if (i % 4 != 0) {
            dst[n++] = (u_char) (bits >> (6 - 2 * (i % 4)));
        }
    }

    i = text->len % 4;

    if (i == 1 || (i == 2 && (bits & 0xf)) || (i == 3 && (bits & 0x3))) {
        return NUDGE_DECLINED;
    }

    *len = n;

    return NUDGE_OK;
}


nudge_int_t
nudge_token_encode(nudge_buf_t *b, const nudge_token_t *t,
    const nudge_keys_t *keys)
{
    size_t       len;
    u_char       text[1 + NUDGE_TOKEN_BYTES], mac[32];
    nudge_buf_t  w;

    if (t->kind <= ' ' || t->kind >= 0x7f || t->kind == '.'
        || t->kind == '%' || t->expires < 0
        || nudge_token_target(&t->target) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    nudge_buf_init(&w, text, sizeof(text) - NUDGE_TOKEN_MAC);

    nudge_buf_char(&w, '\0');
    nudge_buf_char(&w, t->kind);
    nudge_buf_char(&w, '.');
    nudge_token_part(&w, &t->shop);
    nudge_token_part(&w, &t->contact);
    nudge_token_part(&w, &t->claim);
    nudge_buf_int(&w, t->expires);
    nudge_buf_char(&w, '.');
    nudge_buf_str(&w, &t->target);

    len = w.pos - text;

    if (w.full || nudge_token_mac(mac, keys->current, text, len) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    memcpy(text + len, mac, NUDGE_TOKEN_MAC);

    nudge_token_base64(b, text + 1, len - 1 + NUDGE_TOKEN_MAC);

    return b->full ? NUDGE_ERROR : NUDGE_OK;
}


/* data[-1] is the zero byte the signed text begins with */

static nudge_int_t
nudge_token_genuine(const u_char *data, size_t len, const nudge_keys_t *keys)
{
    u_char  mac[32];

    if (nudge_token_mac(mac, keys->current, data - 1, len + 1) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (CRYPTO_memcmp(mac, data + len, NUDGE_TOKEN_MAC) == 0) {
        return NUDGE_OK;
    }

    if (!keys->has_previous) {
        return NUDGE_DECLINED;
    }

    if (nudge_token_mac(mac, keys->previous, data - 1, len + 1) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return CRYPTO_memcmp(mac, data + len, NUDGE_TOKEN_MAC) == 0
           ? NUDGE_OK : NUDGE_DECLINED;
}


static nudge_int_t
nudge_token_read(nudge_token_t *t, nudge_pool_t *pool, u_char *p, u_char *end)
{
    nudge_int_t  rc;
    nudge_str_t  s;

    if (end - p < 2 || p[1] != '.') {
        return NUDGE_DECLINED;
    }

    t->kind = p[0];
    p += 2;

    rc = nudge_token_unpart(pool, &t->shop, &p, end);

    if (rc == NUDGE_OK) {
        rc = nudge_token_unpart(pool, &t->contact, &p, end);
    }

    if (rc == NUDGE_OK) {
        rc = nudge_token_unpart(pool, &t->claim, &p, end);
    }

    if (rc == NUDGE_OK) {
        rc = nudge_token_unpart(pool, &s, &p, end);
    }

    if (rc != NUDGE_OK) {
        return rc;
    }

    t->expires = nudge_str_int(&s);

    s.data = p;
    s.len = end - p;

    if (t->expires < 0 || nudge_token_target(&s) != NUDGE_OK) {
        return NUDGE_DECLINED;
    }

    return nudge_pstrdup(pool, &t->target, &s);
}


nudge_int_t
nudge_token_decode(nudge_token_t *t, nudge_pool_t *pool,
    const nudge_str_t *text, u_char kind, const nudge_str_t *shop,
    int64_t now, const nudge_keys_t *keys)
{
    size_t       len;
    u_char       data[1 + NUDGE_TOKEN_BYTES + 3];
    nudge_int_t  rc;

    memset(t, 0, sizeof(nudge_token_t));

    if (text->len > NUDGE_TOKEN_MAX) {
        return NUDGE_DECLINED;
    }

    data[0] = '\0';

    rc = nudge_token_unbase64(data + 1, &len, text);

    if (rc != NUDGE_OK || len <= NUDGE_TOKEN_MAC) {
        return NUDGE_DECLINED;
    }

    len -= NUDGE_TOKEN_MAC;

    rc = nudge_token_genuine(data + 1, len, keys);

    if (rc == NUDGE_OK) {
        rc = nudge_token_read(t, pool, data + 1, data + 1 + len);
    }

    if (rc == NUDGE_OK && (t->kind != kind || !nudge_str_eq(&t->shop, shop))) {
        rc = NUDGE_DECLINED;
    }

    if (rc != NUDGE_OK) {
        memset(t, 0, sizeof(nudge_token_t));
        return rc;
    }

    return (t->expires && now > t->expires) ? NUDGE_AGAIN : NUDGE_OK;
}


nudge_int_t
nudge_token_hmac(u_char out[65], const nudge_str_t *data,
    const nudge_keys_t *keys)
{
    u_char        mac[32];
    nudge_buf_t   b;
    nudge_uint_t  i;

    if (nudge_token_mac(mac, keys->current,
                        data->len ? data->data : (u_char *) "", data->len)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    nudge_buf_init(&b, out, 64);

    for (i = 0; i < 32; i++) {
        nudge_buf_hex(&b, mac[i], 2);
    }

    out[64] = '\0';

    return NUDGE_OK;
}
