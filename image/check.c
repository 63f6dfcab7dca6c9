/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no single record can know: whether the parts of an image are those of one guest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "layout/cmdline.h"
#include "image/image.h"

static int bad(struct cv_error *err, const char *fmt, ...) CV_PRINTF(2, 3);
static int bad(struct cv_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, CV_E_STREAM, 0, fmt, ap);
    va_end(ap);
    return -1;
}

static int pass_on(const struct cv_error *why, const char *record, struct cv_error *err)
{
    cv_fail_as(err, why);
    return cv_context(err, "record %s", record);
}

static int check_guest(const struct cv_image *img, struct cv_error *err)
{
    const struct cv_domain_spec *s = &img->spec;

    if (!img->has_spec)
        return pass_on(&img->spec_error, "GUEST", err);
    if (memcmp(s->uuid, img->uuid, sizeof img->uuid) != 0)
        return bad(err, "record GUEST: the guest's UUID stands there twice, and differs");
    if (s->pvh != (img->guest_type == CV_GUEST_PVH))
        return bad(err, "record GUEST: the guest's type stands there twice, and differs");
    if (img->vcpus.max != s->vcpus)
        return bad(err, "record VCPUS: %u vCPUs, and GUEST says %u", img->vcpus.max, s->vcpus);
    if (img->memory.static_max_kib != 0 && img->memory.static_max_kib != s->max_kib)
        return bad(err, "record MEMORY: static-max of %" PRIu64 " KiB, and GUEST says %" PRIu64,
                   img->memory.static_max_kib, s->max_kib);
    return 0;
}

/* The record's head, which every reader understands, and its JSON are about the same emulators. */
static int check_layout(const struct cv_image *img, struct cv_error *err)
{
    const struct cv_rec_layout *r = &img->layout_record;
    const struct cv_layout *l = &img->layout;
    unsigned order[CV_DM_MAX];

    if (!img->has_layout)
        return pass_on(&img->layout_error, "LAYOUT", err);
    if (r->count != l->count)
        return bad(err, "record LAYOUT: its head lists %u emulators and its JSON %u", r->count, l->count);
    if (cv_layout_check_type(l, img->guest_type == CV_GUEST_PVH, err) < 0)
        return cv_context(err, "record LAYOUT");
    cv_layout_rank_order(l, order);
    for (unsigned i = 0; i < l->count; i++) {
        bool is_default = l->dms[order[i]].role == CV_DM_DEFAULT;
        if (r->emulator[i].dmid != order[i] || ((r->emulator[i].flags & CV_LAYOUT_DEFAULT) != 0) != is_default)
            return bad(err, "record LAYOUT: its head and its JSON differ about emulator %u", order[i]);
    }
    if (img->has_spec && img->spec.vcpus != l->maxvcpus)
        return bad(err, "record LAYOUT: emulators of %u vCPUs for a guest of %u", l->maxvcpus, img->spec.vcpus);
    return cv_cmdline_check(l, err) < 0 ? cv_context(err, "record LAYOUT") : 0;
}

/* Kinds whose QEMU models all keep state; of raw and foreign devices that is not known.  A guest with PV drivers has
 * unplugged the default emulator's network cards, and does so again after a restore. */
static bool keeps_state(const struct cv_layout_dm *dm, const struct cv_layout_device *dev, bool pv)
{
    if (pv && dm->role == CV_DM_DEFAULT && dev->kind == CV_DEV_VIF)
        return false;
    return dev->bdf != CV_BDF_NONE && dev->kind != CV_DEV_RAW && dev->kind != CV_DEV_FOREIGN;
}

int cv_image_check_sections(const struct cv_layout_dm *dm, const struct cv_qemu_state *qemu, bool pv,
                            struct cv_error *err)
{
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        char path[20], bdf[12];
        bool found = !keeps_state(dm, dev, pv);

        snprintf(path, sizeof path, "0000:%s/", cv_bdf_string(dev->bdf, bdf, sizeof bdf));
        for (size_t k = 0; k < qemu->count && !found; k++)
            found = strncmp(qemu->sections[k].name, path, strlen(path)) == 0;
        if (!found)
            return bad(err, "the layout has %s at %s, and the device state says nothing of it", dev->driver, bdf);
    }
    return 0;
}

static int check_state(const struct cv_layout_dm *dm, const struct cv_image_state *s, bool pv, struct cv_error *err)
{
    if (!s->there)
        return bad(err, "its device state is missing");
    if (s->format != CV_STATE_QEMU)
        return 0;
    /* Sections that cannot be told apart are no fault: their lengths stand nowhere (stream-format/qemu_state.h). */
    if (!s->taken_apart && s->why.code != CV_E_UNSUPPORTED)
        return bad(err, "%s", s->why.text);
    return s->taken_apart ? cv_image_check_sections(dm, &s->qemu, pv, err) : 0;
}

static int check_states(const struct cv_image *img, struct cv_error *err)
{
    for (unsigned i = 0; i < img->layout.count; i++)
        if (check_state(&img->layout.dms[i], &img->states[i], img->devices_json != NULL, err) < 0)
            return cv_context(err, "record DEVICE_STATE dmid %u: emulator '%s'", i, img->layout.dms[i].name);
    return 0;
}

static int check_context(const struct cv_image *img, struct cv_error *err)
{
    struct cv_hvm_entry e;
    unsigned cpus = 0;
    size_t at = 0;
    bool wrong;

    while (cv_hvm_context_next(&img->hvm_context, &at, &e, &wrong))
        cpus += e.type == 2;
    if (wrong)
        return bad(err, "record HVM_CONTEXT: no entry of Xen's at byte %zu", at);
    if (cpus == 0 || cpus > img->vcpus.max)
        return bad(err, "record HVM_CONTEXT: %u vCPUs of at most %u", cpus, img->vcpus.max);
    return 0;
}

/* Pages that Xen, xenstored and the console daemon use must be in the memory. */
static int check_params(const struct cv_image *img, struct cv_error *err)
{
    static const uint64_t pfns[] = { 1, 17 }; /* STORE_PFN, CONSOLE_PFN */
    struct cv_rec_hvm_params p;

    if (cv_rec_hvm_params_decode(&p, img->hvm_params.data, img->hvm_params.len, err) < 0)
        return -1;
    for (uint32_t i = 0; i < p.count && !img->map.left_out; i++) {
        struct cv_hvm_param v = cv_hvm_params_at(&p, i);
        for (size_t k = 0; k < sizeof pfns / sizeof *pfns; k++) {
            if (v.index != pfns[k] || v.value == 0)
                continue;
            enum cv_run_kind kind = cv_pagemap_kind(&img->map, v.value);
            if (kind == CV_PAGEMAP_NONE || kind == CV_RUN_ABSENT)
                return bad(err, "record HVM_PARAMS: %s is %#" PRIx64 ", and the memory has no such page",
                           cv_hvm_param_name(v.index), v.value);
        }
    }
    return 0;
}

static int check_xenstore(const struct cv_image *img, struct cv_error *err)
{
    struct cv_rec_xenstore x;
    struct cv_xs_node n;

    if (img->xenstore.len == 0)
        return 0;
    if (cv_rec_xenstore_decode(&x, img->xenstore.data, img->xenstore.len, err) < 0)
        return -1;
    while (cv_xs_next(&x, &n))
        if (n.dmid != CV_XS_NO_DMID && n.dmid >= img->layout.count)
            return bad(err, "record XENSTORE: %.*s belongs to emulator %u, which the layout does not have",
                       (int)n.key_len, n.key, n.dmid);
    return 0;
}

int cv_image_check(const struct cv_image *img, struct cv_error *err)
{
    if (!img->whole)
        return bad(err, "the image was not read to its end");
    if (cv_image_memory_only(img))
        return 0;
    if (check_guest(img, err) < 0 || check_layout(img, err) < 0 || check_states(img, err) < 0 ||
        check_context(img, err) < 0 || check_params(img, err) < 0 || check_xenstore(img, err) < 0)
        return -1;
    return 0;
}
