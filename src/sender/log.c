
/*
 * Log lines in nginx's format.  One write(2) a line, so lines of several
 * processes do not mix; at most LOG_BURST lines a second, the rest counted.
 */


#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"


#define LOG_BURST  50
#define LOG_LINE   1024


static const char         *log_names[] = {
    "alert", "error", "warn", "notice", "info"
};

static pthread_mutex_t     log_lock = PTHREAD_MUTEX_INITIALIZER;
static nudge_log_level_t   log_max = NUDGE_LOG_NOTICE;
static int64_t             log_second;
static nudge_uint_t        log_lines;


void
nudge_log_level(nudge_log_level_t level)
{
    log_max = level;
}


/* lines left out are told once, with the first line of a later second */

static nudge_uint_t
log_allowed(int64_t second, nudge_uint_t *lost)
{
    nudge_uint_t  allowed;

    pthread_mutex_lock(&log_lock);

    *lost = 0;

    if (second != log_second) {
        *lost = log_lines > LOG_BURST ? log_lines - LOG_BURST : 0;
        log_second = second;
        log_lines = 0;
    }

    allowed = ++log_lines <= LOG_BURST;

    pthread_mutex_unlock(&log_lock);

    return allowed;
}


void
nudge_log(nudge_log_level_t level, const char *fmt, ...)
{
    int           n;
    char          line[LOG_LINE];
    time_t        now;
    size_t        len, i;
    va_list       args;
    struct tm     tm;
    nudge_uint_t  lost;

    if (level > log_max || !log_allowed(nudge_monotonic() / 1000, &lost)) {
        return;
    }

    now = time(NULL);
    localtime_r(&now, &tm);

    len = strftime(line, sizeof(line), "%Y/%m/%d %H:%M:%S ", &tm);
    len += snprintf(line + len, sizeof(line) - len,
                    "[%s] %ld#0: nudge sender: ", log_names[level],
                    (long) getpid());

    if (lost) {
        len += snprintf(line + len, sizeof(line) - len,
                        "(%lu lines left out) ", (unsigned long) lost);
    }

    i = len;

    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);

    if (n < 0) {
        return;
    }

    len += n;

    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }

    for ( /* void */ ; i < len; i++) {
        if ((u_char) line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }

    line[len++] = '\n';

    if (write(STDERR_FILENO, line, len) == -1) {
        /* there is nowhere left to say so */
        return;
    }
}


int64_t
nudge_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int64_t
nudge_monotonic(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
