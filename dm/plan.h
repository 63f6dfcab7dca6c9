/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From libxl's command line and the list of emulators to a layout: the default emulator keeps what libxl wrote but for
 * the devices that others own; the others are what convoy's own guests have, by the same code (layout/decide.h). */
#ifndef CONVOY_DM_PLAN_H
#define CONVOY_DM_PLAN_H

#include "dm/args.h"
#include "layout/layout.h"

/* What to do when an emulator dies, from "-convoy emulator_died=WORD". */
enum cv_dm_died { CV_DM_DIED_PRESERVE, CV_DM_DIED_DESTROY, CV_DM_DIED_RESTART };
extern const char *const cv_dm_died_words[3];

/* A new guest.  Pure.  CV_E_INVALID, CV_E_UNSUPPORTED in the words of the configuration (device_models). */
int cv_dm_plan(struct cv_dm_args *a, const struct cv_layout_host *host, struct cv_layout *out,
               struct cv_error *err) CV_CHECKED;
/* A guest that comes back: l is its state file's; the default emulator's arguments become those of this command line,
 * without what the others own.  CV_E_INVALID: the two are of different guests. */
int cv_dm_plan_again(struct cv_dm_args *a, struct cv_layout *l, struct cv_error *err) CV_CHECKED;
int cv_dm_plan_died(const struct cv_dm_args *a, enum cv_dm_died *out, struct cv_error *err) CV_CHECKED;

#endif
