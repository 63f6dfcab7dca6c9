/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving a guest: the operation's state and its steps.  save.c strings them together for files and pipes,
 * migrate/ for another host.  The order of events, and what each leaves behind for its undo:
 *
 *   connect      every emulator answers QMP
 *   preflight    nothing stands against a save; what the guest is now, as against what it was made from, has been asked
 *                and is what the head will say; nothing has been touched yet
 *   head         HOST, GUEST, LAYOUT, DEVICES, VCPUS, MEMORY, CPU_POLICY written
 *   track        (live) dirty log on in Xen and in every emulator, before the first page is read
 *   passes       (live) memory, again and again, while the guest runs
 *   suspend      the guest has suspended
 *   stop         every emulator has stopped, and has the vCPUs and discs that the head says
 *   still        since now its vCPUs must not run; what they have used is noted
 *   freeze       (if asked for) a command runs: copies of disks made now are of the same moment as the memory
 *   states-begin (migration) the device states are asked for while the last pages are on their way
 *   last-pages   what is dirty after the last emulator has stopped; not live: all of memory
 *   states       Xen's state of the guest; every emulator's device state, side by side
 *   tail         TSC_INFO, HVM_CONTEXT, HVM_PARAMS, DEVICE_STATE for each dmid, END written
 */
#ifndef CONVOY_SAVE_SAVE_H
#define CONVOY_SAVE_SAVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/phases.h"
#include "guest/guest.h"
#include "memory/fixed.h"
#include "memory/pipeline.h"
#include "save/hook.h"
#include "save/parent.h"
#include "stream-format/stream.h"

/* How pages lie in the image.  FIXED: each at a place of its own (memory/fixed.h); a file, nothing compressed, no
 * parent. */
enum cv_save_layout { CV_SAVE_STREAM, CV_SAVE_FIXED };
enum cv_save_after { CV_SAVE_DESTROY, CV_SAVE_CONTINUE, CV_SAVE_LEAVE_PAUSED };

/* What a pass left; a decision is a pure function of these. */
struct cv_pass_stats {
    uint32_t pass;                   /* 0 = the one over all of memory */
    uint64_t pages_sent, bytes_sent; /* by this pass */
    uint64_t pages_empty;            /* of them without contents on the wire: zero or absent */
    uint64_t dirty_now;              /* pages dirtied since the pass began */
    int64_t ns;                      /* the pass took */
    int64_t elapsed_ns;              /* since the first pass began */
};
enum cv_pass_verdict { CV_PASS_AGAIN, CV_PASS_STOP_NOW, CV_PASS_GIVE_UP };

struct cv_save_options {
    bool live;
    bool force; /* also where a device may be dead after a restore (guest/blockers.c) */
    enum cv_save_layout layout;
    bool keep_disk_locks;        /* the guest goes on here afterwards (H-5) */
    struct cv_mem_options mem;   /* cancel is taken from below */
    int64_t suspend_timeout_ms;  /* the guest's own time to suspend; 0 = 60 s */
    int64_t emulator_timeout_ms; /* an emulator's time for any one command; 0 = 20 s */
    int64_t stall_ms;            /* no byte taken by the output for so long fails; 0 = 30 s */
    struct cv_cancel *cancel;    /* may be NULL */
    /* live only; NULL = at most 5 passes or less than 50 dirty pages, as libxc */
    int (*decide)(void *user, const struct cv_pass_stats *s, enum cv_pass_verdict *out, struct cv_error *err);
    void *decide_user;
    /* While pages are sent, guest running or not: now and then, on the calling thread.  -1 with err ends the save.
     * last: the guest stands still. */
    int (*between)(void *user, const struct cv_mem_stats *now, bool last, struct cv_error *err);
    void *between_user;
    pid_t transport;    /* live: a process that carries the stream, in the background like us; 0 = none */
    const char *parent; /* an image with hashes of its pages: only what differs is written; NULL = all is */
    const struct cv_chain_places *parents; /* where images below parent are, besides its folder; may be NULL */
    bool page_hashes;          /* write hashes of all pages, so that this image can be a parent; implied by parent */
    const char *at_freeze;     /* a command for /bin/sh, run while guest and emulators stand still; NULL = none */
    int64_t freeze_timeout_ms; /* it may take so long; 0 = 10 s */
};

struct cv_save_report {
    int64_t total_ns, down_ns; /* down: from the suspend request until everything was written */
    int64_t suspend_ns, stop_ns, freeze_ns, last_pages_ns, states_ns, tail_ns;
    int64_t stop_at_ns, last_pages_at_ns, states_at_ns, tail_at_ns; /* when each began, cv_now_ns */
    int64_t emulator_stop_ns[CV_DM_MAX], emulator_state_ns[CV_DM_MAX];
    uint64_t state_bytes[CV_DM_MAX];
    uint32_t passes;
    uint64_t bytes; /* of the stream; of fixed layout without its holes */
    uint64_t guest_pages;
    struct cv_mem_stats mem;
};

struct cv_save {
    struct cv_guest g;
    uint32_t domid; /* g's; stays when the guest has been ended */
    const struct cv_save_options *opt;
    struct cv_sink *sink;
    struct cv_writer *writer;
    struct cv_page_source *source;
    struct cv_saver *saver;
    struct cv_fixed fixed; /* open with CV_SAVE_FIXED: whose places the head has */
    uint64_t pfn_count;
    uint64_t head_max_pages;     /* what the head says that the domain may own */
    char *devices_list;          /* the host's devices_list when the head was written */
    uint64_t *bitmap;            /* pfn_count bits; pages still to be sent */
    uint64_t *sent;              /* pfn_count bits; pages of any pass so far */
    uint64_t pages_searched;     /* the guest's number of pages when it was searched for them */
    uint32_t pass;               /* of the next pass */
    struct cv_guest_state state; /* Xen's, taken in "states" */
    int state_fd[CV_DM_MAX];     /* memory files; -1 = none */
    uint64_t state_size[CV_DM_MAX];
    bool has_parent, has_hashes;
    struct cv_parent parent;
    struct cv_hashes hashes;    /* of what has been written, with that of the images below it */
    struct cv_hook_result hook; /* what the command printed, from "freeze" on */
    int64_t frozen_at;          /* seconds since 1970 when it began */
    struct cv_save_report report;
    uint64_t ran_ns; /* what its vcpus had used in "hold" */
    int64_t down_since_ns;
    int64_t start_ns;
    /* the thread of "states-begin"; it has the emulators to itself until "states" joins it */
    pthread_t states_thread;
    bool states_thread_started;
    int states_rc;
    struct cv_error states_error;
    struct cv_error between_error;
    /* what there is to undo */
    bool xen_log, emulator_log, suspend_asked, held, stop_asked;
    bool in_background;
    bool left_to_monitor; /* the guest stands still, and its monitor is to change that */
};

/* host and guest name; nothing is touched.  CV_E_NOT_FOUND, CV_E_UNSUPPORTED, CV_E_EMULATOR. */
int cv_save_init(struct cv_save *s, struct cv_host *host, const char *who, const struct cv_save_options *opt,
                 struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* fd borrowed; writes the stream header. index: for files. */
int cv_save_open_stream(struct cv_save *s, int fd, bool index, struct cv_error *err) CV_CHECKED;
void cv_save_dispose(struct cv_save *s);

/* Steps for a table; op is the struct cv_save.  See base/phases.h for the contract of undo. */
int cv_save_connect(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_connect_undo(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_preflight(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_head(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_track(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_track_undo(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_passes(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_suspend(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_suspend_undo(void *op, int64_t deadline_ms, struct cv_error *err);
/* Suspended, it is paused before its emulators are stopped, so that nobody's resume lets it run without them. */
int cv_save_hold(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_hold_undo(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_stop(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_stop_undo(void *op, int64_t deadline_ms, struct cv_error *err);
/* opt->at_freeze; nothing without it.  What it has made is its own to take back when it fails. */
int cv_save_freeze(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_last_pages(void *op, int64_t deadline_ms, struct cv_error *err);
/* (migration) The guest still runs: emulators get their state files, so that less is left for the down time. */
int cv_save_prepare_states(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_states_begin(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_states(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_states_undo(void *op, int64_t deadline_ms, struct cv_error *err);
int cv_save_tail(void *op, int64_t deadline_ms, struct cv_error *err);
/* For the commit point, one hypercall: 1: it has stood suspended since "hold".  0: it is gone, or has ended by itself.
 * -1: somebody has let it run, so that the image is of no moment, or nobody knows (CV_E_INTERNAL).  err in both cases.
 */
int cv_save_still(struct cv_save *s, struct cv_error *err) CV_CHECKED;
/* The guest goes on: emulators first, then the domain (H-4). */
int cv_save_go_on(struct cv_save *s, int64_t deadline_ms, struct cv_error *err);

/* The whole: to a file (written aside, synced, renamed: an older one of that name stays until then) or, path "-",
 * to fd (borrowed).  The commit point is the durable file (the last byte taken by a pipe).
 * after: what becomes of the guest.  report_out may be NULL; filled also on failure. */
int cv_save_to(struct cv_host *host, const char *who, const char *path, int fd, enum cv_save_after after,
               const struct cv_save_options *opt, struct cv_sink *sink, struct cv_save_report *report_out,
               struct cv_error *err) CV_CHECKED;

/* Disks only, no memory: the guest suspends, all emulators stop, opt->at_freeze runs, everything goes on.
 * output_out: what the command printed, also on failure (cv_buf_dispose). */
int cv_save_quiesce(struct cv_host *host, const char *who, const struct cv_save_options *opt, struct cv_sink *sink,
                    struct cv_save_report *report_out, struct cv_buf *output_out, struct cv_error *err) CV_CHECKED;

#endif
