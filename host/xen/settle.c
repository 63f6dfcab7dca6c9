/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before a guest goes on at another host: what its front ends had handed to blkback when it suspended may still be on
 * its way to the disk here.  There the guest asks for it again, writes newer data, and the old would come last. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "host/xen/xen.h"

#define LOOK_AGAIN_MS 2

static char *read_node(struct xen_host *x, uint32_t domid, const char *dev, const char *leaf)
{
    char path[XEN_XS_PATH_MAX];
    unsigned int n;

    snprintf(path, sizeof path, "/local/domain/0/backend/vbd/%u/%.20s/%s", domid, dev, leaf);
    return xs_read(x->xs, XBT_NULL, path, &n);
}

/* Requests that the kernel has not answered yet, of whoever; -1: it does not say. */
static int in_flight(unsigned major, unsigned minor)
{
    char path[64];
    CV_AUTO_FREE char *text = NULL;
    unsigned reads, writes;

    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/inflight", major, minor);
    if (cv_file_read(path, 256, &text, NULL, NULL) < 0 || sscanf(text, "%u %u", &reads, &writes) != 2)
        return -1;
    return (int)(reads + writes);
}

static int settle_disk(struct xen_host *x, uint32_t domid, const char *dev, int64_t deadline_ms, struct cv_error *err)
{
    CV_AUTO_FREE char *number = read_node(x, domid, dev, "physical-device"), *node = read_node(x, domid, dev, "node"),
                      *params = read_node(x, domid, dev, "params"), *mode = read_node(x, domid, dev, "mode");
    const char *path = node != NULL ? node : params;
    unsigned major, minor;

    if (number == NULL || mode == NULL || *mode != 'w' || sscanf(number, "%x:%x", &major, &minor) != 2)
        return 0;
    while (in_flight(major, minor) > 0) {
        if (cv_now_ms() > deadline_ms)
            return cv_fail(err, CV_E_TIMEOUT, 0, "PV disk %s: requests are still under way", path ? path : dev);
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    CV_AUTO_FD fd = path != NULL && *path == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd >= 0 && fsync(fd) < 0)
        return cv_fail(err, CV_E_IO, errno, "PV disk %s: flush", path);
    return 0;
}

int xen_devices_settle(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    char path[XEN_XS_PATH_MAX];
    unsigned int n = 0;
    int rc = 0;

    snprintf(path, sizeof path, "/local/domain/0/backend/vbd/%u", domid);
    CV_AUTO_FREE char **dev = xs_directory(x->xs, XBT_NULL, path, &n);
    for (unsigned i = 0; dev != NULL && i < n && rc == 0; i++)
        rc = settle_disk(x, domid, dev[i], deadline_ms, err);
    return rc;
}
