/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of one emulator and their controllers.  Images are opened by convoy and passed as descriptors: an emulator that
 * has dropped its rights opens its images again when it becomes active after a restore, and could not.  Locks are
 * convoy's business (emulators/image_lock.h): QEMU's own stay on a passed description for ever, also when it lets go of
 * the image, so that a guest could neither move nor go on after a migration that failed. */
#include <stdio.h>
#include <string.h>

#include "layout/decide.h"

struct ahci {
    bool made;
    unsigned ports; /* taken, bit = port */
};

/* libxl's number of hda to hdz: two disks for each of Linux's old majors of IDE. */
static unsigned ide_devid(char letter)
{
    unsigned n = (unsigned)(letter - 'a');

    return n < 2 ? 3u << 8 | n << 6 : 22u << 8 | (n - 2) << 6;
}

/* libxl goes by one name: as the device's with some QEMUs, as the drive's with others. */
static bool is_drive_of_libxl(const struct cv_layout_device *dev)
{
    return dev->cdrom && strncmp(dev->vdev, "hd", 2) == 0;
}

const char *cv_disk_drive_id(struct cv_pool *pool, const struct cv_layout_device *dev)
{
    if (is_drive_of_libxl(dev))
        return cv_pool_printf(pool, "ide-%u", ide_devid(dev->vdev[2]));
    return cv_pool_printf(pool, "drive-%s", dev->vdev);
}

const char *cv_disk_drive(struct cv_pool *pool, const struct cv_layout_device *dev)
{
    const char *id = cv_disk_drive_id(pool, dev);

    return cv_pool_printf(pool,
                          "if=none,id=%s,format=%s,cache=writeback,readonly=%s%s,"
                          "file.driver=@{disk-driver:%s},file.filename=/dev/fdset/@{disk-set:%s},file.locking=off",
                          id, dev->format, dev->readonly ? "on" : "off", dev->discard ? ",discard=unmap" : "",
                          dev->vdev, dev->vdev);
}

static struct cv_layout_device *new_disk(struct cv_decide *d, struct cv_layout_dm *dm,
                                         const struct cv_config_disk *disk, const char *driver)
{
    struct cv_layout_device *dev = cv_decide_device(d, dm, CV_DEV_DISK);
    struct cv_pool *pool = &d->l->pool;

    if (dev == NULL)
        return NULL;
    dev->driver = driver;
    dev->vdev = cv_pool_string(pool, disk->vdev);
    dev->path = cv_pool_string(pool, disk->path);
    dev->format = cv_pool_string(pool, disk->format);
    dev->readonly = disk->readonly;
    dev->cdrom = disk->cdrom;
    dev->id = is_drive_of_libxl(dev) ? cv_disk_drive_id(pool, dev) : cv_pool_printf(pool, "disk-%s", disk->vdev);
    dev->discard = disk->discard;
    if (*disk->path)
        cv_decide_pair(d, dm, "-drive", cv_disk_drive(pool, dev));
    return dev;
}

static void finish(struct cv_decide *d, struct cv_layout_dm *dm, struct cv_layout_device *dev, const char *more)
{
    struct cv_pool *pool = &d->l->pool;
    const char *link = *dev->path ? cv_pool_printf(pool, ",drive=%s", cv_disk_drive_id(pool, dev)) : "";

    dev->arg = cv_pool_printf(pool, "%s,id=%s%s,%s", dev->driver, dev->id, link, more);
    cv_decide_pair(d, dm, "-device", dev->arg);
}

static void on_pci(struct cv_decide *d, struct cv_layout_dm *dm, const struct cv_config_disk *disk, const char *driver)
{
    struct cv_layout_device *dev = new_disk(d, dm, disk, driver);
    char more[64];

    if (dev == NULL)
        return;
    dev->bdf = cv_decide_slot(d, dev->id);
    snprintf(more, sizeof more, "serial=%s,bus=pci.0,addr=%02x.%x", disk->vdev, dev->bdf >> 3 & 0x1f, dev->bdf & 7u);
    finish(d, dm, dev, more);
}

static void on_ide(struct cv_decide *d, struct cv_layout_dm *dm, const struct cv_config_disk *disk)
{
    struct cv_layout_device *dev = new_disk(d, dm, disk, disk->cdrom ? "ide-cd" : "ide-hd");
    unsigned n = (unsigned)(disk->vdev[strlen(disk->vdev) - 1] - 'a');
    char more[32];

    if (dev == NULL)
        return;
    snprintf(more, sizeof more, "bus=ide.%u,unit=%u", n / 2, n % 2);
    finish(d, dm, dev, more);
}

static void make_ahci(struct cv_decide *d, struct cv_layout_dm *dm, struct ahci *ahci)
{
    struct cv_layout_device *dev = cv_decide_device(d, dm, CV_DEV_CONTROLLER);

    if (dev == NULL)
        return;
    ahci->made = true;
    dev->id = "ahci0";
    dev->driver = "ich9-ahci";
    dev->bdf = cv_decide_slot(d, "ahci0");
    dev->arg = cv_pool_printf(&d->l->pool, "ich9-ahci,id=ahci0,bus=pci.0,addr=%02x.0", dev->bdf >> 3 & 0x1f);
    cv_decide_pair(d, dm, "-device", dev->arg);
}

/* hda to hdf have the port of their letter, others the first free one. */
static void on_ahci(struct cv_decide *d, struct cv_layout_dm *dm, const struct cv_config_disk *disk, struct ahci *ahci)
{
    unsigned port = 0;
    char more[48];

    if (!ahci->made)
        make_ahci(d, dm, ahci);
    if (strncmp(disk->vdev, "hd", 2) == 0)
        port = (unsigned)(disk->vdev[2] - 'a');
    else
        while (ahci->ports & 1u << port)
            port++;
    if (port > 5 || (ahci->ports & 1u << port)) {
        cv_decide_fail(d, CV_E_UNSUPPORTED, "no AHCI port of emulator '%s' is left for disk %s: there are 6", dm->name,
                       disk->vdev);
        return;
    }
    ahci->ports |= 1u << port;
    struct cv_layout_device *dev = new_disk(d, dm, disk, disk->cdrom ? "ide-cd" : "ide-hd");
    if (dev == NULL)
        return;
    snprintf(more, sizeof more, "bus=ahci0.%u,unit=0", port);
    finish(d, dm, dev, more);
}

void cv_decide_disks(struct cv_decide *d, struct cv_layout_dm *dm)
{
    struct ahci ahci = { 0 };

    /* letters that have a port of their own go first */
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned n = 0; n < d->c->disk_count && !d->failed; n++) {
            const struct cv_config_disk *disk = &d->c->disks[n];
            if (disk->owner != (int)dm->dmid || !disk->emulated || (strncmp(disk->vdev, "hd", 2) == 0) != (pass == 0))
                continue;
            switch (disk->model) {
            case CV_DISK_IDE: on_ide(d, dm, disk); break;
            case CV_DISK_AHCI: on_ahci(d, dm, disk, &ahci); break;
            case CV_DISK_NVME: on_pci(d, dm, disk, "nvme"); break;
            case CV_DISK_VIRTIO_BLK:
            case CV_DISK_UNDECIDED: on_pci(d, dm, disk, "virtio-blk-pci"); break;
            }
        }
}
