
/*
 * Members of a campaign whose text has a shape: origins, mailboxes, relays,
 * codes.  What passes here is put into URLs, mail headers and pages later, so
 * the shapes are narrower than the standards allow.
 */


#include "nudge_campaign_priv.h"

#include <stdio.h>


typedef nudge_uint_t (*nudge_shape_pt)(const nudge_str_t *s);


static nudge_uint_t nudge_scope_shape(nudge_scope_t *s, const char *key,
    nudge_str_t *dst, size_t max, nudge_shape_pt shape,
    const char *expected);
static nudge_uint_t nudge_shape_only(const nudge_str_t *s, const char *set);
static nudge_uint_t nudge_shape_host(const nudge_str_t *s);
static nudge_uint_t nudge_shape_after(const nudge_str_t *s,
    const char *scheme, nudge_str_t *host);
static nudge_uint_t nudge_shape_origin(const nudge_str_t *s);
static nudge_uint_t nudge_shape_currency(const nudge_str_t *s);
static nudge_uint_t nudge_shape_locale(const nudge_str_t *s);
static nudge_uint_t nudge_shape_zone(const nudge_str_t *s);
static nudge_uint_t nudge_shape_mailbox(const nudge_str_t *s);
static nudge_uint_t nudge_shape_coupon(const nudge_str_t *s);
static nudge_uint_t nudge_shape_link(const nudge_str_t *s);
static nudge_uint_t nudge_shape_relay(const nudge_str_t *s);


static const char  nudge_upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char  nudge_digits[] = "0123456789";
static const char  nudge_alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789";


static nudge_uint_t
nudge_scope_shape(nudge_scope_t *s, const char *key, nudge_str_t *dst,
    size_t max, nudge_shape_pt shape, const char *expected)
{
    char         found[64];
    nudge_str_t  text;

    if (!nudge_scope_text(s, key, &text, max)) {
        return 0;
    }

    if (!shape(&text)) {
        lua_pushlstring(s->lua, (const char *) text.data, text.len);

        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected %s",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what, expected);
    }

    *dst = text;

    return 1;
}


static nudge_uint_t
nudge_shape_only(const nudge_str_t *s, const char *set)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] == '\0' || strchr(set, s->data[i]) == NULL) {
            return 0;
        }
    }

    return s->len > 0;
}


/* NAME, 192.0.2.1 or [2001:db8::1], and perhaps a port */

static nudge_uint_t
nudge_shape_host(const nudge_str_t *s)
{
    u_char       *p;
    nudge_str_t   host, port;

    host = *s;
    nudge_str_null(&port);

    p = memrchr(s->data, ':', s->len);

    if (p != NULL && memchr(p, ']', s->data + s->len - p) == NULL) {
        host.len = p - s->data;
        port.data = p + 1;
        port.len = s->data + s->len - port.data;

        if (port.len > 5 || !nudge_shape_only(&port, nudge_digits)
            || nudge_str_int(&port) < 1 || nudge_str_int(&port) > 65535)
        {
            return 0;
        }
    }

    if (host.len > 2 && host.data[0] == '['
        && host.data[host.len - 1] == ']')
    {
        host.data++;
        host.len -= 2;

        return nudge_shape_only(&host, "0123456789abcdefABCDEF:.");
    }

    return host.len <= 253 && host.len > 0 && host.data[0] != '.'
           && host.data[0] != '-'
           && nudge_shape_only(&host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789.-");
}


/* what follows the scheme, without a trailing slash */

static nudge_uint_t
nudge_shape_after(const nudge_str_t *s, const char *scheme, nudge_str_t *host)
{
    size_t  n;

    n = strlen(scheme);

    if (!nudge_str_starts(s, scheme)) {
        return 0;
    }

    host->data = s->data + n;
    host->len = s->len - n;

    if (host->len && host->data[host->len - 1] == '/') {
        host->len--;
    }

    return host->len > 0;
}


static nudge_uint_t
nudge_shape_origin(const nudge_str_t *s)
{
    nudge_str_t  host;

    return (nudge_shape_after(s, "https://", &host)
            || nudge_shape_after(s, "http://", &host))
           && nudge_shape_host(&host);
}


nudge_uint_t
nudge_scope_origin(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    if (!nudge_scope_shape(s, key, dst, 300, nudge_shape_origin,
                           "an origin as \"https://shop.example\""))
    {
        return 0;
    }

    if (dst->data[dst->len - 1] == '/') {
        dst->len--;
    }

    return 1;
}


static nudge_uint_t
nudge_shape_currency(const nudge_str_t *s)
{
    return s->len == 3 && nudge_shape_only(s, nudge_upper);
}


nudge_uint_t
nudge_scope_currency(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    return nudge_scope_shape(s, key, dst, 3, nudge_shape_currency,
                             "a code of ISO 4217 as \"EUR\"");
}


/* the language and perhaps more of BCP 47: it names a directory */

static nudge_uint_t
nudge_shape_locale(const nudge_str_t *s)
{
    size_t       i;
    nudge_str_t  part;

    part.data = s->data;
    part.len = 0;

    for (i = 0; i <= s->len; i++) {

        if (i < s->len && s->data[i] != '-') {
            part.len++;
            continue;
        }

        if (part.len < (part.data == s->data ? 2u : 1u) || part.len > 8
            || !nudge_shape_only(&part, nudge_alnum))
        {
            return 0;
        }

        part.data = s->data + i + 1;
        part.len = 0;
    }

    return 1;
}


nudge_uint_t
nudge_scope_locale(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    return nudge_scope_shape(s, key, dst, 35, nudge_shape_locale,
                             "a language as \"en\" or \"pl-PL\"");
}


static nudge_uint_t
nudge_shape_zone(const nudge_str_t *s)
{
    return s->data[0] != '/' && nudge_str_find(s, "..") == NULL
           && nudge_shape_only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789_+/-");
}


nudge_uint_t
nudge_scope_zone(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    return nudge_scope_shape(s, key, dst, 64, nudge_shape_zone,
                             "a time zone as \"Europe/Madrid\"");
}


/* addr, or "display name <addr>"; no comments, groups or source routes */

static nudge_uint_t
nudge_shape_mailbox(const nudge_str_t *s)
{
    u_char       *p;
    nudge_str_t   email;

    p = memchr(s->data, '<', s->len);

    if (p == NULL) {
        return nudge_email_valid(s);
    }

    if (s->data[s->len - 1] != '>') {
        return 0;
    }

    email.data = p + 1;
    email.len = s->data + s->len - 1 - email.data;

    return nudge_email_valid(&email);
}


nudge_uint_t
nudge_scope_mailbox(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    return nudge_scope_shape(s, key, dst, 320, nudge_shape_mailbox,
                             "an address as \"Shop <hello@shop.example>\"");
}


static nudge_uint_t
nudge_shape_coupon(const nudge_str_t *s)
{
    return nudge_shape_only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz0123456789_-");
}


nudge_uint_t
nudge_scope_coupon(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    return nudge_scope_shape(s, key, dst, 40, nudge_shape_coupon,
                             "a code of letters, digits, \"_\" and \"-\"");
}


/* a path or an http(s) URL; never a scheme that acts, never two slashes */

static nudge_uint_t
nudge_shape_link(const nudge_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= ' ' || s->data[i] >= 0x7f
            || strchr("\"<>\\^`{|}", s->data[i]) != NULL)
        {
            return 0;
        }
    }

    return nudge_str_starts(s, "https://") || nudge_str_starts(s, "http://")
           || (s->data[0] == '/' && (s->len == 1 || s->data[1] != '/'));
}


nudge_uint_t
nudge_scope_privacy(nudge_scope_t *s, const char *key,
    const nudge_str_t *origin, nudge_str_t *dst)
{
    nudge_str_t  text;

    if (!nudge_scope_shape(s, key, &text, 500, nudge_shape_link,
                           "a path as \"/privacy\" or an https URL"))
    {
        return 0;
    }

    *dst = text;

    if (text.data[0] == '/' && origin->len) {

        dst->len = origin->len + text.len;
        dst->data = nudge_palloc(s->priv->pool, dst->len);

        if (dst->data == NULL) {
            return nudge_scope_fail(s, "no memory");
        }

        memcpy(dst->data, origin->data, origin->len);
        memcpy(dst->data + origin->len, text.data, text.len);
    }

    return 1;
}


static nudge_uint_t
nudge_shape_relay(const nudge_str_t *s)
{
    nudge_str_t  host;

    return (nudge_shape_after(s, "smtp://", &host)
            || nudge_shape_after(s, "smtps://", &host))
           && nudge_shape_host(&host);
}


nudge_uint_t
nudge_scope_relay(nudge_scope_t *s, const char *key, nudge_str_t *dst,
    nudge_uint_t *local)
{
    nudge_str_t  host;

    if (!nudge_scope_shape(s, key, dst, 300, nudge_shape_relay,
                           "\"smtp://HOST:PORT\" or \"smtps://HOST:PORT\""))
    {
        return 0;
    }

    if (!nudge_shape_after(dst, "smtps://", &host)) {
        (void) nudge_shape_after(dst, "smtp://", &host);
    }

    *local = nudge_str_starts(&host, "[::1]")
             || (nudge_str_starts(&host, "localhost")
                 && (host.len == 9 || host.data[9] == ':'))
             || (nudge_str_starts(&host, "127.")
                 && nudge_shape_only(&host, "0123456789.:"));

    if (dst->data[dst->len - 1] == '/') {
        dst->len--;
    }

    return 1;
}
