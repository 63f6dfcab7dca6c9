/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy migrate: the source's side, from the first word to the settled outcome.
 *
 *   prepare      emulators connected, nothing stands against a save; the channel is open, both have said HELLO
 *   journal      OPEN, durable; a watcher stands by
 *   move         OFFER and ACCEPT; the steps of save/ with the channel in the place of a file
 *   hand over    handover/handover.h decides; its effects are ours
 *
 * Until the hand-over nothing is undone step by step: whatever fails, the machine goes by DROP, ABORT_TELL and RESUME,
 * in this order, so that the other side's emulators let go of the disks before ours take them. */
#ifndef CONVOY_MIGRATE_SOURCE_H
#define CONVOY_MIGRATE_SOURCE_H

#include "migrate/peer.h"
#include "migrate/policy.h"
#include "migrate/timeline.h"
#include "handover/ports.h"
#include "migrate/watch.h"
#include "save/save.h"

struct cv_migrate_options {
    const char *command; /* for sh: its standard input and output are the channel */
    const char *peer;    /* the other host, for people */
    const char *store;   /* of journals; NULL = CV_JOURNAL_DIR */
    bool live;
    bool force; /* cv_save_options' */
    struct cv_mem_options mem;
    struct cv_limits limits;
    struct cv_cancel *cancel; /* may be NULL */
    const char *watcher;      /* convoy's own program; NULL = nobody watches */
    cv_dial *dial;            /* NULL = the command is run */
    void *dial_user;
    struct cv_handover_times times;
};

struct cv_migrate_result {
    enum cv_ho_outcome outcome; /* CV_OUT_NONE: it ended before anything was written down */
    uint32_t domid;             /* of the guest there */
    struct cv_timeline timeline;
};

/* 0: the guest runs there and nothing is left here.  -1 with why; outcome says what became of the guest:
 * KEPT (or NONE): it runs here as before.  UNKNOWN (CV_E_OUTCOME_UNKNOWN), STUCK, TAKEN_LEFT: convoy recover. */
int cv_migrate(struct cv_host *host, const char *who, const struct cv_migrate_options *opt, struct cv_sink *sink,
               struct cv_migrate_result *result, struct cv_error *err) CV_CHECKED;

#endif
