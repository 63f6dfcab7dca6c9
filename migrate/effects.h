/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Effects on a guest, known from a journal's record alone: for recovery, when whoever built or suspended it is gone.
 * All are idempotent, and look before they touch. */
#ifndef CONVOY_MIGRATE_EFFECTS_H
#define CONVOY_MIGRATE_EFFECTS_H

#include "guest/guest.h"
#include "migrate/ports.h"

struct cv_effects {
    struct cv_host *host;
    struct cv_sink *sink;
    bool ran; /* "run" found the guest or set it going: *domid is it */
    uint32_t domid;
};
struct cv_guest_ports cv_effects_ports(struct cv_effects *e);

/* ---- shared with the processes of a migration itself ---- */

/* The guest has ended by itself: power off, reboot, crash. */
bool cv_effect_ended(const struct cv_domain_info *d);

/* The incoming guest's name until it is decided. */
#define CV_INCOMING "--incoming"
void cv_incoming_name(const char *name, char *buf, size_t size);

/* Destination: emulators run, the guest is unpaused. */
int cv_effect_run(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err) CV_CHECKED;
/* And then: the network is told, the final name given.  From here on nothing is a reason to say that it does not run.
 */
void cv_effect_settle_in(struct cv_guest *g, const char *name, int64_t deadline_ms);

#endif
