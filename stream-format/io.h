/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole reads and writes whose time limit starts again with every byte that moves.  Private to stream-format/. */
#ifndef CONVOY_STREAM_FORMAT_IO_H
#define CONVOY_STREAM_FORMAT_IO_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/cancel.h"
#include "base/error.h"

struct cv_io {
    int fd;                /* borrowed; -1: read from memory instead */
    const uint8_t *memory; /* borrowed: what is left of it */
    size_t memory_left;
    int64_t stall_ms;         /* 0: wait for ever */
    struct cv_cancel *cancel; /* borrowed, may be NULL */
    uint64_t blocked_ns;      /* time spent in system calls so far */
};

/* iov is changed.  Errors: CV_E_IO, CV_E_TIMEOUT, CV_E_CANCELLED.  On a blocking descriptor limit and cancel act
 * between system calls only: give a non-blocking one where they matter. */
int cv_io_write(struct cv_io *io, struct iovec *iov, int count, struct cv_error *err) CV_CHECKED;
/* Up to the end of the file: *got_out says how many. */
int cv_io_read(struct cv_io *io, void *data, size_t len, size_t *got_out, struct cv_error *err) CV_CHECKED;

#endif
