
/*
 * The campaign file: what, to whom, when.  Lua in a bounded sandbox (base,
 * table, math, cjson; no files, no loading, no pattern functions; memory and
 * instruction limits, JIT off), run once; shop, mail, moderation, offers and
 * flows come out as C structures.  Only conditions written as functions keep
 * the Lua state: 10,000 instructions a call, and one that fails is switched
 * off until the next load and counted.
 */


#ifndef _NUDGE_CAMPAIGN_H_INCLUDED_
#define _NUDGE_CAMPAIGN_H_INCLUDED_


#include "nudge_preset.h"
#include "nudge_template.h"


#define NUDGE_CAMPAIGN_MEMORY  (4 * 1024 * 1024)
#define NUDGE_CAMPAIGN_STEPS   8
#define NUDGE_CAMPAIGN_OFFERS  64
#define NUDGE_CAMPAIGN_FLOWS   64

typedef struct {
    nudge_str_t     id;             /* [a-z0-9-]{1,32}, required */
    nudge_str_t     name;
    nudge_str_t     url;            /* origin, no trailing slash */
    nudge_str_t     currency;
    nudge_str_t     locale;
    nudge_str_t     timezone;       /* IANA name */
    nudge_str_t     from;           /* RFC 5322 mailbox */
    nudge_str_t     postal_address;
    nudge_str_t     privacy;        /* URL of the privacy policy */
    unsigned        demo:1;         /* http url allowed, mails may go out */
} nudge_shop_t;

typedef struct {
    nudge_str_t     relay;          /* smtp:// or smtps:// URL */
    nudge_str_t     user;
    nudge_str_t     password;
    nudge_str_t     reply_to;
    unsigned        shadow:1;       /* compose and record, never hand over */
    unsigned        customers:1;    /* accept customers, not only subscribers */
    unsigned        tls:1;          /* STARTTLS required; default on unless
                                       the relay is a loopback address */
} nudge_mail_t;

typedef struct {
    uint32_t        max;            /* messages ... */
    int64_t         per;            /* ... in this many seconds */
    int64_t         gap;            /* seconds between two */
    uint32_t        quiet_from;     /* minutes after local midnight, in the
                                       contact's zone; */
    uint32_t        quiet_to;       /* equal: none */
} nudge_moderation_t;

typedef enum {
    NUDGE_ON_EXIT_INTENT = 0,
    NUDGE_ON_CART,
    NUDGE_ON_CHECKOUT,
    NUDGE_ON_PRODUCT,
    NUDGE_ON_PAGE                   /* any page */
} nudge_on_t;

typedef enum {
    NUDGE_KIND_POPUP = 0,
    NUDGE_KIND_BANNER
} nudge_kind_t;

/* what conditions may look at */

typedef struct {
    nudge_money_t   cart_total;     /* NUDGE_MONEY_NONE: not known */
    int64_t         cart_items;
    int64_t         pages;
    int64_t         visits;
    int64_t         viewed;
    nudge_str_t     page;
    unsigned        subscribed:1;
    unsigned        ordered:1;      /* within the last day */
    unsigned        person:1;       /* consent reaches beyond the visit */
} nudge_facts_t;

typedef struct {
    nudge_str_t     name;
    uint32_t        on;             /* bit mask of 1 << NUDGE_ON_... */
    nudge_kind_t    kind;
    nudge_str_t     template;       /* onsite/<template>.html */
    nudge_str_t     recommend;      /* "recent", "popular", "also_bought" ...
                                       or empty */
    uint32_t        count;
    nudge_str_t     coupon;
    uint32_t        cap;            /* times; 0: no cap ... */
    int64_t         cap_per;        /* ... in this many seconds */
    nudge_int_t     when;           /* private: condition number or -1 */
    const char     *file;           /* where it is written, for messages */
    nudge_uint_t    line;
} nudge_offer_t;

typedef struct {
    nudge_str_t     mail;           /* mail/<mail>.{subject,txt,html} */
    int64_t         after;          /* seconds after the previous step, or the
                                       trigger for the first */
    nudge_int_t     when;
    nudge_uint_t    line;
} nudge_step_t;

typedef struct {
    nudge_str_t     name;
    nudge_str_t     on;             /* "cart_abandoned", "subscribed", ... */
    nudge_step_t    steps[NUDGE_CAMPAIGN_STEPS];
    nudge_uint_t    nsteps;
    unsigned        ambiguous_resend:1;
    const char     *file;
    nudge_uint_t    line;
} nudge_flow_t;

typedef struct nudge_campaign_s  nudge_campaign_t;

struct nudge_campaign_s {
    nudge_shop_t        shop;
    nudge_mail_t        mail;
    nudge_moderation_t  moderation;
    nudge_offer_t      *offers;
    nudge_uint_t        noffers;
    nudge_flow_t       *flows;
    nudge_uint_t        nflows;
    nudge_str_t        *warnings;   /* "FILE:LINE: ...", allowed but unwise */
    nudge_uint_t        nwarnings;
    unsigned            sends:1;    /* from, postal_address and url suffice */
    void               *priv;
};

/* resolves use "flows/birthday": gives the file's bytes (owned by the caller
 * until compile returns) or NUDGE_ERROR */
typedef nudge_int_t (*nudge_use_pt)(void *data, const char *name,
    nudge_str_t *text);

nudge_campaign_t *nudge_campaign_compile(const nudge_str_t *text,
    const char *name, nudge_use_pt use, void *use_data, nudge_error_t *error);
void nudge_campaign_destroy(nudge_campaign_t *c);

/* may this offer be considered?  Conditions only; caps are the session's.
 * name of the failing offer is logged by the caller when *failed is set,
 * which it is once: from then on the offer is off.  One thread at a time */
nudge_uint_t nudge_campaign_offer(nudge_campaign_t *c, nudge_uint_t offer,
    const nudge_facts_t *facts, nudge_uint_t *failed);
/* the same for a flow's step */
nudge_uint_t nudge_campaign_step(nudge_campaign_t *c, nudge_uint_t flow,
    nudge_uint_t step, const nudge_facts_t *facts, nudge_uint_t *failed);

/* what the condition that failed last said, "FILE:LINE: ...", or "" */
const char *nudge_campaign_failure(const nudge_campaign_t *c);

/* why sending is refused, for status and nudge check; NULL when it is not */
const char *nudge_campaign_no_sending(const nudge_campaign_t *c);

/* adds root.frequency, "at most 2 e-mails a week", as moderation says; nothing
 * where there are no words for it.  NUDGE_ERROR without memory */
nudge_int_t nudge_campaign_frequency(const nudge_campaign_t *c,
    nudge_pool_t *pool, nudge_value_t *root);

/* "4h", "90m", "1d", "2w", "30s" -> seconds; NUDGE_ERROR */
int64_t nudge_duration(const nudge_str_t *s);


#endif /* _NUDGE_CAMPAIGN_H_INCLUDED_ */
