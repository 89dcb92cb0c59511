
/*
 * Drives deliver_smtp for t/deliver.t: one handle, one message for each
 * recipient named, what happens appended to a log that the relay writes too,
 * so that the order of things is on record.
 *
 *   driver LOG URL MESSAGE-FILE [name=value ...] RECIPIENT ...
 */


#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver_smtp.h"


typedef struct {
    int          log;
    const char  *before;
    const char  *look;
    const char  *stop;
} driver_t;


static void
driver_log(driver_t *dr, const char *what, const char *more)
{
    int   n;
    char  line[512];

    n = snprintf(line, sizeof(line), "%s%s%s\n", what, more ? " " : "",
                 more ? more : "");

    if (write(dr->log, line, (size_t) n) != n) {
        exit(3);
    }
}


static nudge_int_t
driver_answer(const char *answer)
{
    if (answer == NULL) {
        return NUDGE_OK;
    }

    if (strncmp(answer, "sleep", 5) == 0) {
        usleep((useconds_t) atoi(answer + 5) * 1000);
        return NUDGE_OK;
    }

    return NUDGE_ERROR;
}


static nudge_int_t
driver_before(void *arg)
{
    driver_t *dr = arg;

    driver_log(dr, "before_data", dr->before);

    return driver_answer(dr->before);
}


static nudge_int_t
driver_look(void *arg)
{
    driver_t *dr = arg;

    driver_log(dr, "last_look", dr->look);

    return driver_answer(dr->look);
}


static nudge_int_t
driver_stop(void *arg)
{
    driver_t *dr = arg;

    return driver_answer(dr->stop);
}


static nudge_int_t
driver_read(const char *path, nudge_str_t *text)
{
    int          fd;
    ssize_t      n;
    struct stat  st;

    fd = open(path, O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1) {
        return NUDGE_ERROR;
    }

    text->data = malloc((size_t) st.st_size);
    text->len = 0;

    if (text->data == NULL) {
        return NUDGE_ERROR;
    }

    while ((n = read(fd, text->data + text->len,
                     (size_t) st.st_size - text->len)) > 0)
    {
        text->len += (size_t) n;
    }

    close(fd);

    return n == 0 ? NUDGE_OK : NUDGE_ERROR;
}


int
main(int argc, char **argv)
{
    int               i, wait;
    char             *value;
    driver_t          dr;
    nudge_str_t       from, to, message;
    deliver_smtp_t   *d;
    deliver_calls_t   calls = { driver_before, driver_look, driver_stop, &dr };
    deliver_relay_t   relay;
    deliver_result_t  result;

    memset(&dr, 0, sizeof(driver_t));
    memset(&relay, 0, sizeof(deliver_relay_t));

    if (argc < 5 || deliver_init() != NUDGE_OK
        || driver_read(argv[3], &message) != NUDGE_OK
        || (d = deliver_smtp_create()) == NULL)
    {
        return 2;
    }

    dr.log = open(argv[1], O_WRONLY|O_APPEND|O_CREAT, 0600);
    relay.url = argv[2];
    from = nudge_cstr("hello@bluemug.example");
    wait = 0;

    for (i = 4; i < argc; i++) {
        value = strchr(argv[i], '=');

        if (value == NULL) {
            to = nudge_cstr(argv[i]);
            deliver_smtp_send(d, &relay, &from, &to, &message, &calls,
                              &result);
            printf("%s stage=%d code=%d bad=%d enhanced=%s text=%s\n",
                   deliver_class_name(result.class), result.stage,
                   (int) result.code, result.bad_address, result.enhanced,
                   result.text);
            usleep((useconds_t) wait * 1000);
            continue;
        }

        *value++ = '\0';

        if (strcmp(argv[i], "before") == 0) {
            dr.before = value;

        } else if (strcmp(argv[i], "look") == 0) {
            dr.look = value;

        } else if (strcmp(argv[i], "stop") == 0) {
            dr.stop = value;

        } else if (strcmp(argv[i], "tls") == 0) {
            relay.tls = 1;

        } else if (strcmp(argv[i], "ca") == 0) {
            relay.ca = value;

        } else if (strcmp(argv[i], "user") == 0) {
            relay.user = value;
            relay.password = "secret";

        } else if (strcmp(argv[i], "wait") == 0) {
            wait = atoi(value);

        } else if (strcmp(argv[i], "timeout") == 0) {
            relay.timeout = (nudge_uint_t) atoi(value);

        } else {
            return 2;
        }
    }

    deliver_smtp_destroy(d);

    return 0;
}
