/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's log of dirtied pages (XEN_DOMCTL_shadow_op).
 *
 * There is one for a domain, and whoever has privilege may take from it or switch it off: "xl save" of any kind does at
 * its end, even when it fails, and Xen goes on to answer with an empty bitmap as if nothing had been written.  So a
 * page of our own choice, the canary, is marked as dirty each time that we have taken the log, and has to be in it the
 * next time. */
#define XC_WANT_COMPAT_DEVICEMODEL_API
#include <errno.h>
#include <string.h>

#include "host/xen/xen.h"

int xen_pfn_count(struct cv_host *h, uint32_t domid, uint64_t *count_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    xen_pfn_t n = 0;

    if (xc_domain_nr_gpfns(x->xc, domid, &n) < 0)
        return xen_fail(x, err, "cannot ask for the size of domain %u's physical address space", domid);
    *count_out = n;
    return 0;
}

static int switch_log(struct xen_host *x, uint32_t domid, unsigned int op)
{
    return xc_shadow_control(x->xc, domid, op, NULL, 0);
}

/* Bits of one page of the bitmap: the canary is below. */
#define PEEK_PAGES (8u * XC_PAGE_SIZE)

/* Marks gfn as dirty, and looks: 1 it is now, 0 it is not (there is no page, or no log), -1. */
static int mark(struct xen_host *x, uint32_t domid, uint64_t gfn, struct cv_error *err)
{
    DECLARE_HYPERCALL_BUFFER(unsigned long, log);
    xc_shadow_op_stats_t s;

    if (xc_hvm_modified_memory(x->xc, domid, gfn, 1) < 0)
        return xen_fail(x, err, "cannot mark a page of domain %u as dirty", domid);
    log = xc_hypercall_buffer_alloc_pages(x->xc, log, 1);
    if (log == NULL)
        return xen_fail_as(x, CV_E_NOMEM, 0, err, "no memory for a page of the dirty bitmap");
    memset(log, 0, XC_PAGE_SIZE);
    long long r =
        xc_logdirty_control(x->xc, domid, XEN_DOMCTL_SHADOW_OP_PEEK, HYPERCALL_BUFFER(log), PEEK_PAGES, 0, &s);
    if (r < 0)
        xen_fail(x, err, "cannot look at Xen's dirty log");
    int rc = r < 0 ? -1 : (int)(log[gfn / 64] >> gfn % 64 & 1);
    xc_hypercall_buffer_free_pages(x->xc, log, 1);
    return rc;
}

/* In the first MiB, which guests do not give away; one that has no page at any of these places does without. */
static int choose_canary(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    static const uint64_t places[] = { 0x8, 0x10, 0x40, 0x90, 0x1, 0x200 };

    x->canary = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int rc = mark(x, domid, places[i], err);
        if (rc < 0)
            return -1;
        if (rc > 0) {
            x->canary = places[i];
            return 0;
        }
    }
    cv_log(x->sink, CV_LOG_WARN, "domain %u: whether somebody else takes from its dirty log cannot be seen", domid);
    return 0;
}

/* The log has been taken, into bitmap.  CV_E_BUSY: not all of it was ours to take. */
static int check_canary(struct xen_host *x, uint32_t domid, const uint64_t *bitmap, uint64_t count,
                        struct cv_error *err)
{
    if (x->canary == 0 || x->canary >= count || (bitmap[x->canary / 64] >> x->canary % 64 & 1))
        return 0;
    int there = mark(x, domid, x->canary, err);
    if (there < 0)
        return -1;
    /* Refused when there is a log already: then it is the page that has gone. */
    if (there == 0 && switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) < 0 && errno == EINVAL)
        return choose_canary(x, domid, err);
    return cv_fail(err, CV_E_BUSY, 0,
                   "somebody else has read or switched off the log of what domain %u writes (xl save, xl migrate?): "
                   "what it has written since is not known",
                   domid);
}

static int start_log(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    if (switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0)
        return 0;
    /* The VRAM tracking of an emulator holds a private log; taking it away makes room for ours (as libxenguest does).
     */
    int sys = errno;
    if (switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_OFF) == 0 &&
        switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0)
        return 0;
    if (sys == EINVAL)
        return cv_fail(err, CV_E_UNSUPPORTED, EINVAL, "Xen refuses a dirty log: is a PCI device passed through?");
    if (sys == EBUSY)
        return cv_fail(err, CV_E_UNSUPPORTED, EBUSY,
                       "Xen refuses a dirty log: an emulator has claimed pages (p2m_ioreq_server)");
    errno = sys;
    return xen_fail(x, err, "cannot switch Xen's dirty log on");
}

int xen_dirty_log(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (on)
        return start_log(x, domid, err) < 0 ? -1 : choose_canary(x, domid, err);
    x->canary = 0;
    if (switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_OFF) < 0)
        return xen_fail(x, err, "cannot switch Xen's dirty log off");
    return 0;
}

int xen_dirty_take(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, bool final,
                   struct cv_dirty_stats *stats, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    size_t bytes = (count + 63) / 64 * 8;
    xc_shadow_op_stats_t s = { 0 };
    DECLARE_HYPERCALL_BUFFER(unsigned long, log);

    log = xc_hypercall_buffer_alloc_pages(x->xc, log, (int)((bytes + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE));
    if (log == NULL)
        return xen_fail_as(x, CV_E_NOMEM, 0, err, "no memory for the dirty bitmap");
    memset(log, 0, bytes);
    long long r = xc_logdirty_control(x->xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(log), count,
                                      final ? XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL : 0, &s);
    if (r < 0)
        xen_fail(x, err, "cannot read Xen's dirty log");
    else
        memcpy(bitmap, log, bytes);
    xc_hypercall_buffer_free_pages(x->xc, log, (int)((bytes + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE));
    if (r < 0 || check_canary(x, domid, bitmap, count, err) < 0)
        return -1;
    if (x->canary != 0 && !final && xc_hvm_modified_memory(x->xc, domid, x->canary, 1) < 0)
        return xen_fail(x, err, "cannot mark a page of domain %u as dirty", domid);
    if (stats == NULL)
        return 0;
    xc_domaininfo_t d;
    if (xc_domain_getinfolist(x->xc, domid, 1, &d) != 1 || d.domain != domid)
        return xen_fail(x, err, "cannot ask Xen about domain %u", domid);
    *stats =
        (struct cv_dirty_stats){ .dirty_pages = s.dirty_count, .fault_pages = s.fault_count, .pages = d.tot_pages };
    return 0;
}
