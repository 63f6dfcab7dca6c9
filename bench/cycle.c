/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cycle DOMID: suspends a guest and resumes it, with nothing in between and no help of convoy's.  No save and no
 * migration keeps a guest silent for less; bench/migrate takes it off. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenctrl.h>
#include <xenguest.h>
#include <xenstore.h>

/* Xen's public headers want xenctrl.h before them. */
#include <xen/hvm/params.h>

#define SUSPEND_MS 60000

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A guest with PV drivers suspends itself; another is stopped. */
static int ask(xc_interface *xc, struct xs_handle *xs, uint32_t domid)
{
    uint64_t callback = 0;
    char path[64];

    if (xc_hvm_param_get(xc, domid, HVM_PARAM_CALLBACK_IRQ, &callback) < 0)
        return -1;
    if (callback == 0)
        return xc_domain_shutdown(xc, (int)domid, SHUTDOWN_suspend);
    snprintf(path, sizeof path, "/local/domain/%u/control/shutdown", domid);
    return xs_write(xs, XBT_NULL, path, "suspend", strlen("suspend")) ? 0 : -1;
}

/* 1: it stands suspended. */
static int is_suspended(xc_interface *xc, uint32_t domid)
{
    xc_dominfo_t d;

    if (xc_domain_getinfo(xc, domid, 1, &d) != 1 || d.domid != domid)
        return -1;
    return d.shutdown && d.shutdown_reason == SHUTDOWN_suspend;
}

static int wait_suspended(xc_interface *xc, struct xs_handle *xs, uint32_t domid)
{
    struct pollfd p = { .fd = xs_fileno(xs), .events = POLLIN };
    double end = now_ms() + SUSPEND_MS;
    int is;

    while ((is = is_suspended(xc, domid)) == 0) {
        if (now_ms() > end || poll(&p, 1, 1000) < 0)
            return -1;
        for (char **event; (event = xs_check_watch(xs)) != NULL;)
            free(event);
    }
    return is == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "cycle DOMID\n"), 2;
    uint32_t domid = (uint32_t)atoi(argv[1]);
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    struct xs_handle *xs = xs_open(0);

    if (xc == NULL || xs == NULL || is_suspended(xc, domid) != 0 || !xs_watch(xs, "@releaseDomain", "cycle"))
        return fprintf(stderr, "cycle: no running guest %u here\n", domid), 1;
    double begin = now_ms();
    int rc = ask(xc, xs, domid) < 0 ? -1 : wait_suspended(xc, xs, domid);
    double suspended = now_ms();
    /* Also after a failure: what comes late is not left standing. */
    if (xc_domain_resume(xc, domid, 1) < 0 || !xs_resume_domain(xs, domid) || rc < 0)
        return perror("cycle"), 1;
    printf("{\"suspend_ms\":%.1f,\"resume_ms\":%.1f}\n", suspended - begin, now_ms() - suspended);
    xs_close(xs);
    xc_interface_close(xc);
    return 0;
}
