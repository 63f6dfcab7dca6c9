/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two-phase hand-over as two pure state machines: no clock, no descriptors, no Xen.
 * A state *is* one action; the driver performs it and reports what came of it as an event; a table gives the next
 * state.  The product's drivers (handover/ports.h) and the exhaustive model (tests/model) run this very code.
 * The invariants (docs/migrate-protocol.md, part 5): the destination's durable journal decides; the source never
 * runs the guest after it may have sent COMMIT without a definite no; the destination never runs it before RUNNING
 * is durable; only the process that wrote RUNNING may take it back, before anybody was told. */
#ifndef CONVOY_HANDOVER_HANDOVER_H
#define CONVOY_HANDOVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "handover/journal.h"

enum cv_ho_act {
    CV_ACT_WAIT,    /* for a message or trouble */
    CV_ACT_JOURNAL, /* arg: enum cv_journal_state, durable before OK */
    CV_ACT_SEND,    /* arg: enum cv_ho_say; a sender that failed cannot know whether it arrived */
    CV_ACT_ASK,     /* source: connect anew and ask the destination's journal */
    CV_ACT_LOOK,    /* is this side's copy still what the hand-over believes of it?  FAIL: no, or it cannot be seen */
    CV_ACT_RESUME,  /* source: the guest runs here (again); OK if it does already; GONE if there is no copy */
    CV_ACT_UNPAUSE, /* destination: likewise.  FAIL: seen that no instruction was executed; TROUBLE: that is not known
                     */
    CV_ACT_DESTROY, /* this side's copy; OK if there is none */
    CV_ACT_FINISH,  /* arg: enum cv_ho_outcome */
};

/* clang-format off */
enum cv_ho_say {
    CV_SAY_READY, CV_SAY_COMMIT, CV_SAY_ABORT, CV_SAY_DONE,
    CV_SAY_YES,        /* RUNNING, or ANSWER running */
    CV_SAY_NO,         /* FAILED, or ANSWER aborted: a definite no */
    CV_SAY_GONE,       /* ANSWER gone: it was ours and is lost (reboot, destroyed): never run the old copy */
    CV_SAY_NEVER,      /* ANSWER never-heard: no definite no after COMMIT */
    CV_SAY_STUCK,      /* ANSWER stuck: neither yes nor no; ask again */
};
/* clang-format on */

/* clang-format off */
enum cv_ho_event {
    CV_EV_OK, CV_EV_FAIL, CV_EV_GONE,            /* what came of the action */
    CV_EV_SENT_ALL,                              /* source: END is written */
    CV_EV_READY, CV_EV_YES, CV_EV_NO,            /* source heard */
    CV_EV_GIVE_UP,                               /* source: no more asking for now */
    CV_EV_LOADED, CV_EV_COMMIT, CV_EV_ABORT,     /* destination: all loaded; heard */
    CV_EV_LOST,                                  /* the channel closed, broke, fell silent */
    CV_EV_TROUBLE,                               /* anything else failed here, or the user cancelled */
    CV_EV_COUNT
};
/* clang-format on */

enum cv_ho_outcome {
    CV_OUT_NONE = 0,
    CV_OUT_KEPT,       /* source: the guest runs here */
    CV_OUT_TAKEN,      /* source: it runs there, nothing is left here */
    CV_OUT_TAKEN_LEFT, /* source: it runs there, our suspended copy could not be destroyed: recover again */
    CV_OUT_TAKEN_GONE, /* source: it was there and died there; start it afresh */
    CV_OUT_LOST,       /* source: it was ours and died with a reboot of this host; may be started afresh here */
    CV_OUT_UNKNOWN,    /* source: CV_E_OUTCOME_UNKNOWN; it stands still here, or is not here any more; recover */
    CV_OUT_STUCK,      /* either: decided, but the local effect failed; recover again */
    CV_OUT_RUNNING,    /* destination: the guest runs here */
    CV_OUT_ABORTED,    /* destination: nothing is left here */
    CV_OUT_GONE,       /* destination: it was ours and is gone */
};

/* Copyable, comparable. { 0 } is no machine. */
struct cv_handover {
    uint8_t state; /* enum inside handover.c */
    uint8_t gone;  /* the destination said GONE */
};

/* Fresh machines.  The journal is OPEN and durable on both sides (the destination's before it sends ACCEPT). */
struct cv_handover cv_ho_source(void);
struct cv_handover cv_ho_destination(void);
/* Machines of convoy recover and of an answering destination, from the record that cv_journal_open gave.
 * A destination without a record (CV_J_NONE) leaves a tombstone. */
struct cv_handover cv_ho_source_recover(enum cv_journal_state journal);
struct cv_handover cv_ho_destination_recover(enum cv_journal_state journal);
/* The last resort: a person has looked and says what became of the guest: it runs at the destination, or it does not.
 */
struct cv_handover cv_ho_source_told(bool running);
struct cv_handover cv_ho_destination_told(bool running);

/* What is to be done now. */
enum cv_ho_act cv_ho_action(const struct cv_handover *h, int *arg_out);
/* False (and nothing changes) if the event has no place in this state. */
bool cv_ho_step(struct cv_handover *h, enum cv_ho_event event);
bool cv_ho_expects(const struct cv_handover *h, enum cv_ho_event event);
/* True once COMMIT may have been sent or read: cancelling and time limits no longer abort. */
bool cv_ho_committed(const struct cv_handover *h);
enum cv_ho_outcome cv_ho_outcome(const struct cv_handover *h); /* CV_OUT_NONE while it works */

const char *cv_ho_state_name(const struct cv_handover *h); /* NULL: no such state */
const char *cv_ho_event_name(enum cv_ho_event event);
const char *cv_ho_outcome_name(enum cv_ho_outcome outcome);
/* Row i of both tables as text for docs and tests ("source LOADING READY COMMIT"), NULL past the end. */
const char *cv_ho_table_row(unsigned i, char *buf, size_t size);

#endif
