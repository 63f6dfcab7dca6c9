/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting emulators: listening QMP sockets and TAPs are made here and passed as descriptors, so that a restricted
 * emulator needs no rights.
 *
 * Order: where ranges overlap, Xen asks the ioreq server with the highest id, and ids are given in creation order.
 * Every QEMU registers the same chipset ranges, so the default emulator must be last.  Among the secondaries the order
 * does not matter (whatever they overlap in, the default shadows).  So: all secondaries side by side; each one's QMP
 * greeting proves that its ioreq server exists; then the default emulator. */
#ifndef CONVOY_EMULATORS_SPAWN_H
#define CONVOY_EMULATORS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "layout/layout.h"
#include "emulators/rules.h"
#include "emulators/set.h"

/* INCOMING_LATE: as INCOMING, but the images are still in use elsewhere: cv_emuset_lock_disks comes later. */
enum cv_spawn_mode { CV_SPAWN_CREATE, CV_SPAWN_INCOMING, CV_SPAWN_INCOMING_LATE };

struct cv_spawn_options {
    enum cv_spawn_mode mode;
    const char *guest_name;
    const char *run_dir;              /* NULL = CV_RUN_DIR  (/var/run/xen): QMP sockets */
    const char *log_dir;              /* NULL = CV_LOG_DIR  (/var/log/xen) */
    bool no_xl_socket;                /* what xl speaks to is somebody else's: the default emulator gets one socket */
    const struct cv_emu_rules *rules; /* as whom secondaries run */
    /* Makes a network card's TAP on this host (cv_host_tap): its descriptor, the caller's, or -1. */
    int (*tap)(void *tap_user, const char *ifname, const char *bridge, struct cv_error *err);
    void *tap_user;
};

/* Starts (or attaches) every emulator of the layout, stopped (-S), and connects all.  On success all have greeted,
 * their ioreq servers exist in rank order, their versions are known (set.emus[].version) and checked against the
 * layout. On failure none is left: processes killed and reaped, sockets and TAPs gone. set: made by cv_emuset_init with
 * this layout.  Errors as for cv_emuset_connect, with the end of the emulator's log. */
int cv_emuset_start(struct cv_emuset *set, const struct cv_layout *l, const struct cv_spawn_options *opt,
                    const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;

#endif
