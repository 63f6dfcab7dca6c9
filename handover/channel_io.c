/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes of the channel: never blocks outside of poll, never reads past a frame, can stop at any byte. */
#include "handover/channel_io.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/quiet.h"

/* Writes what fits.  1: all is out, 0: would block. */
int cv_chan_flush(struct cv_chan *c, struct cv_error *err)
{
    while (c->pending_done < c->pending.len) {
        ssize_t n = cv_quiet_write(c->out, c->pending.data + c->pending_done, c->pending.len - c->pending_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return cv_fail(err, CV_E_PEER, errno, "the other side closed the channel");
        c->pending_done += (size_t)n;
        c->last_out_ms = cv_now_ms();
    }
    c->pending.len = c->pending_done = 0;
    return 1;
}

/* 1: got len in all, 0: would block. */
static int fill(struct cv_chan *c, uint8_t *data, size_t len, size_t *got, struct cv_error *err)
{
    while (*got < len) {
        ssize_t n = read(c->in, data + *got, len - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return cv_fail(err, CV_E_PEER, errno, "the channel broke");
        if (n == 0)
            return cv_fail(err, CV_E_PEER, 0,
                           c->header_got == 0 ? "the other side closed the channel"
                                              : "the channel ended inside a message");
        *got += (size_t)n;
        c->last_in_ms = cv_now_ms();
    }
    return 1;
}

/* A login shell that prints a greeting, a command that is not found: show it. */
static int not_convoy(struct cv_chan *c, struct cv_error *err)
{
    char text[CV_MSG_HEADER + 200];
    size_t n = c->header_got;

    memcpy(text, c->header, n);
    ssize_t more = read(c->in, text + n, sizeof text - n - 1);
    n += more > 0 ? (size_t)more : 0;
    for (size_t i = 0; i < n; i++)
        if (!isprint((unsigned char)text[i]))
            text[i] = ' ';
    text[n] = '\0';
    return cv_fail(err, CV_E_PEER, 0, "no convoy answered at the other end, but: %s", text);
}

static int take_header(struct cv_chan *c, struct cv_error *err)
{
    if (c->received == 0 && cv_load32(c->header) != CV_MSG_MAGIC)
        return not_convoy(c, err);
    if (cv_msg_frame_get(c->header, &c->frame, err) < 0)
        return -1;
    if (cv_chan_next(c->state, !c->role, c->frame.type) < 0)
        return cv_fail(err, CV_E_PEER, 0, "the other side may not say %s in state %s", cv_msg_name(c->frame.type),
                       cv_chan_state_name(c->state));
    if (c->frame.sequence != c->received)
        return cv_fail(err, CV_E_PEER, 0, "%s has number %u, expected %u", cv_msg_name(c->frame.type),
                       c->frame.sequence, c->received);
    c->body.len = 0;
    return cv_buf_reserve(&c->body, c->frame.length, err);
}

static int take_body(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err)
{
    if (!cv_frame_check(c->header, c->body.data, c->frame.length, c->seed_in))
        return cv_fail(err, CV_E_PEER, 0, "%s is damaged: its checksum does not match", cv_msg_name(c->frame.type));
    c->body.len = c->frame.length;
    if (cv_msg_decode(c->frame.type, &c->body, m_out, err) < 0)
        return -1;
    c->state = (enum cv_chan_state)cv_chan_next(c->state, !c->role, c->frame.type);
    c->received++;
    c->header_got = c->body_got = 0;
    return 1;
}

static int take_message(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err)
{
    bool fresh = c->header_got < CV_MSG_HEADER;
    /* Text of a shell may be shorter than a header: look at the first bytes as soon as they are there. */
    int rc = fill(c, c->header, CV_MSG_HEADER, &c->header_got, err);

    if (c->received == 0 && c->header_got >= 4 && cv_load32(c->header) != CV_MSG_MAGIC)
        return not_convoy(c, err);
    if (rc <= 0)
        return rc;
    if (fresh && take_header(c, err) < 0)
        return -1;
    rc = fill(c, c->body.data, c->frame.length, &c->body_got, err);
    return rc <= 0 ? rc : take_body(c, m_out, err);
}

int cv_chan_take(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err)
{
    int rc = take_message(c, m_out, err);

    if (rc < 0) { /* out of step with the other side: nothing can follow */
        c->state = CV_CHAN_CLOSED;
        c->header_got = c->body_got = 0;
    }
    return rc;
}

int cv_chan_wait(struct cv_chan *c, bool read, int64_t until_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct pollfd p[3] = { { .fd = read ? c->in : -1, .events = POLLIN },
                           { .fd = c->pending_done < c->pending.len ? c->out : -1, .events = POLLOUT },
                           { .fd = cancel ? cancel->fd : -1, .events = POLLIN } };
    int64_t left = until_ms == CV_NEVER ? 60000 : until_ms - cv_now_ms();

    if (poll(p, 3, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
        return cv_fail(err, CV_E_IO, errno, "poll");
    return cv_cancel_check(cancel, err);
}
