
/*
 * Ingest: every event of the journal has its effect exactly once.  Effects
 * and the journal's position are one transaction; events that stand in the
 * journal twice (a restored segment, a worker's second try) are told by their
 * ids.  Safe among threads: a delivery thread's last look reads the journal
 * to its end on its own account.
 */


#ifndef _NUDGE_INGEST_H_INCLUDED_
#define _NUDGE_INGEST_H_INCLUDED_


#include "config.h"
#include "effect.h"
#include "store.h"


typedef struct ingest_s  ingest_t;

/* NULL and *error */
ingest_t *ingest_create(const config_t *conf, store_t *store,
    nudge_error_t *error);
void ingest_destroy(ingest_t *in);
/* reads every segment to its end as it is now; NUDGE_OK, or NUDGE_ERROR when
 * something kept it from getting there */
nudge_int_t ingest_drain(ingest_t *in);
/* waits for the journal to grow, at most "ms", and then drains */
void ingest_wait(ingest_t *in, int ms);
/* the journal has been read to its end once since the start */
nudge_uint_t ingest_caught_up(ingest_t *in);
/* from now on every drain fails, those under way soon */
void ingest_halt(ingest_t *in);

/* for status.json */
int64_t ingest_events(ingest_t *in);
int64_t ingest_lag(ingest_t *in, int64_t *ms);


#endif /* _NUDGE_INGEST_H_INCLUDED_ */
