/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors: automatic closing, whole reads and writes with a deadline and a cancel token.
 * All descriptors that convoy opens are close-on-exec. */
#ifndef CONVOY_BASE_FD_H
#define CONVOY_BASE_FD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/auto.h"
#include "base/cancel.h"
#include "base/error.h"

#define CV_AUTO_FD CV_AUTO(cv_fd_dispose) int

/* Closes *fd unless it is negative, sets it to -1, keeps errno. */
void cv_fd_dispose(int *fd);
/* In a child that is about to execute something: these become its descriptors 0, 1 and 2 and stay open in it, also if
 * they are such numbers themselves (of a process whose own were closed).  -1: left as it is.  Safe after a fork of a
 * process with threads.  False: errno. */
bool cv_fd_standard(int in, int out, int err);

/* Hands the descriptor out: the variable becomes -1 and its disposer does nothing. */
static inline int cv_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Writes all of iov (may be changed while working).  Works on blocking and non-blocking descriptors.
 * Errors: CV_E_IO (sys = errno; EPIPE for a closed reader, EFBIG at a file-size limit: no signal comes of it),
 * CV_E_TIMEOUT, CV_E_CANCELLED.  cancel may be NULL. */
int cv_writev_full(int fd, struct iovec *iov, int count, int64_t deadline_ms, struct cv_cancel *cancel,
                   struct cv_error *err) CV_CHECKED;
int cv_write_full(int fd, const void *data, size_t len, int64_t deadline_ms, struct cv_cancel *cancel,
                  struct cv_error *err) CV_CHECKED;

/* Reads exactly len bytes, or up to the end of the file: *got_out says how many (untouched on error). */
int cv_read_full(int fd, void *data, size_t len, size_t *got_out, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err) CV_CHECKED;

/* Waits until fd has one of events (poll bits), the deadline passes or cancel is set.
 * Returns the revents > 0, or -1 with err. */
int cv_poll_one(int fd, short events, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;

/* Whole small file into a new, 0-terminated buffer (*data_out: caller frees).  max: refuse more bytes than this. */
int cv_file_read(const char *path, size_t max, char **data_out, size_t *len_out, struct cv_error *err) CV_CHECKED;

/* ": " and the last line of a log, cut to what buf has room for; "" if fd is -1 or nothing has been written. */
void cv_fd_last_line(int fd, char *buf, size_t size);

#endif
