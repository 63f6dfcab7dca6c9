/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody at either host, with xl or with convoy, at any moment; and the person who has looked, and says what is so.
 */
#include "tests/model/steps.h"

#define ACT(what, condition, statement) \
    do {                                \
        struct world n = *w;            \
        if (condition) {                \
            n.admin--;                  \
            n.failed = 1;               \
            statement;                  \
            emit(x, &n, what);          \
        }                               \
    } while (0)

/* The source may still look whether its guest was resumed. */
static bool before_the_look(const struct world *w)
{
    struct cv_handover h = source(w);
    int arg;

    return w->s_state != 0 && (cv_ho_expects(&h, CV_EV_SENT_ALL) || cv_ho_expects(&h, CV_EV_READY) ||
                               cv_ho_action(&h, &arg) == CV_ACT_LOOK);
}

/* The destination may still look who else is there. */
static bool before_the_decision(const struct world *w)
{
    struct cv_handover h = { .state = (uint8_t)w->d_state };
    int arg;

    return w->d_state != 0 && (cv_ho_expects(&h, CV_EV_LOADED) || cv_ho_expects(&h, CV_EV_COMMIT) ||
                               cv_ho_action(&h, &arg) == CV_ACT_LOOK);
}

static bool ours_there(const struct world *w) { return w->d_vis == CV_J_RUNNING || w->d_vis == CV_J_RUNNING_SETTLED; }

/* Looked at for the last time, and about to be decided: what is destroyed then is taken for a guest that had run. */
static bool being_decided(const struct world *w)
{
    struct cv_handover h = { .state = (uint8_t)w->d_state };
    int arg;

    return w->d_state != 0 && cv_ho_action(&h, &arg) == CV_ACT_JOURNAL && arg == CV_J_RUNNING;
}

static void ended_there(struct world *n)
{
    if (n->d_ran || ours_there(n) || n->d_dur == CV_J_RUNNING || being_decided(n))
        n->lost_d = 1;
    n->d_copy = COPY_NONE;
    n->d_moved = 0;
}

static void at_the_destination(struct explorer *x, const struct world *w,
                               void (*emit)(struct explorer *, struct world *, const char *))
{
    bool nobody = w->d_state == 0 && w->h_state == 0, fresh = w->d_copy == COPY_PAUSED && !w->d_ran;
    struct cv_handover d = { .state = (uint8_t)w->d_state };

    ACT("destination: xl pause", w->d_copy == COPY_RUN, n.d_copy = COPY_PAUSED);
    ACT("destination: xl unpause", w->d_copy == COPY_PAUSED && w->d_ran && ours_there(w), n.d_copy = COPY_RUN);
    ACT("destination: xl unpause of the copy", fresh && x->mutation == M_NO_HOLD && !cv_ho_expects(&d, CV_EV_LOADED),
        run_at_destination(x, &n));
    ACT("destination: xl destroy", w->d_copy != COPY_NONE && !w->d_old, ended_there(&n));
    ACT("destination: xl create of the same", !w->d_other && before_the_decision(w), n.d_other = 1);
    ACT("destination: restarts under another domid", w->d_copy == COPY_RUN && !w->d_moved && w->d_vis == CV_J_RUNNING,
        n.d_moved = 1);
    /* As long as there is something that contradicts it. */
    ACT("destination: the record is of yesterday",
        nobody && w->d_vis != CV_J_NONE && w->d_vis != CV_J_NEVER && !(w->d_ran && w->d_copy == COPY_NONE),
        (n.d_vis = n.d_dur = CV_J_OPEN, n.d_acked = 0, n.d_old = 1, n.reboots_d = 0));
    ACT("destination: the record is lost", nobody && w->d_vis != CV_J_NONE,
        (n.d_vis = n.d_dur = CV_J_NONE, n.d_acked = 0, n.d_lost = 1));
    ACT("destination: recover --assume", true, if (!told_at_destination(&n)) continue);
}

static void at_the_source(struct explorer *x, const struct world *w,
                          void (*emit)(struct explorer *, struct world *, const char *))
{
    bool settled = cv_journal_settled(w->s_vis);

    ACT("source: xl destroy", w->s_copy != COPY_NONE, (n.s_copy = COPY_NONE, n.lost_s = 1));
    ACT("source: resumed by xl save -c", w->s_copy == COPY_PAUSED && before_the_look(w), run_at_source(x, &n, false));
    ACT("source: resumed and suspended by xl save -c", w->s_copy == COPY_PAUSED && before_the_look(w),
        (run_at_source(x, &n, false), n.s_copy = COPY_PAUSED));
    ACT("source: convoy unpause", w->s_copy == COPY_PAUSED && x->mutation == M_UNPAUSE_ASKS_NOBODY,
        run_at_source(x, &n, false));
    /* One that is told that it was handed over does not start it here. */
    ACT("source: convoy create",
        w->s_copy == COPY_NONE && w->s_state == 0 &&
            ((settled && w->s_vis != CV_J_TAKEN_SETTLED) || x->mutation == M_CREATE_ASKS_NOBODY),
        run_at_source(x, &n, true));
    ACT("source: its host comes back with the record of yesterday", w->s_vis != CV_J_NONE && w->s_vis != CV_J_OPEN,
        (reboot_source(&n), n.s_vis = n.s_dur = CV_J_OPEN, n.s_old = 1));
    ACT("source: the record is lost", w->s_state == 0 && w->s_vis != CV_J_NONE,
        (n.s_vis = n.s_dur = CV_J_NONE, n.s_lost = 1));
    ACT("source: recover --assume", true, if (!told_at_source(&n)) continue);
}

void administrator(struct explorer *x, const struct world *w,
                   void (*emit)(struct explorer *, struct world *, const char *))
{
    at_the_destination(x, w, emit);
    at_the_source(x, w, emit);
}

/* No record speaks of what stands here: the person looks where the guest is, and says convoy destroy or convoy unpause.
 */
static bool without_a_record(struct world *w)
{
    if (!w->s_lost || w->s_vis != CV_J_NONE || w->s_copy != COPY_PAUSED || w->d_state != 0 || w->h_state != 0)
        return false;
    if (w->d_ran || w->d_vis == CV_J_RUNNING || w->d_vis == CV_J_RUNNING_SETTLED)
        w->s_copy = COPY_NONE;
    else if (w->d_copy == COPY_NONE)
        w->s_copy = COPY_RUN;
    else
        return false;
    return true;
}

/* Only where recovery by itself has come to its end: the destination has no record any more. */
bool told_at_source(struct world *w)
{
    bool none = (w->d_vis == CV_J_NONE || w->d_vis == CV_J_NEVER) && (w->d_lost || w->s_old);
    bool asks = w->s_vis == CV_J_COMMITTING || (w->s_vis == CV_J_ABORTED && w->s_copy == COPY_NONE);

    if (w->s_state != 0 || w->d_state != 0 || w->h_state != 0)
        return false;
    if (without_a_record(w))
        return true;
    if (!asks || !none)
        return false;
    if (!w->d_ran && w->d_copy != COPY_NONE) /* convoy destroy */
        w->d_copy = COPY_NONE;
    w->s_dur = w->s_vis;
    w->s_state = cv_ho_source_told(w->d_ran).state;
    return true;
}

/* Only where the record and what is there contradict each other. */
bool told_at_destination(struct world *w)
{
    bool not_ours = w->d_vis == CV_J_OPEN || w->d_vis == CV_J_ABORTED;

    if (w->d_state != 0 || w->h_state != 0 || w->s_state != 0 || !not_ours || !w->d_old || w->d_copy == COPY_NONE ||
        !w->d_ran)
        return false;
    if (w->s_copy == COPY_RUN) { /* convoy destroy of the one that is not to be */
        w->d_copy = COPY_NONE;
        w->d_moved = 0;
    }
    w->d_dur = w->d_vis;
    w->h_state = cv_ho_destination_told(w->s_copy != COPY_RUN).state;
    w->h_for = LOCAL;
    return true;
}
