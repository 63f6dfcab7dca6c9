/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map -> zero test -> gather -> compress -> hash.
 *
 * Every page that is not zero is copied once (gathered) and only the copy is compressed and hashed: the guest may
 * be writing to the page, zstd makes no promise for input that changes under it, and pages that lie apart have to
 * come together for one frame anyway.  The copy follows the zero test while the page is in the nearest cache, and
 * the gathered batch stays in the second.
 *
 * Of a stable source (a file, a stopped guest that is mapped whole) pages that would not shrink, or are not to be
 * compressed, are not even copied: they stay mapped until they are written.
 *
 * Layout of a buffer: [ front: fixed part and run table, right-aligned | payload ... ]
 * so that a body is contiguous although the length of its run table is known last. */
#include "memory/pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>
#include <zstd.h>

#include "memory/incompressible.h"
#include "memory/zero.h"
#include "stream-format/stream.h"

#define FRONT 12288u
#define RAW_MAX ((size_t)CV_BATCH_PAGES * CV_PAGE_SIZE)
#define BUFFER_SIZE (FRONT + ZSTD_COMPRESSBOUND(RAW_MAX))

_Static_assert(CV_PAGES_HEADER + CV_BATCH_PAGES * 9 <= FRONT, "fixed part and longest run table fit in front");
_Static_assert(CV_BATCH_PAGES <= CV_PAGES_MAX && CV_BATCH_PAGES <= CV_MAP_MAX, "a batch fits a record and a map call");

struct cv_packer {
    struct cv_page_source *source;
    ZSTD_CCtx *cctx;
    XXH3_state_t *hash;
    int level;                       /* the one set in cctx */
    uint8_t *gather;                 /* a buffer like those of the batches: swapped for a batch's when stored raw */
    uint8_t types[CV_BATCH_PAGES], kinds[CV_BATCH_PAGES];
    const void *pages[CV_BATCH_PAGES];
};

/* Not malloc: memory that nobody wrote yet costs nothing, and large pages save thousands of faults. */
uint8_t *cv_pack_buffer_new(void)
{
    void *p = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void cv_pack_buffer_free(uint8_t *buffer)
{
    if (buffer != NULL)
        munmap(buffer, BUFFER_SIZE);
}

int cv_packer_new(struct cv_packer **p_out, struct cv_page_source *source, struct cv_error *err)
{
    struct cv_packer *p = calloc(1, sizeof *p);

    if (p == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "page packer");
    p->source = source;
    p->level = INT32_MIN;
    p->cctx = ZSTD_createCCtx();
    p->hash = XXH3_createState();
    p->gather = cv_pack_buffer_new();
    if (p->cctx == NULL || p->hash == NULL || p->gather == NULL) {
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
    XXH3_freeState(p->hash);
    cv_pack_buffer_free(p->gather);
    free(p);
}

/* Fills kinds, counts and the gather buffer.  The pages are mapped. */
static int gather(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    uint8_t *to = p->gather + FRONT;

    memset(b->counts, 0, sizeof b->counts);
    for (size_t i = 0; i < b->n; i++) {
        unsigned kind = p->types[i];
        if (kind > CV_PAGE_ALLOC)
            return cv_fail(err, CV_E_INTERNAL, 0, "page source gave type %u for pfn %#" PRIx64, kind, b->pfns[i]);
        if (kind == CV_PAGE_DATA && cv_page_is_zero(p->pages[i]))
            kind = CV_RUN_ZERO;
        if (kind == CV_RUN_DATA) {
            memcpy(to, p->pages[i], CV_PAGE_SIZE);
            to += CV_PAGE_SIZE;
        }
        p->kinds[i] = (uint8_t)kind;
        b->counts[kind]++;
    }
    return 0;
}

/* Kinds and counts without copying, and the data pages as pieces from b->body[1] on.  False: more pieces than there
 * is room for, or not all types are known; gather then decides. */
static bool take_in_place(struct cv_packer *p, struct cv_batch *b)
{
    struct iovec *last = b->body;

    memset(b->counts, 0, sizeof b->counts);
    for (size_t i = 0; i < b->n; i++) {
        unsigned kind = p->types[i];
        if (kind > CV_PAGE_ALLOC)
            return false;
        if (kind == CV_PAGE_DATA && cv_page_is_zero(p->pages[i]))
            kind = CV_RUN_ZERO;
        p->kinds[i] = (uint8_t)kind;
        b->counts[kind]++;
        if (kind != CV_RUN_DATA)
            continue;
        if (last != b->body && (const uint8_t *)last->iov_base + last->iov_len == p->pages[i]) {
            last->iov_len += CV_PAGE_SIZE;
            continue;
        }
        if (++last == b->body + CV_BATCH_PIECES)
            return false;
        *last = (struct iovec){ .iov_base = (void *)p->pages[i], .iov_len = CV_PAGE_SIZE };
    }
    b->body_pieces = (int)(last - b->body) + 1;
    return true;
}

/* Would this batch be stored as it is?  A look at a few places, before anything is copied. */
static bool worth_in_place(const struct cv_packer *p, const struct cv_batch *b)
{
    if (!p->source->stable)
        return false;
    for (size_t i = 0; i < b->n; i++)
        if (p->types[i] != CV_PAGE_DATA)
            return false;
    return b->codec == CV_CODEC_NONE || cv_incompressible_pages(p->pages, b->n);
}

void cv_batch_release(struct cv_page_source *source, struct cv_batch *b)
{
    if (b->held)
        source->ops->unmap(source, b->handle);
    b->held = false;
}

/* The batch is held afterwards when its pages are to be written in place. */
static int map_and_gather(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    struct cv_page_source *s = p->source;

    if (s->ops->map(s, b->pfns, b->n, p->types, p->pages, &b->handle, err) < 0)
        return -1;
    b->held = true;
    if (worth_in_place(p, b) && take_in_place(p, b))
        return 0;
    int rc = gather(p, b, err);
    cv_batch_release(s, b);
    return rc;
}

/* Level 1 looks back 512 KiB.  Looking back 2 MiB makes memory images 3 % smaller and costs no time on processors
 * whose second-level cache holds them.  0: the level's own. */
static int set_level(struct cv_packer *p, int level, struct cv_error *err)
{
    if (p->level == level)
        return 0;
    size_t rc = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_windowLog, level == 1 ? 21 : 0);
    if (ZSTD_isError(rc))
        return cv_fail(err, CV_E_INVALID, 0, "zstd level %d: %s", level, ZSTD_getErrorName(rc));
    p->level = level;
    return 0;
}

/* Sets *length_out to 0 when the payload would not shrink. */
static int compress(struct cv_packer *p, struct cv_batch *b, size_t raw_length, size_t *length_out, struct cv_error *err)
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

/* As cv_body_hash of the pieces joined. */
static uint64_t hash_pieces(struct cv_packer *p, const struct iovec *piece, int n)
{
    XXH3_64bits_reset(p->hash);
    for (int i = 0; i < n; i++)
        XXH3_64bits_update(p->hash, piece[i].iov_base, piece[i].iov_len);
    return XXH3_64bits_digest(p->hash);
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
    b->body[0] = (struct iovec){ .iov_base = body, .iov_len = front };
    if (b->held) {
        b->body_hash = hash_pieces(p, b->body, b->body_pieces);
        return;
    }
    b->body[0].iov_len += payload_length;
    b->body_pieces = 1;
    b->body_hash = cv_body_hash(body, b->body[0].iov_len);
}

int cv_pack(struct cv_packer *p, struct cv_batch *b, struct cv_error *err)
{
    size_t length;

    if (map_and_gather(p, b, err) < 0)
        return -1;
    size_t raw_length = (size_t)b->counts[CV_RUN_DATA] * CV_PAGE_SIZE;
    if (b->held) {
        close_body(p, b, raw_length, CV_CODEC_NONE);
        return 0;
    }
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
