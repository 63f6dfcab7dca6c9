/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the way of saving or moving a running guest: one list of named checks, for save, migrate and
 * convoy check alike.  A check asks Xen, xenstore and the emulators and changes nothing; a new one is a function and a
 * line in blockers.c. */
#ifndef CONVOY_GUEST_BLOCKERS_H
#define CONVOY_GUEST_BLOCKERS_H

#include "base/findings.h"
#include "guest/guest.h"

struct cv_blockers {
    struct cv_guest *g;
    const struct cv_emu_wait *wait;
    bool force; /* what could go right all the same is a warning */
    struct cv_findings *found;
    struct cv_domain_info info; /* of the domain, as the first check found it */
};

/* Runs every check that can be run and adds what it finds.  g: open, and connected to the emulators that answer; those
 * that do not are found.  force: somebody insists. */
void cv_guest_find_blockers(struct cv_guest *g, const struct cv_emu_wait *w, bool force, struct cv_findings *found);
/* The same as a verdict: says all of it to the guest's sink when it is more than one thing.  -1: something is. */
int cv_guest_refuse_blocked(struct cv_guest *g, const struct cv_emu_wait *w, bool force,
                            struct cv_error *err) CV_CHECKED;
/* Opens and connects as far as it can, then finds all.  *g: dispose it in any case; g->domid 0: there is none. */
void cv_guest_check(struct cv_host *host, const char *who, const struct cv_emu_wait *w, struct cv_sink *sink,
                    struct cv_guest *g, struct cv_findings *found);

#endif
