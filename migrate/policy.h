/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When to stop the memory passes: a pure function of what was measured.  No clock, no guest, no channel.
 * After each pass the sender reads the dirty bitmap, appends one cv_pass and asks. */
#ifndef CONVOY_MIGRATE_POLICY_H
#define CONVOY_MIGRATE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What the user chose for a guest that dirties faster than the link carries. */
enum cv_when_stuck {
    CV_STUCK_COPY,     /* stop it and copy the rest, however long that takes */
    CV_STUCK_THROTTLE, /* slow its vCPUs down step by step; if that does not help, stop and copy */
    CV_STUCK_GIVE_UP,  /* it goes on running here */
};

struct cv_limits {       /* 0 = default, but for fixed_ms */
    int64_t downtime_ms; /* 300: that the guest may stand still */
    int64_t max_time_ms; /* 600,000: of the passes together */
    unsigned max_passes; /* 60 */
    enum cv_when_stuck when_stuck;
    int64_t fixed_ms;           /* of the down time, without pages: suspend, stop, device states, load, resume;
                                          measured or expected by the caller */
    uint64_t bandwidth_bytes_s; /* the user's limit during the passes, 0 = none: the last pages ignore it */
};

struct cv_pass {
    uint64_t pages;      /* sent in this pass */
    uint64_t zero_pages; /* of them without contents: they cost the link nothing and say nothing of it */
    uint64_t bytes;      /* of them on the wire */
    int64_t ns;          /* its duration */
    uint64_t dirty;      /* pages that are dirty at its end */
};

enum cv_decision { CV_GO_ON, CV_STOP, CV_THROTTLE, CV_GIVE_UP };

struct cv_verdict {
    enum cv_decision decision;
    unsigned cap_percent;   /* THROTTLE: of a vCPU's time that the guest may have from now on (scheduler cap) */
    int64_t expect_down_ms; /* if it were stopped now */
    int64_t expect_left_ms; /* of passes to come, -1: no end in sight */
    double dirty_pages_s;   /* rates that the decision rests on */
    double send_pages_s;
    const char *why; /* static text, a few words */
};

/* passes: count of them, oldest first, count >= 1.  spent_ms: since the first pass began.
 * cap_percent: the cap in force, 100 = none. */
void cv_policy_decide(const struct cv_limits *limits, const struct cv_pass *passes, size_t count, int64_t spent_ms,
                      unsigned cap_percent, struct cv_verdict *out);

const char *cv_decision_name(enum cv_decision d);

#endif
