/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The single steps of a world, between the files here: world.c (verbs), guests.c (effects, and what a process says at
 * its end), acts.c (one action of a process), hears.c (one message of it), successors.c (all that can happen),
 * recover.c. */
#ifndef CONVOY_TESTS_MODEL_STEPS_H
#define CONVOY_TESTS_MODEL_STEPS_H

#include "tests/model/world.h"

/* How an action ends: done; failed with nothing done; seen but not durable; failed although done. */
enum how { HOW_OK, HOW_FAIL_NOTHING, HOW_FAIL_SEEN, HOW_FAIL_DONE };

/* The machine that the source is in. */
struct cv_handover source(const struct world *w);
bool source_expects(const struct world *w, enum cv_ho_event e);
bool machine_expects(unsigned state, enum cv_ho_event e);
unsigned machine_next(unsigned state, enum cv_ho_event e);
void source_step(struct world *w, enum cv_ho_event e);

/* A rule is broken. */
void bad(struct explorer *x, const char *rule);
unsigned queue_put(unsigned queue, enum wire m);

/* Effects on guests, with the rules they must keep. */
/* afresh: booted, which no history stands against but another that runs. */
void run_at_source(struct explorer *x, struct world *w, bool afresh);
void run_at_destination(struct explorer *x, struct world *w);
void destroy_at_source(struct explorer *x, struct world *w);
/* False: the product looks, and refuses.  handler: who knows the copy from the journal alone. */
bool destroy_at_destination(struct explorer *x, struct world *w, bool handler);
/* What the product finds of its copy just before COMMIT and RUNNING. */
enum cv_ho_event look_at_source(const struct explorer *x, const struct world *w);
enum cv_ho_event look_at_destination(const struct explorer *x, const struct world *w);
/* What a process says at its end must be true. */
void source_finished(struct explorer *x, struct world *w);
void destination_finished(struct explorer *x, struct world *w, unsigned state);

/* A process ends, however. */
void source_gone(struct world *w);
void receiver_gone(struct world *w);
void handler_gone(struct world *w);

/* One action of a process; false if it has none that can end so. */
bool source_acts(struct explorer *x, struct world *w, enum how how);
bool destination_acts(struct explorer *x, struct world *w, bool handler, enum how how);

/* One message, if there is one and it has a place. */
bool source_hears(struct world *w);
bool receiver_hears(struct world *w);
bool query_arrives(struct explorer *x, struct world *w, unsigned k);
bool answer_arrives(struct explorer *x, struct world *w);
void send_all(struct world *n);

/* All that an administrator may do at any moment. */
void administrator(struct explorer *x, const struct world *w,
                   void (*emit)(struct explorer *, struct world *, const char *));
/* A person has looked at both hosts, and says what became of the guest. */
bool told_at_source(struct world *w);
bool told_at_destination(struct world *w);

bool source_recovers(struct explorer *x, struct world *w);
bool destination_recovers(struct explorer *x, struct world *w);
void reboot_source(struct world *w);
void reboot_destination(struct world *w);

#endif
