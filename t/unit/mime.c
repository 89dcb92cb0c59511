
/*
 * Mail syntax, against vectors written by hand from RFC 5322, 2045 and 2047.
 */


#include "mime.h"
#include "tap.h"


static nudge_pool_t  *pool;


static nudge_buf_t
out(void)
{
    nudge_buf_t  b;

    if (nudge_buf_grow(&b, pool, 256, 1024 * 1024) != NUDGE_OK) {
        b.full = 1;
    }

    return b;
}


/* TAP is read line by line */

static const char *
show(const char *text, size_t len)
{
    static char  shown[2][128];
    static int   turn;
    char        *s;
    size_t       i;

    turn = !turn;
    s = shown[turn];

    for (i = 0; i < len && i < sizeof(shown[0]) - 1; i++) {
        s[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '.';
    }

    s[i] = '\0';

    return s;
}


static void
check(const char *what, const char *value, const nudge_str_t *got,
    const char *want)
{
    ok(nudge_str_is(got, want), "%s \"%s\" gives \"%s\"", what,
       show(value, strlen(value)), show((char *) got->data, got->len));
}


static void
header(const char *value, const char *want)
{
    nudge_buf_t  b;
    nudge_str_t  s;

    b = out();
    s = nudge_cstr(value);
    (void) mime_header(&b, "Subject", &s);
    s = nudge_buf_result(&b);

    check("subject", value, &s, want);
}


static void
mailbox(const char *from, const char *want)
{
    nudge_buf_t  b;
    nudge_str_t  s, display, address;

    b = out();
    s = nudge_cstr(from);

    if (mime_split(pool, &s, &display, &address) == NULL) {
        (void) mime_mailbox(&b, "From", &display, &address);
    }

    s = nudge_buf_result(&b);

    check("mailbox", from, &s, want);
}


static void
part(const char *text, const char *want)
{
    nudge_buf_t  b;
    nudge_str_t  s;

    b = out();
    s = nudge_cstr(text);
    mime_part(&b, "text/plain", &s);
    s = nudge_buf_result(&b);

    /* what follows "Content-Transfer-Encoding: " */

    s.data += 68;
    s.len -= 68;

    check("part", text, &s, want);
}


static void
address(const char *text, const char *want)
{
    nudge_str_t  s;
    const char  *reason;

    s = nudge_cstr(text);
    reason = mime_address(&s);

    ok(want == NULL ? reason == NULL
                    : reason != NULL && strcmp(reason, want) == 0,
       "address \"%s\" is %s", show(text, strlen(text)), want ? want : "fine");
}


static void
unsafe(void)
{
    nudge_buf_t   b;
    nudge_str_t   none;
    nudge_uint_t  i;
    nudge_str_t   s[] = {
        nudge_string("a\r\nBcc: eve@shop.example"),
        nudge_string("a\nb"),
        nudge_string("a\rb"),
        nudge_string("a\0b"),
        nudge_string("a\x1b[2J"),
        nudge_string("a\x7f")
    };

    nudge_str_null(&none);

    for (i = 0; i < sizeof(s) / sizeof(s[0]); i++) {
        b = out();

        ok(mime_header(&b, "Subject", &s[i]) == NUDGE_DECLINED
           && b.pos == b.start, "control character %d is refused", (int) i);
        ok(mime_mailbox(&b, "From", &s[i], &none) == NUDGE_DECLINED
           && b.pos == b.start, "also in a display name");
    }
}


static void
dates(void)
{
    nudge_buf_t  b;
    nudge_str_t  s;

    b = out();
    mime_date(&b, 1795306529);
    s = nudge_buf_result(&b);

    ok(nudge_str_is(&s, "Date: Sun, 22 Nov 2026 00:15:29 +0000\r\n"),
       "a date: %.*s", (int) s.len, s.data);

    b = out();
    mime_date(&b, 1709210096);
    s = nudge_buf_result(&b);

    ok(nudge_str_is(&s, "Date: Thu, 29 Feb 2024 12:34:56 +0000\r\n"),
       "a leap day: %.*s", (int) s.len, s.data);
}


int
main(void)
{
    pool = nudge_pool_create(16 * 1024 * 1024);

    header("Your cart", "Subject: Your cart\r\n");
    header("", "Subject: \r\n");
    header("za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87",
           "Subject: =?UTF-8?B?emHFvMOzxYLEhw==?=\r\n");
    header("Caf\xc3\xa9 au lait", "Subject: =?UTF-8?Q?Caf=C3=A9_au_lait?=\r\n");
    header("=?UTF-8?Q?no?=", "Subject: =?UTF-8?B?PT9VVEYtOD9RP25vPz0=?=\r\n");
    header(" two  spaces", "Subject: =?UTF-8?Q?_two__spaces?=\r\n");
    header("You left something behind: Large Teapot, Small Mug, and three "
           "other things",
           "Subject: You left something behind: Large Teapot, Small Mug, and "
           "three other\r\n things\r\n");
    header("a bad \xff byte in words",
           "Subject: =?UTF-8?Q?a_bad_=EF=BF=BD_byte_in_words?=\r\n");

    mailbox("Blue Mug <hello@bluemug.example>",
            "From: Blue Mug <hello@bluemug.example>\r\n");
    mailbox("hello@bluemug.example", "From: hello@bluemug.example\r\n");
    mailbox("<hello@bluemug.example>", "From: hello@bluemug.example\r\n");
    mailbox("Mug, Blue <hello@bluemug.example>",
            "From: \"Mug, Blue\" <hello@bluemug.example>\r\n");
    mailbox("\"Mug \\\"Blue\\\"\" <hello@bluemug.example>",
            "From: \"Mug \\\"Blue\\\"\" <hello@bluemug.example>\r\n");
    mailbox("Caf\xc3\xa9 <a@cafe.example>",
            "From: =?UTF-8?B?Q2Fmw6k=?= <a@cafe.example>\r\n");
    mailbox("Blue Mug <hello@bluemug.example> x", "");
    mailbox("Blue Mug", "");

    part("Hello\n\nworld", "7bit\r\n\r\nHello\r\n\r\nworld\r\n");
    part("a = b \n.\nFrom me\nCaf\xc3\xa9 and a long line of plain words",
         "quoted-printable\r\n\r\na =3D b=20\r\n=2E\r\n=46rom me\r\n"
         "Caf=C3=A9 and a long line of plain words\r\n");
    part("1234567890123456789012345678901234567890123456789012345678901234567"
         "890123456789\xc3\xa9 aaaaaaaaaaaaaaaaa",
         "quoted-printable\r\n\r\n"
         "1234567890123456789012345678901234567890123456789012345678901234567"
         "89012345=\r\n6789=C3=A9 aaaaaaaaaaaaaaaaa\r\n");
    part("\xe6\x97\xa5\xe6\x9c\xac", "base64\r\n\r\n5pel5pysDQo=\r\n");
    part("", "7bit\r\n\r\n");

    address("anna@shop.example", NULL);
    address("a.b+c'd@sub.shop.example", NULL);
    address("anna@xn--bcher-kva.example", NULL);
    address("anna@b\xc3\xbc" "cher.example", "address_not_ascii");
    address("\xc3\xa5nna@shop.example", "address_not_ascii");
    address("\"anna b\"@shop.example", "address_invalid");
    address("anna(comment)@shop.example", "address_invalid");
    address("anna@[127.0.0.1]", "address_invalid");
    address("anna@127.0.0.1", "address_invalid");
    address("anna@localhost", "address_invalid");
    address("anna@-shop.example", "address_invalid");
    address("anna@shop..example", "address_invalid");
    address("anna@shop.example.", "address_invalid");
    address(".anna@shop.example", "address_invalid");
    address("an..na@shop.example", "address_invalid");
    address("anna.@shop.example", "address_invalid");
    address("anna@eve@shop.example", "address_invalid");
    address("anna@shop.example,eve@shop.example", "address_invalid");
    address("anna@shop.example\r\nBcc: x@y.example", "address_invalid");
    address("@shop.example", "address_invalid");
    address("anna@", "address_invalid");
    address("", "address_invalid");

    unsafe();
    dates();

    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
