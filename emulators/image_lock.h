/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of disk images: two emulators that write one image are the worst that can happen.
 *
 * A lock lies on the open description that the emulator inherits, and lasts as long as the emulator holds it.  The
 * bytes are QEMU's (block/file-posix.c: 100 + permission, 200 + permission that is not shared; WRITE is 1), so that
 * qemu-img and other QEMUs see it.  On a block device it holds on this host only. */
#ifndef CONVOY_EMULATORS_IMAGE_LOCK_H
#define CONVOY_EMULATORS_IMAGE_LOCK_H

#include "base/error.h"

/* fd: open for writing.  CV_E_BUSY: somebody else writes the image.  File systems without locks: no error. */
int cv_image_lock(int fd, const char *path, struct cv_error *err) CV_CHECKED;

#endif
