/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy save: the table of steps, up to and beyond the commit point. */
#include "save/save.h"

#include <string.h>

#include "base/clock.h"
#include "base/output.h"
#include "save/report.h"
#include "save/write.h"

/* op of the table; save is first, so that its steps take the same pointer. */
struct save_to {
    struct cv_save save;
    const char *path; /* "-": a pipe */
    int fd;
    enum cv_save_after after;
    struct cv_output out;
};

static int open_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct save_to *t = op;

    (void)deadline_ms;
    if (cv_save_read_parent(&t->save, t->fd < 0 ? t->path : NULL, err) < 0)
        return -1;
    if (t->fd < 0) {
        if (cv_output_open(&t->out, t->path, err) < 0)
            return -1;
        if (cv_save_open_stream(&t->save, t->out.fd, true, err) < 0)
            return -1;
        return cv_save_check_space(&t->save, t->out.dir_fd, err);
    }
    return cv_save_open_stream(&t->save, t->fd, false, err);
}

static int open_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    (void)deadline_ms;
    return cv_output_abandon(&((struct save_to *)op)->out, err);
}

/* A guest that is gone has left nothing but this image: it stays. */
static int look_at_guest(struct save_to *t, bool tell, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    int n = cv_save_still(&t->save, &why);

    if (n == 0 && tell)
        cv_log(t->save.sink, CV_LOG_WARN, "%s: the image is whole", why.text);
    return n < 0 ? cv_fail_as(err, &why) : 0;
}

static int durable_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct save_to *t = op;

    (void)deadline_ms;
    /* The sync may take long, and so the look is after it. */
    if (t->fd < 0 && cv_output_sync(&t->out, err) < 0)
        return -1;
    if (look_at_guest(t, true, err) < 0)
        return -1;
    if (t->fd >= 0 || cv_output_commit(&t->out, err) == 0)
        return 0;
    return *t->out.aside ? -1 : cv_context(err, "the guest goes on, and the image is not to be restored any more");
}

/* Whatever has run since its last page was read stays. */
static int end_guest(struct save_to *t, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = &t->save;

    if (look_at_guest(t, false, err) < 0) {
        (void)!cv_save_go_on(s, deadline_ms, NULL);
        return cv_context(err, "the image is complete, but is not to be restored: the guest was not ended");
    }
    if (cv_guest_destroy(&s->g, err) < 0)
        return cv_context(err, "the image is complete, but the guest could not be ended");
    return 0;
}

/* After the commit point: nothing here may lose the guest and its image both. */
static int after_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct save_to *t = op;
    struct cv_save *s = &t->save;
    int rc = 0;

    if (t->after == CV_SAVE_DESTROY)
        return end_guest(t, deadline_ms, err);
    if (t->after == CV_SAVE_LEAVE_PAUSED)
        rc = s->g.host->ops->pause(s->g.host, s->g.domid, err);
    rc |= cv_save_go_on(s, deadline_ms, cv_if_first(err, rc));
    return rc < 0 ? cv_context(err, "the image is complete, but the guest does not go on as asked") : 0;
}

static const struct cv_step steps[] = {
    { "connect", cv_save_connect, cv_save_connect_undo, 60 * 1000, false },
    { "preflight", cv_save_preflight, NULL, 60 * 1000, false },
    { "open", open_run, open_undo, CV_NEVER, false },
    { "head", cv_save_head, NULL, CV_NEVER, false },
    { "track", cv_save_track, cv_save_track_undo, 60 * 1000, false },
    { "passes", cv_save_passes, NULL, CV_NEVER, false },
    { "suspend", cv_save_suspend, cv_save_suspend_undo, CV_NEVER, false },
    { "hold", cv_save_hold, cv_save_hold_undo, CV_NEVER, false },
    { "stop", cv_save_stop, cv_save_stop_undo, 60 * 1000, false },
    { "freeze", cv_save_freeze, NULL, CV_NEVER, false },
    { "last-pages", cv_save_last_pages, NULL, CV_NEVER, false },
    { "states", cv_save_states, cv_save_states_undo, 60 * 1000, false },
    { "tail", cv_save_tail, NULL, CV_NEVER, false },
    { "durable", durable_run, NULL, CV_NEVER, true },
    { "after", after_run, NULL, 30 * 1000, true },
};

int cv_save_to(struct cv_host *host, const char *who, const char *path, int fd, enum cv_save_after after,
               const struct cv_save_options *opt, struct cv_sink *sink, struct cv_save_report *report_out,
               struct cv_error *err)
{
    struct cv_save_options o = *opt;
    struct save_to t = { .path = path, .fd = fd, .after = after, .out = { .fd = -1, .dir_fd = -1 } };
    struct cv_phases p = {
        .steps = steps, .count = sizeof steps / sizeof steps[0], .sink = sink, .cancel = opt->cancel, .who = "save"
    };

    o.keep_disk_locks = after != CV_SAVE_DESTROY;
    int rc = cv_save_init(&t.save, host, who, &o, sink, err);
    if (rc == 0) {
        rc = cv_phases_run(&p, &t, err);
        t.save.report.total_ns = cv_now_ns() - t.save.start_ns;
        if (rc == 0)
            cv_save_tell_report(&t.save);
        if (report_out != NULL)
            *report_out = t.save.report;
    }
    cv_save_states_undo(&t.save, 0, NULL);
    cv_output_abandon(&t.out, NULL);
    cv_save_dispose(&t.save);
    return rc < 0 ? cv_context(err, "save '%s'", who) : 0;
}
