/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A default emulator that libxl has started: is it what the layout would start? */
#ifndef CONVOY_EMULATORS_ADOPTED_H
#define CONVOY_EMULATORS_ADOPTED_H

#include "emulators/set.h"

/* A running process's arguments, [0] its program as it was called; the strings are pool's.  CV_E_EMULATOR: there is no
 * such process. */
int cv_emulator_arguments(int pid, struct cv_pool *pool, struct cv_strings *argv_out, struct cv_error *err) CV_CHECKED;
/* Its machine and memory.  CV_E_UNSUPPORTED: others than l's, so that it could not be restored. */
int cv_emulator_check_arguments(const struct cv_strings *argv, const struct cv_layout *l,
                                struct cv_error *err) CV_CHECKED;

/* Asks it: every PCI device of l is where l has it, unless the guest may have unplugged it, and there is no other; its
 * ROM and VRAM lie in l's window.  Nothing changes.  CV_E_UNSUPPORTED names the first that differs. */
int cv_emuset_check_adopted(struct cv_emuset *set, const struct cv_layout *l, const struct cv_emu_wait *w,
                            struct cv_error *err) CV_CHECKED;

#endif
