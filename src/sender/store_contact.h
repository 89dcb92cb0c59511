
/*
 * Persons: the contacts we may write to, the browsers they are known to use,
 * the consent ledger and the suppression list.
 *
 * Status of a contact: "none" (an address we happen to know), "pending"
 * (asked, double opt-in mail not answered), "confirmed", "unsubscribed".
 */


#ifndef _NUDGE_STORE_CONTACT_H_INCLUDED_
#define _NUDGE_STORE_CONTACT_H_INCLUDED_


#include "nudge_event.h"
#include "store.h"


#define STORE_CONTACT   18      /* "c", 16 hex digits and a NUL */
#define STORE_CONTACTS  16      /* contacts one event can concern */

typedef struct {
    char            id[STORE_CONTACT];
    char            status[16];
    nudge_str_t     email;
    nudge_str_t     address;    /* normalised */
    nudge_str_t     offer;      /* the form it subscribed through */
    int64_t         created;
    int64_t         confirmed;
} store_contact_t;

/* NUDGE_OK, NUDGE_DECLINED (there is none), NUDGE_ERROR */
nudge_int_t store_contact_id(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *id, store_contact_t *c);
nudge_int_t store_contact_email(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *email, store_contact_t *c);
/* finds it or makes it with status "none" */
nudge_int_t store_contact_make(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *email, int64_t time,
    store_contact_t *c);
nudge_int_t store_contact_status(tx_t *tx, const nudge_str_t *shop,
    const char *id, const char *status, const nudge_str_t *offer,
    int64_t time);

/* send: consent lets what this browser does lead to messages; without it the
 * link only stops them */
nudge_int_t store_link(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, const char *contact, nudge_uint_t send,
    int64_t time);
/* the contact this browser's messages go to; NUDGE_DECLINED: nobody */
nudge_int_t store_link_contact(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, char id[STORE_CONTACT]);
/* everybody an event of this visitor, contact and address may be about */
nudge_uint_t store_link_all(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *visitor,
    const nudge_str_t *contact, const nudge_str_t *email,
    char ids[STORE_CONTACTS][STORE_CONTACT]);
/* this browser no longer leads to messages (logout, withdrawal) */
nudge_int_t store_link_close(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, nudge_uint_t forget);

/* what: "asked", "confirmed", "unsubscribed", "granted", "withdrawn" */
nudge_int_t store_consent(tx_t *tx, const nudge_event_t *ev,
    const char *contact, const char *what);

nudge_int_t store_suppress(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *address, const char *reason, int64_t time);
nudge_int_t store_suppress_lift(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *address, const char *reason);
/* NUDGE_OK and its reason, NUDGE_DECLINED: not suppressed, NUDGE_ERROR */
nudge_int_t store_suppressed(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *address, char reason[32]);


#endif /* _NUDGE_STORE_CONTACT_H_INCLUDED_ */
