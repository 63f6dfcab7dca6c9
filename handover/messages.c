/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover/messages.h"

#include <string.h>
#include <xxhash.h>

/* ---- tables from messages.def ---------------------------------------------------------------------------------- */

/* clang-format off */
static const struct { const char *name; uint32_t max; } types[CV_MSG_TYPES] = {
#define M(NAME, name_, id, from, max_) [id] = { .name = #NAME, .max = max_ },
    CV_MESSAGES(M)
#undef M
};
/* clang-format on */

const char *cv_msg_name(uint32_t type) { return type < CV_MSG_TYPES && types[type].name ? types[type].name : "?"; }

uint32_t cv_msg_max(uint32_t type, bool *known_out)
{
    *known_out = type < CV_MSG_TYPES && types[type].name != NULL;
    return *known_out ? types[type].max : 0;
}

const char *cv_refusal_text(uint32_t code)
{
    switch (code) {
#define R(NAME, number, text) \
    case number: return text;
        CV_REFUSALS(R)
#undef R
    default: return "unknown reason";
    }
}

const char *cv_chan_state_name(enum cv_chan_state state)
{
    static const char *const names[CV_CHAN_STATES] = {
        "START", "HEARD", "AGREED", "OFFERED", "STREAM", "LOADING", "READY", "COMMITTED", "ASKED", "SETTLED", "CLOSED",
    };
    return state < CV_CHAN_STATES ? names[state] : "?";
}

enum { FROM_S = CV_PEER_SOURCE, FROM_D = CV_PEER_DESTINATION };

static const struct {
    uint8_t state, from, type, next;
} allowed[] = {
#define A(st, from_, NAME, nx) { CV_CHAN_##st, FROM_##from_, CV_MSG_##NAME, CV_CHAN_##nx },
    CV_ALLOWED(A)
#undef A
};

/* The source is silent from OFFER on: what it says while ACCEPT is on its way would lie in front of the raw stream. */
static bool may_keep_alive(enum cv_chan_state state, int role)
{
    return state != CV_CHAN_START && state != CV_CHAN_HEARD && state != CV_CHAN_CLOSED &&
           ((state != CV_CHAN_OFFERED && state != CV_CHAN_STREAM) || role == CV_PEER_DESTINATION);
}

int cv_chan_next(enum cv_chan_state state, int role, uint32_t type)
{
    if (type == CV_MSG_KEEPALIVE)
        return may_keep_alive(state, role) ? (int)state : -1;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (allowed[i].state == state && allowed[i].from == role && allowed[i].type == type)
            return allowed[i].next;
    return -1;
}

/* ---- strings and lists ------------------------------------------------------------------------------------------- */

static const char *get_str(struct cv_cursor *c)
{
    uint32_t len = cv_cur_u32(c);
    if (len > CV_MSG_STR_MAX) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = cv_cur_bytes(c, (size_t)len + 1);
    if (p == NULL)
        return NULL;
    if (memchr(p, 0, (size_t)len + 1) != p + len)
        c->bad = true;
    return (const char *)p;
}

static int put_str(struct cv_buf *b, const char *text, struct cv_error *err)
{
    size_t len = text ? strlen(text) : 0;

    if (len > CV_MSG_STR_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "string of %zu bytes in a message, at most %u fit", len, CV_MSG_STR_MAX);
    if (cv_buf_put_u32(b, (uint32_t)len, err) < 0)
        return -1;
    return cv_buf_append(b, text ? text : "", len + 1, err);
}

const char *cv_strs_next(struct cv_strs *s)
{
    struct cv_cursor c = cv_cursor(s->data, s->len);

    if (s->count == 0)
        return NULL;
    const char *text = get_str(&c);
    s->count = c.bad ? 0 : s->count - 1;
    s->data = c.p;
    s->len = c.left;
    return c.bad ? NULL : text;
}

int cv_strs_append(struct cv_buf *b, struct cv_strs *s, const char *text, struct cv_error *err)
{
    if (s->count == CV_MSG_STRS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "more than %u strings in a message", CV_MSG_STRS_MAX);
    if (put_str(b, text, err) < 0)
        return -1;
    s->count++;
    s->data = b->data;
    s->len = b->len;
    return 0;
}

/* ---- fields ---- */

static void get_u16(struct cv_cursor *c, cv_msg_u16 *v) { *v = cv_cur_u16(c); }
static void get_u32(struct cv_cursor *c, cv_msg_u32 *v) { *v = cv_cur_u32(c); }
static void get_u64(struct cv_cursor *c, cv_msg_u64 *v) { *v = cv_cur_u64(c); }

static void get_id(struct cv_cursor *c, cv_msg_id *v)
{
    const uint8_t *p = cv_cur_bytes(c, sizeof v->b);
    if (p != NULL)
        memcpy(v->b, p, sizeof v->b);
}

static void get_blob(struct cv_cursor *c, cv_msg_blob *v)
{
    v->len = cv_cur_u32(c);
    v->data = cv_cur_bytes(c, v->len);
}

/* Walks the whole list once, so that iterating later cannot fail. */
static void get_strs(struct cv_cursor *c, cv_msg_strs *v)
{
    v->count = cv_cur_u32(c);
    v->data = c->p;
    c->bad |= v->count > CV_MSG_STRS_MAX;
    for (uint32_t i = 0; i < v->count && !c->bad; i++)
        get_str(c);
    v->len = c->bad ? 0 : (size_t)(c->p - v->data);
}

static int put_u16(struct cv_buf *b, cv_msg_u16 v, struct cv_error *err) { return cv_buf_put_u16(b, v, err); }
static int put_u32(struct cv_buf *b, cv_msg_u32 v, struct cv_error *err) { return cv_buf_put_u32(b, v, err); }
static int put_u64(struct cv_buf *b, cv_msg_u64 v, struct cv_error *err) { return cv_buf_put_u64(b, v, err); }
static int put_id(struct cv_buf *b, cv_msg_id v, struct cv_error *err)
{
    return cv_buf_append(b, v.b, sizeof v.b, err);
}

static int put_blob(struct cv_buf *b, cv_msg_blob v, struct cv_error *err)
{
    if (v.len > UINT32_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "%zu bytes in a message", v.len);
    return cv_buf_put_u32(b, (uint32_t)v.len, err) < 0 ? -1 : cv_buf_append(b, v.data, v.len, err);
}

static int put_strs(struct cv_buf *b, cv_msg_strs v, struct cv_error *err)
{
    return cv_buf_put_u32(b, v.count, err) < 0 ? -1 : cv_buf_append(b, v.data, v.len, err);
}

/* One pair of functions for each message, from its list of fields. */
#define GET_str(c, v) (v) = get_str(c)
#define GET_u16(c, v) get_u16(c, &(v))
#define GET_u32(c, v) get_u32(c, &(v))
#define GET_u64(c, v) get_u64(c, &(v))
#define GET_id(c, v) get_id(c, &(v))
#define GET_blob(c, v) get_blob(c, &(v))
#define GET_strs(c, v) get_strs(c, &(v))
#define F_GET(t, n) GET_##t(c, v->n);
#define F_PUT(t, n) rc = rc < 0 ? rc : put_##t(b, v->n, err);
#define CODEC(name, FIELDS)                                                                      \
    static void name##_get(struct cv_cursor *c, struct cv_msg_##name *v) { FIELDS(F_GET) }       \
    static int name##_put(struct cv_buf *b, const struct cv_msg_##name *v, struct cv_error *err) \
    {                                                                                            \
        int rc = 0;                                                                              \
        FIELDS(F_PUT)                                                                            \
        return rc;                                                                               \
    }

CODEC(hello, CV_HELLO_FIELDS)
CODEC(offer, CV_OFFER_FIELDS)
CODEC(accept, CV_ACCEPT_FIELDS)
CODEC(refuse, CV_REFUSE_FIELDS)
CODEC(progress, CV_PROGRESS_FIELDS)
CODEC(ready, CV_READY_FIELDS)
CODEC(commit, CV_COMMIT_FIELDS)
CODEC(running, CV_RUNNING_FIELDS)
CODEC(failed, CV_FAILED_FIELDS)
CODEC(abort, CV_ABORT_FIELDS)
CODEC(done, CV_DONE_FIELDS)
CODEC(query, CV_QUERY_FIELDS)
CODEC(answer, CV_ANSWER_FIELDS)

static int put_fields(const struct cv_msg *m, struct cv_buf *out, struct cv_error *err)
{
    switch (m->type) {
    case CV_MSG_HELLO: return hello_put(out, &m->hello, err);
    case CV_MSG_OFFER: return offer_put(out, &m->offer, err);
    case CV_MSG_ACCEPT: return accept_put(out, &m->accept, err);
    case CV_MSG_REFUSE: return refuse_put(out, &m->refuse, err);
    case CV_MSG_PROGRESS: return progress_put(out, &m->progress, err);
    case CV_MSG_KEEPALIVE: return 0;
    case CV_MSG_READY: return ready_put(out, &m->ready, err);
    case CV_MSG_COMMIT: return commit_put(out, &m->commit, err);
    case CV_MSG_RUNNING: return running_put(out, &m->running, err);
    case CV_MSG_FAILED: return failed_put(out, &m->failed, err);
    case CV_MSG_ABORT: return abort_put(out, &m->abort, err);
    case CV_MSG_DONE: return done_put(out, &m->done, err);
    case CV_MSG_QUERY: return query_put(out, &m->query, err);
    case CV_MSG_ANSWER: return answer_put(out, &m->answer, err);
    case CV_MSG_TYPES: break;
    }
    return cv_fail(err, CV_E_INTERNAL, 0, "no message of type %d", (int)m->type);
}

static void get_fields(struct cv_msg *m, struct cv_cursor *c)
{
    switch (m->type) {
    case CV_MSG_HELLO: hello_get(c, &m->hello); break;
    case CV_MSG_OFFER: offer_get(c, &m->offer); break;
    case CV_MSG_ACCEPT: accept_get(c, &m->accept); break;
    case CV_MSG_REFUSE: refuse_get(c, &m->refuse); break;
    case CV_MSG_PROGRESS: progress_get(c, &m->progress); break;
    case CV_MSG_KEEPALIVE: break;
    case CV_MSG_READY: ready_get(c, &m->ready); break;
    case CV_MSG_COMMIT: commit_get(c, &m->commit); break;
    case CV_MSG_RUNNING: running_get(c, &m->running); break;
    case CV_MSG_FAILED: failed_get(c, &m->failed); break;
    case CV_MSG_ABORT: abort_get(c, &m->abort); break;
    case CV_MSG_DONE: done_get(c, &m->done); break;
    case CV_MSG_QUERY: query_get(c, &m->query); break;
    case CV_MSG_ANSWER: answer_get(c, &m->answer); break;
    case CV_MSG_TYPES: c->bad = true; break;
    }
}

int cv_msg_encode(const struct cv_msg *m, struct cv_buf *out, struct cv_error *err)
{
    size_t before = out->len;
    bool known;

    if (put_fields(m, out, err) < 0)
        return -1;
    if (out->len - before > cv_msg_max(m->type, &known))
        return cv_fail(err, CV_E_INVALID, 0, "%s of %zu bytes, at most %u are possible", cv_msg_name(m->type),
                       out->len - before, cv_msg_max(m->type, &known));
    return 0;
}

int cv_msg_decode(uint32_t type, struct cv_buf *body, struct cv_msg *m_out, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body->data, body->len);
    struct cv_msg m = { .type = (enum cv_msg_type)type };
    bool known;

    if (body->len > cv_msg_max(type, &known) || !known)
        return cv_fail(err, CV_E_PEER, 0, "message of type %u with %zu bytes", type, body->len);
    get_fields(&m, &c);
    if (!cv_cur_ok(&c))
        return cv_fail(err, CV_E_PEER, 0, "%s of %zu bytes: a field is cut short or too long", cv_msg_name(type),
                       body->len);
    if (c.left != 0 && type != CV_MSG_HELLO)
        return cv_fail(err, CV_E_PEER, 0, "%s: %zu bytes too many", cv_msg_name(type), c.left);
    m.body = cv_buf_take(body);
    *m_out = m;
    return 0;
}

void cv_msg_dispose(struct cv_msg *m)
{
    cv_buf_dispose(&m->body);
    *m = (struct cv_msg){ 0 };
}

/* ---- frames ---- */

static uint64_t checksum(const uint8_t header[CV_MSG_HEADER], const void *body, size_t len, uint64_t seed)
{
    return XXH64(body, len, XXH64(header, CV_MSG_HEADER - 8, seed));
}

void cv_msg_frame_put(uint8_t header[CV_MSG_HEADER], const struct cv_msg_frame *f, const void *body, uint64_t seed)
{
    cv_store32(header, CV_MSG_MAGIC);
    cv_store16(header + 4, f->type);
    cv_store16(header + 6, 0);
    cv_store32(header + 8, f->length);
    cv_store32(header + 12, f->sequence);
    cv_store64(header + 16, checksum(header, body, f->length, seed));
}

int cv_msg_frame_get(const uint8_t header[CV_MSG_HEADER], struct cv_msg_frame *f_out, struct cv_error *err)
{
    struct cv_msg_frame f = { cv_load16(header + 4), cv_load32(header + 8), cv_load32(header + 12) };
    bool known;

    if (cv_load32(header) != CV_MSG_MAGIC)
        return cv_fail(err, CV_E_PEER, 0, "what came is not a message of convoy's protocol");
    uint32_t max = cv_msg_max(f.type, &known);
    if (!known)
        return cv_fail(err, CV_E_PEER, 0, "message of unknown type %u", f.type);
    if (cv_load16(header + 6) != 0)
        return cv_fail(err, CV_E_PEER, 0, "%s with reserved bits set", cv_msg_name(f.type));
    if (f.length > max)
        return cv_fail(err, CV_E_PEER, 0, "%s of %u bytes, at most %u are possible", cv_msg_name(f.type), f.length,
                       max);
    *f_out = f;
    return 0;
}

bool cv_frame_check(const uint8_t header[CV_MSG_HEADER], const void *body, size_t len, uint64_t seed)
{
    return cv_load64(header + 16) == checksum(header, body, len, seed);
}

uint64_t cv_frame_seed(const uint8_t migration[16], int from_role)
{
    return cv_load64(migration) ^ cv_load64(migration + 8) * 3 ^ (from_role == CV_PEER_SOURCE ? 0x53u : 0x44u);
}
