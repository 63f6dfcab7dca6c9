/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys a configuration assigns, and on which lines.  libxlutil has no iterator over its keys, so a small scanner
 * that mirrors its syntax (strings, lists, comments, ';') finds them.  It runs only on text that libxlutil accepted. */
#ifndef CONVOY_CONFIG_KEYS_H
#define CONVOY_CONFIG_KEYS_H

#include <stddef.h>

#include <libxlutil.h>

#include "base/error.h"
#include "config/pool.h"

struct cv_key {
    const char *name;
    unsigned line;
};
struct cv_keys {
    struct cv_key *items;
    size_t count;
};

/* Fills *out (memory of pool).  Errors: CV_E_INVALID for a key that is assigned twice ("+=" may repeat). */
int cv_keys_scan(struct cv_pool *pool, const char *text, size_t len, const char *source, struct cv_keys *out,
                 struct cv_error *err) CV_CHECKED;
/* Refuses keys that convoy does not know (CV_E_INVALID), or knows and cannot do (CV_E_UNSUPPORTED with the reason),
 * unless their value in cfg switches off just that. */
int cv_keys_check(const struct cv_keys *keys, XLU_Config *cfg, const char *source, struct cv_error *err) CV_CHECKED;
/* Line of a key, 0 if it is not there. */
unsigned cv_keys_line(const struct cv_keys *keys, const char *name);

#endif
