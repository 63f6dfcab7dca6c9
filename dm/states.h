/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device states of all emulators as the one file that a toolstack carries for its one device model: a convoy stream
 * of the feature STATES_ONLY (docs/stream-format.md, 7.2), that is LAYOUT, one DEVICE_STATE for each emulator, END. */
#ifndef CONVOY_DM_STATES_H
#define CONVOY_DM_STATES_H

#include "layout/layout.h"

enum cv_dm_states_kind { CV_DM_STATES_STOCK /* one QEMU's own */, CV_DM_STATES_OURS };

/* fd: a file, or what a file can be told from by its first bytes; left at its beginning.  CV_E_STREAM: neither. */
int cv_dm_states_look(int fd, enum cv_dm_states_kind *out, struct cv_error *err) CV_CHECKED;
/* state_fds, sizes: as cv_emuset_save_state leaves them.  Writes at fd's offset, which should be 0. */
int cv_dm_states_write(int fd, const struct cv_layout *l, const int state_fds[CV_DM_MAX],
                       const uint64_t sizes[CV_DM_MAX], struct cv_error *err) CV_CHECKED;
/* Checked as a whole before anything is handed out.  l_out: dispose after success.  fds_out: memory files at their
 * beginning, one for each emulator, caller closes; the others -1.  On failure nothing is left open. */
int cv_dm_states_read(int fd, struct cv_layout *l_out, int fds_out[CV_DM_MAX], struct cv_error *err) CV_CHECKED;

#endif
