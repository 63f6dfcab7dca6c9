/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the files of an emulator lie; the names are the ones that xl's users know, with the dmid appended. */
#ifndef CONVOY_EMULATORS_PATHS_H
#define CONVOY_EMULATORS_PATHS_H

#include <stddef.h>

#include "base/error.h"

#define CV_RUN_DIR "/var/run/xen"
#define CV_LOG_DIR "/var/log/xen"
#define CV_LIB_DIR "/var/lib/xen"

/* All return buf.  dir NULL = the constant above.  buf of 108 bytes fits the socket paths with the default dir. */
const char *cv_path_qmp(const char *dir, unsigned domid, unsigned dmid, char *buf,
                        size_t len);                                                  /* qmp-libxl-<domid>-<dmid> */
const char *cv_path_qmp_xl(const char *dir, unsigned domid, char *buf, size_t len);   /* qmp-libxl-<domid> */
const char *cv_path_qmp_stat(const char *dir, unsigned domid, char *buf, size_t len); /* qmp-libxenstat-<domid> */
const char *cv_path_gate(const char *dir, unsigned domid, char *buf, size_t len);     /* convoy-gate-<domid> */
const char *cv_path_monitor_lock(const char *dir, unsigned domid, char *buf,
                                 size_t len); /* convoy-monitor-<domid>.lock */
const char *cv_path_state(const char *dir, unsigned domid, unsigned dmid, char *buf,
                          size_t len); /* qemu-save.<domid>.<dmid>: of earlier versions, killed while saving */
const char *cv_path_log(const char *dir, const char *dm, const char *guest, char *buf,
                        size_t len); /* qemu-<name>-<guest>.log */

#endif
