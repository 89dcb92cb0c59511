
/*
 * Links as anybody may type them: none is taken that was not made here, and
 * what was put into one comes out of it.
 */


#include "nudge_token.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static nudge_str_t
part(const uint8_t **data, size_t *size)
{
    size_t       n;
    nudge_str_t  s;

    n = 0;

    if (*size) {
        n = **data;
        (*data)++;
        (*size)--;
        n = n < *size ? n : *size;
    }

    s.data = (u_char *) *data;
    s.len = n;
    *data += n;
    *size -= n;

    return s;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char          *p;
    nudge_str_t      text;
    nudge_buf_t      b;
    nudge_keys_t     keys;
    nudge_token_t    t, u;

    static nudge_pool_t  *pool;

    if (pool == NULL) {
        pool = nudge_pool_create(1024 * 1024);
        check(pool != NULL);
    }

    memset(&keys, 0, sizeof(nudge_keys_t));
    memset(keys.current, 0x5a, 32);

    text.data = (u_char *) data;
    text.len = size;
    u.shop = text;
    check(nudge_token_decode(&t, pool, &text, 'l', &u.shop, 0, &keys)
          == NUDGE_DECLINED);

    memset(&t, 0, sizeof(nudge_token_t));
    t.kind = 'l';
    t.shop = part(&data, &size);
    t.contact = part(&data, &size);
    t.claim = part(&data, &size);
    t.target = part(&data, &size);
    t.expires = size ? data[0] : 0;

    check(nudge_buf_grow(&b, pool, 64, 4096) == NUDGE_OK);

    if (nudge_token_encode(&b, &t, &keys) == NUDGE_OK) {
        text = nudge_buf_result(&b);
        check(text.len <= NUDGE_TOKEN_MAX);
        check(nudge_token_decode(&u, pool, &text, 'l', &t.shop, 0, &keys)
              == NUDGE_OK);
        check(nudge_str_eq(&t.contact, &u.contact)
              && nudge_str_eq(&t.claim, &u.claim)
              && nudge_str_eq(&t.target, &u.target)
              && t.expires == u.expires);
        check(t.target.len == 0
              || (t.target.data[0] == '/'
                  && (t.target.len == 1 || t.target.data[1] != '/')));

        check(nudge_token_decode(&u, pool, &text, 'u', &t.shop, 0, &keys)
              == NUDGE_DECLINED);

        if (size > 2 && data[2]) {
            p = &text.data[data[1] % text.len];
            *p ^= data[2];
            check(nudge_token_decode(&u, pool, &text, 'l', &t.shop, 0, &keys)
                  == NUDGE_DECLINED);
        }
    }

    nudge_pool_reset(pool);

    return 0;
}
