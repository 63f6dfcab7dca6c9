/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

void run_at_source(struct explorer *x, struct world *w, bool afresh)
{
    if (!afresh && w->s_copy == COPY_RUN)
        return;
    if (w->d_copy == COPY_RUN)
        bad(x, "two run: the source resumed while the destination runs");
    else if (w->d_ran && !afresh)
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
    else if (w->d_other)
        bad(x, "two run: the destination unpaused beside another domain of this guest");
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

bool destroy_at_destination(struct explorer *x, struct world *w, bool handler)
{
    bool runs = w->d_copy == COPY_RUN, has_run = w->d_copy == COPY_PAUSED && w->d_ran;

    if (handler && w->d_other)
        return false;
    if (w->d_moved && w->d_copy != COPY_NONE && x->mutation == M_LEFT_BY_DOMID)
        return true;
    if ((runs && x->mutation != M_OLD_RECORD_IS_BELIEVED) || (has_run && x->mutation != M_PAUSED_IS_NEVER_RAN))
        return false;
    if (runs)
        bad(x, "the destination destroyed its running guest");
    if (has_run)
        bad(x, "the destination destroyed a guest that had run");
    w->d_copy = COPY_NONE;
    return true;
}

enum cv_ho_event look_at_source(const struct explorer *x, const struct world *w)
{
    if (x->mutation == M_SRC_LOOKS_NOT)
        return CV_EV_OK;
    if (w->s_copy == COPY_NONE)
        return CV_EV_GONE;
    return w->s_copy == COPY_PAUSED && !w->s_resumed ? CV_EV_OK : CV_EV_FAIL;
}

enum cv_ho_event look_at_destination(const struct explorer *x, const struct world *w)
{
    if (x->mutation == M_DST_LOOKS_NOT)
        return CV_EV_OK;
    if (w->d_copy == COPY_NONE)
        return CV_EV_GONE;
    return w->d_copy == COPY_PAUSED && !w->d_ran && !w->d_other ? CV_EV_OK : CV_EV_FAIL;
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
        /* The administrator believes it; convoy create refuses as long as the record is not settled. */
        if (cv_ho_outcome(&h) == CV_OUT_TAKEN_GONE && cv_journal_settled(w->s_vis))
            run_at_source(x, w, true);
        break;
    case CV_OUT_TAKEN_LEFT:
        if (!w->d_ran && !w->lost_d)
            bad(x, "the source said taken and the destination never ran");
        break;
    case CV_OUT_UNKNOWN:
        if (w->s_vis != CV_J_COMMITTING && w->s_copy != COPY_NONE)
            bad(x, "the source said unknown, has the guest, and no COMMIT was ever sent");
        break;
    case CV_OUT_STUCK:
        if (!w->failed)
            bad(x, "the source said stuck, and nothing has failed");
        break;
    case CV_OUT_LOST:
        if (w->s_copy != COPY_NONE)
            bad(x, "the source said lost and has a copy");
        if (cv_journal_settled(w->s_vis))
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
        if (w->d_copy != COPY_NONE && w->d_vis != CV_J_NEVER && !w->d_moved)
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
