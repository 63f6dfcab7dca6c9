/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a command with a time limit: its process group is killed when the time is over, or the caller gives up. */
#ifndef CONVOY_SAVE_HOOK_H
#define CONVOY_SAVE_HOOK_H

#include "base/bytes.h"
#include "base/cancel.h"

struct cv_hook {
    const char *command;     /* for /bin/sh -c */
    const char *const *more; /* "NAME=value", NULL at the end: added to our environment */
    int64_t timeout_ms;
    size_t output_max;        /* bytes of its standard output that are kept */
    struct cv_cancel *cancel; /* may be NULL */
};

struct cv_hook_result {
    struct cv_buf output; /* owned: cv_buf_dispose */
    bool cut;             /* it printed more */
    int64_t ns;           /* it ran */
};

/* The command reads nothing, its standard error is ours.  Over when its shell has ended; what that has left running in
 * the background goes on.  out: initialised by the call, to be disposed of in any case.  Errors: CV_E_TIMEOUT,
 * CV_E_CANCELLED; CV_E_IO: it could not be started, or ended with another status than 0. */
int cv_hook_run(const struct cv_hook *h, struct cv_hook_result *out, struct cv_error *err) CV_CHECKED;

#endif
