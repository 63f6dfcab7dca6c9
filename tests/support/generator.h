/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory out of a seed: a page source whose contents look like a running system's to a compressor.
 *
 * Of all pages 77.9 % are zero, as in the memory of a real host (docs/performance.md); the others are text,
 * machine code, heaps full of pointers, slabs of like objects, page tables and random bytes (caches of compressed
 * files), in runs of a few pages to a few hundred.  The same seed and pfn always give the same page. */
#ifndef CONVOY_TESTS_GENERATOR_H
#define CONVOY_TESTS_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/pages.h"

/* clang-format off */
enum cv_gen_kind { CV_GEN_ZERO, CV_GEN_TEXT, CV_GEN_CODE, CV_GEN_HEAP, CV_GEN_SLAB, CV_GEN_TABLES, CV_GEN_RANDOM,
                   CV_GEN_KINDS };
/* clang-format on */

struct cv_generator {
    struct cv_page_source source; /* first member: the port */
    uint64_t seed;
    bool all_random; /* every page incompressible, none zero */
};

/* Nothing to free. */
void cv_generator_init(struct cv_generator *g, uint64_t seed, bool all_random);

enum cv_gen_kind cv_generator_kind(const struct cv_generator *g, uint64_t pfn);
/* page: CV_PAGE_SIZE bytes, aligned to 8. */
void cv_generator_page(const struct cv_generator *g, uint64_t pfn, void *page);

#endif
