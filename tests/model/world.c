/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/steps.h"

#include <string.h>

const char *mutation_name(enum mutation m)
{
    static const char *const names[M_COUNT] = {
        [M_NONE] = "none",
        [M_SRC_SKIPS_JOURNAL] = "source-skips-journal",
        [M_SRC_SKIPS_FSYNC] = "source-skips-fsync",
        [M_DST_SKIPS_FSYNC] = "destination-skips-fsync",
        [M_DST_UNPAUSES_FIRST] = "destination-unpauses-first",
        [M_DST_IGNORES_WRITE_ERROR] = "destination-ignores-write-error",
        [M_RESUME_ON_LOSS] = "resume-on-lost-channel",
        [M_RESUME_ON_SEND_ERROR] = "resume-on-send-error",
        [M_SRC_DESTROYS_EARLY] = "source-destroys-early",
        [M_DST_ABORTS_LATE] = "destination-aborts-late",
        [M_NO_LOCK] = "no-lock",
        [M_READ_WITHOUT_SYNC] = "read-without-sync",
        [M_RUNNING_IS_NO_DECISION] = "running-is-no-decision",
        [M_WRONG_HOST_IS_NO] = "wrong-host-is-no",
        [M_DST_FORGETS] = "destination-forgets",
        [M_NO_HOLD] = "no-hold",
        [M_SRC_LOOKS_NOT] = "source-looks-not",
        [M_DST_LOOKS_NOT] = "destination-looks-not",
        [M_FAILED_IS_NEVER_RAN] = "failed-is-never-ran",
        [M_PAUSED_IS_NEVER_RAN] = "paused-is-never-ran",
        [M_OLD_RECORD_IS_BELIEVED] = "old-record-is-believed",
        [M_GONE_BY_DOMID] = "gone-by-domid",
        [M_LEFT_BY_DOMID] = "left-by-domid",
        [M_CREATE_ASKS_NOBODY] = "create-asks-nobody",
        [M_UNPAUSE_ASKS_NOBODY] = "unpause-asks-nobody",
        [M_LOST_ASKS_NOBODY] = "lost-asks-nobody",
    };
    return names[m];
}

struct world world_start(const struct limits *l)
{
    struct world w;

    memset(&w, 0, sizeof w);
    w.s_state = cv_ho_source().state;
    w.d_state = cv_ho_destination().state;
    w.s_copy = COPY_RUN;
    w.d_copy = COPY_PAUSED;
    w.s_vis = w.s_dur = w.d_vis = w.d_dur = CV_J_OPEN;
    w.s_open = w.d_open = 1;
    w.crashes_s = w.crashes_d = l->crashes;
    w.reboots_s = w.reboots_d = l->reboots;
    w.faults = l->faults;
    w.recovers_s = w.recovers_d = l->recovers;
    w.wrong = l->wrong;
    w.admin = l->admin;
    return w;
}

/* ---- small verbs ------------------------------------------------------------------------------------------- */

void bad(struct explorer *x, const char *rule) { x->visit(x, NULL, rule); }

unsigned queue_put(unsigned queue, enum wire m)
{
    unsigned shift = 0;
    while (shift < 9 && (queue >> shift & 7) != W_NONE)
        shift += 3;
    return shift < 9 ? queue | (unsigned)m << shift : queue;
}

struct cv_handover source(const struct world *w)
{
    return (struct cv_handover){ .state = w->s_state, .gone = w->s_gone };
}

bool source_expects(const struct world *w, enum cv_ho_event e)
{
    struct cv_handover h = source(w);
    return cv_ho_expects(&h, e);
}

bool machine_expects(unsigned state, enum cv_ho_event e)
{
    struct cv_handover h = { .state = (uint8_t)state };
    return cv_ho_expects(&h, e);
}

unsigned machine_next(unsigned state, enum cv_ho_event e)
{
    struct cv_handover h = { .state = (uint8_t)state };
    cv_ho_step(&h, e);
    return h.state;
}

void source_step(struct world *w, enum cv_ho_event e)
{
    struct cv_handover h = source(w);
    cv_ho_step(&h, e);
    w->s_state = h.state;
    w->s_gone = h.gone;
}

void source_gone(struct world *w) /* the process ends, however */
{
    w->s_state = w->s_gone = w->s_asking = w->s_ask = w->s_told_no = 0;
    w->s_open = 0;
    w->to_s = 0;
}

void receiver_gone(struct world *w)
{
    w->d_state = w->d_open = 0;
    w->to_d = 0;
}

void handler_gone(struct world *w) { w->h_state = w->h_for = 0; }
