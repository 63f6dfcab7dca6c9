/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy recover: finishes what a migration left open, from the journals; docs/migrate-protocol.md, 7. */
#ifndef CONVOY_MIGRATE_RECOVER_H
#define CONVOY_MIGRATE_RECOVER_H

#include "host/host.h"
#include "migrate/peer.h"
#include "handover/ports.h"

enum cv_assume { CV_ASSUME_NOTHING, CV_ASSUME_RUNNING, CV_ASSUME_ABORTED };

struct cv_recover_options {
    const char *store; /* NULL = CV_JOURNAL_DIR */
    struct cv_cancel *cancel;
    enum cv_assume assume; /* the destination is gone for good: what became of the guest */
    int role;              /* only records of this enum cv_journal_role; -1 = both */
    cv_dial *dial;
    void *dial_user;
    struct cv_handover_times times;
    int64_t pause_ms; /* cv_recover_persist: the shortest between two tries; 0 = 1 s */
    void (*runs)(void *user, uint32_t domid, const char *name);
    void *runs_user;
    /* Told of each record that was worked on.  CV_OUT_NONE: another process settled it while we waited for it. */
    void (*settled)(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                    const struct cv_error *why);
    void *settled_user;
};

/* who: a guest's name, uuid (with or without dashes), or a migration's id; NULL: whoever has a record here, and none is
 * no failure, but a damaged one is.  Works on its unsettled records, the source's first.  *count_out: how many there
 * were.  -1: one could not be settled (err: the first).  CV_E_NOT_FOUND: this store knows nothing of it. */
int cv_recover(struct cv_host *host, const char *who, const struct cv_recover_options *opt, struct cv_sink *sink,
               unsigned *count_out, struct cv_error *err) CV_CHECKED;

/* The same for one migration in opt->role, again and again until it is settled, by us or by anybody else: the other
 * side may be away for days.  Between tries nothing is held, so that convoy recover can be run at any time.  A fault
 * that differs from the one before is logged.  -1: opt->cancel was set (err: why it is still open). */
int cv_recover_persist(struct cv_host *host, const uint8_t migration[16], const struct cv_recover_options *opt,
                       struct cv_sink *sink, struct cv_error *err) CV_CHECKED;

#endif
