/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory files for device states: nothing lies about when we are killed, and an emulator, which may be the guest's by
 * then, cannot change one once it has been looked at, nor is more of it ever read than a state may have. */
#ifndef CONVOY_EMULATORS_STATE_MEMORY_H
#define CONVOY_EMULATORS_STATE_MEMORY_H

#include <stdint.h>

#include "base/error.h"

/* Bytes of one device state; a real one has 10 to 300 kB.  An image's may have as many. */
#define CV_STATE_BYTES_MAX (64u << 20)

/* An empty file for emulator dmid to save its state into.  Read and write, close-on-exec; -1 with CV_E_IO. */
int cv_state_memory(unsigned dmid, struct cv_error *err) CV_CHECKED;
/* The same for a state that an emulator is to load. */
int cv_state_memory_to_load(unsigned dmid, struct cv_error *err) CV_CHECKED;
/* Another open file of the same inode, close-on-exec: QEMU wants exactly the access mode that it opens with, and an
 * offset of its own. */
int cv_state_reopen(int fd, int mode, struct cv_error *err) CV_CHECKED;
/* Before it says so, now and then: CV_E_EMULATOR when it has taken more than CV_STATE_BYTES_MAX already; then all of it
 * is given back, and it gets no more. */
int cv_state_watch(int fd, struct cv_error *err) CV_CHECKED;
/* The emulator says that it has saved.  written: the description that it was given, whose offset is the state's size.
 * fd is cut to that and cannot be changed any more by anybody, unless it is no memory file.  CV_E_EMULATOR: too large,
 * not whole (H-6), or still being written. */
int cv_state_close(int fd, int written, uint64_t *size_out, struct cv_error *err) CV_CHECKED;

#endif
