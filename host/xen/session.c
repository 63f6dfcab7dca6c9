/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/xen/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <libxl_event.h>

#include "base/priority.h"

#define POLL_FDS 16

/* "libxl: 1234:device_hotplug: Domain 5:text": where it stands in libxl's source is of no use to the reader. */
static const char *bare_text(const char *line)
{
    const char *text = strncmp(line, "libxl", 5) == 0 ? strstr(line, ": ") : NULL;

    text = text != NULL ? text + 2 : line;
    if (strncmp(text, "Domain ", 7) == 0 && strchr(text, ':') != NULL)
        text = strchr(text, ':') + 1;
    return text;
}

static void vmessage(xentoollog_logger *l, xentoollog_level level, int errnoval, const char *context,
                     const char *format, va_list al)
{
    struct xen_reasons *r = (struct xen_reasons *)l;
    size_t len = strlen(r->text);
    char line[300];

    (void)context;
    int n = vsnprintf(line, sizeof line, format, al);
    if (errnoval >= 0 && n >= 0 && (size_t)n < sizeof line)
        snprintf(line + n, sizeof line - (size_t)n, ": %s", strerror(errnoval));
    if (level >= XTL_NOTICE)
        cv_log(r->sink, CV_LOG_DEBUG, "libxl: %s", line);
    if (level < XTL_ERROR)
        return;
    snprintf(r->text + len, sizeof r->text - len, "%s%s", len ? "; " : "", bare_text(line));
}

static void no_progress(xentoollog_logger *l, const char *context, const char *doing_what, int percent,
                        unsigned long done, unsigned long total)
{
    (void)l, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void no_destroy(xentoollog_logger *l) { (void)l; }

int xen_session_fail(struct xen_session *s, struct cv_error *err, const char *what)
{
    const char *why = s->reasons.text;

    if (cv_cancel_requested(s->cancel))
        return cv_fail(err, CV_E_CANCELLED, 0, "%s: cancelled", what);
    return cv_fail(err, CV_E_HYPERVISOR, 0, "%s: %s", what, *why ? why : "libxl does not say why");
}

int xen_session_begin(struct xen_session *s, struct xen_host *x, uint32_t domid, struct cv_cancel *cancel,
                      struct cv_error *err)
{
    static const libxl_childproc_hooks hooks = { .chldowner = libxl_sigchld_owner_libxl_always_selective_reap };

    *s = (struct xen_session){ .x = x, .domid = domid, .cancel = cancel };
    s->reasons.vtable = (xentoollog_logger){ .vmessage = vmessage, .progress = no_progress, .destroy = no_destroy };
    s->reasons.sink = x->sink;
    cv_nice_thread_own(); /* libxl gives a hotplug script 40 s: behind a busy guest's emulators they are soon over */
    if (libxl_ctx_alloc(&s->ctx, LIBXL_VERSION, 0, &s->reasons.vtable) != 0)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "libxl cannot be used here");
    libxl_childproc_setmode(s->ctx, &hooks, NULL);
    return 0;
}

void xen_session_end(struct xen_session *s)
{
    libxl_ctx_free(s->ctx);
    s->ctx = NULL;
}

/* ---- one operation of libxl's, with a way out -------------------------------------------------------------------- */

void xen_operation_done(libxl_ctx *ctx, int rc, void *user)
{
    struct xen_operation *op = user;

    (void)ctx;
    op->done = true;
    op->rc = rc;
}

/* One round of libxl's events. */
static int turn(struct xen_session *s, bool aborted)
{
    struct pollfd fds[POLL_FDS + 1];
    int n = POLL_FDS, timeout = -1;
    struct timeval now;

    gettimeofday(&now, NULL);
    if (libxl_osevent_beforepoll(s->ctx, &n, fds, &timeout, now) != 0)
        return -1;
    bool watch = s->cancel != NULL && !aborted;
    if (watch)
        fds[n] = (struct pollfd){ .fd = s->cancel->fd, .events = POLLIN };
    if (poll(fds, (nfds_t)(n + watch), timeout) < 0 && errno != EINTR)
        return -1;
    gettimeofday(&now, NULL);
    cv_nice_thread_own(); /* a migration's source on this very host sends us to the background at any time */
    libxl_osevent_afterpoll(s->ctx, n, fds, now);
    return 0;
}

int xen_session_finish(struct xen_session *s, struct xen_operation *op, const libxl_asyncop_how *how, int rc)
{
    bool aborted = false;

    if (rc != 0)
        return rc;
    while (!op->done) {
        if (turn(s, aborted) < 0)
            return ERROR_FAIL;
        if (!aborted && cv_cancel_requested(s->cancel)) {
            libxl_ao_abort(s->ctx, how);
            aborted = true;
        }
    }
    return op->rc;
}
