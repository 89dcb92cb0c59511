
/*
 * Header fields and body parts of a mail.  A value that is not plain ASCII, or
 * that cannot be folded, goes out as encoded-words as a whole: simpler than
 * mixing, and never wrong.  Bodies are cut at 76 columns between characters,
 * so that even a client that decodes line by line shows no broken ones.
 */


#include <time.h>

#include "mime.h"


#define MIME_WORD       75          /* RFC 2047 section 2 */
#define MIME_WORD_EDGE  12          /* "=?UTF-8?B?" and "?=" */


/* base64 in lines, fed in pieces */

typedef struct {
    nudge_buf_t    *out;
    uint32_t        acc;
    nudge_uint_t    n;              /* bytes in acc */
    nudge_uint_t    column;
} mime_base64_t;


static nudge_uint_t mime_plain(const nudge_str_t *s);
static nudge_uint_t mime_atoms(const nudge_str_t *s);
static void mime_folded(nudge_buf_t *b, const nudge_str_t *s,
    nudge_uint_t column);
static nudge_uint_t mime_words(nudge_buf_t *b, const nudge_str_t *s,
    nudge_uint_t column);
static nudge_uint_t mime_word_q(nudge_buf_t *b, u_char *p, u_char *end);
static nudge_uint_t mime_q_literal(u_char c);
static void mime_quoted(nudge_buf_t *b, const nudge_str_t *s);
static nudge_uint_t mime_line(u_char **p, u_char *end, nudge_str_t *line);
static nudge_uint_t mime_7bit(const nudge_str_t *text);
static nudge_uint_t mime_base64_is_shorter(const nudge_str_t *text);
static void mime_qp_line(nudge_buf_t *b, const nudge_str_t *line);
static void mime_base64_put(mime_base64_t *e, const u_char *p, size_t n);
static void mime_base64_end(mime_base64_t *e);


static const char  mime_hex[] = "0123456789ABCDEF";
static const char  mime_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


nudge_uint_t
mime_unsafe(const nudge_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}


nudge_int_t
mime_header(nudge_buf_t *b, const char *name, const nudge_str_t *value)
{
    nudge_uint_t  column;

    if (mime_unsafe(value)) {
        return NUDGE_DECLINED;
    }

    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, ": ");
    column = strlen(name) + 2;

    if (mime_plain(value)) {
        mime_folded(b, value, column);

    } else {
        (void) mime_words(b, value, column);
    }

    nudge_buf_cstr(b, "\r\n");

    return NUDGE_OK;
}


nudge_int_t
mime_mailbox(nudge_buf_t *b, const char *name, const nudge_str_t *display,
    const nudge_str_t *address)
{
    nudge_uint_t  column;

    if (mime_unsafe(display) || mime_unsafe(address)) {
        return NUDGE_DECLINED;
    }

    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, ": ");

    if (display->len == 0) {
        nudge_buf_str(b, address);
        nudge_buf_cstr(b, "\r\n");
        return NUDGE_OK;
    }

    column = strlen(name) + 2;

    if (!mime_plain(display) || column + display->len > MIME_LINE - 8) {
        column = mime_words(b, display, column);

    } else if (mime_atoms(display)) {
        nudge_buf_str(b, display);
        column += display->len;

    } else {
        mime_quoted(b, display);
        column += 2 * display->len + 2;
    }

    if (column + 3 + address->len > MIME_LINE) {
        nudge_buf_cstr(b, "\r\n");
    }

    nudge_buf_cstr(b, " <");
    nudge_buf_str(b, address);
    nudge_buf_cstr(b, ">\r\n");

    return NUDGE_OK;
}


/* may stand as it is: folds at single spaces, hides no encoded-word */

static nudge_uint_t
mime_plain(const nudge_str_t *s)
{
    size_t  i, word;

    word = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] >= 0x7f) {
            return 0;
        }

        if (s->data[i] == ' ') {
            if (word == 0) {
                return 0;
            }

            word = 0;
            continue;
        }

        if (++word > 60) {
            return 0;
        }

        if (s->data[i] == '=' && i + 1 < s->len && s->data[i + 1] == '?') {
            return 0;
        }
    }

    return s->len == 0 || word != 0;
}


static nudge_uint_t
mime_atoms(const nudge_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] != ' ' && !mime_atext(s->data[i])) {
            return 0;
        }
    }

    return 1;
}


static void
mime_folded(nudge_buf_t *b, const nudge_str_t *s, nudge_uint_t column)
{
    u_char  *p, *end, *word;

    p = s->data;
    end = s->data + s->len;

    while (p < end) {
        word = p;

        while (p < end && *p != ' ') {
            p++;
        }

        if (word != s->data) {

            if (column + 1 + (nudge_uint_t) (p - word) > MIME_LINE) {
                nudge_buf_cstr(b, "\r\n");
                column = 0;
            }

            nudge_buf_char(b, ' ');
            column++;
        }

        nudge_buf_put(b, word, p - word);
        column += p - word;

        if (p < end) {
            p++;
        }
    }
}


/*
 * s as encoded-words.  Each holds whole characters (RFC 2047 section 5, 3) and
 * is written in whichever of Q and B is shorter for it.  Bytes that are not
 * UTF-8 leave as U+FFFD.  Returns the column reached.
 */

static nudge_uint_t
mime_words(nudge_buf_t *b, const nudge_str_t *s, nudge_uint_t column)
{
    u_char         *p, *end, raw[MIME_WORD];
    size_t          n, q, size, cost;
    uint32_t        c;
    u_char          utf8[4];
    u_char         *last;
    nudge_uint_t    room, i;
    mime_base64_t   e;

    p = s->data;
    end = s->data + s->len;

    do {
        room = MIME_LINE - column;

        if (room > MIME_WORD) {
            room = MIME_WORD;
        }

        room -= MIME_WORD_EDGE;
        n = 0;
        q = 0;

        while (p < end) {
            last = p;
            c = nudge_utf8_decode(&p, end);
            size = nudge_utf8_encode(utf8, c);
            cost = 0;

            for (i = 0; i < size; i++) {
                cost += mime_q_literal(utf8[i]) ? 1 : 3;
            }

            if ((q + cost > room && (n + size + 2) / 3 * 4 > room)
                || n + size > sizeof(raw))
            {
                p = last;
                break;
            }

            memcpy(raw + n, utf8, size);
            n += size;
            q += cost;
        }

        if (q <= room && q <= (n + 2) / 3 * 4) {
            nudge_buf_cstr(b, "=?UTF-8?Q?");
            column += mime_word_q(b, raw, raw + n);

        } else {
            nudge_buf_cstr(b, "=?UTF-8?B?");
            memset(&e, 0, sizeof(mime_base64_t));
            e.out = b;
            mime_base64_put(&e, raw, n);
            mime_base64_end(&e);
            column += e.column;
        }

        nudge_buf_cstr(b, "?=");
        column += MIME_WORD_EDGE;

        if (p < end) {
            nudge_buf_cstr(b, "\r\n ");
            column = 1;
        }

    } while (p < end);

    return column;
}


static nudge_uint_t
mime_word_q(nudge_buf_t *b, u_char *p, u_char *end)
{
    nudge_uint_t  column;

    for (column = 0; p < end; p++) {

        if (*p == ' ') {
            nudge_buf_char(b, '_');
            column++;

        } else if (mime_q_literal(*p)) {
            nudge_buf_char(b, *p);
            column++;

        } else {
            nudge_buf_char(b, '=');
            nudge_buf_char(b, mime_hex[*p >> 4]);
            nudge_buf_char(b, mime_hex[*p & 0xf]);
            column += 3;
        }
    }

    return column;
}


/* RFC 2047 section 5, 3: what may stand in a word within a phrase */

static nudge_uint_t
mime_q_literal(u_char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z') || c == ' ' || c == '!' || c == '*'
           || c == '+' || c == '-' || c == '/';
}


static void
mime_quoted(nudge_buf_t *b, const nudge_str_t *s)
{
    size_t  i;

    nudge_buf_char(b, '"');

    for (i = 0; i < s->len; i++) {
        if (s->data[i] == '"' || s->data[i] == '\\') {
            nudge_buf_char(b, '\\');
        }

        nudge_buf_char(b, s->data[i]);
    }

    nudge_buf_char(b, '"');
}


void
mime_date(nudge_buf_t *b, int64_t seconds)
{
    time_t              t;
    struct tm           tm;
    static const char  *days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
                                   "Sat" };
    static const char  *months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov",
                                     "Dec" };

    t = (time_t) seconds;

    /* strftime() would follow the locale; the names here must not */

    if (gmtime_r(&t, &tm) == NULL) {
        t = 0;
        gmtime_r(&t, &tm);
    }

    nudge_buf_cstr(b, "Date: ");
    nudge_buf_cstr(b, days[tm.tm_wday]);
    nudge_buf_cstr(b, ", ");
    nudge_buf_int(b, tm.tm_mday);
    nudge_buf_char(b, ' ');
    nudge_buf_cstr(b, months[tm.tm_mon]);
    nudge_buf_char(b, ' ');
    nudge_buf_int(b, (int64_t) tm.tm_year + 1900);
    nudge_buf_char(b, ' ');
    nudge_buf_char(b, '0' + tm.tm_hour / 10);
    nudge_buf_char(b, '0' + tm.tm_hour % 10);
    nudge_buf_char(b, ':');
    nudge_buf_char(b, '0' + tm.tm_min / 10);
    nudge_buf_char(b, '0' + tm.tm_min % 10);
    nudge_buf_char(b, ':');
    nudge_buf_char(b, '0' + tm.tm_sec / 10);
    nudge_buf_char(b, '0' + tm.tm_sec % 10);
    nudge_buf_cstr(b, " +0000\r\n");
}


void
mime_part(nudge_buf_t *b, const char *type, const nudge_str_t *text)
{
    u_char         *p, *end;
    nudge_str_t     line;
    mime_base64_t   e;

    nudge_buf_cstr(b, "Content-Type: ");
    nudge_buf_cstr(b, type);
    nudge_buf_cstr(b, "; charset=UTF-8\r\nContent-Transfer-Encoding: ");

    p = text->data;
    end = text->data + text->len;

    if (mime_7bit(text)) {
        nudge_buf_cstr(b, "7bit\r\n\r\n");

        while (mime_line(&p, end, &line)) {
            nudge_buf_str(b, &line);
            nudge_buf_cstr(b, "\r\n");
        }

        return;
    }

    if (!mime_base64_is_shorter(text)) {
        nudge_buf_cstr(b, "quoted-printable\r\n\r\n");

        while (mime_line(&p, end, &line)) {
            mime_qp_line(b, &line);
        }

        return;
    }

    nudge_buf_cstr(b, "base64\r\n\r\n");
    memset(&e, 0, sizeof(mime_base64_t));
    e.out = b;

    while (mime_line(&p, end, &line)) {
        mime_base64_put(&e, line.data, line.len);
        mime_base64_put(&e, (const u_char *) "\r\n", 2);
    }

    mime_base64_end(&e);

    if (e.column) {
        nudge_buf_cstr(b, "\r\n");
    }
}


static nudge_uint_t
mime_line(u_char **p, u_char *end, nudge_str_t *line)
{
    u_char  *q;

    if (*p == NULL || *p >= end) {
        return 0;
    }

    for (q = *p; q < end && *q != '\r' && *q != '\n'; q++) { /* void */ }

    line->data = *p;
    line->len = q - *p;

    if (q + 1 < end && q[0] == '\r' && q[1] == '\n') {
        q++;
    }

    *p = q + 1;

    return 1;
}


/* a line that begins with "." or "From " survives SMTP, but not every mailbox
 * on the way: such a text is encoded */

static nudge_uint_t
mime_7bit(const nudge_str_t *text)
{
    u_char       *p, *end;
    size_t        i;
    nudge_str_t   line;

    p = text->data;
    end = text->data + text->len;

    while (mime_line(&p, end, &line)) {

        if (line.len > MIME_LINE
            || (line.len && line.data[0] == '.')
            || nudge_str_starts(&line, "From ")
            || (line.len && (line.data[line.len - 1] == ' '
                             || line.data[line.len - 1] == '\t')))
        {
            return 0;
        }

        for (i = 0; i < line.len; i++) {
            if ((line.data[i] < 0x20 && line.data[i] != '\t')
                || line.data[i] >= 0x7f)
            {
                return 0;
            }
        }
    }

    return 1;
}


static nudge_uint_t
mime_base64_is_shorter(const nudge_str_t *text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text->len; i++) {
        n += (text->data[i] >= 0x7f || text->data[i] == '=') ? 3 : 1;
    }

    return text->len / 3 * 4 < n;
}


static void
mime_qp_line(nudge_buf_t *b, const nudge_str_t *line)
{
    u_char        *p, *end, *next, c;
    nudge_uint_t   column, cost, literal;

    p = line->data;
    end = line->data + line->len;
    column = 0;

    while (p < end) {
        c = *p;
        next = p;
        (void) nudge_utf8_decode(&next, end);

        literal = (c >= 0x21 && c <= 0x7e && c != '=')
                  || ((c == ' ' || c == '\t') && next < end);

        if (column == 0 && (c == '.' || (c == 'F' && end - p >= 5
                                         && memcmp(p, "From ", 5) == 0)))
        {
            literal = 0;
        }

        cost = literal ? 1 : 3 * (next - p);

        /* the last column belongs to the "=" of a soft line break */

        if (column + cost > MIME_LINE - (next < end)) {
            nudge_buf_cstr(b, "=\r\n");
            column = 0;
            continue;
        }

        column += cost;

        if (literal) {
            nudge_buf_char(b, c);
            p = next;
            continue;
        }

        for ( /* void */ ; p < next; p++) {
            nudge_buf_char(b, '=');
            nudge_buf_char(b, mime_hex[*p >> 4]);
            nudge_buf_char(b, mime_hex[*p & 0xf]);
        }
    }

    nudge_buf_cstr(b, "\r\n");
}


static void
mime_base64_put(mime_base64_t *e, const u_char *p, size_t n)
{
    for ( /* void */ ; n; p++, n--) {
        e->acc = e->acc << 8 | *p;

        if (++e->n < 3) {
            continue;
        }

        if (e->column == MIME_LINE) {
            nudge_buf_cstr(e->out, "\r\n");
            e->column = 0;
        }

        nudge_buf_char(e->out, mime_alphabet[e->acc >> 18 & 63]);
        nudge_buf_char(e->out, mime_alphabet[e->acc >> 12 & 63]);
        nudge_buf_char(e->out, mime_alphabet[e->acc >> 6 & 63]);
        nudge_buf_char(e->out, mime_alphabet[e->acc & 63]);

        e->column += 4;
        e->acc = 0;
        e->n = 0;
    }
}


static void
mime_base64_end(mime_base64_t *e)
{
    if (e->n == 0) {
        return;
    }

    e->acc <<= e->n == 1 ? 16 : 8;

    if (e->column == MIME_LINE) {
        nudge_buf_cstr(e->out, "\r\n");
        e->column = 0;
    }

    nudge_buf_char(e->out, mime_alphabet[e->acc >> 18 & 63]);
    nudge_buf_char(e->out, mime_alphabet[e->acc >> 12 & 63]);
    nudge_buf_char(e->out, e->n == 1 ? '='
                                     : mime_alphabet[e->acc >> 6 & 63]);
    nudge_buf_char(e->out, '=');

    e->column += 4;
    e->n = 0;
}
