
/*
 * What is known about text and numbers: UTF-8, the JSON string, money as
 * people and machines write it, and three hashes.  No state, no allocation.
 */


#include "nudge_core.h"


#define NUDGE_MONEY_MAX    (1000000000000LL * NUDGE_MONEY_UNIT)
#define NUDGE_MONEY_DIGITS 40

#define NUDGE_FNV_OFFSET   0xcbf29ce484222325ULL
#define NUDGE_FNV_PRIME    0x100000001b3ULL


/* a number as it stands in a text: digits only, and where they were split */

typedef struct {
    u_char              digit[NUDGE_MONEY_DIGITS];
    nudge_uint_t        n;
    nudge_uint_t        point;      /* digits before the last "." or "," */
    u_char              last;       /* that separator, or 0 */
    unsigned            mixed:1;    /* the other one stands before it */
    unsigned            many:1;     /* it stands there more than once */
    unsigned            negative:1;
} nudge_number_t;


static size_t nudge_utf8_length(const u_char *p, const u_char *end);
static size_t nudge_money_gap(const u_char *p, const u_char *end);
static nudge_uint_t nudge_money_sign(const u_char *start, const u_char *p);
static nudge_int_t nudge_money_read(const nudge_str_t *s, nudge_number_t *num);


static const uint32_t  nudge_crc32_table[256] = {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba,
    0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
    0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988,
    0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91,
    0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de,
    0x1adad47d, 0x6ddde4eb, 0xf4d4b551, 0x83d385c7,
    0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec,
    0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5,
    0x3b6e20c8, 0x4c69105e, 0xd56041e4, 0xa2677172,
    0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b,
    0x35b5a8fa, 0x42b2986c, 0xdbbbc9d6, 0xacbcf940,
    0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59,
    0x26d930ac, 0x51de003a, 0xc8d75180, 0xbfd06116,
    0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
    0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924,
    0x2f6f7c87, 0x58684c11, 0xc1611dab, 0xb6662d3d,
    0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a,
    0x71b18589, 0x06b6b51f, 0x9fbfe4a5, 0xe8b8d433,
    0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818,
    0x7f6a0dbb, 0x086d3d2d, 0x91646c97, 0xe6635c01,
    0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e,
    0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457,
    0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea, 0xfcb9887c,
    0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65,
    0x4db26158, 0x3ab551ce, 0xa3bc0074, 0xd4bb30e2,
    0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb,
    0x4369e96a, 0x346ed9fc, 0xad678846, 0xda60b8d0,
    0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
    0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086,
    0x5768b525, 0x206f85b3, 0xb966d409, 0xce61e49f,
    0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4,
    0x59b33d17, 0x2eb40d81, 0xb7bd5c3b, 0xc0ba6cad,
    0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a,
    0xead54739, 0x9dd277af, 0x04db2615, 0x73dc1683,
    0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8,
    0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1,
    0xf00f9344, 0x8708a3d2, 0x1e01f268, 0x6906c2fe,
    0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7,
    0xfed41b76, 0x89d32be0, 0x10da7a5a, 0x67dd4acc,
    0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5,
    0xd6d6a3e8, 0xa1d1937e, 0x38d8c2c4, 0x4fdff252,
    0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60,
    0xdf60efc3, 0xa867df55, 0x316e8eef, 0x4669be79,
    0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236,
    0xcc0c7795, 0xbb0b4703, 0x220216b9, 0x5505262f,
    0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04,
    0xc2d7ffa7, 0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d,
    0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a,
    0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713,
    0x95bf4a82, 0xe2b87a14, 0x7bb12bae, 0x0cb61b38,
    0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21,
    0x86d3d2d4, 0xf1d4e242, 0x68ddb3f8, 0x1fda836e,
    0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777,
    0x88085ae6, 0xff0f6a70, 0x66063bca, 0x11010b5c,
    0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
    0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2,
    0xa7672661, 0xd06016f7, 0x4969474d, 0x3e6e77db,
    0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0,
    0xa9bcae53, 0xdebb9ec5, 0x47b2cf7f, 0x30b5ffe9,
    0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6,
    0xbad03605, 0xcdd70693, 0x54de5729, 0x23d967bf,
    0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94,
    0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d
};


/* the length of the well-formed sequence at p, or 0 (RFC 3629, section 4) */

static size_t
nudge_utf8_length(const u_char *p, const u_char *end)
{
    u_char  low, high;
    size_t  i, n;

    if (p[0] < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = (p[0] == 0xe0) ? 0xa0 : 0x80;
        high = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = (p[0] == 0xf0) ? 0x90 : 0x80;
        high = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


uint32_t
nudge_utf8_decode(u_char **p, u_char *end)
{
    size_t     i, n;
    u_char    *s;
    uint32_t   c;

    s = *p;

    if (s >= end) {
        return 0xfffd;
    }

    n = nudge_utf8_length(s, end);

    if (n < 2) {
        *p = s + 1;
        return (n == 1) ? *s : 0xfffd;
    }

    c = s[0] & (0xff >> (n + 1));

    for (i = 1; i < n; i++) {
        c = (c << 6) | (s[i] & 0x3f);
    }

    *p = s + n;

    return c;
}


size_t
nudge_utf8_encode(u_char *dst, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        c = 0xfffd;
    }

    if (c < 0x80) {
        dst[0] = (u_char) c;
        return 1;
    }

    if (c < 0x800) {
        dst[0] = 0xc0 | (c >> 6);
        dst[1] = 0x80 | (c & 0x3f);
        return 2;
    }

    if (c < 0x10000) {
        dst[0] = 0xe0 | (c >> 12);
        dst[1] = 0x80 | ((c >> 6) & 0x3f);
        dst[2] = 0x80 | (c & 0x3f);
        return 3;
    }

    dst[0] = 0xf0 | (c >> 18);
    dst[1] = 0x80 | ((c >> 12) & 0x3f);
    dst[2] = 0x80 | ((c >> 6) & 0x3f);
    dst[3] = 0x80 | (c & 0x3f);

    return 4;
}


nudge_uint_t
nudge_utf8_valid(const nudge_str_t *s)
{
    size_t         n;
    const u_char  *p, *end;

    if (s->len == 0) {
        return 1;
    }

    p = s->data;
    end = p + s->len;

    while (p < end) {
        n = nudge_utf8_length(p, end);
        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return 1;
}


nudge_str_t
nudge_utf8_cut(nudge_str_t s, size_t max)
{
    size_t  n;

    if (s.len <= max) {
        return s;
    }

    n = max;

    while (n > 0 && max - n < 3 && (s.data[n] & 0xc0) == 0x80) {
        n--;
    }

    if (n + nudge_utf8_length(s.data + n, s.data + s.len) <= max) {
        n = max;
    }

    s.len = n;

    return s;
}


static void
nudge_buf_json_escape(nudge_buf_t *b, uint32_t c)
{
    static const char  letters[] = "btn\0fr";

    if (c == '"' || c == '\\') {
        nudge_buf_char(b, '\\');
        nudge_buf_char(b, (u_char) c);
        return;
    }

    if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        nudge_buf_char(b, '\\');
        nudge_buf_char(b, (u_char) letters[c - 0x08]);
        return;
    }

    nudge_buf_cstr(b, "\\u");
    nudge_buf_hex(b, c, 4);
}


void
nudge_buf_json(nudge_buf_t *b, const nudge_str_t *s)
{
    u_char    *p, *run, *end, *next;
    uint32_t   c;

    if (s->len == 0) {
        nudge_buf_cstr(b, "\"\"");
        return;
    }

    nudge_buf_char(b, '"');

    p = s->data;
    run = p;
    end = p + s->len;

    while (p < end) {
        c = *p;

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<'
            && c != '>' && c != '&')
        {
            p++;
            continue;
        }

        next = p;
        c = nudge_utf8_decode(&next, end);

        if (c >= 0x80 && c != 0xfffd && c != 0x2028 && c != 0x2029) {
            p = next;
            continue;
        }

        nudge_buf_put(b, run, p - run);
        nudge_buf_json_escape(b, c);
        p = next;
        run = p;
    }

    nudge_buf_put(b, run, p - run);
    nudge_buf_char(b, '"');
}


/* white space and apostrophes that group digits: " ", "'", U+00A0, U+2009,
 * U+2019, U+202F; the length, or 0 */

static size_t
nudge_money_gap(const u_char *p, const u_char *end)
{
    if (p == end) {
        return 0;
    }

    if (*p == ' ' || *p == '\'') {
        return 1;
    }

    if (end - p >= 2 && p[0] == 0xc2 && p[1] == 0xa0) {
        return 2;
    }

    if (end - p >= 3 && p[0] == 0xe2 && p[1] == 0x80
        && (p[2] == 0x89 || p[2] == 0x99 || p[2] == 0xaf))
    {
        return 3;
    }

    return 0;
}


static nudge_uint_t
nudge_is_digit(u_char c)
{
    return c >= '0' && c <= '9';
}


/* p: the first digit.  A minus counts right before it or before the currency
 * sign, and not inside a word or a range ("A-5", "3-5") */

static nudge_uint_t
nudge_money_sign(const u_char *start, const u_char *p)
{
    while (p > start && (p[-1] == '$' || p[-1] >= 0x80 || p[-1] == '.')) {
        p--;
    }

    if (p == start || p[-1] != '-') {
        return 0;
    }

    p--;

    return p == start
           || !(nudge_is_digit(p[-1]) || ((p[-1] | 0x20) >= 'a'
                                          && (p[-1] | 0x20) <= 'z'));
}


/* three digits and no fourth: what a grouping gap has to be followed by */

static nudge_uint_t
nudge_money_group(const u_char *p, const u_char *end)
{
    return end - p >= 3 && nudge_is_digit(p[0]) && nudge_is_digit(p[1])
           && nudge_is_digit(p[2]) && (end - p == 3 || !nudge_is_digit(p[3]));
}


static nudge_int_t
nudge_money_read(const nudge_str_t *s, nudge_number_t *num)
{
    size_t         gap;
    const u_char  *p, *end;

    memset(num, 0, sizeof(nudge_number_t));

    if (s->len == 0) {
        return NUDGE_DECLINED;
    }

    p = s->data;
    end = p + s->len;

    while (p < end && !nudge_is_digit(*p)) {
        p++;
    }

    if (p == end) {
        return NUDGE_DECLINED;
    }

    num->negative = nudge_money_sign(s->data, p);

    /* ".50", but not "Rs.500" */

    if (p > s->data && (p[-1] == '.' || p[-1] == ',')
        && (p - s->data == 1 || p[-2] == ' ' || p[-2] == '$' || p[-2] == '-'
            || p[-2] >= 0x80))
    {
        num->last = p[-1];
    }

    while (p < end) {

        if (nudge_is_digit(*p)) {
            if (num->n == NUDGE_MONEY_DIGITS) {
                return NUDGE_DECLINED;
            }

            num->digit[num->n++] = *p++;
            continue;
        }

        if (*p == '.' || *p == ',') {
            if (end - p < 2 || !nudge_is_digit(p[1])) {
                break;
            }

            num->many = (num->last == *p);
            num->mixed |= (num->last != 0 && num->last != *p);
            num->last = *p++;
            num->point = num->n;
            continue;
        }

        gap = nudge_money_gap(p, end);

        if (gap == 0 || num->last || !nudge_money_group(p + gap, end)) {
            break;
        }

        p += gap;
    }

    /* "4e3" is a number of another kind */

    if (end - p >= 2 && (*p | 0x20) == 'e'
        && (nudge_is_digit(p[1]) || p[1] == '+' || p[1] == '-'))
    {
        return NUDGE_DECLINED;
    }

    return NUDGE_OK;
}


nudge_money_t
nudge_money_parse(const nudge_str_t *s)
{
    nudge_uint_t    i, places, whole;
    nudge_money_t   m;
    nudge_number_t  num;

    if (nudge_money_read(s, &num) != NUDGE_OK) {
        return NUDGE_MONEY_NONE;
    }

    whole = num.n;
    places = num.last ? num.n - num.point : 0;

    /*
     * Three digits behind a separator are thousands, unless what stands
     * before it cannot be: the other separator, nothing but "0", more than
     * three digits.
     */

    if (places && !(places == 3 && !num.mixed
                    && (num.many || (num.point >= 1 && num.point <= 3
                                     && num.digit[0] != '0'))))
    {
        whole = num.point;
    }

    m = 0;

    for (i = 0; i < whole + 3; i++) {
        m = m * 10 + ((i < num.n) ? num.digit[i] - '0' : 0);

        if (m > NUDGE_MONEY_MAX) {
            return NUDGE_MONEY_NONE;
        }
    }

    if (whole + 3 < num.n && num.digit[whole + 3] >= '5') {
        m++;
    }

    if (m > NUDGE_MONEY_MAX) {
        return NUDGE_MONEY_NONE;
    }

    return num.negative ? -m : m;
}


nudge_money_t
nudge_money_minor(const nudge_str_t *s, nudge_uint_t unit)
{
    int64_t        n, scale;
    nudge_uint_t   negative;
    nudge_str_t    digits;

    digits = *s;
    negative = (s->len > 1 && s->data[0] == '-');

    if (negative) {
        digits.data++;
        digits.len--;
    }

    n = nudge_str_int(&digits);

    if (n == NUDGE_ERROR || unit > 12) {
        return NUDGE_MONEY_NONE;
    }

    for (scale = NUDGE_MONEY_UNIT; unit && scale > 1; unit--) {
        scale /= 10;
    }

    if (n > NUDGE_MONEY_MAX / scale) {
        return NUDGE_MONEY_NONE;
    }

    n *= scale;

    for ( /* void */ ; unit; unit--) {
        n = (unit == 1) ? (n + 5) / 10 : n / 10;
    }

    return negative ? -n : n;
}


void
nudge_buf_money(nudge_buf_t *b, nudge_money_t m)
{
    uint64_t      u;
    nudge_uint_t  rest;

    u = (m < 0) ? -(uint64_t) m : (uint64_t) m;
    rest = u % NUDGE_MONEY_UNIT;

    if (m < 0) {
        nudge_buf_char(b, '-');
    }

    nudge_buf_int(b, (int64_t) (u / NUDGE_MONEY_UNIT));
    nudge_buf_char(b, '.');
    nudge_buf_char(b, '0' + rest / 100);
    nudge_buf_char(b, '0' + rest / 10 % 10);

    if (rest % 10) {
        nudge_buf_char(b, '0' + rest % 10);
    }
}


static uint64_t
nudge_rotl(uint64_t x, nudge_uint_t n)
{
    return (x << n) | (x >> (64 - n));
}


static uint64_t
nudge_load64(const u_char *p)
{
    uint64_t      n;
    nudge_uint_t  i;

    n = 0;

    for (i = 8; i > 0; i--) {
        n = (n << 8) | p[i - 1];
    }

    return n;
}


static void
nudge_sipround(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = nudge_rotl(v[1], 13) ^ v[0];
    v[0] = nudge_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = nudge_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = nudge_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = nudge_rotl(v[1], 17) ^ v[2];
    v[2] = nudge_rotl(v[2], 32);
}


uint64_t
nudge_siphash(const u_char key[16], const void *data, size_t len)
{
    size_t         i, left;
    uint64_t       m, v[4], k0, k1;
    const u_char  *p;

    k0 = nudge_load64(key);
    k1 = nudge_load64(key + 8);

    v[0] = k0 ^ 0x736f6d6570736575ULL;
    v[1] = k1 ^ 0x646f72616e646f6dULL;
    v[2] = k0 ^ 0x6c7967656e657261ULL;
    v[3] = k1 ^ 0x7465646279746573ULL;

    p = data;

    for (left = len; left >= 8; left -= 8, p += 8) {
        m = nudge_load64(p);
        v[3] ^= m;
        nudge_sipround(v);
        nudge_sipround(v);
        v[0] ^= m;
    }

    m = (uint64_t) len << 56;

    for (i = 0; i < left; i++) {
        m |= (uint64_t) p[i] << (8 * i);
    }

    v[3] ^= m;
    nudge_sipround(v);
    nudge_sipround(v);
    v[0] ^= m;
    v[2] ^= 0xff;

    for (i = 0; i < 4; i++) {
        nudge_sipround(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


uint64_t
nudge_hash(uint64_t seed, const void *data, size_t len)
{
    size_t         i;
    const u_char  *p;

    p = data;

    if (seed == 0) {
        seed = NUDGE_FNV_OFFSET;
    }

    for (i = 0; i < len; i++) {
        seed = (seed ^ p[i]) * NUDGE_FNV_PRIME;
    }

    return seed;
}


uint32_t
nudge_crc32(const void *data, size_t len)
{
    size_t         i;
    uint32_t       crc;
    const u_char  *p;

    p = data;
    crc = 0xffffffff;

    for (i = 0; i < len; i++) {
        crc = nudge_crc32_table[(crc ^ p[i]) & 0xff] ^ (crc >> 8);
    }

    return crc ^ 0xffffffff;
}
