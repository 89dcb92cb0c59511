
/*
 * What the endpoints do: answer an exit intent, take an address, note that a
 * piece was closed, confirm, unsubscribe, follow a link from a mail.
 *
 * Promise: "confirmed" and "unsubscribed" are said only after the journal is
 * on disk; else the page names the address to write to.  A link leads nowhere
 * but to a path of the shop, and only with our own signature.
 */


#include "ngx_http_nudge_endpoint.h"


typedef struct {
    const char                  *page;      /* shown when done */
    nudge_event_type_t           type;
    u_char                       kind;      /* of the token */
} ngx_http_nudge_durable_t;


static ngx_int_t ngx_http_nudge_action_visitor(ngx_http_nudge_endpoint_t *e);
static nudge_str_t ngx_http_nudge_action_offer(ngx_http_nudge_endpoint_t *e,
    nudge_str_t *wording);
static ngx_int_t ngx_http_nudge_action_subscribed(
    ngx_http_nudge_endpoint_t *e);
static ngx_int_t ngx_http_nudge_action_show(ngx_http_nudge_endpoint_t *e,
    u_char kind, const char *page);
static ngx_int_t ngx_http_nudge_action_durable(ngx_http_nudge_endpoint_t *e,
    const ngx_http_nudge_durable_t *d);
static ngx_int_t ngx_http_nudge_action_token(ngx_http_nudge_endpoint_t *e,
    u_char kind, nudge_token_t *token);
static ngx_int_t ngx_http_nudge_action_refused(ngx_http_nudge_endpoint_t *e,
    ngx_int_t rc);
static ngx_int_t ngx_http_nudge_action_append(ngx_http_nudge_endpoint_t *e,
    nudge_event_t *ev);


static const ngx_http_nudge_durable_t  ngx_http_nudge_confirmed = {
    "page/confirmed.html", NUDGE_EVENT_SUBSCRIBE, 'c'
};

static const ngx_http_nudge_durable_t  ngx_http_nudge_unsubscribed = {
    "page/unsubscribed.html", NUDGE_EVENT_UNSUBSCRIBE, 'u'
};

/* what a page may say it is; everything else is just a page */

static const char  *ngx_http_nudge_action_pages[] = {
    "product", "cart", "checkout", "thankyou", "payment", "list", "search",
    "account", NULL
};


ngx_int_t
ngx_http_nudge_action_exit(ngx_http_nudge_endpoint_t *e)
{
    ngx_str_t     html;
    ngx_uint_t    i;
    nudge_str_t   page, said;

    if (ngx_http_nudge_action_visitor(e) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    nudge_str_null(&page);
    said = ngx_http_nudge_endpoint_field(e, "page");

    for (i = 0; ngx_http_nudge_action_pages[i]; i++) {
        if (nudge_str_is(&said, ngx_http_nudge_action_pages[i])) {
            page = nudge_cstr(ngx_http_nudge_action_pages[i]);
            break;
        }
    }

    if (ngx_http_nudge_offer_exit(e->request, e->ctx, &page, &html) != NGX_OK
        || html.len == 0)
    {
        ngx_str_null(&html);
        return ngx_http_nudge_answer(e, NGX_HTTP_NO_CONTENT, NULL, &html);
    }

    return ngx_http_nudge_answer(e, NGX_HTTP_OK, "text/html", &html);
}


/* who it is, and for an exit intent the session as it stands right now */

static ngx_int_t
ngx_http_nudge_action_visitor(ngx_http_nudge_endpoint_t *e)
{
    ngx_http_nudge_ctx_t  *ctx;

    ctx = e->ctx;

    if (!e->identified) {
        e->identified = 1;

        ngx_http_nudge_visitor_identify(e->request, ctx);

        /* an id made up now would never reach its cookie */

        if (!ctx->returning) {
            ctx->identified = 0;
        }

        ctx->personal = ctx->identified;
    }

    if (!ctx->personal) {
        return NGX_OK;
    }

    return ngx_http_nudge_session_wait(e->request, ctx);
}


/*
 * Only an address of plausible form is taken; whether it is the visitor's own
 * is what the mail asks.  A robot that fills the hidden field is told the same
 * as everybody else.
 */

ngx_int_t
ngx_http_nudge_action_subscribe(ngx_http_nudge_endpoint_t *e)
{
    u_char         wording[64];
    nudge_str_t    email, trap;
    nudge_event_t  ev;

    if (ngx_http_nudge_action_visitor(e) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    email = nudge_str_trim(ngx_http_nudge_endpoint_field(e, "email"));
    trap = ngx_http_nudge_endpoint_field(e, "website");

    if (!nudge_email_valid(&email)) {
        return ngx_http_nudge_answer_page(e, NGX_HTTP_BAD_REQUEST,
                                          "page/error.html", NULL,
                                          "bad_address");
    }

    if (trap.len) {
        return ngx_http_nudge_action_subscribed(e);
    }

    ngx_http_nudge_offer_event(e->ctx, &ev, NUDGE_EVENT_SUBSCRIBE);

    ev.text.data = wording;
    ev.text.len = sizeof(wording);
    ev.offer = ngx_http_nudge_action_offer(e, &ev.text);
    ev.email = email;
    nudge_str_set(&ev.method, "form");

    /* typing one's address into this form is the wish to be known by it */

    ev.joinable = 1;

    if (ngx_http_nudge_journal_append(e->shop, &ev) != NGX_OK) {
        return ngx_http_nudge_answer_page(e, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "page/error.html", NULL,
                                          "unavailable");
    }

    if (ev.visitor.len) {
        nudge_str_null(&ev.email);
        (void) ngx_http_nudge_session_apply(e->ctx, &ev, 1, 1);
    }

    return ngx_http_nudge_action_subscribed(e);
}


/* a whole page without the script, a fragment of it with */

static ngx_int_t
ngx_http_nudge_action_subscribed(ngx_http_nudge_endpoint_t *e)
{
    ngx_table_elt_t  *h;

    h = ngx_http_nudge_header(&e->request->headers_in.headers,
                              "x-requested-with", NULL);

    if (h != NULL && h->value.len == sizeof("nudge") - 1
        && ngx_strncmp(h->value.data, "nudge", h->value.len) == 0
        && nudge_bundle_file(e->shop->bundle, "onsite/subscribed.html")
           != NULL)
    {
        return ngx_http_nudge_answer_page(e, NGX_HTTP_OK,
                                          "onsite/subscribed.html", NULL,
                                          NULL);
    }

    return ngx_http_nudge_answer_page(e, NGX_HTTP_OK, "page/subscribed.html",
                                      NULL, NULL);
}


/*
 * The campaign's own copy of the name, or empty.  wording: memory in, what the
 * visitor was shown out: the template and a hash of its text, so that it can
 * be told later what was agreed to (GDPR, article 7(1)).
 */

static nudge_str_t
ngx_http_nudge_action_offer(ngx_http_nudge_endpoint_t *e,
    nudge_str_t *wording)
{
    char               name[128];
    nudge_buf_t        b;
    nudge_str_t        said, none;
    nudge_uint_t       i;
    nudge_file_t      *file;
    nudge_offer_t     *offer;
    nudge_campaign_t  *c;

    c = e->shop->bundle->campaign;
    said = ngx_http_nudge_endpoint_field(e, "offer");

    for (i = 0; i < c->noffers; i++) {
        offer = &c->offers[i];

        if (!nudge_str_eq(&said, &offer->name)) {
            continue;
        }

        if (wording != NULL) {
            (void) snprintf(name, sizeof(name), "onsite/%.*s.html",
                            (int) offer->template.len, offer->template.data);

            file = nudge_bundle_file(e->shop->bundle, name);

            nudge_buf_init(&b, wording->data, wording->len);
            nudge_buf_put(&b, offer->template.data,
                          ngx_min(offer->template.len, wording->len - 20));
            nudge_buf_char(&b, '@');
            nudge_buf_hex(&b, file ? nudge_hash(0, file->text.data,
                                                file->text.len)
                                   : 0,
                          16);

            *wording = nudge_buf_result(&b);
        }

        return offer->name;
    }

    if (wording != NULL) {
        nudge_str_null(wording);
    }

    nudge_str_null(&none);

    return none;
}


ngx_int_t
ngx_http_nudge_action_close(ngx_http_nudge_endpoint_t *e)
{
    ngx_str_t      none;
    nudge_event_t  ev;

    if (ngx_http_nudge_action_visitor(e) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_http_nudge_offer_event(e->ctx, &ev, NUDGE_EVENT_OFFER_CLOSE);
    ev.offer = ngx_http_nudge_action_offer(e, NULL);

    if (ev.offer.len && ev.visitor.len) {
        (void) ngx_http_nudge_journal_append(e->shop, &ev);
        (void) ngx_http_nudge_session_apply(e->ctx, &ev, 1, 0);
    }

    ngx_str_null(&none);

    return ngx_http_nudge_answer(e, NGX_HTTP_NO_CONTENT, NULL, &none);
}


ngx_int_t
ngx_http_nudge_action_confirm_page(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_action_show(e, 'c', "page/confirm.html");
}


ngx_int_t
ngx_http_nudge_action_unsubscribe_page(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_action_show(e, 'u', "page/unsubscribe.html");
}


static ngx_int_t
ngx_http_nudge_action_show(ngx_http_nudge_endpoint_t *e, u_char kind,
    const char *page)
{
    ngx_int_t      rc;
    nudge_str_t    text;
    nudge_token_t  token;

    rc = ngx_http_nudge_action_token(e, kind, &token);

    if (rc != NGX_OK) {
        return ngx_http_nudge_action_refused(e, rc);
    }

    text = ngx_http_nudge_endpoint_field(e, "t");

    return ngx_http_nudge_answer_page(e, NGX_HTTP_OK, page, &text, NULL);
}


ngx_int_t
ngx_http_nudge_action_confirm(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_action_durable(e, &ngx_http_nudge_confirmed);
}


ngx_int_t
ngx_http_nudge_action_unsubscribe(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_action_durable(e, &ngx_http_nudge_unsubscribed);
}


static ngx_int_t
ngx_http_nudge_action_durable(ngx_http_nudge_endpoint_t *e,
    const ngx_http_nudge_durable_t *d)
{
    ngx_int_t      rc;
    nudge_str_t    one_click;
    nudge_event_t  ev;
    nudge_token_t  token;

    if (e->acted) {

        if (e->rc != NGX_OK) {
            return ngx_http_nudge_answer_page(e, NGX_HTTP_SERVICE_UNAVAILABLE,
                                              "page/error.html", NULL,
                                              "unavailable");
        }

        return ngx_http_nudge_answer_page(e, NGX_HTTP_OK, d->page, NULL,
                                          NULL);
    }

    rc = ngx_http_nudge_action_token(e, d->kind, &token);

    if (rc != NGX_OK) {
        return ngx_http_nudge_action_refused(e, rc);
    }

    ngx_http_nudge_offer_event(e->ctx, &ev, d->type);

    ev.contact = token.contact;
    ev.claim = token.claim;

    if (d->type == NUDGE_EVENT_SUBSCRIBE) {
        nudge_str_set(&ev.method, "confirm");

    } else {

        /* RFC 8058, section 3.1 */

        one_click = ngx_http_nudge_endpoint_field(e, "List-Unsubscribe");

        if (nudge_str_is(&one_click, "One-Click")) {
            nudge_str_set(&ev.method, "one-click");

        } else {
            nudge_str_set(&ev.method, "page");
        }
    }

    if (ngx_http_nudge_action_append(e, &ev) != NGX_OK) {
        return ngx_http_nudge_answer_page(e, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "page/error.html", NULL,
                                          "unavailable");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_nudge_action_token(ngx_http_nudge_endpoint_t *e, u_char kind,
    nudge_token_t *token)
{
    nudge_str_t  text;

    text = ngx_http_nudge_endpoint_field(e, "t");

    if (text.len == 0 || text.len > NUDGE_TOKEN_MAX) {
        return NGX_DECLINED;
    }

    return nudge_token_decode(token, e->pool, &text, kind, &e->shop->id,
                              ngx_time(), &e->main->keys);
}


static ngx_int_t
ngx_http_nudge_action_refused(ngx_http_nudge_endpoint_t *e, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return ngx_http_nudge_answer_page(e, 410, "page/error.html", NULL,
                                          "expired");
    }

    return ngx_http_nudge_answer_page(e, NGX_HTTP_NOT_FOUND,
                                      "page/error.html", NULL, "invalid");
}


static ngx_int_t
ngx_http_nudge_action_append(ngx_http_nudge_endpoint_t *e, nudge_event_t *ev)
{
    if (ngx_http_nudge_journal_durable(e->shop, ev,
                                       ngx_http_nudge_endpoint_wake, e,
                                       &e->handle)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_nudge_endpoint_park(e);
}


/*
 * A link out of a mail.  Programs that look at mails follow links, too: a HEAD
 * and what calls itself a robot are sent on and not counted as a person.
 */

ngx_int_t
ngx_http_nudge_action_click(ngx_http_nudge_endpoint_t *e)
{
    u_char         *p;
    ngx_int_t       rc;
    ngx_str_t       location;
    nudge_str_t     target, *url;
    nudge_event_t   ev;
    nudge_token_t   token;

    rc = ngx_http_nudge_action_token(e, 'l', &token);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return ngx_http_nudge_action_refused(e, rc);
    }

    target = nudge_cstr("/");

    if (rc == NGX_OK) {

        if (ngx_http_nudge_piece_path(&token.target)) {
            target = token.target;
        }

        ngx_http_nudge_visitor_identify(e->request, e->ctx);

        if (!e->ctx->returning) {
            e->ctx->identified = 0;
        }

        ngx_http_nudge_offer_event(e->ctx, &ev, NUDGE_EVENT_MESSAGE_CLICK);

        ev.contact = token.contact;
        ev.claim = token.claim;
        ev.url = target;

        if (e->request->method == NGX_HTTP_GET && !e->ctx->bot) {
            (void) ngx_http_nudge_journal_append(e->shop, &ev);
        }
    }

    url = &e->shop->bundle->campaign->shop.url;

    location.len = url->len + target.len;
    location.data = ngx_pnalloc(e->request->pool, location.len);

    if (location.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(location.data, url->data, url->len);
    ngx_memcpy(p, target.data, target.len);

    return ngx_http_nudge_answer_redirect(e, &location);
}
