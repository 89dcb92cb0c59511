
/*
 * A sliding window of bits.  No I/O, no memory of its own.
 */


#include "seen.h"


nudge_uint_t
seen_event(seen_t *s, uint64_t seq)
{
    u_char    bit;
    uint64_t  i, slot;

    if (seq > s->high) {

        /* the window moves: what it now covers has not been seen */

        if (seq - s->high >= SEEN_WINDOW) {
            memset(s->window, 0, sizeof(s->window));

        } else {
            for (i = s->high + 1; i < seq; i++) {
                slot = i % SEEN_WINDOW;
                s->window[slot / 8] &= ~(1 << (slot % 8));
            }
        }

        s->high = seq;

    } else if (s->high - seq >= SEEN_WINDOW) {
        return 0;

    } else {
        slot = seq % SEEN_WINDOW;

        if (s->window[slot / 8] & (1 << (slot % 8))) {
            return 1;
        }
    }

    slot = seq % SEEN_WINDOW;
    bit = 1 << (slot % 8);
    s->window[slot / 8] |= bit;
    s->dirty = 1;

    return 0;
}
