
/*
 * The tables, as a list of migrations: entry n brings a store of schema n to
 * n + 1.  Entries are never edited once released, only appended.
 */


#ifndef _NUDGE_STORE_SCHEMA_H_INCLUDED_
#define _NUDGE_STORE_SCHEMA_H_INCLUDED_


#define STORE_SCHEMA  1

extern const char  *store_migrations[STORE_SCHEMA];


#endif /* _NUDGE_STORE_SCHEMA_H_INCLUDED_ */
