/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking and answering over a new connection: what became of it? */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "handover/ports.h"

/* ssh to a host that is busy (with the guest that has just arrived) takes its time, and so do the effects before the
 * answer. */
#define ONE_ASK_MS 30000
#define ASK_MS 120000
#define DONE_MS 10000
#define PAUSE_MS 1000

/* The connection of the question outlives it: DONE goes over it. */
void cv_handover_hang_up(struct cv_handover_run *r)
{
    r->chan = NULL;
    if (r->connect != NULL && r->connect->hang_up != NULL)
        r->connect->hang_up(r->connect->user);
}

void cv_handover_ask_end(struct cv_handover_run *r, bool done)
{
    if (r->asking) {
        if (r->chan == &r->ask_chan)
            r->chan = NULL;
        cv_chan_dispose(&r->ask_chan);
        r->connect->disconnect(r->connect->user);
        r->asking = false;
    }
    if (done)
        r->ask_until_ms = 0;
}

/* Only the store that promised can tell; any other has never heard of it. */
static int right_store(struct cv_handover_run *r, const struct cv_msg_hello *theirs, struct cv_error *err)
{
    if (memcmp(theirs->store.b, r->journal->rec.peer_store, 16) == 0)
        return 0;
    return cv_fail(err, CV_E_PEER, 0,
                   "%s answers with other journals than the destination had: another host, or a new "
                   "installation",
                   theirs->host);
}

/* The first question is asked even by one who has been told to stop: a closed terminal ends ssh and us together, and a
 * guest that stands still is worth one try. */
static struct cv_cancel *may_cancel(const struct cv_handover_run *r) { return r->asked > 0 ? r->cancel : NULL; }

static int64_t one_ask(const struct cv_handover_run *r)
{
    int64_t deadline = cv_after_ms(ONE_ASK_MS);
    return deadline < r->ask_until_ms ? deadline : r->ask_until_ms;
}

static int question(struct cv_handover_run *r, uint32_t *outcome_out, struct cv_error *err)
{
    struct cv_chan *c = &r->ask_chan;
    int64_t deadline = one_ask(r);
    struct cv_cancel *cancel = may_cancel(r);
    struct cv_msg theirs, answer, query = { .type = CV_MSG_QUERY, .query.journal = r->journal->rec.state };

    if (cv_chan_hello_source(c, r->hello, &theirs, deadline, cancel, err) < 0)
        return -1;
    int rc = right_store(r, &theirs.hello, err);
    cv_msg_dispose(&theirs);
    memcpy(query.query.migration.b, r->journal->rec.migration, 16);
    if (rc < 0) {
        *outcome_out = CV_ANSWER_NEVER;
        return -1;
    }
    if (cv_chan_send(c, &query, deadline, cancel, err) < 0 || cv_chan_recv(c, &answer, deadline, cancel, err) < 0)
        return -1;
    if (answer.type == CV_MSG_ANSWER) {
        *outcome_out = answer.answer.outcome;
        cv_fail(err, CV_E_PEER, 0, "the destination answers: %s", answer.answer.text);
    } else {
        rc = cv_chan_refused(&answer, err);
    }
    cv_msg_dispose(&answer);
    return rc;
}

static enum cv_ho_event ask_once(struct cv_handover_run *r, struct cv_error *err)
{
    uint32_t outcome = 0;
    int in = -1, out = -1;

    if (r->connect->connect(r->connect->user, &r->journal->rec, &in, &out, one_ask(r), may_cancel(r), err) < 0)
        return CV_EV_FAIL;
    if (cv_chan_init(&r->ask_chan, in, out, CV_PEER_SOURCE, err) < 0) {
        r->connect->disconnect(r->connect->user);
        return CV_EV_FAIL;
    }
    r->asking = true;
    r->chan = &r->ask_chan;
    int rc = question(r, &outcome, err);
    switch (outcome) {
    case CV_ANSWER_RUNNING: return rc == 0 ? CV_EV_YES : CV_EV_FAIL;
    case CV_ANSWER_ABORTED: return rc == 0 ? CV_EV_NO : CV_EV_FAIL;
    case CV_ANSWER_GONE: return rc == 0 ? CV_EV_GONE : CV_EV_FAIL;
    case CV_ANSWER_NEVER: return CV_EV_GIVE_UP; /* it will not know better in a second */
    default: return CV_EV_FAIL;
    }
}

enum cv_ho_event cv_handover_ask(struct cv_handover_run *r)
{
    struct cv_error err = CV_ERROR_INIT;

    if (r->ask_until_ms == 0)
        r->ask_until_ms = cv_after_ms(r->times.ask_ms ? r->times.ask_ms : ASK_MS);
    cv_handover_hang_up(r); /* a receiver that still lives must notice, or it is BUSY */
    enum cv_ho_event e = r->connect == NULL ? CV_EV_GIVE_UP : ask_once(r, &err);
    r->asked++;
    if (e != CV_EV_FAIL && e != CV_EV_GIVE_UP)
        return e;
    cv_handover_ask_end(r, false);
    if (err.code != CV_OK)
        r->why = err; /* why we still do not know */
    if (e == CV_EV_GIVE_UP || r->asked == r->times.questions || cv_cancel_requested(r->cancel) ||
        cv_now_ms() + PAUSE_MS >= r->ask_until_ms)
        return CV_EV_GIVE_UP;
    struct cv_error slept; /* ends with a time-out, or cancelled */
    if (cv_poll_one(-1, 0, cv_after_ms(PAUSE_MS), r->cancel, &slept) < 0 && slept.code == CV_E_CANCELLED)
        return CV_EV_GIVE_UP;
    return CV_EV_FAIL;
}

/* ---- the destination's end ------------------------------------------------------------------------------------- */

static void answer_without_lock(struct cv_handover_run *r, uint32_t outcome)
{
    struct cv_msg m = { .type = CV_MSG_ANSWER, .answer = { outcome, r->why.text } };
    struct cv_error ignored;
    int rc = cv_chan_send(r->chan, &m, cv_after_ms(DONE_MS), NULL, &ignored);
    (void)rc;
}

void cv_handover_hear_done(struct cv_handover_run *r)
{
    struct cv_error ignored;
    struct cv_msg m;

    if (cv_chan_recv(r->chan, &m, cv_after_ms(DONE_MS), NULL, &ignored) < 0)
        return;
    if (m.type == CV_MSG_DONE && memcmp(m.done.migration.b, r->journal->rec.migration, 16) == 0 &&
        cv_journal_acknowledge(r->journal, &ignored) < 0)
        cv_log(r->sink, CV_LOG_WARN, "%s", ignored.text);
    cv_msg_dispose(&m);
}

enum cv_ho_outcome cv_handover_answer(struct cv_handover_run *r, const struct cv_msg_query *query,
                                      const uint8_t guest[16])
{
    enum cv_journal_state state = CV_J_NONE;

    memcpy(r->migration, query->migration.b, sizeof r->migration);
    memcpy(r->asked_guest, guest, sizeof r->asked_guest);
    r->answering = true;
    if (cv_journal_open(r->journal, r->store, r->migration, CV_ROLE_DESTINATION, &r->why) == 0) {
        state = r->journal->rec.state;
    } else if (r->why.code != CV_E_NOT_FOUND) {
        answer_without_lock(r, r->why.code == CV_E_BUSY ? CV_ANSWER_BUSY : CV_ANSWER_STUCK);
        return CV_OUT_STUCK;
    }
    r->why = (struct cv_error)CV_ERROR_INIT;
    r->machine = cv_ho_destination_recover(state);
    enum cv_ho_outcome out = cv_handover_run(r);
    if (out != CV_OUT_STUCK)
        cv_handover_hear_done(r);
    return out;
}
