/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One small process watches over each guest, as xl's does: it reaps the emulators when the domain ends, however it ends
 * (xl destroy knows of one emulator only), and carries out on_poweroff and its like. */
#ifndef CONVOY_GUEST_MONITOR_H
#define CONVOY_GUEST_MONITOR_H

#include "base/cancel.h"
#include "base/log.h"
#include "host/host.h"

/* Starts "<program> monitor <domid>" in the background, detached, with its log beside the emulators'.
 * Returns when it has been executed; an error when it could not be. */
int cv_monitor_spawn(const char *program, uint32_t domid, const char *name, struct cv_error *err) CV_CHECKED;

/* What that process does, with the guests that take each other's place.  CV_E_UNSUPPORTED: not one of ours. */
int cv_monitor_guest(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                     struct cv_error *err) CV_CHECKED;

/* One of them: returns 0 when the guest has ended and nothing of it is left.
 * *next_out: domid of the guest that took its place (on_reboot = "restart"), or 0. */
int cv_monitor_run(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                   uint32_t *next_out, struct cv_error *err) CV_CHECKED;

#endif
