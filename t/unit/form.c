
/*
 * Forms as browsers send them, as they arrive cut, and what is never read.
 */


#include <stdlib.h>

#include "nudge_form.h"

#include "tap.h"


static nudge_pool_t  *pool;


/* all fields as "name=value|" */

static nudge_str_t
shown(const nudge_form_t *form)
{
    nudge_buf_t   b;
    nudge_uint_t  i;

    nudge_buf_grow(&b, pool, 256, 65536);

    for (i = 0; i < form->n; i++) {
        nudge_buf_str(&b, &form->fields[i].name);
        nudge_buf_char(&b, '=');
        nudge_buf_str(&b, &form->fields[i].value);
        nudge_buf_char(&b, '|');
    }

    return nudge_buf_result(&b);
}


static void
test_urlencoded(void)
{
    nudge_str_t   s;
    nudge_form_t  form;
    nudge_uint_t  i;
    static char   many[4096];

    static const struct {
        const char     *text;
        const char     *fields;
    } t[] = {
        { "", "" }, { "&&&", "" }, { "a", "a=|" }, { "a=", "a=|" },
        { "=b", "=b|" }, { "a=b", "a=b|" }, { "a=b&c=d", "a=b|c=d|" },
        { "a=b=c", "a=b=c|" }, { "a+b=c+d", "a b=c d|" },
        { "a%5B%5d=%41%2B", "a[]=A+|" }, { "a=%", "a=%|" },
        { "a=%4", "a=%4|" }, { "a=%4g%zz", "a=%4g%zz|" },
        { "a=%c3%a9", "a=\xc3\xa9|" }, { "a=%ff", "a=\xef\xbf\xbd|" },
        { "a=\xff%e2%82", "a=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },
        { "a=1&password=x&b=2", "a=1|b=2|" },
        { "%70assword=x&b=2", "b=2|" },
        { "billing%5Bcard%5D=4111&b=2", "b=2|" },
        { NULL, NULL }
    };

    for (i = 0; t[i].text; i++) {
        s = nudge_cstr(t[i].text);
        ok(nudge_form_urlencoded(pool, &s, &form) == NUDGE_OK, "%s",
           t[i].text);
        is_str(shown(&form), t[i].fields, "%s", t[i].text);
    }

    s = nudge_cstr("a=1&b=2&a=3");
    nudge_form_urlencoded(pool, &s, &form);
    s = nudge_cstr("a");
    is_str(*nudge_form_get(&form, &s), "3", "of repeated names the last");
    s = nudge_cstr("c");
    ok(nudge_form_get(&form, &s) == NULL, "none");

    for (i = 0; i < 1000; i++) {
        memcpy(many + i * 4, "a=1&", 4);
    }

    s.data = (u_char *) many;
    s.len = 4000;
    is_int(nudge_form_urlencoded(pool, &s, &form), NUDGE_OK, "1000 fields");
    is_int(form.n, NUDGE_FORM_FIELDS, "are too many");

    s = nudge_cstr("a=1");
    is_int(nudge_form_urlencoded(NULL, &s, &form), NUDGE_ERROR, "no memory");
}


#define B  "--XyZ\r\n"
#define D  "Content-Disposition: form-data; "

static const char  body[] =
    "preamble\r\n"
    B D "name=\"quantity\"\r\n\r\n2\r\n"
    B D "name=\"add-to-cart\"\r\nContent-Type: text/plain\r\n\r\n19\r\n"
    B D "name=\"photo\"; filename=\"x.png\"\r\n\r\n\x89PNG\r\n--Xy\r\n"
    B "content-disposition:form-data;name=plain\r\n\r\nline 1\r\nline 2\r\n"
    B D "name=\"q\\\"uote\"\r\n\r\n--XyZ-not\r\n\r\n"
    B D "name=\"card_number\"\r\n\r\n4111\r\n"
    B D "name=\"empty\"\r\n\r\n\r\n"
    "--XyZ--\r\nepilogue\r\n" B D "name=\"late\"\r\n\r\nx\r\n" B;

static const char  fields[] =
    "quantity=2|add-to-cart=19|plain=line 1\r\nline 2|"
    "q\"uote=--XyZ-not\r\n|empty=|";


static void
test_multipart(void)
{
    size_t        i;
    u_char       *copy;
    nudge_str_t   type, s, all, some;
    nudge_form_t  form;
    nudge_uint_t  bad;

    static const struct {
        const char     *type;
        nudge_int_t     rc;
    } t[] = {
        { "multipart/form-data; boundary=XyZ", NUDGE_OK },
        { "Multipart/Form-Data ; charset=x; Boundary=\"XyZ\" ; y=z",
          NUDGE_OK },
        { "multipart/form-data;boundary= XyZ ;a", NUDGE_OK },
        { "multipart/form-data", NUDGE_DECLINED },
        { "multipart/form-data; boundary=", NUDGE_DECLINED },
        { "multipart/form-data; boundary=\"\"", NUDGE_DECLINED },
        { "multipart/mixed; boundary=XyZ", NUDGE_DECLINED },
        { "text/plain", NUDGE_DECLINED }, { "", NUDGE_DECLINED },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456"
          "7890123456789012345678901234567890", NUDGE_DECLINED },
        { NULL, 0 }
    };

    for (i = 0; t[i].type; i++) {
        type = nudge_cstr(t[i].type);
        s = nudge_cstr(body);

        is_int(nudge_form_multipart(pool, &type, &s, &form), t[i].rc, "%s",
               t[i].type);
        is_str(shown(&form), t[i].rc == NUDGE_OK ? fields : "", "%s",
               t[i].type);
    }

    /* cut anywhere it gives the first of the fields, whole */

    type = nudge_cstr("multipart/form-data; boundary=XyZ");
    all = nudge_cstr(fields);
    bad = 0;

    for (i = 0; i < sizeof(body); i++) {
        nudge_pool_reset(pool);
        copy = malloc(i + 1);
        memcpy(copy, body, i);
        s.data = copy;
        s.len = i;

        if (nudge_form_multipart(pool, &type, &s, &form) != NUDGE_OK) {
            bad++;
        }

        some = shown(&form);
        bad += (some.len > all.len
                || (some.len && memcmp(some.data, all.data, some.len) != 0)
                || (some.len && some.data[some.len - 1] != '|'));
        free(copy);
    }

    is_int(bad, 0, "cut at every byte");

    s = nudge_cstr("--XyZ\n" D "name=a\n\n1\n--XyZ\nX: y\n\nnameless\n"
                   "--XyZ  \n" D "name=b\n\n2\n--XyZ--");
    nudge_form_multipart(pool, &type, &s, &form);
    is_str(shown(&form), "a=1|b=2|", "bare line feeds");
}


static void
test_secret(void)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    static const char  *secret[] = {
        "password", "Password", "user_pass", "pass1", "userPass", "pwd",
        "account_password", "passwort", "card", "cardNumber", "card-number",
        "stripe[card][number]", "cvv", "cc-cvc", "card_cvc2", "iban", "IBAN",
        "pin", "user.pin", "client_secret", "cc_number", "new-passwd",
        "wc-braintree-credit-card-expiry", "ccnum", "CardholderName",
        "0123456789012345678901234567890123456789012345678901234567890123456"
        "789012345678901234567890123456789012345678901234567890123456789_pin",
        NULL
    };

    static const char  *plain[] = {
        "", "email", "shipping_first_name", "shippingMethod", "quantity",
        "add-to-cart", "product_id", "billing_company", "compass", "passenger",
        "spinner", "pinterest", "opinion", "account", "success", "address_1",
        "wc-ajax", "accept", "pincode", "a", "[]", "PINK", NULL
    };

    for (i = 0; secret[i]; i++) {
        s = nudge_cstr(secret[i]);
        ok(nudge_form_secret(&s), "secret: %s", secret[i]);
    }

    for (i = 0; plain[i]; i++) {
        s = nudge_cstr(plain[i]);
        ok(!nudge_form_secret(&s), "plain: \"%s\"", plain[i]);
    }
}


int
main(void)
{
    pool = nudge_pool_create(1024 * 1024);

    test_urlencoded();
    test_multipart();
    test_secret();

    nudge_pool_destroy(pool);
    done_testing();

    return 0;
}
