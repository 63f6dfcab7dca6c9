/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/plan.h"

#include <string.h>

#include "vm/physmap.h"

uint64_t cv_plan_pfn_count(const struct cv_libxl_guest *p)
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

    if (spec->pvh)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "it is a PVH guest, which is not converted: convoy restore it, and xl save it then");
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

int cv_libxl_from_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                         uint32_t xen_minor, char **json_out, struct cv_error *err)
{
    if (cv_libxl_check_layout(c, l, err) < 0)
        return -1;
    return cv_libxl_config(c, spec, l, xen_minor, CV_LIBXL_ALL, json_out, err);
}
