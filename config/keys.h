/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys a configuration assigns, and on which lines.  libxlutil has no iterator over its keys, so a small scanner
 * that mirrors its syntax (strings, lists, comments, ';') finds them.  It runs only on text that libxlutil accepted. */
#ifndef CONVOY_CONFIG_KEYS_H
#define CONVOY_CONFIG_KEYS_H

#include <stddef.h>

#include <libxlutil.h>

#include "base/error.h"
#include "base/findings.h"
#include "config/pool.h"

struct cv_key {
    const char *name;
    unsigned line;   /* of the assignment that counts: the last one */
    unsigned before; /* of one that it replaces, 0: there is none */
};
struct cv_keys {
    struct cv_key *items;
    size_t count;
};

/* Fills *out (memory of pool). */
int cv_keys_scan(struct cv_pool *pool, const char *text, size_t len, const char *source, struct cv_keys *out,
                 struct cv_error *err) CV_CHECKED;
/* Line of a key, 0 if it is not there. */
unsigned cv_keys_line(const struct cv_keys *keys, const char *name);

/* known.c.  What xl knows and convoy cannot do is an error (CV_E_UNSUPPORTED, the reason and what to do), unless its
 * value in cfg switches off just that.  What xl does not know either, what has no effect, and what is assigned twice is
 * a warning. */
void cv_keys_check(const struct cv_keys *keys, XLU_Config *cfg, const char *source, struct cv_findings *found);

#endif
