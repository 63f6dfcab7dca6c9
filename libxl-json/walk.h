/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walking libxl's JSON and writing xl.cfg text from it.  Private to libxl-json/.  After the first failure nothing is
 * written any more, so that callers need not look after every step. */
#ifndef CONVOY_LIBXL_JSON_WALK_H
#define CONVOY_LIBXL_JSON_WALK_H

#include <jansson.h>

#include "libxl-json/json.h"
#include "libxl-json/members.h"

struct cv_walk {
    struct cv_buf *cfg;
    struct cv_libxl_facts *facts;
    const char *at;            /* "b_info.type.hvm": for messages */
    struct cv_findings *found; /* may be NULL */
    bool refused;              /* something was, and found has it: the rest is written all the same */
    bool failed;
    struct cv_error *err;
};

/* CV_E_UNSUPPORTED: "configuration: <at>.<name>: <why>". */
void cv_walk_refuse(struct cv_walk *w, const char *name, const char *why);
void cv_walk_put(struct cv_walk *w, const char *fmt, ...) CV_PRINTF(2, 3);
/* In double quotes, as libxlutil reads them. */
void cv_walk_put_quoted(struct cv_walk *w, const char *name, const char *text);
/* Every member of o by its rule. */
void cv_walk_object(struct cv_walk *w, const char *at, json_t *o, const struct cv_libxl_member *members);

/* Values; of another type than asked for they are refused, and "", -1 or 0 comes back. */
const char *cv_walk_text_of(struct cv_walk *w, const char *name, const json_t *v);
int cv_walk_defbool(struct cv_walk *w, const char *name, const json_t *v); /* -1 default, 0, 1 */
int64_t cv_walk_number(struct cv_walk *w, const char *name, const json_t *v);
/* Members that may be missing. */
const char *cv_walk_string_or(json_t *o, const char *name, const char *otherwise);
bool cv_walk_truth(json_t *o, const char *name);

/* devices.c: disk = [...] and vif = [...]. */
void cv_walk_disks(struct cv_walk *w, json_t *list);
void cv_walk_nics(struct cv_walk *w, json_t *list);

#endif
