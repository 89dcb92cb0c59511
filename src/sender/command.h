
/*
 * The command line: the same program the sender is.  Nothing here changes the
 * store or sends anything.
 */


#ifndef _NUDGE_COMMAND_H_INCLUDED_
#define _NUDGE_COMMAND_H_INCLUDED_


#include <stdio.h>

#include "config.h"
#include "nudge_event.h"


typedef struct {
    const char     *campaign;       /* -c FILE */
    const char     *share;          /* -s DIR */
    const char     *state;          /* -d DIR */
    char          **args;           /* what follows the verb and options */
    int             nargs;
} command_t;

/* the exit code: 0, 1 (it failed), 2 (wrong usage) */
int command_run(int argc, char **argv);

/* run as root, a command that opens the state directory first becomes its
 * owner.  NUDGE_OK, or NUDGE_ERROR and a line on stderr */
nudge_int_t command_become(const char *dir);
/* "2026-11-22 10:00:00 UTC" */
void command_time(char text[32], int64_t ms);
/* reads a journal file, a segment directory's files, or "-"; calls back for
 * each event in order.  NUDGE_OK or NUDGE_ERROR and a line on stderr */
typedef nudge_int_t (*command_event_pt)(void *data, const nudge_str_t *json,
    nudge_event_t *ev, nudge_pool_t *pool);
nudge_int_t command_journal(const char *path, command_event_pt event,
    void *data);

int command_check(const command_t *c);
int command_preview(const command_t *c);
int command_contact(const command_t *c);
int command_events(const command_t *c);
int command_simulate(const command_t *c);       /* simulate.c */


#endif /* _NUDGE_COMMAND_H_INCLUDED_ */
