
/*
 * status.json: what the sender is doing, for people and for /nudge/status.
 * Nothing depends on it.
 */


#ifndef _NUDGE_STATUS_H_INCLUDED_
#define _NUDGE_STATUS_H_INCLUDED_


#include "ingest.h"


typedef struct {
    u_char          last[65536];    /* but for the time */
    size_t          len;
} status_t;

/* writes DIR/status.json when anything but the time has changed.  NUDGE_OK,
 * NUDGE_DECLINED: as before, NUDGE_ERROR */
nudge_int_t status_write(status_t *s, const config_t *conf, store_t *store,
    ingest_t *ingest);


#endif /* _NUDGE_STATUS_H_INCLUDED_ */
