/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map or read -> zero test -> gather -> compress -> hash.
 *
 * Every page that is not zero is copied once (gathered) and only the copy is compressed and hashed: the guest may
 * be writing to the page, zstd makes no promise for input that changes under it, and pages that lie apart have to
 * come together for one frame anyway.  The copy follows the zero test while the page is in the nearest cache, and
 * the gathered batch stays in the second.  What a source reads rather than maps is read to where it is gathered, and
 * moved only when zero pages before it have left a gap.
 *
 * Layout of a buffer: [ front: fixed part and run table, right-aligned | payload ... ]
 * so that a body is contiguous although the length of its run table is known last. */
#include "memory/pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "memory/area.h"
#include "memory/incompressible.h"
#include "memory/zero.h"
#include "stream-format/stream.h"

#define FRONT 12288u
#define READ_PAGES 64u /* read at a time: they are still in the second-level cache when they are looked at */
#define RAW_MAX ((size_t)CV_BATCH_PAGES * CV_PAGE_SIZE)
#define BUFFER_SIZE (FRONT + ZSTD_COMPRESSBOUND(RAW_MAX))

_Static_assert(CV_PAGES_HEADER + CV_BATCH_PAGES * 9 <= FRONT, "fixed part and longest run table fit in front");
_Static_assert(FRONT % CV_PAGE_SIZE == 0, "pages are gathered as direct I/O wants them");
_Static_assert((unsigned)CV_PAGE_DATA == CV_RUN_DATA && (unsigned)CV_PAGE_ZERO == CV_RUN_ZERO, "types are kinds");
_Static_assert(CV_BATCH_PAGES <= CV_PAGES_MAX && CV_BATCH_PAGES <= CV_MAP_MAX, "a batch fits a record and a map call");

struct cv_packer {
    struct cv_page_source *source;
    ZSTD_CCtx *cctx;
    int level;       /* the one set in cctx */
    uint8_t *gather; /* a buffer like those of the batches: swapped for a batch's when stored raw */
    uint8_t types[CV_BATCH_PAGES], kinds[CV_BATCH_PAGES];
    const void *pages[CV_BATCH_PAGES];
};

uint8_t *cv_pack_buffer_new(void) { return cv_area_new(BUFFER_SIZE); }

void cv_pack_buffer_free(uint8_t *buffer) { cv_area_free(buffer, BUFFER_SIZE); }

int cv_packer_new(struct cv_packer **p_out, struct cv_page_source *source, struct cv_error *err)
{
    struct cv_packer *p = calloc(1, sizeof *p);

    if (p == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "page packer");
    p->source = source;
    p->level = INT32_MIN;
    p->cctx = ZSTD_createCCtx();
    p->gather = cv_pack_buffer_new();
    if (p->cctx == NULL || p->gather == NULL) {
        cv_packer_free(p);
        return cv_fail(err, CV_E_NOMEM, 0, "page packer");
    }
    *p_out = p;
    return 0;
}

void cv_packer_free(struct cv_packer *p)
{
    if (p == NULL)
        return;
    ZSTD_freeCCtx(p->cctx);
    cv_pack_buffer_free(p->gather);
    free(p);
}

/* Takes pages [from, from + n) of the batch into the gather buffer, at to: kinds, counts, contents of those that have
 * any.  Returns where the next page goes, NULL with err. */
static uint8_t *gather(struct cv_packer *p, struct cv_batch *b, size_t from, size_t n, uint8_t *to,
                       struct cv_error *err)
{
    for (size_t i = from; i < from + n; i++) {
        unsigned kind = p->types[i];
        if (kind > CV_PAGE_ZERO) {
            (void)!cv_fail(err, CV_E_INTERNAL, 0, "page source gave type %u for pfn %#" PRIx64, kind, b->pfns[i]);
            return NULL;
        }
        if (kind == CV_PAGE_DATA && cv_page_is_zero(p->pages[i]))
            kind = CV_RUN_ZERO;
        if (kind == CV_RUN_DATA) {
            if (p->pages[i] != to)
                memcpy(to, p->pages[i], CV_PAGE_SIZE);
            to += CV_PAGE_SIZE;
        }
        p->kinds[i] = (uint8_t)kind;
        b->counts[kind]++;
    }
    return to;
}

static int map_and_gather(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    struct cv_page_source *s = p->source;
    void *handle;

    if (s->ops->map(s, b->pfns, b->n, p->types, p->pages, &handle, err) < 0)
        return -1;
    const uint8_t *end = gather(p, b, 0, b->n, p->gather + FRONT, err);
    s->ops->unmap(s, handle);
    return end != NULL ? 0 : -1;
}

static int read_and_gather(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    struct cv_page_source *s = p->source;
    uint8_t *to = p->gather + FRONT;

    for (size_t i = 0, n; i < b->n; i += n) {
        n = b->n - i < READ_PAGES ? b->n - i : READ_PAGES;
        if (s->ops->read(s, b->pfns + i, n, p->types + i, to, err) < 0)
            return -1;
        for (size_t j = 0; j < n; j++)
            p->pages[i + j] = to + j * CV_PAGE_SIZE;
        to = gather(p, b, i, n, to, err);
        if (to == NULL)
            return -1;
    }
    return 0;
}

/* Level 1 looks back 512 KiB for matches of 7 bytes.  Looking back 2 MiB makes memory images 3 to 5 % smaller and costs
 * no time, matches of 6 bytes make them another 1 % smaller for 3 % more: frames that begin anew with each batch thus
 * stay below what `zstd -1` makes of the whole image.  0: the level's own. */
static int set_level(struct cv_packer *p, int level, struct cv_error *err)
{
    if (p->level == level)
        return 0;
    size_t rc = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_windowLog, level == 1 ? 21 : 0);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_minMatch, level == 1 ? 6 : 0);
    if (ZSTD_isError(rc))
        return cv_fail(err, CV_E_INVALID, 0, "zstd level %d: %s", level, ZSTD_getErrorName(rc));
    p->level = level;
    return 0;
}

/* Sets *length_out to 0 when the payload would not shrink. */
static int compress(struct cv_packer *p, struct cv_batch *b, size_t raw_length, size_t *length_out,
                    struct cv_error *err)
{
    const uint8_t *raw = p->gather + FRONT;

    *length_out = 0;
    if (raw_length == 0 || b->codec != CV_CODEC_ZSTD || cv_incompressible(raw, raw_length))
        return 0;
    if (set_level(p, b->level, err) < 0)
        return -1;
    size_t n = ZSTD_compress2(p->cctx, b->buffer + FRONT, BUFFER_SIZE - FRONT, raw, raw_length);
    if (ZSTD_isError(n))
        return cv_fail(err, CV_E_INTERNAL, 0, "zstd: %s", ZSTD_getErrorName(n));
    if (n < raw_length)
        *length_out = n;
    return 0;
}

static void swap_buffers(struct cv_packer *p, struct cv_batch *b)
{
    uint8_t *t = b->buffer;
    b->buffer = p->gather;
    p->gather = t;
}

/* Puts fixed part and run table in front of the payload and hashes the whole while it is in the cache. */
static void close_body(struct cv_packer *p, struct cv_batch *b, size_t payload_length, uint8_t codec)
{
    uint8_t runs[CV_BATCH_PAGES * 9];
    uint32_t data_pages = b->counts[CV_RUN_DATA];

    b->head = (struct cv_pages){
        .pass = b->pass,
        .codec = codec,
        .first_pfn = b->pfns[0],
        .span = b->pfns[b->n - 1] - b->pfns[0] + 1,
        .data_pages = data_pages,
        .raw_length = data_pages * CV_PAGE_SIZE,
        .runs_length = cv_pages_put_runs(b->pfns, p->kinds, b->n, runs),
        .payload_length = (uint32_t)payload_length,
    };
    size_t front = CV_PAGES_HEADER + b->head.runs_length;
    uint8_t *body = b->buffer + FRONT - front;
    cv_pages_put_header(&b->head, body);
    memcpy(body + CV_PAGES_HEADER, runs, b->head.runs_length);
    b->body = (struct iovec){ .iov_base = body, .iov_len = front + payload_length };
    b->body_hash = cv_body_hash(body, b->body.iov_len);
}

/* While the gathered pages are in the cache. */
static void learn(struct cv_packer *p, struct cv_batch *b)
{
    const uint8_t *page = p->gather + FRONT;
    uint8_t hash[CV_PAGE_HASH];

    for (size_t i = 0; i < b->n; i++) {
        if (p->kinds[i] == CV_RUN_DATA) {
            cv_page_hash(page, hash);
            page += CV_PAGE_SIZE;
        }
        cv_hashes_set(b->hashes, b->pfns[i], (enum cv_run_kind)p->kinds[i], hash);
    }
}

/* Hashed where it lies: a page that is written to meanwhile is logged dirty and looked at again. */
static void compare_pages(struct cv_packer *p, struct cv_batch *b, size_t from, size_t n)
{
    uint8_t hash[CV_PAGE_HASH];

    for (size_t i = from; i < from + n; i++) {
        unsigned kind = p->types[i];
        if (kind == CV_PAGE_DATA && cv_page_is_zero(p->pages[i]))
            kind = CV_RUN_ZERO;
        if (kind == CV_RUN_DATA)
            cv_page_hash(p->pages[i], hash);
        b->changed[i] = !cv_hashes_same(b->hashes, b->pfns[i], (enum cv_run_kind)kind, hash);
    }
}

int cv_compare(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    struct cv_page_source *s = p->source;
    uint8_t *to = p->gather + FRONT;
    void *handle;

    if (s->ops->read == NULL) {
        if (s->ops->map(s, b->pfns, b->n, p->types, p->pages, &handle, err) < 0)
            return -1;
        compare_pages(p, b, 0, b->n);
        s->ops->unmap(s, handle);
        return 0;
    }
    for (size_t i = 0, n; i < b->n; i += n) {
        n = b->n - i < READ_PAGES ? b->n - i : READ_PAGES;
        if (s->ops->read(s, b->pfns + i, n, p->types + i, to, err) < 0)
            return -1;
        for (size_t j = 0; j < n; j++)
            p->pages[i + j] = to + j * CV_PAGE_SIZE;
        compare_pages(p, b, i, n);
    }
    return 0;
}

/* What was gathered goes to its places; what has no contents (any more) becomes a hole. */
static int put_in_place(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    uint64_t pfns[CV_BATCH_PAGES];
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (p->kinds[i] == CV_RUN_DATA)
            pfns[n++] = b->pfns[i];
        else if (cv_fixed_clear(b->fixed, b->pfns[i], err) < 0)
            return -1;
    b->head = (struct cv_pages){ .data_pages = (uint32_t)n, .raw_length = (uint32_t)n * CV_PAGE_SIZE };
    return cv_fixed_write(b->fixed, pfns, n, p->gather + FRONT, err);
}

int cv_pack(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    size_t length;

    memset(b->counts, 0, sizeof b->counts);
    if ((p->source->ops->read != NULL ? read_and_gather : map_and_gather)(p, b, err) < 0)
        return -1;
    size_t raw_length = (size_t)b->counts[CV_RUN_DATA] * CV_PAGE_SIZE;
    if (b->hashes != NULL)
        learn(p, b);
    if (b->fixed != NULL)
        return put_in_place(p, b, err);
    if (compress(p, b, raw_length, &length, err) < 0)
        return -1;
    if (length != 0) {
        close_body(p, b, length, CV_CODEC_ZSTD);
        return 0;
    }
    swap_buffers(p, b);
    close_body(p, b, raw_length, CV_CODEC_NONE);
    return 0;
}
