/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/zero.h"

#include <stdint.h>

#include "memory/pages.h"

#define WORDS (CV_PAGE_SIZE / sizeof(uint64_t))
#define LINE 8u           /* words in a cache line */
#define STEP (4 * LINE)   /* words looked at between two decisions */
#define AHEAD (WORDS / 2) /* words: processors stop fetching ahead at the end of a 4 KiB page */

/* Plain ORs of a fixed count: the compiler makes vector code of it.  Pages that are not zero mostly show it in
 * their first words, so the first cache line is looked at alone.  Fetching beyond a mapping does nothing. */
static inline __attribute__((always_inline)) bool is_zero(const uint64_t *w)
{
    if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) != 0)
        return false;
    for (unsigned i = 0; i < WORDS; i += STEP) {
        uint64_t any = 0;
        for (unsigned j = 0; j < STEP; j += LINE)
            __builtin_prefetch((const char *)w + (i + j + AHEAD) * sizeof *w);
        for (unsigned j = 0; j < STEP; j++)
            any |= w[i + j];
        if (any != 0)
            return false;
    }
    return true;
}

#ifdef __x86_64__
static __attribute__((target("avx2"), noinline)) bool is_zero_avx2(const uint64_t *w) { return is_zero(w); }
#endif

/* Chosen by a branch and not by an ifunc, which sanitizers do not bear. */
bool cv_page_is_zero(const void *page)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return is_zero_avx2(page);
#endif
    return is_zero(page);
}
