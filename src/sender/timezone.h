
/*
 * Local time of any zone at any time, from the system's zone files (RFC 8536)
 * and without the C library's TZ, which is one for the whole process and not
 * safe among threads.
 */


#ifndef _NUDGE_TIMEZONE_H_INCLUDED_
#define _NUDGE_TIMEZONE_H_INCLUDED_


#include "nudge_core.h"


#define TIMEZONE_DIR  "/usr/share/zoneinfo"

typedef struct timezone_s  timezone_t;

/* name: "Europe/Madrid"; empty: UTC.  Remembered for the life of the process;
 * NULL: no such zone.  Safe among threads */
const timezone_t *timezone_get(const nudge_str_t *name);
/* seconds east of UTC at that time (seconds since the epoch) */
int32_t timezone_offset(const timezone_t *tz, int64_t time);
/* minutes after local midnight */
nudge_uint_t timezone_minute(const timezone_t *tz, int64_t time);

/* is it quiet at "time" (ms)?  Quiet hours are from..to in minutes and may
 * pass midnight; equal: none.  0, or the ms at which they end */
int64_t timezone_quiet(const timezone_t *tz, int64_t time, nudge_uint_t from,
    nudge_uint_t to);


#endif /* _NUDGE_TIMEZONE_H_INCLUDED_ */
