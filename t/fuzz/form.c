
/*
 * Bodies: whatever arrives, fields are valid and none is secret; a cut body
 * gives the first fields of the whole; written again they are the same.
 */


#include <stdlib.h>

#include "nudge_form.h"


static nudge_pool_t  *pool;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static void
check_form(const nudge_form_t *form)
{
    nudge_uint_t   i;
    nudge_field_t  *f;

    check(form->n <= NUDGE_FORM_FIELDS);

    for (i = 0; i < form->n; i++) {
        f = &form->fields[i];

        check(nudge_utf8_valid(&f->name) && nudge_utf8_valid(&f->value));
        check(!nudge_form_secret(&f->name));
        check(nudge_form_get(form, &f->name) != NULL);
    }
}


static void
check_same(const nudge_form_t *a, const nudge_form_t *b, nudge_uint_t n)
{
    nudge_uint_t  i;

    for (i = 0; i < n; i++) {
        check(nudge_str_eq(&a->fields[i].name, &b->fields[i].name)
              && nudge_str_eq(&a->fields[i].value, &b->fields[i].value));
    }
}


/* every byte as "%XX" */

static void
write_field(nudge_buf_t *b, const nudge_field_t *f)
{
    size_t  i;

    for (i = 0; i < f->name.len; i++) {
        nudge_buf_char(b, '%');
        nudge_buf_hex(b, f->name.data[i], 2);
    }

    nudge_buf_char(b, '=');

    for (i = 0; i < f->value.len; i++) {
        nudge_buf_char(b, '%');
        nudge_buf_hex(b, f->value.data[i], 2);
    }

    nudge_buf_char(b, '&');
}


static void
check_again(const nudge_form_t *form)
{
    nudge_buf_t   b;
    nudge_str_t   text;
    nudge_form_t  again;
    nudge_uint_t  i;

    nudge_buf_grow(&b, pool, 256, 1024 * 1024);

    for (i = 0; i < form->n; i++) {
        write_field(&b, &form->fields[i]);
    }

    check(!b.full);
    text = nudge_buf_result(&b);

    check(nudge_form_urlencoded(pool, &text, &again) == NUDGE_OK);
    check(again.n == form->n);
    check_same(form, &again, form->n);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         n;
    u_char        *copy, *eol;
    nudge_str_t    type, text;
    nudge_int_t    rc;
    nudge_form_t   form, cut;

    if (pool == NULL) {
        pool = nudge_pool_create(16 * 1024 * 1024);
        check(pool != NULL);
    }

    nudge_pool_reset(pool);

    copy = malloc(size + 1);

    if (copy == NULL) {
        return 0;
    }

    memcpy(copy, data, size);
    text.data = copy;
    text.len = size;

    check(nudge_form_urlencoded(pool, &text, &form) == NUDGE_OK);
    check_form(&form);
    check_again(&form);

    /* the first line is the content type */

    eol = memchr(copy, '\n', size);

    if (eol != NULL) {
        type.data = copy;
        type.len = eol - copy;

        text.data = eol + 1;
        text.len = size - type.len - 1;

        rc = nudge_form_multipart(pool, &type, &text, &form);
        check(rc == NUDGE_OK || rc == NUDGE_DECLINED);

        if (rc == NUDGE_OK) {
            check_form(&form);
            check_again(&form);

            for (n = 0; n < text.len; n += 1 + n / 16) {
                type.data = malloc(type.len + n + 1);

                if (type.data == NULL) {
                    break;
                }

                memcpy(type.data, copy, type.len);
                memcpy(type.data + type.len, eol + 1, n);
                text.data = type.data + type.len;
                text.len = n;
                check(nudge_form_multipart(pool, &type, &text, &cut)
                      == NUDGE_OK);
                check(cut.n <= form.n);
                check_same(&cut, &form, cut.n);
                free(type.data);

                text.len = size - type.len - 1;
            }
        }
    }

    free(copy);

    return 0;
}
