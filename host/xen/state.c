/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Xen knows of a stopped guest besides its memory: the same pieces in the same order as libxenguest's HVM
 * saver and restorer (xg_sr_save_x86_hvm.c, xg_sr_restore_x86_hvm.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "host/xen/xen.h"

/* Xen's public headers want xenctrl.h before them. */
#include <xen/hvm/params.h>

/* clang-format off */
static const uint32_t saved_params[] = {
    HVM_PARAM_STORE_PFN, HVM_PARAM_IOREQ_PFN, HVM_PARAM_BUFIOREQ_PFN, HVM_PARAM_PAGING_RING_PFN,
    HVM_PARAM_MONITOR_RING_PFN, HVM_PARAM_SHARING_RING_PFN, HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_ACPI_IOPORTS_LOCATION, HVM_PARAM_VIRIDIAN, HVM_PARAM_IDENT_PT, HVM_PARAM_VM_GENERATION_ID_ADDR,
    HVM_PARAM_IOREQ_SERVER_PFN, HVM_PARAM_NR_IOREQ_SERVER_PAGES, HVM_PARAM_X87_FIP_WIDTH, HVM_PARAM_MCA_CAP,
};
/* clang-format on */
#define SAVED_PARAMS (sizeof saved_params / sizeof saved_params[0])

static int get_context(struct xen_host *x, uint32_t domid, struct cv_buf *out, struct cv_error *err)
{
    int size = xc_domain_hvm_getcontext(x->xc, domid, NULL, 0);

    if (size <= 0)
        return xen_fail(x, err, "cannot ask for the size of domain %u's HVM context", domid);
    if (cv_buf_reserve(out, (size_t)size, err) < 0)
        return -1;
    size = xc_domain_hvm_getcontext(x->xc, domid, out->data, (uint32_t)size);
    if (size <= 0)
        return xen_fail(x, err, "cannot read domain %u's HVM context", domid);
    out->len = (size_t)size;
    return 0;
}

int xen_get_state(struct cv_host *h, uint32_t domid, struct cv_guest_state *out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct cv_guest_state s = { 0 };

    if (xc_domain_get_tsc_info(x->xc, domid, &s.tsc.mode, &s.tsc.nsec, &s.tsc.khz, &s.tsc.incarnation) < 0)
        return xen_fail(x, err, "cannot read domain %u's TSC state", domid);
    for (size_t i = 0; i < SAVED_PARAMS; i++) {
        uint64_t value = 0;
        if (xc_hvm_param_get(x->xc, domid, saved_params[i], &value) != 0)
            return xen_fail(x, err, "cannot read HVM parameter %u", saved_params[i]);
        if (value != 0)
            s.params[s.param_count++] = (struct cv_state_param){ saved_params[i], value };
    }
    if (get_context(x, domid, &s.hvm_context, err) < 0) {
        cv_guest_state_dispose(&s);
        return -1;
    }
    *out = s;
    return 0;
}

static uint64_t param_of(const struct cv_guest_state *s, uint64_t index)
{
    for (size_t i = 0; i < s->param_count; i++)
        if (s->params[i].index == index)
            return s->params[i].value;
    return 0;
}

/* Only what the saver writes is accepted: an image is no way to set whatever parameter one likes. */
static bool is_saved_param(uint64_t index)
{
    for (size_t i = 0; i < SAVED_PARAMS; i++)
        if (saved_params[i] == index)
            return true;
    return false;
}

static int set_param(struct xen_host *x, uint32_t domid, const struct cv_state_param *p, struct cv_error *err)
{
    if (!is_saved_param(p->index))
        return cv_fail(err, CV_E_STREAM, 0, "HVM parameter %" PRIu64 " does not belong into an image", p->index);
    switch (p->index) {
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_IOREQ_PFN:
    case HVM_PARAM_BUFIOREQ_PFN:
        /* The rings start anew: their old contents belong to connections that are gone. */
        if (xc_clear_domain_page(x->xc, domid, p->value) != 0)
            return xen_fail(x, err, "cannot clear the ring page %#" PRIx64, p->value);
        break;
    default: break;
    }
    if (xc_hvm_param_set(x->xc, domid, (uint32_t)p->index, p->value) != 0)
        return xen_fail(x, err, "cannot set HVM parameter %" PRIu64 " to %#" PRIx64, p->index, p->value);
    return 0;
}

int xen_set_state(struct cv_host *h, uint32_t domid, const struct cv_guest_state *s, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    uint32_t store_port, console_port;

    if (xen_ports(x, domid, &store_port, &console_port, err) < 0)
        return -1;
    if (xc_domain_set_tsc_info(x->xc, domid, s->tsc.mode, s->tsc.nsec, s->tsc.khz, s->tsc.incarnation) != 0)
        return xen_fail(x, err, "cannot set domain %u's TSC state", domid);
    for (size_t i = 0; i < s->param_count; i++)
        if (set_param(x, domid, &s->params[i], err) < 0)
            return -1;
    if (xc_hvm_param_set(x->xc, domid, HVM_PARAM_STORE_EVTCHN, store_port) != 0 ||
        xc_hvm_param_set(x->xc, domid, HVM_PARAM_CONSOLE_EVTCHN, console_port) != 0)
        return xen_fail(x, err, "cannot set the event channels of domain %u", domid);
    if (xc_domain_hvm_setcontext(x->xc, domid, s->hvm_context.data, (uint32_t)s->hvm_context.len) < 0)
        return xen_fail(x, err, "Xen does not take the HVM context");
    return 0;
}

int xen_introduce(struct cv_host *h, uint32_t domid, const struct cv_guest_state *s, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    uint64_t store = param_of(s, HVM_PARAM_STORE_PFN), console = param_of(s, HVM_PARAM_CONSOLE_PFN);

    if (xc_dom_gnttab_seed(x->xc, domid, true, console, store, 0, 0) != 0)
        return xen_fail(x, err, "cannot seed the grant table of domain %u", domid);
    return xen_introduce_rings(x, domid, store, console, err);
}
