/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding, listing, pausing and ending domains. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "host/xen/xen.h"

int xen_facts(struct cv_host *h, struct cv_host_facts *out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    xen_extraversion_t extra = "";
    xen_capabilities_info_t caps = "";
    xc_physinfo_t phys = { 0 };
    int v = xc_version(x->xc, XENVER_version, NULL);

    if (v < 0)
        return xen_fail(x, err, "cannot ask Xen for its version");
    if (xc_physinfo(x->xc, &phys) < 0)
        return xen_fail(x, err, "cannot ask Xen about the machine");
    xc_version(x->xc, XENVER_extraversion, &extra);
    xc_version(x->xc, XENVER_capabilities, &caps);
    memset(out, 0, sizeof *out);
    out->version_major = (uint32_t)v >> 16;
    out->version_minor = (uint32_t)v & 0xffff;
    snprintf(out->hypervisor, sizeof out->hypervisor, "Xen %u.%u%s", out->version_major, out->version_minor, extra);
    snprintf(out->capabilities, sizeof out->capabilities, "%s", caps);
    gethostname(out->hostname, sizeof out->hostname - 1);
    out->free_pages = phys.free_pages;
    out->total_pages = phys.total_pages;
    out->cpus = phys.nr_cpus;
    return 0;
}

static void read_name(struct xen_host *x, uint32_t domid, char *name, size_t len)
{
    char path[64];
    unsigned int n;

    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    CV_AUTO_FREE char *value = xs_read(x->xs, XBT_NULL, path, &n);
    snprintf(name, len, "%s", value ? value : "");
}

static void fill_info(const xc_domaininfo_t *d, struct cv_domain_info *out)
{
    memset(out, 0, sizeof *out);
    out->domid = d->domain;
    memcpy(out->uuid, d->handle, sizeof out->uuid);
    out->hvm = d->flags & XEN_DOMINF_hvm_guest;
    out->paused = d->flags & XEN_DOMINF_paused;
    out->dying = d->flags & XEN_DOMINF_dying;
    out->shutdown = d->flags & XEN_DOMINF_shutdown;
    out->shutdown_reason = (int)(d->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    out->vcpus = d->max_vcpu_id + 1;
    out->vcpus_online = d->nr_online_vcpus;
    out->pages = d->tot_pages;
    out->max_pages = d->max_pages;
    out->cpu_time_ns = d->cpu_time;
}

int xen_info(struct cv_host *h, uint32_t domid, struct cv_domain_info *out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    xc_domaininfo_t d;
    int n = xc_domain_getinfolist(x->xc, domid, 1, &d);

    if (n < 0)
        return xen_fail(x, err, "cannot ask Xen about domain %u", domid);
    if (n != 1 || d.domain != domid)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no domain %u", domid);
    fill_info(&d, out);
    read_name(x, domid, out->name, sizeof out->name);
    return 0;
}

static int each_domain(struct cv_host *h, bool names, int (*each)(void *, const struct cv_domain_info *), void *user,
                       struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    uint32_t next = 1;

    for (;;) {
        xc_domaininfo_t d[64];
        int n = xc_domain_getinfolist(x->xc, next, 64, d);

        if (n < 0)
            return xen_fail(x, err, "cannot list domains");
        for (int i = 0; i < n; i++) {
            struct cv_domain_info info;
            fill_info(&d[i], &info);
            if (names)
                read_name(x, info.domid, info.name, sizeof info.name);
            if (each(user, &info) != 0)
                return 0;
        }
        if (n < 64)
            return 0;
        next = d[n - 1].domain + 1u;
    }
}

int xen_list(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user, struct cv_error *err)
{
    return each_domain(h, true, each, user, err);
}

int xen_peek(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user, struct cv_error *err)
{
    return each_domain(h, false, each, user, err);
}

struct by_name {
    const char *name;
    struct cv_domain_info found;
    bool any;
};

static int match_name(void *user, const struct cv_domain_info *d)
{
    struct by_name *m = user;

    if (strcmp(d->name, m->name) != 0 || d->dying)
        return 0;
    m->found = *d;
    m->any = true;
    return 1;
}

int xen_find(struct cv_host *h, const char *who, struct cv_domain_info *out, struct cv_error *err)
{
    struct by_name m = { .name = who };

    if (strcmp(who, "0") == 0 || strcmp(who, "Domain-0") == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain 0 is the host itself, not a guest");
    /* As in xl: a name wins over a number. */
    if (xen_list(h, match_name, &m, err) < 0)
        return -1;
    if (m.any) {
        *out = m.found;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long domid = isdigit((unsigned char)who[0]) ? strtoul(who, &end, 10) : 0;
    if (domid == 0 || errno != 0 || *end != '\0' || domid >= DOMID_FIRST_RESERVED)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no domain '%s'", who);
    return xen_info(h, (uint32_t)domid, out, err);
}

int xen_pause(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    return xc_domain_pause(x->xc, domid) < 0 ? xen_fail(x, err, "cannot pause domain %u", domid) : 0;
}

int xen_unpause(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    return xc_domain_unpause(x->xc, domid) < 0 ? xen_fail(x, err, "cannot unpause domain %u", domid) : 0;
}

int xen_shutdown(struct cv_host *h, uint32_t domid, int reason, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    return xc_domain_shutdown(x->xc, domid, reason) < 0 ? xen_fail(x, err, "cannot stop domain %u", domid) : 0;
}

int xen_set_max_pages(struct cv_host *h, uint32_t domid, uint64_t pages, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (xc_domain_setmaxmem(x->xc, domid, pages * 4) < 0)
        return xen_fail(x, err, "cannot set the memory limit of domain %u to %llu pages", domid,
                        (unsigned long long)pages);
    return 0;
}

int xen_rename(struct cv_host *h, uint32_t domid, const char *name, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    char path[XEN_XS_PATH_MAX];
    unsigned int n;

    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    if (xen_xs_printf(x, XBT_NULL, err, path, "%s", name) < 0)
        return -1;
    snprintf(path, sizeof path, "/local/domain/%u/vm", domid);
    CV_AUTO_FREE char *vm = xs_read(x->xs, XBT_NULL, path, &n);
    if (vm == NULL)
        return 0;
    snprintf(path, sizeof path, "%.200s/name", vm);
    return xen_xs_printf(x, XBT_NULL, err, path, "%s", name);
}

int xen_destroy(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct cv_error e = CV_ERROR_INIT;

    /* Paused first: back ends of a guest that may still run are asked to close and waited for. */
    xc_domain_pause(x->xc, domid);
    if (xen_devices_remove(x, domid, &e) < 0)
        cv_log(x->sink, CV_LOG_WARN, "domain %u: %s", domid, e.text);
    /* The hypercall gives memory back in steps and answers only when the domain is dead; EAGAIN is inside libxc. */
    if (xc_domain_destroy(x->xc, domid) < 0 && errno != ESRCH)
        return xen_fail(x, err, "cannot destroy domain %u", domid);
    int rc = xen_skeleton_remove(x, domid, err);
    return xen_devices_forget(x, domid, err) < 0 ? -1 : rc;
}

int xen_dump(struct cv_host *h, uint32_t domid, const char *path, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (xc_domain_dumpcore(x->xc, domid, path) != 0)
        return xen_fail(x, err, "cannot dump domain %u to %s", domid, path);
    return 0;
}

int xen_is_suspended(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    xc_domaininfo_t d;
    int n = xc_domain_getinfolist(x->xc, domid, 1, &d);

    if (n < 0)
        return xen_fail(x, err, "cannot ask Xen about domain %u", domid);
    if (n != 1 || d.domain != domid || (d.flags & XEN_DOMINF_dying))
        return cv_fail(err, CV_E_HYPERVISOR, 0, "the guest was destroyed while it was asked to suspend");
    if (!(d.flags & XEN_DOMINF_shutdown))
        return 0;
    unsigned reason = (d.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    if (reason != SHUTDOWN_suspend)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "the guest stopped for another reason (%u) in place of suspending",
                       reason);
    return 1;
}
