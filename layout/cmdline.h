/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an emulator's argument template to the command line that is executed.
 *
 * Placeholders of a template, replaced at each start:
 *      @{domid}        the domain
 *      @{qmp-fd}       a listening socket, convoy's own monitor
 *      @{xl-qmp-fd}    the same at libxl's path (default emulator only)
 *      @{tap-fd:N}     TAP of vif N
 *      @{disk-set:V}   number of the fdset with disk V's image, open for reading and for writing
 *      @{disk-driver:V} QEMU's driver for it: file or host_device (a block device)
 * Any other "@{" is refused.  What belongs to one start or one host only (-incoming, -sandbox, -runas), and a
 * secondary's restriction to its domain, is appended, and taken from no template. */
#ifndef CONVOY_LAYOUT_CMDLINE_H
#define CONVOY_LAYOUT_CMDLINE_H

#include "base/error.h"
#include "config/pool.h"
#include "layout/layout.h"

struct cv_cmdline_disk {
    const char *vdev;
    int read_fd, write_fd; /* write_fd -1: read-only */
    bool block;            /* the image is a block device */
};

struct cv_cmdline {
    unsigned domid;
    int qmp_fd, xl_qmp_fd; /* numbers in the emulator's process; -1 = none */
    int tap_fds[CV_CONFIG_VIFS_MAX];
    struct cv_cmdline_disk disks[CV_CONFIG_DISKS_MAX]; /* disks[n] is fdset n */
    unsigned disk_count;
    int gate_fd; /* listening socket at which QEMU waits before it makes its machine; -1 = none */
    bool incoming;
    bool sandbox;       /* the program is built with seccomp */
    const char *run_as; /* "UID:GID", or "" */
};

/* argv_out: NULL-terminated items in pool.  Errors: CV_E_INVALID (unknown or unset placeholder), CV_E_NOMEM. */
int cv_cmdline_build(const struct cv_layout_dm *dm, const struct cv_cmdline *c, struct cv_pool *pool,
                     struct cv_strings *argv_out, struct cv_error *err) CV_CHECKED;
/* Every placeholder of every template is known and belongs to that emulator. */
int cv_cmdline_check(const struct cv_layout *l, struct cv_error *err) CV_CHECKED;
/* text with placeholders replaced, in pool; NULL and err on failure. */
const char *cv_cmdline_expand(const char *text, const struct cv_cmdline *c, struct cv_pool *pool, struct cv_error *err);

#endif
