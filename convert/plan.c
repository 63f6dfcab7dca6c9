/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/libxl_json.h"
#include "convert/plan.h"

#include <string.h>

#include "guest/spec.h"
#include "vm/physmap.h"

/* XEN_X86_EMU_ALL without VPCI, with and without USE_PIRQ (xen/arch-x86/xen.h). */
#define EMULATION_WITH_PIRQ 0x3ffu
#define EMULATION 0x1ffu

static void take_facts(struct cv_plan *p)
{
    struct cv_domain_spec *s = &p->spec;
    const struct cv_libxl_facts *f = &p->facts;

    /* xl.cfg counts in MiB; a balloon may have come to rest between two. */
    if (f->target_kb > s->video_kb && f->target_kb <= s->max_kb) {
        s->target_kb = f->target_kb;
        s->ram_target_kb = f->target_kb - s->video_kb;
    }
    s->paging_pool_kb = f->shadow_kb;
    s->timer_mode = f->timer_mode;
    s->max_evtchn_port = f->event_channels;
    /* Xen before 4.19 gives every HVM guest pirqs; later ones write down what they did. */
    s->emulation_flags = f->has_pirq && !f->pirq ? EMULATION : EMULATION_WITH_PIRQ;
}

int cv_plan_from_libxl(struct cv_plan *p, const char *json, size_t len, const char *default_model, struct cv_error *err)
{
    *p = (struct cv_plan){ 0 };
    if (cv_libxl_to_cfg(json, len, &p->facts, &p->cfg, err) < 0)
        return -1;
    size_t cfg_len = p->cfg.len;
    if (cv_buf_put_u8(&p->cfg, 0, err) < 0)
        return -1;
    if (cv_guest_config_parse((const char *)p->cfg.data, cfg_len, "xl's configuration", &p->config, err) < 0)
        return -1;
    p->has_config = true;
    const struct cv_layout_host host = { .default_model = default_model, .nic_roms = !p->facts.no_nic_roms };
    if (cv_layout_decide(&p->config, &host, &p->layout, err) < 0)
        return -1;
    p->has_layout = true;
    if (cv_libxl_check_layout(&p->config, &p->layout, err) < 0)
        return -1;
    cv_spec_from_config(&p->spec, &p->config, &p->layout);
    take_facts(p);
    return 0;
}

uint64_t cv_plan_pfn_count(const struct cv_plan *p)
{
    const struct cv_layout *l = &p->layout;
    uint64_t end = cv_physmap(l->max_kib << 10, l->mmio_start).high_end >> CV_PFN_SHIFT;

    /* The special pages lie below 4 GiB in every guest, and emulated cards' memory too. */
    for (unsigned i = 0; i < l->count; i++)
        if (l->dms[i].window_gfn + l->dms[i].window_pages > end)
            end = l->dms[i].window_gfn + l->dms[i].window_pages;
    return end;
}

/* The layout is what the guest has; the configuration must describe the same, or xl would start another machine. */
static int compare(const struct cv_layout *image, const struct cv_layout *decided, struct cv_error *err)
{
    const struct cv_layout_dm *a = &image->dms[0], *b = &decided->dms[0];

    if (image->max_kib != decided->max_kib || image->maxvcpus != decided->maxvcpus ||
        a->device_count != b->device_count)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "the guest's configuration text and its layout describe different machines");
    for (unsigned i = 0; i < a->device_count; i++) {
        const struct cv_layout_device *x = &a->devices[i], *y = &b->devices[i];
        if (x->kind != y->kind || x->bdf != y->bdf || strcmp(x->driver, y->driver) != 0 ||
            strcmp(x->vdev, y->vdev) != 0 || strcmp(x->path, y->path) != 0 ||
            memcmp(x->mac, y->mac, sizeof x->mac) != 0)
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "device %s (%s) of the layout is not as in the guest's configuration text", x->id,
                           x->driver);
    }
    return 0;
}

/* Cards of the default emulator have a boot ROM where the host had one when the guest was made. */
static bool has_roms(const struct cv_layout *l)
{
    for (unsigned i = 0; i < l->dms[0].device_count; i++)
        if (l->dms[0].devices[i].kind == CV_DEV_VIF && strstr(l->dms[0].devices[i].arg, "romfile=") == NULL)
            return true;
    return false;
}

int cv_plan_to_libxl(const char *cfg, size_t cfg_len, const struct cv_domain_spec *spec, const struct cv_layout *layout,
                     uint32_t xen_minor, char **json_out, struct cv_error *err)
{
    const struct cv_layout_host host = { .default_model = layout->dms[0].model, .nic_roms = has_roms(layout) };
    struct cv_guest_config config;
    struct cv_layout decided;

    /* In front of the text: a guest of several is refused for being one, not for what its text says. */
    if (layout->count != 1)
        return cv_libxl_check_layout(NULL, layout, err);
    if (cv_guest_config_parse(cfg, cfg_len, "the guest's configuration", &config, err) < 0)
        return -1;
    int rc = cv_layout_decide(&config, &host, &decided, err);
    if (rc == 0) {
        rc = compare(layout, &decided, err);
        cv_layout_dispose(&decided);
    }
    if (rc == 0)
        rc = cv_libxl_from_config(&config, spec, layout, xen_minor, json_out, err);
    cv_guest_config_dispose(&config);
    return rc;
}

void cv_plan_dispose(struct cv_plan *p)
{
    cv_buf_dispose(&p->cfg);
    if (p->has_layout)
        cv_layout_dispose(&p->layout);
    if (p->has_config)
        cv_guest_config_dispose(&p->config);
    *p = (struct cv_plan){ 0 };
}

int cv_libxl_from_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                         uint32_t xen_minor, char **json_out, struct cv_error *err)
{
    if (cv_libxl_check_layout(c, l, err) < 0)
        return -1;
    return cv_libxl_config(c, spec, l, xen_minor, CV_LIBXL_ALL, json_out, err);
}
