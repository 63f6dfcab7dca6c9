/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens while memory is on its way: when to stop, how fast to send, and whether anybody still listens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "guest/devices.h"
#include "migrate/source_internal.h"

#define LOOK_MS 50
#define NAP_MS 20
/* Messages at one look: memory is what is to be sent. */
#define HEARD_MAX 64
/* A destination that is silent is lost, which the silence limit finds.  One that beats and beats is slow: it starts
 * emulators and runs hotplug scripts one after the other, each with a limit of its own there. The guest runs meanwhile;
 * it is not stopped for somebody who is not ready for it. */
#define ARRIVAL_MS (15 * 60000)

/* The destination may have given up: better heard now than at the end of a full pipe. */
static int listen_in(struct cv_source *s, struct cv_error *err)
{
    struct cv_msg m;
    int rc;

    if (!s->chan_open || cv_now_ms() - s->looked_ms < LOOK_MS)
        return 0;
    s->looked_ms = cv_now_ms();
    for (int heard = 0; heard < HEARD_MAX; heard++) {
        rc = cv_chan_poll(&s->chan, &m, err);
        if (rc <= 0)
            return rc;
        bool goes_on = m.type == CV_MSG_PROGRESS;
        if (m.type == CV_MSG_FAILED)
            s->heard = CV_EV_NO;
        if (!goes_on)
            cv_chan_refused(&m, err);
        cv_msg_dispose(&m);
        if (!goes_on)
            return -1;
    }
    return 0;
}

/* Sleeps until the passes' bytes are within the limit.  The last pages know no limit: a guest waits for them. */
static int pace(struct cv_source *s, const struct cv_mem_stats *now, struct cv_error *err)
{
    uint64_t limit = s->opt->limits.bandwidth_bytes_s;

    if (limit == 0)
        return 0;
    for (;;) {
        int64_t due_ns = (int64_t)((double)now->bytes_out * 1e9 / (double)limit), spent = cv_now_ns() - s->moved_ns;
        struct cv_error late;
        if (spent >= due_ns)
            return 0;
        int64_t nap = (due_ns - spent) / 1000000;
        /* Ends by its time, or because of cancel. */
        if (cv_poll_one(-1, 0, cv_after_ms(nap > NAP_MS ? NAP_MS : nap + 1), s->opt->cancel, &late) < 0 &&
            late.code == CV_E_CANCELLED)
            return cv_fail(err, CV_E_CANCELLED, 0, "cancelled");
        if (listen_in(s, err) < 0)
            return -1;
    }
}

static int between(void *user, const struct cv_mem_stats *now, bool last, struct cv_error *err)
{
    struct cv_source *s = user;

    if (listen_in(s, err) < 0)
        return -1;
    return last ? 0 : pace(s, now, err);
}

static void throttle(struct cv_source *s, unsigned percent)
{
    struct cv_host *h = s->save.g.host;
    struct cv_error e = CV_ERROR_INIT;
    unsigned before = 0;

    if (h->ops->sched_cap(h, s->save.domid, percent * s->save.g.spec.vcpus_online, &before, &e) < 0) {
        /* The policy will find that it does not help. */
        cv_log(s->sink, CV_LOG_WARN, "the guest cannot be slowed down: %s", e.text);
    } else {
        if (!s->capped)
            s->cap_before = before;
        s->capped = true;
    }
    s->cap = percent;
}

void cv_source_uncap(struct cv_source *s)
{
    struct cv_host *h = s->save.g.host;
    struct cv_error e = CV_ERROR_INIT;

    if (s->capped && h->ops->sched_cap(h, s->save.domid, s->cap_before, NULL, &e) < 0)
        cv_log(s->sink, CV_LOG_WARN, "the guest stays slowed down: %s", e.text);
    s->capped = false;
}

/* Until the destination has all of the pass.  What ssh and sockets still hold when the guest stops would be waited for
 * by the guest, and a pass that is only on its way says nothing about the link. */
static int await_arrival(struct cv_source *s, struct cv_error *err)
{
    uint64_t written = cv_writer_bytes(s->save.writer), arrived = 0;
    int64_t deadline = cv_after_ms(ARRIVAL_MS);

    while (arrived < written) {
        struct cv_error why = CV_ERROR_INIT;
        struct cv_msg m;
        if (cv_chan_recv(&s->chan, &m, deadline, s->opt->cancel, &why) < 0) {
            cv_fail_as(err, &why);
            return why.code == CV_E_TIMEOUT ? cv_context(err, "the destination's emulators and devices") : -1;
        }
        bool failed = m.type != CV_MSG_PROGRESS;
        if (m.type == CV_MSG_FAILED)
            s->heard = CV_EV_NO;
        if (failed)
            cv_chan_refused(&m, err);
        else
            arrived = m.progress.bytes;
        cv_msg_dispose(&m);
        if (failed)
            return -1;
    }
    return 0;
}

static void note_pass(struct cv_source *s, const struct cv_pass_stats *p)
{
    struct cv_pass pass = {
        .pages = p->pages_sent, .zero_pages = p->pages_empty, .bytes = p->bytes_sent, .ns = p->ns, .dirty = p->dirty_now
    };

    if (s->pass_count == CV_TL_PASSES) {
        memmove(s->passes, s->passes + 1, (CV_TL_PASSES - 1) * sizeof s->passes[0]);
        s->pass_count--;
    }
    s->passes[s->pass_count++] = pass;
    cv_tl_add_pass(&s->result->timeline, &pass, cv_now_ns() - p->ns - s->save.start_ns, s->cap);
}

static enum cv_pass_verdict act_on(struct cv_source *s, const struct cv_verdict *v)
{
    cv_event(
        s->sink,
        "{\"event\":\"decision\",\"decision\":\"%s\",\"why\":\"%s\",\"expect_down_ms\":%lld,\"expect_left_ms\":%lld,"
        "\"dirty_pages_s\":%.0f,\"send_pages_s\":%.0f}",
        cv_decision_name(v->decision), v->why, (long long)v->expect_down_ms, (long long)v->expect_left_ms,
        v->dirty_pages_s, v->send_pages_s);
    snprintf(s->result->timeline.why_stopped, sizeof s->result->timeline.why_stopped, "%s", v->why);
    switch (v->decision) {
    case CV_THROTTLE: throttle(s, v->cap_percent); return CV_PASS_AGAIN;
    case CV_STOP: return CV_PASS_STOP_NOW;
    case CV_GIVE_UP: return CV_PASS_GIVE_UP;
    default: return CV_PASS_AGAIN;
    }
}

static int decide(void *user, const struct cv_pass_stats *stats, enum cv_pass_verdict *out, struct cv_error *err)
{
    struct cv_source *s = user;
    struct cv_pass_stats p = *stats;
    struct cv_verdict v;
    int64_t begin = cv_now_ns();

    if (await_arrival(s, err) < 0)
        return -1;
    p.ns += cv_now_ns() - begin;
    p.elapsed_ns += cv_now_ns() - begin;
    note_pass(s, &p);
    cv_policy_decide(&s->opt->limits, s->passes, s->pass_count, p.elapsed_ns / 1000000, s->cap, &v);
    *out = act_on(s, &v);
    return 0;
}

void cv_source_passes_init(struct cv_source *s)
{
    s->cap = 100;
    s->save_opt.decide = decide;
    s->save_opt.decide_user = s;
    s->save_opt.between = between;
    s->save_opt.between_user = s;
}

/* Only to be early: what fails here is done, and reported, when the emulator stops, or when the disk settles. */
static void flush_early(struct cv_source *s, const char *path)
{
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0 && fdatasync(fd) < 0)
        cv_log(s->sink, CV_LOG_DEBUG, "flush %s: %s", path, strerror(errno));
}

static int flush_pv_disk(void *user, const struct cv_pv_disk *d, struct cv_error *err)
{
    (void)err;
    if (!d->readonly && !d->elsewhere)
        flush_early(user, d->path);
    return 0;
}

int cv_source_flush_disks(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;
    const struct cv_layout *l = &s->save.g.layout;

    (void)deadline_ms;
    for (unsigned i = 0; s->opt->live && i < l->count; i++)
        for (unsigned k = 0; k < l->dms[i].device_count; k++) {
            const struct cv_layout_device *dev = &l->dms[i].devices[k];
            if (dev->kind != CV_DEV_DISK || dev->readonly || dev->path == NULL || *dev->path == '\0')
                continue;
            flush_early(s, dev->path);
        }
    return s->opt->live ? cv_devices_walk(s->save.g.devices, flush_pv_disk, NULL, s, err) : 0;
}
