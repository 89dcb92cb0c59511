
/*
 * Hands one message to the relay and tells honestly what became of it.  One
 * deliver_smtp_t belongs to one thread: a blocking curl easy handle that keeps
 * its connection.  One recipient per transaction.
 *
 * Order of things, as curl 7.88 does them (t/deliver.t shows it): MAIL, RCPT,
 * DATA, 354, before_data(), the message, last_look(), the final dot, reply.
 * DATA alone delivers nothing, so an attempt made durable in before_data() is
 * durable before any byte of the message leaves, and a recipient refused at
 * RCPT has cost no attempt.
 */


#ifndef _NUDGE_DELIVER_SMTP_H_INCLUDED_
#define _NUDGE_DELIVER_SMTP_H_INCLUDED_


#include "nudge_core.h"


typedef enum {
    DELIVER_SENT = 0,           /* 250 after the final dot */
    DELIVER_TEMPORARY,          /* known unsent: 4xx, connect, TLS, time-outs
                                   and cuts before the final dot; also 5xx
                                   before MAIL, which is the relay's trouble
                                   and not the address's */
    DELIVER_PERMANENT,          /* 5xx to MAIL, RCPT, DATA or the message */
    DELIVER_ABORTED,            /* known unsent: before_data() or last_look()
                                   said no, or stop() */
    DELIVER_AMBIGUOUS           /* the final dot was given, no reply came */
} deliver_class_t;

typedef enum {
    DELIVER_AT_CONNECT = 0,     /* connect, TLS, greeting, EHLO, AUTH */
    DELIVER_AT_MAIL,
    DELIVER_AT_RCPT,
    DELIVER_AT_DATA,
    DELIVER_AT_MESSAGE,         /* its bytes, up to the last look */
    DELIVER_AT_END              /* the final dot */
} deliver_stage_t;

typedef struct {
    deliver_class_t     class;
    deliver_stage_t     stage;          /* reached */
    nudge_uint_t        code;           /* last reply, or 0 */
    unsigned            bad_address:1;  /* 5.1.x (but not 5.1.7, 5.1.8), 5.2.1
                                           or a bare 550, 551, 553 at RCPT:
                                           suppress it */
    char                enhanced[12];   /* "5.1.1" (RFC 3463), or "" */
    char                text[256];      /* the reply or curl's words, one
                                           printable line, addresses cut out:
                                           fit for the log */
} deliver_result_t;

typedef struct {
    const char         *url;            /* smtp:// or smtps:// */
    const char         *user;           /* or NULL */
    const char         *password;
    const char         *ca;             /* file of CA certificates, or NULL:
                                           the system's */
    nudge_uint_t        timeout;        /* seconds for it all; 0: 60 */
    unsigned            tls:1;          /* STARTTLS required, verified */
} deliver_relay_t;

/* each may be NULL; NUDGE_OK goes on, everything else ends it unsent.
 * before_data() and last_look() are called once, on the calling thread;
 * stop() about every second until the final dot is given */

typedef struct {
    nudge_int_t       (*before_data)(void *arg);
    nudge_int_t       (*last_look)(void *arg);
    nudge_int_t       (*stop)(void *arg);
    void               *arg;
} deliver_calls_t;

typedef struct deliver_smtp_s  deliver_smtp_t;


/* once per process, before threads: curl_global_init() */
nudge_int_t deliver_init(void);

deliver_smtp_t *deliver_smtp_create(void);
void deliver_smtp_destroy(deliver_smtp_t *d);
/* from and to: bare addresses as compose_message() gave them; message: whole,
 * CRLF, without dot stuffing.  The result is always filled */
void deliver_smtp_send(deliver_smtp_t *d, const deliver_relay_t *relay,
    const nudge_str_t *from, const nudge_str_t *to,
    const nudge_str_t *message, const deliver_calls_t *calls,
    deliver_result_t *result);
/* "sent", "temporary", "permanent", "aborted", "ambiguous" */
const char *deliver_class_name(deliver_class_t class);


#endif /* _NUDGE_DELIVER_SMTP_H_INCLUDED_ */
