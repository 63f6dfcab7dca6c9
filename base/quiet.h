/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing without being killed by it.  A reader that went away raises SIGPIPE and a file-size limit SIGXFSZ, and both
 * end the process by default: with a guest that stands still.  What a process does with its signals is its own business
 * and not a library's, so they are held back on the calling thread alone, for the length of one call, and come out as
 * EPIPE and EFBIG. */
#ifndef CONVOY_BASE_QUIET_H
#define CONVOY_BASE_QUIET_H

#include <sys/types.h>
#include <sys/uio.h>

/* As the calls that they are named after. */
ssize_t cv_quiet_write(int fd, const void *data, size_t len);
ssize_t cv_quiet_writev(int fd, const struct iovec *iov, int count);
ssize_t cv_quiet_pwrite(int fd, const void *data, size_t len, off_t at);
int cv_quiet_ftruncate(int fd, off_t size);

#endif
