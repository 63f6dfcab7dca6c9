/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that touch the guest and its emulators, and what takes each back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/priority.h"
#include "emulators/state_memory.h"
#include "guest/blockers.h"
#include "save/write.h"

#define SUSPEND_TIMEOUT_MS 60000
#define PROBE_TIMEOUT_MS 1000
#define EMULATOR_TIMEOUT_MS 20000
#define STALL_MS 30000

/* The step's deadline, or the time that an emulator may take for one command, whichever comes first. */
static int64_t command_deadline(const struct cv_save *s, int64_t deadline_ms)
{
    int64_t own = cv_after_ms(s->opt->emulator_timeout_ms ? s->opt->emulator_timeout_ms : EMULATOR_TIMEOUT_MS);
    return own < deadline_ms ? own : deadline_ms;
}

static struct cv_emu_wait waiting(const struct cv_save *s, int64_t deadline_ms)
{
    return (struct cv_emu_wait){ .deadline_ms = command_deadline(s, deadline_ms), .cancel = s->opt->cancel };
}

/* Undo is not cancelled. */
static struct cv_emu_wait undoing(const struct cv_save *s, int64_t deadline_ms)
{
    return (struct cv_emu_wait){ .deadline_ms = command_deadline(s, deadline_ms) };
}

int cv_save_init(struct cv_save *s, struct cv_host *host, const char *who, const struct cv_save_options *opt,
                 struct cv_sink *sink, struct cv_error *err)
{
    memset(s, 0, sizeof *s);
    s->opt = opt;
    s->sink = sink;
    s->start_ns = cv_now_ns();
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        s->state_fd[i] = -1;
    if (cv_guest_open(&s->g, host, who, sink, err) < 0)
        return -1;
    s->domid = s->g.domid;
    return 0;
}

int cv_save_open_stream(struct cv_save *s, int fd, bool index, struct cv_error *err)
{
    int64_t stall = s->opt->stall_ms ? s->opt->stall_ms : STALL_MS; /* the guest may be standing still meanwhile */
    struct cv_writer_options wo = { .stall_ms = stall, .cancel = s->opt->cancel, .index = index };
    struct cv_mem_options mem = s->opt->mem;

    mem.cancel = s->opt->cancel;
    s->has_hashes = s->has_parent || s->opt->page_hashes || s->opt->layout == CV_SAVE_FIXED;
    if (s->opt->layout == CV_SAVE_FIXED) {
        if (s->has_parent || mem.codec != CV_CODEC_NONE)
            return cv_fail(err, CV_E_INVALID, 0,
                           "an image of fixed layout has no parent, and nothing is compressed in it");
        if (cv_save_find_places(s, err) < 0)
            return -1;
        wo.required_features |= CV_FEATURE_FIXED_OFFSETS;
        wo.area_pages = s->fixed.area_pages;
        mem.fixed = &s->fixed;
    }
    if (s->has_parent)
        wo.required_features |= CV_FEATURE_INCREMENTAL;
    if (s->has_hashes) {
        wo.optional_features |= CV_OPTIONAL_PAGE_HASHES;
        mem.hashes = &s->hashes; /* empty until "head" */
    }
    if (cv_writer_new(&s->writer, fd, &wo, err) < 0 ||
        (mem.fixed != NULL && cv_fixed_open_write(&s->fixed, fd, err) < 0) ||
        s->g.host->ops->page_source(s->g.host, s->g.domid, &s->source, err) < 0)
        return -1;
    return cv_saver_new(&s->saver, s->source, s->writer, &mem, err);
}

/* While the guest runs its emulators go first; once it stands still, nothing does but us. */
static void background(struct cv_save *s, bool on)
{
    if (s->in_background == on)
        return;
    s->in_background = on;
    cv_nice(0, on ? CV_NICE_BACKGROUND : CV_NICE_NORMAL);
    if (s->opt->transport > 0)
        cv_nice(s->opt->transport, on ? CV_NICE_BACKGROUND : CV_NICE_NORMAL);
}

void cv_save_dispose(struct cv_save *s)
{
    background(s, false);
    cv_saver_free(s->saver);
    if (s->source != NULL)
        s->g.host->ops->page_source_free(s->g.host, s->source);
    cv_writer_free(s->writer);
    cv_fixed_dispose(&s->fixed);
    cv_guest_state_dispose(&s->state);
    cv_buf_dispose(&s->hook.output);
    cv_parent_dispose(&s->parent);
    cv_hashes_dispose(&s->hashes);
    free(s->devices_list);
    free(s->bitmap);
    free(s->sent);
    cv_guest_dispose(&s->g);
    s->saver = NULL;
    s->source = NULL;
    s->devices_list = NULL;
    s->writer = NULL;
    s->bitmap = NULL;
    s->sent = NULL;
}

/* Every emulator answers, and is at work. */
static int all_run(struct cv_save *s, const struct cv_emu_wait *w, struct cv_error *err)
{
    cv_emu_status status[CV_DM_MAX];

    if (cv_emuset_status(&s->g.set, w, status, NULL, err) < 0)
        return -1;
    for (unsigned i = 0; i < s->g.layout.count; i++)
        if (strcmp(status[i], "running") != 0)
            return cv_fail(err, CV_E_EMULATOR, 0, "emulator %u '%s' is not running but '%s'", i,
                           s->g.layout.dms[i].name, status[i]);
    return 0;
}

int cv_save_connect(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);

    return cv_emuset_connect(&s->g.set, &w, NULL, err) < 0 ? -1 : all_run(s, &w, err);
}

int cv_save_connect_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    (void)deadline_ms, (void)err;
    cv_emuset_disconnect(&((struct cv_save *)op)->g.set);
    return 0;
}

int cv_save_preflight(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);
    struct cv_domain_info d;

    if (s->g.host->ops->info(s->g.host, s->g.domid, &d, err) < 0 ||
        cv_guest_may(s->g.host, CV_GATE_HOLD, &d, s->sink, err) < 0)
        return -1;
    return cv_guest_refuse_blocked(&s->g, &w, s->opt->force, err);
}

int cv_save_track(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);

    if (!s->opt->live)
        return 0;
    background(s, true);
    /* An emulator writes to guest memory through its own mappings, which Xen does not see: it has to report them.
     * One that is forgotten here is silent corruption (H-1). */
    s->emulator_log = true;
    if (cv_emuset_dirty_log(&s->g.set, true, &w, NULL, err) < 0)
        return -1;
    s->xen_log = true;
    return s->g.host->ops->dirty_log(s->g.host, s->g.domid, true, err);
}

int cv_save_track_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = undoing(s, deadline_ms);
    int rc = 0;

    background(s, false);
    if (s->xen_log)
        rc |= s->g.host->ops->dirty_log(s->g.host, s->g.domid, false, cv_if_first(err, rc));
    s->xen_log = false;
    if (s->emulator_log)
        rc |= cv_emuset_dirty_log(&s->g.set, false, &w, NULL, cv_if_first(err, rc));
    s->emulator_log = false;
    return rc != 0 ? -1 : 0;
}

/* A guest does not suspend when one of its emulators hangs: if one does, the error names it. */
static int blame_emulators(struct cv_save *s, const struct cv_error *why, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(PROBE_TIMEOUT_MS) };
    struct cv_error e = CV_ERROR_INIT;
    cv_emu_status status[CV_DM_MAX];

    if (why->code != CV_E_TIMEOUT || cv_emuset_status(&s->g.set, &w, status, NULL, &e) == 0)
        return cv_fail_as(err, why);
    return cv_fail(err, CV_E_TIMEOUT, 0, "%s (%s)", why->text, e.text);
}

int cv_save_suspend(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);
    struct cv_error why = CV_ERROR_INIT;
    int64_t limit = s->opt->suspend_timeout_ms ? s->opt->suspend_timeout_ms : SUSPEND_TIMEOUT_MS;

    background(s, false);
    /* A driver that puts a dead device to sleep may wait for it for ever, and the guest with it: every emulator has to
     * answer once more (one that is just being killed still looks alive), or the guest is not even asked. */
    if (all_run(s, &w, err) < 0 || cv_guest_expect_late_suspend(&s->g, false, err) < 0)
        return -1;
    s->down_since_ns = cv_now_ns();
    s->suspend_asked = true;
    if (s->g.host->ops->suspend(s->g.host, s->g.domid, cv_after_ms(limit), s->opt->cancel, &why) < 0)
        return blame_emulators(s, &why, err);
    s->report.suspend_ns = cv_now_ns() - s->down_since_ns;
    return 0;
}

int cv_save_suspend_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms;
    if (!s->suspend_asked || s->left_to_monitor)
        return 0;
    /* Before the look at the domain's state, so that one that suspends in between is not missed. */
    int rc = s->report.suspend_ns == 0 ? cv_guest_expect_late_suspend(&s->g, true, err) : 0;
    rc |= s->g.host->ops->resume(s->g.host, s->g.domid, cv_if_first(err, rc));
    s->suspend_asked = rc != 0;
    return rc != 0 ? -1 : 0;
}

/* The head has told of the PV devices; one that was attached since then would be lost. */
static int same_devices(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_FREE char *now = NULL;

    if (s->devices_list == NULL)
        return 0;
    if (s->g.host->ops->devices_list(s->g.host, s->g.domid, &now, err) < 0)
        return -1;
    if (strcmp(now, s->devices_list) == 0)
        return 0;
    return cv_fail(err, CV_E_BUSY, 0, "a device was attached or detached in the meantime: try again");
}

int cv_save_stop(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);
    struct cv_emu_results r;

    /* After the guest has suspended, before the last dirty bitmap (H-2). */
    s->stop_asked = true;
    s->report.stop_at_ns = cv_now_ns();
    int rc = cv_emuset_stop(&s->g.set, &w, &r, err);
    s->report.stop_ns = r.ns;
    for (unsigned i = 0; i < s->g.layout.count; i++)
        s->report.emulator_stop_ns[i] = r.emu[i].ns;
    /* The head was written when the guest still ran: a disc that was changed since then, a vCPU that was plugged, is
     * not in it.  Now nobody changes anything any more. */
    return rc < 0 || same_devices(s, err) < 0 ? -1 : cv_guest_look_again(&s->g, &w, err);
}

int cv_save_stop_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = undoing(s, deadline_ms);

    if (!s->stop_asked)
        return 0;
    s->stop_asked = false;
    if (cv_emuset_cont(&s->g.set, &w, NULL, err) == 0)
        return 0;
    /* Without those that are dead, and with those whose connection only broke? */
    struct cv_error e = CV_ERROR_INIT;
    w = undoing(s, deadline_ms);
    if (cv_guest_go_on(&s->g, w.deadline_ms, &e) == 0) {
        s->suspend_asked = s->held = false;
        return 0;
    }
    /* What a guest says to an emulator that stands still goes nowhere, writes to disks among it: rather it says
     * nothing. */
    s->left_to_monitor = cv_guest_leave_to_monitor(&s->g, &e) == 0;
    cv_log(s->sink, CV_LOG_ERROR, "%s",
           s->left_to_monitor ? "the guest stands still; its monitor lets it go on when every "
                                "emulator answers"
                              : e.text);
    return -1;
}

static int make_state_places(struct cv_save *s, struct cv_error *err)
{
    if (s->state_fd[0] >= 0)
        return 0; /* prepared */
    for (unsigned i = 0; i < s->g.layout.count; i++)
        if ((s->state_fd[i] = cv_state_memory(i, err)) < 0)
            return -1;
    return 0;
}

static int save_states(struct cv_save *s, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = waiting(s, deadline_ms);
    struct cv_emu_results r;

    s->report.states_at_ns = cv_now_ns();
    int rc = cv_emuset_save_state(&s->g.set, s->state_fd, !s->opt->keep_disk_locks, s->state_size, &w, &r, err);
    s->report.states_ns = cv_now_ns() - s->report.states_at_ns;
    for (unsigned i = 0; i < s->g.layout.count; i++) {
        s->report.emulator_state_ns[i] = r.emu[i].ns;
        s->report.state_bytes[i] = s->state_size[i];
    }
    return rc;
}

#define STATES_MS 60000

static void *states_thread(void *arg)
{
    struct cv_save *s = arg;

    s->states_rc = save_states(s, cv_after_ms(STATES_MS), &s->states_error);
    return NULL;
}

int cv_save_prepare_states(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_emu_wait w = waiting(s, deadline_ms);

    if (make_state_places(s, err) < 0)
        return -1;
    return cv_emuset_prepare_save(&s->g.set, s->state_fd, &w, err);
}

/* Once everything stands still nobody writes to memory any more: device states can be saved while the last pages are
 * sent.  (Were a device to write to memory while it is being saved, QEMU's own migration would lose that as well.) */
int cv_save_states_begin(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms;
    if (make_state_places(s, err) < 0)
        return -1;
    int sys = pthread_create(&s->states_thread, NULL, states_thread, s);
    if (sys != 0)
        return cv_fail(err, CV_E_NOMEM, sys, "start a thread for the device states");
    s->states_thread_started = true;
    return 0;
}

static void join_states(struct cv_save *s)
{
    if (s->states_thread_started)
        pthread_join(s->states_thread, NULL);
    s->states_thread_started = false;
}

int cv_save_states(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    bool begun = s->states_thread_started;

    if (!begun && make_state_places(s, err) < 0)
        return -1;
    if (s->g.host->ops->get_state(s->g.host, s->g.domid, &s->state, err) < 0)
        return -1;
    if (!begun)
        return save_states(s, deadline_ms, err);
    join_states(s);
    return s->states_rc < 0 ? cv_fail_as(err, &s->states_error) : 0;
}

/* Also the clean-up after success: the states are in the stream then. */
int cv_save_states_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms, (void)err;
    join_states(s);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&s->state_fd[i]);
    return 0;
}

int cv_save_go_on(struct cv_save *s, int64_t deadline_ms, struct cv_error *err)
{
    join_states(s); /* nobody else may be talking to the emulators */
    int rc = cv_save_track_undo(s, deadline_ms, err);

    rc |= cv_save_stop_undo(s, deadline_ms, cv_if_first(err, rc));
    rc |= cv_save_hold_undo(s, deadline_ms, cv_if_first(err, rc));
    rc |= cv_save_suspend_undo(s, deadline_ms, cv_if_first(err, rc));
    rc |= cv_save_connect_undo(s, deadline_ms, cv_if_first(err, rc));
    return rc != 0 ? -1 : 0;
}
