/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that xl or libvirt has made.  Their facts come from libxl's own record of the domain, from xenstore and from
 * the emulator that runs; nothing is written and nothing is touched, so that a guest which is looked at, or whose save
 * fails, is what it was.  Its layout has one emulator, as convoy would start it from the same configuration; it is held
 * against the one that runs, and a guest for which the two would differ is refused.  What an image holds is from then
 * on a guest of convoy's. */
#ifndef CONVOY_GUEST_ADOPT_H
#define CONVOY_GUEST_ADOPT_H

#include "guest/guest.h"

/* g->domid carries none of our nodes: fills facts, layout, configuration and devices.  found: everything that stands in
 * the way of it; NULL: the first is enough.
 * CV_E_UNSUPPORTED: nobody's domain, or one that convoy cannot serve. */
int cv_guest_adopt(struct cv_guest *g, struct cv_findings *found, struct cv_error *err) CV_CHECKED;
/* The process of g's emulator and its socket; dead_ok: one that has ended is no error. */
int cv_guest_adopt_emulator(struct cv_guest *g, bool dead_ok, struct cv_error *err) CV_CHECKED;
/* The QEMU that libxl has started for g->domid, if g's layout has one: attached, connected, and seen to be what the
 * layout says. */
int cv_guest_take_qemu(struct cv_guest *g, int64_t deadline_ms, struct cv_cancel *cancel,
                       struct cv_error *err) CV_CHECKED;
/* cv_guest_look of an adopted guest. */
int cv_guest_look_adopted(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;

#endif
