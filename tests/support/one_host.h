/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of a host with a folder of its own and models of QEMU, and the guest "g" on it.  For tests: whatever is not
 * as it should be ends the test. */
#ifndef CONVOY_TESTS_ONE_HOST_H
#define CONVOY_TESTS_ONE_HOST_H

#include "emu_fixture.h"
#include "fake_host.h"
#include "guest/blockers.h"

#define EMULATORS 3

struct one_host {
    struct fake_host *host;
    struct cv_host_dirs dirs;
    /* paths in dir; nothing is there yet but the rules, the configuration and an empty image for a PV disk */
    char dir[64], rules[96], config[96], image[96], store[96], pv_disk[96];
    unsigned fds;    /* that were open at the beginning */
    unsigned others; /* domains that have nothing to do with us */
};

/* faults[i] (or NULL) are options of emulator i (fake_qemu.c), here and in one_host_config. */
void one_host_begin(struct one_host *s, const char *const faults[EMULATORS]);
/* No domain but the others; removes the folder. */
void one_host_end(struct one_host *s);

/* Another configuration: of EMULATORS emulators, or of one with these lines. */
void one_host_config(struct one_host *s, const char *const faults[EMULATORS]);
void one_host_lines(struct one_host *s, const char *lines);

int one_host_create(struct one_host *s, struct cv_guest *g, struct cv_error *err);
/* Created and running, with patterned RAM. */
struct fake_domain *one_host_guest(struct one_host *s);
/* Those of "g" run. */
void one_host_emulators_run(struct one_host *w);
/* What convoy check finds of this guest; item i of it is this check's, and has these words. */
void one_host_check(struct one_host *w, const char *who, struct cv_findings *found);
void one_host_found(const struct cv_findings *f, size_t i, const char *check, const char *words);
/* As convoy destroy does. */
void one_host_destroy(struct one_host *s);
/* Files in the folder that belong to nobody after an operation. */
unsigned one_host_leftovers(const struct one_host *s);
/* No domain, node, file, socket, process or descriptor. */
void one_host_is_bare(const struct one_host *s);

/* The n-th call from now on fails, and so many after it; n 0: none. */
void one_host_faults(struct one_host *s, unsigned n, unsigned more);
/* Waits for every child that has ended. */
void reap(void);

#endif
