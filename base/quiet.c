/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/quiet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

struct held {
    sigset_t before;  /* the thread's mask */
    sigset_t pending; /* had come already: it is not ours */
};

static const int signals[] = { SIGPIPE, SIGXFSZ };
#define SIGNALS (sizeof signals / sizeof signals[0])

static void hold(struct held *h)
{
    sigset_t both;

    sigemptyset(&both);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&both, signals[i]);
    pthread_sigmask(SIG_BLOCK, &both, &h->before);
    sigpending(&h->pending);
}

/* What our own call raised is taken away before anybody sees it; it was raised for this thread. */
static void let_go(const struct held *h, int sys)
{
    static const struct timespec at_once;
    sigset_t ours;

    for (size_t i = 0; i < SIGNALS; i++) {
        if (sigismember(&h->pending, signals[i]) || sys != (signals[i] == SIGPIPE ? EPIPE : EFBIG))
            continue;
        sigemptyset(&ours);
        sigaddset(&ours, signals[i]);
        while (sigtimedwait(&ours, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &h->before, NULL);
    errno = sys;
}

ssize_t cv_quiet_write(int fd, const void *data, size_t len)
{
    struct held h;

    hold(&h);
    ssize_t n = write(fd, data, len);
    let_go(&h, n < 0 ? errno : 0);
    return n;
}

ssize_t cv_quiet_writev(int fd, const struct iovec *iov, int count)
{
    struct held h;

    hold(&h);
    ssize_t n = writev(fd, iov, count);
    let_go(&h, n < 0 ? errno : 0);
    return n;
}

ssize_t cv_quiet_pwrite(int fd, const void *data, size_t len, off_t at)
{
    struct held h;

    hold(&h);
    ssize_t n = pwrite(fd, data, len, at);
    let_go(&h, n < 0 ? errno : 0);
    return n;
}

int cv_quiet_ftruncate(int fd, off_t size)
{
    struct held h;

    hold(&h);
    int rc = ftruncate(fd, size);
    let_go(&h, rc < 0 ? errno : 0);
    return rc;
}
