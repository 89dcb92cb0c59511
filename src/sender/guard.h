
/*
 * The guard: may this message be sent at all, now (D10)?  Asked before a
 * message is composed and once more, literally last, instead of the final
 * dot.  It answers send, hold until then, or skip for good, and always says
 * why: the reasons are part of the interface (README.md, "Why not").
 */


#ifndef _NUDGE_GUARD_H_INCLUDED_
#define _NUDGE_GUARD_H_INCLUDED_


#include "flow.h"
#include "nudge_session.h"


#define GUARD_RECOMMEND  4
#define GUARD_RETRY      60000      /* ms until a doubt is looked at again */

typedef enum {
    GUARD_SEND = 0,
    GUARD_HOLD,
    GUARD_SKIP
} guard_verdict_t;

/* what memcached said of the visitor */

typedef enum {
    GUARD_LIVE_NONE = 0,            /* none is configured */
    GUARD_LIVE_KNOWN,
    GUARD_LIVE_UNKNOWN,             /* configured, and it did not answer */
    GUARD_LIVE_OTHER                /* another store serves this shop */
} guard_live_t;

typedef struct {
    flow_t                 *flow;   /* conf, pool, now */
    const store_message_t  *message;
    guard_live_t            live;
    const nudge_session_t  *session;    /* the live one, or NULL */
    unsigned                final:1;    /* the last look: verdict only */

    guard_verdict_t         verdict;
    const char             *reason;     /* "" when it may be sent */
    int64_t                 until;      /* hold: ms */

    /* for compose, when it may be sent */

    nudge_bundle_t         *bundle;
    nudge_flow_t           *step_of;    /* its flow; NULL: "confirm" */
    store_contact_t         contact;
    nudge_cart_t            cart;
    nudge_str_t             cart_page;
    nudge_item_t            recommend[GUARD_RECOMMEND];
    nudge_uint_t            nrecommend;
} guard_t;

/* within a job; changes nothing in the store.  g: zeroed but for its inputs */
void guard_look(tx_t *tx, guard_t *g);
/* writes the verdict of a refusal: the message is held or ends; its episode
 * follows.  NUDGE_OK */
nudge_int_t guard_record(tx_t *tx, const guard_t *g);


#endif /* _NUDGE_GUARD_H_INCLUDED_ */
