/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of one emulator other than disks: list entry, PCI address and -device argument together. */
#include <stdio.h>
#include <string.h>

#include "layout/decide.h"

/* "driver,id=...<more>,bus=pci.0,addr=06.0" as the device's argument and on the command line. */
static void finish(struct cv_decide *d, struct cv_layout_dm *dm, struct cv_layout_device *dev, const char *more)
{
    const char *place = "";

    if (dev->bdf != CV_BDF_NONE)
        place = cv_pool_printf(&d->l->pool, ",bus=pci.0,addr=%02x.%x", dev->bdf >> 3, dev->bdf & 7u);
    dev->arg = cv_pool_printf(&d->l->pool, "%s,id=%s%s%s%s", dev->driver, dev->id, *more ? "," : "", more, place);
    cv_decide_pair(d, dm, "-device", dev->arg);
}

static struct cv_layout_device *pci_device(struct cv_decide *d, struct cv_layout_dm *dm, enum cv_device_kind kind,
                                           const char *driver, const char *id)
{
    struct cv_layout_device *dev = cv_decide_device(d, dm, kind);

    if (dev == NULL)
        return NULL;
    dev->driver = cv_pool_string(&d->l->pool, driver);
    dev->id = cv_pool_string(&d->l->pool, id);
    dev->bdf = cv_decide_slot(d, id);
    return d->failed ? NULL : dev;
}

void cv_decide_vga(struct cv_decide *d, struct cv_layout_dm *dm)
{
    static const char *const drivers[] = { [CV_VGA_CIRRUS] = "cirrus-vga", [CV_VGA_STD] = "VGA" };
    char more[40];

    if (!(dm->caps & CV_CAP_UI) || d->c->vga == CV_VGA_NONE)
        return;
    struct cv_layout_device *dev = cv_decide_device(d, dm, CV_DEV_VGA);
    if (dev == NULL)
        return;
    dev->driver = drivers[d->c->vga];
    dev->id = "vga";
    dev->bdf = 3 << 3; /* its fixed slot, see SLOTS_FIXED */
    snprintf(more, sizeof more, "vgamem_mb=%u", d->c->videoram_mib);
    finish(d, dm, dev, more);
}

/* pci-serial takes a -chardev, so xl's words must be translated; the ones that are not known are refused. */
static const char *chardev_of(struct cv_decide *d, const char *serial)
{
    if (strcmp(serial, "pty") == 0 || strcmp(serial, "null") == 0)
        return serial;
    if (strncmp(serial, "file:", 5) == 0)
        return cv_pool_printf(&d->l->pool, "file,path=%s,append=on", cv_decide_quote(d, serial + 5));
    if (strncmp(serial, "/dev/", 5) == 0)
        return cv_pool_printf(&d->l->pool, "serial,path=%s", cv_decide_quote(d, serial));
    return NULL;
}

static void pci_serial(struct cv_decide *d, struct cv_layout_dm *dm, unsigned n)
{
    const char *chardev = chardev_of(d, d->c->serials.items[n]);
    char id[16], more[40];

    if (chardev == NULL) {
        cv_decide_fail(d, CV_E_UNSUPPORTED,
                       "serial '%s' cannot be moved to emulator '%s': only pty, null, file:PATH and /dev/... can",
                       d->c->serials.items[n], dm->name);
        return;
    }
    snprintf(id, sizeof id, "serial%u", n);
    struct cv_layout_device *dev = pci_device(d, dm, CV_DEV_SERIAL, "pci-serial", id);
    if (dev == NULL)
        return;
    /* the label that libxl asks for, so that xl console finds the terminal */
    const char *rest = strchr(chardev, ',');
    int word = (int)strcspn(chardev, ",");
    cv_decide_arg(d, dm, "-chardev");
    cv_decide_arg(d, dm, "%.*s,id=char-serial%u%s", word, chardev, n, rest ? rest : "");
    snprintf(more, sizeof more, "chardev=char-serial%u", n);
    finish(d, dm, dev, more);
}

/* Appended to: -serial file: would empty it at each restore, and under a source that still writes during a migration to
 * the same host. */
static void serial_file(struct cv_decide *d, struct cv_layout_dm *dm, unsigned n)
{
    cv_decide_arg(d, dm, "-chardev");
    cv_decide_arg(d, dm, "file,id=char-serial%u,path=%s,append=on", n, cv_decide_quote(d, d->c->serials.items[n] + 5));
    cv_decide_arg(d, dm, "-serial");
    cv_decide_arg(d, dm, "chardev:char-serial%u", n);
}

void cv_decide_serial(struct cv_decide *d, struct cv_layout_dm *dm)
{
    if (!(dm->caps & CV_CAP_SERIAL))
        return;
    for (unsigned n = 0; n < d->c->serials.count; n++) {
        if (dm->role != CV_DM_DEFAULT)
            pci_serial(d, dm, n);
        else if (strncmp(d->c->serials.items[n], "file:", 5) == 0)
            serial_file(d, dm, n);
        else
            cv_decide_pair(d, dm, "-serial", d->c->serials.items[n]);
    }
}

/* EHCI and its three companions share one slot, as libxl makes them. */
static void usb2(struct cv_decide *d, struct cv_layout_dm *dm)
{
    struct cv_layout_device *ehci = pci_device(d, dm, CV_DEV_USB, "ich9-usb-ehci1", "usb");
    char more[80], id[8];

    if (ehci == NULL)
        return;
    uint16_t slot = ehci->bdf;
    ehci->bdf |= 7;
    finish(d, dm, ehci, "multifunction=on");
    for (unsigned i = 0; i < 3; i++) {
        struct cv_layout_device *uhci = cv_decide_device(d, dm, CV_DEV_USB);
        if (uhci == NULL)
            return;
        snprintf(id, sizeof id, "uhci%u", i + 1);
        uhci->driver = cv_pool_printf(&d->l->pool, "ich9-usb-uhci%u", i + 1);
        uhci->id = cv_pool_string(&d->l->pool, id);
        uhci->bdf = (uint16_t)(slot | i);
        snprintf(more, sizeof more, "masterbus=usb.0,firstport=%u,multifunction=on", 2 * i);
        finish(d, dm, uhci, more);
    }
}

void cv_decide_usb(struct cv_decide *d, struct cv_layout_dm *dm)
{
    const struct cv_guest_config *c = d->c;
    const char *bus = "usb.0";
    char more[32], id[24];

    if (!(dm->caps & CV_CAP_USB) || (!c->usb && c->usbversion == 0))
        return;
    if (c->usbversion == 2) {
        usb2(d, dm);
    } else if (c->usb && dm->role == CV_DM_DEFAULT) {
        cv_decide_arg(d, dm, "-usb"); /* the chipset's own controller at 00:01.2 */
        bus = "usb-bus.0";
    } else {
        struct cv_layout_device *dev =
            pci_device(d, dm, CV_DEV_USB, c->usbversion == 3 ? "nec-usb-xhci" : "piix3-usb-uhci", "usb");
        if (dev != NULL)
            finish(d, dm, dev, "");
    }
    for (size_t i = 0; i < c->usbdevices.count; i++) {
        struct cv_layout_device *dev = cv_decide_device(d, dm, CV_DEV_USB);
        if (dev == NULL)
            return;
        snprintf(id, sizeof id, "usbdev%zu", i);
        dev->driver = cv_pool_string(&d->l->pool, c->usbdevices.items[i]);
        dev->id = cv_pool_string(&d->l->pool, id);
        snprintf(more, sizeof more, "bus=%s", bus);
        finish(d, dm, dev, more);
    }
}

void cv_decide_audio(struct cv_decide *d, struct cv_layout_dm *dm)
{
    const char *hw = d->c->soundhw;

    if (!(dm->caps & CV_CAP_AUDIO) || !*hw)
        return;
    bool hda = strcmp(hw, "hda") == 0;
    struct cv_layout_device *dev = pci_device(d, dm, CV_DEV_AUDIO,
                                              hda                       ? "intel-hda"
                                              : strcmp(hw, "ac97") == 0 ? "AC97"
                                                                        : "ES1370",
                                              "sound");
    if (dev == NULL)
        return;
    cv_decide_pair(d, dm, "-audiodev", "none,id=audio");
    finish(d, dm, dev, hda ? "" : "audiodev=audio");
    if (!hda)
        return;
    struct cv_layout_device *codec = cv_decide_device(d, dm, CV_DEV_AUDIO);
    if (codec == NULL)
        return;
    codec->driver = "hda-duplex";
    codec->id = "codec";
    finish(d, dm, codec, "bus=sound.0,audiodev=audio");
}

void cv_decide_vifs(struct cv_decide *d, struct cv_layout_dm *dm)
{
    for (unsigned n = 0; n < d->c->vif_count; n++) {
        const struct cv_config_vif *v = &d->c->vifs[n];
        char id[8], more[96];

        if (v->owner != (int)dm->dmid || !v->emulated)
            continue;
        snprintf(id, sizeof id, "nic%u", n);
        struct cv_layout_device *dev = pci_device(d, dm, CV_DEV_VIF, v->model, id);
        if (dev == NULL)
            return;
        memcpy(dev->mac, v->mac, 6);
        dev->vif_index = n;
        dev->bridge = cv_pool_string(&d->l->pool, v->bridge);
        dev->ifname = *v->ifname ? cv_pool_printf(&d->l->pool, "%s-emu", v->ifname)
                                 : cv_pool_printf(&d->l->pool, "vif@{domid}.%u-emu", n);
        /* A boot ROM runs only on the default emulator's cards, and needs the file. */
        bool rom = dm->role == CV_DM_DEFAULT && d->host->nic_roms;
        snprintf(more, sizeof more, "netdev=net%u,mac=%02x:%02x:%02x:%02x:%02x:%02x%s", n, v->mac[0], v->mac[1],
                 v->mac[2], v->mac[3], v->mac[4], v->mac[5], rom ? "" : ",romfile=");
        cv_decide_arg(d, dm, "-netdev");
        cv_decide_arg(d, dm, "tap,id=net%u,fd=@{tap-fd:%u}", n, n);
        finish(d, dm, dev, more);
    }
}

void cv_decide_raw(struct cv_decide *d, struct cv_layout_dm *dm)
{
    const struct cv_config_dm *from = &d->c->dms[dm->dmid];
    char id[16];

    for (unsigned n = 0; n < from->device_count; n++) {
        const struct cv_config_device *r = &from->devices[n];
        snprintf(id, sizeof id, "dev%u", n);
        struct cv_layout_device *dev = pci_device(d, dm, CV_DEV_RAW, r->driver, *r->id ? r->id : id);
        if (dev == NULL)
            return;
        finish(d, dm, dev, r->properties);
    }
}
