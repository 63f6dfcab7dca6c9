/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers that are the same on every machine: xorshift64*. */
#ifndef CONVOY_TESTS_SUPPORT_RNG_H
#define CONVOY_TESTS_SUPPORT_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s;
};

static inline struct rng rng_seed(uint64_t seed) { return (struct rng){ (seed ^ 0x9e3779b97f4a7c15ull) | 1 }; }
static inline uint64_t rng_next(struct rng *r)
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return r->s * 0x2545f4914f6cdd1dull;
}
/* 0 to n - 1; n > 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n) { return (rng_next(r) >> 11) % n; }
static inline void rng_fill(struct rng *r, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)(rng_next(r) >> 32);
}

#endif
