/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of a host: domains with RAM, dirty log, run state, and a xenstore.  It checks the port's contract itself
 * (suspended twice, memory read while it may still change, ...), and its n-th call may fail.
 * It proves nothing about Xen: it is for fault sweeps. */
#ifndef CONVOY_TESTS_FAKE_HOST_H
#define CONVOY_TESTS_FAKE_HOST_H

#include <pthread.h>

#include <jansson.h>

#include "host/host.h"

#define FAKE_PFNS 300u

struct fake_domain {
    bool exists, paused, suspended, logging, introduced, has_policy, has_state;
    bool pv;              /* a PV guest */
    unsigned event_msis;  /* MSIs of emulated devices that it takes over event channels */
    bool log_taken;       /* somebody else has read its dirty log, or switched it off */
    unsigned held;        /* paused so many times more than once */
    uint64_t cpu_time_ns; /* grows whenever its vcpus are let run */
    bool ended;           /* stopped by itself, for end_reason (CV_SHUTDOWN_*) */
    int end_reason;
    bool waits_for_dead, waits_for_silent; /* a vcpu waits for the answer of an emulator that is so */
    bool ending;                           /* for end_reason, when no vcpu waits any more */
    bool released;                         /* release_orphans() was called */
    uint32_t domid;
    char *devices; /* its PV devices, as devices_add took them; NULL: none */
    unsigned device_count;
    unsigned cap;
    uint64_t genid_at;    /* where its firmware has put its VM generation ID; 0: nowhere */
    uint64_t max_pages;   /* set_max_pages'; as many as were there at creation: FAKE_PFNS + 64 */
    unsigned pod_missing; /* pages that the guest expects and Xen has not got: a look at its memory ends it */
    struct cv_domain_spec spec;
    uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
    uint64_t dirty[(FAKE_PFNS + 63) / 64];
};

struct fake_host {
    struct cv_host base;
    struct fake_domain *dom[8]; /* index = domid */
    json_t *store;              /* path -> value */
    unsigned calls, fail_at;    /* fail_at 0: never; counts every call that can fail, from any thread */
    unsigned dumps;             /* how often a domain was dumped */
    int watch_fd;               /* given out as the watch's, -1: none */
    unsigned gone_at_drain;     /* all domains are gone (xl destroy) when the watch is drained for the n-th time */
    const char *failed_in;      /* name of the call that failed */
    unsigned fail_next_too;     /* so many further calls fail as well (faults within undo) */
    unsigned vanish_at;         /* before this call somebody destroys domain 1; 0: never */
    unsigned xen_minor;         /* its release is 1.this */
    unsigned grow_at;           /* the n-th question for its pfns finds that the guest has grown; 0: never */
    uint64_t pfns;              /* what it says of them; 0: what is true */
    bool attaches;              /* somebody attaches a PV device while the guest suspends */
    const char *no_bridge;      /* the bridge that it lacks, borrowed; NULL: it has them all */
    bool suspends_late;         /* suspend() runs into its time limit */
    pthread_mutex_t lock;
};

struct fake_host *fake_host_new(void);
void fake_host_free(struct fake_host *h);
/* A running guest with patterned RAM (some pages zero, some absent). */
uint32_t fake_host_add_guest(struct fake_host *h, const char *name);
/* Of all domains. */
unsigned fake_host_devices(const struct fake_host *h);
unsigned fake_host_domains(const struct fake_host *h);
size_t fake_host_nodes(const struct fake_host *h);

#endif
