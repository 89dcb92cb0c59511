
/*
 * The catalogue file workers map: DIR/catalogue/<shop>.<generation, 10 digits>,
 * written to a temporary file, synced and renamed, so a reader meets either a
 * whole file or none.  The two newest are kept: a worker may still be mapping
 * the older one.  Popularity arithmetic is here too; the rows are the store's.
 *
 *   create table product (
 *       shop text not null, id text not null, parent text, sku text, name
 *       text, url text, image text, category text, brand text, price integer,
 *       currency text, stock integer not null default 0,
 *       score real not null default 0, scored integer not null default 0,
 *       seen integer not null, primary key (shop, id)) without rowid;
 *
 * On each event about a product (not a bot's, not tentative):
 *   score = publish_decay(score, scored, t) + weight, scored = max(scored, t).
 */


#ifndef _NUDGE_PUBLISH_H_INCLUDED_
#define _NUDGE_PUBLISH_H_INCLUDED_


#include "nudge_catalogue.h"


#define PUBLISH_HALF_LIFE  (7 * 86400 * (int64_t) 1000)     /* ms */
#define PUBLISH_INTERVAL   2000                             /* ms */

/* what an event adds to a product's score, times its quantity up to 10:
 * purchase 10, add_to_cart 3, view_item 1, everything else 0 */
double publish_weight(nudge_event_type_t type, int64_t quantity);
/* the score of time "then" as it stands at "now" (ms): halves in seven days.
 * A clock that steps back neither raises nor lowers it */
double publish_decay(double score, int64_t then, int64_t now);
/* for nudge_product_t.popularity: thousandths of the score at the beginning
 * of "now"'s hour, so that nothing but events changes the file */
uint32_t publish_popularity(double score, int64_t scored, int64_t now);


/* one shop's state; zero it to begin with */

typedef struct {
    uint64_t        generation;     /* newest on disk */
    uint64_t        hash;           /* of its bytes */
    int64_t         time;           /* ms, of the last look */
    unsigned        known:1;        /* the directory has been read */
} publish_t;

/*
 * dir: the state directory.  NUDGE_OK: a new generation is there (p->
 * generation); NUDGE_DECLINED: nothing has changed; NUDGE_AGAIN: less than
 * PUBLISH_INTERVAL since the last one, ask again; NUDGE_ERROR: *error says why
 * (static or thread-local text), the old file stays.  products: without an
 * empty id, in any order.
 */
nudge_int_t publish_catalogue(publish_t *p, const char *dir,
    const nudge_str_t *shop, const nudge_product_t *products, nudge_uint_t n,
    int64_t now, const char **error);


#endif /* _NUDGE_PUBLISH_H_INCLUDED_ */
