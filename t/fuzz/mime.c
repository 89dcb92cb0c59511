
/*
 * Whatever a marketer, a shop or a shopper writes: a mail's header field stays
 * one field, every line is short enough, and what was put in comes out of a
 * decoder again.  The decoders here are written from the RFCs, not from the
 * encoder.
 */


#include <stdlib.h>

#include "mime.h"


#define FUZZ_LIMIT  (8 * 1024 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_check(int ok)
{
    if (!ok) {
        __builtin_trap();
    }
}


/* ASCII, CRLF, no line longer than max */

static void
fuzz_lines(const nudge_str_t *s, size_t max)
{
    size_t  i, line;

    line = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '\r') {
            fuzz_check(i + 1 < s->len && s->data[i + 1] == '\n');
            fuzz_check(line <= max);
            line = 0;
            i++;
            continue;
        }

        fuzz_check(s->data[i] < 0x7f
                   && (s->data[i] >= 0x20 || s->data[i] == '\t'));
        line++;
    }

    fuzz_check(line == 0);
}


static int
fuzz_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}


static int
fuzz_sextet(u_char c)
{
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char        *p;

    p = c ? strchr(alphabet, c) : NULL;

    return p ? (int) (p - alphabet) : -1;
}


static void
fuzz_base64(nudge_buf_t *out, const u_char *p, const u_char *end)
{
    int       bits;
    uint32_t  acc;

    acc = 0;
    bits = 0;

    for ( /* void */ ; p < end && *p != '='; p++) {

        if (*p == '\r' || *p == '\n') {
            continue;
        }

        fuzz_check(fuzz_sextet(*p) >= 0);
        acc = acc << 6 | (uint32_t) fuzz_sextet(*p);
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            nudge_buf_char(out, (u_char) (acc >> bits));
        }
    }
}


static void
fuzz_qp(nudge_buf_t *out, const u_char *p, const u_char *end, int word)
{
    for ( /* void */ ; p < end; p++) {

        if (word && *p == '_') {
            nudge_buf_char(out, ' ');
            continue;
        }

        if (*p != '=') {
            nudge_buf_char(out, *p);
            continue;
        }

        if (!word && end - p >= 3 && p[1] == '\r') {
            p += 2;
            continue;
        }

        fuzz_check(end - p >= 3 && fuzz_hex(p[1]) >= 0 && fuzz_hex(p[2]) >= 0);
        nudge_buf_char(out, (u_char) (fuzz_hex(p[1]) << 4 | fuzz_hex(p[2])));
        p += 2;
    }
}


/* RFC 2047: words, white space between two of them ignored, folds undone */

static void
fuzz_unstructured(nudge_buf_t *out, const u_char *p, const u_char *end)
{
    const u_char  *q;
    nudge_str_t    word;
    nudge_buf_t    b;
    u_char         text[64];

    while (p < end) {

        if (end - p >= 2 && p[0] == '\r') {
            p += 2;
            continue;
        }

        if (end - p < 12 || memcmp(p, "=?UTF-8?", 8) != 0) {
            nudge_buf_char(out, *p++);
            continue;
        }

        for (q = p + 10; q < end - 1 && !(q[0] == '?' && q[1] == '='); q++) {
            fuzz_check(*q > ' ');
        }

        fuzz_check(q - p + 2 <= 75);

        nudge_buf_init(&b, text, sizeof(text));

        if (p[8] == 'Q') {
            fuzz_qp(&b, p + 10, q, 1);

        } else {
            fuzz_check(p[8] == 'B');
            fuzz_base64(&b, p + 10, q);
        }

        /* each word by itself is whole characters */

        fuzz_check(!b.full);
        word = nudge_buf_result(&b);
        fuzz_check(nudge_utf8_valid(&word));
        nudge_buf_str(out, &word);

        p = q + 2;

        if (end - p > 8 && memcmp(p, "\r\n =?UTF-8?", 11) == 0) {
            p += 3;
        }
    }
}


static void
fuzz_header(nudge_pool_t *pool, const nudge_str_t *value)
{
    u_char       *p, *end;
    nudge_buf_t   b, want, got;
    nudge_str_t   s, w, g;
    u_char        utf8[4];

    fuzz_check(nudge_buf_grow(&b, pool, 256, FUZZ_LIMIT) == NUDGE_OK);
    fuzz_check(nudge_buf_grow(&want, pool, 256, FUZZ_LIMIT) == NUDGE_OK);
    fuzz_check(nudge_buf_grow(&got, pool, 256, FUZZ_LIMIT) == NUDGE_OK);

    if (mime_header(&b, "Subject", value) != NUDGE_OK) {
        fuzz_check(mime_unsafe(value) && b.pos == b.start);
        return;
    }

    s = nudge_buf_result(&b);
    fuzz_lines(&s, MIME_LINE);
    fuzz_check(nudge_str_starts(&s, "Subject: "));

    for (p = s.data, end = s.data + s.len - 2; p < end; p++) {
        fuzz_check(*p != '\n' || p[1] == ' ');
    }

    fuzz_unstructured(&got, s.data + 9, end);

    for (p = value->data, end = p + value->len; p < end; ) {
        nudge_buf_put(&want, utf8,
                      nudge_utf8_encode(utf8, nudge_utf8_decode(&p, end)));
    }

    w = nudge_buf_result(&want);
    g = nudge_buf_result(&got);
    fuzz_check(nudge_str_eq(&w, &g));
}


static void
fuzz_part(nudge_pool_t *pool, const nudge_str_t *text)
{
    size_t        i;
    u_char       *body;
    nudge_buf_t   b, want, got;
    nudge_str_t   s, w, g, head;

    fuzz_check(nudge_buf_grow(&b, pool, 256, FUZZ_LIMIT) == NUDGE_OK);
    fuzz_check(nudge_buf_grow(&want, pool, 256, FUZZ_LIMIT) == NUDGE_OK);
    fuzz_check(nudge_buf_grow(&got, pool, 256, FUZZ_LIMIT) == NUDGE_OK);

    mime_part(&b, "text/plain", text);
    s = nudge_buf_result(&b);
    fuzz_lines(&s, MIME_LINE);

    body = nudge_str_find(&s, "\r\n\r\n");
    fuzz_check(body != NULL);
    body += 4;
    head.data = s.data;
    head.len = body - s.data;

    if (nudge_str_find(&head, "Encoding: 7bit\r\n") != NULL) {
        nudge_buf_put(&got, body, s.data + s.len - body);

    } else if (nudge_str_find(&head, "Encoding: base64\r\n") != NULL) {
        fuzz_base64(&got, body, s.data + s.len);

    } else {
        fuzz_qp(&got, body, s.data + s.len, 0);
        fuzz_check(nudge_str_find(&s, " \r\n") == NULL);
        fuzz_check(nudge_str_find(&s, "\r\n.") == NULL);
    }

    for (i = 0; i < text->len; i++) {

        if (text->data[i] != '\r' && text->data[i] != '\n') {
            nudge_buf_char(&want, text->data[i]);
            continue;
        }

        if (text->data[i] == '\r' && i + 1 < text->len
            && text->data[i + 1] == '\n')
        {
            i++;
        }

        nudge_buf_cstr(&want, "\r\n");
    }

    if (text->len && text->data[text->len - 1] != '\r'
        && text->data[text->len - 1] != '\n')
    {
        nudge_buf_cstr(&want, "\r\n");
    }

    w = nudge_buf_result(&want);
    g = nudge_buf_result(&got);
    fuzz_check(nudge_str_eq(&w, &g));
}


static void
fuzz_mailbox(nudge_pool_t *pool, const nudge_str_t *text)
{
    nudge_buf_t  b;
    nudge_str_t  display, address, s;

    if (mime_split(pool, text, &display, &address) != NULL) {
        return;
    }

    fuzz_check(address.len <= 254 && nudge_str_find(&address, "@") != NULL);

    fuzz_check(nudge_buf_grow(&b, pool, 256, FUZZ_LIMIT) == NUDGE_OK);
    fuzz_check(mime_mailbox(&b, "From", &display, &address) == NUDGE_OK);

    s = nudge_buf_result(&b);
    fuzz_lines(&s, 998);

    /* a client that splits the line reads the same address */

    s.data += 6;
    s.len -= 8;

    if (display.len == 0) {
        fuzz_check(nudge_str_eq(&s, &address));
        return;
    }

    fuzz_check(s.len > address.len + 3);
    fuzz_check(s.data[s.len - 1] == '>');
    s.data += s.len - 1 - address.len;
    fuzz_check(s.data[-1] == '<' && s.data[-2] == ' ');
    s.len = address.len;
    fuzz_check(nudge_str_eq(&s, &address));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nudge_str_t    s;
    nudge_pool_t  *pool;

    if (size < 1 || size > 65536) {
        return 0;
    }

    pool = nudge_pool_create(64 * 1024 * 1024);
    if (pool == NULL) {
        return 0;
    }

    s.data = (u_char *) data + 1;
    s.len = size - 1;

    switch (data[0] & 3) {

    case 0:
        fuzz_header(pool, &s);
        break;

    case 1:
        fuzz_part(pool, &s);
        break;

    default:
        fuzz_mailbox(pool, &s);
    }

    nudge_pool_destroy(pool);

    return 0;
}
