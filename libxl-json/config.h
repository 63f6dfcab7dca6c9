/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest in libxl's words: libxl_domain_config in JSON (libxl_types.idl), as xl keeps it in a domain's userdata and in
 * the head of its save files, and as host/host.h's devices_add takes it. */
#ifndef CONVOY_LIBXL_JSON_CONFIG_H
#define CONVOY_LIBXL_JSON_CONFIG_H

#include "config/config.h"
#include "layout/layout.h"
#include "vm/spec.h"

/* CV_LIBXL_PV: disks and cards with a PV half, which libxl is to make, and CD-ROM drives.  CV_LIBXL_ALL: every one, for
 * an emulator that libxl starts. */
enum cv_libxl_devices { CV_LIBXL_PV, CV_LIBXL_ALL };
/* For libxl of Xen 4.<xen_minor>.  l: has one emulator or more; only the default one's cards matter.
 * *json_out: caller frees.  CV_E_NOMEM. */
int cv_libxl_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                    uint32_t xen_minor, enum cv_libxl_devices which, char **json_out, struct cv_error *err) CV_CHECKED;

/* The command line that libxl would use must give the same PCI devices at the same places, with the same memory size,
 * as the layout's: QEMU finds each device's state by its place.  CV_E_UNSUPPORTED names the first that differs. */
int cv_libxl_check_layout(const struct cv_guest_config *c, const struct cv_layout *l, struct cv_error *err) CV_CHECKED;

#endif
