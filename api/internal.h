/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the calls of include/convoy/convoy.h share: arguments in, errors and results out. */
#ifndef CONVOY_API_INTERNAL_H
#define CONVOY_API_INTERNAL_H

#include <jansson.h>

#include "base/cancel.h"
#include "base/findings.h"
#include "convoy/convoy.h"
#include "handover/gate.h"
#include "host/host.h"
#include "memory/pipeline.h"
#include "stream-format/chain.h"

struct convoy_cancel {
    struct cv_cancel c;
};

struct api_sink {
    struct cv_sink sink; /* first: the callbacks find the rest behind it */
    convoy_sink user;
};

struct convoy_host {
    struct api_sink out;
    struct cv_host *host;
    struct cv_gate gate; /* store: owned */
    char *program;       /* NULL: guests are watched by the caller */
};

/* -1, with err filled. */
int api_fail(const struct cv_error *e, convoy_error *err);
/* Likewise where there is no host: what a coordinator's rc was. */
static inline int api_result(int rc, const struct cv_error *e, convoy_error *err)
{
    return rc < 0 ? api_fail(e, err) : 0;
}

/* Options as this library knows them, into out: what an older caller does not have is 0, and what a newer one has and
 * we do not must be 0.  given: NULL, or a structure that begins with its own size. */
int api_options(void *out, size_t known, const void *given, const char *type, struct cv_error *e) CV_CHECKED;
/* Is there room for a result?  given: NULL, or likewise. */
int api_room(const void *given, const char *type, struct cv_error *e) CV_CHECKED;
/* As much of full (known bytes, its size at its beginning) as the caller has room for; what it knows beyond is 0. */
void api_give(void *given, const void *full, size_t known);

/* sink NULL: nobody listens. */
int api_sink(struct api_sink *out, const convoy_sink *sink, struct cv_error *e) CV_CHECKED;

static inline struct cv_cancel *api_cancel(convoy_cancel *c) { return c != NULL ? &c->c : NULL; }
int api_mem(struct cv_mem_options *m, unsigned threads, const char *compress, convoy_cancel *cancel,
            struct cv_error *e) CV_CHECKED;
/* dirs: ended by NULL, or NULL. */
int api_places(struct cv_chain_places *places, const char *const *dirs, struct cv_error *e) CV_CHECKED;

/* Starts the guest's monitor.  False: nobody watches over it, and the sink has been told. */
bool api_watch_over(convoy_host *h, uint32_t domid, const char *name);

/* Of any bytes: what is no UTF-8 gets question marks. */
json_t *api_json_text(const char *text);
/* [{"check":...,"blocks":true,"code":"unsupported","text":...,"advice":...}]; "code" and "advice" only where there is
 * one. */
json_t *api_json_findings(const struct cv_findings *f);
/* Takes o; malloc'd text with a newline at its end, NULL without memory. */
char *api_json_dump(json_t *o);

#endif
