/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From any world: recover on both hosts, without further faults, and what must have become of the guest. */
#include "tests/model/steps.h"

struct closing {
    struct explorer x;
    const char *broken;
};

static void note(struct explorer *x, const struct world *next, const char *what)
{
    struct closing *c = (struct closing *)x;
    if (next == NULL && c->broken == NULL)
        c->broken = what;
}

static void run_destination(struct closing *c, struct world *w)
{
    while (w->h_state && destination_acts(&c->x, w, true, HOW_OK))
        ;
    while (w->d_state && (destination_acts(&c->x, w, false, HOW_OK) || receiver_hears(w)))
        ;
    if (w->d_state && machine_expects(w->d_state, CV_EV_LOST) && !w->s_open) {
        w->d_state = machine_next(w->d_state, CV_EV_LOST);
        run_destination(c, w);
    }
}

static void run_source(struct closing *c, struct world *w)
{
    for (int rounds = 0; w->s_state && rounds < 40; rounds++) {
        if (!w->s_asking && w->asks_used == ASKS)
            w->asks_used = 0, w->queries = 0, w->answers = 0; /* no fault, no limit */
        if (source_acts(&c->x, w, HOW_OK) || source_hears(w))
            continue;
        if (w->s_asking) {
            run_destination(c, w);
            if (query_arrives(&c->x, w, (unsigned)w->s_ask))
                run_destination(c, w);
            if (!answer_arrives(&c->x, w)) { /* that connection died with somebody: ask again */
                w->s_asking = 0;
                source_step(w, CV_EV_FAIL);
            }
            continue;
        }
        if (source_expects(w, CV_EV_SENT_ALL)) {
            send_all(w);
            continue;
        }
        run_destination(c, w);
        if (!source_hears(w) && source_expects(w, CV_EV_LOST)) {
            w->s_open = 0;
            source_step(w, CV_EV_LOST);
        }
    }
    if (source_expects(w, CV_EV_GIVE_UP)) { /* asked for long enough */
        w->s_asking = 0;
        source_step(w, CV_EV_GIVE_UP);
        source_acts(&c->x, w, HOW_OK);
    }
    w->s_open = 0;
    run_destination(c, w);
}

static const char *verdict(const struct world *w)
{
    /* By an administrator, who may unpause it again. */
    bool forgotten = w->s_lost && (w->d_vis == CV_J_NONE || w->d_vis == CV_J_NEVER);
    bool paused_there = w->d_copy == COPY_PAUSED && w->d_ran &&
                        (w->d_vis == CV_J_RUNNING_SETTLED || w->s_vis == CV_J_TAKEN_SETTLED || forgotten);
    unsigned running = (w->s_copy == COPY_RUN) + (w->d_copy == COPY_RUN || paused_there);

    if (running > 1)
        return "two run after recover";
    if (running == 0 && !(w->d_ran ? w->lost_d : (w->lost_s || w->lost_d)))
        return "none runs after recover, and no host lost it";
    if (w->s_copy == COPY_PAUSED || (w->d_copy == COPY_PAUSED && !paused_there))
        return "a paused copy is left after recover";
    if (!(cv_journal_settled(w->s_vis) || (w->s_lost && w->s_vis == CV_J_NONE)) ||
        !(w->d_vis == CV_J_NONE || cv_journal_settled(w->d_vis)))
        return "a journal is unsettled after recover";
    return NULL;
}

/* What recover cannot decide a person does, with what recover has said. */
static void told(struct closing *c, struct world *n)
{
    if (told_at_destination(n))
        run_destination(c, n);
    if (told_at_source(n))
        run_source(c, n);
    /* A copy that no record speaks of, beside the guest. */
    if (n->d_lost && (n->d_vis == CV_J_NONE || n->d_vis == CV_J_NEVER) && n->d_copy == COPY_PAUSED && !n->d_ran)
        n->d_copy = COPY_NONE;
}

const char *world_recovered(const struct world *w, enum mutation m, int order, struct world *end_out)
{
    struct closing c = { .x = { .mutation = m, .visit = note } };
    struct world n = *w;

    if (order == 2) {
        run_source(&c, &n);
        run_destination(&c, &n);
    }
    source_gone(&n);
    receiver_gone(&n);
    handler_gone(&n);
    n.d_other = 0; /* the person does what the message says, and ends the one of two that is not to be */
    for (int turn = 0; turn < 6; turn++) {
        if (turn == 2 || turn == 3)
            told(&c, &n);
        else if ((turn + order) % 2 == 0 && source_recovers(&c.x, &n))
            run_source(&c, &n);
        else if ((turn + order) % 2 == 1 && destination_recovers(&c.x, &n))
            run_destination(&c, &n);
    }
    if (end_out != NULL)
        *end_out = n;
    return c.broken ? c.broken : verdict(&n);
}
