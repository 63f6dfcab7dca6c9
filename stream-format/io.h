/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole reads and writes whose time limit starts again with every byte that moves.  Private to stream-format/. */
#ifndef CONVOY_STREAM_FORMAT_IO_H
#define CONVOY_STREAM_FORMAT_IO_H

#include <stdbool.h>
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
    /* set by cv_io_unblock */
    int borrowed_flags; /* of fd, to be put back; 0 = as they were */
    bool owned, socket; /* fd is another description, of ours; fd is a socket that blocks */
};

/* A pipe or socket that blocks takes no time limit and no cancel: a write larger than what there is room for ends when
 * its reader wants it to.  From now on io's calls return; whoever else has the descriptor notices nothing, where that
 * is possible. Files are left as they are.  cv_io_reblock: the end of it, safe on any io. */
void cv_io_unblock(struct cv_io *io);
void cv_io_reblock(struct cv_io *io);

/* iov is changed.  Errors: CV_E_IO, CV_E_TIMEOUT, CV_E_CANCELLED.  On a blocking descriptor limit and cancel act
 * between system calls only: see cv_io_unblock. */
int cv_io_write(struct cv_io *io, struct iovec *iov, int count, struct cv_error *err) CV_CHECKED;
/* Up to the end of the file: *got_out says how many. */
int cv_io_read(struct cv_io *io, void *data, size_t len, size_t *got_out, struct cv_error *err) CV_CHECKED;

#endif
