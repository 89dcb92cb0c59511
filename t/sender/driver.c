
/*
 * The sender's pure parts against an oracle: local time against the C
 * library's, the window of seen events against a plain table.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "seen.h"
#include "timezone.h"


#define DRIVER_TIMES   2000
#define DRIVER_EVENTS  400000
#define DRIVER_SPAN    200000


static int       driver_n;
static uint64_t  driver_state = 88172645463325252ull;


static uint64_t
driver_random(void)
{
    driver_state ^= driver_state << 13;
    driver_state ^= driver_state >> 7;
    driver_state ^= driver_state << 17;

    return driver_state;
}


static void
driver_ok(int ok, const char *what)
{
    printf("%sok %d - %s\n", ok ? "" : "not ", ++driver_n, what);
}


/* from 1970 to 2100, and around each change of the clocks in between */

static void
driver_zone(const char *name)
{
    int                i, wrong;
    char               what[128];
    time_t             t;
    struct tm          tm;
    nudge_str_t        s;
    const timezone_t  *tz;

    s = nudge_cstr(name);
    tz = timezone_get(&s);
    wrong = tz == NULL;

    setenv("TZ", name, 1);
    tzset();

    for (i = 0; i < DRIVER_TIMES && !wrong; i++) {
        t = driver_random() % 4102444800ull;

        if (i & 1) {

            /* the last Sundays and first Sundays of a month, by the hour */

            t = t / 604800 * 604800 + 3 * 86400 + (i % 48) * 1800;
        }

        localtime_r(&t, &tm);

        if (timezone_offset(tz, t) != (int32_t) tm.tm_gmtoff) {
            printf("# %s at %ld: %d, expected %ld\n", name, (long) t,
                   (int) timezone_offset(tz, t), tm.tm_gmtoff);
            wrong = 1;
        }
    }

    snprintf(what, sizeof(what), "%s as the C library has it", name);
    driver_ok(!wrong, what);
}


/* quiet hours end at their end: not quiet there, quiet a minute before */

static void
driver_quiet(const char *name)
{
    int                i, wrong;
    char               what[128];
    int64_t            t, end;
    nudge_str_t        s;
    nudge_uint_t       from, to;
    const timezone_t  *tz;

    s = nudge_cstr(name);
    tz = timezone_get(&s);
    wrong = tz == NULL;

    for (i = 0; i < DRIVER_TIMES && !wrong; i++) {
        from = driver_random() % 1440;
        to = driver_random() % 1440;
        t = (int64_t) (driver_random() % 4102444800ull) * 1000;

        if (i & 1) {
            t = t / 604800000 * 604800000 + 3 * 86400000
                + (i % 48) * 1800000;
        }

        end = timezone_quiet(tz, t, from, to);

        if (end == 0) {
            continue;
        }

        if (end <= t || end > t + 50 * 3600000ll
            || timezone_quiet(tz, end, from, to) != 0
            || (end - 60000 > t
                && timezone_quiet(tz, end - 60000, from, to) == 0))
        {
            printf("# %s: quiet %lu to %lu at %lld ends %lld\n", name,
                   (unsigned long) from, (unsigned long) to, (long long) t,
                   (long long) end);
            wrong = 1;
        }
    }

    snprintf(what, sizeof(what), "%s: quiet hours end when they do", name);
    driver_ok(!wrong, what);
}


static void
driver_names(void)
{
    int           i, wrong;
    nudge_str_t   s;

    static const char  *names[] = {
        "/etc/passwd", "../../etc/passwd", "Europe/../Europe/Madrid",
        "Nowhere/City", "Europe", "Europe/Mad rid", "tzdata.zi", NULL
    };

    wrong = 0;

    for (i = 0; names[i]; i++) {
        s = nudge_cstr(names[i]);

        if (timezone_get(&s) != NULL) {
            printf("# \"%s\" was taken\n", names[i]);
            wrong = 1;
        }
    }

    driver_ok(!wrong, "what is no zone is refused");

    s = nudge_cstr("");
    driver_ok(timezone_get(&s) != NULL
              && timezone_offset(timezone_get(&s), 0) == 0, "none is UTC");
}


static void
driver_seen(void)
{
    int        i, wrong;
    char      *table;
    seen_t    *s;
    uint64_t   base, seq;

    s = calloc(1, sizeof(seen_t));
    table = calloc(1, DRIVER_SPAN);
    wrong = s == NULL || table == NULL;
    base = 0;

    for (i = 0; i < DRIVER_EVENTS && !wrong; i++) {

        /* mostly new, some late, some repeated, now and then a leap */

        base += driver_random() % 3 == 0;
        base += driver_random() % 20000 == 0 ? 5000 : 0;
        seq = base + driver_random() % 64;
        seq = seq > 2000 && driver_random() % 4 == 0
              ? seq - driver_random() % 2000 : seq;

        if (seq >= DRIVER_SPAN) {
            break;
        }

        if ((int) seen_event(s, seq) != table[seq]) {
            printf("# %llu with high %llu\n", (unsigned long long) seq,
                   (unsigned long long) s->high);
            wrong = 1;
        }

        table[seq] = 1;
    }

    driver_ok(!wrong && i > 1000, "repeated events are told from late ones");

    if (!wrong) {
        memset(s, 0, sizeof(seen_t));
        driver_ok(!seen_event(s, 10) && !seen_event(s, 10 + 10 * SEEN_WINDOW)
                  && !seen_event(s, 9 + 10 * SEEN_WINDOW)
                  && seen_event(s, 10 + 10 * SEEN_WINDOW)
                  && !seen_event(s, 11), "after a leap nothing is repeated");
    }

    free(table);
    free(s);
}


int
main(void)
{
    int  i;

    static const char  *zones[] = {
        "Europe/Madrid", "Europe/Warsaw", "America/New_York", "Asia/Kolkata",
        "Australia/Lord_Howe", "America/Sao_Paulo", "Europe/Dublin",
        "Africa/Casablanca", "Pacific/Apia", "America/Nuuk", "Asia/Gaza",
        "Pacific/Chatham", "Etc/GMT+5", NULL
    };

    for (i = 0; zones[i]; i++) {
        driver_zone(zones[i]);
        driver_quiet(zones[i]);
    }

    driver_names();
    driver_seen();

    printf("1..%d\n", driver_n);

    return 0;
}
