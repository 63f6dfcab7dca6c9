/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds of every layout, wherever it came from. */
#include "layout/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vm/physmap.h"

void cv_layout_dispose(struct cv_layout *l)
{
    struct cv_pool pool = l->pool;

    memset(l, 0, sizeof *l);
    cv_pool_dispose(&pool);
}

const char *cv_bdf_string(uint16_t bdf, char *buf, size_t len)
{
    if (bdf == CV_BDF_NONE)
        snprintf(buf, len, "-");
    else
        snprintf(buf, len, "%02x:%02x.%x", bdf >> 8, bdf >> 3 & 0x1f, bdf & 7u);
    return buf;
}

struct cv_layout_device cv_layout_device_of(enum cv_device_kind kind)
{
    return (struct cv_layout_device){ .kind = kind,
                                      .id = "",
                                      .driver = "",
                                      .arg = "",
                                      .bdf = CV_BDF_NONE,
                                      .vdev = "",
                                      .path = "",
                                      .format = "",
                                      .bridge = "",
                                      .ifname = "" };
}

const struct cv_layout_device *cv_layout_device_at(const struct cv_layout_dm *dm, uint16_t bdf)
{
    for (unsigned i = 0; i < dm->device_count; i++)
        if (dm->devices[i].bdf == bdf)
            return &dm->devices[i];
    return NULL;
}

bool cv_layout_is_backend(const struct cv_layout_dm *dm) { return strcmp(dm->machine, CV_MACHINE_BACKEND) == 0; }

bool cv_layout_is_qemu(const struct cv_layout_dm *dm) { return strcmp(dm->machine, CV_MACHINE_PROTOCOL) != 0; }

int cv_layout_check_type(const struct cv_layout *l, bool pvh, struct cv_error *err)
{
    if (!pvh && l->count > 0 && !cv_layout_is_backend(&l->dms[0]))
        return 0;
    if (pvh && (l->count == 0 || (l->count == 1 && cv_layout_is_backend(&l->dms[0]))))
        return 0;
    return cv_fail(err, CV_E_INVALID, 0,
                   pvh ? "layout: a PVH guest has one emulator at most, of machine " CV_MACHINE_BACKEND
                       : "layout: an HVM guest has an emulator, which has its devices");
}

bool cv_layout_may_unplug(const struct cv_layout_dm *dm, const struct cv_layout_device *dev)
{
    return dm->role == CV_DM_DEFAULT && (dev->kind == CV_DEV_VIF || (dev->kind == CV_DEV_DISK && !dev->cdrom));
}

void cv_layout_rank_order(const struct cv_layout *l, unsigned order_out[CV_DM_MAX])
{
    for (unsigned i = 0; i < l->count; i++)
        order_out[l->dms[i].rank] = i;
}

uint64_t cv_layout_pfns(const struct cv_layout *l)
{
    uint64_t pages = l->max_kib >> 2, hole = l->mmio_start >> 12, top = UINT64_C(0x100000000) >> 12;

    if (pages > hole)
        top += pages - hole;
    for (unsigned i = 0; i < l->count; i++)
        if (l->dms[i].window_gfn + l->dms[i].window_pages > top)
            top = l->dms[i].window_gfn + l->dms[i].window_pages;
    return top;
}

/* Frame of every conflict: both dmids and names. */
static int conflict(const struct cv_layout_dm *a, const struct cv_layout_dm *b, struct cv_error *err)
{
    return cv_context(err, "layout: emulators %u '%s' and %u '%s'", a->dmid, a->name, b->dmid, b->name);
}

static bool overlap(uint64_t a, uint64_t a_pages, uint64_t b, uint64_t b_pages)
{
    return a < b + b_pages && b < a + a_pages;
}

static int check_devices(const struct cv_layout_dm *a, const struct cv_layout_dm *b, struct cv_error *err)
{
    char text[12];

    for (unsigned i = 0; i < a->device_count; i++)
        for (unsigned k = a == b ? i + 1 : 0; k < b->device_count; k++) {
            const struct cv_layout_device *x = &a->devices[i], *y = &b->devices[k];
            if (x->bdf != CV_BDF_NONE && x->bdf == y->bdf) {
                cv_fail(err, CV_E_INVALID, 0, "both have a device at %s: %s and %s",
                        cv_bdf_string(x->bdf, text, sizeof text), x->driver, y->driver);
                return conflict(a, b, err);
            }
            if (a == b && *x->id && strcmp(x->id, y->id) == 0) {
                cv_fail(err, CV_E_INVALID, 0, "two devices have the id '%s'", x->id);
                return conflict(a, b, err);
            }
            if (*x->vdev && strcmp(x->vdev, y->vdev) == 0) {
                cv_fail(err, CV_E_INVALID, 0, "both have the disk %s", x->vdev);
                return conflict(a, b, err);
            }
        }
    return 0;
}

static int check_space(const struct cv_layout_dm *a, const struct cv_layout_dm *b, struct cv_error *err)
{
    if (overlap(a->window_gfn, a->window_pages, b->window_gfn, b->window_pages)) {
        cv_fail(err, CV_E_INVALID, 0, "windows overlap: gfn 0x%" PRIx64 "+0x%" PRIx64 " and 0x%" PRIx64 "+0x%" PRIx64,
                a->window_gfn, a->window_pages, b->window_gfn, b->window_pages);
        return conflict(a, b, err);
    }
    for (unsigned i = 0; i < a->region_count; i++)
        for (unsigned k = 0; k < b->region_count; k++) {
            const struct cv_layout_region *x = &a->regions[i], *y = &b->regions[k];
            if (!overlap(x->gfn, x->pages, y->gfn, y->pages))
                continue;
            cv_fail(err, CV_E_INVALID, 0,
                    "%s at gfn 0x%" PRIx64 "+0x%" PRIx64 " overlaps %s at 0x%" PRIx64 "+0x%" PRIx64, x->what, x->gfn,
                    x->pages, y->what, y->gfn, y->pages);
            return conflict(a, b, err);
        }
    return 0;
}

static int check_pair(const struct cv_layout_dm *a, const struct cv_layout_dm *b, struct cv_error *err)
{
    if (strcmp(a->name, b->name) == 0)
        cv_fail(err, CV_E_INVALID, 0, "have the same name");
    else if (a->rank == b->rank)
        cv_fail(err, CV_E_INVALID, 0, "have the same rank %u", a->rank);
    else if (a->caps & b->caps)
        cv_fail(err, CV_E_INVALID, 0, "both have the capability %s",
                cv_cap_name((enum cv_cap)((a->caps & b->caps) & -(a->caps & b->caps))));
    else
        return check_devices(a, b, err) < 0 || check_space(a, b, err) < 0 ? -1 : 0;
    return conflict(a, b, err);
}

/* One emulator by itself: its window is behind the RAM and out of the PCI hole, its regions in its window. */
static int check_one(const struct cv_layout *l, unsigned i, struct cv_error *err)
{
    const struct cv_layout_dm *dm = &l->dms[i];

    if (dm->dmid != i || dm->rank >= l->count || (dm->role == CV_DM_DEFAULT) != (i == 0) ||
        (i == 0 && dm->rank != l->count - 1))
        cv_fail(err, CV_E_INVALID, 0,
                "dmid %u, rank %u and role %d do not fit (the default emulator is 0, created last)", dm->dmid, dm->rank,
                dm->role);
    else if (dm->window_gfn > 1ULL << 40 || dm->window_pages > 1ULL << 20 || dm->window_gfn < l->max_kib >> 2)
        cv_fail(err, CV_E_INVALID, 0, "window at gfn 0x%" PRIx64 "+0x%" PRIx64 " does not lie behind the RAM",
                dm->window_gfn, dm->window_pages);
    else if (cv_physmap_in_hole(l->mmio_start, dm->window_gfn << CV_PFN_SHIFT, dm->window_pages << CV_PFN_SHIFT))
        cv_fail(err, CV_E_INVALID, 0, "window at gfn 0x%" PRIx64 " lies in the PCI hole", dm->window_gfn);
    else if (dm->role != CV_DM_ATTACHED && (dm->argv.count == 0 || dm->model[0] != '/'))
        cv_fail(err, CV_E_INVALID, 0, "has no program");
    else if (dm->role != CV_DM_ATTACHED && strcmp(dm->argv.items[0], dm->model) != 0)
        cv_fail(err, CV_E_INVALID, 0, "its program is %.100s, and its command line starts %.100s", dm->model,
                dm->argv.items[0]);
    else if (cv_layout_is_backend(dm) && (l->count != 1 || dm->device_count != 0 || dm->window_pages != 0))
        cv_fail(err, CV_E_INVALID, 0, "is of machine " CV_MACHINE_BACKEND ", which has no devices and stands alone");
    else if (!cv_layout_is_qemu(dm) && (dm->role != CV_DM_SECONDARY || dm->caps != 0 || dm->window_pages != 0))
        cv_fail(err, CV_E_INVALID, 0, "is of machine " CV_MACHINE_PROTOCOL ": a secondary that has PCI devices only");
    else
        return check_devices(dm, dm, err);
    return cv_context(err, "layout: emulator %u '%s'", i, dm->name);
}

static int check_regions(const struct cv_layout_dm *dm, struct cv_error *err)
{
    for (unsigned i = 0; i < dm->region_count; i++) {
        const struct cv_layout_region *r = &dm->regions[i];
        if (r->gfn >= dm->window_gfn && r->pages <= dm->window_pages &&
            r->gfn - dm->window_gfn <= dm->window_pages - r->pages)
            continue;
        cv_fail(err, CV_E_INVALID, 0,
                "%s at gfn 0x%" PRIx64 "+0x%" PRIx64 " lies outside of its window 0x%" PRIx64 "+0x%" PRIx64
                " (reserve= in device_models makes it larger)",
                r->what, r->gfn, r->pages, dm->window_gfn, dm->window_pages);
        return cv_context(err, "layout: emulator %u '%s'", dm->dmid, dm->name);
    }
    return 0;
}

int cv_layout_check(const struct cv_layout *l, struct cv_error *err)
{
    if (l->count > CV_DM_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "layout: %u emulators, must be 0 to %d", l->count, CV_DM_MAX);
    if (l->mmio_start > CV_FOUR_GIB || l->mmio_start < 0x80000000ULL || (l->mmio_start & 0xfffff) != 0)
        return cv_fail(err, CV_E_INVALID, 0, "layout: bad start of the PCI hole 0x%" PRIx64, l->mmio_start);
    for (unsigned i = 0; i < l->count; i++)
        if (check_one(l, i, err) < 0 || check_regions(&l->dms[i], err) < 0)
            return -1;
    for (unsigned i = 0; i < l->count; i++)
        for (unsigned k = i + 1; k < l->count; k++)
            if (check_pair(&l->dms[i], &l->dms[k], err) < 0)
                return -1;
    return 0;
}
