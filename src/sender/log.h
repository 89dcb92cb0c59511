
/*
 * The sender's log: lines as nginx writes them in its error log, on stderr,
 * which is that very file.  Rate limited, so that a broken relay cannot fill
 * a disk.  Addresses never belong in a line: ids do.
 */


#ifndef _NUDGE_LOG_H_INCLUDED_
#define _NUDGE_LOG_H_INCLUDED_


#include "nudge_core.h"


typedef enum {
    NUDGE_LOG_ALERT = 0,
    NUDGE_LOG_ERR,
    NUDGE_LOG_WARN,
    NUDGE_LOG_NOTICE,
    NUDGE_LOG_INFO
} nudge_log_level_t;

/* lines of this level and above are written; default NUDGE_LOG_NOTICE */
void nudge_log_level(nudge_log_level_t level);
void nudge_log(nudge_log_level_t level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ms since the epoch */
int64_t nudge_now(void);
/* ms of a clock that never steps */
int64_t nudge_monotonic(void);


#endif /* _NUDGE_LOG_H_INCLUDED_ */
