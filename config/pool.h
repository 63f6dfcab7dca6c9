/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many small strings and arrays with one life: all freed together.  Configurations and layouts own one pool each, so
 * their members are plain borrowed pointers and nothing has to be freed one by one.
 * Running out of memory is sticky: string functions then return "" and the owner asks cv_pool_check once. */
#ifndef CONVOY_CONFIG_POOL_H
#define CONVOY_CONFIG_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct cv_pool_block;
struct cv_pool {
    struct cv_pool_block *blocks;
    bool failed;
};

void cv_pool_dispose(struct cv_pool *p);
/* Zeroed memory, or NULL (and failed). */
void *cv_pool_zalloc(struct cv_pool *p, size_t count, size_t size);
/* A copy; never NULL.  text NULL gives "". */
const char *cv_pool_string(struct cv_pool *p, const char *text);
const char *cv_pool_stringn(struct cv_pool *p, const char *text, size_t len);
const char *cv_pool_printf(struct cv_pool *p, const char *fmt, ...) CV_PRINTF(2, 3);
/* Fails with CV_E_NOMEM when any earlier call ran out of memory. */
int cv_pool_check(const struct cv_pool *p, struct cv_error *err) CV_CHECKED;

/* A growing list of strings in a pool. */
struct cv_strings {
    const char **items;
    size_t count, cap;
};
void cv_strings_add(struct cv_pool *p, struct cv_strings *list, const char *borrowed_from_pool);
void cv_strings_addf(struct cv_pool *p, struct cv_strings *list, const char *fmt, ...) CV_PRINTF(3, 4);

#endif
