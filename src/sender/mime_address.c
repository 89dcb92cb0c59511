
/*
 * Addresses as mails carry them: one mailbox, an addr-spec without quotes,
 * comments and literals.  RFC 5322 allows more than any shopper has; what is
 * beyond it is refused, never repaired.
 */


#include "mime.h"


static nudge_uint_t mime_label(const u_char *p, size_t n);


const char *
mime_address(const nudge_str_t *address)
{
    u_char  *at, *p, *end, *label;
    size_t   i;

    at = NULL;
    end = address->data + address->len;

    for (i = 0; i < address->len; i++) {
        if (address->data[i] >= 0x80) {
            return "address_not_ascii";
        }

        if (address->data[i] == '@') {
            at = &address->data[i];
        }
    }

    if (at == NULL || address->len > 254 || at - address->data > 64) {
        return "address_invalid";
    }

    /* the local part: dot-atom-text, RFC 5322 section 3.2.3 */

    for (p = address->data; p < at; p++) {
        if (!mime_atext(*p)
            && (*p != '.' || p == address->data || p[1] == '.' || p[1] == '@'))
        {
            return "address_invalid";
        }
    }

    if (p == address->data) {
        return "address_invalid";
    }

    label = at + 1;

    for (p = label; p <= end; p++) {
        if (p < end && *p != '.') {
            continue;
        }

        if (!mime_label(label, p - label)) {
            return "address_invalid";
        }

        if (p == end) {
            break;
        }

        label = p + 1;
    }

    /* one label is a host of ours, digits at the end an address literal */

    if (label == at + 1 || (*label >= '0' && *label <= '9')) {
        return "address_invalid";
    }

    return NULL;
}


static nudge_uint_t
mime_label(const u_char *p, size_t n)
{
    size_t  i;

    if (n == 0 || n > 63 || p[0] == '-' || p[n - 1] == '-') {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z')
              || (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '-'))
        {
            return 0;
        }
    }

    return 1;
}


nudge_uint_t
mime_atext(u_char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z')
           || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}


const char *
mime_split(nudge_pool_t *pool, const nudge_str_t *s, nudge_str_t *display,
    nudge_str_t *address)
{
    size_t        i;
    u_char       *p, *q, *lt;
    nudge_str_t   t;

    nudge_str_null(display);

    if (mime_unsafe(s)) {
        return "address_invalid";
    }

    t = nudge_str_trim(*s);
    lt = NULL;

    for (i = 0; i < t.len; i++) {
        if (t.data[i] == '<') {
            lt = &t.data[i];
        }
    }

    if (lt == NULL) {
        *address = t;
        return mime_address(address);
    }

    if (t.data[t.len - 1] != '>') {
        return "address_invalid";
    }

    address->data = lt + 1;
    address->len = t.data + t.len - 1 - address->data;

    display->data = t.data;
    display->len = lt - t.data;
    *display = nudge_str_trim(*display);

    if (display->len < 2 || display->data[0] != '"') {
        return mime_address(address);
    }

    /* a quoted-string: what stands between the quotes, unescaped */

    if (display->data[display->len - 1] != '"') {
        return "address_invalid";
    }

    t = *display;
    p = nudge_palloc(pool, t.len);

    if (p == NULL) {
        return "address_invalid";
    }

    q = p;

    for (i = 1; i < t.len - 1; i++) {
        if (t.data[i] == '\\' && i + 1 < t.len - 1) {
            i++;
        }

        *q++ = t.data[i];
    }

    display->data = p;
    display->len = q - p;

    return mime_address(address);
}
