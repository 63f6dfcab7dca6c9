/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's libraries tell the real reason only to their logger: catch it, so that it lands in our one error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/xen/xen.h"

struct logger {
    xentoollog_logger vtable; /* first: the library casts */
    struct cv_sink *sink;
    pthread_t owner;      /* whose the sink is */
    pthread_mutex_t lock; /* page source and sink log from workers */
    char last_error[256]; /* under lock */
};

static void vmessage(xentoollog_logger *l, xentoollog_level level, int errnoval, const char *context,
                     const char *format, va_list al)
{
    struct logger *log = (struct logger *)l;
    char text[256];
    int n = vsnprintf(text, sizeof text, format, al);

    if (errnoval >= 0 && n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror(errnoval));
    if (level >= XTL_VERBOSE && pthread_equal(log->owner, pthread_self()))
        cv_log(log->sink, CV_LOG_DEBUG, "%s%s%s", context ? context : "", context ? ": " : "", text);
    if (level < XTL_ERROR)
        return;
    pthread_mutex_lock(&log->lock);
    memcpy(log->last_error, text, sizeof text);
    pthread_mutex_unlock(&log->lock);
}

static void progress(xentoollog_logger *l, const char *context, const char *doing_what, int percent, unsigned long done,
                     unsigned long total)
{
    (void)l, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void destroy(xentoollog_logger *l)
{
    struct logger *log = (struct logger *)l;
    pthread_mutex_destroy(&log->lock);
    free(log);
}

xentoollog_logger *xen_logger_new(struct cv_sink *sink)
{
    struct logger *log = calloc(1, sizeof *log);

    if (log == NULL)
        return NULL;
    log->vtable = (xentoollog_logger){ .vmessage = vmessage, .progress = progress, .destroy = destroy };
    log->sink = sink;
    log->owner = pthread_self();
    pthread_mutex_init(&log->lock, NULL);
    return &log->vtable;
}

static int fail_v(struct xen_host *x, enum cv_code code, int sys, struct cv_error *err, const char *fmt, va_list ap)
{
    struct logger *log = (struct logger *)x->logger;
    char text[300], reason[256];

    vsnprintf(text, sizeof text, fmt, ap);
    pthread_mutex_lock(&log->lock);
    memcpy(reason, log->last_error, sizeof reason);
    log->last_error[0] = '\0';
    pthread_mutex_unlock(&log->lock);
    return cv_fail(err, code, sys, "%s%s%s%s", text, reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

int xen_fail(struct xen_host *x, struct cv_error *err, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;
    va_start(ap, fmt);
    fail_v(x, CV_E_HYPERVISOR, sys, err, fmt, ap);
    va_end(ap);
    return -1;
}

int xen_fail_as(struct xen_host *x, enum cv_code code, int sys, struct cv_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_v(x, code, sys, err, fmt, ap);
    va_end(ap);
    return -1;
}
