
/*
 * Written to a temporary file and renamed, without a sync: after a power cut
 * it is written anew anyway.  The numbers are counters kept as things happen,
 * so reading them costs the same in a shop of any size.
 */


#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "sql.h"
#include "status.h"


typedef struct {
    nudge_buf_t    *buf;
    int64_t         due;
} status_job_t;


static void
status_member(nudge_buf_t *b, const char *name, int64_t n)
{
    if (b->pos[-1] != '{') {
        nudge_buf_char(b, ',');
    }

    nudge_buf_char(b, '"');
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "\":");
    nudge_buf_int(b, n);
}


/* counters named "skipped:quiet" as members named "quiet" */

static nudge_int_t
status_skipped(tx_t *tx, nudge_buf_t *b)
{
    sql_t        *q;
    nudge_str_t   name;

    q = sql_query(tx, "select substr(name, 9), value from counter where"
                  " name >= 'skipped:' and name < 'skipped;'", "");

    while (sql_row(q) == 1) {
        name = sql_text(q, NULL, 0);

        if (b->pos[-1] != '{') {
            nudge_buf_char(b, ',');
        }

        nudge_buf_json(b, &name);
        nudge_buf_char(b, ':');
        nudge_buf_int(b, sql_int(q, 1));
    }

    return sql_end(q);
}


static int64_t
status_counted(tx_t *tx, const char *from, const char *to)
{
    return sql_value(tx, 0, "select sum(value) from counter where name >= ?"
                     " and name < ?", "zz", from, to);
}


static nudge_int_t
status_read(tx_t *tx, void *arg)
{
    nudge_buf_t   *b;
    status_job_t  *job = arg;

    b = job->buf;

    job->due = sql_value(tx, -1, "select min(due) from message where"
                         " state = 'queued'", "");

    status_member(b, "contacts", sql_value(tx, 0, "select count(*) from"
                                           " contact", ""));
    nudge_buf_cstr(b, ",\"messages\":{");
    status_member(b, "queued", sql_value(tx, 0, "select count(*) from message"
                                         " where state = 'queued'", ""));
    status_member(b, "sent", status_counted(tx, "sent", "senu"));
    status_member(b, "shadow", status_counted(tx, "shadow", "shadox"));
    status_member(b, "ambiguous", status_counted(tx, "ambiguous",
                                                 "ambiguout"));
    status_member(b, "failed", status_counted(tx, "dead", "deae"));
    status_member(b, "skipped", status_counted(tx, "skipped", "skippee"));
    nudge_buf_cstr(b, "},\"skipped\":{");

    if (status_skipped(tx, b) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_buf_char(b, '}');

    return NUDGE_OK;
}


static void
status_shops(nudge_buf_t *b, const config_t *conf)
{
    const char        *why;
    nudge_str_t        text;
    nudge_uint_t       i;
    nudge_campaign_t  *c;

    nudge_buf_cstr(b, ",\"shops\":{");

    for (i = 0; i < conf->nshops; i++) {
        c = conf->shops[i]->campaign;
        why = nudge_campaign_no_sending(c);

        if (why == NULL && c->mail.shadow) {
            why = "shadow mode: composed and recorded, not handed over";
        }

        if (i) {
            nudge_buf_char(b, ',');
        }

        text = nudge_cstr(why ? why : "");

        nudge_buf_json(b, &c->shop.id);
        nudge_buf_cstr(b, why ? ":{\"sending\":false,\"why\":"
                              : ":{\"sending\":true,\"why\":");
        nudge_buf_json(b, &text);
        nudge_buf_char(b, '}');
    }

    nudge_buf_char(b, '}');
}


static nudge_int_t
status_put(const config_t *conf, const nudge_str_t *text)
{
    int      fd;
    char     temp[4096], path[4096];
    ssize_t  n;

    snprintf(temp, sizeof(temp), "%s/status.json.new", conf->state);
    snprintf(path, sizeof(path), "%s/status.json", conf->state);

    fd = open(temp, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd == -1) {
        return NUDGE_ERROR;
    }

    n = write(fd, text->data, text->len);

    if (close(fd) == -1 || n != (ssize_t) text->len
        || rename(temp, path) == -1)
    {
        unlink(temp);
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


nudge_int_t
status_write(status_t *s, const config_t *conf, store_t *store,
    ingest_t *ingest)
{
    u_char         body[sizeof(s->last)], head[256];
    int64_t        ms, lag;
    nudge_buf_t    b, h;
    nudge_str_t    text, first;
    status_job_t   job;

    nudge_buf_init(&b, body + sizeof(head), sizeof(body) - sizeof(head));
    nudge_buf_char(&b, '{');
    status_member(&b, "ingested", ingest_events(ingest));
    lag = ingest_lag(ingest, &ms);
    status_member(&b, "journal_lag_bytes", lag);
    status_member(&b, "journal_lag_ms", ms);

    job.buf = &b;
    job.due = -1;

    if (store_run(store, status_read, &job) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_buf_cstr(&b, ",\"oldest_due_ms\":");

    if (job.due == -1) {
        nudge_buf_cstr(&b, "null");

    } else {
        nudge_buf_int(&b, job.due);
    }

    status_shops(&b, conf);
    nudge_buf_cstr(&b, "}\n");
    text = nudge_buf_result(&b);

    if (b.full || (text.len == s->len && !memcmp(text.data, s->last, s->len)))
    {
        return b.full ? NUDGE_ERROR : NUDGE_DECLINED;
    }

    s->len = text.len;
    memcpy(s->last, text.data, text.len);

    /* the head takes the place of the body's brace */

    nudge_buf_init(&h, head, sizeof(head));
    nudge_buf_cstr(&h, "{\"v\":1,\"pid\":");
    nudge_buf_int(&h, getpid());
    nudge_buf_cstr(&h, ",\"time\":");
    nudge_buf_int(&h, nudge_now());
    nudge_buf_char(&h, ',');
    first = nudge_buf_result(&h);

    text.data -= first.len - 1;
    text.len += first.len - 1;
    memcpy(text.data, first.data, first.len);

    return status_put(conf, &text);
}
