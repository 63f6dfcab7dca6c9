/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

bool source_hears(struct world *w)
{
    enum cv_ho_event e = CV_EV_COUNT;

    switch (w->to_s & 7) {
    case W_READY: e = CV_EV_READY; break;
    case W_YES: e = CV_EV_YES; break;
    case W_NO: e = CV_EV_NO; break;
    default: return false;
    }
    if (!w->s_open || !source_expects(w, e))
        return false;
    w->to_s >>= 3;
    w->s_told_no |= e == CV_EV_NO;
    source_step(w, e);
    return true;
}

bool receiver_hears(struct world *w)
{
    enum cv_ho_event e = CV_EV_COUNT;

    switch (w->to_d & 7) {
    case W_END: e = CV_EV_LOADED; break;
    case W_COMMIT: e = CV_EV_COMMIT; break;
    case W_ABORT: e = CV_EV_ABORT; break;
    case W_DONE:
        w->to_d >>= 3;
        w->d_acked = 1;
        return true;
    default: return false;
    }
    if (!w->d_open || !machine_expects(w->d_state, e))
        return false;
    w->to_d >>= 3;
    w->d_state = machine_next(w->d_state, e);
    return true;
}

/* A query reaches the destination: an answer at once if the lock is held, else somebody who works from the journal. */
bool query_arrives(struct explorer *x, struct world *w, unsigned k)
{
    if (!(w->queries >> k & 1) || w->h_state != 0)
        return false;
    if (w->d_state != 0 && x->mutation != M_NO_LOCK) {
        w->answers = (w->answers & ~(7u << (3 * k))) | (unsigned)A_BUSY << (3 * k);
        return true;
    }
    if (x->mutation != M_READ_WITHOUT_SYNC)
        w->d_dur = w->d_vis;
    enum cv_journal_state j = w->d_vis;
    if (x->mutation == M_RUNNING_IS_NO_DECISION && j == CV_J_RUNNING)
        j = CV_J_OPEN;
    w->h_state = cv_ho_destination_recover(j).state;
    w->h_for = k;
    return true;
}

bool answer_arrives(struct explorer *x, struct world *w)
{
    unsigned shift = 3 * w->s_ask;
    static const enum cv_ho_event event[] = {
        [A_YES] = CV_EV_YES,       [A_NO] = CV_EV_NO,      [A_GONE] = CV_EV_GONE,
        [A_NEVER] = CV_EV_GIVE_UP, [A_STUCK] = CV_EV_FAIL, [A_BUSY] = CV_EV_FAIL
    };
    enum answer a = w->answers >> shift & 7;

    if (!w->s_asking || a == A_NONE)
        return false;
    enum cv_ho_event e = event[a];
    if (a == A_NEVER && x->mutation == M_WRONG_HOST_IS_NO)
        e = CV_EV_NO;
    w->answers &= ~(7u << shift);
    w->s_asking = 0;
    source_step(w, e);
    return true;
}

bool source_recovers(struct explorer *x, struct world *w)
{
    if (w->s_state != 0 || w->s_vis == CV_J_NONE || cv_journal_settled(w->s_vis))
        return false;
    if (x->mutation != M_READ_WITHOUT_SYNC)
        w->s_dur = w->s_vis;
    w->s_state = cv_ho_source_recover(w->s_vis).state;
    return true;
}

bool destination_recovers(struct explorer *x, struct world *w)
{
    if (w->d_vis == CV_J_NONE || cv_journal_settled(w->d_vis) || w->h_state != 0 ||
        (w->d_state != 0 && x->mutation != M_NO_LOCK))
        return false;
    if (x->mutation != M_READ_WITHOUT_SYNC)
        w->d_dur = w->d_vis;
    enum cv_journal_state j = w->d_vis;
    if (x->mutation == M_RUNNING_IS_NO_DECISION && j == CV_J_RUNNING)
        j = CV_J_OPEN;
    w->h_state = cv_ho_destination_recover(j).state;
    w->h_for = LOCAL;
    return true;
}

void reboot_source(struct world *w)
{
    if (w->s_copy != COPY_NONE)
        w->lost_s = 1;
    source_gone(w);
    w->s_copy = COPY_NONE;
    w->s_vis = w->s_dur;
}

void reboot_destination(struct world *w)
{
    if (w->d_copy == COPY_RUN || (w->d_copy == COPY_PAUSED && (w->d_ran || w->d_dur == CV_J_RUNNING)))
        w->lost_d = 1;
    receiver_gone(w);
    handler_gone(w);
    w->d_copy = COPY_NONE;
    w->d_vis = w->d_dur;
}
