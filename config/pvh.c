/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a PVH guest does not have: emulated hardware and firmware, and so nothing of what describes them. */
#include <string.h>

#include "config/reader.h"

/* xl reads them of HVM guests only. */
static const char *const of_hvm[] = {
    "acpi_firmware",
    "acpi_laptop_slate",
    "acpi_s3",
    "acpi_s4",
    "bios",
    "bios_path_override",
    "boot",
    "device_model_args",
    "device_model_args_hvm",
    "firmware",
    "firmware_override",
    "hdtype",
    "hpet",
    "hvm_pirq",
    "keymap",
    "ms_vm_genid",
    "nographic",
    "sdl",
    "serial",
    "smbios",
    "soundhw",
    "spice",
    "stdvga",
    "usb",
    "usbdevice",
    "usbversion",
    "vga",
    "videoram",
    "viridian",
    "vnc",
    "vncdisplay",
    "vnclisten",
    "vncpasswd",
    "vncunused",
    "vpt_align",
    "xen_platform_pci",
};

static void forget(struct cv_guest_config *c)
{
    c->vga = CV_VGA_NONE;
    c->videoram_mib = 0;
    c->serials = c->usbdevices = (struct cv_strings){ 0 };
    c->soundhw = c->vnclisten = c->vncpasswd = c->keymap = c->boot = "";
    c->firmware = c->bios_path = c->acpi_firmware = c->smbios = "";
    memset(c->genid, 0, sizeof c->genid);
    c->usb = c->vnc = c->hvm_pirq = false;
    c->usbversion = c->vncdisplay = 0;
    c->viridian = 0;
    c->nographic = true;
    c->xen_platform_pci = false;
}

/* xl would take these. */
static int refuse_others(struct cv_config_reader *r, struct cv_error *err)
{
    static const char *const keys[][2] = {
        { "bootloader", "is not supported: kernel and ramdisk boot a PVH guest" },
        { "pvshim", "is not supported: a PV guest in a PVH container is a PV guest" },
        { "usbctrl", "a PVH guest has no emulated USB controller" },
        { "device_models", "a PVH guest has no emulated devices, and so nothing to share out" },
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = "";
        bool off = xlu_cfg_get_string(r->cfg, keys[i][0], &text, 1) == 0 && (*text == '\0' || strcmp(text, "0") == 0);
        if (cv_reader_has(r, keys[i][0]) && !off)
            cv_reader_keep(r, cv_reader_fail(r, keys[i][0], CV_E_UNSUPPORTED, err, "%s", keys[i][1]), err);
    }
    if (*r->c->cpuid)
        cv_reader_keep(r, cv_reader_fail(r, "cpuid", CV_E_UNSUPPORTED, err, "cannot be chosen for a PVH guest yet"),
                       err);
    if (!*r->c->kernel)
        return cv_reader_fail(r, "kernel", CV_E_INVALID, err, "a PVH guest needs one: it has no firmware to boot from");
    return 0;
}

int cv_config_settle_pvh(struct cv_config_reader *r, struct cv_error *err)
{
    if (!r->c->pvh)
        return 0;
    for (size_t i = 0; i < sizeof of_hvm / sizeof *of_hvm; i++)
        if (cv_reader_has(r, of_hvm[i]))
            cv_reader_warn(r, of_hvm[i], "has no effect, as under xl: it is for HVM guests, and this is a PVH guest");
    forget(r->c);
    return refuse_others(r, err);
}
