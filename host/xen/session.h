/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl, for one call of ours: a context lives no longer than that.  It takes SIGCHLD meanwhile and reaps its own
 * children only, so that nobody else's are disturbed. */
#ifndef CONVOY_HOST_XEN_SESSION_H
#define CONVOY_HOST_XEN_SESSION_H

#include <libxl.h>

#include "host/xen/xen.h"

/* libxl tells its reasons to its logger only: all lines of one call, in order. */
struct xen_reasons {
    xentoollog_logger vtable; /* first: the library casts */
    struct cv_sink *sink;
    char text[400];
};

struct xen_session {
    struct xen_host *x;
    uint32_t domid;
    libxl_ctx *ctx;
    struct xen_reasons reasons;
    struct cv_cancel *cancel; /* may be NULL */
};

int xen_session_begin(struct xen_session *s, struct xen_host *x, uint32_t domid, struct cv_cancel *cancel,
                      struct cv_error *err) CV_CHECKED;
void xen_session_end(struct xen_session *s);
/* "<what>: <libxl's reasons>", or that it was cancelled.  Returns -1. */
int xen_session_fail(struct xen_session *s, struct cv_error *err, const char *what);

/* An operation of libxl's that takes its time, with a way out: what s->cancel asks for. */
struct xen_operation {
    bool done;
    int rc;
};
/* libxl's callback; user: the operation. */
void xen_operation_done(libxl_ctx *ctx, int rc, void *user);
/* rc: what the call that began the operation said.  libxl has its own time limits for all that it waits for. */
int xen_session_finish(struct xen_session *s, struct xen_operation *op, const libxl_asyncop_how *how, int rc);

/* call(ctx, domid, ..., how); 0 or libxl's error. */
#define XEN_SESSION_RUN(s, call, ...)                                                        \
    ({                                                                                       \
        struct xen_operation op_ = { 0 };                                                    \
        libxl_asyncop_how how_ = { .callback = xen_operation_done, .u.for_callback = &op_ }; \
        xen_session_finish(s, &op_, &how_, call((s)->ctx, (s)->domid, __VA_ARGS__, &how_));  \
    })

#endif
