/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine of the set: one small program of commands runs on every emulator side by side, on one thread.
 *
 * step() is called for an emulator whenever it has nothing outstanding: first with step 0, then once for each answer
 * (the answer lies in emu->qmp: reply, or refusal when sees_refusals is set; otherwise a refusal fails the emulator).
 * It sends the next command, or says that this emulator is done. */
#ifndef CONVOY_EMULATORS_OP_H
#define CONVOY_EMULATORS_OP_H

#include "emulators/qmp.h"
#include "emulators/set.h"

enum cv_op_step {
    CV_STEP_SENT,
    CV_STEP_DONE,
    CV_STEP_FAILED,
    CV_STEP_LATER /* call again after retry_ms, or at an event; err: why it is taking so long, if it does */
};

struct cv_op {
    const char *name; /* for messages */
    enum cv_op_step (*step)(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err);
    void *ctx;
    bool sees_refusals;
    bool needs_connection; /* emulators without one fail at once */
    int retry_ms;
    /* If not NULL: called about every CV_OP_WATCH_MS while an answer is outstanding.  -1 with err ends its part. */
    int (*watch)(struct cv_op *op, struct cv_emu *emu, struct cv_error *err);
    struct cv_emuset *set;
};

#define CV_OP_WATCH_MS 20

/* Runs op on all emulators of w->mask and joins them; see set.h for results and errors. */
int cv_op_run(struct cv_emuset *set, struct cv_op *op, const struct cv_emu_wait *w, struct cv_emu_results *results,
              struct cv_error *err) CV_CHECKED;

/* For step functions: sends one command. */
enum cv_op_step cv_op_send(struct cv_emu *emu, const char *command, json_t *args, int fd, struct cv_error *err);

/* Has the process ended?  Fills err with how (exit status if it is our child; last line of its log). */
bool cv_emu_ended(struct cv_emu *emu, struct cv_error *err);

#endif
