/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between source.c, source_passes.c and source_report.c. */
#ifndef CONVOY_MIGRATE_SOURCE_INTERNAL_H
#define CONVOY_MIGRATE_SOURCE_INTERNAL_H

#include "migrate/offer.h"
#include "migrate/source.h"

/* Of the policy: what a down time costs beside its pages, before anything was measured. */
#define CV_FIXED_DOWN_MS 150

struct cv_source {
    struct cv_save save; /* first: the steps of save/ take the same pointer */
    struct cv_save_options save_opt;
    const struct cv_migrate_options *opt;
    const char *store;
    struct cv_sink *sink;
    struct cv_link link;
    struct cv_chan chan;
    bool chan_open;
    struct cv_watch watch;
    struct cv_journal journal;
    struct cv_offer offer;
    struct cv_msg_hello hello;
    char host_name[65];
    struct cv_msg theirs; /* their HELLO */
    uint8_t migration[16], boot[16];
    enum cv_ho_event heard;  /* of the other side, while we sent: NO, or CV_EV_COUNT for nothing */
    struct cv_phases phases; /* of the move */
    struct cv_migrate_result *result;
    /* passes */
    struct cv_pass passes[CV_TL_PASSES];
    size_t pass_count;
    unsigned cap, cap_before; /* scheduler's, percent of a vCPU's time; 100 = none */
    bool capped;
    int64_t moved_ns; /* when the first pass began */
    int64_t looked_ms;
};

/* Sets save_opt's callbacks: policy, pacing, hearing. */
void cv_source_passes_init(struct cv_source *s);
/* Takes the scheduler's limit off again.  Idempotent. */
void cv_source_uncap(struct cv_source *s);
/* Images' dirty pages go to the disks while the guest runs: "stop" would have to wait for them. */
int cv_source_flush_disks(void *op, int64_t deadline_ms, struct cv_error *err);
/* Everything but commit and resume, which the hand-over fills in itself. */
void cv_source_report(struct cv_source *s, const struct cv_handover_run *run, int64_t end_ns);

#endif
