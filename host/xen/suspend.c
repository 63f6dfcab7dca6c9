/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a guest to suspend, waiting until it has, taking the request back, and resuming it.
 *
 * Three ways, as in libxl_dom_suspend.c: the guest's suspend event channel when it offers one; the
 * control/shutdown handshake when it has PV drivers; otherwise Xen stops the vcpus without asking. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "host/xen/xen.h"

/* Xen's public headers want xenctrl.h before them. */
#include <xen/hvm/params.h>

/* A guest that acknowledged will stop: we wait this long for it whatever the caller's deadline and cancel say, so that
 * it can be resumed at once.  One that takes longer still (an emulator hangs) is the monitor's to resume
 * (guest/monitor.c, the late-suspend node). */
#define ACKED_GRACE_MS 10000

static int open_watches(struct xen_host *x, struct cv_error *err)
{
    if (x->watches != NULL)
        return 0;
    x->watches = xs_open(0);
    if (x->watches == NULL)
        return xen_fail(x, err, "cannot talk to xenstored");
    if (!xs_watch(x->watches, "@releaseDomain", "release")) {
        xs_close(x->watches);
        x->watches = NULL;
        return xen_fail(x, err, "cannot watch for domains that stop");
    }
    return 0;
}

int xen_watch_fd(struct cv_host *h, int *fd_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (open_watches(x, err) < 0)
        return -1;
    *fd_out = xs_fileno(x->watches);
    return 0;
}

int xen_watch_path(struct cv_host *h, const char *path, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (open_watches(x, err) < 0)
        return -1;
    return xs_watch(x->watches, path, "path") || errno == EEXIST ? 0 : xen_fail(x, err, "cannot watch %s", path);
}

void xen_watch_drain(struct cv_host *h)
{
    struct xen_host *x = xen_host(h);

    while (x->watches != NULL) {
        char **event = xs_check_watch(x->watches);
        if (event == NULL)
            return;
        free(event);
    }
}

/* Nothing in Xen says this in one place, so that each reason gets its own words. */
int xen_check_saveable(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct cv_domain_info d;

    if (xen_info(h, domid, &d, err) < 0)
        return -1;
    if (!d.hvm)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u is not an HVM guest", domid);
    if (d.dying || (d.shutdown && d.shutdown_reason != CV_SHUTDOWN_SUSPEND))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u has stopped already (%s)", domid,
                       d.dying                                  ? "it is being destroyed"
                       : d.shutdown_reason == CV_SHUTDOWN_CRASH ? "it crashed"
                                                                : "it shut down");

    char path[64];
    struct cv_buf names = { 0 };
    size_t count = 0;
    snprintf(path, sizeof path, "/local/domain/%u/device/pci", domid);
    int rc = xen_xs_list(h, path, &names, &count, err);
    cv_buf_dispose(&names);
    if (rc < 0)
        return -1;
    if (count > 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u has a passed-through PCI device: detach it first", domid);

    uint32_t nr_vnodes = 0, nr_ranges = 0, nr_vcpus = 0;
    if (xc_domain_getvnuma(x->xc, domid, &nr_vnodes, &nr_ranges, &nr_vcpus, NULL, NULL, NULL) == 0 ||
        (errno == ENOBUFS && nr_vnodes > 0))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u has virtual NUMA nodes, which cannot be saved", domid);
    return xen_check_pod(x, domid, err);
}

struct suspend {
    struct xen_host *x;
    uint32_t domid;
    char control[64]; /* control/shutdown */
    bool asked;       /* control/shutdown = suspend was written */
    bool acked;       /* the guest emptied it */
};

/* Takes the request back in a transaction: a guest that acknowledges in this very moment wins. */
static int withdraw(struct suspend *s, struct cv_error *err)
{
    for (;;) {
        xs_transaction_t t = xs_transaction_start(s->x->xs);
        unsigned int len;
        CV_AUTO_FREE char *value = xs_read(s->x->xs, t, s->control, &len);

        if (value == NULL || strcmp(value, "suspend") != 0) {
            xs_transaction_end(s->x->xs, t, true);
            s->acked = true;
            return 0;
        }
        if (xs_write(s->x->xs, t, s->control, "", 0) && xs_transaction_end(s->x->xs, t, false)) {
            s->asked = false;
            return 0;
        }
        if (errno != EAGAIN)
            return xen_fail(s->x, err, "cannot withdraw the suspend request");
    }
}

static void look_for_ack(struct suspend *s)
{
    unsigned int len;

    if (!s->asked || s->acked)
        return;
    CV_AUTO_FREE char *value = xs_read(s->x->xs, XBT_NULL, s->control, &len);
    if (value != NULL && strcmp(value, "suspend") != 0)
        s->acked = true;
}

static int wait_suspended(struct suspend *s, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    bool giving_up = false;

    for (;;) {
        /* The state is read after the events are drained, so none is missed (H-22). */
        xen_watch_drain(&s->x->base);
        int done = xen_is_suspended(s->x, s->domid, err);
        if (done < 0)
            return -1;
        if (done > 0) {
            if (!giving_up)
                return 0;
            return cv_fail_as(err, &why);
        }
        if (cv_poll_one(xs_fileno(s->x->watches), POLLIN, deadline_ms, giving_up ? NULL : cancel, &why) >= 0)
            continue;
        if (giving_up)
            return cv_fail(err, CV_E_TIMEOUT, 0,
                           "the guest acknowledged the suspend request, but has not suspended "
                           "within another %d s",
                           ACKED_GRACE_MS / 1000);
        look_for_ack(s);
        if (s->asked && !s->acked && withdraw(s, err) < 0)
            return -1;
        if (why.code == CV_E_TIMEOUT)
            cv_fail(&why, CV_E_TIMEOUT, 0,
                    s->asked ? "the guest did not suspend in time"
                             : "the guest did not answer the suspend request; it was withdrawn");
        if (!s->acked)
            return cv_fail_as(err, &why);
        giving_up = true;
        deadline_ms = cv_after_ms(ACKED_GRACE_MS);
    }
}

/* The port of the guest's suspend event channel, or -1. */
static int suspend_port(struct suspend *s)
{
    char path[XEN_XS_PATH_MAX];
    unsigned int len;

    snprintf(path, sizeof path, "/local/domain/%u/device/suspend/event-channel", s->domid);
    CV_AUTO_FREE char *value = xs_read(s->x->xs, XBT_NULL, path, &len);
    return value != NULL && value[0] >= '0' && value[0] <= '9' ? atoi(value) : -1;
}

static int notify_port(struct suspend *s, int port, struct cv_error *err)
{
    xenevtchn_handle *evtchn = xenevtchn_open(s->x->logger, 0);

    if (evtchn == NULL)
        return xen_fail(s->x, err, "cannot open the event channel device");
    xenevtchn_port_or_error_t local = xenevtchn_bind_interdomain(evtchn, s->domid, (evtchn_port_t)port);
    int rc = local < 0 ? -1 : xenevtchn_notify(evtchn, (evtchn_port_t)local);
    if (rc < 0)
        xen_fail(s->x, err, "cannot signal the guest's suspend event channel %d", port);
    xenevtchn_close(evtchn);
    return rc;
}

static int request(struct suspend *s, struct cv_error *err)
{
    uint64_t pv_drivers = 0, sleeping = 0;
    int port = suspend_port(s);

    xc_hvm_param_get(s->x->xc, s->domid, HVM_PARAM_CALLBACK_IRQ, &pv_drivers);
    xc_hvm_param_get(s->x->xc, s->domid, HVM_PARAM_ACPI_S_STATE, &sleeping);
    if (pv_drivers == 0 || sleeping != 0) {
        if (xc_domain_shutdown(s->x->xc, s->domid, SHUTDOWN_suspend) < 0)
            return xen_fail(s->x, err, "cannot stop domain %u for its suspension", s->domid);
        s->acked = true;
        return 0;
    }
    if (port >= 0) {
        s->acked = true;
        return notify_port(s, port, err);
    }
    if (!xs_write(s->x->xs, XBT_NULL, s->control, "suspend", strlen("suspend")))
        return xen_fail(s->x, err, "xenstore: write %s", s->control);
    s->asked = true;
    return 0;
}

int xen_suspend(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct suspend s = { .x = xen_host(h), .domid = domid };

    snprintf(s.control, sizeof s.control, "/local/domain/%u/control/shutdown", domid);
    if (open_watches(s.x, err) < 0)
        return -1;
    int done = xen_is_suspended(s.x, domid, err);
    if (done != 0)
        return done < 0 ? -1 : 0;
    if (request(&s, err) < 0)
        return -1;
    return wait_suspended(&s, deadline_ms, cancel, err);
}

int xen_resume(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct cv_domain_info d;

    if (xen_info(h, domid, &d, err) < 0)
        return -1;
    if (d.shutdown && d.shutdown_reason != CV_SHUTDOWN_SUSPEND)
        return 0;
    /* 1: cooperative. The guest's suspend call returns "cancelled" and it keeps its event channels and grants. */
    if (d.shutdown && xc_domain_resume(x->xc, domid, 1) < 0)
        return xen_fail(x, err, "cannot resume domain %u", domid);
    /* Said of one that runs as well: who has resumed it may not have come so far, and then xenstored would tell nobody
     * of its next suspension. */
    if (!xs_resume_domain(x->xs, domid))
        return xen_fail(x, err, "cannot tell xenstored that domain %u goes on", domid);
    return 0;
}
