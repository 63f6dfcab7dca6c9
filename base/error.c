/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

int cv_vfail(struct cv_error *err, enum cv_code code, int sys, const char *fmt, va_list ap)
{
    if (err == NULL)
        return -1;
    /* The arguments may point into err->text itself (a wrapped text), so format aside. */
    char text[sizeof err->text];

    vsnprintf(text, sizeof text, fmt, ap);
    err->code = code;
    err->sys = sys;
    memcpy(err->text, text, sizeof text);
    return -1;
}

int cv_fail(struct cv_error *err, enum cv_code code, int sys, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, code, sys, fmt, ap);
    va_end(ap);
    return -1;
}

int cv_fail_as(struct cv_error *err, const struct cv_error *why)
{
    if (err != NULL && err != why)
        *err = *why;
    return -1;
}

int cv_context(struct cv_error *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    char text[sizeof err->text];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    if ((size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    return -1;
}

const char *cv_error_string(const struct cv_error *err, char *buf, size_t len)
{
    if (err->sys != 0)
        snprintf(buf, len, "%s: %s", err->text, strerror(err->sys));
    else
        snprintf(buf, len, "%s", err->text);
    cv_text_clean(buf);
    return buf;
}

const char *cv_code_name(enum cv_code code)
{
    switch (code) {
    case CV_OK: return "ok";
    case CV_E_INVALID: return "invalid";
    case CV_E_UNSUPPORTED: return "unsupported";
    case CV_E_NOMEM: return "no-memory";
    case CV_E_TIMEOUT: return "timeout";
    case CV_E_CANCELLED: return "cancelled";
    case CV_E_HYPERVISOR: return "hypervisor";
    case CV_E_EMULATOR: return "emulator";
    case CV_E_STREAM: return "stream";
    case CV_E_STREAM_VERSION: return "stream-version";
    case CV_E_PEER: return "peer";
    case CV_E_OUTCOME_UNKNOWN: return "outcome-unknown";
    case CV_E_IO: return "io";
    case CV_E_INTERNAL: return "internal";
    case CV_E_BUSY: return "busy";
    case CV_E_NOT_FOUND: return "not-found";
    }
    return "unknown";
}
