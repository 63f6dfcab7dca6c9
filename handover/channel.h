/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control channel: messages over any two descriptors (ssh's pipes, a socket), straight-line use.
 * It reads never more than one message, so that the raw stream can follow on the same descriptor: between ACCEPT and
 * the stream's END the source writes its cv_writer straight to chan->out and the destination reads with a cv_reader
 * straight from chan->in; the other direction carries messages all the time.
 * One thread.  Spec: docs/migrate-protocol.md, parts 2 to 4. */
#ifndef CONVOY_HANDOVER_CHANNEL_H
#define CONVOY_HANDOVER_CHANNEL_H

#include "base/cancel.h"
#include "handover/messages.h"

#define CV_KEEPALIVE_MS 2000
#define CV_SILENCE_MS 30000

struct cv_chan {
    int in, out; /* borrowed, may be the same; made non-blocking until dispose */
    int role;    /* CV_PEER_*: who we are */
    enum cv_chan_state state;
    int64_t keepalive_ms; /* we send something at least so often while we wait or tick */
    int64_t silence_ms;   /* nothing heard for so long while we wait: CV_E_PEER */
    /* private */
    uint32_t sent, received; /* sequence numbers of the next frame each way */
    uint64_t seed_out, seed_in;
    uint8_t migration[16];
    int64_t last_out_ms, last_in_ms;
    struct cv_buf pending; /* frames that did not fit into the descriptor yet */
    size_t pending_done;
    uint8_t header[CV_MSG_HEADER]; /* of the frame that is coming in */
    size_t header_got, body_got;
    struct cv_msg_frame frame;
    struct cv_buf body;
    int old_in, old_out; /* file status flags */
};

/* Borrows the descriptors.  Errors: CV_E_IO. */
int cv_chan_init(struct cv_chan *c, int in, int out, int role, struct cv_error *err) CV_CHECKED;
void cv_chan_dispose(struct cv_chan *c); /* after init only; twice is safe; closes nothing */

/* Sends m.  Returns when all of it was written: that says nothing about its arrival, and -1 says nothing either once
 * a byte was written.  Errors: CV_E_INTERNAL (may not be said now), CV_E_PEER (closed), CV_E_TIMEOUT, CV_E_CANCELLED.
 */
int cv_chan_send(struct cv_chan *c, const struct cv_msg *m, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err) CV_CHECKED;
/* Waits for the next message but KEEPALIVE; sends keep-alives meanwhile.  *m_out: caller disposes, untouched on error.
 * Errors: CV_E_PEER (closed, silent, damaged, out of order, no convoy there), CV_E_TIMEOUT, CV_E_CANCELLED. */
int cv_chan_recv(struct cv_chan *c, struct cv_msg *m_out, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err) CV_CHECKED;
/* The same without waiting: 1 a message, 0 none yet, -1.  For the source between passes: hears PROGRESS and FAILED. */
int cv_chan_poll(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err) CV_CHECKED;
/* To be called at least every second by whoever works long without waiting: keep-alives, never blocks. */
int cv_chan_tick(struct cv_chan *c, struct cv_error *err) CV_CHECKED;
/* Both ends: END was written, or read. */
void cv_chan_stream_ended(struct cv_chan *c);

/* What to say to the user when the peer said REFUSE, FAILED or ABORT in place of what was hoped for. Returns -1. */
int cv_chan_refused(const struct cv_msg *m, struct cv_error *err);

/* ---- the opening ------------------------------------------------------------------------------------------------ */
/* The source's: sends mine, hears theirs (*theirs_out: caller disposes), checks role, versions, features, migration.
 * Errors: CV_E_UNSUPPORTED (no common version or feature; REFUSE), CV_E_PEER and so on. */
int cv_chan_hello_source(struct cv_chan *c, const struct cv_msg_hello *mine, struct cv_msg *theirs_out,
                         int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;
/* The destination's: hears theirs, refuses or answers with mine (migration and guest are filled in from theirs). */
int cv_chan_hello_destination(struct cv_chan *c, const struct cv_msg_hello *mine, struct cv_msg *theirs_out,
                              int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;
/* The version that two ranges have in common, or 0. */
unsigned cv_chan_version(unsigned min_a, unsigned max_a, unsigned min_b, unsigned max_b);

#endif
