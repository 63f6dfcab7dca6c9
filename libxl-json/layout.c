/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl names no PCI slots: QEMU gives each -device the next free one, in the order of the command line
 * (libxl_dm.c, libxl__build_device_model_args_new).  This computes where things come to lie so. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libxl-json/config.h"

#define FIRST_SLOT 3u /* 0 and 1 are the chipset's, 2 the platform device's */
#define EXPECTED_MAX 32

struct expected {
    uint16_t bdf;
    const char *driver;
};
struct list {
    struct expected at[EXPECTED_MAX];
    unsigned count, slot;
};

static void place(struct list *l, const char *driver)
{
    if (l->count < EXPECTED_MAX)
        l->at[l->count++] = (struct expected){ (uint16_t)(l->slot << 3), driver };
    l->slot++;
}

/* In libxl's order: VGA, USB controller, sound, network cards, AHCI. */
static int expect(struct list *l, const struct cv_guest_config *c, struct cv_error *err)
{
    bool ahci = false;

    *l = (struct list){ .slot = FIRST_SLOT };
    if (c->vga == CV_VGA_NONE)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "without a VGA card libxl's devices have other PCI slots than convoy's");
    if (!c->xen_platform_pci)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "without the platform device libxl uses QEMU's machine 'pc', which is another one "
                       "in each release");
    place(l, c->vga == CV_VGA_STD ? "VGA" : "cirrus-vga");
    if (!c->usb && c->usbversion == 2)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "libxl puts usbversion = 2 at 00:1d, convoy into the next free slot");
    if (!c->usb && c->usbversion != 0)
        place(l, c->usbversion == 3 ? "nec-usb-xhci" : "piix3-usb-uhci");
    if (*c->soundhw)
        place(l, strcmp(c->soundhw, "hda") == 0 ? "intel-hda" : strcmp(c->soundhw, "ac97") == 0 ? "AC97" : "ES1370");
    for (unsigned i = 0; i < c->vif_count; i++)
        if (c->vifs[i].emulated)
            place(l, c->vifs[i].model);
    for (unsigned i = 0; i < c->disk_count; i++) {
        if (!c->disks[i].emulated)
            continue;
        if (c->disks[i].model != CV_DISK_IDE && c->disks[i].model != CV_DISK_AHCI)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "disk %s is on %s, which xl does not know", c->disks[i].vdev,
                           cv_disk_model_name(c->disks[i].model));
        ahci = ahci || c->disks[i].model == CV_DISK_AHCI;
    }
    for (unsigned i = 0; i < c->disk_count; i++)
        if (c->disks[i].emulated && ahci && (c->disks[i].model == CV_DISK_AHCI) == c->disks[i].cdrom)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "xl puts disks on AHCI and CD-ROM drives on IDE: %s is elsewhere",
                           c->disks[i].vdev);
    if (ahci)
        place(l, "ich9-ahci");
    return 0;
}

static int check_device(const struct list *l, const struct cv_layout_device *d, struct cv_error *err)
{
    char bdf[12];

    if (d->kind == CV_DEV_RAW)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "device %s (%s) cannot be described to xl", d->driver, d->id);
    for (unsigned i = 0; i < l->count; i++)
        if (l->at[i].bdf == d->bdf && strcmp(l->at[i].driver, d->driver) == 0)
            return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "%s is at %s, where xl would not put it", d->driver,
                   cv_bdf_string(d->bdf, bdf, sizeof bdf));
}

static int check_machine(const struct cv_guest_config *c, const struct cv_layout *l, struct cv_error *err)
{
    const struct cv_layout_dm *dm = &l->dms[0];
    char machine[64];

    snprintf(machine, sizeof machine, "xenfv,suppress-vmdesc=on%s", c->acpi ? "" : ",acpi=off");
    if (strcmp(dm->machine, machine) != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "its machine is '%s', and xl's would be '%s'", dm->machine, machine);
    if (dm->m_kib != l->max_kib)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "its ROM and VRAM lie behind %" PRIu64 " KiB, and xl's would lie behind %" PRIu64
                       " KiB: they would reach into the PCI hole there",
                       dm->m_kib, l->max_kib);
    if (c->dms[0].args.count > 0 || c->dms[0].device_count > 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "it has arguments or devices of its own");
    return 0;
}

int cv_libxl_check_layout(const struct cv_guest_config *c, const struct cv_layout *l, struct cv_error *err)
{
    const struct cv_layout_dm *dm = &l->dms[0];
    struct list list;
    unsigned on_bus = 0;

    if (l->count != 1) {
        char names[200] = "";
        for (unsigned i = 0; i < l->count; i++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.30s", i ? ", " : "", l->dms[i].name);
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest has %u emulators (%s), and xl's file has room for one",
                       l->count, names);
    }
    if (expect(&list, c, err) < 0 || check_machine(c, l, err) < 0)
        return cv_context(err, "emulator '%s'", dm->name);
    for (unsigned i = 0; i < dm->device_count; i++) {
        if (dm->devices[i].bdf == CV_BDF_NONE)
            continue;
        on_bus++;
        if (check_device(&list, &dm->devices[i], err) < 0)
            return cv_context(err, "emulator '%s'", dm->name);
    }
    if (on_bus != list.count)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator '%s' has %u PCI devices, and xl's would have %u", dm->name,
                       on_bus, list.count);
    return 0;
}
