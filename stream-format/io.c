/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/quiet.h"

/* Another description of the same pipe: flags belong to the description, which a shell's other commands may share. */
static int reopen(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

void cv_io_unblock(struct cv_io *io)
{
    int flags = io->fd < 0 ? -1 : fcntl(io->fd, F_GETFL);
    struct stat st;

    if (flags < 0 || (flags & O_NONBLOCK) || fstat(io->fd, &st) < 0)
        return;
    io->socket = S_ISSOCK(st.st_mode);
    if (!S_ISFIFO(st.st_mode))
        return;
    int other = reopen(io->fd);
    if (other >= 0) {
        io->fd = other;
        io->owned = true;
    } else if (fcntl(io->fd, F_SETFL, flags | O_NONBLOCK) == 0) { /* another user's pipe, or no /proc */
        io->borrowed_flags = flags;
    }
}

void cv_io_reblock(struct cv_io *io)
{
    if (io->owned)
        cv_fd_dispose(&io->fd);
    else if (io->borrowed_flags != 0)
        fcntl(io->fd, F_SETFL, io->borrowed_flags);
    io->owned = false;
    io->borrowed_flags = 0;
}

static int wait_ready(struct cv_io *io, short events, struct cv_error *err)
{
    int64_t deadline = io->stall_ms > 0 ? cv_after_ms(io->stall_ms) : CV_NEVER;
    struct cv_error e = CV_ERROR_INIT;

    if (cv_poll_one(io->fd, events, deadline, io->cancel, &e) >= 0)
        return 0;
    if (e.code == CV_E_TIMEOUT)
        return cv_fail(err, CV_E_TIMEOUT, 0, "no byte %s for %.3g s: the other end has stalled",
                       events == POLLOUT ? "was taken" : "came", (double)io->stall_ms / 1e3);
    return cv_fail_as(err, &e);
}

/* Asks first only when somebody can interrupt the wait: a call less for plain files. */
static int wait_before(struct cv_io *io, short events, struct cv_error *err)
{
    return io->stall_ms > 0 || io->cancel != NULL ? wait_ready(io, events, err) : 0;
}

/* After a call that moved nothing: 0 try again, -1 with err. */
static int after_failure(struct cv_io *io, short events, const char *what, struct cv_error *err)
{
    if (errno == EINTR)
        return 0;
    if (errno == EAGAIN)
        return wait_ready(io, events, err);
    return cv_fail(err, CV_E_IO, errno, "%s", what);
}

/* Moves the vector past n bytes and past empty pieces. */
static void advance(struct iovec **iov, int *count, size_t n)
{
    while (*count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (n > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

/* One call writes no more than this.  For a longer one ext4 takes page-cache folios of up to 2 MiB, which are cold
 * memory: on a host whose free memory goes back to its hypervisor that was 10 times slower (docs/performance.md). */
#define WRITE_STEP (256u << 10)
#define WRITE_VECTORS 16

static ssize_t write_some(const struct cv_io *io, struct iovec *iov, int count)
{
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)count };

    return io->socket ? sendmsg(io->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) : cv_quiet_writev(io->fd, iov, count);
}

/* The front of the vector, WRITE_STEP bytes at most, into out.  Returns its pieces. */
static int front(const struct iovec *iov, int count, struct iovec out[WRITE_VECTORS])
{
    size_t left = WRITE_STEP;
    int n = 0;

    for (; n < count && n < WRITE_VECTORS && left > 0; n++) {
        out[n] = iov[n];
        if (out[n].iov_len > left)
            out[n].iov_len = left;
        left -= out[n].iov_len;
    }
    return n;
}

static int write_pieces(struct cv_io *io, struct iovec *iov, int count, struct cv_error *err)
{
    for (advance(&iov, &count, 0); count > 0;) {
        if (wait_before(io, POLLOUT, err) < 0)
            return -1;
        struct iovec now[WRITE_VECTORS];
        ssize_t n = write_some(io, now, front(iov, count, now));
        if (n >= 0)
            advance(&iov, &count, (size_t)n);
        else if (after_failure(io, POLLOUT, "write", err) < 0)
            return -1;
    }
    return 0;
}

int cv_io_write(struct cv_io *io, struct iovec *iov, int count, struct cv_error *err)
{
    int64_t start = cv_now_ns();
    int rc = write_pieces(io, iov, count, err);

    io->blocked_ns += (uint64_t)(cv_now_ns() - start);
    return rc;
}

static size_t read_memory(struct cv_io *io, void *data, size_t len)
{
    size_t got = len < io->memory_left ? len : io->memory_left;

    if (got > 0)
        memcpy(data, io->memory, got);
    io->memory += got;
    io->memory_left -= got;
    return got;
}

int cv_io_read(struct cv_io *io, void *data, size_t len, size_t *got_out, struct cv_error *err)
{
    size_t got = 0;

    if (io->fd < 0) {
        *got_out = read_memory(io, data, len);
        return 0;
    }

    while (got < len) {
        if (wait_before(io, POLLIN, err) < 0)
            return -1;
        ssize_t n = read(io->fd, (char *)data + got, len - got);
        if (n == 0)
            break;
        if (n > 0)
            got += (size_t)n;
        else if (after_failure(io, POLLIN, "read", err) < 0)
            return -1;
    }
    *got_out = got;
    return 0;
}
