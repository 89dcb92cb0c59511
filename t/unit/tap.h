
/*
 * The Test Anything Protocol for the unit tests: prove counts and judges, the
 * program itself always ends with 0.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nudge_core.h"


static int  tap_count;


static inline int
tap_line(int good, const char *fmt, va_list args)
{
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    vprintf(fmt, args);
    printf("\n");
    fflush(stdout);

    return good;
}


static inline int __attribute__((format(printf, 2, 3)))
ok(int good, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) tap_line(good != 0, fmt, args);
    va_end(args);

    return good != 0;
}


static inline int __attribute__((format(printf, 3, 4)))
is_int(int64_t got, int64_t want, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) tap_line(got == want, fmt, args);
    va_end(args);

    if (got != want) {
        printf("#      got: %lld\n# expected: %lld\n", (long long) got,
               (long long) want);
    }

    return got == want;
}


static inline int __attribute__((format(printf, 3, 4)))
is_str(nudge_str_t got, const char *want, const char *fmt, ...)
{
    int      good;
    size_t   i;
    va_list  args;

    good = (got.len == strlen(want)
            && (got.len == 0 || memcmp(got.data, want, got.len) == 0));

    va_start(args, fmt);
    (void) tap_line(good, fmt, args);
    va_end(args);

    if (!good) {
        printf("#      got: \"");

        for (i = 0; i < got.len; i++) {
            if (got.data[i] >= 0x20 && got.data[i] < 0x7f) {
                printf("%c", got.data[i]);

            } else {
                printf("\\x%02x", got.data[i]);
            }
        }

        printf("\"\n# expected: \"%s\"\n", want);
    }

    return good;
}


static inline void
done_testing(void)
{
    printf("1..%d\n", tap_count);
}


#endif /* _TAP_H_INCLUDED_ */
