/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cuts a pass over guest memory into batches.  The cut depends on the set of pfns alone, so that the stream is the
 * same for any number of workers; what is zero is found out later, by the workers. */
#ifndef CONVOY_MEMORY_BATCH_H
#define CONVOY_MEMORY_BATCH_H

#include <stddef.h>
#include <stdint.h>

/* Pages in one batch and so in one record.  Where three quarters are zero this makes frames of about 1 MiB;
 * docs/performance.md has what other sizes gave. */
#define CV_BATCH_PAGES 1024u

struct cv_batch_cursor {
    const uint64_t *bitmap; /* bit i = pfn i; NULL: all */
    uint64_t next, end;     /* pfns [next, end) are still to be cut */
};

/* The next up to max pfns, ascending.  Returns how many; 0 when the pass is through. */
size_t cv_batch_cut(struct cv_batch_cursor *c, uint64_t *pfns, size_t max);

#endif
