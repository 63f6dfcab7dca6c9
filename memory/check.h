/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole stream read and found right, without unpacking anything. */
#ifndef CONVOY_MEMORY_CHECK_H
#define CONVOY_MEMORY_CHECK_H

#include "memory/pipeline.h"

/* Reads r (defer_hash_of_pages off) to its end: all that docs/stream-format.md, 6, says of records, and of fixed layout
 * that each page has its hash and the rest of the area is empty.  opt: threads and cancel. */
int cv_memory_check(struct cv_reader *r, const struct cv_mem_options *opt, struct cv_error *err) CV_CHECKED;

#endif
