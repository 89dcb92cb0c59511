
/*
 * Messages: the claim is the right to send one step once, unique by (shop,
 * contact, flow, episode, step) and never deleted before its contact.
 *
 *   queued -> taken -> attempt -> final -> sent
 *
 * queued     waits for "next"
 * taken      a delivery thread has it; nothing has left
 * attempt    durable before DATA; the message is not complete
 * final      durable before the final dot may leave
 * sent, ambiguous (the dot was given, no reply), dead (refused for good, or
 * given up), skipped (the guard said no: reason), shadow (composed, not
 * handed over, as configured)
 *
 * Found at start: taken and attempt are known-unsent and queued again, final
 * is ambiguous (D9).
 */


#ifndef _NUDGE_STORE_MESSAGE_H_INCLUDED_
#define _NUDGE_STORE_MESSAGE_H_INCLUDED_


#include "store_contact.h"


#define STORE_CLAIM  33         /* 32 hex digits and a NUL */

typedef struct {
    char            claim[STORE_CLAIM];
    nudge_str_t     shop;
    char            contact[STORE_CONTACT];
    nudge_str_t     visitor;
    nudge_str_t     flow;           /* "confirm": double opt-in */
    nudge_str_t     episode;        /* its name */
    int64_t         run;            /* its number, 0 for "confirm" */
    nudge_uint_t    step;
    nudge_str_t     mail;
    nudge_str_t     offer;
    char            state[12];
    nudge_str_t     reason;
    int64_t         due;
    int64_t         next;
    nudge_uint_t    tries;
    int64_t         created;
    int64_t         attempted;
    int64_t         finished;
    int64_t         code;           /* of the relay's last reply */
} store_message_t;

/* NUDGE_DECLINED: claimed before; fills m->claim */
nudge_int_t store_message_claim(tx_t *tx, store_message_t *m);
/* the queued one that is due first becomes "taken"; NUDGE_DECLINED: none */
nudge_int_t store_message_take(tx_t *tx, nudge_pool_t *pool, int64_t now,
    store_message_t *m);
/* NUDGE_DECLINED: it is not in state "from" (any more) */
nudge_int_t store_message_move(tx_t *tx, const char *claim, const char *from,
    const char *to, int64_t now);
/* back to queued until then, with the reason */
nudge_int_t store_message_hold(tx_t *tx, const char *claim,
    const char *reason, int64_t next);
/* its end: state, reason; counted */
nudge_int_t store_message_end(tx_t *tx, const char *claim, const char *state,
    const char *reason, int64_t now);
nudge_int_t store_message_reply(tx_t *tx, const char *claim, int64_t code,
    const char *detail, nudge_uint_t failed);
/* what was held for this reason, which is no more, may be looked at now */
nudge_int_t store_message_wake(tx_t *tx, const nudge_str_t *shop,
    const char *contact, const char *reason, int64_t now);

/* when the next queued message or episode is due; INT64_MAX: nothing is */
int64_t store_message_next(tx_t *tx);
/* marketing messages to this contact since then; *first, *last: when the
 * earliest and the latest of them was attempted */
nudge_uint_t store_message_count(tx_t *tx, const nudge_str_t *shop,
    const char *contact, int64_t since, int64_t *first, int64_t *last);
/* another message to this contact is with a delivery thread */
nudge_uint_t store_message_busy(tx_t *tx, const store_message_t *m);
/* this step of this flow has reached the contact since then, in any episode */
nudge_uint_t store_message_again(tx_t *tx, const store_message_t *m,
    int64_t since);
/* a confirm mail was made for this contact since then */
nudge_uint_t store_message_asked(tx_t *tx, const nudge_str_t *shop,
    const char *contact, int64_t since);
/* what a killed sender had not finished, and one it may have finished */
nudge_int_t store_message_requeue(tx_t *tx, int64_t now);
nudge_int_t store_message_final(tx_t *tx, nudge_pool_t *pool,
    store_message_t *m);


#endif /* _NUDGE_STORE_MESSAGE_H_INCLUDED_ */
