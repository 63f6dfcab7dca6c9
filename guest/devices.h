/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PV devices of a guest.  As text (struct cv_guest's devices) they are a whole domain in libxl's words
 * (libxl-json/config.h): planned from the configuration, read from the host when the guest is saved, carried by the
 * stream, and added again before the guest runs. */
#ifndef CONVOY_GUEST_DEVICES_H
#define CONVOY_GUEST_DEVICES_H

#include "guest/guest.h"

#define CV_DEVICES_MAX (512 * 1024) /* bytes of the text */

/* g->devices from a configuration. */
int cv_guest_devices_plan(struct cv_guest *g, const struct cv_guest_config *c, struct cv_error *err) CV_CHECKED;
/* The same for a guest that is made anew by libxl as a whole (a PVH guest), with the disks and cards of now, if now is
 * not NULL: such a text may have come with an image, and only of what convoy understands libxl makes a domain. */
int cv_guest_devices_again(struct cv_guest *g, const char *now, struct cv_error *err) CV_CHECKED;
/* g->devices as they are now, with the discs that g->layout has; NULL when libxl does not know the domain.  Of an
 * adopted guest: as they were when it was opened (devices_list tells of changes). */
int cv_guest_devices_read(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* Adds g->devices (NULL: only what its configuration says of the domain itself) to g->domid, and guards a guest that xl
 * could not restore against xl save.  The emulators have started and xenstore knows them; the guest does not run.
 * Takes seconds.  On failure no device is left. */
int cv_guest_devices_add(struct cv_guest *g, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;

/* xl save would write one emulator's state and lose the others': it finds no place for that state, fails, and lets the
 * guest go on.  unguard: the emulators are gone. */
void cv_guest_unguard(struct cv_host *host, uint32_t domid);

struct cv_pv_disk {
    const char *vdev, *path, *format; /* format: as in libxl ("raw", "qcow2", ...) */
    bool readonly, raw;
    bool elsewhere; /* a script or another domain makes a disk of path */
};
/* Calls disk for each PV disk and bridge (may be NULL) for the bridge of each PV card; stops at the first that is not
 * 0. devices NULL: none.  CV_E_STREAM: no such text. */
int cv_devices_walk(const char *devices, int (*disk)(void *user, const struct cv_pv_disk *d, struct cv_error *err),
                    int (*bridge)(void *user, const char *name, struct cv_error *err), void *user,
                    struct cv_error *err) CV_CHECKED;
/* PV disks of this vdev have path from now on: *devices is replaced, and *found grows by their number.  *devices NULL:
 * none. */
int cv_devices_move_disk(char **devices, const char *vdev, const char *path, unsigned *found,
                         struct cv_error *err) CV_CHECKED;

#endif
