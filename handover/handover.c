/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover/handover.h"

#include <stdio.h>

/* clang-format off */
enum ho_state {
    HO_NONE = 0,
    /* source */
    S_MOVING, S_INTEND, S_LOADING, S_CHECK, S_COMMIT, S_ANSWER, S_ASK, S_UNKNOWN,
    S_TAKEN, S_DESTROY, S_TAKEN_SETTLE, S_TAKEN_TELL, S_TAKEN_END, S_LEFT_END,
    S_DROP, S_ABORT_TELL, S_RESUME, S_KEPT_SETTLE, S_KEPT_TELL, S_KEPT_END, S_LOST_SETTLE, S_LOST_END, S_STUCK,
    /* source, from its journal */
    S_AGAIN_DROP, S_AGAIN, S_LOST_ASK,
    /* destination */
    D_LOADING, D_READY_TELL, D_READY, D_CHECK, D_DECIDE, D_UNPAUSE, D_YES_TELL, D_RUN_SETTLE, D_RUN_END,
    D_TAKE_BACK, D_DROP, D_DESTROY, D_DROP_SETTLE, D_NO_TELL, D_ABORT_END, D_STUCK,
    /* destination, from its journal */
    R_TOMBSTONE, R_NEVER_TELL, R_DROP, R_DESTROY, R_UNPAUSE, R_GONE_TELL, R_GONE_SETTLE, R_GONE_END, R_STUCK_TELL,
    R_TOLD,
    HO_STATES
};
/* clang-format on */

struct row {
    const char *name;
    uint8_t act;
    uint8_t arg;
    bool committed;
    uint8_t next[CV_EV_COUNT]; /* 0: the event has no place here */
};

#define OK(s) [CV_EV_OK] = s
#define FAIL(s) [CV_EV_FAIL] = s
#define BOTH(s) OK(s), FAIL(s) /* where the failure changes nothing about who owns the guest */
#define ON(e, s) [CV_EV_##e] = s
#define JOURNAL(st) CV_ACT_JOURNAL, CV_J_##st
#define SEND(m) CV_ACT_SEND, CV_SAY_##m
#define END(o) CV_ACT_FINISH, CV_OUT_##o

/* clang-format off */
static const struct row rows[HO_STATES] = {
    /* ---- source.  Everything before COMMIT leads to DROP: the guest goes on here. */
    [S_MOVING] = { "MOVING", CV_ACT_WAIT, 0, false,
                   { ON(SENT_ALL, S_INTEND), ON(NO, S_DROP), ON(LOST, S_DROP), ON(TROUBLE, S_DROP) } },
    /* Written while the destination loads, so that its fsync costs no down time. */
    [S_INTEND] = { "INTEND", JOURNAL(COMMITTING), false, { OK(S_LOADING), FAIL(S_DROP) } },
    [S_LOADING] = { "LOADING", CV_ACT_WAIT, 0, false,
                    { ON(READY, S_CHECK), ON(NO, S_DROP), ON(LOST, S_DROP), ON(TROUBLE, S_DROP) } },
    /* Others act on guests, too: what was resumed since its last page was read must not run there as well. */
    [S_CHECK] = { "CHECK", CV_ACT_LOOK, 0, false, { OK(S_COMMIT), FAIL(S_DROP), ON(GONE, S_DROP) } },
    /* A failed write may have arrived all the same. */
    [S_COMMIT] = { "COMMIT", SEND(COMMIT), true, { OK(S_ANSWER), FAIL(S_ASK) } },
    [S_ANSWER] = { "ANSWER", CV_ACT_WAIT, 0, true,
                   { ON(YES, S_TAKEN), ON(NO, S_DROP), ON(LOST, S_ASK), ON(TROUBLE, S_ASK) } },
    [S_ASK] = { "ASK", CV_ACT_ASK, 0, true,
                { ON(YES, S_TAKEN), ON(GONE, S_TAKEN), ON(NO, S_DROP), FAIL(S_ASK), ON(GIVE_UP, S_UNKNOWN) } },
    [S_UNKNOWN] = { "UNKNOWN", END(UNKNOWN), true, { 0 } },

    [S_TAKEN] = { "TAKEN", JOURNAL(TAKEN), true, { BOTH(S_DESTROY) } },
    [S_DESTROY] = { "DESTROY", CV_ACT_DESTROY, 0, true, { OK(S_TAKEN_SETTLE), FAIL(S_LEFT_END) } },
    /* The destination may forget only what this journal no longer needs to ask. */
    [S_TAKEN_SETTLE] = { "TAKEN_SETTLE", JOURNAL(TAKEN_SETTLED), true, { OK(S_TAKEN_TELL), FAIL(S_TAKEN_END) } },
    [S_TAKEN_TELL] = { "TAKEN_TELL", SEND(DONE), true, { BOTH(S_TAKEN_END) } },
    [S_TAKEN_END] = { "TAKEN_END", END(TAKEN), true, { 0 } },
    [S_LEFT_END] = { "LEFT_END", END(TAKEN_LEFT), true, { 0 } },

    /* An unwritten ABORTED is safe: OPEN means the same, and COMMITTING asks again and hears the same no. */
    [S_DROP] = { "DROP", JOURNAL(ABORTED), false, { BOTH(S_ABORT_TELL) } },
    /* Before the resume, so that the destination's emulators let go of the disks. */
    [S_ABORT_TELL] = { "ABORT_TELL", SEND(ABORT), false, { BOTH(S_RESUME) } },
    [S_RESUME] = { "RESUME", CV_ACT_RESUME, 0, false,
                   { OK(S_KEPT_SETTLE), FAIL(S_STUCK), ON(GONE, S_LOST_SETTLE) } },
    [S_KEPT_SETTLE] = { "KEPT_SETTLE", JOURNAL(ABORTED_SETTLED), false, { OK(S_KEPT_TELL), FAIL(S_KEPT_END) } },
    [S_KEPT_TELL] = { "KEPT_TELL", SEND(DONE), false, { BOTH(S_KEPT_END) } },
    [S_KEPT_END] = { "KEPT_END", END(KEPT), false, { 0 } },
    [S_LOST_SETTLE] = { "LOST_SETTLE", JOURNAL(ABORTED_SETTLED), false, { BOTH(S_LOST_END) } },
    [S_LOST_END] = { "LOST_END", END(LOST), false, { 0 } },
    [S_STUCK] = { "STUCK", END(STUCK), false, { 0 } },

    /* ---- source, from its journal.  Before COMMIT was sent the guest goes on here, if it is here.  If it is not, this
     * host was rebooted, and may have come back with an older record (a disk that was put back): it is not said to be
     * lost, and to be started afresh, before the destination was asked. */
    [S_AGAIN_DROP] = { "AGAIN_DROP", JOURNAL(ABORTED), false, { BOTH(S_AGAIN) } },
    [S_AGAIN] = { "AGAIN", CV_ACT_RESUME, 0, false, { OK(S_KEPT_SETTLE), FAIL(S_STUCK), ON(GONE, S_LOST_ASK) } },
    [S_LOST_ASK] = { "LOST_ASK", CV_ACT_ASK, 0, true,
                     { ON(YES, S_TAKEN), ON(GONE, S_TAKEN), ON(NO, S_LOST_SETTLE), FAIL(S_LOST_ASK),
                       ON(GIVE_UP, S_UNKNOWN) } },

    /* ---- destination.  Nobody can have been told yes before YES_TELL. */
    [D_LOADING] = { "LOADING", CV_ACT_WAIT, 0, false,
                    { ON(LOADED, D_READY_TELL), ON(ABORT, D_DROP), ON(LOST, D_DROP), ON(TROUBLE, D_DROP) } },
    [D_READY_TELL] = { "READY_TELL", SEND(READY), false, { OK(D_READY), FAIL(D_DROP) } },
    /* No COMMIT was read, so it may abort alone: the source will ask and hear no. */
    [D_READY] = { "READY", CV_ACT_WAIT, 0, false,
                  { ON(COMMIT, D_CHECK), ON(ABORT, D_DROP), ON(LOST, D_DROP), ON(TROUBLE, D_DROP) } },
    /* Paused, never run, and nobody else of this uuid: else the source is told no, and goes on. */
    [D_CHECK] = { "CHECK", CV_ACT_LOOK, 0, true, { OK(D_DECIDE), FAIL(D_DROP), ON(GONE, D_DROP) } },
    [D_DECIDE] = { "DECIDE", JOURNAL(RUNNING), true, { OK(D_UNPAUSE), FAIL(D_TAKE_BACK) } },
    [D_UNPAUSE] = { "UNPAUSE", CV_ACT_UNPAUSE, 0, true,
                    /* TROUBLE: it may have run, so that RUNNING stands, and recovery goes on from it. */
                    { OK(D_YES_TELL), FAIL(D_TAKE_BACK), ON(GONE, D_TAKE_BACK), ON(TROUBLE, D_STUCK) } },
    [D_YES_TELL] = { "YES_TELL", SEND(YES), true, { BOTH(D_RUN_SETTLE) } },
    [D_RUN_SETTLE] = { "RUN_SETTLE", JOURNAL(RUNNING_SETTLED), true, { BOTH(D_RUN_END) } },
    [D_RUN_END] = { "RUN_END", END(RUNNING), true, { 0 } },
    /* The disk may say RUNNING: without a durable ABORTED there is no no, and the paused copy must stay. */
    [D_TAKE_BACK] = { "TAKE_BACK", JOURNAL(ABORTED), true, { OK(D_DESTROY), FAIL(D_STUCK) } },
    /* The disk says OPEN or ABORTED, and nothing turns either into RUNNING once this process is gone. */
    [D_DROP] = { "DROP", JOURNAL(ABORTED), false, { BOTH(D_DESTROY) } },
    [D_DESTROY] = { "DESTROY", CV_ACT_DESTROY, 0, false, { OK(D_DROP_SETTLE), FAIL(D_STUCK) } },
    [D_DROP_SETTLE] = { "DROP_SETTLE", JOURNAL(ABORTED_SETTLED), false, { BOTH(D_NO_TELL) } },
    [D_NO_TELL] = { "NO_TELL", SEND(NO), false, { BOTH(D_ABORT_END) } },
    [D_ABORT_END] = { "ABORT_END", END(ABORTED), false, { 0 } },
    [D_STUCK] = { "STUCK", END(STUCK), false, { 0 } },

    /* ---- destination, from its journal (the owner of the lock is gone, so no COMMIT can be read any more) */
    [R_TOMBSTONE] = { "R_TOMBSTONE", JOURNAL(NEVER), false, { OK(R_NEVER_TELL), FAIL(R_STUCK_TELL) } },
    [R_NEVER_TELL] = { "R_NEVER_TELL", SEND(NEVER), false, { BOTH(D_ABORT_END) } },
    [R_DROP] = { "R_DROP", JOURNAL(ABORTED), false, { OK(R_DESTROY), FAIL(R_STUCK_TELL) } },
    [R_DESTROY] = { "R_DESTROY", CV_ACT_DESTROY, 0, false, { OK(D_DROP_SETTLE), FAIL(R_STUCK_TELL) } },
    /* RUNNING is the decision: from here it is never taken back, it may have run. */
    [R_UNPAUSE] = { "R_UNPAUSE", CV_ACT_UNPAUSE, 0, true,
                    { OK(D_YES_TELL), ON(GONE, R_GONE_TELL), FAIL(R_STUCK_TELL), ON(TROUBLE, R_STUCK_TELL) } },
    [R_GONE_TELL] = { "R_GONE_TELL", SEND(GONE), true, { BOTH(R_GONE_SETTLE) } },
    [R_GONE_SETTLE] = { "R_GONE_SETTLE", JOURNAL(RUNNING_SETTLED), true, { BOTH(R_GONE_END) } },
    [R_GONE_END] = { "R_GONE_END", END(GONE), true, { 0 } },
    [R_STUCK_TELL] = { "R_STUCK_TELL", SEND(STUCK), false, { BOTH(D_STUCK) } },
    /* A person has seen that the guest is here, whatever the record says, and that the source does not run it. */
    [R_TOLD] = { "R_TOLD", JOURNAL(RUNNING), true, { OK(R_UNPAUSE), FAIL(R_STUCK_TELL) } },
};
/* clang-format on */

struct cv_handover cv_ho_source(void) { return (struct cv_handover){ .state = S_MOVING }; }

struct cv_handover cv_ho_destination(void) { return (struct cv_handover){ .state = D_LOADING }; }

struct cv_handover cv_ho_source_recover(enum cv_journal_state journal)
{
    static const uint8_t from[CV_J_STATES] = {
        [CV_J_OPEN] = S_AGAIN_DROP,          [CV_J_COMMITTING] = S_ASK, [CV_J_ABORTED] = S_AGAIN,
        [CV_J_ABORTED_SETTLED] = S_KEPT_END, [CV_J_TAKEN] = S_DESTROY,  [CV_J_TAKEN_SETTLED] = S_TAKEN_END,
    };
    return (struct cv_handover){ .state = from[journal] };
}

struct cv_handover cv_ho_destination_recover(enum cv_journal_state journal)
{
    static const uint8_t from[CV_J_STATES] = {
        [CV_J_NONE] = R_TOMBSTONE,          [CV_J_OPEN] = R_DROP,       [CV_J_ABORTED] = R_DESTROY,
        [CV_J_ABORTED_SETTLED] = D_NO_TELL, [CV_J_RUNNING] = R_UNPAUSE, [CV_J_RUNNING_SETTLED] = D_YES_TELL,
        [CV_J_NEVER] = R_NEVER_TELL,
    };
    return (struct cv_handover){ .state = from[journal] };
}

struct cv_handover cv_ho_source_told(bool running)
{
    return (struct cv_handover){ .state = running ? S_TAKEN : S_DROP };
}

struct cv_handover cv_ho_destination_told(bool running)
{
    return (struct cv_handover){ .state = running ? R_TOLD : R_DROP };
}

enum cv_ho_act cv_ho_action(const struct cv_handover *h, int *arg_out)
{
    if (arg_out != NULL)
        *arg_out = rows[h->state].arg;
    return rows[h->state].act;
}

bool cv_ho_expects(const struct cv_handover *h, enum cv_ho_event event)
{
    return event < CV_EV_COUNT && rows[h->state].next[event] != HO_NONE;
}

bool cv_ho_step(struct cv_handover *h, enum cv_ho_event event)
{
    if (!cv_ho_expects(h, event))
        return false;
    if ((h->state == S_ASK || h->state == S_LOST_ASK) && event == CV_EV_GONE)
        h->gone = 1;
    h->state = rows[h->state].next[event];
    return true;
}

bool cv_ho_committed(const struct cv_handover *h) { return rows[h->state].committed; }

enum cv_ho_outcome cv_ho_outcome(const struct cv_handover *h)
{
    const struct row *r = &rows[h->state];

    if (r->act != CV_ACT_FINISH)
        return CV_OUT_NONE;
    if (r->arg == CV_OUT_TAKEN && h->gone)
        return CV_OUT_TAKEN_GONE;
    return r->arg;
}

const char *cv_ho_state_name(const struct cv_handover *h)
{
    return h->state == HO_NONE ? "NONE" : h->state < HO_STATES ? rows[h->state].name : NULL;
}

const char *cv_ho_event_name(enum cv_ho_event event)
{
    static const char *const names[CV_EV_COUNT] = {
        [CV_EV_OK] = "OK",           [CV_EV_FAIL] = "FAIL",     [CV_EV_GONE] = "GONE",   [CV_EV_SENT_ALL] = "SENT_ALL",
        [CV_EV_READY] = "READY",     [CV_EV_YES] = "YES",       [CV_EV_NO] = "NO",       [CV_EV_GIVE_UP] = "GIVE_UP",
        [CV_EV_LOADED] = "LOADED",   [CV_EV_COMMIT] = "COMMIT", [CV_EV_ABORT] = "ABORT", [CV_EV_LOST] = "LOST",
        [CV_EV_TROUBLE] = "TROUBLE",
    };
    return event < CV_EV_COUNT ? names[event] : "?";
}

const char *cv_ho_outcome_name(enum cv_ho_outcome outcome)
{
    static const char *const names[] = {
        [CV_OUT_NONE] = "none",
        [CV_OUT_KEPT] = "kept",
        [CV_OUT_TAKEN] = "taken",
        [CV_OUT_TAKEN_LEFT] = "taken-left",
        [CV_OUT_TAKEN_GONE] = "taken-gone",
        [CV_OUT_LOST] = "lost",
        [CV_OUT_UNKNOWN] = "unknown",
        [CV_OUT_STUCK] = "stuck",
        [CV_OUT_RUNNING] = "running",
        [CV_OUT_ABORTED] = "aborted",
        [CV_OUT_GONE] = "gone",
    };
    return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "?";
}

const char *cv_ho_table_row(unsigned i, char *buf, size_t size)
{
    for (unsigned s = 1, n = 0; s < HO_STATES; s++)
        for (unsigned e = 0; e < CV_EV_COUNT; e++) {
            if (rows[s].next[e] == HO_NONE || n++ != i)
                continue;
            snprintf(buf, size, "%s %s %s %s", s < D_LOADING ? "source" : "destination", rows[s].name,
                     cv_ho_event_name(e), rows[rows[s].next[e]].name);
            return buf;
        }
    return NULL;
}
