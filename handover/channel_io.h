/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between channel.c and channel_io.c only. */
#ifndef CONVOY_HANDOVER_CHANNEL_IO_H
#define CONVOY_HANDOVER_CHANNEL_IO_H

#include "handover/channel.h"

/* Writes what the descriptor takes: 1 nothing is pending, 0 it is full, -1. */
int cv_chan_flush(struct cv_chan *c, struct cv_error *err) CV_CHECKED;
/* Reads what is there, of one message: 1 whole (checked, state moved), 0 not yet, -1. */
int cv_chan_take(struct cv_chan *c, struct cv_msg *m_out, struct cv_error *err) CV_CHECKED;
/* Until something can be read (if read) or written (if pending), the time, or cancel (-1). */
int cv_chan_wait(struct cv_chan *c, bool read, int64_t until_ms, struct cv_cancel *cancel,
                 struct cv_error *err) CV_CHECKED;

#endif
