/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cancel.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int cv_cancel_init(struct cv_cancel *c, struct cv_error *err)
{
    atomic_init(&c->set, false);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0)
        return cv_fail(err, CV_E_IO, errno, "eventfd");
    return 0;
}

void cv_cancel_dispose(struct cv_cancel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void cv_cancel_request(struct cv_cancel *c)
{
    int saved = errno;
    uint64_t one = 1;

    atomic_store(&c->set, true);
    /* A full eventfd is readable already, so the result does not matter. */
    ssize_t n = write(c->fd, &one, sizeof one);
    (void)n;
    errno = saved;
}

int cv_cancel_check(struct cv_cancel *c, struct cv_error *err)
{
    return cv_cancel_requested(c) ? cv_fail(err, CV_E_CANCELLED, 0, "cancelled") : 0;
}
