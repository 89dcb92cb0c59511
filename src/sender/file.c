
/*
 * Reading a file as a whole.  Nothing larger than its limit is ever kept.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"


nudge_int_t
file_slurp(int fd, size_t max, nudge_str_t *text)
{
    size_t    size;
    u_char   *p, *data;
    ssize_t   n;

    size = 65536;
    data = malloc(size);
    text->len = 0;

    while (data) {

        n = read(fd, data + text->len, size - text->len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            text->data = data;

            if (n == 0) {
                return NUDGE_OK;
            }

            break;
        }

        text->len += n;

        if (text->len < size) {
            continue;
        }

        if (size >= max) {
            break;
        }

        size *= 2;
        p = realloc(data, size);

        if (p == NULL) {
            break;
        }

        data = p;
    }

    free(data);
    nudge_str_null(text);

    return NUDGE_ERROR;
}


nudge_int_t
file_read(void *data, const char *path, nudge_str_t *text)
{
    int          fd;
    nudge_int_t  rc;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return errno == ENOENT || errno == ENOTDIR ? NUDGE_DECLINED
                                                   : NUDGE_ERROR;
    }

    rc = file_slurp(fd, FILE_MAX, text);
    close(fd);

    return rc;
}
