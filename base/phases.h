/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A long operation as a table of steps, each with what takes it back.
 *
 * What the guest can notice (dirty log, pause, stopped emulators, half-built domains) is undone here, in reverse order,
 * on every way out, until the commit point; after it, nothing is.  Process resources (memory, descriptors, threads) are
 * released by their owners' dispose functions in any case. */
#ifndef CONVOY_BASE_PHASES_H
#define CONVOY_BASE_PHASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"

struct cv_step {
    const char *name; /* one word: part of messages and events */
    int (*run)(void *op, int64_t deadline_ms, struct cv_error *err);
    /* Idempotent, and right after a run that failed half-way too.  Runs under its own deadline and is not cancelled.
     * NULL: nothing that outlives the operation was done. */
    int (*undo)(void *op, int64_t deadline_ms, struct cv_error *err);
    int64_t timeout_ms; /* of run; CV_NEVER for those that watch over their own progress */
    bool commits;       /* when this step has succeeded nothing is undone any more */
};

#define CV_STEPS_MAX 24
#define CV_UNDO_TIMEOUT_MS 30000

struct cv_phases {
    const struct cv_step *steps;
    int count;
    struct cv_sink *sink;     /* events "phase"; may be NULL */
    struct cv_cancel *cancel; /* looked at between steps, up to the commit point; may be NULL */
    const char *who;          /* of its test points (testpoint.h); NULL = none */
    /* results */
    int at; /* the step that ran last */
    bool committed;
    int64_t start_ns, end_ns;
    int64_t step_ns[CV_STEPS_MAX]; /* how long each took; 0 = not run */
};

/* Runs all steps.  On the first failure, undoes from that step back to the first (unless committed) and returns -1:
 * "step 'name': ...".  A failing undo is logged and the walk goes on: a paused guest is worse than a stale log. */
int cv_phases_run(struct cv_phases *p, void *op, struct cv_error *err) CV_CHECKED;

#endif
