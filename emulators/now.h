/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running guest's emulators have now, and the layout brought up to it: vCPUs are plugged, discs are ejected and
 * changed, devices come and go at run time (xl, QMP, the guest itself), and a restored emulator must be started with
 * exactly what the saved one had. */
#ifndef CONVOY_EMULATORS_NOW_H
#define CONVOY_EMULATORS_NOW_H

#include <jansson.h>

#include "emulators/set.h"

enum cv_now_what {
    CV_NOW_ALL,
    CV_NOW_MEDIA /* what changes most easily, in as few questions as possible: vCPUs and discs */
};

/* { 0 } is empty; indexed by dmid, NULL: was not asked for. */
struct cv_now {
    json_t *cpus[CV_DM_MAX];               /* [{"type", "props", "plugged"}], in the order of their index */
    json_t *disks[CV_DM_MAX];              /* [{"device", "qdev", "removable", "path", "format"}]; no path: no medium */
    json_t *devices[CV_DM_MAX];            /* ["NAME TYPE"] of those that have a name, */
    json_t *unnamed[CV_DM_MAX];            /* [TYPE] and of those that have none; both without vCPUs */
    const struct cv_strings *started_with; /* the default emulator's own command line, where another toolstack started
                                              it (adopted.h); NULL: it is the layout's; borrowed */
};
void cv_now_dispose(struct cv_now *now);

/* Asks.  A medium's path is the layout's where it is that file, whatever the emulator calls it.  Nothing changes.
 * Emulators that are attached are not asked: what they have is their owner's business.
 * CV_E_UNSUPPORTED: a medium whose file has been removed or replaced, or that has no path. */
int cv_emuset_now(struct cv_emuset *set, const struct cv_layout *l, enum cv_now_what what, const struct cv_emu_wait *w,
                  struct cv_now *now_out, struct cv_error *err) CV_CHECKED;

/* Brings l up to it: the vCPUs that are plugged, the discs that are in the drives.  CV_E_UNSUPPORTED, naming emulator
 * and device: what a restored emulator could not be given. */
int cv_now_take(const struct cv_now *now, struct cv_layout *l, struct cv_error *err) CV_CHECKED;

/* Has that emulator a device of this name? */
bool cv_now_has_device(const struct cv_now *now, unsigned dmid, const char *id);

/* later (perhaps of CV_NOW_MEDIA only) against before: CV_E_BUSY names the emulator and what has changed. */
int cv_now_compare(const struct cv_now *before, const struct cv_now *later, const struct cv_layout *l,
                   struct cv_error *err) CV_CHECKED;

#endif
