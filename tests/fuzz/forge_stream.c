/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "stream-format/bodies.h"
#include "tests/fuzz/forge.h"
#include "tests/support/raw_stream.h"

/* Where a record's JSON lies, and the field that holds its length (docs/stream-format.md). */
static bool json_of(const struct raw_record *r, size_t *at, size_t *length_at)
{
    const uint8_t *d = r->body.data;
    size_t len = r->body.len;

    *at = 0;
    if (r->type == CV_REC_HOST && len >= 24) {
        *at = 24, *length_at = 12;
    } else if (r->type == CV_REC_GUEST && len >= 32) {
        *at = 32, *length_at = 24;
    } else if (r->type == CV_REC_LAYOUT && len >= 16 && cv_load32(d + 4) <= CV_EMULATORS_MAX) {
        *at = 16 + 8 * (size_t)cv_load32(d + 4), *length_at = 8;
    }
    return *at > 0 && *at <= len && cv_load32(d + *length_at) <= len - *at;
}

static void set_body(struct raw_record *r, struct cv_buf *body)
{
    cv_buf_dispose(&r->body);
    r->body = cv_buf_take(body);
}

static void put(struct cv_buf *out, const void *data, size_t len)
{
    if (cv_buf_append(out, data, len, NULL) < 0)
        abort();
}

static bool change_json(struct raw_record *rec, struct rng *r)
{
    struct cv_buf body = { 0 }, text = { 0 };
    size_t at, length_at;

    if (!json_of(rec, &at, &length_at))
        return false;
    size_t old = cv_load32(rec->body.data + length_at);
    forge_json((const char *)rec->body.data + at, old, &text, r);
    put(&body, rec->body.data, at);
    put(&body, text.data ? text.data : (uint8_t *)"", text.len);
    put(&body, rec->body.data + at + old, rec->body.len - at - old);
    cv_store32(body.data + length_at, (uint32_t)text.len);
    cv_buf_dispose(&text);
    set_body(rec, &body);
    return true;
}

static void change_number(uint8_t *d, size_t n, struct rng *r)
{
    static const uint32_t narrow[] = { 0,    1,    0xffffffff, 0x7fffffff, 0x80000000, 0xfffffff8,
                                       2048, 2049, 4096,       65536,      128,        129 };
    static const uint64_t wide[] = { 0,
                                     UINT64_MAX,
                                     INT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_C(1) << 40,
                                     (UINT64_C(1) << 40) - 1,
                                     UINT64_C(1) << 36,
                                     UINT64_C(1) << 52 };

    if (n >= 8 && rng_below(r, 2) == 0)
        cv_store64(d + (rng_below(r, n - 7) & ~UINT64_C(7)), wide[rng_below(r, sizeof wide / sizeof wide[0])]);
    else if (n >= 4)
        cv_store32(d + (rng_below(r, n - 3) & ~UINT64_C(3)), narrow[rng_below(r, sizeof narrow / sizeof narrow[0])]);
}

static void change_bytes(struct raw_record *rec, struct rng *r)
{
    size_t n = rec->body.len, cap = n + 64;
    uint8_t *d = calloc(1, cap);
    struct cv_buf body = { 0 };

    if (d == NULL)
        abort();
    if (n > 0)
        memcpy(d, rec->body.data, n);
    switch (rng_below(r, 4)) {
    case 0:
    case 1: change_number(d, n, r); break;
    case 2:
        if (n > 0)
            d[rng_below(r, n)] ^= (uint8_t)(1u << rng_below(r, 8));
        break;
    default: n = LLVMFuzzerMutate(d, n, cap); break;
    }
    put(&body, d, n);
    free(d);
    set_body(rec, &body);
}

/* These records' tags repeat what their bodies begin with. */
static void mend_tag(struct raw_record *rec, struct rng *r)
{
    bool tagged = rec->type == CV_REC_PAGES || rec->type == CV_REC_PASS_END || rec->type == CV_REC_DEVICE_STATE;

    if (tagged && rec->body.len >= 4 && rng_below(r, 8) != 0)
        rec->tag = cv_load32(rec->body.data);
}

static void change_record(struct raw_record *rec, struct rng *r)
{
    if (rng_below(r, 10) >= 7 || !change_json(rec, r))
        change_bytes(rec, r);
    mend_tag(rec, r);
}

static void change_stream(struct raw_stream *s, struct rng *r)
{
    static const uint32_t types[] = { 0x80000001, 0x80001234, CV_REC_INDEX, CV_REC_NOTE, CV_REC_XENSTORE, 0x23, 6 };
    size_t i = (size_t)rng_below(r, s->count), j = (size_t)rng_below(r, s->count);
    struct raw_record *rec = &s->record[i];

    switch (rng_below(r, 16)) {
    case 0:
        if (s->count > 1)
            raw_remove(s, i);
        break;
    case 1:
        if (s->count + 1 < RAW_RECORDS_MAX && rec->body.len > 0)
            raw_insert(s, j, rec->type, rec->tag, rec->body.data, rec->body.len);
        break;
    case 2:
        if (i != j)
            raw_swap(s, i, j);
        break;
    case 3: rec->type = types[rng_below(r, sizeof types / sizeof types[0])]; break;
    default: change_record(rec, r); break;
    }
}

size_t forge_stream(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    struct rng r = rng_seed(seed);
    struct cv_buf out = { 0 };
    size_t n = 0;

    if (s == NULL)
        abort();
    if (raw_parse(s, data, size) == 0 && s->count > 0) {
        for (unsigned k = 1 + (unsigned)rng_below(&r, 3); k > 0 && s->count > 0; k--)
            change_stream(s, &r);
        raw_emit(s, &out);
        n = out.len <= max ? out.len : 0;
        if (n > 0)
            memcpy(data, out.data, n);
    }
    cv_buf_dispose(&out);
    raw_dispose(s);
    free(s);
    return n > 0 ? n : LLVMFuzzerMutate(data, size, max);
}
