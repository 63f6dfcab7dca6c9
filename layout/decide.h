/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the layout decision: the slot allocator and the parts of one emulator. */
#ifndef CONVOY_LAYOUT_DECIDE_H
#define CONVOY_LAYOUT_DECIDE_H

#include "layout/layout.h"

struct cv_decide {
    const struct cv_guest_config *c;
    const struct cv_layout_host *host;
    struct cv_layout *l;
    uint32_t slots; /* taken PCI slots, bit = slot */
    struct cv_error *err;
    bool failed; /* err is set; later steps do nothing */
};

/* The next free slot's BDF (function 0), or CV_BDF_NONE and failed. */
uint16_t cv_decide_slot(struct cv_decide *d, const char *what);
/* A new device of dm; NULL and failed when there are too many. */
struct cv_layout_device *cv_decide_device(struct cv_decide *d, struct cv_layout_dm *dm, enum cv_device_kind kind);

/* Fill the device list and the matching arguments (devices.c, disks.c). */
void cv_decide_vga(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_serial(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_usb(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_audio(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_vifs(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_disks(struct cv_decide *d, struct cv_layout_dm *dm);
void cv_decide_raw(struct cv_decide *d, struct cv_layout_dm *dm);

/* Will dm's devices have MSIs (interrupts.h)?  When they are all there. */
bool cv_decide_offers_msi(struct cv_decide *d, const struct cv_layout_dm *dm);

/* Appends one argument to dm's template. */
void cv_decide_arg(struct cv_decide *d, struct cv_layout_dm *dm, const char *fmt, ...) CV_PRINTF(3, 4);
void cv_decide_pair(struct cv_decide *d, struct cv_layout_dm *dm, const char *option, const char *value);
void cv_decide_fail(struct cv_decide *d, enum cv_code code, const char *fmt, ...) CV_PRINTF(3, 4);
/* Commas doubled, as QEMU's option syntax wants values. */
const char *cv_decide_quote(struct cv_decide *d, const char *text);

/* QEMU's id of its drive: of a CD-ROM drive it is what libxl gives it, and the device's id, too, so that xl's cd-insert
 * and cd-eject find it. */
const char *cv_disk_drive_id(struct cv_pool *pool, const struct cv_layout_device *dev);
/* What -drive says of a disk that has an image. */
const char *cv_disk_drive(struct cv_pool *pool, const struct cv_layout_device *dev);

#endif
