
/*
 * The ground everything in core stands on: strings, a bounded pool, a writer
 * that never overruns, UTF-8 and money.  Core is plain C11, knows neither
 * nginx nor files nor the clock: bytes and state in, bytes and state out.
 *
 * Promise: no function here aborts, and every one that can run out of room
 * says so in its result.
 */


#ifndef _NUDGE_CORE_H_INCLUDED_
#define _NUDGE_CORE_H_INCLUDED_


/* memmem(), memrchr(): this header comes before any of the system's */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>


/* the values of nginx's NGX_OK and friends, so that results pass through */

#define NUDGE_OK          0
#define NUDGE_ERROR      -1
#define NUDGE_AGAIN      -2
#define NUDGE_DECLINED   -5

typedef intptr_t   nudge_int_t;
typedef uintptr_t  nudge_uint_t;


/* the same members in the same order as ngx_str_t; data is not terminated */

typedef struct {
    size_t      len;
    u_char     *data;
} nudge_str_t;

#define nudge_string(s)      { sizeof(s) - 1, (u_char *) (s) }
#define nudge_null_string    { 0, NULL }
#define nudge_str_set(s, t)                                                   \
    (s)->len = sizeof(t) - 1; (s)->data = (u_char *) (t)
#define nudge_str_null(s)    (s)->len = 0; (s)->data = NULL

nudge_str_t nudge_cstr(const char *s);
nudge_uint_t nudge_str_eq(const nudge_str_t *a, const nudge_str_t *b);
nudge_uint_t nudge_str_is(const nudge_str_t *a, const char *b);
nudge_uint_t nudge_str_case_is(const nudge_str_t *a, const char *b);
nudge_uint_t nudge_str_starts(const nudge_str_t *a, const char *prefix);
nudge_int_t nudge_str_cmp(const nudge_str_t *a, const nudge_str_t *b);
/* first occurrence of needle, or NULL */
u_char *nudge_str_find(const nudge_str_t *a, const char *needle);
/* all digits, at most 18 of them: the value; otherwise NUDGE_ERROR */
int64_t nudge_str_int(const nudge_str_t *a);
/* without leading and trailing white space */
nudge_str_t nudge_str_trim(nudge_str_t s);


/*
 * A pool of bounded size: bump allocation, freed as a whole.  "limit" is the
 * most it will ever take from malloc(), in bytes; nudge_palloc() returns NULL
 * beyond it.  Reset keeps the first chunk: a worker owns one scratch pool and
 * resets it after each use.
 */

typedef struct nudge_pool_s  nudge_pool_t;

nudge_pool_t *nudge_pool_create(size_t limit);
void nudge_pool_reset(nudge_pool_t *pool);
void nudge_pool_destroy(nudge_pool_t *pool);
void *nudge_palloc(nudge_pool_t *pool, size_t size);
void *nudge_pcalloc(nudge_pool_t *pool, size_t size);
/* NUDGE_OK or NUDGE_ERROR; dst is NUL-terminated one past its length */
nudge_int_t nudge_pstrdup(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src);


/*
 * A writer.  Over fixed memory (nudge_buf_init) or growing in a pool up to
 * "max" bytes (nudge_buf_grow).  After the first write that does not fit
 * "full" is set, nothing more is written, and the caller checks once at the
 * end.
 */

typedef struct {
    u_char         *start;
    u_char         *pos;
    u_char         *end;
    nudge_pool_t   *pool;
    size_t          max;
    unsigned        full:1;
} nudge_buf_t;

void nudge_buf_init(nudge_buf_t *b, void *start, size_t size);
nudge_int_t nudge_buf_grow(nudge_buf_t *b, nudge_pool_t *pool, size_t size,
    size_t max);
void nudge_buf_put(nudge_buf_t *b, const void *data, size_t len);
void nudge_buf_char(nudge_buf_t *b, u_char c);
void nudge_buf_cstr(nudge_buf_t *b, const char *s);
void nudge_buf_str(nudge_buf_t *b, const nudge_str_t *s);
void nudge_buf_int(nudge_buf_t *b, int64_t n);
/* exactly "digits" lower-case hexadecimal digits */
void nudge_buf_hex(nudge_buf_t *b, uint64_t n, nudge_uint_t digits);
/* a quoted JSON string: controls, quote, backslash, invalid UTF-8 (as
 * U+FFFD), U+2028/9 and "<", ">", "&" escaped, so it may stand in HTML too */
void nudge_buf_json(nudge_buf_t *b, const nudge_str_t *s);
nudge_str_t nudge_buf_result(const nudge_buf_t *b);


/*
 * UTF-8 after RFC 3629.  nudge_utf8_decode() reads one character at *p,
 * advances *p and returns it, or 0xfffd for each byte that does not belong to
 * a well-formed sequence (overlong forms, surrogates and > U+10FFFF included).
 */

uint32_t nudge_utf8_decode(u_char **p, u_char *end);
size_t nudge_utf8_encode(u_char *dst, uint32_t c);
nudge_uint_t nudge_utf8_valid(const nudge_str_t *s);
/* the longest prefix of at most "max" bytes that does not split a character */
nudge_str_t nudge_utf8_cut(nudge_str_t s, size_t max);


/*
 * Money is counted in thousandths of the currency's unit, which is exact for
 * every ISO 4217 exponent in use (0 to 3).  NUDGE_MONEY_NONE is "not known".
 */

typedef int64_t  nudge_money_t;

#define NUDGE_MONEY_NONE  INT64_MIN
#define NUDGE_MONEY_UNIT  1000

/* "45.00", "1,234.50", "1.234,50", "45", with surrounding text ignored; the
 * last of "." and "," followed by one, two or (when the other occurs before
 * it) three digits is the decimal point; NUDGE_MONEY_NONE if there is no
 * number or it exceeds 10^12 units */
nudge_money_t nudge_money_parse(const nudge_str_t *s);
/* "4500" with minor unit 2 is 45.000; NUDGE_MONEY_NONE if not digits */
nudge_money_t nudge_money_minor(const nudge_str_t *s, nudge_uint_t unit);
/* plain decimal with at least two places: "45.00", "0.125", "-3.50" */
void nudge_buf_money(nudge_buf_t *b, nudge_money_t m);


/* SipHash-2-4 (Aumasson, Bernstein 2012) over a 16-byte key */
uint64_t nudge_siphash(const u_char key[16], const void *data, size_t len);
/* FNV-1a, 64 bit, for tables whose keys nobody attacks; start with 0 */
uint64_t nudge_hash(uint64_t seed, const void *data, size_t len);
/* CRC-32 (IEEE 802.3), as ngx_crc32_long */
uint32_t nudge_crc32(const void *data, size_t len);


#endif /* _NUDGE_CORE_H_INCLUDED_ */
