/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a look at something found, all of it: each thing that stands in the way, and what is only worth a word.  Where
 * an error object says why one call failed, this says what a person has to mend before it can succeed. */
#ifndef CONVOY_BASE_FINDINGS_H
#define CONVOY_BASE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"

struct cv_finding {
    enum cv_code code; /* CV_OK: a warning, nothing stands in the way */
    char check[32];    /* what was looked at: name of a check, or a key of a configuration */
    char text[512];    /* what it is */
    char advice[256];  /* what to do about it; "" if the text says so */
};

/* { 0 } is empty; dispose is safe on it and twice. */
struct cv_findings {
    struct cv_finding *items; /* in the order in which they were found */
    size_t count, cap;
    bool lost; /* no memory for one of them */
};

void cv_findings_dispose(struct cv_findings *f);

/* Something in the way.  advice may be NULL.  f NULL: forgotten. */
void cv_findings_add(struct cv_findings *f, const char *check, const struct cv_error *why, const char *advice);
/* Something worth a word. */
void cv_findings_warn(struct cv_findings *f, const char *check, const char *fmt, ...) CV_PRINTF(3, 4);

/* How many stand in the way. */
size_t cv_findings_errors(const struct cv_findings *f);
/* -1 if anything stands in the way: err says what, and where that is more than one thing, how many there are. The code
 * is that of the first one; one that can be mended in the configuration goes before what cannot be had. */
int cv_findings_verdict(const struct cv_findings *f, struct cv_error *err) CV_CHECKED;
/* The verdict for somebody who reads the sink: warnings go there, and what is in the way when it is several things. */
int cv_findings_tell(const struct cv_findings *f, struct cv_sink *sink, struct cv_error *err) CV_CHECKED;

#endif
