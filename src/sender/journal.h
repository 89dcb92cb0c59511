
/*
 * The journal, read: finds the segments, hands over their records in bounded
 * batches with the position behind them, deletes what is read and let go of.
 * Where reading stands is not kept here but in the store, in the same
 * transaction as the records' effects; a batch is taken only if the store's
 * position is where the batch begins.
 */


#ifndef _NUDGE_JOURNAL_H_INCLUDED_
#define _NUDGE_JOURNAL_H_INCLUDED_


#include "nudge_journal_frame.h"


#define JOURNAL_CHUNK     (256 * 1024)
#define JOURNAL_RECORDS   2048
#define JOURNAL_SEGMENTS  4096

typedef struct {
    int64_t             generation;
    int64_t             inode;
    int64_t             head;       /* fingerprint of the first bytes */
    int64_t             offset;     /* read so far */
    int64_t             resumed;    /* what the store has for it */
    int64_t             size;       /* when last looked at */
    int                 fd;
    unsigned            known:1;    /* the store has been asked */
    unsigned            stale:1;    /* no longer in the directory */
} journal_segment_t;

typedef struct {
    journal_segment_t  *segment;
    int64_t             from;
    int64_t             to;
    int64_t             head;       /* as it is with "to" bytes read */
    size_t              skipped;    /* bytes of damaged records */
    nudge_str_t         records[JOURNAL_RECORDS];
    nudge_uint_t        n;
} journal_batch_t;

typedef struct {
    int                 dir;
    int                 watch;      /* inotify, or -1: poll each second */
    journal_segment_t  *segments;   /* by generation */
    nudge_uint_t        n;
    u_char             *buffer;
    journal_batch_t     batch;
} journal_t;

/* path: DIR/journal; made when it is not there */
nudge_int_t journal_open(journal_t *j, const char *path);
void journal_close(journal_t *j);
/* looks at the directory and at every segment's size */
nudge_int_t journal_scan(journal_t *j);
/* compares what the store remembers with the file: a segment replaced or cut
 * starts again from where that is safe */
void journal_resume(journal_t *j, journal_segment_t *s, int64_t inode,
    int64_t head, int64_t offset);
/* NUDGE_OK and j->batch; NUDGE_DECLINED: nothing new in this segment */
nudge_int_t journal_read(journal_t *j, journal_segment_t *s);
/* deletes a segment that is read, not the newest, and held by nobody.
 * NUDGE_OK: it is gone, durably; NUDGE_DECLINED: not yet */
nudge_int_t journal_delete(journal_t *j, journal_segment_t *s);
/* what is gone from the directory stays gone */
nudge_int_t journal_sync(const journal_t *j);
/* forgets a segment that is gone */
void journal_drop(journal_t *j, journal_segment_t *s);
/* bytes not yet read */
int64_t journal_lag(const journal_t *j);
/* takes what inotify has to say, so that poll() waits again */
void journal_settle(journal_t *j);


#endif /* _NUDGE_JOURNAL_H_INCLUDED_ */
