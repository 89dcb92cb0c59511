
/*
 * Verbs and options, and what the commands share: reading a journal, becoming
 * the owner of the state directory.
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "log.h"
#include "nudge_journal_frame.h"


#define COMMAND_CHUNK  (1024 * 1024)

typedef struct {
    const char     *verb;
    int           (*run)(const command_t *c);
    int             min;
    int             max;
    const char     *args;
    const char     *about;
} command_verb_t;


static const command_verb_t  command_verbs[] = {
    { "check", command_check, 0, 1, "[FILE]",
      "compile the campaign and its templates, name every mistake" },
    { "preview", command_preview, 2, 2, "FLOW STEP",
      "print the mail of a flow's step (\"confirm\" 1: double opt-in)" },
    { "simulate", command_simulate, 1, 1, "JOURNAL",
      "what would be sent, when, and why not; JOURNAL is a file, a directory "
      "or -" },
    { "events", command_events, 1, 1, "JOURNAL", "print events, one a line" },
    { "contact", command_contact, 2, 2, "show ID|EMAIL",
      "all that is known of a person" }
};

#define COMMAND_VERBS  (sizeof(command_verbs) / sizeof(command_verbs[0]))


static int
command_usage(FILE *out)
{
    size_t  i;

    fprintf(out, "usage: nudge VERB [-c CAMPAIGN] [-s SHARE] [-d STATE] ...\n");

    for (i = 0; i < COMMAND_VERBS; i++) {
        fprintf(out, "\n  nudge %s %s\n      %s\n", command_verbs[i].verb,
                command_verbs[i].args, command_verbs[i].about);
    }

    fprintf(out, "\n  -c FILE  the campaign (%s)\n"
            "  -s DIR   presets, templates and assets (%s)\n"
            "  -d DIR   the state directory, as nudge_state (%s)\n",
            CONFIG_CAMPAIGN, NUDGE_SHARE, CONFIG_STATE);

    return out == stdout ? 0 : 2;
}


int
command_run(int argc, char **argv)
{
    int        opt;
    size_t     i;
    command_t  c;

    if (argc < 2) {
        return command_usage(stderr);
    }

    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0
        || strcmp(argv[1], "-h") == 0)
    {
        return command_usage(stdout);
    }

    for (i = 0; i < COMMAND_VERBS; i++) {
        if (strcmp(argv[1], command_verbs[i].verb) == 0) {
            break;
        }
    }

    if (i == COMMAND_VERBS) {
        fprintf(stderr, "nudge: unknown verb \"%s\"\n", argv[1]);
        return command_usage(stderr);
    }

    c.campaign = CONFIG_CAMPAIGN;
    c.share = NUDGE_SHARE;
    c.state = CONFIG_STATE;

    /* "-" is a file name, and options may stand anywhere */

    while ((opt = getopt(argc - 1, argv + 1, "c:s:d:")) != -1) {

        switch (opt) {

        case 'c':
            c.campaign = optarg;
            break;

        case 's':
            c.share = optarg;
            break;

        case 'd':
            c.state = optarg;
            break;

        default:
            return command_usage(stderr);
        }
    }

    c.args = argv + 1 + optind;
    c.nargs = argc - 1 - optind;

    if (c.nargs < command_verbs[i].min || c.nargs > command_verbs[i].max) {
        fprintf(stderr, "usage: nudge %s %s\n", command_verbs[i].verb,
                command_verbs[i].args);
        return 2;
    }

    nudge_log_level(NUDGE_LOG_ERR);

    return command_verbs[i].run(&c);
}


nudge_int_t
command_become(const char *dir)
{
    struct stat     st;
    struct passwd  *pw;

    if (stat(dir, &st) == -1) {
        fprintf(stderr, "nudge: \"%s\": %s\n", dir, strerror(errno));
        return NUDGE_ERROR;
    }

    if (geteuid() != 0 || st.st_uid == 0) {
        return NUDGE_OK;
    }

    pw = getpwuid(st.st_uid);

    if ((pw ? initgroups(pw->pw_name, st.st_gid) : setgroups(0, NULL)) == -1
        || setgid(st.st_gid) == -1 || setuid(st.st_uid) == -1)
    {
        fprintf(stderr, "nudge: cannot become the owner of \"%s\": %s\n", dir,
                strerror(errno));
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


void
command_time(char text[32], int64_t ms)
{
    time_t      t;
    struct tm   tm;

    t = ms / 1000;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
    {
        strcpy(text, "?");
    }
}


typedef struct {
    command_event_pt    event;
    void               *data;
    nudge_json_t       *js;
    nudge_pool_t       *pool;
    u_char             *buffer;
} command_reader_t;


static nudge_int_t
command_records(command_reader_t *r, u_char **pos, u_char *end)
{
    size_t          skipped;
    nudge_int_t     rc;
    nudge_str_t     json;
    nudge_event_t   ev;

    skipped = 0;

    while (nudge_frame_decode(pos, end, &json, &skipped) == NUDGE_OK) {

        nudge_pool_reset(r->pool);

        if (nudge_event_decode(r->js, r->pool, &json, &ev) != NUDGE_OK) {
            continue;
        }

        rc = r->event(r->data, &json, &ev, r->pool);

        if (rc != NUDGE_OK) {
            return rc;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
command_stream(command_reader_t *r, int fd)
{
    size_t   len;
    u_char  *pos;
    ssize_t  n;

    len = 0;

    for ( ;; ) {
        n = read(fd, r->buffer + len, COMMAND_CHUNK - len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return n == 0 ? NUDGE_OK : NUDGE_ERROR;
        }

        len += n;
        pos = r->buffer;

        if (command_records(r, &pos, r->buffer + len) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        len -= pos - r->buffer;
        memmove(r->buffer, pos, len);
    }
}


static nudge_int_t
command_file(command_reader_t *r, const char *path)
{
    int          fd;
    nudge_int_t  rc;

    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
                                : open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        fprintf(stderr, "nudge: \"%s\": %s\n", path, strerror(errno));
        return NUDGE_ERROR;
    }

    rc = command_stream(r, fd);
    close(fd);

    return rc;
}


static int
command_is_segment(const struct dirent *de)
{
    return strncmp(de->d_name, "journal.", 8) == 0;
}


static nudge_int_t
command_directory(command_reader_t *r, const char *path)
{
    int              i, n;
    char             name[4096];
    nudge_int_t      rc;
    struct dirent  **list;

    n = scandir(path, &list, command_is_segment, alphasort);

    if (n == -1) {
        fprintf(stderr, "nudge: \"%s\": %s\n", path, strerror(errno));
        return NUDGE_ERROR;
    }

    rc = NUDGE_OK;

    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);

        if (rc == NUDGE_OK) {
            rc = command_file(r, name);
        }

        free(list[i]);
    }

    free(list);

    return rc;
}


nudge_int_t
command_journal(const char *path, command_event_pt event, void *data)
{
    nudge_int_t       rc;
    struct stat       st;
    command_reader_t  r;

    r.event = event;
    r.data = data;
    r.js = nudge_json_create(8 * 1024 * 1024);
    r.pool = nudge_pool_create(8 * 1024 * 1024);
    r.buffer = malloc(COMMAND_CHUNK);
    rc = NUDGE_ERROR;

    if (r.js && r.pool && r.buffer) {
        rc = stat(path, &st) == 0 && S_ISDIR(st.st_mode)
             ? command_directory(&r, path) : command_file(&r, path);
    }

    if (r.js) {
        nudge_json_destroy(r.js);
    }

    if (r.pool) {
        nudge_pool_destroy(r.pool);
    }

    free(r.buffer);

    return rc;
}
