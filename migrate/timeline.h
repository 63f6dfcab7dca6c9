/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a migration took and where the guest's silence went: one immutable struct, and pure functions that turn it into
 * text, JSON and a drawing.  All times are nanoseconds on the source's clock, 0 = the start of the operation. */
#ifndef CONVOY_MIGRATE_TIMELINE_H
#define CONVOY_MIGRATE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "migrate/policy.h"

#define CV_TL_PASSES 128u
#define CV_TL_EMULATORS 8u

/* Parts of the down time, in the order of their beginnings; they may overlap. */
enum cv_tl_part {
    CV_TL_SUSPEND,       /* asked to suspend, until it has */
    CV_TL_STOP,          /* all emulators stopped */
    CV_TL_LAST_PAGES,    /* last bitmap and what it names, written */
    CV_TL_DEVICE_STATES, /* all emulators' states, in parallel, written */
    CV_TL_TRANSFER,      /* the last byte written, until the destination has read END */
    CV_TL_LOAD,          /* there: emulators loaded, READY */
    CV_TL_COMMIT,        /* the exchange and the destination's journal */
    CV_TL_RESUME,        /* there: emulators and vCPUs run */
    CV_TL_PARTS
};
const char *cv_tl_part_name(enum cv_tl_part part);

struct cv_span {
    int64_t start_ns, end_ns;
}; /* end <= start: it did not happen */

struct cv_tl_pass {
    struct cv_pass pass;
    int64_t start_ns;
    unsigned cap_percent; /* in force during it, 100 = none */
};

struct cv_tl_emulator {
    char name[32];
    struct cv_span stop, save, load;
    uint64_t state_bytes;
};

struct cv_timeline {
    char guest[128], source[64], destination[64];
    char outcome[32];     /* cv_ho_outcome_name */
    char why_stopped[64]; /* the policy's reason */
    int64_t total_ns;
    struct cv_span down; /* from the suspend request to running again */
    struct cv_span part[CV_TL_PARTS];
    struct cv_tl_pass passes[CV_TL_PASSES]; /* the first ones; later ones are in the totals only */
    unsigned pass_count;
    struct cv_tl_emulator emulators[CV_TL_EMULATORS];
    unsigned emulator_count;
    uint64_t pages, bytes_raw, bytes_wire; /* all passes, the last one included */
};

/* Adds a pass; past the table's end only the totals grow. */
void cv_tl_add_pass(struct cv_timeline *t, const struct cv_pass *pass, int64_t start_ns, unsigned cap_percent);

/* Each appends to out (not terminated).  Errors: CV_E_NOMEM. */
int cv_tl_text(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_tl_json(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_tl_svg(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err) CV_CHECKED;

#endif
