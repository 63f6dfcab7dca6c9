/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restoring a guest from a stream: the operation's state and its steps, for files and pipes here and for migrate/.
 *
 *   read-head    HOST to CPU_POLICY read and checked; nothing exists yet
 *   verify       (files) the whole stream checked, record by record, without decompressing
 *   check-host   name free, programs there, memory enough
 *   domain       an empty domain with the guest's CPU policy
 *   fill         memory streams in on a thread of its own, while the emulators start and wait for their states,
 *                xenstore learns of them, and PV back ends are set up
 *   states       Xen's state and every device state read; END has confirmed all of it
 *   impose       TSC, HVM parameters and context; rings
 *   load         every emulator loads its own state, side by side
 *   run          all emulators run; the domain too, or stays paused  -- the commit point
 */
#ifndef CONVOY_RESTORE_RESTORE_H
#define CONVOY_RESTORE_RESTORE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/phases.h"
#include "guest/guest.h"
#include "memory/fixed.h"
#include "memory/pipeline.h"
#include "stream-format/chain.h"
#include "stream-format/stream.h"

struct cv_restore_disk {
    const char *vdev, *path; /* borrowed */
};

struct cv_restore_options {
    bool paused; /* leave the guest paused */
    struct cv_mem_options mem;
    int64_t emulator_timeout_ms; /* an emulator's time to start, or to load its state; 0 = 60 s */
    int64_t stall_ms;
    struct cv_cancel *cancel;              /* may be NULL */
    const struct cv_chain_places *parents; /* where the images below an incremental one are; NULL = nowhere */
    bool incremental;                      /* such an image is taken */
    const struct cv_restore_disk *disks;   /* images in the place of those that the layout names */
    unsigned disk_count;
    const char *name;         /* another name for the guest; NULL = its own */
    const char *const *trust; /* more programs that the image may start, NULL-terminated; or NULL */
    bool stays_open;          /* a conversation: the stream's END is not the end of the file */
    /* On the thread that fills: a pass that is not the last is in place, with all of the stream so far. May be NULL. */
    int (*pass_filled)(void *user, uint64_t stream_bytes, struct cv_error *err);
    /* On the caller's thread, beside it: the emulators wait for their states, and xenstore knows them. May be NULL. */
    void (*prepared)(void *user);
    void *user;       /* of both */
    bool handed_over; /* by a migration, which asks itself whether the guest may run here */
    bool late_disks;  /* emulators take their disks when they run, not when they have loaded */
};

struct cv_restore_report {
    int64_t total_ns, verify_ns, domain_ns, fill_ns, emulators_ns, devices_ns, load_ns;
    int64_t down_ns; /* from the last page stored to unpause */
    int64_t emulator_load_ns[CV_DM_MAX];
    struct cv_mem_stats mem;
    uint64_t bytes;
};

struct cv_restore {
    struct cv_guest g;
    const struct cv_restore_options *opt;
    struct cv_sink *sink;
    int fd;                        /* borrowed */
    int64_t start_offset;          /* of the stream in a seekable fd; -1 for a pipe */
    struct cv_reader *reader;      /* coordinator's, but the fill thread's while that runs */
    struct cv_record rec;          /* the one being read; whoever has the reader has this too */
    bool has_pending;              /* rec is the first record of the memory, read with the head and not yet used; or
                                    * the first behind it */
    uint32_t xen_major, xen_minor; /* of the host that the stream comes from */
    bool has_parent;
    struct cv_rec_parent parent;
    char parent_name[CV_PARENT_NAME_MAX];
    struct cv_chain chain; /* the images below this one, found with the head */
    struct cv_fixed fixed; /* open: an image of fixed layout */
    uint64_t pfn_count, max_pages, owned_pages;
    uint64_t changed_target_kib, changed_max_kib; /* of XENSTORE; 0 = as GUEST has them */
    bool changed_vcpus;                           /* XENSTORE has changed g.spec.online_map */
    struct cv_cpu_policy policy;
    bool has_policy;
    struct cv_guest_state state;
    int state_fd[CV_DM_MAX];     /* memfds for the device states, the emulators have them already; -1 = none */
    bool state_taken[CV_DM_MAX]; /* it came, and lies there */
    struct cv_restore_report report;
    uint64_t records;
    int64_t start_ns, filled_ns;
    int64_t read_ns; /* END was read: cv_now_ns */
    /* the fill thread: started in "fill", joined there */
    pthread_t thread;
    bool thread_started;
    struct cv_cancel fill_cancel; /* ours: set when the emulators' start has failed, or the caller cancelled */
    struct cv_error fill_error;
    int fill_rc;
    /* the thread of "load" that imposes Xen's state; it has the host to itself meanwhile */
    struct cv_error impose_error;
    int impose_rc;
};

int cv_restore_init(struct cv_restore *r, struct cv_host *host, int fd, const struct cv_restore_options *opt,
                    struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
void cv_restore_dispose(struct cv_restore *r);

int cv_restore_read_head(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_verify(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_check_host(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_domain(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_domain_undo(void *op, int64_t deadline_ms, struct cv_error *err);
/* fill and what is prepared beside it: neither needs the other. */
int cv_restore_fill_and_prepare(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_fill_and_prepare_undo(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_states(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_impose(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_load(void *op, int64_t deadline_ms, struct cv_error *err);
/* impose and load side by side: neither needs the other, and a guest is waiting. */
int cv_restore_load_and_impose(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_restore_run(void *op, int64_t deadline_ms, struct cv_error *err);

/* The whole.  domid_out, report_out may be NULL. On failure nothing is left. */
int cv_restore_from(struct cv_host *host, int fd, const struct cv_restore_options *opt, struct cv_sink *sink,
                    uint32_t *domid_out, struct cv_restore_report *report_out, struct cv_error *err) CV_CHECKED;

#endif
