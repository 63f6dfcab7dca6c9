/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

/* What nobody can ever tell apart is one world. */
static void emit(struct explorer *x, struct world *n, const char *what)
{
    unsigned waiting = n->s_asking ? 7u << (3 * n->s_ask) : 0;

    n->answers &= waiting; /* an answer on a closed connection is read by nobody */
    if (n->h_state && n->h_for != LOCAL && !(n->s_asking && n->h_for == n->s_ask))
        n->h_for = LOCAL;
    unsigned stale = n->queries & ~(n->s_asking ? 1u << n->s_ask : 0);
    if (stale != 0) /* one old query that is repeated stands for all old ones */
        n->queries = (n->queries & ~stale) | (stale & -stale);
    if (!n->s_asking)
        n->s_ask = 0;
    x->visit(x, n, what);
}

#define TRY(what, condition)   \
    do {                       \
        struct world n = *w;   \
        if (condition)         \
            emit(x, &n, what); \
    } while (0)
#define DO(what, statement) TRY(what, ((statement), true))

static const char *const how_source[] = { "source: ok", "source: fails", "source: fails, seen", "source: fails, done" };
static const char *const how_receiver[] = { "receiver: ok", "receiver: fails", "receiver: fails, seen",
                                            "receiver: fails, done" };
static const char *const how_handler[] = { "handler: ok", "handler: fails", "handler: fails, seen",
                                           "handler: fails, done" };

static void actions(struct explorer *x, const struct world *w)
{
    for (enum how how = HOW_OK; how <= HOW_FAIL_DONE; how++) {
        if (how != HOW_OK && w->faults == 0)
            break;
        struct world base = *w;
        if (how != HOW_OK) {
            base.faults--;
            base.failed = 1;
        }
        struct world n = base;
        if (w->s_state && source_acts(x, &n, how))
            emit(x, &n, how_source[how]);
        n = base;
        if (w->d_state && destination_acts(x, &n, false, how))
            emit(x, &n, how_receiver[how]);
        n = base;
        if (w->h_state && destination_acts(x, &n, true, how))
            emit(x, &n, how_handler[how]);
    }
}

void send_all(struct world *n)
{
    n->s_copy = COPY_PAUSED;
    if (n->s_open && n->d_open)
        n->to_d = queue_put(n->to_d, W_END);
    source_step(n, CV_EV_SENT_ALL);
}

/* Trouble is also what an unpause comes to of which nothing can be seen. */
static bool waits(unsigned state)
{
    struct cv_handover h = { .state = (uint8_t)state };
    int arg;

    return state != 0 && cv_ho_action(&h, &arg) == CV_ACT_WAIT;
}

static void channel(struct explorer *x, const struct world *w)
{
    if (source_expects(w, CV_EV_SENT_ALL) && w->s_copy == COPY_RUN)
        DO("source: suspended", n.s_copy = COPY_PAUSED);
    if (source_expects(w, CV_EV_SENT_ALL))
        DO("source: all sent", send_all(&n));
    TRY("source: hears", source_hears(&n));
    TRY("receiver: hears", receiver_hears(&n));
    /* Silence, a cut, a dead ssh: each end notices when it likes, the other's messages may still come or not. */
    if (source_expects(w, CV_EV_LOST) && x->mutation == M_RESUME_ON_LOSS && source_expects(w, CV_EV_YES))
        DO("source: channel lost", (n.s_open = 0, n.to_s = 0, source_step(&n, CV_EV_NO)));
    else if (source_expects(w, CV_EV_LOST))
        DO("source: channel lost", (n.s_open = 0, n.to_s = 0, source_step(&n, CV_EV_LOST)));
    if (source_expects(w, CV_EV_TROUBLE))
        DO("source: trouble", source_step(&n, CV_EV_TROUBLE));
    if (machine_expects(w->d_state, CV_EV_LOST))
        DO("receiver: channel lost", (n.d_open = 0, n.to_d = 0, n.d_state = machine_next(n.d_state, CV_EV_LOST)));
    if (waits(w->d_state) && machine_expects(w->d_state, CV_EV_TROUBLE))
        DO("receiver: trouble", n.d_state = machine_next(n.d_state, CV_EV_TROUBLE));
    if (w->to_d)
        DO("message to destination lost", (n.to_d = 0, n.s_open = 0));
    if (w->to_s)
        DO("message to source lost", (n.to_s = 0, n.d_open = 0, n.to_d = 0));
    struct cv_handover d = { .state = (uint8_t)w->d_state };
    int arg;
    if (x->mutation == M_DST_ABORTS_LATE && w->d_state && cv_ho_action(&d, &arg) == CV_ACT_UNPAUSE)
        DO("receiver: gives up late", (destroy_at_destination(x, &n, false), receiver_gone(&n)));
}

static void recovery(struct explorer *x, const struct world *w)
{
    for (unsigned k = 0; k < ASKS; k++) {
        TRY("query arrives", query_arrives(x, &n, k) && (n.queries &= ~(1u << k), true));
        TRY("query arrives and is repeated later", query_arrives(x, &n, k));
    }
    TRY("source: answer arrives", answer_arrives(x, &n));
    if (w->s_asking) {
        DO("source: no answer", (n.s_asking = 0, source_step(&n, CV_EV_FAIL)));
        DO("source: gives up", (n.s_asking = 0, source_step(&n, CV_EV_GIVE_UP)));
        if (w->wrong && w->answers >> (3 * w->s_ask) == 0)
            DO("source: another host answers", (n.wrong--, n.answers |= (unsigned)A_NEVER << (3 * n.s_ask)));
    }
    if (w->recovers_s)
        TRY("source: recover", source_recovers(x, &n) && (n.recovers_s--, true));
    if (w->recovers_d)
        TRY("destination: recover", destination_recovers(x, &n) && (n.recovers_d--, true));
    if (w->d_acked && w->d_state == 0 && w->h_state == 0 && cv_journal_settled(w->d_vis))
        DO("destination: prunes", n.d_vis = n.d_dur = CV_J_NONE);
}

/* A process that dies in the middle of a write leaves a record that is seen but not yet durable. */
static void crash_in_write(struct world *n, unsigned state, unsigned *vis)
{
    struct cv_handover h = { .state = (uint8_t)state };
    int arg;
    if (state != 0 && cv_ho_action(&h, &arg) == CV_ACT_JOURNAL)
        *vis = (unsigned)arg;
    (void)n;
}

static void disasters(struct explorer *x, const struct world *w)
{
    if (w->s_state && w->crashes_s) {
        DO("source: killed", (n.crashes_s--, source_gone(&n)));
        unsigned vis = w->s_vis;
        crash_in_write(NULL, (unsigned)w->s_state, &vis);
        if (vis != w->s_vis)
            DO("source: killed while writing", (n.crashes_s--, n.s_vis = vis, source_gone(&n)));
    }
    if (w->crashes_d) {
        unsigned vis = w->d_vis;
        if (w->d_state) {
            DO("receiver: killed", (n.crashes_d--, receiver_gone(&n)));
            crash_in_write(NULL, (unsigned)w->d_state, &vis);
            if (vis != w->d_vis)
                DO("receiver: killed while writing", (n.crashes_d--, n.d_vis = vis, receiver_gone(&n)));
        }
        vis = w->d_vis;
        if (w->h_state) {
            DO("handler: killed", (n.crashes_d--, handler_gone(&n)));
            crash_in_write(NULL, (unsigned)w->h_state, &vis);
            if (vis != w->d_vis)
                DO("handler: killed while writing", (n.crashes_d--, n.d_vis = vis, handler_gone(&n)));
        }
    }
    if (w->reboots_s)
        DO("source: host reboots", (n.reboots_s--, reboot_source(&n)));
    if (w->reboots_d)
        DO("destination: host reboots", (n.reboots_d--, reboot_destination(&n)));
    if (w->s_vis != w->s_dur)
        DO("source: disk catches up", n.s_dur = n.s_vis);
    if (w->d_vis != w->d_dur)
        DO("destination: disk catches up", n.d_dur = n.d_vis);
}

void world_successors(struct explorer *x, const struct world *w)
{
    actions(x, w);
    channel(x, w);
    recovery(x, w);
    disasters(x, w);
    if (w->admin)
        administrator(x, w, emit);
}
