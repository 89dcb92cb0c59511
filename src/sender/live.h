
/*
 * A look at the live session in memcached, over the binary protocol and with
 * short time-outs.  One live_t belongs to one thread.  Not found is an
 * answer (memcached owns nothing that matters); no answer is a doubt.
 */


#ifndef _NUDGE_LIVE_H_INCLUDED_
#define _NUDGE_LIVE_H_INCLUDED_


#include "config.h"
#include "nudge_session.h"


#define LIVE_TIMEOUT  500       /* ms, of each call */
#define LIVE_BREAK    5000      /* ms without asking, after a failure */

typedef struct live_s  live_t;

/* NULL: no memory.  No servers configured: every call is NUDGE_DECLINED */
live_t *live_create(const config_t *conf);
void live_destroy(live_t *l);
nudge_uint_t live_configured(const live_t *l);
/* NUDGE_OK and *s (in the pool), NUDGE_DECLINED: there is none, NUDGE_ERROR:
 * no answer, or one that makes no sense */
nudge_int_t live_session(live_t *l, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *visitor, nudge_session_t *s);
/* is this the shop's store (D8)?  Says so in memcached where nobody has.
 * NUDGE_OK, NUDGE_DECLINED: another is, NUDGE_ERROR: no answer */
nudge_int_t live_store(live_t *l, const nudge_str_t *shop, const char *uuid);


#endif /* _NUDGE_LIVE_H_INCLUDED_ */
