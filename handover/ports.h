/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a migration wants from a host, and the drivers that perform the hand-over with it.
 * The orchestration (sender, receiver, recover) owns streaming and loading; when everything was sent or loaded, or
 * anything failed before, it tells the machine so and calls cv_handover_run, which ends with a settled outcome:
 *     source:       cv_ho_step(&run.machine, sent ? CV_EV_SENT_ALL : lost ? CV_EV_LOST : CV_EV_TROUBLE); run
 *     destination:  cv_ho_step(&run.machine, loaded ? CV_EV_LOADED : ...); run */
#ifndef CONVOY_HANDOVER_PORTS_H
#define CONVOY_HANDOVER_PORTS_H

#include "base/log.h"
#include "handover/channel.h"
#include "handover/handover.h"
#include "handover/journal.h"

/* Effects on this side's copy of the guest.  rec: says which domain; never called for a record of an earlier boot of
 * this host (its domain is gone, and its number may be another's).  All idempotent: recovery repeats them. */
/* clang-format off */
enum cv_effect {
    CV_EFFECT_UNSURE = -2, /* run: it failed, and whether the guest has executed anything could not be seen */
    CV_EFFECT_FAILED = -1,
    CV_EFFECT_DONE = 0,
    CV_EFFECT_GONE = 1,    /* there is no such domain any more */
};
/* clang-format on */

struct cv_guest_ports {
    void *user;
    /* Source: emulators take their disks and go on, dirty log off, guest resumed; DONE too if it never stopped. */
    enum cv_effect (*resume)(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                             struct cv_error *err);
    /* Destination: emulators go on, guest unpaused, network announced; DONE too if it runs already.
     * FAILED means that it was looked at afterwards, and has executed no instruction; not known: UNSURE. */
    enum cv_effect (*run)(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err);
    /* Either: domain, emulators, xenstore; must not touch a guest that runs (source: not suspended; destination:
     * has ever run) but fail. */
    enum cv_effect (*destroy)(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                              struct cv_error *err);
    /* Destination: which domains of this guest are on this host, in words, for the person at the other side who may
     * have to decide.  NULL: nothing is said. */
    void (*tell)(void *user, const uint8_t guest[16], char *buf, size_t size);
    /* The processes of a migration only, just before COMMIT and before RUNNING: is the copy still what it was?
     * Source: suspended, and not resumed since its last page was read.  Destination: paused, never run, and nobody else
     * of this uuid.  NULL: not asked. */
    enum cv_effect (*look)(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err);
};

/* A new connection to the destination, for asking: runs rec->command, say.  The descriptors stay the port's. */
struct cv_connect_port {
    void *user;
    int (*connect)(void *user, const struct cv_journal_record *rec, int *in_out, int *out_out, int64_t deadline_ms,
                   struct cv_cancel *cancel, struct cv_error *err);
    void (*disconnect)(void *user);
    /* Closes the migration's own channel (ends ssh), so that the other side notices.  Idempotent; may be NULL. */
    void (*hang_up)(void *user);
};

struct cv_handover_times { /* milliseconds; 0 = default */
    int64_t ready_ms;      /* source: from END to READY, 120,000 */
    int64_t commit_ms;     /* destination: from READY to COMMIT, 60,000 */
    int64_t answer_ms;     /* source: from COMMIT to the answer, 30,000; then it asks */
    int64_t ask_ms;        /* source: asking altogether, 120,000; one question at most 30,000 */
    unsigned questions;    /* source: at most so many; 0: as many as fit */
    int64_t effect_ms;     /* each effect on a guest, 30,000 */
    int64_t silence_ms;    /* the other side is lost when it says nothing for so long, 30,000 */
};

/* A wait that came to its good end, by cv_now_ns; both 0: none did. */
struct cv_ho_wait {
    int64_t start_ns, end_ns;
};

#define CV_HO_EMULATORS 8u

struct cv_handover_run {
    struct cv_handover machine;
    struct cv_journal *journal; /* open; closed only where a tombstone is to be made (store, migration set) */
    struct cv_chan *chan;       /* NULL: none (recover by hand) */
    bool answering;             /* destination: chan is a recovery connection, answers are ANSWER messages */
    const struct cv_guest_ports *guest;
    const struct cv_connect_port *connect; /* source only */
    enum cv_ho_event assumed; /* source: a person's answer (YES, NO) in the place of a question; OK: none */
    struct cv_cancel *cancel; /* before COMMIT it aborts; after it only asking again is cut short */
    struct cv_sink *sink;
    struct cv_handover_times times;
    uint8_t boot[16];                       /* this boot: cv_journal_boot_id */
    const char *store;                      /* path of the journal store */
    uint8_t migration[16], asked_guest[16]; /* what a tombstone is made for */
    const struct cv_msg_hello *hello;       /* source: ours, said again when asking */
    struct cv_msg ready;                    /* destination: what READY says */
    uint64_t sent_bytes, sent_records;      /* source: of the stream, compared with READY; 0, 0: not compared */
    /* private: the connection over which we ask */
    struct cv_chan ask_chan;
    bool asking;
    unsigned asked; /* questions */
    int64_t ask_until_ms;
    int64_t decide_ns, run_ns; /* destination: what its journal and "run" took, for RUNNING; the port may
                                          fill in run_ns, if it did more than let the guest run */
    /* results */
    struct cv_ho_wait ready_wait, yes_wait; /* source */
    int64_t peer_ready_ns;                  /* source: there, from END to READY */
    int64_t peer_load_ns[CV_HO_EMULATORS];  /* by dmid */
    int64_t peer_decide_ns, peer_resume_ns; /* source: there, the journal; emulators and unpause */
    struct cv_error why;                    /* first fault; CV_E_OUTCOME_UNKNOWN at the end if so */
    uint32_t domid;                         /* source: of the guest there, once it runs */
};

/* Performs the machine's actions up to its end.  Blocks.  Never CV_OUT_NONE. */
enum cv_ho_outcome cv_handover_run(struct cv_handover_run *r);

/* Destination, after RUNNING: waits a little for DONE, upon which the journal may be pruned one day. */
void cv_handover_hear_done(struct cv_handover_run *r);

/* The destination's end of a question: QUERY was read from r->chan.  Settles this side and answers. */
enum cv_ho_outcome cv_handover_answer(struct cv_handover_run *r, const struct cv_msg_query *query,
                                      const uint8_t guest[16]);

/* Between the drivers only: one question over a new connection, its end, the end of the first channel. */
enum cv_ho_event cv_handover_ask(struct cv_handover_run *r);
void cv_handover_ask_end(struct cv_handover_run *r, bool done);
void cv_handover_hang_up(struct cv_handover_run *r);

#endif
