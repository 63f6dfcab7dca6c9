/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of two hosts, their disks and the channel between them, driven by the product's own hand-over machines
 * (handover/handover.h).  A world is one state; world_successors gives every state that one event can lead to.
 * What is modelled, and what is not: docs/migrate-protocol.md, part 8. */
#ifndef CONVOY_TESTS_MODEL_WORLD_H
#define CONVOY_TESTS_MODEL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "handover/handover.h"

enum copy { COPY_NONE, COPY_PAUSED, COPY_RUN }; /* PAUSED: suspended (source), built (destination) */
enum wire { W_NONE, W_END, W_READY, W_COMMIT, W_ABORT, W_DONE, W_YES, W_NO };
enum answer { A_NONE, A_YES, A_NO, A_GONE, A_NEVER, A_STUCK, A_BUSY };

#define ASKS 3u
#define LOCAL 3u /* h_for: recover run by hand on the destination */

/* 16 bytes without holes, compared and hashed as memory. */
struct world {
    /* source host */
    uint64_t s_state : 6, s_gone : 1, s_asking : 1, s_ask : 2; /* process; s_ask: its connection */
    uint64_t s_copy : 2, s_vis : 4, s_dur : 4;                 /* vis: page cache, dur: survives a reboot */
    /* destination host: the receiver, and whoever answers or recovers from the journal */
    uint64_t d_state : 6, h_state : 6, h_for : 2;
    uint64_t d_copy : 2, d_vis : 4, d_dur : 4, d_acked : 1;
    /* main channel: 3-bit messages, oldest lowest; an end that is closed hears nothing any more */
    uint64_t to_d : 9, s_open : 1, d_open : 1;
    /* an administrator, with xl or with convoy: acts that are left; the guest ended there and was made anew under
     * another domid; another domain of its uuid is there; its record was put back to an earlier one, or lost */
    uint64_t admin : 2, d_moved : 1, d_other : 1, d_old : 1, d_lost : 1;
    uint64_t s_old : 1, s_lost : 1; /* so the source's */
    uint64_t to_s : 9;
    /* recovery connections: a query may be under way (again) long after its asker is gone */
    uint64_t queries : 3, answers : 9, asks_used : 2;
    /* what is left of the faults that may still happen */
    uint64_t crashes_s : 2, crashes_d : 2, reboots_s : 2, reboots_d : 2, faults : 2, recovers_s : 2, recovers_d : 2,
        wrong : 1;
    /* history */
    uint64_t d_ran : 1, s_resumed : 1, lost_s : 1, lost_d : 1, failed : 1; /* failed: some write or effect has */
    uint64_t s_told_no : 1;                                                /* on the main channel: it stays open */
    uint64_t spare1 : 20;
};
_Static_assert(sizeof(struct world) == 16, "hashed as 16 bytes");

/* Ways to get it wrong, each of which must be caught. */
enum mutation {
    M_NONE,
    M_SRC_SKIPS_JOURNAL,       /* sends COMMIT with nothing written */
    M_SRC_SKIPS_FSYNC,         /* COMMITTING reaches the page cache only */
    M_DST_SKIPS_FSYNC,         /* so does RUNNING */
    M_DST_UNPAUSES_FIRST,      /* runs before RUNNING is written */
    M_DST_IGNORES_WRITE_ERROR, /* runs although RUNNING was not written */
    M_RESUME_ON_LOSS,          /* takes a lost channel after COMMIT for a no */
    M_RESUME_ON_SEND_ERROR,    /* takes a failed write of COMMIT for "not sent" */
    M_SRC_DESTROYS_EARLY,      /* destroys its copy with COMMIT instead of after the answer */
    M_DST_ABORTS_LATE,         /* gives its copy up when the channel breaks after COMMIT */
    M_NO_LOCK,                 /* recovers while the receiver lives */
    M_READ_WITHOUT_SYNC,       /* acts on a record that a reboot can take back */
    M_RUNNING_IS_NO_DECISION,  /* recover aborts a RUNNING that is not settled */
    M_WRONG_HOST_IS_NO,        /* takes "never heard of it" for a definite no */
    M_DST_FORGETS,             /* removes its journal before the source has settled */
    M_NO_HOLD,                 /* an incoming guest that somebody unpauses runs */
    M_SRC_LOOKS_NOT,           /* sends COMMIT for a guest that somebody has resumed */
    M_DST_LOOKS_NOT,           /* decides beside another domain of this uuid */
    M_FAILED_IS_NEVER_RAN,     /* takes an unpause that failed for one that did nothing */
    M_PAUSED_IS_NEVER_RAN,     /* destroys what is paused, though it has run */
    M_OLD_RECORD_IS_BELIEVED,  /* destroys what runs, because the record says that it is not ours */
    M_GONE_BY_DOMID,           /* a guest that was restarted under another domid is gone */
    M_LEFT_BY_DOMID,           /* and nothing is left of it */
    M_CREATE_ASKS_NOBODY,      /* convoy create, restore: without the journals */
    M_UNPAUSE_ASKS_NOBODY,     /* so convoy unpause, cycle */
    M_LOST_ASKS_NOBODY,        /* a guest that is not here any more is lost, whatever the other side has */
    M_COUNT
};
const char *mutation_name(enum mutation m);

struct limits {
    unsigned crashes, reboots, faults, recovers, wrong, admin;
};

struct world world_start(const struct limits *l);

/* Calls visit(user, next, what) for each successor.  A broken rule: visit(user, NULL, text). */
struct explorer {
    enum mutation mutation;
    void (*visit)(struct explorer *x, const struct world *next, const char *what);
};
void world_successors(struct explorer *x, const struct world *w);

/* Ends all processes (or lets them end in peace), then runs recover on both hosts without further faults.
 * order: 0 source first, 1 destination first, 2 processes may finish, then the source.
 * NULL if exactly one guest runs and nothing else is left, or none and its host's data really is lost. */
const char *world_recovered(const struct world *w, enum mutation m, int order, struct world *end_out);

#endif
