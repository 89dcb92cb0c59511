
/*
 * Composing a mail: three templates rendered, header fields around them.  The
 * fields come from mime.c, which cannot be talked into a second one; what
 * cannot be said correctly is refused with a reason.
 */


#include "compose.h"
#include "mime.h"


#define COMPOSE_SUBJECT  998
#define COMPOSE_NAME     96         /* "mail/<name>.subject" */


typedef struct {
    const char     *suffix;
    nudge_escape_t  escape;
    size_t          max;
} compose_file_t;


static const char *compose_check(const compose_t *c);
static nudge_int_t compose_render(nudge_pool_t *pool, const compose_t *c,
    const compose_file_t *file, const nudge_value_t *data, nudge_str_t *text,
    const char **reason);
static nudge_int_t compose_id(nudge_pool_t *pool, const compose_t *c,
    compose_message_t *m);
static nudge_int_t compose_headers(nudge_buf_t *b, const compose_t *c,
    const compose_message_t *m, const nudge_str_t *display);
static nudge_int_t compose_reply_to(nudge_buf_t *b, nudge_pool_t *pool,
    const nudge_str_t *reply_to);
static nudge_int_t compose_list(nudge_buf_t *b, const compose_t *c,
    const compose_message_t *m, const nudge_value_t *data);
static void compose_feedback_id(nudge_buf_t *b, const compose_t *c);
static void compose_bodies(nudge_buf_t *b, const compose_t *c,
    const compose_message_t *m);
static void compose_boundary(u_char boundary[32], const compose_t *c,
    const compose_message_t *m);
static nudge_str_t compose_domain(const nudge_str_t *address);
static void compose_label(nudge_buf_t *b, const nudge_str_t *s);


static const compose_file_t  compose_files[] = {
    { "subject", NUDGE_ESCAPE_HEADER, COMPOSE_SUBJECT },
    { "txt",     NUDGE_ESCAPE_NONE,   COMPOSE_MAX },
    { "html",    NUDGE_ESCAPE_HTML,   COMPOSE_MAX }
};


nudge_int_t
compose_message(nudge_pool_t *pool, const compose_t *c, compose_message_t *m,
    const char **reason)
{
    nudge_int_t     rc;
    nudge_str_t     display, *part[3];
    nudge_buf_t     b;
    nudge_uint_t    i;
    nudge_value_t  *data;

    memset(m, 0, sizeof(compose_message_t));

    *reason = compose_check(c);
    if (*reason != NULL) {
        return NUDGE_DECLINED;
    }

    if (mime_split(pool, &c->bundle->campaign->shop.from, &display, &m->from)
        != NULL)
    {
        *reason = "from_invalid";
        return NUDGE_DECLINED;
    }

    m->to = c->email;

    data = compose_data(pool, c);
    if (data == NULL) {
        return NUDGE_ERROR;
    }

    part[0] = &m->subject;
    part[1] = &m->text;
    part[2] = &m->html;

    for (i = 0; i < 3; i++) {
        rc = compose_render(pool, c, &compose_files[i], data, part[i], reason);
        if (rc != NUDGE_OK) {
            return rc;
        }
    }

    m->subject = nudge_str_trim(m->subject);

    if (compose_id(pool, c, m) != NUDGE_OK
        || nudge_buf_grow(&b, pool, 16384, COMPOSE_MAX) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (compose_headers(&b, c, m, &display) != NUDGE_OK
        || compose_reply_to(&b, pool, &c->bundle->campaign->mail.reply_to)
           != NUDGE_OK
        || compose_list(&b, c, m, data) != NUDGE_OK)
    {
        *reason = "header_invalid";
        return NUDGE_DECLINED;
    }

    compose_bodies(&b, c, m);

    if (b.full) {
        *reason = "too_large";
        return NUDGE_DECLINED;
    }

    m->bytes = nudge_buf_result(&b);

    return NUDGE_OK;
}


static const char *
compose_check(const compose_t *c)
{
    size_t       i;
    u_char       ch;
    const char  *reason;

    reason = mime_address(&c->email);
    if (reason != NULL) {
        return reason;
    }

    if (!nudge_email_valid(&c->email)) {
        return "address_invalid";
    }

    if (c->claim.len == 0 || c->claim.len > 64) {
        return "claim_invalid";
    }

    for (i = 0; i < c->claim.len; i++) {
        ch = c->claim.data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
              || (ch >= 'A' && ch <= 'Z') || ch == '-'))
        {
            return "claim_invalid";
        }
    }

    return NULL;
}


static nudge_int_t
compose_render(nudge_pool_t *pool, const compose_t *c,
    const compose_file_t *file, const nudge_value_t *data, nudge_str_t *text,
    const char **reason)
{
    char         name[COMPOSE_NAME];
    nudge_buf_t  b;

    nudge_buf_init(&b, name, sizeof(name) - 1);
    nudge_buf_cstr(&b, "mail/");
    nudge_buf_str(&b, &c->mail);
    nudge_buf_char(&b, '.');
    nudge_buf_cstr(&b, file->suffix);

    if (b.full) {
        *reason = "no_template";
        return NUDGE_DECLINED;
    }

    *b.pos = '\0';

    if (nudge_bundle_file(c->bundle, name) == NULL) {
        *reason = "no_template";
        return NUDGE_DECLINED;
    }

    if (nudge_buf_grow(&b, pool, file->max < 4096 ? file->max : 4096,
                       file->max)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (nudge_bundle_render(c->bundle, name, &b, data, file->escape)
        != NUDGE_OK)
    {
        *reason = b.full ? "too_large" : "template_failed";
        return NUDGE_DECLINED;
    }

    *text = nudge_buf_result(&b);

    return NUDGE_OK;
}


/* claims are unique within a shop, the domain makes them so everywhere */

static nudge_int_t
compose_id(nudge_pool_t *pool, const compose_t *c, compose_message_t *m)
{
    nudge_buf_t  b;
    nudge_str_t  domain;

    if (nudge_buf_grow(&b, pool, 400, 400) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    domain = compose_domain(&m->from);

    nudge_buf_char(&b, '<');
    nudge_buf_str(&b, &c->claim);
    nudge_buf_char(&b, '.');
    compose_label(&b, &c->bundle->campaign->shop.id);
    nudge_buf_char(&b, '@');
    nudge_buf_str(&b, &domain);
    nudge_buf_char(&b, '>');

    if (b.full) {
        return NUDGE_ERROR;
    }

    m->id = nudge_buf_result(&b);

    return NUDGE_OK;
}


static nudge_int_t
compose_headers(nudge_buf_t *b, const compose_t *c, const compose_message_t *m,
    const nudge_str_t *display)
{
    nudge_str_t  none;

    nudge_str_null(&none);

    mime_date(b, c->time);

    if (mime_mailbox(b, "From", display, &m->from) != NUDGE_OK
        || mime_mailbox(b, "To", &none, &m->to) != NUDGE_OK
        || mime_header(b, "Subject", &m->subject) != NUDGE_OK)
    {
        return NUDGE_DECLINED;
    }

    nudge_buf_cstr(b, "Message-ID: ");
    nudge_buf_str(b, &m->id);
    nudge_buf_cstr(b, "\r\nMIME-Version: 1.0\r\n");

    return NUDGE_OK;
}


static nudge_int_t
compose_reply_to(nudge_buf_t *b, nudge_pool_t *pool,
    const nudge_str_t *reply_to)
{
    nudge_str_t  display, address;

    if (reply_to->len == 0) {
        return NUDGE_OK;
    }

    if (mime_split(pool, reply_to, &display, &address) != NULL) {
        return NUDGE_DECLINED;
    }

    return mime_mailbox(b, "Reply-To", &display, &address);
}


/*
 * RFC 2369 and RFC 8058 for marketing; RFC 3834 for what answers a person's
 * own action.  The two kinds never share a stream.
 */

static nudge_int_t
compose_list(nudge_buf_t *b, const compose_t *c, const compose_message_t *m,
    const nudge_value_t *data)
{
    nudge_str_t          domain, path, url;
    const nudge_shop_t  *shop;

    if (!c->marketing) {
        nudge_buf_cstr(b, "Auto-Submitted: auto-generated\r\n");
        compose_feedback_id(b, c);
        return NUDGE_OK;
    }

    shop = &c->bundle->campaign->shop;

    path = nudge_cstr("link.unsubscribe");
    url = nudge_value_str(nudge_value_path(data, &path));

    if (url.len == 0 || url.len > 900 || mime_unsafe(&url)
        || mime_unsafe(&shop->id))
    {
        return NUDGE_DECLINED;
    }

    domain = compose_domain(&m->from);

    nudge_buf_cstr(b, "List-Id: <");
    compose_label(b, &c->flow);
    nudge_buf_char(b, '.');
    nudge_buf_str(b, &domain);
    nudge_buf_cstr(b, ">\r\nList-Unsubscribe: <");
    nudge_buf_str(b, &url);
    nudge_buf_cstr(b, ">\r\nList-Unsubscribe-Post: "
                      "List-Unsubscribe=One-Click\r\n");
    compose_feedback_id(b, c);

    return NUDGE_OK;
}


/* at most four fields, the last one a constant sender id of 5 to 15
 * characters; nothing that names a person */

static void
compose_feedback_id(nudge_buf_t *b, const compose_t *c)
{
    nudge_str_t   id;
    nudge_uint_t  hash;

    id = c->bundle->campaign->shop.id;
    hash = nudge_hash(0, id.data, id.len) & 0xffffffff;

    nudge_buf_cstr(b, "Feedback-ID: ");
    compose_label(b, &c->mail);
    nudge_buf_char(b, ':');
    compose_label(b, &c->flow);
    nudge_buf_char(b, ':');
    compose_label(b, &id);
    nudge_buf_cstr(b, ":nudge-");
    nudge_buf_hex(b, hash, 8);
    nudge_buf_cstr(b, "\r\n");
}


static void
compose_bodies(nudge_buf_t *b, const compose_t *c, const compose_message_t *m)
{
    u_char  boundary[32];

    compose_boundary(boundary, c, m);

    nudge_buf_cstr(b, "Content-Type: multipart/alternative;\r\n boundary=\"");
    nudge_buf_cstr(b, (char *) boundary);
    nudge_buf_cstr(b, "\"\r\n\r\n--");
    nudge_buf_cstr(b, (char *) boundary);
    nudge_buf_cstr(b, "\r\n");

    mime_part(b, "text/plain", &m->text);

    nudge_buf_cstr(b, "\r\n--");
    nudge_buf_cstr(b, (char *) boundary);
    nudge_buf_cstr(b, "\r\n");

    mime_part(b, "text/html", &m->html);

    nudge_buf_cstr(b, "\r\n--");
    nudge_buf_cstr(b, (char *) boundary);
    nudge_buf_cstr(b, "--\r\n");
}


/* "=_" is neither quoted-printable nor base64; a 7bit part is searched */

static void
compose_boundary(u_char boundary[32], const compose_t *c,
    const compose_message_t *m)
{
    uint64_t     hash;
    nudge_buf_t  b;

    hash = nudge_hash(0, c->bundle->campaign->shop.id.data,
                      c->bundle->campaign->shop.id.len);
    hash = nudge_hash(hash, c->claim.data, c->claim.len);

    for ( ;; ) {
        nudge_buf_init(&b, boundary, 31);
        nudge_buf_cstr(&b, "=_nudge_");
        nudge_buf_hex(&b, hash, 16);
        *b.pos = '\0';

        if (nudge_str_find(&m->text, (char *) boundary) == NULL
            && nudge_str_find(&m->html, (char *) boundary) == NULL)
        {
            return;
        }

        hash++;
    }
}


static nudge_str_t
compose_domain(const nudge_str_t *address)
{
    size_t       i;
    nudge_str_t  domain;

    nudge_str_null(&domain);

    for (i = address->len; i > 0; i--) {
        if (address->data[i - 1] == '@') {
            domain.data = address->data + i;
            domain.len = address->len - i;
            break;
        }
    }

    return domain;
}


/* names the marketer chose, as one label of a domain */

static void
compose_label(nudge_buf_t *b, const nudge_str_t *s)
{
    u_char  c;
    size_t  i, n;

    n = s->len > 63 ? 63 : s->len;

    if (n == 0) {
        nudge_buf_cstr(b, "mail");
    }

    for (i = 0; i < n; i++) {
        c = s->data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c == '-' && i > 0 && i < n - 1)))
        {
            c = 'x';
        }

        nudge_buf_char(b, c);
    }
}
