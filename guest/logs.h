/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An emulator's log is a file that it writes, and it may be the guest's by then: the guest's monitor keeps it short. */
#ifndef CONVOY_GUEST_LOGS_H
#define CONVOY_GUEST_LOGS_H

#include "guest/guest.h"

#define CV_GUEST_LOG_MAX (16u << 20)
/* How often the monitor looks: what an emulator writes in so long is what a log may have beyond that. */
#define CV_GUEST_LOGS_MS 10000

/* Empties the logs that are longer; returns how many that were. */
unsigned cv_guest_bound_logs(const struct cv_guest *g);

#endif
