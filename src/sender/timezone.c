
/*
 * Reads the 64-bit part of a zone file: transitions, then the POSIX rule in
 * the footer for everything later ("slim" files have little else).  A file
 * that is not sound is refused as a whole.
 */


#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "timezone.h"


#define TIMEZONE_HEADER  44
#define TIMEZONE_NAME    64
#define TIMEZONE_DAY     86400

/* one change of a POSIX rule: Mm.w.d, Jn or n, and the second of that day */

typedef struct {
    u_char          kind;           /* 'M', 'J', or '0' */
    int32_t         month;
    int32_t         week;
    int32_t         day;
    int32_t         second;
} timezone_rule_t;

struct timezone_s {
    char                name[TIMEZONE_NAME];
    u_char             *file;
    const u_char       *times;      /* n big-endian 64-bit */
    const u_char       *types;      /* n indices */
    const u_char       *infos;      /* 6 bytes each: offset, dst, name */
    uint32_t            n;
    int32_t             first;      /* before the first transition */
    int32_t             standard;   /* of the footer */
    int32_t             summer;
    timezone_rule_t     rules[2];
    unsigned            footer:1;
    unsigned            saves:1;    /* the footer has two rules */
    timezone_t         *next;
};


static pthread_mutex_t   timezone_lock = PTHREAD_MUTEX_INITIALIZER;
static timezone_t       *timezones;
static timezone_t        timezone_utc;


static uint32_t
timezone_u32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static int64_t
timezone_i64(const u_char *p)
{
    return (int64_t) ((uint64_t) timezone_u32(p) << 32 | timezone_u32(p + 4));
}


/* "3", "-1:30", "2:00:00"; in seconds */

static const char *
timezone_span(const char *p, int32_t *seconds)
{
    char     *end;
    int32_t   sign, unit;

    sign = 1;

    if (*p == '-' || *p == '+') {
        sign = *p++ == '-' ? -1 : 1;
    }

    *seconds = 0;

    for (unit = 3600; unit; unit /= 60) {

        if (*p < '0' || *p > '9') {
            return NULL;
        }

        *seconds += (int32_t) (strtoul(p, &end, 10) % 1000) * unit;
        p = end;

        if (*p != ':') {
            break;
        }

        p++;
    }

    *seconds *= sign;

    return p;
}


/* "CET" or "<+03>" */

static const char *
timezone_word(const char *p)
{
    if (*p == '<') {
        p = strchr(p, '>');
        return p ? p + 1 : NULL;
    }

    while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) {
        p++;
    }

    return p;
}


static const char *
timezone_rule(const char *p, timezone_rule_t *rule)
{
    int  n;

    n = 0;
    rule->second = 2 * 3600;

    if (sscanf(p, ",M%d.%d.%d%n", &rule->month, &rule->week, &rule->day, &n)
        == 3 && n)
    {
        rule->kind = 'M';

        if (rule->month < 1 || rule->month > 12 || rule->week < 1
            || rule->week > 5 || rule->day < 0 || rule->day > 6)
        {
            return NULL;
        }

    } else if (sscanf(p, ",J%d%n", &rule->day, &n) == 1 && n) {
        rule->kind = 'J';

    } else if (sscanf(p, ",%d%n", &rule->day, &n) == 1 && n) {
        rule->kind = '0';

    } else {
        return NULL;
    }

    p += n;

    return *p == '/' ? timezone_span(p + 1, &rule->second) : p;
}


/* "CET-1CEST,M3.5.0,M10.5.0/3" */

static nudge_int_t
timezone_footer(timezone_t *tz, const char *p)
{
    tz->footer = 0;

    if (*p == '\0') {
        return NUDGE_OK;
    }

    p = timezone_word(p);
    p = p ? timezone_span(p, &tz->standard) : NULL;

    if (p == NULL) {
        return NUDGE_ERROR;
    }

    /* POSIX counts west of Greenwich */

    tz->standard = -tz->standard;
    tz->footer = 1;

    if (*p == '\0') {
        return NUDGE_OK;
    }

    p = timezone_word(p);
    tz->summer = tz->standard + 3600;

    if (p && *p != ',') {
        p = timezone_span(p, &tz->summer);
        tz->summer = -tz->summer;
    }

    p = p ? timezone_rule(p, &tz->rules[0]) : NULL;
    p = p ? timezone_rule(p, &tz->rules[1]) : NULL;
    tz->saves = 1;

    return p && *p == '\0' ? NUDGE_OK : NUDGE_ERROR;
}


/* bytes of a data block whose times have "width" bytes */

static size_t
timezone_block(const u_char *header, size_t width)
{
    return timezone_u32(header + 20) + timezone_u32(header + 24)
           + timezone_u32(header + 28) * (width + 4)
           + timezone_u32(header + 32) * (width + 1)
           + timezone_u32(header + 36) * (size_t) 6
           + timezone_u32(header + 40);
}


static nudge_int_t
timezone_parse(timezone_t *tz, nudge_str_t *file)
{
    u_char    *p, *end;
    size_t     size;
    uint32_t   i, ntypes;

    p = file->data;
    end = p + file->len;

    if (file->len < 2 * TIMEZONE_HEADER || memcmp(p, "TZif", 4) != 0
        || p[4] < '2')
    {
        return NUDGE_ERROR;
    }

    size = timezone_block(p, 4) + TIMEZONE_HEADER;

    if (size > file->len - TIMEZONE_HEADER) {
        return NUDGE_ERROR;
    }

    p += size;
    size = timezone_block(p, 8);

    if (memcmp(p, "TZif", 4) != 0
        || size + TIMEZONE_HEADER + 2 > (size_t) (end - p)
        || end[-1] != '\n' || p[TIMEZONE_HEADER + size] != '\n')
    {
        return NUDGE_ERROR;
    }

    tz->n = timezone_u32(p + 32);
    ntypes = timezone_u32(p + 36);
    tz->times = p + TIMEZONE_HEADER;
    tz->types = tz->times + (size_t) 8 * tz->n;
    tz->infos = tz->types + tz->n;

    if (ntypes == 0) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < tz->n; i++) {
        if (tz->types[i] >= ntypes) {
            return NUDGE_ERROR;
        }
    }

    tz->first = (int32_t) timezone_u32(tz->infos);
    end[-1] = '\0';

    return timezone_footer(tz, (char *) p + TIMEZONE_HEADER + size + 1);
}


static nudge_uint_t
timezone_named(const nudge_str_t *name)
{
    size_t  i;
    u_char  c;

    if (name->len >= TIMEZONE_NAME || name->data[0] == '/'
        || nudge_str_find(name, "..") != NULL)
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            && !(c >= '0' && c <= '9') && c != '/' && c != '_' && c != '-'
            && c != '+')
        {
            return 0;
        }
    }

    return 1;
}


static timezone_t *
timezone_load(const nudge_str_t *name)
{
    char          path[sizeof(TIMEZONE_DIR) + 1 + TIMEZONE_NAME];
    timezone_t   *tz;
    nudge_str_t   file;

    tz = calloc(1, sizeof(timezone_t));

    if (tz == NULL) {
        return NULL;
    }

    memcpy(tz->name, name->data, name->len);
    snprintf(path, sizeof(path), TIMEZONE_DIR "/%s", tz->name);

    if (file_read(NULL, path, &file) != NUDGE_OK) {
        free(tz);
        return NULL;
    }

    if (timezone_parse(tz, &file) != NUDGE_OK) {
        free(file.data);
        free(tz);
        return NULL;
    }

    tz->file = file.data;

    return tz;
}


const timezone_t *
timezone_get(const nudge_str_t *name)
{
    timezone_t  *tz;

    if (name->len == 0 || nudge_str_is(name, "UTC")) {
        return &timezone_utc;
    }

    if (!timezone_named(name)) {
        return NULL;
    }

    pthread_mutex_lock(&timezone_lock);

    for (tz = timezones; tz; tz = tz->next) {
        if (nudge_str_is(name, tz->name)) {
            break;
        }
    }

    if (tz == NULL) {
        tz = timezone_load(name);

        if (tz) {
            tz->next = timezones;
            timezones = tz;
        }
    }

    pthread_mutex_unlock(&timezone_lock);

    return tz;
}


/* days since the epoch of a civil date, proleptic Gregorian (H. Hinnant) */

static int64_t
timezone_days(int64_t y, int64_t m, int64_t d)
{
    int64_t  era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}


static int64_t
timezone_year(int64_t days)
{
    int64_t  year;

    year = 1970 + days / 366;

    while (timezone_days(year + 1, 1, 1) <= days) {
        year++;
    }

    return year;
}


/* local second since the epoch at which the rule strikes in that year */

static int64_t
timezone_strike(const timezone_rule_t *rule, int64_t year)
{
    int64_t  day, first, length, leap;

    if (rule->kind != 'M') {
        first = timezone_days(year, 1, 1);
        leap = timezone_days(year + 1, 1, 1) - first == 366;

        /* Jn counts from 1 and never counts the 29th of February */

        day = rule->kind == '0' ? rule->day
                                : rule->day - 1 + (leap && rule->day >= 60);

        return (first + day) * TIMEZONE_DAY + rule->second;
    }

    first = timezone_days(year, rule->month, 1);
    length = (rule->month == 12 ? timezone_days(year + 1, 1, 1)
                                : timezone_days(year, rule->month + 1, 1))
             - first;

    /* the first day of the epoch was a Thursday */

    day = (rule->day - (first + 4) % 7 + 7) % 7 + (rule->week - 1) * 7;

    if (day >= length) {
        day -= 7;
    }

    return (first + day) * TIMEZONE_DAY + rule->second;
}


static int32_t
timezone_later(const timezone_t *tz, int64_t time)
{
    int64_t       year, on, off;
    nudge_uint_t  summer;

    if (!tz->saves) {
        return tz->standard;
    }

    year = timezone_year((time + tz->standard) / TIMEZONE_DAY);

    on = timezone_strike(&tz->rules[0], year) - tz->standard;
    off = timezone_strike(&tz->rules[1], year) - tz->summer;

    if (on < off) {
        summer = time >= on && time < off;

    } else {
        summer = time >= on || time < off;
    }

    return summer ? tz->summer : tz->standard;
}


int32_t
timezone_offset(const timezone_t *tz, int64_t time)
{
    uint32_t  low, high, middle;

    if (tz->n == 0) {
        return tz->footer && time >= 0 ? timezone_later(tz, time) : tz->first;
    }

    low = 0;
    high = tz->n;

    /* the number of transitions that are not later than "time" */

    while (low < high) {
        middle = (low + high) / 2;

        if (timezone_i64(tz->times + (size_t) 8 * middle) <= time) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low == 0) {
        return tz->first;
    }

    if (low == tz->n && tz->footer && time >= 0) {
        return timezone_later(tz, time);
    }

    return (int32_t) timezone_u32(tz->infos + 6 * tz->types[low - 1]);
}


nudge_uint_t
timezone_minute(const timezone_t *tz, int64_t time)
{
    int64_t  local;

    local = (time + timezone_offset(tz, time)) % TIMEZONE_DAY;

    if (local < 0) {
        local += TIMEZONE_DAY;
    }

    return local / 60;
}


static nudge_uint_t
timezone_within(nudge_uint_t minute, nudge_uint_t from, nudge_uint_t to)
{
    if (from <= to) {
        return minute >= from && minute < to;
    }

    return minute >= from || minute < to;
}


/* minute by minute: the clocks may change on the way, twice over the end, or
 * leave it out.  Three days are more than any night */

int64_t
timezone_quiet(const timezone_t *tz, int64_t time, nudge_uint_t from,
    nudge_uint_t to)
{
    int64_t       second;
    nudge_uint_t  i;

    second = time / 1000;

    if (from == to || !timezone_within(timezone_minute(tz, second), from, to))
    {
        return 0;
    }

    second -= second % 60;

    for (i = 0; i < 3 * 1440; i++) {
        second += 60;

        if (!timezone_within(timezone_minute(tz, second), from, to)) {
            break;
        }
    }

    return second * 1000;
}
