/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the generator puts into pages.  Private to generator.c and tests. */
#ifndef CONVOY_TESTS_GENERATOR_FILL_H
#define CONVOY_TESTS_GENERATOR_FILL_H

#include <stdint.h>

/* splitmix64: any seed is a good one. */
struct cv_rng {
    uint64_t state;
};

static inline uint64_t cv_rng_next(struct cv_rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline struct cv_rng cv_rng(uint64_t seed, uint64_t index)
{
    struct cv_rng r = { seed ^ index * UINT64_C(0xd1342543de82ef95) };
    r.state = cv_rng_next(&r);
    return r;
}

/* [0, limit) */
static inline uint64_t cv_rng_below(struct cv_rng *r, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)cv_rng_next(r) * limit) >> 64);
}

/* Fills CV_PAGE_SIZE bytes aligned to 8. */
typedef void cv_gen_fill(struct cv_rng *r, uint64_t pfn, uint64_t *page);
cv_gen_fill cv_gen_fill_text, cv_gen_fill_code, cv_gen_fill_heap, cv_gen_fill_slab, cv_gen_fill_tables,
    cv_gen_fill_random;

#endif
