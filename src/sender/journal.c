
/*
 * Tailing the journal's segments.  All segments are read on every pass, in
 * the order of their generations: a worker may still append to an older one
 * for a moment.  A segment is deleted only while no worker holds it, and only
 * after a second look, made under the lock, found nothing more in it.
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"


#define JOURNAL_HEAD  64        /* bytes fingerprinted */


nudge_int_t
journal_open(journal_t *j, const char *path)
{
    memset(j, 0, sizeof(journal_t));
    j->watch = -1;

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        j->dir = -1;
        return NUDGE_ERROR;
    }

    j->dir = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    j->buffer = malloc(JOURNAL_CHUNK);
    j->segments = calloc(JOURNAL_SEGMENTS, sizeof(journal_segment_t));

    if (j->dir == -1 || j->buffer == NULL || j->segments == NULL) {
        journal_close(j);
        return NUDGE_ERROR;
    }

    j->watch = inotify_init1(IN_NONBLOCK|IN_CLOEXEC);

    if (j->watch != -1
        && inotify_add_watch(j->watch, path, IN_MODIFY|IN_CREATE|IN_MOVED_TO)
           == -1)
    {
        nudge_log(NUDGE_LOG_NOTICE, "no inotify, the journal is polled");
        close(j->watch);
        j->watch = -1;
    }

    return NUDGE_OK;
}


void
journal_close(journal_t *j)
{
    nudge_uint_t  i;

    for (i = 0; i < j->n; i++) {
        if (j->segments[i].fd != -1) {
            close(j->segments[i].fd);
        }
    }

    if (j->dir != -1) {
        close(j->dir);
    }

    if (j->watch != -1) {
        close(j->watch);
    }

    free(j->buffer);
    free(j->segments);
}


void
journal_settle(journal_t *j)
{
    char     data[4096];
    ssize_t  n;

    if (j->watch == -1) {
        return;
    }

    do {
        n = read(j->watch, data, sizeof(data));
    } while (n > 0);
}


static void
journal_name(char name[32], int64_t generation)
{
    snprintf(name, 32, "journal.%010lld", (long long) generation);
}


static int64_t
journal_generation(const char *name)
{
    nudge_str_t  s;

    if (strncmp(name, "journal.", 8) != 0 || strlen(name) != 18) {
        return NUDGE_ERROR;
    }

    s = nudge_cstr(name + 8);

    return nudge_str_int(&s);
}


/* the slot of that generation; segments stay sorted */

static journal_segment_t *
journal_slot(journal_t *j, int64_t generation)
{
    nudge_uint_t        i;
    journal_segment_t  *s;

    for (i = j->n; i > 0; i--) {
        s = &j->segments[i - 1];

        if (s->generation == generation) {
            return s;
        }

        if (s->generation < generation) {
            break;
        }
    }

    if (j->n == JOURNAL_SEGMENTS) {
        return NULL;
    }

    s = &j->segments[i];
    memmove(s + 1, s, (j->n - i) * sizeof(journal_segment_t));
    memset(s, 0, sizeof(journal_segment_t));

    s->generation = generation;
    s->fd = -1;
    j->n++;

    return s;
}


/* opens it, or opens it again when the name now means another file */

static void
journal_look(journal_t *j, journal_segment_t *s)
{
    char         name[32];
    struct stat  st;

    journal_name(name, s->generation);

    if (fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1
        || !S_ISREG(st.st_mode))
    {
        s->stale = 1;
        return;
    }

    if (s->fd != -1 && s->inode != (int64_t) st.st_ino) {
        nudge_log(NUDGE_LOG_WARN, "journal segment %lld was replaced",
                  (long long) s->generation);
        close(s->fd);
        s->fd = -1;
        s->known = 0;
    }

    if (s->fd == -1) {
        s->fd = openat(j->dir, name, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

        if (s->fd == -1 || fstat(s->fd, &st) == -1) {
            nudge_log(NUDGE_LOG_ERR, "journal segment %lld cannot be opened "
                      "(%d)", (long long) s->generation, errno);
            s->stale = 1;
            return;
        }

        s->inode = st.st_ino;
    }

    if (s->known && (int64_t) st.st_size < s->offset) {
        s->known = 0;
    }

    s->size = st.st_size;
    s->stale = 0;
}


void
journal_drop(journal_t *j, journal_segment_t *s)
{
    if (s->fd != -1) {
        close(s->fd);
    }

    j->n--;
    memmove(s, s + 1, (j->n - (s - j->segments)) * sizeof(journal_segment_t));
}


nudge_int_t
journal_scan(journal_t *j)
{
    int             fd;
    DIR            *dir;
    int64_t         generation;
    nudge_uint_t    i;
    struct dirent  *de;

    for (i = 0; i < j->n; i++) {
        j->segments[i].stale = 1;
    }

    fd = openat(j->dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    dir = fd != -1 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        if (fd != -1) {
            close(fd);
        }

        return NUDGE_ERROR;
    }

    while ((de = readdir(dir)) != NULL) {
        generation = journal_generation(de->d_name);

        if (generation >= 0) {
            (void) journal_slot(j, generation);
        }
    }

    closedir(dir);

    for (i = 0; i < j->n; /* void */ ) {
        journal_look(j, &j->segments[i]);

        if (j->segments[i].stale) {
            journal_drop(j, &j->segments[i]);

        } else {
            i++;
        }
    }

    return NUDGE_OK;
}


static int64_t
journal_head(journal_segment_t *s, int64_t read)
{
    u_char   head[JOURNAL_HEAD];
    size_t   len;
    ssize_t  n;

    len = read < JOURNAL_HEAD ? (size_t) read : JOURNAL_HEAD;
    n = pread(s->fd, head, len, 0);

    return n == (ssize_t) len ? (int64_t) nudge_crc32(head, len) : -1;
}


void
journal_resume(journal_t *j, journal_segment_t *s, int64_t inode, int64_t head,
    int64_t offset)
{
    s->known = 1;
    s->head = head;
    s->resumed = offset;
    s->offset = offset;

    if (inode == s->inode && offset <= s->size
        && (offset == 0 || head == journal_head(s, offset)))
    {
        return;
    }

    /* another file with the same beginning is a copy of it (a restored
     * backup): what was read of it stays read */

    if (offset > JOURNAL_HEAD && head == journal_head(s, offset)) {
        s->offset = offset <= s->size ? offset : s->size;

    } else {
        s->offset = 0;
    }

    if (offset) {
        nudge_log(NUDGE_LOG_WARN, "journal segment %lld is not what it was: "
                  "%lld bytes were read, it has %lld, going on at %lld",
                  (long long) s->generation, (long long) offset,
                  (long long) s->size, (long long) s->offset);
    }
}


nudge_int_t
journal_read(journal_t *j, journal_segment_t *s)
{
    u_char           *pos, *last;
    ssize_t           n;
    nudge_str_t       record;
    journal_batch_t  *b;

    b = &j->batch;
    b->segment = s;
    b->from = s->offset;
    b->skipped = 0;
    b->n = 0;

    n = pread(s->fd, j->buffer, JOURNAL_CHUNK, s->offset);

    if (n == -1) {
        nudge_log(NUDGE_LOG_ERR, "journal segment %lld cannot be read (%d)",
                  (long long) s->generation, errno);
        return NUDGE_ERROR;
    }

    if (n == 0) {
        return NUDGE_DECLINED;
    }

    pos = j->buffer;
    last = j->buffer + n;

    while (b->n < JOURNAL_RECORDS
           && nudge_frame_decode(&pos, last, &record, &b->skipped) == NUDGE_OK)
    {
        b->records[b->n++] = record;
    }

    b->to = b->from + (pos - j->buffer);

    if (b->to == b->from) {
        return NUDGE_DECLINED;
    }

    b->head = journal_head(s, b->to);

    return NUDGE_OK;
}


nudge_int_t
journal_delete(journal_t *j, journal_segment_t *s)
{
    char         name[32];
    struct stat  st;

    if (s == &j->segments[j->n - 1]
        || flock(s->fd, LOCK_EX|LOCK_NB) == -1)
    {
        return NUDGE_DECLINED;
    }

    /* nobody can append now; what came since the last pass is read first */

    if (fstat(s->fd, &st) == -1 || st.st_size != s->size
        || journal_read(j, s) != NUDGE_DECLINED)
    {
        flock(s->fd, LOCK_UN);
        return NUDGE_DECLINED;
    }

    journal_name(name, s->generation);

    if (unlinkat(j->dir, name, 0) == -1 && errno != ENOENT) {
        nudge_log(NUDGE_LOG_ERR, "journal segment %lld cannot be deleted (%d)",
                  (long long) s->generation, errno);
        flock(s->fd, LOCK_UN);
        return NUDGE_DECLINED;
    }

    /* the position may be forgotten only when the name cannot come back */

    return journal_sync(j) == NUDGE_OK ? NUDGE_OK : NUDGE_DECLINED;
}


nudge_int_t
journal_sync(const journal_t *j)
{
    return fsync(j->dir) == 0 ? NUDGE_OK : NUDGE_ERROR;
}


int64_t
journal_lag(const journal_t *j)
{
    int64_t       lag;
    nudge_uint_t  i;

    lag = 0;

    for (i = 0; i < j->n; i++) {
        lag += j->segments[i].size - j->segments[i].offset;
    }

    return lag;
}
