/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --compress auto: follows the speed of the output.
 *
 * A slow output leaves processor time for smaller pages; a fast one must not wait for the processor.  What is
 * measured is the share of time that the calling thread spent in write: near 1 the output decides the speed and
 * the next rung packs harder, near 0 the processor does and the next rung packs lighter. */
#ifndef CONVOY_MEMORY_AUTO_POLICY_H
#define CONVOY_MEMORY_AUTO_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/pipeline.h"

/* From lightest to hardest. */
struct cv_auto_rung {
    uint8_t codec;
    int level;
};
extern const struct cv_auto_rung cv_auto_rungs[];
extern const unsigned cv_auto_rung_count;
unsigned cv_auto_first_rung(void);

/* The decision alone, a pure function.  blocked_permille: share of the time spent in write. */
unsigned cv_auto_next_rung(unsigned rung, unsigned blocked_permille);

struct cv_auto {
    bool on; /* false: codec and level stay what the options said */
    unsigned rung;
    uint8_t codec; /* of the rung */
    int level;
    uint64_t next_pages; /* decide when so many pages have been written */
    int64_t since_ns;
    uint64_t blocked_ns; /* both at the last decision */
};

void cv_auto_init(struct cv_auto *a, const struct cv_mem_options *opt, uint8_t *codec_out, int *level_out);
/* Calling thread, after each batch written.  blocked_ns: cv_writer_blocked_ns. */
void cv_auto_after_batch(struct cv_auto *a, const struct cv_mem_stats *stats, uint64_t blocked_ns);

#endif
