/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two models of hosts, with models of QEMU, and a migration between them over a socket pair whose channel may be cut.
 * For tests: whatever is not as it should be ends the test. */
#ifndef CONVOY_TESTS_TWO_HOSTS_H
#define CONVOY_TESTS_TWO_HOSTS_H

#include <pthread.h>

#include "migrate/destination.h"
#include "handover/gate.h"
#include "migrate/source.h"
#include "one_host.h"

#define CONNECTIONS 16

struct connection {
    struct world *w;
    pthread_t receiver, relay;
    int fd;   /* the receiver's end */
    int a, b; /* of the relay, when the channel is to be cut */
    bool has_relay;
};

struct world {
    struct one_host src, dst;
    struct cv_gate gate[2];
    unsigned fds;
    struct connection conn[CONNECTIONS];
    unsigned connections;
    long cut_forth, cut_back; /* bytes after which the first connection breaks; -1 = never */
    long passed_forth;        /* bytes that the last relay carried */
    int64_t silence_ms;
    struct cv_limits limits;  /* of migrate() */
    struct cv_cancel *cancel; /* likewise; may be NULL */
    struct cv_sink *sink;     /* the source's */
    unsigned monitors;        /* how often a guest's monitor was to be started */
    bool ran_there;           /* then it still ran at the source */
    bool verbose;
};

void world_begin(struct world *w);
/* Nothing is left on either host: no domain but the others, no process, no descriptor. */
void world_end(struct world *w);

/* "g" at this host, running; faults[i] (or NULL) are options of emulator i (fake_qemu.c). */
void make_guest(struct one_host *s, const char *const faults[EMULATORS]);
void end_guest(struct one_host *s);
/* The guest or its half-made copy; NULL if there is none. */
struct fake_domain *guest_of(struct one_host *s);
bool runs(const struct fake_domain *d);

/* A cv_dial to dst (user: the world); what it starts is waited for by join_all. */
int dial_world(void *user, const char *command, struct cv_peer *out, struct cv_error *err);
void join_all(struct world *w);
/* cv_migrate from src to dst, until both sides have ended. */
int migrate(struct world *w, bool live, struct cv_migrate_result *r, struct cv_error *err);
/* convoy recover g, on this host. */
void recover(struct world *w, struct one_host *s);
/* Ends the guest if exactly one copy is left and runs, whole; false if it is not so (after recovery that ends the
 * test). */
bool one_runs(struct world *w, bool after_recovery);
/* Exactly one runs, perhaps after recovery on both hosts; ends it. */
void settle(struct world *w);

#endif
