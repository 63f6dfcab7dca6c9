/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one error object.  Rules (tests/unit/test_error.c has a test of each, tests/check-habits looks for what breaks
 * them):
 *  - the last parameter of every fallible function; the caller owns it and may pass NULL, so that nobody assigns or
 * reads through it but the functions below: who has to look at an error passes one of its own, and cv_fail_as hands it
 * on;
 *  - untouched on success: what may fail on the way to success, and is tried again, gets an error of its own, too;
 *  - the first failure is the cause: where work goes on after it, as in taking back, cv_if_first keeps it;
 *  - fixed size, no allocation, so that "out of memory" can be reported too;
 *  - the line that detects a fault states the fact; each caller adds only what it alone knows
 *    (which emulator, which phase, which record); nobody logs *and* returns. */
#ifndef CONVOY_BASE_ERROR_H
#define CONVOY_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

/* What the caller can do about it.  Numbers are public (exit statuses, JSON) and never reused. */
enum cv_code {
    CV_OK = 0,
    CV_E_INVALID = 1,     /* the caller's arguments or configuration: mend and call again */
    CV_E_UNSUPPORTED = 2, /* understood, but this guest, host or version cannot do it */
    CV_E_NOMEM = 3,
    CV_E_TIMEOUT = 4,
    CV_E_CANCELLED = 5,
    CV_E_HYPERVISOR = 6,       /* Xen, xenstore or a Xen library said no */
    CV_E_EMULATOR = 7,         /* an emulator died, refused or answered nonsense */
    CV_E_STREAM = 8,           /* the image is damaged */
    CV_E_STREAM_VERSION = 9,   /* the image is whole, but of a version or with a feature unknown here */
    CV_E_PEER = 10,            /* the other host is gone or broke the protocol */
    CV_E_OUTCOME_UNKNOWN = 11, /* past the commit point: convoy recover settles it */
    CV_E_IO = 12,              /* files, pipes, disks */
    CV_E_INTERNAL = 13,
    CV_E_BUSY = 14,      /* somebody else holds the guest, the QMP socket or the name */
    CV_E_NOT_FOUND = 15, /* no such domain, file, emulator */
};

struct cv_error {
    enum cv_code code;
    int sys; /* errno, or 0 */
    char text[600];
};

/* clang-format off */
#define CV_ERROR_INIT { .code = CV_OK, .sys = 0, .text = "" }
/* clang-format on */
#define CV_CHECKED __attribute__((warn_unused_result))
#define CV_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Fills err (if not NULL) and returns -1, so that a failing path is one line.
 * sys: an errno value to be printed after the text, or 0. */
int cv_fail(struct cv_error *err, enum cv_code code, int sys, const char *fmt, ...) CV_PRINTF(4, 5);
/* For functions that take a text's arguments themselves. */
int cv_vfail(struct cv_error *err, enum cv_code code, int sys, const char *fmt, va_list ap) CV_PRINTF(4, 0);
/* The same with an error that was kept aside: a worker's, or that of an attempt.  Returns -1. */
int cv_fail_as(struct cv_error *err, const struct cv_error *why);
/* Where the next call of several is to put its error: err while none has failed (rc is 0), and nowhere from then on:
 *     rc |= first(cv_if_first(err, rc));
 *     rc |= second(cv_if_first(err, rc)); */
static inline struct cv_error *cv_if_first(struct cv_error *err, int rc) { return rc == 0 ? err : NULL; }

/* What a caller can do about it is another matter here: code from becomes to. */
static inline void cv_error_recode(struct cv_error *err, enum cv_code from, enum cv_code to)
{
    if (err != NULL && err->code == from)
        err->code = to;
}

/* Prepends "<frame>: ".  When the text is full its tail is cut: the outer frames name the operation.  Returns -1. */
int cv_context(struct cv_error *err, const char *fmt, ...) CV_PRINTF(2, 3);

/* Whole message with the errno text, into buf (always terminated), as one line that may be printed whoever wrote parts
 * of it (base/text.h).  Returns buf. */
const char *cv_error_string(const struct cv_error *err, char *buf, size_t len);

/* Stable lower-case word of a code: "timeout", "stream", ... */
const char *cv_code_name(enum cv_code code);

#endif
