/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Performs what the hand-over machines ask for.  No decision about who owns the guest is made here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/testpoint.h"
#include "handover/ports.h"

static int64_t or_default(int64_t given, int64_t value) { return given != 0 ? given : value; }

/* The first fault is the cause and becomes the result; later ones are logged. */
static void fault(struct cv_handover_run *r, const struct cv_error *why)
{
    if (r->why.code == CV_OK)
        r->why = *why;
    else
        cv_log(r->sink, CV_LOG_WARN, "%s", why->text);
}

/* ---- journal ---- */

static int tombstone(struct cv_handover_run *r, struct cv_error *err)
{
    struct cv_journal_record rec = { .role = CV_ROLE_DESTINATION,
                                     .state = CV_J_NEVER,
                                     .note = "asked, never heard of" };

    memcpy(rec.migration, r->migration, sizeof rec.migration);
    memcpy(rec.guest, r->asked_guest, sizeof rec.guest);
    memcpy(rec.boot, r->boot, sizeof rec.boot);
    return cv_journal_create(r->journal, r->store, &rec, err);
}

static enum cv_ho_event journal(struct cv_handover_run *r, enum cv_journal_state state)
{
    struct cv_error err = CV_ERROR_INIT;
    const char *note = state == CV_J_ABORTED && r->why.code != CV_OK ? r->why.text : NULL;
    int rc = r->journal->lock_fd < 0 ? tombstone(r, &err) : cv_journal_set(r->journal, state, note, &err);

    if (rc == 0)
        return CV_EV_OK;
    fault(r, &err);
    return CV_EV_FAIL;
}

/* ---- effects ---- */

static bool of_this_boot(const struct cv_handover_run *r)
{
    return memcmp(r->journal->rec.boot, r->boot, sizeof r->boot) == 0;
}

static enum cv_ho_event effect(struct cv_handover_run *r, enum cv_ho_act act)
{
    const struct cv_guest_ports *g = r->guest;
    struct cv_error err = CV_ERROR_INIT;
    int64_t deadline = cv_after_ms(or_default(r->times.effect_ms, 30000));
    enum cv_effect (*verb)(void *, const struct cv_journal_record *, int64_t, struct cv_error *) =
        act == CV_ACT_RESUME    ? g->resume
        : act == CV_ACT_UNPAUSE ? g->run
        : act == CV_ACT_LOOK    ? g->look
                                : g->destroy;

    if (verb == NULL)
        return CV_EV_OK;
    enum cv_effect e = of_this_boot(r) ? verb(g->user, &r->journal->rec, deadline, &err) : CV_EFFECT_GONE;
    if (e == CV_EFFECT_FAILED) {
        fault(r, &err);
        return CV_EV_FAIL;
    }
    if (e == CV_EFFECT_UNSURE) {
        fault(r, &err);
        return CV_EV_TROUBLE;
    }
    return e == CV_EFFECT_GONE && act != CV_ACT_DESTROY ? CV_EV_GONE : CV_EV_OK;
}

/* ---- messages ---- */

static struct cv_msg answer_of(enum cv_ho_say say, const char *text)
{
    static const uint32_t outcome[] = {
        [CV_SAY_YES] = CV_ANSWER_RUNNING, [CV_SAY_NO] = CV_ANSWER_ABORTED,  [CV_SAY_GONE] = CV_ANSWER_GONE,
        [CV_SAY_NEVER] = CV_ANSWER_NEVER, [CV_SAY_STUCK] = CV_ANSWER_STUCK,
    };
    return (struct cv_msg){ .type = CV_MSG_ANSWER, .answer = { .outcome = outcome[say], .text = text } };
}

/* Why, and what of the guest is here: a person at the other side may have to decide.  Older ones print it, too. */
static void tell_what_is_here(const struct cv_handover_run *r, char *buf, size_t size)
{
    char here[400] = "";

    if (r->guest != NULL && r->guest->tell != NULL)
        r->guest->tell(r->guest->user, r->asked_guest, here, sizeof here);
    snprintf(buf, size, "%s%s%s%s", r->why.text, *here && *r->why.text ? "; " : "", *here ? "there:" : "", here);
}

static struct cv_msg message_of(struct cv_handover_run *r, enum cv_ho_say say)
{
    struct cv_msg m = { 0 };

    switch (say) {
    case CV_SAY_READY:
        m = r->ready;
        m.type = CV_MSG_READY;
        break;
    case CV_SAY_COMMIT:
        m.type = CV_MSG_COMMIT;
        memcpy(m.commit.migration.b, r->journal->rec.migration, 16);
        break;
    case CV_SAY_DONE:
        m.type = CV_MSG_DONE;
        memcpy(m.done.migration.b, r->journal->rec.migration, 16);
        break;
    case CV_SAY_ABORT:
        m = (struct cv_msg){ .type = CV_MSG_ABORT, .abort = { (uint32_t)r->why.code, r->why.text } };
        break;
    case CV_SAY_YES:
        m = (struct cv_msg){ .type = CV_MSG_RUNNING,
                             .running = { .domid = r->journal->rec.domid,
                                          .decide_ns = (uint64_t)r->decide_ns,
                                          .resume_ns = (uint64_t)r->run_ns } };
        break;
    default: m = (struct cv_msg){ .type = CV_MSG_FAILED, .failed = { (uint32_t)r->why.code, r->why.text } }; break;
    }
    return m;
}

/* What cannot be said now (the channel is gone, the raw stream is on it) is left out: closing says it too. */
static enum cv_ho_event say_it(struct cv_handover_run *r, enum cv_ho_say say)
{
    struct cv_error err = CV_ERROR_INIT;

    if (r->chan == NULL && say != CV_SAY_COMMIT)
        return CV_EV_OK;
    if (r->chan == NULL)
        return CV_EV_FAIL;
    char text[sizeof r->why.text + 400] = "";
    if (r->answering && (say == CV_SAY_NEVER || say == CV_SAY_STUCK))
        tell_what_is_here(r, text, sizeof text);
    struct cv_msg m = r->answering ? answer_of(say, *text ? text : r->why.text) : message_of(r, say);
    int courtesy = say == CV_SAY_ABORT || say == CV_SAY_DONE || say == CV_SAY_NO;
    if (courtesy && cv_chan_next(r->chan->state, r->chan->role, m.type) < 0)
        return CV_EV_OK;
    /* Nobody waits long for courtesies: a guest may be standing still. */
    int rc = cv_chan_send(r->chan, &m, cv_after_ms(courtesy ? 500 : 10000), NULL, &err);
    if (rc == 0)
        return CV_EV_OK;
    if (!courtesy)
        fault(r, &err);
    return CV_EV_FAIL;
}

static enum cv_ho_event send_message(struct cv_handover_run *r, enum cv_ho_say say)
{
    enum cv_ho_event e = say_it(r, say);

    /* Closing is what a destination notices that is busy with the stream: its emulators must let go of the disks.  One
     * that has said no has done so, and is told later that it may forget. */
    if (say == CV_SAY_ABORT && (r->chan == NULL || r->chan->state != CV_CHAN_SETTLED))
        cv_handover_hang_up(r);
    return e;
}

static int check_ready(struct cv_handover_run *r, const struct cv_msg_ready *ready, struct cv_error *err)
{
    if (r->sent_bytes == 0 && r->sent_records == 0)
        return 0;
    if (ready->stream_bytes == r->sent_bytes && ready->stream_records == r->sent_records)
        return 0;
    return cv_fail(err, CV_E_PEER, 0, "the destination read %llu records in %llu bytes, %llu in %llu were written",
                   (unsigned long long)ready->stream_records, (unsigned long long)ready->stream_bytes,
                   (unsigned long long)r->sent_records, (unsigned long long)r->sent_bytes);
}

/* What took how long there; a peer's figures are for the report only. */
static void note_ready(struct cv_handover_run *r, const struct cv_msg_ready *ready)
{
    struct cv_strs list = ready->emulators;
    const char *text;

    r->peer_ready_ns = (int64_t)ready->load_ns;
    while ((text = cv_strs_next(&list)) != NULL) {
        char *end;
        unsigned long dmid = strtoul(text, &end, 10);
        if (*end == '=' && dmid < CV_HO_EMULATORS)
            r->peer_load_ns[dmid] = strtoll(end + 1, NULL, 10);
    }
}

/* CV_EV_COUNT: nothing that matters, wait on. */
static enum cv_ho_event event_of(struct cv_handover_run *r, const struct cv_msg *m)
{
    struct cv_error err = CV_ERROR_INIT;

    switch ((int)m->type) {
    case CV_MSG_PROGRESS: return CV_EV_COUNT;
    case CV_MSG_READY:
        note_ready(r, &m->ready);
        if (check_ready(r, &m->ready, &err) == 0)
            return CV_EV_READY;
        break;
    case CV_MSG_RUNNING:
        r->domid = m->running.domid;
        r->peer_decide_ns = (int64_t)m->running.decide_ns;
        r->peer_resume_ns = (int64_t)m->running.resume_ns;
        return CV_EV_YES;
    case CV_MSG_FAILED:
        cv_chan_refused(m, &err);
        fault(r, &err);
        return CV_EV_NO;
    case CV_MSG_COMMIT:
        if (memcmp(m->commit.migration.b, r->journal->rec.migration, 16) == 0)
            return CV_EV_COMMIT;
        cv_fail(&err, CV_E_PEER, 0, "COMMIT names another migration");
        break;
    case CV_MSG_ABORT:
        cv_chan_refused(m, &err);
        fault(r, &err);
        return CV_EV_ABORT;
    default: cv_chan_refused(m, &err); break;
    }
    fault(r, &err);
    return CV_EV_TROUBLE;
}

static int64_t patience(const struct cv_handover_run *r)
{
    if (cv_ho_committed(&r->machine))
        return or_default(r->times.answer_ms, 30000);
    return r->journal->rec.role == CV_ROLE_SOURCE ? or_default(r->times.ready_ms, 120000)
                                                  : or_default(r->times.commit_ms, 60000);
}

static enum cv_ho_event wait(struct cv_handover_run *r)
{
    int64_t deadline = cv_after_ms(patience(r));
    struct cv_cancel *cancel = cv_ho_committed(&r->machine) ? NULL : r->cancel;

    for (;;) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_msg m;
        if (r->chan == NULL || cv_chan_recv(r->chan, &m, deadline, cancel, &err) < 0) {
            fault(r, &err);
            return err.code == CV_E_CANCELLED || err.code == CV_E_TIMEOUT ? CV_EV_TROUBLE : CV_EV_LOST;
        }
        enum cv_ho_event e = event_of(r, &m);
        cv_msg_dispose(&m);
        if (e != CV_EV_COUNT)
            return e;
        if (cv_now_ms() >= deadline) { /* who says without end that it is under way does not come to its end */
            cv_fail(&err, CV_E_TIMEOUT, 0, "no answer within the time limit");
            fault(r, &err);
            return CV_EV_TROUBLE;
        }
    }
}

/* ---- the loop ---- */

static enum cv_ho_event perform(struct cv_handover_run *r, enum cv_ho_act act, int arg)
{
    switch (act) {
    case CV_ACT_WAIT: return wait(r);
    case CV_ACT_JOURNAL: return journal(r, (enum cv_journal_state)arg);
    case CV_ACT_SEND: return send_message(r, (enum cv_ho_say)arg);
    case CV_ACT_ASK: return r->assumed != CV_EV_OK ? r->assumed : cv_handover_ask(r);
    case CV_ACT_LOOK:
    case CV_ACT_RESUME:
    case CV_ACT_UNPAUSE:
    case CV_ACT_DESTROY: return effect(r, act);
    case CV_ACT_FINISH: break;
    }
    return CV_EV_TROUBLE;
}

static void note_times(struct cv_handover_run *r, int64_t start_ns, enum cv_ho_act act, int arg, enum cv_ho_event e)
{
    if (act == CV_ACT_JOURNAL && arg == CV_J_RUNNING)
        r->decide_ns = cv_now_ns() - start_ns;
    if (act == CV_ACT_UNPAUSE && r->run_ns == 0)
        r->run_ns = cv_now_ns() - start_ns;
    if (act == CV_ACT_WAIT && e == CV_EV_READY)
        r->ready_wait = (struct cv_ho_wait){ start_ns, cv_now_ns() };
    if (act == CV_ACT_WAIT && e == CV_EV_YES)
        r->yes_wait = (struct cv_ho_wait){ start_ns, cv_now_ns() };
}

enum cv_ho_outcome cv_handover_run(struct cv_handover_run *r)
{
    int arg;

    for (enum cv_ho_act act; (act = cv_ho_action(&r->machine, &arg)) != CV_ACT_FINISH;) {
        int64_t start = cv_now_ns();
        /* Who only answers for a destination is another process: a test that kills the one would kill every answer,
         * too. */
        cv_testpoint(r->answering                             ? "answer"
                     : r->journal->rec.role == CV_ROLE_SOURCE ? "source"
                                                              : "destination",
                     cv_ho_state_name(&r->machine));
        enum cv_ho_event e = perform(r, act, arg);
        note_times(r, start, act, arg, e);
        cv_log(r->sink, CV_LOG_DEBUG, "handover state=%s event=%s", cv_ho_state_name(&r->machine), cv_ho_event_name(e));
        /* A message that has no place here is trouble; where trouble has none, the channel is as good as lost. */
        if (!cv_ho_step(&r->machine, e) && !cv_ho_step(&r->machine, CV_EV_TROUBLE) &&
            !cv_ho_step(&r->machine, CV_EV_LOST) && !cv_ho_step(&r->machine, CV_EV_FAIL))
            break;
    }
    cv_handover_ask_end(r, true);
    enum cv_ho_outcome out = cv_ho_outcome(&r->machine);
    if (out == CV_OUT_UNKNOWN) {
        char first[300];
        memcpy(first, r->why.text, sizeof first - 1);
        first[sizeof first - 1] = '\0';
        cv_fail(&r->why, CV_E_OUTCOME_UNKNOWN, 0, "%s until %s answers ('convoy recover' asks at once): %s",
                r->journal->rec.state == CV_J_COMMITTING
                    ? "the guest stands still here"
                    : "the guest is not here any more, and nobody knows whether it is at the other side",
                r->journal->rec.peer[0] ? r->journal->rec.peer : "the destination", first);
    }
    return out == CV_OUT_NONE ? CV_OUT_STUCK : out;
}
