/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's log of dirtied pages (XEN_DOMCTL_shadow_op). */
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

int xen_dirty_log(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (!on) {
        if (switch_log(x, domid, XEN_DOMCTL_SHADOW_OP_OFF) < 0)
            return xen_fail(x, err, "cannot switch Xen's dirty log off");
        return 0;
    }
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
    if (r < 0)
        return -1;
    if (stats == NULL)
        return 0;
    xc_domaininfo_t d;
    if (xc_domain_getinfolist(x->xc, domid, 1, &d) != 1 || d.domain != domid)
        return xen_fail(x, err, "cannot ask Xen about domain %u", domid);
    *stats =
        (struct cv_dirty_stats){ .dirty_pages = s.dirty_count, .fault_pages = s.fault_count, .pages = d.tot_pages };
    return 0;
}
