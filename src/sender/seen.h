
/*
 * Which events of one source have been seen, by their sequence numbers.  They
 * come out of order (several workers write one journal), so a high-water mark
 * would not do: a window of bits behind it tells repeated from late.  What is
 * older than the window is taken for new; the journal's position has the last
 * word anyway.
 */


#ifndef _NUDGE_SEEN_H_INCLUDED_
#define _NUDGE_SEEN_H_INCLUDED_


#include "nudge_core.h"


#define SEEN_WINDOW  32768

typedef struct {
    uint64_t        nonce;
    uint64_t        high;
    unsigned        dirty:1;        /* changed since it was stored */
    u_char          window[SEEN_WINDOW / 8];
} seen_t;

/* 1: seen before; otherwise notes it */
nudge_uint_t seen_event(seen_t *s, uint64_t seq);


#endif /* _NUDGE_SEEN_H_INCLUDED_ */
