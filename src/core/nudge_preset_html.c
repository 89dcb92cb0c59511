
/*
 * The lines of a cart out of a piece of markup: elements that carry the line's
 * key in an attribute begin one, the text of an element of a given class
 * ("2 x $45.00") gives its quantity and price, and a link its name, page and
 * picture.
 *
 * Not a tokenizer after the standard: a store writes this markup by template,
 * and whatever cannot be made sense of is left out.  Looks at each byte a
 * bounded number of times and copies only values with character references.
 */


#include "nudge_preset_private.h"


#define NUDGE_HTML_TEXT  256


typedef struct {
    u_char       *p;
    u_char       *end;
    nudge_str_t   name;
    nudge_str_t   attributes;
    unsigned      close:1;
} nudge_tag_t;


static nudge_uint_t nudge_html_tag(nudge_tag_t *tag);
static nudge_uint_t nudge_html_attribute(nudge_str_t *rest, nudge_str_t *name,
    nudge_str_t *value);
static nudge_str_t nudge_html_value(nudge_pool_t *pool,
    const nudge_str_t *attributes, const nudge_str_t *name, size_t max);
static void nudge_html_times(nudge_pool_t *pool, nudge_tag_t *tag,
    nudge_item_t *line);
static void nudge_html_link(nudge_pool_t *pool, nudge_tag_t *tag,
    nudge_item_t *line);
static nudge_uint_t nudge_html_inner(nudge_pool_t *pool, nudge_tag_t *tag,
    nudge_str_t *text, nudge_str_t *image);


nudge_uint_t
nudge_preset_html_lines(nudge_pool_t *pool, const nudge_reading_t *reading,
    const nudge_str_t *html, nudge_item_t *lines, nudge_uint_t n,
    nudge_uint_t max)
{
    char           times[64];
    nudge_str_t    key, classes;
    nudge_tag_t    tag;
    nudge_uint_t   i;
    nudge_item_t  *line;

    const nudge_str_t  class = nudge_string("class");

    if (html->len == 0 || reading->times.len >= sizeof(times)) {
        return n;
    }

    if (reading->times.len) {
        memcpy(times, reading->times.data, reading->times.len);
    }

    times[reading->times.len] = '\0';
    memset(&tag, 0, sizeof(nudge_tag_t));
    tag.p = html->data;
    tag.end = html->data + html->len;
    line = NULL;

    while (nudge_html_tag(&tag)) {

        if (tag.close) {
            continue;
        }

        key = nudge_html_value(pool, &tag.attributes, &reading->key, 128);

        if (key.len) {

            /* the same line may be shown twice, and its link as well */

            line = NULL;

            for (i = 0; i < n; i++) {
                if (nudge_str_eq(&lines[i].key, &key)) {
                    break;
                }
            }

            if (i < n || n == max) {
                continue;
            }

            line = &lines[n];
            memset(line, 0, sizeof(nudge_item_t));
            line->key = key;
            line->id = nudge_html_value(pool, &tag.attributes, &reading->id,
                                        128);
            line->sku = nudge_html_value(pool, &tag.attributes, &reading->sku,
                                         128);
            line->quantity = -1;
            line->price = NUDGE_MONEY_NONE;

            if (line->id.len == 0) {
                line = NULL;
                continue;
            }

            n++;
            continue;
        }

        if (line == NULL) {
            continue;
        }

        if (line->name.len == 0 && reading->link.len
            && nudge_str_eq(&tag.name, &reading->link))
        {
            nudge_html_link(pool, &tag, line);
            continue;
        }

        if (line->quantity >= 0 || times[0] == '\0') {
            continue;
        }

        classes = nudge_html_value(pool, &tag.attributes, &class, 512);

        if (classes.len && nudge_html_has_class(&classes, times)) {
            nudge_html_times(pool, &tag, line);
        }
    }

    return n;
}


/* the next tag: true, with p behind it */

static nudge_uint_t
nudge_html_tag(nudge_tag_t *tag)
{
    u_char  *p, *s, quote;

    for (p = tag->p; p < tag->end; p++) {

        p = memchr(p, '<', tag->end - p);

        if (p == NULL) {
            break;
        }

        if (tag->end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
            p = memmem(p + 4, tag->end - p - 4, "-->", 3);

            if (p == NULL) {
                break;
            }

            p += 2;
            continue;
        }

        s = p + 1;
        tag->close = s < tag->end && *s == '/';
        s += tag->close;

        if (s == tag->end || (*s | 0x20) < 'a' || (*s | 0x20) > 'z') {
            continue;
        }

        tag->name.data = s;

        while (s < tag->end && *s > ' ' && *s != '>' && *s != '/') {
            s++;
        }

        tag->name.len = s - tag->name.data;
        tag->attributes.data = s;
        quote = 0;

        for ( /* void */ ; s < tag->end; s++) {
            if (quote) {
                quote = (*s == quote) ? 0 : quote;

            } else if (*s == '"' || *s == '\'') {
                quote = *s;

            } else if (*s == '>') {
                break;
            }
        }

        if (s == tag->end) {
            break;
        }

        tag->attributes.len = s - tag->attributes.data;
        tag->p = s + 1;

        return 1;
    }

    return 0;
}


static nudge_uint_t
nudge_html_attribute(nudge_str_t *rest, nudge_str_t *name, nudge_str_t *value)
{
    u_char  *p, *end, quote;

    p = rest->data;
    end = p + rest->len;
    nudge_str_null(value);

    while (p < end && (*p <= ' ' || *p == '/' || *p == '=')) {
        p++;
    }

    if (p == end) {
        return 0;
    }

    name->data = p;

    while (p < end && *p > ' ' && *p != '=' && *p != '/') {
        p++;
    }

    name->len = p - name->data;

    while (p < end && *p <= ' ') {
        p++;
    }

    if (p < end && *p == '=') {

        for (p++; p < end && *p <= ' '; p++) { /* void */ }

        quote = p < end && (*p == '"' || *p == '\'') ? *p++ : 0;
        value->data = p;

        while (p < end && (quote ? *p != quote : *p > ' ')) {
            p++;
        }

        value->len = p - value->data;
        p += quote && p < end;
    }

    rest->data = p;
    rest->len = end - p;

    return 1;
}


static nudge_str_t
nudge_html_value(nudge_pool_t *pool, const nudge_str_t *attributes,
    const nudge_str_t *name, size_t max)
{
    nudge_str_t  rest, found, value, plain, none;

    nudge_str_null(&none);
    rest = *attributes;

    if (name->len == 0 || rest.len <= name->len) {
        return none;
    }

    while (nudge_html_attribute(&rest, &found, &value)) {

        if (found.len != name->len
            || strncasecmp((char *) found.data, (char *) name->data,
                           name->len) != 0)
        {
            continue;
        }

        if (value.len == 0 || value.len > max) {
            return none;
        }

        if (memchr(value.data, '&', value.len) == NULL) {
            return value;
        }

        return nudge_html_unescape(pool, &plain, &value) == NUDGE_OK ? plain
                                                                     : none;
    }

    return none;
}


/*
 * The text of an element, markup taken out, and the address of the first
 * picture inside.  0 when the element does not end or its text is too long.
 */

static nudge_uint_t
nudge_html_inner(nudge_pool_t *pool, nudge_tag_t *tag, nudge_str_t *text,
    nudge_str_t *image)
{
    u_char       *p, *lt, buf[NUDGE_HTML_TEXT];
    size_t        n, len;
    nudge_str_t   raw, open;
    nudge_uint_t  depth;
    nudge_tag_t   inside;

    const nudge_str_t  src = nudge_string("src");

    n = 0;
    depth = 1;
    inside = *tag;
    open = tag->name;
    nudge_str_null(image);

    while (depth) {
        p = inside.p;

        if (!nudge_html_tag(&inside)) {
            return 0;
        }

        lt = inside.name.data - 1 - inside.close;
        len = lt - p;

        if (len > sizeof(buf) - n) {
            return 0;
        }

        memcpy(buf + n, p, len);
        n += len;

        if (image->len == 0 && nudge_str_case_is(&inside.name, "img")) {
            *image = nudge_html_value(pool, &inside.attributes, &src, 1024);
        }

        if (inside.name.len == open.len
            && strncasecmp((char *) inside.name.data, (char *) open.data,
                           open.len) == 0)
        {
            depth = inside.close ? depth - 1 : depth + 1;
        }
    }

    raw.data = buf;
    raw.len = n;

    if (n == 0 || nudge_html_unescape(pool, text, &raw) != NUDGE_OK) {
        return 0;
    }

    *text = nudge_str_trim(*text);

    return text->len != 0;
}


/* the first link of a line that has a text names the product */

static void
nudge_html_link(nudge_pool_t *pool, nudge_tag_t *tag, nudge_item_t *line)
{
    nudge_str_t  text, image;

    const nudge_str_t  href = nudge_string("href");

    if (!nudge_html_inner(pool, tag, &text, &image)
        || !nudge_utf8_valid(&text))
    {
        return;
    }

    line->name = text;
    line->image = image;
    line->url = nudge_html_value(pool, &tag->attributes, &href, 1024);
}


/* digits first, the rest is a price */

static void
nudge_html_times(nudge_pool_t *pool, nudge_tag_t *tag, nudge_item_t *line)
{
    size_t       i;
    nudge_str_t  text, image, digits;

    if (!nudge_html_inner(pool, tag, &text, &image)) {
        return;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            break;
        }
    }

    if (i == 0 || i > 6) {
        return;
    }

    digits.data = text.data;
    digits.len = i;
    line->quantity = nudge_str_int(&digits);
    text.data += i;
    text.len -= i;
    line->price = nudge_money_parse(&text);
}
