/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DEVICE_STATE records and the files that emulators write their states to and read them from. */
#ifndef CONVOY_STREAM_FORMAT_STATE_FILE_H
#define CONVOY_STREAM_FORMAT_STATE_FILE_H

#include "stream-format/bodies.h"
#include "stream-format/stream.h"

/* One QEMU's state that lies in memory. */
int cv_writer_put_state(struct cv_writer *w, uint32_t dmid, const void *blob, size_t len,
                        struct cv_error *err) CV_CHECKED;
/* Or in a file, from its beginning.  CV_E_EMULATOR: it has not that many bytes, or none. */
int cv_writer_put_state_file(struct cv_writer *w, uint32_t dmid, int fd, uint64_t size,
                             struct cv_error *err) CV_CHECKED;
/* The record's state into an empty file, which is left at its beginning. */
int cv_state_to_file(const struct cv_rec_device_state *state, int fd, struct cv_error *err) CV_CHECKED;

#endif
