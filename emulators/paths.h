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
                        size_t len);                                                /* qmp-libxl-<domid>-<dmid> */
const char *cv_path_qmp_xl(const char *dir, unsigned domid, char *buf, size_t len); /* qmp-libxl-<domid> */
const char *cv_path_state(const char *dir, unsigned domid, unsigned dmid, char *buf,
                          size_t len); /* qemu-save.<domid>.<dmid> */
const char *cv_path_resume(const char *dir, unsigned domid, unsigned dmid, char *buf,
                           size_t len); /* qemu-resume.<domid>.<dmid> */
const char *cv_path_log(const char *dir, const char *dm, const char *guest, char *buf,
                        size_t len); /* qemu-<name>-<guest>.log */

/* Creates path for one device state (O_CREAT|O_EXCL after unlinking a stale one, 0600, read and write, close-on-exec).
 * Returns the descriptor or -1 (CV_E_IO). */
int cv_state_file_create(const char *path, struct cv_error *err) CV_CHECKED;

#endif
