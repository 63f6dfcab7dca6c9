/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/pages_codec.h"

#include <inttypes.h>
#include <string.h>

#include <zstd.h>

#include "base/bytes.h"
#include "memory/pipeline.h"

#define KIND_BITS 3

/* ---- writing ---- */

static uint8_t *put_run(uint8_t *p, enum cv_run_kind kind, uint64_t length)
{
    uint64_t v = length << KIND_BITS | (uint64_t)kind;

    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

uint32_t cv_pages_put_runs(const uint64_t *pfns, const uint8_t *kinds, size_t n, uint8_t *runs)
{
    uint8_t *p = runs;

    for (size_t i = 0; i < n;) {
        size_t start = i++;
        while (i < n && kinds[i] == kinds[start] && pfns[i] == pfns[i - 1] + 1)
            i++;
        p = put_run(p, (enum cv_run_kind)kinds[start], i - start);
        if (i < n && pfns[i] != pfns[i - 1] + 1)
            p = put_run(p, CV_RUN_SKIP, pfns[i] - pfns[i - 1] - 1);
    }
    return (uint32_t)(p - runs);
}

void cv_pages_put_header(const struct cv_pages *p, uint8_t *header)
{
    const struct cv_pages_head head = { .pass = p->pass,
                                        .codec = p->codec,
                                        .first_pfn = p->first_pfn,
                                        .span = p->span,
                                        .runs_length = p->runs_length,
                                        .data_pages = p->data_pages,
                                        .raw_length = p->raw_length,
                                        .payload_length = p->payload_length };

    cv_pages_head_encode(&head, header);
}

/* ---- reading ---- */

static int check_payload_sizes(const struct cv_pages *p, struct cv_error *err)
{
    if (p->data_pages > CV_PAGES_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "%" PRIu32 " data pages, more than %u", p->data_pages, CV_PAGES_MAX);
    if (p->raw_length != p->data_pages * CV_PAGE_SIZE)
        return cv_fail(err, CV_E_STREAM, 0, "raw length %" PRIu32 " for %" PRIu32 " data pages", p->raw_length,
                       p->data_pages);
    switch (p->codec) {
    case CV_CODEC_NONE:
        if (p->payload_length != p->raw_length)
            return cv_fail(err, CV_E_STREAM, 0, "plain payload of %" PRIu32 " bytes instead of %" PRIu32,
                           p->payload_length, p->raw_length);
        return 0;
    case CV_CODEC_ZSTD:
        if (p->payload_length == 0 || p->payload_length >= p->raw_length)
            return cv_fail(err, CV_E_STREAM, 0, "zstd payload of %" PRIu32 " bytes for %" PRIu32, p->payload_length,
                           p->raw_length);
        return 0;
    default: return cv_fail(err, CV_E_STREAM, 0, "unknown codec %u", p->codec);
    }
}

int cv_pages_peek(const void *body, size_t len, uint64_t max_pfn, struct cv_pages *out, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);
    struct cv_pages p = { .pass = cv_cur_u32(&c), .codec = cv_cur_u8(&c) };
    uint8_t flags = cv_cur_u8(&c);
    uint16_t reserved = cv_cur_u16(&c);

    p.first_pfn = cv_cur_u64(&c);
    p.span = cv_cur_u64(&c);
    p.runs_length = cv_cur_u32(&c);
    p.data_pages = cv_cur_u32(&c);
    p.raw_length = cv_cur_u32(&c);
    p.payload_length = cv_cur_u32(&c);
    if (!cv_cur_ok(&c))
        return cv_fail(err, CV_E_STREAM, 0, "%zu bytes are too short for a list of pages", len);
    if (flags != 0 || reserved != 0)
        return cv_fail(err, CV_E_STREAM, 0, "reserved fields are not zero");
    if (p.span == 0 || p.span > max_pfn || p.first_pfn > max_pfn - p.span)
        return cv_fail(err, CV_E_STREAM, 0, "%" PRIu64 " pages from pfn %#" PRIx64 " on do not lie below %#" PRIx64,
                       p.span, p.first_pfn, max_pfn);
    if (p.runs_length == 0 || p.runs_length > CV_PAGES_RUNS_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "run table of %" PRIu32 " bytes", p.runs_length);
    if (check_payload_sizes(&p, err) < 0)
        return -1;
    if (c.left != (uint64_t)p.runs_length + p.payload_length)
        return cv_fail(err, CV_E_STREAM, 0, "%zu bytes after the fixed part instead of %" PRIu64, c.left,
                       (uint64_t)p.runs_length + p.payload_length);
    p.runs = cv_cur_bytes(&c, p.runs_length);
    p.payload = cv_cur_bytes(&c, p.payload_length);
    *out = p;
    return 0;
}

/* One run in the shortest form, or false. */
static bool get_run(const uint8_t *runs, uint32_t len, uint32_t *offset, enum cv_run_kind *kind, uint64_t *length)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 56 && *offset < len; shift += 7) {
        uint8_t byte = runs[(*offset)++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        *kind = (enum cv_run_kind)(v & ((1u << KIND_BITS) - 1));
        *length = v >> KIND_BITS;
        return byte != 0 || shift == 0;
    }
    return false;
}

/* One pass over the table that makes cv_pages_next_run safe without checks of its own. */
int cv_pages_check_runs(struct cv_pages *p, struct cv_error *err)
{
    enum cv_run_kind kind = CV_RUN_SKIP, before = CV_RUN_SKIP;
    uint64_t length, left = p->span;

    for (uint32_t offset = 0; offset < p->runs_length; before = kind) {
        if (!get_run(p->runs, p->runs_length, &offset, &kind, &length) || kind >= CV_RUN_KINDS || length == 0)
            return cv_fail(err, CV_E_STREAM, 0, "malformed run before byte %" PRIu32 " of the run table", offset);
        if (kind == before)
            return cv_fail(err, CV_E_STREAM, 0, "run before byte %" PRIu32 " of the run table follows one of its kind",
                           offset);
        if (length > left)
            return cv_fail(err, CV_E_STREAM, 0, "the runs are longer than %" PRIu64 " pages", p->span);
        left -= length;
        if (kind == CV_RUN_SKIP)
            continue;
        if (length > CV_PAGES_MAX - p->listed)
            return cv_fail(err, CV_E_STREAM, 0, "more than %u pages listed", CV_PAGES_MAX);
        p->listed += (uint32_t)length;
        p->counts[kind] += (uint32_t)length;
    }
    if (kind == CV_RUN_SKIP)
        return cv_fail(err, CV_E_STREAM, 0, "the last run skips pages");
    if (left != 0 || p->counts[CV_RUN_DATA] != p->data_pages)
        return cv_fail(err, CV_E_STREAM, 0, "the runs do not add up to %" PRIu64 " pages, %" PRIu32 " of them data",
                       p->span, p->data_pages);
    return 0;
}

int cv_pages_decode(const void *body, size_t len, uint64_t max_pfn, struct cv_pages *out, struct cv_error *err)
{
    struct cv_pages p;

    if (cv_pages_peek(body, len, max_pfn, &p, err) < 0 || cv_pages_check_runs(&p, err) < 0)
        return -1;
    *out = p;
    return 0;
}

bool cv_pages_next_run(const struct cv_pages *p, struct cv_run_walk *at, struct cv_run *out)
{
    enum cv_run_kind kind;
    uint64_t length;

    if (at->offset == 0)
        at->pfn = p->first_pfn;
    while (at->offset < p->runs_length && get_run(p->runs, p->runs_length, &at->offset, &kind, &length)) {
        uint64_t pfn = at->pfn;
        at->pfn += length;
        if (kind == CV_RUN_SKIP)
            continue;
        *out = (struct cv_run){ .kind = kind, .pfn = pfn, .length = length };
        return true;
    }
    return false;
}

int cv_pages_unpack(const struct cv_pages *p, ZSTD_DCtx *dctx, void *raw, struct cv_error *err)
{
    if (p->codec == CV_CODEC_NONE) {
        memcpy(raw, p->payload, p->raw_length);
        return 0;
    }
    /* A skippable frame would not be counted in the content size and could hide anything. */
    if (p->payload_length < 4 || cv_load32(p->payload) != ZSTD_MAGICNUMBER ||
        ZSTD_getFrameContentSize(p->payload, p->payload_length) != p->raw_length ||
        ZSTD_findFrameCompressedSize(p->payload, p->payload_length) != p->payload_length)
        return cv_fail(err, CV_E_STREAM, 0, "payload is not one zstd frame of %" PRIu32 " bytes", p->raw_length);

    size_t got = ZSTD_decompressDCtx(dctx, raw, p->raw_length, p->payload, p->payload_length);
    if (ZSTD_isError(got))
        return cv_fail(err, CV_E_STREAM, 0, "zstd: %s", ZSTD_getErrorName(got));
    if (got != p->raw_length)
        return cv_fail(err, CV_E_STREAM, 0, "zstd gave %zu bytes instead of %" PRIu32, got, p->raw_length);
    return 0;
}
