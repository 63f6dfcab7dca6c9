/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that was stopped for a save or a migration goes on, whatever of its emulators is left. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/guest.h"

#define AGAIN_MS 200

static bool is_dead(const struct cv_guest *g, const struct cv_emu_results *r, unsigned dmid)
{
    return r->emu[dmid].state == CV_EMU_DIED ||
           (g->set.emus[dmid].pidfd < 0 && g->layout.dms[dmid].role != CV_DM_ATTACHED);
}

/* Bits of the emulators that are alive; the dead are named once. */
static unsigned living(struct cv_guest *g, const struct cv_emu_results *r)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < g->set.count; i++) {
        if (is_dead(g, r, i))
            cv_log(g->sink, CV_LOG_ERROR, "emulator %u '%s': %s: the guest goes on without it", i, g->set.emus[i].name,
                   r->emu[i].err.text);
        else
            mask |= 1u << i;
    }
    return mask;
}

/* What broke may have been a connection only; the emulator behind it is to run on. */
static void reconnect(struct cv_guest *g, const struct cv_emu_results *r, int64_t deadline_ms)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    struct cv_error e = CV_ERROR_INIT;

    for (unsigned i = 0; i < g->set.count; i++)
        if (r->emu[i].state != CV_EMU_DONE && !is_dead(g, r, i))
            w.mask |= 1u << i;
    if (w.mask != 0 && cv_emuset_connect(&g->set, &w, NULL, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", e.text);
}

/* Until the other side's emulators have let go of the images' locks: it has been told, but may not have got there. */
static int take_disks_and_run(struct cv_guest *g, unsigned mask, int64_t deadline_ms, struct cv_error *err)
{
    for (;;) {
        struct cv_emu_wait w = { .mask = mask, .deadline_ms = deadline_ms };
        struct cv_error why = CV_ERROR_INIT;
        if (cv_emuset_cont(&g->set, &w, NULL, &why) == 0)
            return 0;
        if (cv_now_ms() + AGAIN_MS >= deadline_ms)
            return cv_fail_as(err, &why);
        cv_log(g->sink, CV_LOG_DEBUG, "%s: again", why.text);
        usleep(AGAIN_MS * 1000);
    }
}

int cv_guest_go_on(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    cv_emu_status status[CV_DM_MAX];
    struct cv_emu_results r;
    struct cv_error e = CV_ERROR_INIT; /* of what must not keep the guest from going on */

    if (cv_emuset_status(&g->set, &w, status, &r, &e) < 0) {
        cv_log(g->sink, CV_LOG_DEBUG, "%s", e.text);
        reconnect(g, &r, deadline_ms);
    }
    w.mask = living(g, &r);
    if (g->host->ops->dirty_log(g->host, g->domid, false, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", e.text);
    if (w.mask != 0 && cv_emuset_dirty_log(&g->set, false, &w, NULL, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", e.text);
    if (w.mask != 0 && cv_emuset_unprepare_save(&g->set, &w, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", e.text);
    if (w.mask != 0 && take_disks_and_run(g, w.mask, deadline_ms, err) < 0)
        return -1;
    if (g->host->ops->resume(g->host, g->domid, err) < 0)
        return -1;
    return cv_guest_release(g, err);
}

int cv_guest_open_living(struct cv_guest *g, struct cv_host *host, uint32_t domid, int64_t deadline_ms,
                         struct cv_sink *sink, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    struct cv_emu_results r;

    if (cv_guest_open_domain(g, host, domid, sink, err) < 0)
        return -1;
    struct cv_error why = CV_ERROR_INIT;
    if (cv_emuset_connect(&g->set, &w, &r, &why) == 0)
        return 0;
    for (unsigned i = 0; i < g->set.count; i++)
        if (r.emu[i].state != CV_EMU_DONE && !is_dead(g, &r, i)) {
            cv_guest_dispose(g);
            return cv_fail_as(err, &why);
        }
    return 0;
}

int cv_guest_leave_to_monitor(struct cv_guest *g, struct cv_error *err)
{
    char path[96];

    if (g->adopted)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "domain %u is xl's or libvirt's and has no monitor of convoy's: convoy unpause %u lets it go on",
                       g->domid, g->domid);
    snprintf(path, sizeof path, CV_GUEST_GO_ON, g->domid);
    return g->host->ops->xs_write(g->host, path, "1", err);
}

/* ---- unpause ---- */

#define UNPAUSE_MS 30000

static int refuse_ended(const struct cv_domain_info *d, struct cv_error *err)
{
    if (!d->dying && (!d->shutdown || d->shutdown_reason == CV_SHUTDOWN_SUSPEND))
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u has ended%s: it does not go on, and can be destroyed", d->domid,
                   !d->dying && d->shutdown_reason == CV_SHUTDOWN_CRASH ? " (it crashed)" : "");
}

/* Xen does not unpause what is not paused, and says "invalid argument". */
static int take_a_pause_back(struct cv_host *host, const struct cv_domain_info *d, bool *ran_out, struct cv_error *err)
{
    struct cv_domain_info now = *d;
    struct cv_error why = CV_ERROR_INIT;

    if (d->paused && host->ops->unpause(host, d->domid, &why) == 0)
        return 0;
    /* Somebody may have been faster. */
    if (d->paused && host->ops->info(host, d->domid, &now, err) < 0)
        return -1;
    if (now.paused)
        return cv_fail_as(err, &why);
    if (refuse_ended(&now, err) < 0)
        return -1;
    *ran_out = true;
    return 0;
}

int cv_guest_unpause(struct cv_host *host, const struct cv_domain_info *d, bool *ran_out, struct cv_sink *sink,
                     struct cv_error *err)
{
    bool held = false;
    char path[96];
    struct cv_guest g;

    if (cv_guest_may_touch(host, CV_GATE_GO_ON, d, "unpause", sink, err) < 0 || refuse_ended(d, err) < 0 ||
        cv_guest_is_held(host, d->domid, &held, err) < 0)
        return -1;
    if (!d->shutdown && !held)
        return take_a_pause_back(host, d, ran_out, err);
    if (cv_guest_open_living(&g, host, d->domid, cv_after_ms(UNPAUSE_MS), sink, err) < 0)
        return -1;
    int rc = cv_guest_go_on(&g, cv_after_ms(UNPAUSE_MS), err);
    cv_guest_dispose(&g);
    snprintf(path, sizeof path, CV_GUEST_GO_ON, d->domid);
    if (rc == 0)
        rc = host->ops->xs_remove(host, path, err);
    /* Paused by a person, too? */
    struct cv_domain_info now;
    if (rc == 0 && d->paused)
        rc = host->ops->info(host, d->domid, &now, err);
    return rc == 0 && d->paused && now.paused ? host->ops->unpause(host, d->domid, err) : rc;
}
