/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy migrate-receive: the destination's side.  It takes one migration, or answers one question, and ends.
 *
 *   hear         HELLO; OFFER, or QUERY (a source that lost its answer)
 *   agree        the offer checked; journal OPEN, durable; a watcher stands by; ACCEPT
 *   build        the steps of restore/, everything prepared while memory flows
 *   hand over    handover/handover.h decides
 *
 * As at the source, nothing is undone step by step: the machine goes by DROP and DESTROY. */
#ifndef CONVOY_MIGRATE_DESTINATION_H
#define CONVOY_MIGRATE_DESTINATION_H

#include "handover/ports.h"
#include "restore/restore.h"

struct cv_receive_options {
    const char *store; /* of journals; NULL = CV_JOURNAL_DIR */
    struct cv_mem_options mem;
    struct cv_cancel *cancel; /* may be NULL */
    const char *watcher;      /* convoy's own program; NULL = nobody watches */
    /* Start the guest's monitor.  Before the guest runs, where that is possible: it takes its time, and the processor,
     * while nobody stands still for it.  A domain that comes to nothing is destroyed, which ends the monitor.  Before
     * the journal is settled in any case, so that it is started twice rather than never.  May be NULL. */
    void (*watch_over)(void *user, uint32_t domid, const char *name);
    void *watch_user;
    struct cv_handover_times times;
};

/* in, out: the channel, borrowed.  0: the guest runs here, or the question was answered. */
int cv_migrate_receive(struct cv_host *host, int in, int out, const struct cv_receive_options *opt,
                       struct cv_sink *sink, enum cv_ho_outcome *outcome_out, struct cv_error *err) CV_CHECKED;

#endif
