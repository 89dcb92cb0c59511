
/* whole files, into malloc()ed memory */


#ifndef _NUDGE_FILE_H_INCLUDED_
#define _NUDGE_FILE_H_INCLUDED_


#include "nudge_core.h"


#define FILE_MAX  (4 * 1024 * 1024)

/* from fd to its end, at most "max" bytes; NUDGE_OK or NUDGE_ERROR */
nudge_int_t file_slurp(int fd, size_t max, nudge_str_t *text);
/* a nudge_read_pt: NUDGE_OK, NUDGE_DECLINED (there is none) or NUDGE_ERROR */
nudge_int_t file_read(void *data, const char *path, nudge_str_t *text);


#endif /* _NUDGE_FILE_H_INCLUDED_ */
