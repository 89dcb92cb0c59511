
/*
 * How things are, as one JSON object, for those nudge_status allows: counters
 * with the reasons why pieces were not shown, breaker, journal, sender, shops.
 */


#include "ngx_http_nudge_endpoint.h"


#define NGX_HTTP_NUDGE_STATUS_MAX  65536


static ngx_uint_t ngx_http_nudge_status_allowed(ngx_http_nudge_endpoint_t *e);
static void ngx_http_nudge_status_shops(ngx_http_nudge_endpoint_t *e,
    nudge_buf_t *b);
static void ngx_http_nudge_status_shop(ngx_http_nudge_endpoint_t *e,
    ngx_http_nudge_shop_t *shop, nudge_buf_t *b);


ngx_int_t
ngx_http_nudge_status(ngx_http_nudge_endpoint_t *e)
{
    ngx_str_t    body;
    nudge_buf_t  b;
    nudge_str_t  text;

    if (!ngx_http_nudge_status_allowed(e)) {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_FORBIDDEN, "forbidden");
    }

    /* the sender's own report is a file, and files are a thread's business;
     * without it the rest is told */

    if (!e->acted
        && ngx_http_nudge_sender_refresh(e->main, ngx_http_nudge_endpoint_wake,
                                         e, &e->handle)
           == NGX_OK
        && ngx_http_nudge_endpoint_park(e) == NGX_OK)
    {
        return NGX_AGAIN;
    }

    if (nudge_buf_grow(&b, e->pool, 4096, NGX_HTTP_NUDGE_STATUS_MAX)
        != NUDGE_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    nudge_buf_cstr(&b, "{\"version\":\"" NGX_HTTP_NUDGE_VERSION
                       "\",\"nginx\":\"" NGINX_VERSION "\",\"time\":");
    nudge_buf_int(&b, ngx_http_nudge_now());

    nudge_buf_cstr(&b, ",\"counters\":{");
    ngx_http_nudge_zone_status(e->main->zone, &b);

    nudge_buf_cstr(&b, "},");
    ngx_http_nudge_memcached_status(&b);

    nudge_buf_cstr(&b, ",");
    ngx_http_nudge_journal_status(&b);

    nudge_buf_cstr(&b, ",");
    ngx_http_nudge_sender_status(&b);

    nudge_buf_cstr(&b, ",\"shops\":[");
    ngx_http_nudge_status_shops(e, &b);
    nudge_buf_cstr(&b, "]}\n");

    if (b.full) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text = nudge_buf_result(&b);

    body.len = text.len;
    body.data = text.data;

    return ngx_http_nudge_answer(e, NGX_HTTP_OK, "application/json", &body);
}


/* without nudge_status: this host */

static ngx_uint_t
ngx_http_nudge_status_allowed(ngx_http_nudge_endpoint_t *e)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = e->request->connection->sockaddr;

    if (e->conf->status != NULL) {
        return ngx_cidr_match(sa, e->conf->status) == NGX_OK;
    }

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)
                   && sin6->sin6_addr.s6_addr[12] == 127);
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif
    }

    return 0;
}


static void
ngx_http_nudge_status_shops(ngx_http_nudge_endpoint_t *e, nudge_buf_t *b)
{
    ngx_uint_t               i;
    ngx_http_nudge_shop_t  **shop;

    shop = e->main->shops.elts;

    for (i = 0; i < e->main->shops.nelts; i++) {

        if (i != 0) {
            nudge_buf_char(b, ',');
        }

        ngx_http_nudge_status_shop(e, shop[i], b);
    }
}


static void
ngx_http_nudge_status_shop(ngx_http_nudge_endpoint_t *e,
    ngx_http_nudge_shop_t *shop, nudge_buf_t *b)
{
    const char   *why;
    nudge_str_t   text;

    nudge_buf_cstr(b, "{\"id\":");
    nudge_buf_json(b, &shop->id);

    if (shop->bundle == NULL) {
        nudge_buf_cstr(b, ",\"campaign\":null,\"sending\":false,"
                          "\"why\":\"capture only: no campaign file\"}");
        return;
    }

    nudge_buf_cstr(b, ",\"campaign\":");
    text = ngx_http_nudge_str(shop->campaign);
    nudge_buf_json(b, &text);

    why = nudge_campaign_no_sending(shop->bundle->campaign);

    if (why == NULL && !e->main->sender_on) {
        why = "the sender is off";
    }

    nudge_buf_cstr(b, why ? ",\"sending\":false,\"why\":"
                          : ",\"sending\":true,\"why\":");

    if (why != NULL) {
        text = nudge_cstr(why);
        nudge_buf_json(b, &text);

    } else {
        nudge_buf_cstr(b, "null");
    }

    nudge_buf_cstr(b, ",\"offers\":");
    nudge_buf_int(b, shop->bundle->campaign->noffers);
    nudge_buf_cstr(b, ",\"flows\":");
    nudge_buf_int(b, shop->bundle->campaign->nflows);
    nudge_buf_cstr(b, ",\"assets\":");
    text = ngx_http_nudge_str(shop->assets);
    nudge_buf_json(b, &text);

    /* as this worker has mapped it */

    ngx_http_nudge_lookup_refresh(shop);

    nudge_buf_cstr(b, ",\"catalogue\":{\"generation\":");
    nudge_buf_int(b, shop->catalogue.data ? (int64_t) shop->catalogue.generation
                                          : 0);
    nudge_buf_cstr(b, ",\"products\":");
    nudge_buf_int(b, shop->catalogue.data ? shop->catalogue.count : 0);
    nudge_buf_cstr(b, "}}");
}
