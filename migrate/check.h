/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Could a guest move to another host?  The offer of a migration is made and judged, and nothing else is done: no record
 * in a journal, no domain, and the guest is not touched. */
#ifndef CONVOY_MIGRATE_CHECK_H
#define CONVOY_MIGRATE_CHECK_H

#include "base/findings.h"
#include "migrate/source.h"

/* g: open and connected.  Adds what the other host says to found.  Of opt: command, peer, store, cancel, dial, live.
 * -1: it could not be asked. */
int cv_migrate_check(struct cv_guest *g, const struct cv_migrate_options *opt, struct cv_findings *found,
                     struct cv_error *err) CV_CHECKED;

/* All that stands in the way of saving or moving this guest. */
struct cv_check_request {
    const char *who;
    const char *store;   /* of journals */
    const char *peer;    /* the other host; NULL = none is asked */
    const char *command; /* how it is reached; NULL = by ssh */
    struct cv_cancel *cancel;
};
/* *g: dispose it in any case; g->domid 0: there is none. */
void cv_check_guest(struct cv_host *host, const struct cv_check_request *q, struct cv_sink *sink, struct cv_guest *g,
                    struct cv_findings *found);

/* The other host's side: an ACCEPT whose notes say all of it, each one's kind in its first character. */
#define CV_CHECK_BLOCKS '!'
#define CV_CHECK_WARNS '?'
struct cv_offer_check;
int cv_migrate_answer_check(struct cv_chan *chan, struct cv_offer_check *c, const struct cv_msg_offer *offer,
                            struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;

#endif
