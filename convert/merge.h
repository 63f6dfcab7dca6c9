/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A chain of images folded into one that needs no other. */
#ifndef CONVOY_CONVERT_MERGE_H
#define CONVOY_CONVERT_MERGE_H

#include "memory/pipeline.h"
#include "stream-format/chain.h"

struct cv_merge_options {
    struct cv_mem_options mem;
    const struct cv_chain_places *parents; /* where the images below are looked for */
};

/* in_fd: the youngest image, a file; out_fd: a new one; scratch_fd: an empty file that may grow to the guest's memory.
 * All borrowed.  Memory and hashes of pages are those that the whole chain leaves; every other record is the youngest
 * image's.  A restore of the result does what one of the chain does. */
int cv_merge(int in_fd, int out_fd, int scratch_fd, const struct cv_merge_options *opt,
             struct cv_error *err) CV_CHECKED;

#endif
