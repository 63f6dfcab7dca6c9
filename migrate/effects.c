/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/effects.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "emulators/paths.h"
#include "guest/sweep.h"

#define AGAIN_MS 200

void cv_incoming_name(const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "%.100s" CV_INCOMING, name);
}

/* ---- the source's guest goes on ---------------------------------------------------------------------------------- */

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
        int rc = cv_emuset_cont(&g->set, &w, NULL, err);
        if (rc == 0 || cv_now_ms() + AGAIN_MS >= deadline_ms)
            return rc;
        cv_log(g->sink, CV_LOG_DEBUG, "%s: again", err->text);
        usleep(AGAIN_MS * 1000);
    }
}

int cv_effect_go_on(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    cv_emu_status status[CV_DM_MAX];
    struct cv_emu_results r;

    if (cv_emuset_status(&g->set, &w, status, &r, err) < 0) {
        cv_log(g->sink, CV_LOG_DEBUG, "%s", err->text);
        reconnect(g, &r, deadline_ms);
    }
    w.mask = living(g, &r);
    if (g->host->ops->dirty_log(g->host, g->domid, false, err) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", err->text);
    if (w.mask != 0 && cv_emuset_dirty_log(&g->set, false, &w, NULL, err) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", err->text);
    if (w.mask != 0 && cv_emuset_unprepare_save(&g->set, &w, err) < 0)
        cv_log(g->sink, CV_LOG_WARN, "%s", err->text);
    if (w.mask != 0 && take_disks_and_run(g, w.mask, deadline_ms, err) < 0)
        return -1;
    return g->host->ops->resume(g->host, g->domid, err);
}

/* ---- the destination's guest runs -------------------------------------------------------------------------------- */

static unsigned with_network(const struct cv_layout *l)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < l->count; i++)
        for (unsigned k = 0; k < l->dms[i].device_count; k++)
            if (l->dms[i].devices[k].kind == CV_DEV_VIF && l->dms[i].role != CV_DM_ATTACHED)
                mask |= 1u << i;
    return mask;
}

int cv_effect_run(struct cv_guest *g, const char *name, int64_t deadline_ms, int64_t *run_ns_out, struct cv_error *err)
{
    int64_t begin = cv_now_ns();
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    struct cv_error e = CV_ERROR_INIT;

    if (cv_emuset_cont(&g->set, &w, NULL, err) < 0 || g->host->ops->unpause(g->host, g->domid, err) < 0)
        return -1;
    if (run_ns_out != NULL)
        *run_ns_out = cv_now_ns() - begin;
    /* It runs: from here on nothing is a reason to say otherwise. */
    w.mask = with_network(&g->layout);
    if (w.mask != 0 && cv_emuset_announce(&g->set, &w, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "the network was not told of the guest's new place: %s", e.text);
    if (g->host->ops->rename(g->host, g->domid, name, &e) < 0 && g->host->ops->rename(g->host, g->domid, name, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "the guest has not got its name: %s", e.text);
    snprintf(g->spec.name, sizeof g->spec.name, "%s", name);
    return 0;
}

/* ---- from a record ----------------------------------------------------------------------------------------------- */

struct candidate {
    const struct cv_journal_record *rec;
    char incoming[CV_NAME_MAX];
    struct cv_domain_info found;
    bool any;
};

/* A receiver may have died before it wrote its domain's number down: a guest of this uuid that has no name yet, or its
 * incoming one, is what it began. */
static int match(void *user, const struct cv_domain_info *d)
{
    struct candidate *c = user;

    if (d->dying || memcmp(d->uuid, c->rec->guest, sizeof d->uuid) != 0)
        return 0;
    bool mine = c->rec->domid != 0 ? d->domid == c->rec->domid
                                   : c->rec->role == CV_ROLE_DESTINATION &&
                                         (d->name[0] == '\0' || strcmp(d->name, c->incoming) == 0);
    if (!mine)
        return 0;
    c->found = *d;
    c->any = true;
    return 1;
}

/* 1 found, 0 there is none, -1. */
static int find(struct cv_effects *e, const struct cv_journal_record *rec, struct cv_domain_info *out, struct cv_error *err)
{
    struct candidate c = { .rec = rec };

    cv_incoming_name(rec->name, c.incoming, sizeof c.incoming);
    if (e->host->ops->list(e->host, match, &c, err) < 0)
        return -1;
    *out = c.found;
    return c.any;
}

static int open_guest(struct cv_effects *e, uint32_t domid, struct cv_guest *g, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    char who[16];

    snprintf(who, sizeof who, "%u", domid);
    if (cv_guest_open_to_end(g, e->host, who, e->sink, err) < 0)
        return -1;
    struct cv_emu_results r;
    if (cv_emuset_connect(&g->set, &w, &r, err) == 0)
        return 0;
    for (unsigned i = 0; i < g->set.count; i++)
        if (r.emu[i].state != CV_EMU_DONE && !is_dead(g, &r, i)) {
            cv_guest_dispose(g);
            return -1;
        }
    return 0;
}

static void remove_state_files(struct cv_effects *e, uint32_t domid)
{
    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        char path[200];
        unlink(cv_path_state(e->host->dirs->lib, domid, i, path, sizeof path));
    }
}

static enum cv_effect do_resume(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d;
    struct cv_guest g;
    int n = find(e, rec, &d, err);

    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    if (open_guest(e, d.domid, &g, deadline_ms, err) < 0)
        return CV_EFFECT_FAILED;
    int rc = cv_effect_go_on(&g, deadline_ms, err);
    cv_guest_dispose(&g);
    remove_state_files(e, d.domid);
    return rc < 0 ? CV_EFFECT_FAILED : CV_EFFECT_DONE;
}

static enum cv_effect do_run(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d;
    struct cv_guest g;
    int n = find(e, rec, &d, err);

    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    e->ran = true;
    e->domid = d.domid;
    if (!d.paused && strcmp(d.name, rec->name) == 0)
        return CV_EFFECT_DONE;
    if (open_guest(e, d.domid, &g, deadline_ms, err) < 0)
        return CV_EFFECT_FAILED;
    int rc = cv_effect_run(&g, rec->name, deadline_ms, NULL, err);
    cv_guest_dispose(&g);
    return rc < 0 ? CV_EFFECT_FAILED : CV_EFFECT_DONE;
}

static enum cv_effect do_destroy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d;
    int n = find(e, rec, &d, err);

    (void)deadline_ms;
    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    bool still = d.paused || (d.shutdown && d.shutdown_reason == CV_SHUTDOWN_SUSPEND);
    if (!still) {
        cv_fail(err, CV_E_INTERNAL, 0, "domain %u '%s' runs, and is to be destroyed: left alone", d.domid, d.name);
        return CV_EFFECT_FAILED;
    }
    if (cv_guest_sweep(e->host, d.domid, err) < 0 || e->host->ops->destroy(e->host, d.domid, err) < 0)
        return CV_EFFECT_FAILED;
    remove_state_files(e, d.domid);
    return CV_EFFECT_DONE;
}

struct cv_guest_ports cv_effects_ports(struct cv_effects *e)
{
    return (struct cv_guest_ports){ .user = e, .resume = do_resume, .run = do_run, .destroy = do_destroy };
}
