
/*
 * Bodies and query strings to fields.  Nothing here trusts its input: lengths
 * decide, bytes that are not UTF-8 become U+FFFD, a secret's value is never
 * even decoded.
 */


#include "nudge_form.h"


#define NUDGE_FORM_FIRST     16
#define NUDGE_FORM_BOUNDARY  70         /* RFC 2046, section 5.1.1 */


typedef struct {
    nudge_str_t         name;
    nudge_str_t         value;      /* text after the header's end */
    unsigned            named:1;
    unsigned            file:1;
} nudge_part_t;


static nudge_int_t nudge_form_push(nudge_pool_t *pool, nudge_form_t *form,
    const nudge_str_t *name, const nudge_str_t *value);
static nudge_int_t nudge_form_decode(nudge_pool_t *pool, const nudge_str_t *s,
    nudge_str_t *dst);
static nudge_int_t nudge_form_utf8(nudge_pool_t *pool, const nudge_str_t *s,
    nudge_str_t *dst);
static nudge_int_t nudge_form_boundary(const nudge_str_t *content_type,
    nudge_str_t *boundary);
static u_char *nudge_form_delimiter(u_char *p, u_char *end,
    const nudge_str_t *boundary, u_char **after);
static u_char *nudge_form_part(nudge_pool_t *pool, u_char *p, u_char *end,
    nudge_part_t *part);
static nudge_int_t nudge_form_disposition(nudge_pool_t *pool, nudge_str_t line,
    nudge_part_t *part);
static nudge_uint_t nudge_form_parameter(nudge_str_t *line,
    nudge_str_t *name, nudge_str_t *value, nudge_uint_t *quoted);


static nudge_int_t
nudge_form_push(nudge_pool_t *pool, nudge_form_t *form,
    const nudge_str_t *name, const nudge_str_t *value)
{
    nudge_uint_t    n;
    nudge_field_t  *fields;

    n = form->n;

    /* full at 16, 32, 64 ... fields */

    if (n == 0 || (n >= NUDGE_FORM_FIRST && (n & (n - 1)) == 0)) {
        fields = nudge_palloc(pool, (n ? n * 2 : NUDGE_FORM_FIRST)
                                    * sizeof(nudge_field_t));
        if (fields == NULL) {
            return NUDGE_ERROR;
        }

        if (n) {
            memcpy(fields, form->fields, n * sizeof(nudge_field_t));
        }

        form->fields = fields;
    }

    form->fields[n].name = *name;
    form->fields[n].value = *value;
    form->n++;

    return NUDGE_OK;
}


static int
nudge_form_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* "+" is a space and a "%" without two digits stands for itself: WHATWG URL,
 * application/x-www-form-urlencoded parsing */

static nudge_int_t
nudge_form_decode(nudge_pool_t *pool, const nudge_str_t *s, nudge_str_t *dst)
{
    size_t       i;
    u_char      *p;
    nudge_str_t  raw;

    raw.data = nudge_palloc(pool, s->len);
    if (raw.data == NULL) {
        return NUDGE_ERROR;
    }

    p = raw.data;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '+') {
            *p++ = ' ';

        } else if (s->data[i] == '%' && s->len - i > 2
                   && nudge_form_hex(s->data[i + 1]) >= 0
                   && nudge_form_hex(s->data[i + 2]) >= 0)
        {
            *p++ = (u_char) (nudge_form_hex(s->data[i + 1]) << 4
                             | nudge_form_hex(s->data[i + 2]));
            i += 2;

        } else {
            *p++ = s->data[i];
        }
    }

    raw.len = p - raw.data;

    if (nudge_utf8_valid(&raw)) {
        *dst = raw;
        return NUDGE_OK;
    }

    return nudge_form_utf8(pool, &raw, dst);
}


/* a bad byte grows to the three of U+FFFD */

static nudge_int_t
nudge_form_utf8(nudge_pool_t *pool, const nudge_str_t *s, nudge_str_t *dst)
{
    u_char  *p, *q, *end;

    if (nudge_utf8_valid(s)) {
        return nudge_pstrdup(pool, dst, s);
    }

    q = nudge_palloc(pool, s->len * 3);
    if (q == NULL) {
        return NUDGE_ERROR;
    }

    dst->data = q;
    end = s->data + s->len;

    for (p = s->data; p < end; /* void */ ) {
        q += nudge_utf8_encode(q, nudge_utf8_decode(&p, end));
    }

    dst->len = q - dst->data;

    return NUDGE_OK;
}


nudge_int_t
nudge_form_urlencoded(nudge_pool_t *pool, const nudge_str_t *text,
    nudge_form_t *form)
{
    u_char       *p, *end, *amp, *eq;
    nudge_str_t   name, value, raw;

    memset(form, 0, sizeof(nudge_form_t));

    if (text->len == 0) {
        return NUDGE_OK;
    }

    p = text->data;
    end = p + text->len;

    for ( /* void */ ; p < end && form->n < NUDGE_FORM_FIELDS; p = amp + 1) {
        amp = memchr(p, '&', end - p);

        if (amp == NULL) {
            amp = end;
        }

        if (amp == p) {
            continue;
        }

        eq = memchr(p, '=', amp - p);

        if (eq == NULL) {
            eq = amp;
        }

        raw.data = p;
        raw.len = eq - p;

        if (nudge_form_decode(pool, &raw, &name) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        if (nudge_form_secret(&name)) {
            continue;
        }

        raw.data = (eq == amp) ? amp : eq + 1;
        raw.len = amp - raw.data;

        if (nudge_form_decode(pool, &raw, &value) != NUDGE_OK
            || nudge_form_push(pool, form, &name, &value) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/*
 * Takes one "; name=value" off the front of a header's parameters.  A quoted
 * value comes without its quotes, its backslashes still in it.
 */

static nudge_uint_t
nudge_form_parameter(nudge_str_t *line, nudge_str_t *name,
    nudge_str_t *value, nudge_uint_t *quoted)
{
    u_char  *p, *end;

    p = line->data;
    end = p + line->len;

    while (p < end && (*p == ';' || *p == ' ' || *p == '\t')) {
        p++;
    }

    if (p == end) {
        return 0;
    }

    name->data = p;

    while (p < end && *p != '=' && *p != ';') {
        p++;
    }

    name->len = p - name->data;
    *name = nudge_str_trim(*name);

    value->data = p;
    value->len = 0;
    *quoted = 0;

    if (p < end && *p == '=') {
        p++;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        *quoted = (p < end && *p == '"');
        value->data = p + *quoted;

        for (p = value->data; p < end; p++) {
            if (*quoted && *p == '\\' && end - p > 1) {
                p++;

            } else if (*p == (*quoted ? '"' : ';')) {
                break;
            }
        }

        value->len = p - value->data;

        if (!*quoted) {
            *value = nudge_str_trim(*value);
        }

        while (p < end && *p != ';') {
            p++;
        }
    }

    line->data = p;
    line->len = end - p;

    return 1;
}


static nudge_int_t
nudge_form_boundary(const nudge_str_t *content_type, nudge_str_t *boundary)
{
    u_char        *p;
    nudge_str_t    type, line, name, value;
    nudge_uint_t   quoted;

    p = NULL;

    if (content_type->len) {
        p = memchr(content_type->data, ';', content_type->len);
    }

    if (p == NULL) {
        return NUDGE_DECLINED;
    }

    type.data = content_type->data;
    type.len = p - type.data;
    type = nudge_str_trim(type);

    if (!nudge_str_case_is(&type, "multipart/form-data")) {
        return NUDGE_DECLINED;
    }

    line.data = p;
    line.len = content_type->data + content_type->len - p;

    while (nudge_form_parameter(&line, &name, &value, &quoted)) {

        if (!nudge_str_case_is(&name, "boundary")) {
            continue;
        }

        if (value.len == 0 || value.len > NUDGE_FORM_BOUNDARY
            || memchr(value.data, '\\', value.len) != NULL)
        {
            return NUDGE_DECLINED;
        }

        *boundary = value;

        return NUDGE_OK;
    }

    return NUDGE_DECLINED;
}


/*
 * The next delimiter line at or after p, which stands at the beginning of a
 * line: the address where the content before it ends, and in *after what
 * follows it, NULL behind the closing one.  NULL when there is none, or not
 * all of it.
 */

static u_char *
nudge_form_delimiter(u_char *p, u_char *end, const nudge_str_t *boundary,
    u_char **after)
{
    u_char  *line, *q, *content;

    content = p;
    line = p;

    while ((size_t) (end - line) > boundary->len + 2) {

        q = line + 2 + boundary->len;

        if (line[0] == '-' && line[1] == '-'
            && memcmp(line + 2, boundary->data, boundary->len) == 0)
        {
            if (end - q >= 2 && q[0] == '-' && q[1] == '-') {
                *after = NULL;
                return content;
            }

            while (q < end && (*q == ' ' || *q == '\t')) {
                q++;
            }

            if (end - q >= 2 && q[0] == '\r' && q[1] == '\n') {
                *after = q + 2;
                return content;
            }

            if (q < end && *q == '\n') {
                *after = q + 1;
                return content;
            }
        }

        line = memchr(line, '\n', end - line);
        if (line == NULL) {
            return NULL;
        }

        /* the line break belongs to the delimiter, not to the content */

        content = (line > p && line[-1] == '\r') ? line - 1 : line;
        line++;
    }

    return NULL;
}


/* "\"" and "\\" are undone; browsers write %22, which stays as PHP has it */

static nudge_int_t
nudge_form_disposition(nudge_pool_t *pool, nudge_str_t line,
    nudge_part_t *part)
{
    size_t        i;
    u_char       *p;
    nudge_str_t   name, value, raw;
    nudge_uint_t  quoted;

    while (nudge_form_parameter(&line, &name, &value, &quoted)) {

        if (nudge_str_case_is(&name, "filename")
            || nudge_str_case_is(&name, "filename*"))
        {
            part->file = 1;
            continue;
        }

        if (part->named || !nudge_str_case_is(&name, "name")) {
            continue;
        }

        raw.data = nudge_palloc(pool, value.len);
        if (raw.data == NULL) {
            return NUDGE_ERROR;
        }

        p = raw.data;

        for (i = 0; i < value.len; i++) {
            if (quoted && value.data[i] == '\\' && i + 1 < value.len) {
                i++;
            }

            *p++ = value.data[i];
        }

        raw.len = p - raw.data;
        part->named = 1;

        if (nudge_form_utf8(pool, &raw, &part->name) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/* reads a part's header; where its content starts, or NULL without memory */

static u_char *
nudge_form_part(nudge_pool_t *pool, u_char *p, u_char *end,
    nudge_part_t *part)
{
    u_char       *eol, *colon;
    nudge_str_t   line, name;

    memset(part, 0, sizeof(nudge_part_t));

    while (p < end) {
        eol = memchr(p, '\n', end - p);
        if (eol == NULL) {
            return end;
        }

        line.data = p;
        line.len = eol - p;
        line = nudge_str_trim(line);
        p = eol + 1;

        if (line.len == 0) {
            break;
        }

        colon = memchr(line.data, ':', line.len);
        if (colon == NULL) {
            continue;
        }

        name.data = line.data;
        name.len = colon - line.data;

        if (!nudge_str_case_is(&name, "content-disposition")) {
            continue;
        }

        line.len -= name.len + 1;
        line.data = colon + 1;

        if (nudge_form_disposition(pool, line, part) != NUDGE_OK) {
            return NULL;
        }
    }

    return p;
}


nudge_int_t
nudge_form_multipart(nudge_pool_t *pool, const nudge_str_t *content_type,
    const nudge_str_t *body, nudge_form_t *form)
{
    u_char        *p, *end, *content, *after;
    nudge_str_t    boundary, raw, value;
    nudge_part_t   part;

    memset(form, 0, sizeof(nudge_form_t));

    if (nudge_form_boundary(content_type, &boundary) != NUDGE_OK) {
        return NUDGE_DECLINED;
    }

    if (body->len == 0) {
        return NUDGE_OK;
    }

    end = body->data + body->len;

    /* what stands before the first delimiter is a preamble */

    if (nudge_form_delimiter(body->data, end, &boundary, &p) == NULL) {
        return NUDGE_OK;
    }

    while (p != NULL && form->n < NUDGE_FORM_FIELDS) {
        content = nudge_form_part(pool, p, end, &part);
        if (content == NULL) {
            return NUDGE_ERROR;
        }

        p = nudge_form_delimiter(content, end, &boundary, &after);
        if (p == NULL) {
            break;
        }

        raw.data = content;
        raw.len = p - content;
        p = after;

        if (!part.named || part.file || nudge_form_secret(&part.name)) {
            continue;
        }

        if (nudge_form_utf8(pool, &raw, &value) != NUDGE_OK
            || nudge_form_push(pool, form, &part.name, &value) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


nudge_str_t *
nudge_form_get(const nudge_form_t *form, const nudge_str_t *name)
{
    nudge_uint_t  i;

    for (i = form->n; i > 0; i--) {
        if (nudge_str_eq(&form->fields[i - 1].name, name)) {
            return &form->fields[i - 1].value;
        }
    }

    return NULL;
}


/*
 * Some of these words are unmistakable wherever they stand; the short ones
 * only as a word of their own ("pin" also lives in "shipping"), which ends at
 * anything but a letter and at "aB".
 */

nudge_uint_t
nudge_form_secret(const nudge_str_t *name)
{
    size_t        i, j, n;
    u_char        c, lower[128];
    nudge_str_t   s;
    nudge_uint_t  k;

    static const char  *inside[] = {
        "passw", "passphrase", "card", "ccnum", "cvv", "cvc", "iban", "secret",
        NULL
    };

    static const char  *words[] = {
        "pass", "pwd", "pin", "cc", "csc", NULL
    };

    /* longer names are no form's own: their beginning and end must do */

    n = 0;

    for (i = 0; i < name->len; i++) {
        if (n == sizeof(lower) / 2 && name->len - i > sizeof(lower) / 2) {
            i = name->len - sizeof(lower) / 2;
        }

        c = name->data[i];
        lower[n++] = (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
    }

    s.data = lower;
    s.len = n;

    for (k = 0; inside[k]; k++) {
        if (nudge_str_find(&s, inside[k]) != NULL) {
            return 1;
        }
    }

    for (i = 0; i < name->len; i = j) {

        for (j = i; j < name->len; j++) {
            c = name->data[j];

            if ((c | 0x20) < 'a' || (c | 0x20) > 'z'
                || (j > i && c <= 'Z' && name->data[j - 1] >= 'a'))
            {
                break;
            }
        }

        s.data = name->data + i;
        s.len = j - i;

        for (k = 0; words[k]; k++) {
            if (nudge_str_case_is(&s, words[k])) {
                return 1;
            }
        }

        if (j == i || (j < name->len && ((name->data[j] | 0x20) < 'a'
                                         || (name->data[j] | 0x20) > 'z')))
        {
            j++;
        }
    }

    return 0;
}
