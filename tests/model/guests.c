/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

void run_at_source(struct explorer *x, struct world *w, bool afresh)
{
    if (!afresh && w->s_copy == COPY_RUN)
        return;
    if (w->d_copy == COPY_RUN)
        bad(x, "two run: the source resumed while the destination runs");
    else if (w->d_ran)
        bad(x, "stale: the source runs what the destination has run on");
    w->s_copy = COPY_RUN;
    w->s_resumed = 1;
}

void run_at_destination(struct explorer *x, struct world *w)
{
    if (w->d_copy == COPY_RUN)
        return;
    if (w->s_copy == COPY_RUN)
        bad(x, "two run: the destination unpaused while the source runs");
    else if (w->s_resumed)
        bad(x, "stale: the destination runs what the source has run on");
    w->d_copy = COPY_RUN;
    w->d_ran = 1;
}

void destroy_at_source(struct explorer *x, struct world *w)
{
    if (w->s_copy == COPY_RUN)
        bad(x, "the source destroyed its running guest");
    if (w->s_copy != COPY_NONE && !w->d_ran && !w->lost_d)
        bad(x, "the source destroyed the only copy");
    w->s_copy = COPY_NONE;
}

void destroy_at_destination(struct explorer *x, struct world *w)
{
    if (w->d_copy == COPY_RUN)
        bad(x, "the destination destroyed its running guest");
    w->d_copy = COPY_NONE;
}

/* ---- outcomes: what a process says at its end must be true --------------------------------------------------- */

void source_finished(struct explorer *x, struct world *w)
{
    struct cv_handover h = source(w);

    switch (cv_ho_outcome(&h)) {
    case CV_OUT_KEPT:
        if (w->s_copy != COPY_RUN && !w->lost_s)
            bad(x, "the source said kept and does not run");
        break;
    case CV_OUT_TAKEN:
    case CV_OUT_TAKEN_GONE:
        if (w->s_copy != COPY_NONE)
            bad(x, "the source said that nothing is left of the guest, and has a copy");
        if (!w->d_ran && !w->lost_d)
            bad(x, "the source said taken and the destination never ran");
        break;
    case CV_OUT_TAKEN_LEFT:
        if (!w->d_ran && !w->lost_d)
            bad(x, "the source said taken and the destination never ran");
        break;
    case CV_OUT_UNKNOWN:
        if (w->s_vis != CV_J_COMMITTING)
            bad(x, "the source said unknown, and no COMMIT was ever sent");
        break;
    case CV_OUT_STUCK:
        if (!w->failed)
            bad(x, "the source said stuck, and nothing has failed");
        break;
    case CV_OUT_LOST:
        if (w->s_copy != COPY_NONE)
            bad(x, "the source said lost and has a copy");
        run_at_source(x, w, true); /* the administrator believes it and starts the guest again */
        break;
    default: break;
    }
    source_gone(w);
}

void destination_finished(struct explorer *x, struct world *w, unsigned state)
{
    struct cv_handover h = { .state = (uint8_t)state };

    switch (cv_ho_outcome(&h)) {
    case CV_OUT_RUNNING:
        if (!w->d_ran && !w->lost_d)
            bad(x, "the destination said running and never ran");
        break;
    case CV_OUT_ABORTED: /* a tombstone says nothing of a guest */
        if (w->d_copy != COPY_NONE && w->d_vis != CV_J_NEVER)
            bad(x, "the destination said aborted and has a copy");
        break;
    case CV_OUT_STUCK:
        if (!w->failed)
            bad(x, "the destination said stuck, and nothing has failed");
        break;
    case CV_OUT_GONE:
        if (w->d_copy != COPY_NONE)
            bad(x, "the destination said gone and has a copy");
        break;
    default: break;
    }
}
