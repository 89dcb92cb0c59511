
/*
 * One record of the journal: "\nN1 <crc32, 8 hex> <length> <json>\n".  The
 * leading newline closes a torn predecessor, so a reader that meets garbage
 * finds the next record at the next line; the file stays readable with tail.
 * The CRC (of the JSON bytes) and the length decide, nothing else does.  The
 * JSON holds no newline, so one that comes too early ends a torn record.
 */


#ifndef _NUDGE_JOURNAL_FRAME_H_INCLUDED_
#define _NUDGE_JOURNAL_FRAME_H_INCLUDED_


#include "nudge_core.h"


#define NUDGE_FRAME_MAX       65536     /* JSON bytes in one record */
#define NUDGE_FRAME_OVERHEAD  32

/* appends one frame to b, or nothing: check b->full, which is also set when
 * json is empty, too long or has a newline */
void nudge_frame_encode(nudge_buf_t *b, const nudge_str_t *json);

/*
 * Reads the next whole record from *pos..end.  NUDGE_OK: *json points into
 * the buffer and *pos stands behind the record.  NUDGE_AGAIN: what is left
 * may still become a record; *pos stands where reading has to resume.
 * *skipped grows by the bytes of damaged records passed over (blank bytes
 * between records are not damage).
 */
nudge_int_t nudge_frame_decode(u_char **pos, u_char *end, nudge_str_t *json,
    size_t *skipped);


#endif /* _NUDGE_JOURNAL_FRAME_H_INCLUDED_ */
