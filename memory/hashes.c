/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/hashes.h"

#include <inttypes.h>
#include <string.h>

#include "memory/area.h"
#include "stream-format/bodies.h"

/* Tables are indexed by pfn: what a stream claims must not overflow their sizes. */
#define PFNS_MAX (UINT64_C(1) << 40)

static int allocate(struct cv_hashes *h, uint64_t pfn_count, struct cv_error *err)
{
    if (pfn_count > PFNS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "too many pages");
    *h = (struct cv_hashes){ .pfn_count = pfn_count };
    h->kinds = cv_area_new(pfn_count + 1);
    h->hash = cv_area_new((pfn_count + 1) * CV_PAGE_HASH);
    h->fresh = cv_area_new(pfn_count + 1);
    if (h->kinds != NULL && h->hash != NULL && h->fresh != NULL)
        return 0;
    cv_hashes_dispose(h);
    return cv_fail(err, CV_E_NOMEM, 0, "no memory for hashes of %" PRIu64 " pages", pfn_count);
}

int cv_hashes_init(struct cv_hashes *h, uint64_t pfn_count, struct cv_error *err)
{
    return allocate(h, pfn_count, err);
}

int cv_hashes_grow(struct cv_hashes *h, uint64_t pfn_count, struct cv_error *err)
{
    struct cv_hashes larger;

    if (pfn_count <= h->pfn_count)
        return 0;
    if (allocate(&larger, pfn_count, err) < 0)
        return -1;
    for (uint64_t pfn = 0; pfn < h->pfn_count; pfn++)
        if (h->kinds[pfn] != 0)
            cv_hashes_set(&larger, pfn, (enum cv_run_kind)(h->kinds[pfn] - 1), h->hash + pfn * CV_PAGE_HASH);
    cv_hashes_dispose(h);
    *h = larger;
    return 0;
}

void cv_hashes_dispose(struct cv_hashes *h)
{
    cv_area_free(h->kinds, h->pfn_count + 1);
    cv_area_free(h->hash, (h->pfn_count + 1) * CV_PAGE_HASH);
    cv_area_free(h->fresh, h->pfn_count + 1);
    *h = (struct cv_hashes){ 0 };
}

void cv_page_hash(const void *page, uint8_t out[CV_PAGE_HASH]) { cv_body_hash128(page, CV_PAGE_SIZE, out); }

void cv_hashes_set(struct cv_hashes *h, uint64_t pfn, enum cv_run_kind kind, const uint8_t *hash)
{
    h->kinds[pfn] = kind == CV_RUN_ABSENT ? 0 : (uint8_t)(kind + 1);
    h->fresh[pfn] = 1;
    if (kind == CV_RUN_DATA)
        memcpy(h->hash + pfn * CV_PAGE_HASH, hash, CV_PAGE_HASH);
}

void cv_hashes_begin_child(struct cv_hashes *h)
{
    /* Page by page: what was never touched takes no memory, and is not to. */
    for (uint64_t pfn = 0; pfn < h->pfn_count; pfn++)
        if (h->fresh[pfn] != 0)
            h->fresh[pfn] = 0;
}

bool cv_hashes_same(const struct cv_hashes *h, uint64_t pfn, enum cv_run_kind kind, const uint8_t *hash)
{
    if (h->kinds[pfn] != (kind == CV_RUN_ABSENT ? 0 : kind + 1))
        return false;
    return kind != CV_RUN_DATA || memcmp(h->hash + pfn * CV_PAGE_HASH, hash, CV_PAGE_HASH) == 0;
}

void cv_hashes_add_pages(const struct cv_hashes *h, uint64_t *bitmap)
{
    for (uint64_t pfn = 0; pfn < h->pfn_count; pfn++)
        if (h->kinds[pfn] != 0)
            bitmap[pfn / 64] |= UINT64_C(1) << pfn % 64;
}

/* ---- records ---- */

struct piece {
    uint64_t pfns[CV_PAGES_MAX];
    uint8_t kinds[CV_PAGES_MAX];
    uint8_t hash[CV_PAGES_MAX * CV_PAGE_HASH];
    uint8_t runs[CV_PAGES_RUNS_MAX];
    size_t n, data;
};

static int put_piece(struct piece *p, struct cv_writer *w, struct cv_error *err)
{
    uint8_t head[CV_HASHES_HEAD_SIZE];
    struct cv_rec_hashes rec = { .first_pfn = p->pfns[0],
                                 .span = p->pfns[p->n - 1] - p->pfns[0] + 1,
                                 .data_pages = (uint32_t)p->data };

    rec.runs_length = cv_pages_put_runs(p->pfns, p->kinds, p->n, p->runs);
    cv_rec_hashes_head_encode(&rec, head);
    struct iovec iov[3] = { { head, sizeof head }, { p->runs, rec.runs_length }, { p->hash, p->data * CV_PAGE_HASH } };
    p->n = p->data = 0;
    return cv_writer_put(w, CV_REC_PAGE_HASHES, iov, 3, err);
}

int cv_hashes_put(const struct cv_hashes *h, bool child, struct cv_writer *w, struct cv_error *err)
{
    struct piece *p = (struct piece *)cv_area_new(sizeof *p);
    int rc = p != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "no memory for a list of hashes");

    for (uint64_t pfn = 0; rc == 0 && pfn < h->pfn_count; pfn++) {
        if (child ? h->fresh[pfn] == 0 : h->kinds[pfn] == 0)
            continue;
        p->pfns[p->n] = pfn;
        p->kinds[p->n++] = h->kinds[pfn] == 0 ? CV_RUN_ABSENT : (uint8_t)(h->kinds[pfn] - 1);
        if (h->kinds[pfn] == CV_RUN_DATA + 1)
            memcpy(p->hash + p->data++ * CV_PAGE_HASH, h->hash + pfn * CV_PAGE_HASH, CV_PAGE_HASH);
        if (p->n == CV_PAGES_MAX)
            rc = put_piece(p, w, err);
    }
    if (rc == 0 && p->n > 0)
        rc = put_piece(p, w, err);
    cv_area_free((uint8_t *)p, sizeof *p);
    return rc;
}

int cv_hashes_decode(const void *body, size_t len, struct cv_pages *runs_out, const uint8_t **hashes_out,
                     struct cv_error *err)
{
    struct cv_rec_hashes rec;

    if (cv_rec_hashes_decode(&rec, body, len, err) < 0)
        return -1;
    *runs_out = (struct cv_pages){ .first_pfn = rec.first_pfn,
                                   .span = rec.span,
                                   .data_pages = rec.data_pages,
                                   .runs = rec.runs,
                                   .runs_length = rec.runs_length };
    *hashes_out = rec.hashes;
    return cv_pages_check_runs(runs_out, err) < 0 ? cv_context(err, "body") : 0;
}

int cv_hashes_take(struct cv_hashes *h, const void *body, size_t len, struct cv_error *err)
{
    struct cv_run_walk at = { 0 };
    const uint8_t *hash;
    struct cv_pages p;
    struct cv_run run;

    if (cv_hashes_decode(body, len, &p, &hash, err) < 0)
        return -1;
    if (p.first_pfn + p.span > h->pfn_count)
        return cv_fail(err, CV_E_STREAM, 0, "body: pages beyond the memory's end");
    while (cv_pages_next_run(&p, &at, &run))
        for (uint64_t i = 0; i < run.length; i++) {
            cv_hashes_set(h, run.pfn + i, run.kind, hash);
            hash += run.kind == CV_RUN_DATA ? CV_PAGE_HASH : 0;
        }
    return 0;
}
