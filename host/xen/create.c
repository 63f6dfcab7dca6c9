/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An empty HVM or PVH domain: everything that libxl__domain_make and libxl__build_pre do before firmware or memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/xen/xen.h"

/* Xen's public headers want xenctrl.h before them. */
#include <xen/hvm/params.h>

/* libxl's slack over the guest's own memory: special pages and small ROMs (LIBXL_MAXMEM_CONSTANT). */
#define MAXMEM_SLACK_KB 1024u

static int name_is_free(struct cv_host *h, const char *name, struct cv_error *err)
{
    struct cv_domain_info d;
    struct cv_error e = CV_ERROR_INIT;

    if (xen_find(h, name, &d, &e) == 0 && strcmp(d.name, name) == 0)
        return cv_fail(err, CV_E_BUSY, 0, "a domain named '%s' exists already (domain %u)", name, d.domid);
    return 0;
}

static struct xen_domctl_createdomain create_args(const struct cv_domain_spec *spec)
{
    struct xen_domctl_createdomain c = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_oos_off,
        .max_vcpus = spec->vcpus,
        .max_evtchn_port = spec->max_evtchn_port ? spec->max_evtchn_port : 1023,
        .max_grant_frames = spec->max_grant_frames ? (int32_t)spec->max_grant_frames : 64,
        .max_maptrack_frames = spec->max_maptrack_frames ? (int32_t)spec->max_maptrack_frames : 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
    };

    if (spec->hap)
        c.flags |= XEN_DOMCTL_CDF_hap;
    if (spec->nested_hvm)
        c.flags |= XEN_DOMCTL_CDF_nested_virt;
    memcpy(c.handle, spec->uuid, sizeof c.handle);
    return c;
}

/* Prefers a domain without USE_PIRQ: a Linux guest takes an emulated device's MSI over an event channel when it has
 * pirqs, and does not restore those after a suspend.  Xen 4.17 refuses such a domain (EOPNOTSUPP). */
static int create_domain(struct xen_host *x, struct cv_domain_spec *spec, uint32_t *domid_out, struct cv_error *err)
{
    struct xen_domctl_createdomain c = create_args(spec);
    uint32_t all = XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI;
    uint32_t tries[2] = { all & ~XEN_X86_EMU_USE_PIRQ, all };
    int n = 2;

    if (xen_cpupool(x, spec->cpupool, &c.cpupool_id, err) < 0)
        return -1;
    if (spec->pvh) {
        tries[0] = XEN_X86_EMU_LAPIC;
        n = 1;
    } else if (spec->emulation_flags != 0 || spec->pirq) {
        tries[0] = spec->emulation_flags != 0 ? spec->emulation_flags : all;
        n = 1;
    }
    for (int i = 0; i < n; i++) {
        uint32_t domid = 0;

        c.arch.emulation_flags = tries[i];
        if (xc_domain_create(x->xc, &domid, &c) == 0) {
            spec->emulation_flags = tries[i];
            *domid_out = domid;
            return 0;
        }
        if (errno != EOPNOTSUPP && errno != EINVAL)
            break;
    }
    if (errno == ENOMEM)
        return xen_fail_as(x, CV_E_NOMEM, ENOMEM, err, "Xen has no memory for a new domain");
    return xen_fail(x, err, "Xen does not create the domain");
}

static int set_memory_limits(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec,
                             struct cv_error *err)
{
    uint64_t max_kib =
        spec->max_pages ? spec->max_pages * 4 : spec->ram_target_kib + spec->extra_pages * 4 + MAXMEM_SLACK_KB;
    /* As libxl_get_required_shadow_memory: a page for each MiB twice over, and 1 MiB for each vCPU. */
    uint64_t pool_kib =
        spec->paging_pool_kib ? spec->paging_pool_kib : 4 * (256 * (uint64_t)spec->vcpus + 2 * (spec->max_kib / 1024));

    if (xc_domain_setmaxmem(x->xc, domid, max_kib) < 0)
        return xen_fail(x, err, "cannot set the memory limit to %llu KiB", (unsigned long long)max_kib);
    pool_kib = (pool_kib + 1023) / 1024 * 1024;
    if (xc_set_paging_mempool_size(x->xc, domid, pool_kib * 1024) < 0)
        return xen_fail_as(x, errno == ENOMEM ? CV_E_NOMEM : CV_E_HYPERVISOR, errno, err,
                           "cannot reserve %llu KiB for page tables", (unsigned long long)pool_kib);
    return 0;
}

static int set_params(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err)
{
    const struct cv_state_param params[] = {
        { HVM_PARAM_TIMER_MODE, spec->timer_mode },
        { HVM_PARAM_HPET_ENABLED, spec->hpet },
        { HVM_PARAM_VPT_ALIGN, !spec->no_vpt_align },
    };

    /* A PVH guest has no timers of that kind. */
    for (size_t i = spec->pvh ? sizeof params / sizeof params[0] : 0; i < sizeof params / sizeof params[0]; i++)
        if (xc_hvm_param_set(x->xc, domid, (uint32_t)params[i].index, params[i].value) != 0)
            return xen_fail(x, err, "cannot set HVM parameter %u", (unsigned)params[i].index);
    if (xc_domain_set_tsc_info(x->xc, domid, spec->tsc_mode, 0, 0, 0) != 0)
        return xen_fail(x, err, "cannot set TSC mode %d", spec->tsc_mode);
    return 0;
}

static int set_up(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err)
{
    /* Without this first everything later fails with EINVAL, the emulators' start too. */
    if (xc_domain_max_vcpus(x->xc, domid, spec->vcpus) != 0)
        return xen_fail(x, err, "cannot give the domain %u vcpus", spec->vcpus);
    if (xen_schedule(x, domid, spec, err) < 0 || set_memory_limits(x, domid, spec, err) < 0 ||
        set_params(x, domid, spec, err) < 0)
        return -1;
    int store_port = xc_evtchn_alloc_unbound(x->xc, domid, 0);
    if (store_port < 0)
        return xen_fail(x, err, "cannot allocate the xenstore event channel");
    int console_port = xc_evtchn_alloc_unbound(x->xc, domid, 0);
    if (console_port < 0)
        return xen_fail(x, err, "cannot allocate the console event channel");
    return xen_skeleton_write(x, domid, spec, (uint32_t)store_port, (uint32_t)console_port, err);
}

int xen_create(struct cv_host *h, struct cv_domain_spec *spec, uint32_t *domid_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    uint32_t domid = 0, flags = spec->emulation_flags;

    if (spec->vcpus == 0 || spec->vcpus > 128 || spec->ram_target_kib < 4096 || spec->ram_kib < spec->ram_target_kib)
        return cv_fail(err, CV_E_INVALID, 0, "a domain needs 1 to 128 vcpus and at least 4 MiB (got %u, %llu KiB)",
                       spec->vcpus, (unsigned long long)spec->ram_target_kib);
    if (name_is_free(h, spec->name, err) < 0)
        return -1;
    if (create_domain(x, spec, &domid, err) < 0)
        return cv_context(err, "create '%s'", spec->name);
    if (set_up(x, domid, spec, err) < 0) {
        spec->emulation_flags = flags;
        xen_destroy(h, domid, NULL);
        return cv_context(err, "create '%s'", spec->name);
    }
    *domid_out = domid;
    return 0;
}
