/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting the INDEX while a stream is written, and again while it is read.  Private to stream-format/. */
#ifndef CONVOY_STREAM_FORMAT_INDEX_H
#define CONVOY_STREAM_FORMAT_INDEX_H

#include "stream-format/bodies.h"

/* { .stride = 1 } is empty.  Memory is bounded: when CV_INDEX_ENTRIES_MAX is reached, every other PAGES entry goes,
 * and from then on twice as many PAGES records are left out: those stay whose number among the PAGES records is a
 * multiple of stride. */
struct cv_index {
    struct cv_index_entry *entries;
    size_t count, cap;
    uint64_t stride, pages_seen;
};

int cv_index_add(struct cv_index *x, const struct cv_index_entry *e, struct cv_error *err) CV_CHECKED;
/* Is a record of this type listed at all? */
bool cv_index_lists(uint32_t type);
/* What INDEX says is what was collected: there is one right list for a stream.  Errors: CV_E_STREAM, "index: ...". */
int cv_index_compare(const struct cv_index *x, const struct cv_rec_index *v, struct cv_error *err) CV_CHECKED;
int cv_index_encode(const struct cv_index *x, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
void cv_index_dispose(struct cv_index *x);

#endif
