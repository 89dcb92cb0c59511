
/*
 * SMTP through libcurl's easy interface, blocking (curl's multi interface
 * blocks in SMTP anyway, curl #8555).  What became of a message is not read
 * from curl's result alone: response_code keeps older replies (#8356), so the
 * replies are followed as they come in, command by command.
 *
 * Promise: DELIVER_TEMPORARY, _PERMANENT and _ABORTED mean that the relay
 * cannot have the message, DELIVER_SENT that it has said so.
 */


#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver_smtp.h"


#define DELIVER_CONNECT_TIMEOUT  10
#define DELIVER_TIMEOUT          60
#define DELIVER_IDLE             50     /* s, a kept connection is reused */
#define DELIVER_ADDRESS          254


struct deliver_smtp_s {
    CURL                   *curl;
    deliver_result_t       *result;
    const deliver_calls_t  *calls;
    const nudge_str_t      *message;
    size_t                  sent;
    unsigned                asked:1;    /* before_data() was called */
    unsigned                ended:1;    /* the final dot may leave */
    unsigned                answered:1; /* ... and a reply came */
    unsigned                refused:1;  /* one of the calls said no */
    unsigned                quitting:1; /* replies are to QUIT */
    char                    error[CURL_ERROR_SIZE];
};


static CURLcode deliver_once(deliver_smtp_t *d, const deliver_relay_t *relay,
    const char *from, struct curl_slist *to, nudge_uint_t fresh);
static CURLcode deliver_options(deliver_smtp_t *d,
    const deliver_relay_t *relay, const char *from, struct curl_slist *to,
    nudge_uint_t fresh);
static size_t deliver_read(char *buf, size_t size, size_t n, void *data);
static size_t deliver_reply(char *line, size_t size, size_t n, void *data);
static size_t deliver_discard(char *buf, size_t size, size_t n, void *data);
static int deliver_command(CURL *curl, curl_infotype type, char *text,
    size_t len, void *data);
static int deliver_progress(void *data, curl_off_t dltotal, curl_off_t dlnow,
    curl_off_t ultotal, curl_off_t ulnow);
static nudge_int_t deliver_call(deliver_smtp_t *d,
    nudge_int_t (*call)(void *arg));
static void deliver_classify(deliver_smtp_t *d, CURLcode rc);
static deliver_class_t deliver_class(const deliver_smtp_t *d, CURLcode rc);
static nudge_uint_t deliver_bad_address(const deliver_result_t *r);
static void deliver_enhanced(deliver_result_t *r, const char *line,
    size_t len);
static void deliver_text(deliver_result_t *r, const char *text, size_t len);
static nudge_int_t deliver_address(char *dst, const nudge_str_t *address);


nudge_int_t
deliver_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NUDGE_OK
                                                             : NUDGE_ERROR;
}


deliver_smtp_t *
deliver_smtp_create(void)
{
    deliver_smtp_t  *d;

    d = calloc(1, sizeof(deliver_smtp_t));
    if (d == NULL) {
        return NULL;
    }

    d->curl = curl_easy_init();
    if (d->curl == NULL) {
        free(d);
        return NULL;
    }

    return d;
}


void
deliver_smtp_destroy(deliver_smtp_t *d)
{
    if (d == NULL) {
        return;
    }

    curl_easy_cleanup(d->curl);
    free(d);
}


void
deliver_smtp_send(deliver_smtp_t *d, const deliver_relay_t *relay,
    const nudge_str_t *from, const nudge_str_t *to, const nudge_str_t *message,
    const deliver_calls_t *calls, deliver_result_t *result)
{
    long                connects;
    char                sender[DELIVER_ADDRESS + 1];
    char                recipient[DELIVER_ADDRESS + 1];
    CURLcode            rc;
    struct curl_slist  *list;

    memset(result, 0, sizeof(deliver_result_t));
    result->class = DELIVER_TEMPORARY;

    if (deliver_address(sender, from) != NUDGE_OK
        || deliver_address(recipient, to) != NUDGE_OK)
    {
        result->class = DELIVER_PERMANENT;
        deliver_text(result, "address_invalid", 15);
        return;
    }

    list = curl_slist_append(NULL, recipient);
    if (list == NULL) {
        deliver_text(result, "no memory", 9);
        return;
    }

    d->result = result;
    d->calls = calls;
    d->message = message;

    rc = deliver_once(d, relay, sender, list, 0);

    /*
     * A kept connection may have died while it was idle: nothing of the
     * transaction was answered then, so it may begin again on a new one.
     */

    connects = 1;
    curl_easy_getinfo(d->curl, CURLINFO_NUM_CONNECTS, &connects);

    if (rc != CURLE_OK && connects == 0 && !d->refused
        && result->stage <= DELIVER_AT_MAIL && result->code == 0)
    {
        rc = deliver_once(d, relay, sender, list, 1);
    }

    deliver_classify(d, rc);

    curl_slist_free_all(list);

    d->result = NULL;
    d->calls = NULL;
    d->message = NULL;
}


static CURLcode
deliver_once(deliver_smtp_t *d, const deliver_relay_t *relay,
    const char *from, struct curl_slist *to, nudge_uint_t fresh)
{
    CURLcode  rc;

    memset(d->result, 0, sizeof(deliver_result_t));
    d->result->class = DELIVER_TEMPORARY;

    d->sent = 0;
    d->asked = 0;
    d->ended = 0;
    d->answered = 0;
    d->refused = 0;
    d->quitting = 0;
    d->error[0] = '\0';

    /* options are forgotten, connections are kept */

    curl_easy_reset(d->curl);

    rc = deliver_options(d, relay, from, to, fresh);
    if (rc != CURLE_OK) {
        return rc;
    }

    return curl_easy_perform(d->curl);
}


static CURLcode
deliver_options(deliver_smtp_t *d, const deliver_relay_t *relay,
    const char *from, struct curl_slist *to, nudge_uint_t fresh)
{
    long  timeout, bad;

    timeout = relay->timeout ? (long) relay->timeout : DELIVER_TIMEOUT;

    bad = 0;

    bad |= curl_easy_setopt(d->curl, CURLOPT_ERRORBUFFER, d->error);
    bad |= curl_easy_setopt(d->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    bad |= curl_easy_setopt(d->curl, CURLOPT_URL, relay->url);
    bad |= curl_easy_setopt(d->curl, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(d->curl, CURLOPT_NOSIGNAL, 1L);

    bad |= curl_easy_setopt(d->curl, CURLOPT_CONNECTTIMEOUT,
                            (long) DELIVER_CONNECT_TIMEOUT);
    bad |= curl_easy_setopt(d->curl, CURLOPT_TIMEOUT, timeout);
    bad |= curl_easy_setopt(d->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_LOW_SPEED_TIME, timeout / 2);
    bad |= curl_easy_setopt(d->curl, CURLOPT_MAXAGE_CONN, (long) DELIVER_IDLE);
    bad |= curl_easy_setopt(d->curl, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_TCP_KEEPALIVE, 1L);

    bad |= curl_easy_setopt(d->curl, CURLOPT_USE_SSL,
                            (long) (relay->tls ? CURLUSESSL_ALL
                                               : CURLUSESSL_NONE));
    bad |= curl_easy_setopt(d->curl, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);

    if (relay->ca != NULL) {
        bad |= curl_easy_setopt(d->curl, CURLOPT_CAINFO, relay->ca);
    }

    if (relay->user != NULL && relay->user[0] != '\0') {
        bad |= curl_easy_setopt(d->curl, CURLOPT_USERNAME, relay->user);
        bad |= curl_easy_setopt(d->curl, CURLOPT_PASSWORD,
                                relay->password ? relay->password : "");
    }

    bad |= curl_easy_setopt(d->curl, CURLOPT_MAIL_FROM, from);
    bad |= curl_easy_setopt(d->curl, CURLOPT_MAIL_RCPT, to);

    /* no INFILESIZE: curl would stop asking at the last byte, and there would
     * be no last look */

    bad |= curl_easy_setopt(d->curl, CURLOPT_UPLOAD, 1L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_READFUNCTION, deliver_read);
    bad |= curl_easy_setopt(d->curl, CURLOPT_READDATA, d);
    bad |= curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, deliver_discard);
    bad |= curl_easy_setopt(d->curl, CURLOPT_HEADERFUNCTION, deliver_reply);
    bad |= curl_easy_setopt(d->curl, CURLOPT_HEADERDATA, d);

    /* commands are seen by the debug function only, which needs VERBOSE */

    bad |= curl_easy_setopt(d->curl, CURLOPT_VERBOSE, 1L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_DEBUGFUNCTION, deliver_command);
    bad |= curl_easy_setopt(d->curl, CURLOPT_DEBUGDATA, d);
    bad |= curl_easy_setopt(d->curl, CURLOPT_NOPROGRESS, 0L);
    bad |= curl_easy_setopt(d->curl, CURLOPT_XFERINFOFUNCTION,
                            deliver_progress);
    bad |= curl_easy_setopt(d->curl, CURLOPT_XFERINFODATA, d);

    return bad ? CURLE_BAD_FUNCTION_ARGUMENT : CURLE_OK;
}


static size_t
deliver_read(char *buf, size_t size, size_t n, void *data)
{
    deliver_smtp_t *d = data;

    if (!d->asked) {
        d->asked = 1;
        d->result->stage = DELIVER_AT_MESSAGE;

        if (deliver_call(d, d->calls->before_data) != NUDGE_OK) {
            return CURL_READFUNC_ABORT;
        }
    }

    size *= n;

    if (d->sent < d->message->len) {

        if (size > d->message->len - d->sent) {
            size = d->message->len - d->sent;
        }

        memcpy(buf, d->message->data + d->sent, size);
        d->sent += size;

        return size;
    }

    /*
     * Returning 0 is what makes curl write the final dot; aborting instead
     * closes the connection in the middle of the message (RFC 5321 section
     * 4.1.1.4: no message then).
     */

    if (!d->ended) {

        if (deliver_call(d, d->calls->last_look) != NUDGE_OK) {
            return CURL_READFUNC_ABORT;
        }

        d->ended = 1;
        d->result->stage = DELIVER_AT_END;
        d->result->code = 0;
        d->result->enhanced[0] = '\0';
    }

    return 0;
}


/* one line of a reply */

static size_t
deliver_reply(char *line, size_t size, size_t n, void *data)
{
    deliver_smtp_t *d = data;

    size_t         len;
    nudge_str_t    digits;
    nudge_uint_t   code;

    len = size * n;

    if (len < 3 || d->result == NULL || d->quitting) {
        return len;
    }

    digits.data = (u_char *) line;
    digits.len = 3;

    code = (nudge_uint_t) nudge_str_int(&digits);

    if (code < 200 || code > 599) {
        return len;
    }

    deliver_enhanced(d->result, line + 3, len - 3);
    deliver_text(d->result, line, len);

    if (len > 3 && line[3] == '-') {
        return len;
    }

    d->result->code = code;

    if (d->ended) {
        d->answered = 1;
    }

    return len;
}


static size_t
deliver_discard(char *buf, size_t size, size_t n, void *data)
{
    return size * n;
}


static int
deliver_command(CURL *curl, curl_infotype type, char *text, size_t len,
    void *data)
{
    deliver_smtp_t *d = data;

    nudge_str_t  s;

    if (type != CURLINFO_HEADER_OUT || d->result == NULL) {
        return 0;
    }

    s.data = (u_char *) text;
    s.len = len;

    /* curl takes leave of a relay that refused, and of an old connection
     * before it opens a new one: neither reply says anything of the message */

    d->quitting = nudge_str_starts(&s, "QUIT");

    if (d->quitting) {
        return 0;
    }

    if (nudge_str_starts(&s, "MAIL FROM:")) {
        d->result->stage = DELIVER_AT_MAIL;

    } else if (nudge_str_starts(&s, "RCPT TO:")) {
        d->result->stage = DELIVER_AT_RCPT;

    } else if (nudge_str_starts(&s, "DATA")) {
        d->result->stage = DELIVER_AT_DATA;

    } else if (d->result->stage != DELIVER_AT_CONNECT) {
        return 0;
    }

    /* the reply to come belongs to this command, the last one does not */

    d->result->code = 0;
    d->result->enhanced[0] = '\0';

    return 0;
}


static int
deliver_progress(void *data, curl_off_t dltotal, curl_off_t dlnow,
    curl_off_t ultotal, curl_off_t ulnow)
{
    deliver_smtp_t *d = data;

    if (d->ended || d->result == NULL) {
        return 0;
    }

    return deliver_call(d, d->calls->stop) == NUDGE_OK ? 0 : 1;
}


static nudge_int_t
deliver_call(deliver_smtp_t *d, nudge_int_t (*call)(void *arg))
{
    if (call == NULL || call(d->calls->arg) == NUDGE_OK) {
        return NUDGE_OK;
    }

    d->refused = 1;

    return NUDGE_ERROR;
}


static void
deliver_classify(deliver_smtp_t *d, CURLcode rc)
{
    const char        *text;
    deliver_result_t  *r;

    r = d->result;

    r->class = deliver_class(d, rc);
    r->bad_address = deliver_bad_address(r);

    if (r->code < 400 && rc != CURLE_OK) {
        text = d->error[0] != '\0' ? d->error : curl_easy_strerror(rc);
        deliver_text(r, text, strlen(text));
    }

    if (d->refused) {
        text = d->sent ? "stopped by the last look" : "stopped";
        deliver_text(r, text, strlen(text));
    }
}


static deliver_class_t
deliver_class(const deliver_smtp_t *d, CURLcode rc)
{
    const deliver_result_t  *r;

    r = d->result;

    if (d->refused) {
        return DELIVER_ABORTED;
    }

    if (d->ended) {

        if (!d->answered) {
            return DELIVER_AMBIGUOUS;
        }

        if (r->code >= 400) {
            return r->code >= 500 ? DELIVER_PERMANENT : DELIVER_TEMPORARY;
        }

        return rc == CURLE_OK && r->code == 250 ? DELIVER_SENT
                                                : DELIVER_AMBIGUOUS;
    }

    if (r->code >= 500 && r->stage != DELIVER_AT_CONNECT) {
        return DELIVER_PERMANENT;
    }

    return DELIVER_TEMPORARY;
}


static nudge_uint_t
deliver_bad_address(const deliver_result_t *r)
{
    if (r->class != DELIVER_PERMANENT || r->stage < DELIVER_AT_RCPT) {
        return 0;
    }

    if (r->enhanced[0] != '\0') {
        return strcmp(r->enhanced, "5.2.1") == 0
               || (strncmp(r->enhanced, "5.1.", 4) == 0
                   && strcmp(r->enhanced, "5.1.7") != 0
                   && strcmp(r->enhanced, "5.1.8") != 0);
    }

    return r->stage == DELIVER_AT_RCPT
           && (r->code == 550 || r->code == 551 || r->code == 553);
}


/* RFC 3463: " 5.1.1 " after the reply code */

static void
deliver_enhanced(deliver_result_t *r, const char *line, size_t len)
{
    size_t        i;
    nudge_uint_t  dots, digits;

    dots = 0;
    digits = 0;
    line++;

    for (i = 0; i + 1 < len && i < sizeof(r->enhanced) - 1; i++) {

        if (line[i] >= '0' && line[i] <= '9') {
            digits++;
            continue;
        }

        if (line[i] != '.' || digits == 0) {
            break;
        }

        dots++;
        digits = 0;
    }

    if (dots != 2 || digits == 0 || line[0] < '2' || line[0] > '5'
        || line[1] != '.')
    {
        return;
    }

    memcpy(r->enhanced, line, i);
    r->enhanced[i] = '\0';
}


/* one printable line; words with an "@" are left out, they name people */

static void
deliver_text(deliver_result_t *r, const char *text, size_t len)
{
    size_t  i, n, word;

    n = 0;
    word = 0;

    for (i = 0; i < len && n < sizeof(r->text) - 1; i++) {

        if (text[i] == '@') {
            n = word;
            r->text[n++] = '*';

            while (i + 1 < len && text[i + 1] > ' ') {
                i++;
            }

            continue;
        }

        if (text[i] <= ' ' || text[i] > '~') {
            if (n > 0 && r->text[n - 1] != ' ') {
                r->text[n++] = ' ';
            }

            word = n;
            continue;
        }

        r->text[n++] = text[i];
    }

    while (n > 0 && r->text[n - 1] == ' ') {
        n--;
    }

    r->text[n] = '\0';
}


/* compose_message() has checked them; nothing else may pass either */

static nudge_int_t
deliver_address(char *dst, const nudge_str_t *address)
{
    size_t  i;

    if (address->len == 0 || address->len > DELIVER_ADDRESS) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < address->len; i++) {
        if (address->data[i] <= ' ' || address->data[i] >= 0x7f
            || address->data[i] == '<' || address->data[i] == '>')
        {
            return NUDGE_ERROR;
        }

        dst[i] = (char) address->data[i];
    }

    dst[i] = '\0';

    return NUDGE_OK;
}


const char *
deliver_class_name(deliver_class_t class)
{
    static const char  *names[] = { "sent", "temporary", "permanent",
                                    "aborted", "ambiguous" };

    return class <= DELIVER_AMBIGUOUS ? names[class] : "unknown";
}
