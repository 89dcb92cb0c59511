
/*
 * LD_PRELOAD: kills the process at its n-th system call that can be seen from
 * outside.  NUDGE_KILLAT=n kills before the call, n+ after it; the call's
 * name is appended to the file NUDGE_KILLAT_LOG, so that a test can tell what
 * it has covered.  A run of pwrite64() calls (one transaction on its way to
 * the database's log) counts as one unless NUDGE_KILLAT_ALL is set.
 *
 * While the file NUDGE_FULL exists, the disk is full for pwrite64().
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>


static long         killat_count;
static const char  *killat_last;


static void
killat_die(const char *name)
{
    int          fd;
    char         line[64];
    const char  *log;

    log = getenv("NUDGE_KILLAT_LOG");

    if (log) {
        fd = open(log, O_WRONLY|O_CREAT|O_APPEND, 0600);

        if (fd != -1) {
            syscall(SYS_write, fd, line,
                    snprintf(line, sizeof(line), "%s\n", name));
        }
    }

    kill(getpid(), SIGKILL);

    for ( ;; ) {
        pause();
    }
}


/* 1: the process dies when this call is over */

static int
killat(const char *name)
{
    long         n;
    char        *end;
    const char  *at;

    at = getenv("NUDGE_KILLAT");

    if (at == NULL) {
        return 0;
    }

    if (__atomic_exchange_n(&killat_last, name, __ATOMIC_SEQ_CST) == name
        && strcmp(name, "pwrite64") == 0 && getenv("NUDGE_KILLAT_ALL") == NULL)
    {
        return 0;
    }

    n = strtol(at, &end, 10);

    if (__atomic_add_fetch(&killat_count, 1, __ATOMIC_SEQ_CST) != n) {
        return 0;
    }

    if (*end == '+') {
        return 1;
    }

    killat_die(name);

    return 0;
}


static int
killat_full(const char *name)
{
    const char  *full;

    full = getenv("NUDGE_FULL");

    return full && strncmp(name, "pwrite", 6) == 0 && access(full, F_OK) == 0;
}


#define KILLAT(type, name, params, args)                                      \
    type                                                                      \
    name params                                                               \
    {                                                                         \
        int            die;                                                   \
        type           rc;                                                    \
        static type  (*real) params;                                          \
                                                                              \
        if (real == NULL) {                                                   \
            real = (type (*) params) dlsym(RTLD_NEXT, #name);                 \
        }                                                                     \
                                                                              \
        if (killat_full(#name)) {                                             \
            errno = ENOSPC;                                                   \
            return -1;                                                        \
        }                                                                     \
                                                                              \
        die = killat(#name);                                                  \
        rc = real args;                                                       \
                                                                              \
        if (die) {                                                            \
            killat_die(#name);                                                \
        }                                                                     \
                                                                              \
        return rc;                                                            \
    }


KILLAT(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
KILLAT(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o),
       (fd, p, n, o))
KILLAT(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o),
       (fd, p, n, o))
KILLAT(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
KILLAT(int, fdatasync, (int fd), (fd))
KILLAT(int, fsync, (int fd), (fd))
KILLAT(int, ftruncate64, (int fd, off64_t n), (fd, n))
KILLAT(ssize_t, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f))
KILLAT(ssize_t, sendto, (int fd, const void *p, size_t n, int f,
       const struct sockaddr *a, socklen_t l), (fd, p, n, f, a, l))
KILLAT(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
KILLAT(int, rename, (const char *a, const char *b), (a, b))
KILLAT(int, unlink, (const char *a), (a))
KILLAT(int, unlinkat, (int fd, const char *a, int f), (fd, a, f))
