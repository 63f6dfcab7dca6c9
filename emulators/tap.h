/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TAP interfaces of emulated network cards.  Not persistent: the interface is gone with the last descriptor. */
#ifndef CONVOY_EMULATORS_TAP_H
#define CONVOY_EMULATORS_TAP_H

#include "base/error.h"

/* Makes TAP ifname, attaches it to bridge, brings it up; bridge "": makes it only, the rest is somebody else's
 * script's. Returns its descriptor, or -1: CV_E_IO, CV_E_BUSY (the name is taken), CV_E_NOT_FOUND (no such bridge). */
int cv_tap_create(const char *ifname, const char *bridge, struct cv_error *err) CV_CHECKED;

#endif
