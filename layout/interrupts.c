/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout/interrupts.h"

#include <stdlib.h>
#include <string.h>

#include "layout/decide.h"

/* A name that ends in * is the beginning of several. */
static const struct {
    const char *driver;
    enum cv_msi msi;
} drivers[] = {
    /* seen in the lab, 75 s and more after a restore (tests/e2e/interrupts) */
    { "virtio-*", CV_MSI_AGAIN },
    { "vmxnet3", CV_MSI_AGAIN },
    { "e1000e", CV_MSI_AGAIN }, /* its interrupts come; that QEMU 7.2's receives nothing is so with pins, too */
    { "nec-usb-xhci", CV_MSI_AGAIN },
    { "qemu-xhci", CV_MSI_AGAIN },
    /* read in Linux 6.1's drivers: their suspend gives the interrupt away, their resume takes a new one */
    { "nvme", CV_MSI_AGAIN },
    { "igb", CV_MSI_AGAIN },
    { "intel-hda", CV_MSI_AGAIN },
    { "ich9-intel-hda", CV_MSI_AGAIN },
    /* QEMU's have no MSI */
    { "e1000", CV_MSI_NONE },
    { "e1000-*", CV_MSI_NONE },
    { "rtl8139", CV_MSI_NONE },
    { "ne2k_pci", CV_MSI_NONE },
    { "pcnet", CV_MSI_NONE },
    { "i8255*", CV_MSI_NONE },
    { "VGA", CV_MSI_NONE },
    { "cirrus-vga", CV_MSI_NONE },
    { "secondary-vga", CV_MSI_NONE },
    { "bochs-display", CV_MSI_NONE },
    { "AC97", CV_MSI_NONE },
    { "ES1370", CV_MSI_NONE },
    { "piix3-usb-uhci", CV_MSI_NONE },
    { "piix4-usb-uhci", CV_MSI_NONE },
    { "ich9-usb-*", CV_MSI_NONE },
    { "usb-ehci", CV_MSI_NONE },
    { "pci-ohci", CV_MSI_NONE },
    { "pci-serial*", CV_MSI_NONE },
    { "pvpanic-pci", CV_MSI_NONE },
    { "ivshmem-plain", CV_MSI_NONE },
    { "lsi53c895a", CV_MSI_NONE },
};

enum cv_msi cv_msi_of(const char *driver)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        size_t n = strcspn(drivers[i].driver, "*");
        if (strncmp(drivers[i].driver, driver, n) == 0 && (drivers[i].driver[n] == '*' || driver[n] == '\0'))
            return drivers[i].msi;
    }
    return CV_MSI_DIES;
}

/* QEMU does not make these without MSI ("MSI is not supported by interrupt controller"). */
static bool needs_msi(const char *driver) { return strcmp(driver, "edu") == 0; }

static const char *value_of(const struct cv_strings *argv, const char *option)
{
    for (size_t i = argv->count; i-- > 1;)
        if (strcmp(argv->items[i - 1], option) == 0)
            return argv->items[i];
    return NULL;
}

bool cv_layout_offers_msi(const struct cv_layout_dm *dm)
{
    if (!cv_layout_is_qemu(dm))
        return false; /* its own business: docs/emulator-protocol.md 6 */
    const char *cpu = value_of(&dm->argv, "-cpu"), *smp = value_of(&dm->argv, "-smp");

    /* With a second CPU QEMU makes an APIC whatever the CPU's model says. */
    return cpu == NULL || strstr(cpu, ",-apic") == NULL || (smp != NULL && strtoul(smp, NULL, 10) > 1);
}

/* Devices behind another one (discs, codecs, what hangs on a USB bus) have no interrupts of their own; what is behind
 * an address that an attached emulator has taken, or arguments that nobody reads, is their owner's business. */
static bool dies(const struct cv_layout_device *dev)
{
    return dev->bdf != CV_BDF_NONE && dev->kind != CV_DEV_FOREIGN && *dev->driver &&
           cv_msi_of(dev->driver) == CV_MSI_DIES;
}

bool cv_layout_msi_dies(const struct cv_layout_dm *dm, const struct cv_layout_device *dev)
{
    return dies(dev) && cv_layout_offers_msi(dm);
}

/* Nothing that the layout says, and no wish: only where it would do harm, and can be had. */
bool cv_decide_offers_msi(struct cv_decide *d, const struct cv_layout_dm *dm)
{
    enum cv_choice wish = d->c->dms[dm->dmid].msi;
    const struct cv_layout_device *dying = NULL, *needing = NULL;

    for (unsigned i = 0; i < dm->device_count; i++) {
        if (dying == NULL && dies(&dm->devices[i]))
            dying = &dm->devices[i];
        if (needing == NULL && needs_msi(dm->devices[i].driver))
            needing = &dm->devices[i];
    }
    if (wish == CV_CHOICE_NO && dm->role == CV_DM_DEFAULT)
        cv_decide_fail(d, CV_E_UNSUPPORTED, "emulator '%s': msi=0 is for emulators other than the default one",
                       dm->name);
    else if (wish == CV_CHOICE_NO && needing != NULL)
        cv_decide_fail(d, CV_E_UNSUPPORTED, "emulator '%s': msi=0: QEMU makes no %s without MSI", dm->name,
                       needing->driver);
    if (wish != CV_CHOICE_OPEN)
        return wish == CV_CHOICE_YES;
    if (value_of(&dm->argv, "-cpu") != NULL)
        return true; /* the configuration's own word */
    return dm->role != CV_DM_SECONDARY || !d->host->pirqs || dying == NULL || needing != NULL;
}
