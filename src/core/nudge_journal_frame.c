
/*
 * Journal records: written whole or not at all, read back from any bytes a
 * disk may hold.  A torn record ends where the next one's newline begins,
 * because JSON as we write it holds none; so damage never costs more than the
 * record it hit, and a reader never waits for the rest of a dead one.
 */


#include "nudge_journal_frame.h"


#define NUDGE_FRAME_HEAD  12        /* "N1 " + 8 hex digits + " " */
#define NUDGE_FRAME_LEN   5         /* digits of NUDGE_FRAME_MAX */


static nudge_int_t nudge_frame_head(u_char *p, u_char *end, uint32_t *crc,
    size_t *len, u_char **json);
static nudge_int_t nudge_frame_read(u_char *p, u_char *end,
    nudge_str_t *json);
static u_char *nudge_frame_skip(u_char *p, u_char *end);


void
nudge_frame_encode(nudge_buf_t *b, const nudge_str_t *json)
{
    size_t  start;

    start = b->pos - b->start;

    if (json->len == 0 || json->len > NUDGE_FRAME_MAX
        || memchr(json->data, '\n', json->len) != NULL)
    {
        b->full = 1;
        return;
    }

    nudge_buf_cstr(b, "\nN1 ");
    nudge_buf_hex(b, nudge_crc32(json->data, json->len), 8);
    nudge_buf_char(b, ' ');
    nudge_buf_int(b, (int64_t) json->len);
    nudge_buf_char(b, ' ');
    nudge_buf_str(b, json);
    nudge_buf_char(b, '\n');

    /* half a record would make the whole of the ones before it useless */

    if (b->full) {
        b->pos = b->start + start;
    }
}


/* NUDGE_AGAIN: right as far as it goes.  Numbers are as the encoder writes
 * them, so that one record has one form */

static nudge_int_t
nudge_frame_head(u_char *p, u_char *end, uint32_t *crc, size_t *len,
    u_char **json)
{
    size_t         i, n;
    u_char         c;
    static u_char  magic[] = "N1 ";

    *crc = 0;
    *len = 0;
    n = end - p;

    for (i = 0; i < NUDGE_FRAME_HEAD; i++) {
        if (i == n) {
            return NUDGE_AGAIN;
        }

        c = p[i];

        if (i < 3 || i == NUDGE_FRAME_HEAD - 1) {
            if (c != (i < 3 ? magic[i] : ' ')) {
                return NUDGE_ERROR;
            }

        } else if (c >= '0' && c <= '9') {
            *crc = (*crc << 4) | (uint32_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            *crc = (*crc << 4) | (uint32_t) (c - 'a' + 10);

        } else {
            return NUDGE_ERROR;
        }
    }

    for ( /* void */ ; i <= NUDGE_FRAME_HEAD + NUDGE_FRAME_LEN; i++) {
        if (i == n) {
            return NUDGE_AGAIN;
        }

        c = p[i];

        if (c == ' ' && *len) {
            *json = p + i + 1;
            return (*len <= NUDGE_FRAME_MAX) ? NUDGE_OK : NUDGE_ERROR;
        }

        if (c < '0' || c > '9' || (c == '0' && *len == 0)) {
            return NUDGE_ERROR;
        }

        *len = *len * 10 + (c - '0');
    }

    return NUDGE_ERROR;
}


static nudge_int_t
nudge_frame_read(u_char *p, u_char *end, nudge_str_t *json)
{
    size_t        len, n;
    u_char       *text;
    uint32_t      crc;
    nudge_int_t   rc;

    rc = nudge_frame_head(p, end, &crc, &len, &text);
    if (rc != NUDGE_OK) {
        return rc;
    }

    n = end - text;

    if (memchr(text, '\n', (n < len) ? n : len) != NULL) {
        return NUDGE_ERROR;
    }

    if (n <= len) {
        return NUDGE_AGAIN;
    }

    if (text[len] != '\n' || nudge_crc32(text, len) != crc) {
        return NUDGE_ERROR;
    }

    json->data = text;
    json->len = len;

    return NUDGE_OK;
}


/*
 * The end of the damaged line at p.  When it is not in sight, the bytes there
 * are go, but the last, which tells the next call that it stands within
 * garbage; an "N" does not tell that and takes its predecessor with it.
 */

static u_char *
nudge_frame_skip(u_char *p, u_char *end)
{
    u_char  *q;

    q = memchr(p, '\n', end - p);

    if (q != NULL) {
        return q;
    }

    q = end - 1;

    if (q > p && *q == 'N') {
        q--;
    }

    return q;
}


nudge_int_t
nudge_frame_decode(u_char **pos, u_char *end, nudge_str_t *json,
    size_t *skipped)
{
    u_char       *p, *q;
    nudge_int_t   rc;

    p = *pos;

    for ( ;; ) {

        while (p < end && *p == '\n') {
            p++;
        }

        if (p == end) {
            *pos = p;
            return NUDGE_AGAIN;
        }

        rc = nudge_frame_read(p, end, json);

        if (rc == NUDGE_OK) {
            *pos = json->data + json->len + 1;
            return NUDGE_OK;
        }

        if (rc == NUDGE_AGAIN) {
            *pos = p;
            return NUDGE_AGAIN;
        }

        q = nudge_frame_skip(p, end);
        *skipped += q - p;
        p = q;

        if (*p != '\n') {
            *pos = p;
            return NUDGE_AGAIN;
        }
    }
}
