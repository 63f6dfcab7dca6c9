/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/pagemap.h"

#include <stdlib.h>
#include <string.h>

struct cv_pagemap_block {
    uint8_t kinds[CV_PAGEMAP_BLOCK / 2]; /* 4 bits a page: kind + 1; 0 = never mentioned */
    uint64_t raw[CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL], stored[CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL];
};

static uint64_t block_count(const struct cv_pagemap *m)
{
    return (m->pfn_count + CV_PAGEMAP_BLOCK - 1) / CV_PAGEMAP_BLOCK;
}

int cv_pagemap_init(struct cv_pagemap *m, uint64_t pfn_count, struct cv_error *err)
{
    *m = (struct cv_pagemap){ .pfn_count = pfn_count, .left_out = pfn_count > CV_PAGEMAP_PFNS_MAX };
    if (m->left_out)
        return 0;
    m->blocks = calloc(block_count(m) + 1, sizeof *m->blocks);
    if (m->blocks == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "map of %llu pages", (unsigned long long)pfn_count);
    return 0;
}

int cv_pagemap_grow(struct cv_pagemap *m, uint64_t pfn_count, struct cv_error *err)
{
    uint64_t before = m->blocks != NULL ? block_count(m) + 1 : 0;

    if (m->left_out || pfn_count > CV_PAGEMAP_PFNS_MAX) {
        cv_pagemap_dispose(m);
        return cv_pagemap_init(m, CV_PAGEMAP_PFNS_MAX + 1, err);
    }
    if (pfn_count <= m->pfn_count)
        return 0;
    uint64_t after = (pfn_count + CV_PAGEMAP_BLOCK - 1) / CV_PAGEMAP_BLOCK + 1;
    struct cv_pagemap_block **blocks = realloc(m->blocks, after * sizeof *blocks);
    if (blocks == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "map of %llu pages", (unsigned long long)pfn_count);
    for (uint64_t i = before; i < after; i++)
        blocks[i] = NULL;
    m->blocks = blocks;
    m->pfn_count = pfn_count;
    return 0;
}

void cv_pagemap_dispose(struct cv_pagemap *m)
{
    for (uint64_t i = 0; m->blocks != NULL && i < block_count(m); i++)
        free(m->blocks[i]);
    free(m->blocks);
    *m = (struct cv_pagemap){ 0 };
}

static struct cv_pagemap_block *block_at(struct cv_pagemap *m, uint64_t pfn, struct cv_error *err)
{
    struct cv_pagemap_block **b = &m->blocks[pfn / CV_PAGEMAP_BLOCK];

    if (*b == NULL && (*b = calloc(1, sizeof **b)) == NULL)
        cv_fail(err, CV_E_NOMEM, 0, "map of pages");
    return *b;
}

static void set_kind(struct cv_pagemap_block *b, uint64_t i, enum cv_run_kind kind)
{
    unsigned shift = i % 2 * 4;
    b->kinds[i / 2] = (uint8_t)((b->kinds[i / 2] & ~(15u << shift)) | ((unsigned)kind + 1) << shift);
}

int cv_pagemap_take(struct cv_pagemap *m, const struct cv_pages *p, struct cv_error *err)
{
    uint64_t share = p->data_pages ? p->payload_length / p->data_pages : 0;
    struct cv_run_walk at = { 0 };
    struct cv_run run;

    if (m->left_out)
        return 0;
    while (cv_pages_next_run(p, &at, &run)) {
        if (run.pfn + run.length > m->pfn_count)
            return cv_fail(err, CV_E_STREAM, 0, "pfn %#llx is not below %#llx",
                           (unsigned long long)(run.pfn + run.length - 1), (unsigned long long)m->pfn_count);
        for (uint64_t pfn = run.pfn; pfn < run.pfn + run.length; pfn++) {
            /* A page that was never there and is absent is what "never mentioned" says too. */
            if (run.kind == CV_RUN_ABSENT && cv_pagemap_kind(m, pfn) == CV_PAGEMAP_NONE)
                continue;
            struct cv_pagemap_block *b = block_at(m, pfn, err);
            if (b == NULL)
                return -1;
            set_kind(b, pfn % CV_PAGEMAP_BLOCK, run.kind);
            if (run.kind == CV_RUN_DATA) {
                b->raw[pfn % CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL] += CV_PAGE_SIZE;
                b->stored[pfn % CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL] += share;
            }
        }
    }
    return 0;
}

enum cv_run_kind cv_pagemap_kind(const struct cv_pagemap *m, uint64_t pfn)
{
    if (m->blocks == NULL || pfn >= m->pfn_count || m->blocks[pfn / CV_PAGEMAP_BLOCK] == NULL)
        return CV_PAGEMAP_NONE;
    uint64_t i = pfn % CV_PAGEMAP_BLOCK;
    unsigned v = m->blocks[pfn / CV_PAGEMAP_BLOCK]->kinds[i / 2] >> (i % 2 * 4) & 15u;
    return v == 0 ? CV_PAGEMAP_NONE : (enum cv_run_kind)(v - 1);
}

uint64_t cv_pagemap_run(const struct cv_pagemap *m, uint64_t pfn, uint64_t end, enum cv_run_kind *kind_out)
{
    enum cv_run_kind kind = cv_pagemap_kind(m, pfn);
    uint64_t at = pfn;

    *kind_out = kind;
    while (at < end) {
        if (m->blocks == NULL || at >= m->pfn_count)
            return kind == CV_PAGEMAP_NONE ? end : at;
        if (m->blocks[at / CV_PAGEMAP_BLOCK] == NULL) {
            if (kind != CV_PAGEMAP_NONE)
                return at;
            at = (at / CV_PAGEMAP_BLOCK + 1) * CV_PAGEMAP_BLOCK;
            continue;
        }
        if (cv_pagemap_kind(m, at) != kind)
            return at;
        at++;
    }
    return end;
}

void cv_pagemap_count(const struct cv_pagemap *m, uint64_t pfn, uint64_t end, uint64_t counts_out[CV_RUN_KINDS])
{
    memset(counts_out, 0, CV_RUN_KINDS * sizeof *counts_out);
    while (pfn < end) {
        enum cv_run_kind kind;
        uint64_t next = cv_pagemap_run(m, pfn, end, &kind);
        counts_out[kind] += next - pfn;
        pfn = next;
    }
}

void cv_pagemap_density(const struct cv_pagemap *m, uint64_t pfn, uint64_t *raw_out, uint64_t *stored_out)
{
    *raw_out = *stored_out = 0;
    if (m->blocks == NULL || pfn >= m->pfn_count || m->blocks[pfn / CV_PAGEMAP_BLOCK] == NULL)
        return;
    const struct cv_pagemap_block *b = m->blocks[pfn / CV_PAGEMAP_BLOCK];
    *raw_out = b->raw[pfn % CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL];
    *stored_out = b->stored[pfn % CV_PAGEMAP_BLOCK / CV_PAGEMAP_CELL];
}
