/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

#include <string.h>

const char *mutation_name(enum mutation m)
{
    static const char *const names[M_COUNT] = {
        [M_NONE] = "none",
        [M_SRC_SKIPS_JOURNAL] = "source-skips-journal",
        [M_SRC_SKIPS_FSYNC] = "source-skips-fsync",
        [M_DST_SKIPS_FSYNC] = "destination-skips-fsync",
        [M_DST_UNPAUSES_FIRST] = "destination-unpauses-first",
        [M_DST_IGNORES_WRITE_ERROR] = "destination-ignores-write-error",
        [M_RESUME_ON_LOSS] = "resume-on-lost-channel",
        [M_RESUME_ON_SEND_ERROR] = "resume-on-send-error",
        [M_SRC_DESTROYS_EARLY] = "source-destroys-early",
        [M_DST_ABORTS_LATE] = "destination-aborts-late",
        [M_NO_LOCK] = "no-lock",
        [M_READ_WITHOUT_SYNC] = "read-without-sync",
        [M_RUNNING_IS_NO_DECISION] = "running-is-no-decision",
        [M_WRONG_HOST_IS_NO] = "wrong-host-is-no",
        [M_DST_FORGETS] = "destination-forgets",
    };
    return names[m];
}

struct world world_start(const struct limits *l)
{
    struct world w;

    memset(&w, 0, sizeof w);
    w.s_state = cv_ho_source().state;
    w.d_state = cv_ho_destination().state;
    w.s_copy = COPY_RUN;
    w.d_copy = COPY_PAUSED;
    w.s_vis = w.s_dur = w.d_vis = w.d_dur = CV_J_OPEN;
    w.s_open = w.d_open = 1;
    w.crashes_s = w.crashes_d = l->crashes;
    w.reboots_s = w.reboots_d = l->reboots;
    w.faults = l->faults;
    w.recovers_s = w.recovers_d = l->recovers;
    w.wrong = l->wrong;
    return w;
}

/* ---- small verbs ------------------------------------------------------------------------------------------- */

static void bad(struct explorer *x, const char *rule)
{
    x->visit(x, NULL, rule);
}

static unsigned queue_put(unsigned queue, enum wire m)
{
    unsigned shift = 0;
    while (shift < 9 && (queue >> shift & 7) != W_NONE)
        shift += 3;
    return shift < 9 ? queue | (unsigned)m << shift : queue;
}

static struct cv_handover source(const struct world *w)
{
    return (struct cv_handover){ .state = w->s_state, .gone = w->s_gone };
}

bool source_expects(const struct world *w, enum cv_ho_event e)
{
    struct cv_handover h = source(w);
    return cv_ho_expects(&h, e);
}

bool machine_expects(unsigned state, enum cv_ho_event e)
{
    struct cv_handover h = { .state = (uint8_t)state };
    return cv_ho_expects(&h, e);
}

unsigned machine_next(unsigned state, enum cv_ho_event e)
{
    struct cv_handover h = { .state = (uint8_t)state };
    cv_ho_step(&h, e);
    return h.state;
}

void source_step(struct world *w, enum cv_ho_event e)
{
    struct cv_handover h = source(w);
    cv_ho_step(&h, e);
    w->s_state = h.state;
    w->s_gone = h.gone;
}

void source_gone(struct world *w)       /* the process ends, however */
{
    w->s_state = w->s_gone = w->s_asking = w->s_ask = w->s_told_no = 0;
    w->s_open = 0;
    w->to_s = 0;
}

void receiver_gone(struct world *w)
{
    w->d_state = w->d_open = 0;
    w->to_d = 0;
}

void handler_gone(struct world *w)
{
    w->h_state = w->h_for = 0;
}

/* ---- effects on guests, with the rules they must keep ------------------------------------------------------- */

static void run_at_source(struct explorer *x, struct world *w, bool afresh)
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

static void run_at_destination(struct explorer *x, struct world *w)
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

static void destroy_at_source(struct explorer *x, struct world *w)
{
    if (w->s_copy == COPY_RUN)
        bad(x, "the source destroyed its running guest");
    if (w->s_copy != COPY_NONE && !w->d_ran && !w->lost_d)
        bad(x, "the source destroyed the only copy");
    w->s_copy = COPY_NONE;
}

static void destroy_at_destination(struct explorer *x, struct world *w)
{
    if (w->d_copy == COPY_RUN)
        bad(x, "the destination destroyed its running guest");
    w->d_copy = COPY_NONE;
}

/* ---- outcomes: what a process says at its end must be true --------------------------------------------------- */

static void source_finished(struct explorer *x, struct world *w)
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
        run_at_source(x, w, true);           /* the administrator believes it and starts the guest again */
        break;
    default:
        break;
    }
    source_gone(w);
}

static void destination_finished(struct explorer *x, struct world *w, unsigned state)
{
    struct cv_handover h = { .state = (uint8_t)state };

    switch (cv_ho_outcome(&h)) {
    case CV_OUT_RUNNING:
        if (!w->d_ran && !w->lost_d)
            bad(x, "the destination said running and never ran");
        break;
    case CV_OUT_ABORTED:                     /* a tombstone says nothing of a guest */
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
    default:
        break;
    }
}

/* ---- one action of each process ------------------------------------------------------------------------------ */

/* The product's journal refuses what its own table does not know: an action that asks for it can never succeed. */
static void write_journal(struct explorer *x, enum cv_journal_role role, unsigned how, unsigned state, unsigned *vis,
                          unsigned *dur, bool synced)
{
    if (!cv_journal_legal(role, (enum cv_journal_state)*vis, (enum cv_journal_state)state))
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
                  !(state == CV_J_COMMITTING && x->mutation == M_SRC_SKIPS_FSYNC));
    w->s_vis = vis;
    w->s_dur = dur;
    source_step(w, how == HOW_OK ? CV_EV_OK : CV_EV_FAIL);
}

static void source_says(struct explorer *x, struct world *w, int say, enum how how)
{
    static const enum wire wire[] = { [CV_SAY_COMMIT] = W_COMMIT, [CV_SAY_ABORT] = W_ABORT, [CV_SAY_DONE] = W_DONE };

    bool silent = say == CV_SAY_ABORT && w->s_told_no;      /* it knows, and DONE may follow on this channel */
    if (w->s_open && w->d_open && how != HOW_FAIL_NOTHING && !silent)
        w->to_d = queue_put(w->to_d, wire[say]);
    else if (say == CV_SAY_DONE && !w->s_open && how == HOW_OK && w->d_state == 0 && w->h_state == 0)
        w->d_acked = 1;                                  /* on the recovery connection */
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

static void source_asks(struct world *w)
{
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
    case CV_ACT_JOURNAL:
        source_journals(x, w, arg, how);
        return true;
    case CV_ACT_SEND:
        if (how == HOW_FAIL_SEEN || (how != HOW_OK && arg != CV_SAY_COMMIT))
            return false;
        source_says(x, w, arg, how);
        return true;
    case CV_ACT_RESUME:
        if (how == HOW_OK && w->s_copy == COPY_NONE) {
            source_step(w, CV_EV_GONE);
            return true;
        }
        if (how == HOW_OK)
            run_at_source(x, w, false);
        break;
    case CV_ACT_DESTROY:
        if (how == HOW_OK)
            destroy_at_source(x, w);
        break;
    case CV_ACT_ASK:
        if (how != HOW_OK || w->s_asking)
            return false;
        source_asks(w);
        return true;
    case CV_ACT_FINISH:
        if (how != HOW_OK)
            return false;
        source_finished(x, w);
        return true;
    case CV_ACT_WAIT:
    case CV_ACT_UNPAUSE:
        return false;
    }
    if (how > HOW_FAIL_NOTHING)
        return false;
    source_step(w, how == HOW_OK ? CV_EV_OK : CV_EV_FAIL);
    return true;
}

static void tell(struct world *w, bool handler, int say)
{
    static const enum answer answer[] = { [CV_SAY_YES] = A_YES, [CV_SAY_NO] = A_NO, [CV_SAY_GONE] = A_GONE,
                                          [CV_SAY_NEVER] = A_NEVER, [CV_SAY_STUCK] = A_STUCK };

    if (handler) {
        if (w->h_for != LOCAL)
            w->answers = (w->answers & ~(7u << (3 * w->h_for))) | (unsigned)answer[say] << (3 * w->h_for);
    } else if (w->d_open && w->s_open) {
        w->to_s = queue_put(w->to_s, say == CV_SAY_READY ? W_READY : say == CV_SAY_YES ? W_YES : W_NO);
    }
}

static bool destination_journals(struct explorer *x, struct world *w, int state, enum how *how)
{
    bool running = state == CV_J_RUNNING;
    unsigned vis = w->d_vis, dur = w->d_dur;

    if (running && x->mutation == M_DST_UNPAUSES_FIRST)
        run_at_destination(x, w);
    write_journal(x, CV_ROLE_DESTINATION, *how, (unsigned)state, &vis, &dur, !(running && x->mutation == M_DST_SKIPS_FSYNC));
    if (state == CV_J_RUNNING_SETTLED && x->mutation == M_DST_FORGETS)
        vis = dur = CV_J_NONE;
    w->d_vis = vis;
    w->d_dur = dur;
    if (running && x->mutation == M_DST_IGNORES_WRITE_ERROR)
        *how = HOW_OK;
    return true;
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
        destination_journals(x, w, arg, &how);
        break;
    case CV_ACT_SEND:
        if (how > HOW_FAIL_NOTHING || (how && arg != CV_SAY_READY && arg != CV_SAY_YES))
            return false;
        if (how == HOW_OK)
            tell(w, handler, arg);
        break;
    case CV_ACT_UNPAUSE:
        if (how > HOW_FAIL_NOTHING)
            return false;
        if (how == HOW_OK && w->d_copy == COPY_NONE)
            e = CV_EV_GONE;
        else if (how == HOW_OK)
            run_at_destination(x, w);
        break;
    case CV_ACT_DESTROY:
        if (how > HOW_FAIL_NOTHING)
            return false;
        if (how == HOW_OK)
            destroy_at_destination(x, w);
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
    case CV_ACT_RESUME:
        return false;
    }
    state = machine_next(state, how == HOW_OK ? e : CV_EV_FAIL);
    if (handler)
        w->h_state = state;
    else
        w->d_state = state;
    return true;
}

/* ---- what each side hears ------------------------------------------------------------------------------------ */

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
    static const enum cv_ho_event event[] = { [A_YES] = CV_EV_YES, [A_NO] = CV_EV_NO, [A_GONE] = CV_EV_GONE,
                                              [A_NEVER] = CV_EV_FAIL, [A_STUCK] = CV_EV_FAIL, [A_BUSY] = CV_EV_FAIL };
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
    if (w->s_state != 0 || w->s_vis == CV_J_NONE)
        return false;
    if (x->mutation != M_READ_WITHOUT_SYNC)
        w->s_dur = w->s_vis;
    w->s_state = cv_ho_source_recover(w->s_vis).state;
    return true;
}

bool destination_recovers(struct explorer *x, struct world *w)
{
    if (w->d_vis == CV_J_NONE || w->h_state != 0 || (w->d_state != 0 && x->mutation != M_NO_LOCK))
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

static void reboot_source(struct world *w)
{
    if (w->s_copy != COPY_NONE)
        w->lost_s = 1;
    source_gone(w);
    w->s_copy = COPY_NONE;
    w->s_vis = w->s_dur;
}

static void reboot_destination(struct world *w)
{
    if (w->d_copy == COPY_RUN || (w->d_copy == COPY_PAUSED && w->d_dur == CV_J_RUNNING))
        w->lost_d = 1;
    receiver_gone(w);
    handler_gone(w);
    w->d_copy = COPY_NONE;
    w->d_vis = w->d_dur;
}

/* ---- all successors ------------------------------------------------------------------------------------------ */

/* What nobody can ever tell apart is one world. */
static void emit(struct explorer *x, struct world *n, const char *what)
{
    unsigned waiting = n->s_asking ? 7u << (3 * n->s_ask) : 0;

    n->answers &= waiting;                     /* an answer on a closed connection is read by nobody */
    if (n->h_state && n->h_for != LOCAL && !(n->s_asking && n->h_for == n->s_ask))
        n->h_for = LOCAL;
    unsigned stale = n->queries & ~(n->s_asking ? 1u << n->s_ask : 0);
    if (stale != 0)                            /* one old query that is repeated stands for all old ones */
        n->queries = (n->queries & ~stale) | (stale & -stale);
    if (!n->s_asking)
        n->s_ask = 0;
    x->visit(x, n, what);
}

#define TRY(what, condition)                \
    do {                                    \
        struct world n = *w;                \
        if (condition)                      \
            emit(x, &n, what);              \
    } while (0)
#define DO(what, statement) TRY(what, ((statement), true))

static const char *const how_source[] = { "source: ok", "source: fails", "source: fails, seen", "source: fails, done" };
static const char *const how_receiver[] = { "receiver: ok", "receiver: fails", "receiver: fails, seen", "receiver: fails, done" };
static const char *const how_handler[] = { "handler: ok", "handler: fails", "handler: fails, seen", "handler: fails, done" };

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
    if (machine_expects(w->d_state, CV_EV_TROUBLE))
        DO("receiver: trouble", n.d_state = machine_next(n.d_state, CV_EV_TROUBLE));
    if (w->to_d)
        DO("message to destination lost", (n.to_d = 0, n.s_open = 0));
    if (w->to_s)
        DO("message to source lost", (n.to_s = 0, n.d_open = 0, n.to_d = 0));
    struct cv_handover d = { .state = (uint8_t)w->d_state };
    int arg;
    if (x->mutation == M_DST_ABORTS_LATE && w->d_state && cv_ho_action(&d, &arg) == CV_ACT_UNPAUSE)
        DO("receiver: gives up late", (destroy_at_destination(x, &n), receiver_gone(&n)));
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
}
