/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records round the memory, made from what libxc's and libxl's records hold.  Private to convert/. */
#ifndef CONVOY_CONVERT_HEAD_H
#define CONVOY_CONVERT_HEAD_H

#include "convert/plan.h"
#include "stream-format/bodies.h"

int cv_head_put(struct cv_writer *w, enum cv_record_type type, const struct cv_buf *body,
                struct cv_error *err) CV_CHECKED;

/* HOST to CPU_POLICY.  leaves, msrs: bodies of libxc's records, empty = not there. */
int cv_head_write(struct cv_writer *w, const struct cv_libxl_guest *p, uint64_t pfn_count, uint32_t xen_major,
                  uint32_t xen_minor, const struct cv_buf *leaves, const struct cv_buf *msrs,
                  const struct cv_convert_options *opt, struct cv_error *err) CV_CHECKED;

/* CPU_POLICY alone. */
int cv_head_policy(struct cv_writer *w, const struct cv_buf *leaves, const struct cv_buf *msrs,
                   struct cv_error *err) CV_CHECKED;

struct cv_tail {
    const struct cv_buf *tsc, *context; /* bodies of libxc's records */
    const struct cv_buf *params;        /* entries alone, in any order; a later one replaces an earlier one */
    const struct cv_buf *nodes;         /* "key\0value\0"...; NULL = none */
    const struct cv_buf *xenstore;      /* or the body of XENSTORE; NULL = none */
    const struct cv_buf *state;         /* QEMU's; NULL: the caller writes the states */
};
/* TSC_INFO to DEVICE_STATE. */
int cv_tail_write(struct cv_writer *w, const struct cv_tail *t, struct cv_error *err) CV_CHECKED;

#endif
