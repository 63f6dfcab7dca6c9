/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Effects on a guest, known from a journal's record alone: for recovery, when whoever built or suspended it is gone.
 * All are idempotent, and look before they touch. */
#ifndef CONVOY_MIGRATE_EFFECTS_H
#define CONVOY_MIGRATE_EFFECTS_H

#include "guest/guest.h"
#include "handover/ports.h"

struct cv_effects {
    struct cv_host *host;
    struct cv_sink *sink;
    const char *store; /* of journals */
    bool force;        /* a person has looked: destroy what has run here, too */
    /* Told of the guest that "run" has found or set going, before its record is settled: its monitor.  May be NULL. */
    void (*runs)(void *user, uint32_t domid, const char *name);
    void *user;
};
struct cv_guest_ports cv_effects_ports(struct cv_effects *e);

/* ---- shared with the processes of a migration itself ---- */

/* The guest has ended by itself: power off, reboot, crash. */
bool cv_effect_ended(const struct cv_domain_info *d);

/* "runs", "stands suspended", ...: for a person who is to decide. */
const char *cv_effect_state_name(const struct cv_domain_info *d);

/* Source: no other domain of this uuid is here that runs or has run, but this migration's.  CV_E_BUSY. */
int cv_effect_alone(struct cv_effects *e, const struct cv_journal_record *rec, struct cv_error *err) CV_CHECKED;

/* The incoming guest's name until it is decided. */
#define CV_INCOMING "--incoming"
void cv_incoming_name(const char *name, char *buf, size_t size);

/* So many times more than once an incoming guest is paused: somebody's xl unpause does not let it run. */
#define CV_INCOMING_HELD 7u
int cv_effect_hold(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* Destination: emulators run, the guest is unpaused.  Afterwards it is looked at: FAILED and UNSURE as in
 * handover/ports.h, and DONE also for one that has run already. */
enum cv_effect cv_effect_run(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err);
/* Source: may the copy that was handed over be destroyed?  CV_E_INTERNAL: somebody has resumed it; paused, and left. */
int cv_effect_handed_over(struct cv_host *host, const struct cv_domain_info *d, struct cv_sink *sink,
                          struct cv_error *err) CV_CHECKED;
/* Destination: may the copy be destroyed, of which nobody ever has seen anything?  Paused if it runs.  CV_E_INTERNAL:
 * it has run, and is left alone. */
int cv_effect_never_ran(struct cv_host *host, uint32_t domid, struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* And then: the network is told, the final name given.  From here on nothing is a reason to say that it does not run.
 */
void cv_effect_settle_in(struct cv_guest *g, const char *name, int64_t deadline_ms);

#endif
