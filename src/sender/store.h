
/*
 * The store: contacts, consent, suppression, carts, orders, episodes, claims
 * and the message log; everything that must survive.  One writer thread runs
 * jobs: each in a savepoint of its own, all that are waiting in one
 * transaction, and nobody is told "done" before the commit is on the disk
 * (D8).  What one job refuses is rolled back without touching its neighbours.
 *
 * This header opens the store and runs jobs; sql.h is what a job may do with
 * the transaction it is given, store_*.h are the concerns written over it.
 */


#ifndef _NUDGE_STORE_H_INCLUDED_
#define _NUDGE_STORE_H_INCLUDED_


#include "nudge_campaign.h"


typedef struct store_s  store_t;
typedef struct tx_s  tx_t;

/* NUDGE_OK: keep; NUDGE_DECLINED: nothing to keep, roll back; NUDGE_ERROR:
 * failed, roll back.  Runs on the writer thread and must not wait for
 * anything but the store */
typedef nudge_int_t (*store_job_pt)(tx_t *tx, void *arg);

/*
 * dsn: "sqlite:PATH" or "sqlite::memory:".  Creates what is missing and
 * applies migrations; a newer schema is refused.  readonly: an existing store
 * beside a running sender.  NULL and *error.
 */
store_t *store_open(const char *dsn, nudge_uint_t readonly,
    nudge_error_t *error);
/* finishes the jobs that are queued */
void store_close(store_t *st);
/* waits for the commit: the job's result, or NUDGE_ERROR when it could not be
 * made durable (then it had no effect) */
nudge_int_t store_run(store_t *st, store_job_pt job, void *arg);
/* a savepoint within a job: as store_run(), without a commit */
nudge_int_t store_try(tx_t *tx, store_job_pt job, void *arg);

/* 32 hex digits drawn when the store was created */
const char *store_uuid(const store_t *st);
/* HMAC of a normalised address under the store's own key, which does not
 * rotate: a suppression must outlive every other key.  out[65] */
void store_address(tx_t *tx, const nudge_str_t *email, char out[65]);
/* trimmed, ASCII lower case; in the pool */
nudge_str_t store_normal(nudge_pool_t *pool, const nudge_str_t *email);


#endif /* _NUDGE_STORE_H_INCLUDED_ */
