
/*
 * What the sender was told: the configuration document nginx's master wrote
 * on our standard input, or what a command line says instead.
 */


#ifndef _NUDGE_CONFIG_H_INCLUDED_
#define _NUDGE_CONFIG_H_INCLUDED_


#include "nudge_bundle.h"
#include "nudge_visitor.h"


#ifndef NUDGE_SHARE
#define NUDGE_SHARE      "/usr/share/nudge"
#endif

#define CONFIG_STATE     "/var/lib/nudge"
#define CONFIG_CAMPAIGN  "/etc/nudge/nudge.lua"
#define CONFIG_MAX       (32 * 1024 * 1024)     /* bytes of the document */

typedef struct {
    char               *state;      /* DIR, no trailing slash */
    char               *store;      /* "sqlite:DIR/store.db" */
    char               *log;        /* path, or "" when stderr stays */
    char               *share;
    char              **memcached;  /* "host:port" or "/path" */
    nudge_uint_t        nmemcached;
    nudge_keys_t        keys;
    nudge_bundle_t    **shops;
    nudge_uint_t        nshops;
    nudge_pool_t       *pool;
} config_t;

/* reads to the end of fd; NULL and *error on any mistake */
config_t *config_read(int fd, nudge_error_t *error);
/* for command lines: one campaign file, no keys, no memcached */
config_t *config_load(const char *campaign, const char *share,
    nudge_error_t *error);
void config_destroy(config_t *conf);

/* the shop's bundle, or NULL */
nudge_bundle_t *config_shop(const config_t *conf, const nudge_str_t *shop);
/* number of the flow of that name, or -1 */
nudge_int_t config_flow(const nudge_bundle_t *b, const nudge_str_t *name);


#endif /* _NUDGE_CONFIG_H_INCLUDED_ */
