
/*
 * Statements within a job: always prepared, always bound, kept for the life
 * of the store.  This is the seam between the concerns and the database.
 *
 * "types" names what follows: s (const nudge_str_t *; empty is ''), z (const
 * char *), i (int64_t), d (double), b (const nudge_str_t *, as a blob), m
 * (nudge_money_t; unknown is NULL).
 */


#ifndef _NUDGE_SQL_H_INCLUDED_
#define _NUDGE_SQL_H_INCLUDED_


#include "store.h"


typedef struct sql_s  sql_t;

/* text must be a literal: statements are found by its address.  NULL: failed;
 * every function below accepts NULL and fails */
sql_t *sql_query(tx_t *tx, const char *text, const char *types, ...);
/* 1: a row, 0: no more, -1: failed */
int sql_row(sql_t *q);
/* gives the statement back; NUDGE_ERROR if it had failed */
nudge_int_t sql_end(sql_t *q);

int64_t sql_int(sql_t *q, int column);
double sql_double(sql_t *q, int column);
nudge_uint_t sql_null(sql_t *q, int column);
nudge_money_t sql_money(sql_t *q, int column);
/* copied to the pool; pool NULL: valid until the next sql_row() */
nudge_str_t sql_text(sql_t *q, nudge_pool_t *pool, int column);
/* cut to size - 1 bytes and terminated */
void sql_copy(sql_t *q, char *dst, size_t size, int column);

/* runs to the end; sql_changes() then tells the rows touched */
nudge_int_t sql_exec(tx_t *tx, const char *text, const char *types, ...);
int64_t sql_changes(tx_t *tx);
/* the first column of the first row, or "otherwise"; also on
 * failure: see sql_errors() */
int64_t sql_value(tx_t *tx, int64_t otherwise, const char *text,
    const char *types, ...);
/* a statement of this job failed for lack of space, memory or the disk, so
 * that trying again later may help */
nudge_uint_t sql_failed(const tx_t *tx);
/* grows with every statement that fails: who asked with sql_value() compares
 * before and after */
nudge_uint_t sql_errors(const tx_t *tx);


#endif /* _NUDGE_SQL_H_INCLUDED_ */
