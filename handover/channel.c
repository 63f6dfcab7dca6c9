/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "handover/channel_io.h"

int cv_chan_init(struct cv_chan *c, int in, int out, int role, struct cv_error *err)
{
    *c = (struct cv_chan){ .in = in,
                           .out = out,
                           .role = role,
                           .state = CV_CHAN_START,
                           .keepalive_ms = CV_KEEPALIVE_MS,
                           .silence_ms = CV_SILENCE_MS };
    c->last_in_ms = c->last_out_ms = cv_now_ms();
    c->old_in = fcntl(in, F_GETFL);
    c->old_out = fcntl(out, F_GETFL);
    if (c->old_in < 0 || c->old_out < 0 || fcntl(in, F_SETFL, c->old_in | O_NONBLOCK) < 0 ||
        fcntl(out, F_SETFL, c->old_out | O_NONBLOCK) < 0) {
        c->in = c->out = -1;
        return cv_fail(err, CV_E_IO, errno, "channel descriptors %d and %d", in, out);
    }
    return 0;
}

void cv_chan_dispose(struct cv_chan *c)
{
    int saved = errno;

    if (c->in >= 0) {
        fcntl(c->in, F_SETFL, c->old_in);
        fcntl(c->out, F_SETFL, c->old_out);
    }
    c->in = c->out = -1;
    cv_buf_dispose(&c->pending);
    cv_buf_dispose(&c->body);
    errno = saved;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static int queue(struct cv_chan *c, const struct cv_msg *m, struct cv_error *err)
{
    int next = cv_chan_next(c->state, c->role, m->type);
    size_t start = c->pending.len;

    if (next < 0)
        return cv_fail(err, CV_E_INTERNAL, 0, "%s may not be said in state %s", cv_msg_name(m->type),
                       cv_chan_state_name(c->state));
    if (cv_buf_reserve(&c->pending, CV_MSG_HEADER, err) < 0)
        return -1;
    c->pending.len += CV_MSG_HEADER;
    if (cv_msg_encode(m, &c->pending, err) < 0) {
        c->pending.len = start;
        return -1;
    }
    size_t body = c->pending.len - start - CV_MSG_HEADER;
    struct cv_msg_frame f = { (uint16_t)m->type, (uint32_t)body, c->sent };
    cv_msg_frame_put(c->pending.data + start, &f, c->pending.data + start + CV_MSG_HEADER, c->seed_out);
    c->sent++;
    c->state = (enum cv_chan_state)next;
    return 0;
}

int cv_chan_send(struct cv_chan *c, const struct cv_msg *m, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err)
{
    if (cv_cancel_check(cancel, err) < 0 || queue(c, m, err) < 0)
        return cv_context(err, "send %s", cv_msg_name(m->type));
    for (;;) {
        int rc = cv_chan_flush(c, err);
        if (rc > 0)
            return 0;
        if (rc == 0 && deadline_ms != CV_NEVER && cv_now_ms() >= deadline_ms)
            rc = cv_fail(err, CV_E_TIMEOUT, 0, "the other side takes nothing");
        if (rc < 0 || cv_chan_wait(c, false, deadline_ms, cancel, err) < 0)
            return cv_context(err, "send %s", cv_msg_name(m->type));
    }
}

int cv_chan_tick(struct cv_chan *c, struct cv_error *err)
{
    bool idle = c->pending.len == 0 && cv_now_ms() - c->last_out_ms >= c->keepalive_ms;

    /* After a failed or finished conversation, and while our raw stream is on the descriptor, there is nothing to say.
     */
    if (idle && cv_chan_next(c->state, c->role, CV_MSG_KEEPALIVE) >= 0 &&
        queue(c, &(struct cv_msg){ .type = CV_MSG_KEEPALIVE }, err) < 0)
        return -1;
    return c->pending.len == 0 ? 0 : cv_chan_flush(c, err) < 0 ? -1 : 0;
}

/* ---- receiving -------------------------------------------------------------------------------------------------- */

/* Keep-alives that are swallowed in one go: a peer that sends nothing else must not hold us here. */
#define BEATS_MAX 64

int cv_chan_poll(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err)
{
    for (int beats = 0; beats < BEATS_MAX; beats++) {
        struct cv_msg m;
        int rc = cv_chan_take(c, &m, err);
        if (rc <= 0)
            return rc;
        if (m.type != CV_MSG_KEEPALIVE) {
            *m_out = m;
            return 1;
        }
        cv_msg_dispose(&m);
    }
    return 0;
}

/* A closed channel may still hold what the other side said before: a failed keep-alive must not hide it. */
static void tick_softly(struct cv_chan *c)
{
    struct cv_error ignored;

    if (cv_chan_tick(c, &ignored) < 0)
        c->pending.len = c->pending_done = 0;
}

int cv_chan_recv(struct cv_chan *c, struct cv_msg *m_out, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err)
{
    /* Silence counts from when we begin to listen: before that we may not have looked. */
    int64_t since = cv_now_ms();

    for (;;) {
        if (cv_cancel_check(cancel, err) < 0)
            return -1;
        tick_softly(c);
        int rc = cv_chan_poll(c, m_out, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        int64_t now = cv_now_ms(), heard = c->last_in_ms > since ? c->last_in_ms : since;
        if (now - heard >= c->silence_ms)
            return cv_fail(err, CV_E_PEER, 0, "nothing was heard from the other side for %lld ms",
                           (long long)(now - heard));
        if (deadline_ms != CV_NEVER && now >= deadline_ms)
            return cv_fail(err, CV_E_TIMEOUT, 0, "no answer within the time limit");
        int64_t until = heard + c->silence_ms, beat = now + c->keepalive_ms;
        until = until < deadline_ms ? until : deadline_ms;
        if (cv_chan_wait(c, true, until < beat ? until : beat, cancel, err) < 0)
            return -1;
    }
}

void cv_chan_stream_ended(struct cv_chan *c)
{
    if (c->state == CV_CHAN_STREAM)
        c->state = CV_CHAN_LOADING;
    c->last_in_ms = cv_now_ms();
}

int cv_chan_refused(const struct cv_msg *m, struct cv_error *err)
{
    switch ((int)m->type) {
    case CV_MSG_REFUSE:
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the destination refuses: %s: %s", cv_refusal_text(m->refuse.code),
                       m->refuse.text);
    case CV_MSG_FAILED: return cv_fail(err, CV_E_PEER, 0, "the destination failed: %s", m->failed.text);
    case CV_MSG_ABORT: return cv_fail(err, CV_E_PEER, 0, "the source gave up: %s", m->abort.text);
    default: return cv_fail(err, CV_E_PEER, 0, "the other side said %s out of turn", cv_msg_name(m->type));
    }
}

/* ---- the opening ------------------------------------------------------------------------------------------------ */

unsigned cv_chan_version(unsigned min_a, unsigned max_a, unsigned min_b, unsigned max_b)
{
    unsigned max = max_a < max_b ? max_a : max_b, min = min_a > min_b ? min_a : min_b;

    return max >= min ? max : 0;
}

/* From here on only frames of this migration, and of the other side, pass. */
static void agree(struct cv_chan *c, const struct cv_msg_hello *theirs)
{
    memcpy(c->migration, theirs->migration.b, sizeof c->migration);
    c->seed_out = cv_frame_seed(c->migration, c->role);
    c->seed_in = cv_frame_seed(c->migration, !c->role);
    /* A peer that beats slowly is not silent. */
    if (c->silence_ms < 3 * (int64_t)theirs->keepalive_ms && theirs->keepalive_ms <= 60000)
        c->silence_ms = 3 * (int64_t)theirs->keepalive_ms;
}

static int check_hello(const struct cv_msg_hello *mine, const struct cv_msg_hello *theirs, uint32_t *refusal_out,
                       struct cv_error *err)
{
    *refusal_out = CV_REFUSE_VERSION;
    if (theirs->role == mine->role || theirs->role > CV_PEER_DESTINATION)
        return cv_fail(err, CV_E_PEER, 0, "the other side has the same role: is the command right?");
    if (cv_chan_version(mine->version_min, mine->version_max, theirs->version_min, theirs->version_max) == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "protocol versions %u to %u at %s (%s) and %u to %u at %s (%s)",
                       mine->version_min, mine->version_max, mine->host, mine->software, theirs->version_min,
                       theirs->version_max, theirs->host, theirs->software);
    const struct cv_msg_hello *from = mine->role == CV_PEER_SOURCE ? mine : theirs;
    const struct cv_msg_hello *to = mine->role == CV_PEER_SOURCE ? theirs : mine;
    *refusal_out = CV_REFUSE_STREAM_VERSION;
    if (from->stream_version > to->stream_version)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "stream version %u of %s is unknown at %s, which knows up to %u",
                       from->stream_version, from->host, to->host, to->stream_version);
    *refusal_out = CV_REFUSE_FEATURE;
    if (theirs->features & ~CV_PROTOCOL_FEATURES)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "features %#x of %s are unknown at %s",
                       theirs->features & ~CV_PROTOCOL_FEATURES, theirs->host, mine->host);
    return 0;
}

int cv_chan_hello_source(struct cv_chan *c, const struct cv_msg_hello *mine, struct cv_msg *theirs_out,
                         int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_msg m = { .type = CV_MSG_HELLO, .hello = *mine }, theirs;
    uint32_t refusal;

    if (cv_chan_send(c, &m, deadline_ms, cancel, err) < 0 || cv_chan_recv(c, &theirs, deadline_ms, cancel, err) < 0)
        return -1;
    int rc = 0;
    if (theirs.type != CV_MSG_HELLO)
        rc = cv_chan_refused(&theirs, err);
    else if (check_hello(mine, &theirs.hello, &refusal, err) < 0)
        rc = -1;
    else if (memcmp(mine->migration.b, theirs.hello.migration.b, 16) != 0)
        rc = cv_fail(err, CV_E_PEER, 0, "the other side speaks of another migration");
    if (rc < 0) {
        cv_msg_dispose(&theirs);
        return -1;
    }
    agree(c, &theirs.hello);
    *theirs_out = theirs;
    return 0;
}

static void refuse_hello(struct cv_chan *c, uint32_t refusal, const struct cv_error *why, int64_t deadline_ms,
                         struct cv_cancel *cancel)
{
    struct cv_msg no = { .type = CV_MSG_REFUSE, .refuse = { .code = refusal, .text = why->text } };
    struct cv_error ignored;
    int rc = cv_chan_send(c, &no, deadline_ms, cancel, &ignored); /* the first fault is what we report */
    (void)rc;
}

int cv_chan_hello_destination(struct cv_chan *c, const struct cv_msg_hello *mine, struct cv_msg *theirs_out,
                              int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_msg theirs, m = { .type = CV_MSG_HELLO, .hello = *mine };
    struct cv_error why = CV_ERROR_INIT;
    uint32_t refusal;

    if (cv_chan_recv(c, &theirs, deadline_ms, cancel, err) < 0)
        return -1;
    m.hello.migration = theirs.hello.migration;
    m.hello.guest = theirs.hello.guest;
    if (check_hello(mine, &theirs.hello, &refusal, &why) < 0) {
        refuse_hello(c, refusal, &why, deadline_ms, cancel);
        cv_msg_dispose(&theirs);
        return cv_fail(err, why.code, why.sys, "%s", why.text);
    }
    if (cv_chan_send(c, &m, deadline_ms, cancel, err) < 0) {
        cv_msg_dispose(&theirs);
        return -1;
    }
    agree(c, &theirs.hello);
    *theirs_out = theirs;
    return 0;
}
