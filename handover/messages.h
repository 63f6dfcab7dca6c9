/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages: types, codec, and the table of what may follow what.  Pure: no descriptors, no time. */
#ifndef CONVOY_HANDOVER_MESSAGES_H
#define CONVOY_HANDOVER_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "handover/messages.def"

#define CV_PROTOCOL_MIN 1
#define CV_PROTOCOL_MAX 1
#define CV_PROTOCOL_FEATURES 0u
#define CV_MSG_STR_MAX 4095u  /* bytes of a str without its 0 */
#define CV_MSG_STRS_MAX 4096u /* strings in a strs */

#define CV_MSG_HEADER 24u        /* magic u32, type u16, 0 u16, body length u32, sequence u32, checksum u64 */
#define CV_MSG_MAGIC 0x316d7663u /* "cvm1" */

enum cv_msg_type {
#define M(NAME, name, id, from, max) CV_MSG_##NAME = id,
    CV_MESSAGES(M)
#undef M
        CV_MSG_TYPES
};

enum cv_refusal {
#define R(NAME, number, text) CV_REFUSE_##NAME = number,
    CV_REFUSALS(R)
#undef R
};
const char *cv_refusal_text(uint32_t code); /* "unknown reason" for a number of the future */

enum { CV_PEER_SOURCE = 0, CV_PEER_DESTINATION = 1 };
enum { CV_OFFER_LIVE = 1, CV_OFFER_CHECK = 2 /* judge it, and that is all */ };
enum { CV_DST_PREPARING = 0, CV_DST_RECEIVING = 1, CV_DST_LOADING = 2 };
/* clang-format off */
enum cv_answer {
    CV_ANSWER_RUNNING = 1, CV_ANSWER_ABORTED = 2, CV_ANSWER_GONE = 3, CV_ANSWER_NEVER = 4, CV_ANSWER_STUCK = 5,
    CV_ANSWER_BUSY = 6,                          /* the receiver is still alive: ask again */
};
/* clang-format on */

/* A list of strings inside a message; { 0 } is the empty one. */
struct cv_strs {
    uint32_t count;
    const uint8_t *data;
    size_t len;
};
/* The next string, borrowed and terminated, NULL at the end: for (struct cv_strs s = list; (t = cv_strs_next(&s));) */
const char *cv_strs_next(struct cv_strs *s);
/* Appends the encoding of one string to what a cv_strs to be sent shall point at. */
int cv_strs_append(struct cv_buf *b, struct cv_strs *s, const char *text, struct cv_error *err) CV_CHECKED;

struct cv_blob {
    const void *data;
    size_t len;
};

typedef uint16_t cv_msg_u16;
typedef uint32_t cv_msg_u32;
typedef uint64_t cv_msg_u64;
typedef struct {
    uint8_t b[16];
} cv_msg_id;
typedef const char *cv_msg_str; /* NULL is sent as "" */
typedef struct cv_blob cv_msg_blob;
typedef struct cv_strs cv_msg_strs;

#define F(t, n) cv_msg_##t n;
struct cv_msg_hello {
    CV_HELLO_FIELDS(F)
};
struct cv_msg_offer {
    CV_OFFER_FIELDS(F)
};
struct cv_msg_accept {
    CV_ACCEPT_FIELDS(F)
};
struct cv_msg_refuse {
    CV_REFUSE_FIELDS(F)
};
struct cv_msg_progress {
    CV_PROGRESS_FIELDS(F)
};
struct cv_msg_ready {
    CV_READY_FIELDS(F)
};
struct cv_msg_commit {
    CV_COMMIT_FIELDS(F)
};
struct cv_msg_running {
    CV_RUNNING_FIELDS(F)
};
struct cv_msg_failed {
    CV_FAILED_FIELDS(F)
};
struct cv_msg_abort {
    CV_ABORT_FIELDS(F)
};
struct cv_msg_done {
    CV_DONE_FIELDS(F)
};
struct cv_msg_query {
    CV_QUERY_FIELDS(F)
};
struct cv_msg_answer {
    CV_ANSWER_FIELDS(F)
};
#undef F

/* { 0 } is empty.  A received message owns its body; strings, blobs and lists point into it. */
struct cv_msg {
    enum cv_msg_type type;
    union {
        struct cv_msg_hello hello;
        struct cv_msg_offer offer;
        struct cv_msg_accept accept;
        struct cv_msg_refuse refuse;
        struct cv_msg_progress progress;
        struct cv_msg_ready ready;
        struct cv_msg_commit commit;
        struct cv_msg_running running;
        struct cv_msg_failed failed;
        struct cv_msg_abort abort;
        struct cv_msg_done done;
        struct cv_msg_query query;
        struct cv_msg_answer answer;
    };
    struct cv_buf body;
};
void cv_msg_dispose(struct cv_msg *m); /* twice is safe */

const char *cv_msg_name(uint32_t type); /* "?" if unknown */
/* Largest body of this type, or 0 with *known_out false. */
uint32_t cv_msg_max(uint32_t type, bool *known_out);

/* Body of m to the end of out.  CV_E_INVALID: a string or list is too long, or the whole. */
int cv_msg_encode(const struct cv_msg *m, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
/* type: checked against the list.  *body is taken (becomes empty) on success.  Everything is checked, nothing may be
 * left over (but in HELLO, where later versions may append).  CV_E_PEER. */
int cv_msg_decode(uint32_t type, struct cv_buf *body, struct cv_msg *m_out, struct cv_error *err) CV_CHECKED;

/* Header of a frame.  seed: 0 until both HELLOs were exchanged, then from the migration id and the direction, so
 * that a frame of another connection, or one's own reflected, never passes. */
struct cv_msg_frame {
    uint16_t type;
    uint32_t length, sequence;
};
void cv_msg_frame_put(uint8_t header[CV_MSG_HEADER], const struct cv_msg_frame *f, const void *body, uint64_t seed);
/* Before the body is read: magic, reserved bits, type, length.  CV_E_PEER. */
int cv_msg_frame_get(const uint8_t header[CV_MSG_HEADER], struct cv_msg_frame *f_out, struct cv_error *err) CV_CHECKED;
bool cv_frame_check(const uint8_t header[CV_MSG_HEADER], const void *body, size_t len, uint64_t seed);
uint64_t cv_frame_seed(const uint8_t migration[16], int from_role);

/* ---- what may follow what ------------------------------------------------------------------------------------ */
/* clang-format off */
enum cv_chan_state {
    CV_CHAN_START, CV_CHAN_HEARD, CV_CHAN_AGREED, CV_CHAN_OFFERED,
    CV_CHAN_STREAM,        /* source to destination: the raw stream, up to its END; the other way: messages */
    CV_CHAN_LOADING, CV_CHAN_READY, CV_CHAN_COMMITTED, CV_CHAN_ASKED, CV_CHAN_SETTLED, CV_CHAN_CLOSED,
    CV_CHAN_STATES
};
/* clang-format on */
const char *cv_chan_state_name(enum cv_chan_state state);
/* The state after role says type, or -1: it may not. */
int cv_chan_next(enum cv_chan_state state, int role, uint32_t type);

#endif
