/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/quiet.h"

void cv_fd_dispose(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}

bool cv_fd_standard(int in, int out, int err)
{
    int fds[3] = { in, out, err };

    /* dup2 of a number to itself would leave close-on-exec as it is, and of another one may be in the way */
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return false;
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0 && dup2(fds[i], i) < 0)
            return false;
    return true;
}

static int poll_timeout(int64_t deadline_ms)
{
    if (deadline_ms == CV_NEVER)
        return -1;
    int64_t left = deadline_ms - cv_now_ms();
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int cv_poll_one(int fd, short events, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    for (;;) {
        struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = cancel ? cancel->fd : -1, .events = POLLIN } };
        int n = poll(p, 2, poll_timeout(deadline_ms));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cv_fail(err, CV_E_IO, errno, "poll");
        if (p[1].revents)
            return cv_fail(err, CV_E_CANCELLED, 0, "cancelled");
        if (p[0].revents & POLLNVAL)
            return cv_fail(err, CV_E_INTERNAL, EBADF, "poll");
        if (p[0].revents)
            return p[0].revents;
        if (deadline_ms != CV_NEVER && cv_now_ms() >= deadline_ms)
            return cv_fail(err, CV_E_TIMEOUT, 0, "no progress within the time limit");
    }
}

/* A blocking descriptor is asked with poll first only when somebody can interrupt the wait. */
static int wait_ready(int fd, short events, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    if (cancel == NULL && deadline_ms == CV_NEVER)
        return 0;
    return cv_poll_one(fd, events, deadline_ms, cancel, err) < 0 ? -1 : 0;
}

int cv_writev_full(int fd, struct iovec *iov, int count, int64_t deadline_ms, struct cv_cancel *cancel,
                   struct cv_error *err)
{
    while (count > 0) {
        if (iov->iov_len == 0) {
            iov++;
            count--;
            continue;
        }
        if (wait_ready(fd, POLLOUT, deadline_ms, cancel, err) < 0)
            return -1;
        ssize_t n = cv_quiet_writev(fd, iov, count > IOV_MAX ? IOV_MAX : count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (cv_poll_one(fd, POLLOUT, deadline_ms, cancel, err) < 0)
                return -1;
            continue;
        }
        if (n < 0)
            return cv_fail(err, CV_E_IO, errno, "write");
        for (size_t left = (size_t)n; left > 0;) {
            size_t step = left < iov->iov_len ? left : iov->iov_len;
            iov->iov_base = (char *)iov->iov_base + step;
            iov->iov_len -= step;
            left -= step;
            if (iov->iov_len == 0 && left > 0) {
                iov++;
                count--;
            }
        }
    }
    return 0;
}

int cv_write_full(int fd, const void *data, size_t len, int64_t deadline_ms, struct cv_cancel *cancel,
                  struct cv_error *err)
{
    struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
    return cv_writev_full(fd, &iov, 1, deadline_ms, cancel, err);
}

int cv_read_full(int fd, void *data, size_t len, size_t *got_out, int64_t deadline_ms, struct cv_cancel *cancel,
                 struct cv_error *err)
{
    size_t got = 0;

    while (got < len) {
        if (wait_ready(fd, POLLIN, deadline_ms, cancel, err) < 0)
            return -1;
        ssize_t n = read(fd, (char *)data + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (cv_poll_one(fd, POLLIN, deadline_ms, cancel, err) < 0)
                return -1;
            continue;
        }
        if (n < 0)
            return cv_fail(err, CV_E_IO, errno, "read");
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *got_out = got;
    return 0;
}

int cv_file_read(const char *path, size_t max, char **data_out, size_t *len_out, struct cv_error *err)
{
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "open %s", path);

    size_t cap = 4096, len = 0;
    CV_AUTO_FREE char *data = NULL;
    for (;;) {
        char *grown = realloc(data, cap + 1);
        if (grown == NULL)
            return cv_fail(err, CV_E_NOMEM, 0, "%s: %zu bytes", path, cap + 1);
        data = grown;
        size_t got = 0;
        if (cv_read_full(fd, data + len, cap - len, &got, CV_NEVER, NULL, err) < 0)
            return cv_context(err, "%s", path);
        len += got;
        if (len > max)
            return cv_fail(err, CV_E_INVALID, 0, "%s has more than %zu bytes", path, max);
        if (len < cap)
            break;
        cap *= 2;
    }
    data[len] = '\0';
    *data_out = data;
    data = NULL;
    if (len_out != NULL)
        *len_out = len;
    return 0;
}

void cv_fd_last_line(int fd, char *buf, size_t size)
{
    char text[1024];
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = end > (off_t)sizeof text - 1 ? end - (off_t)(sizeof text - 1) : 0;
    ssize_t n = end > 0 ? pread(fd, text, sizeof text - 1, from) : 0;

    buf[0] = '\0';
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    if (n <= 0)
        return;
    text[n] = '\0';
    const char *line = strrchr(text, '\n');
    snprintf(buf, size, ": %.300s", line != NULL ? line + 1 : text);
}
