/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

#include <string.h>

/* The product's journal refuses what its own table does not know: an action that asks for it can never succeed. */
static void write_journal(struct explorer *x, enum cv_journal_role role, unsigned how, unsigned state, unsigned *vis,
                          unsigned *dur, bool synced, bool told)
{
    if (role == CV_ROLE_DESTINATION && state == CV_J_RUNNING && *vis == CV_J_ABORTED && !told)
        bad(x, "a no became a yes without a person's word");
    if (!cv_journal_legal(role, (enum cv_journal_state) * vis, (enum cv_journal_state)state))
        bad(x, "a journal was to make a step that it may not make");
    if (how == HOW_FAIL_NOTHING)
        return;
    *vis = state;
    if (synced && how != HOW_FAIL_SEEN)
        *dur = state;
}

static void source_journals(struct explorer *x, struct world *w, int state, enum how how)
{
    if (state == CV_J_COMMITTING && x->mutation == M_SRC_SKIPS_JOURNAL)
        return source_step(w, CV_EV_OK);
    unsigned vis = w->s_vis, dur = w->s_dur;
    write_journal(x, CV_ROLE_SOURCE, how, (unsigned)state, &vis, &dur,
                  !(state == CV_J_COMMITTING && x->mutation == M_SRC_SKIPS_FSYNC), false);
    w->s_vis = vis;
    w->s_dur = dur;
    source_step(w, how == HOW_OK ? CV_EV_OK : CV_EV_FAIL);
}

static void source_says(struct explorer *x, struct world *w, int say, enum how how)
{
    static const enum wire wire[] = { [CV_SAY_COMMIT] = W_COMMIT, [CV_SAY_ABORT] = W_ABORT, [CV_SAY_DONE] = W_DONE };

    bool silent = say == CV_SAY_ABORT && w->s_told_no; /* it knows, and DONE may follow on this channel */
    if (w->s_open && w->d_open && how != HOW_FAIL_NOTHING && !silent)
        w->to_d = queue_put(w->to_d, wire[say]);
    else if (say == CV_SAY_DONE && !w->s_open && how == HOW_OK && w->d_state == 0 && w->h_state == 0)
        w->d_acked = 1; /* on the recovery connection */
    if (say == CV_SAY_ABORT && !silent)
        w->s_open = 0;
    if (say == CV_SAY_COMMIT && x->mutation == M_SRC_DESTROYS_EARLY)
        w->s_copy = COPY_NONE;
    if (say == CV_SAY_COMMIT && how != HOW_OK && x->mutation == M_RESUME_ON_SEND_ERROR) {
        w->s_state = cv_ho_source_recover(CV_J_OPEN).state;
        return;
    }
    source_step(w, how == HOW_OK ? CV_EV_OK : CV_EV_FAIL);
}

static void source_asks(const struct explorer *x, struct world *w)
{
    struct cv_handover h = source(w);

    /* A reboot that takes COMMITTING back has two guards: its fsync, and this question. */
    bool nobody = x->mutation == M_LOST_ASKS_NOBODY || x->mutation == M_SRC_SKIPS_FSYNC;

    if (nobody && strcmp(cv_ho_state_name(&h), "LOST_ASK") == 0)
        return source_step(w, CV_EV_NO);
    w->s_open = 0;
    w->to_s = 0;
    if (w->asks_used == ASKS)
        return source_step(w, CV_EV_GIVE_UP);
    w->s_ask = w->asks_used++;
    w->queries |= 1u << w->s_ask;
    w->s_asking = 1;
}

/* how: which of the ways the action can end; returns false if it has no such way. */
bool source_acts(struct explorer *x, struct world *w, enum how how)
{
    int arg;
    struct cv_handover h = source(w);

    switch (cv_ho_action(&h, &arg)) {
    case CV_ACT_JOURNAL: source_journals(x, w, arg, how); return true;
    case CV_ACT_SEND:
        if (how == HOW_FAIL_SEEN || (how != HOW_OK && arg != CV_SAY_COMMIT))
            return false;
        source_says(x, w, arg, how);
        return true;
    case CV_ACT_LOOK:
        if (how > HOW_FAIL_NOTHING)
            return false;
        source_step(w, how == HOW_OK ? look_at_source(x, w) : CV_EV_FAIL);
        return true;
    case CV_ACT_RESUME:
        if (how == HOW_OK && w->s_copy == COPY_NONE) {
            source_step(w, CV_EV_GONE);
            return true;
        }
        if ((how == HOW_OK || how == HOW_FAIL_DONE) && w->s_copy != COPY_NONE)
            run_at_source(x, w, false);
        break;
    case CV_ACT_DESTROY:
        if (how == HOW_OK || how == HOW_FAIL_DONE)
            destroy_at_source(x, w);
        break;
    case CV_ACT_ASK:
        if (how != HOW_OK || w->s_asking)
            return false;
        source_asks(x, w);
        return true;
    case CV_ACT_FINISH:
        if (how != HOW_OK)
            return false;
        source_finished(x, w);
        return true;
    case CV_ACT_WAIT:
    case CV_ACT_UNPAUSE: return false;
    }
    if (how == HOW_FAIL_SEEN)
        return false;
    source_step(w, how == HOW_OK ? CV_EV_OK : CV_EV_FAIL);
    return true;
}

static void tell(struct world *w, bool handler, int say)
{
    static const enum answer answer[] = { [CV_SAY_YES] = A_YES,
                                          [CV_SAY_NO] = A_NO,
                                          [CV_SAY_GONE] = A_GONE,
                                          [CV_SAY_NEVER] = A_NEVER,
                                          [CV_SAY_STUCK] = A_STUCK };

    if (handler) {
        if (w->h_for != LOCAL)
            w->answers = (w->answers & ~(7u << (3 * w->h_for))) | (unsigned)answer[say] << (3 * w->h_for);
    } else if (w->d_open && w->s_open) {
        w->to_s = queue_put(w->to_s, say == CV_SAY_READY ? W_READY : say == CV_SAY_YES ? W_YES : W_NO);
    }
}

static bool destination_journals(struct explorer *x, struct world *w, bool handler, int state, enum how *how)
{
    bool running = state == CV_J_RUNNING;
    unsigned vis = w->d_vis, dur = w->d_dur;

    if (running && x->mutation == M_DST_UNPAUSES_FIRST)
        run_at_destination(x, w);
    write_journal(x, CV_ROLE_DESTINATION, *how, (unsigned)state, &vis, &dur,
                  !(running && x->mutation == M_DST_SKIPS_FSYNC),
                  handler && w->h_state == cv_ho_destination_told(true).state);
    if (state == CV_J_RUNNING_SETTLED && x->mutation == M_DST_FORGETS)
        vis = dur = CV_J_NONE;
    w->d_vis = vis;
    w->d_dur = dur;
    if (running && x->mutation == M_DST_IGNORES_WRITE_ERROR)
        *how = HOW_OK;
    return true;
}

/* A failed unpause may have let it run all the same: then it is seen to run, or nothing is seen at all. */
static enum cv_ho_event destination_unpauses(struct explorer *x, struct world *w, bool handler, enum how how)
{
    if (how == HOW_OK && handler && w->d_moved)
        return x->mutation == M_GONE_BY_DOMID ? CV_EV_GONE : CV_EV_OK;
    if (handler && w->d_other && !w->d_ran)
        return CV_EV_FAIL;
    if (how == HOW_OK && w->d_copy == COPY_NONE)
        return CV_EV_GONE;
    if ((how == HOW_OK || how == HOW_FAIL_DONE) && w->d_copy != COPY_NONE)
        run_at_destination(x, w);
    if (how == HOW_OK)
        return CV_EV_OK;
    return how == HOW_FAIL_NOTHING || x->mutation == M_FAILED_IS_NEVER_RAN ? CV_EV_FAIL : CV_EV_TROUBLE;
}

/* The receiver (handler false) or whoever recovers from the journal. */
bool destination_acts(struct explorer *x, struct world *w, bool handler, enum how how)
{
    unsigned state = handler ? w->h_state : w->d_state;
    struct cv_handover h = { .state = (uint8_t)state };
    enum cv_ho_event e = CV_EV_OK;
    int arg;

    switch (cv_ho_action(&h, &arg)) {
    case CV_ACT_JOURNAL:
        destination_journals(x, w, handler, arg, &how);
        e = how == HOW_OK ? CV_EV_OK : CV_EV_FAIL;
        break;
    case CV_ACT_SEND:
        if (how > HOW_FAIL_NOTHING || (how && arg != CV_SAY_READY && arg != CV_SAY_YES))
            return false;
        if (how == HOW_OK)
            tell(w, handler, arg);
        e = how == HOW_OK ? CV_EV_OK : CV_EV_FAIL;
        break;
    case CV_ACT_LOOK:
        if (how > HOW_FAIL_NOTHING)
            return false;
        e = how == HOW_OK ? look_at_destination(x, w) : CV_EV_FAIL;
        break;
    case CV_ACT_UNPAUSE: e = destination_unpauses(x, w, handler, how); break;
    case CV_ACT_DESTROY:
        if (how == HOW_FAIL_SEEN)
            return false;
        if (how == HOW_FAIL_NOTHING || !destroy_at_destination(x, w, handler) || how == HOW_FAIL_DONE)
            e = CV_EV_FAIL;
        break;
    case CV_ACT_FINISH:
        if (how != HOW_OK)
            return false;
        destination_finished(x, w, state);
        if (handler)
            handler_gone(w);
        else
            receiver_gone(w);
        return true;
    case CV_ACT_WAIT:
    case CV_ACT_ASK:
    case CV_ACT_RESUME: return false;
    }
    state = machine_next(state, e);
    if (handler)
        w->h_state = state;
    else
        w->d_state = state;
    return true;
}
