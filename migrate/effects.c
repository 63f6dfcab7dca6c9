/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/effects.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "emulators/paths.h"
#include "guest/sweep.h"

void cv_incoming_name(const char *name, char *buf, size_t size) { snprintf(buf, size, "%.100s" CV_INCOMING, name); }

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

void cv_effect_settle_in(struct cv_guest *g, const char *name, int64_t deadline_ms)
{
    struct cv_emu_wait w = { .mask = with_network(&g->layout), .deadline_ms = deadline_ms };
    struct cv_error e = CV_ERROR_INIT;

    if (w.mask != 0 && cv_emuset_announce(&g->set, &w, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "the network was not told of the guest's new place: %s", e.text);
    if (g->host->ops->rename(g->host, g->domid, name, &e) < 0 && g->host->ops->rename(g->host, g->domid, name, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "the guest has not got its name: %s", e.text);
    snprintf(g->spec.name, sizeof g->spec.name, "%s", name);
}

int cv_effect_run(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };

    if (cv_emuset_cont(&g->set, &w, NULL, err) < 0 || g->host->ops->unpause(g->host, g->domid, err) < 0)
        return -1;
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
    bool mine = c->rec->domid != 0
                    ? d->domid == c->rec->domid
                    : c->rec->role == CV_ROLE_DESTINATION && (d->name[0] == '\0' || strcmp(d->name, c->incoming) == 0);
    if (!mine)
        return 0;
    c->found = *d;
    c->any = true;
    return 1;
}

/* 1 found, 0 there is none, -1. */
static int find(struct cv_effects *e, const struct cv_journal_record *rec, struct cv_domain_info *out,
                struct cv_error *err)
{
    struct candidate c = { .rec = rec };

    cv_incoming_name(rec->name, c.incoming, sizeof c.incoming);
    if (e->host->ops->list(e->host, match, &c, err) < 0)
        return -1;
    *out = c.found;
    return c.any;
}

static void remove_state_files(struct cv_effects *e, uint32_t domid)
{
    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        char path[200];
        unlink(cv_path_state(e->host->dirs->lib, domid, i, path, sizeof path));
    }
}

bool cv_effect_ended(const struct cv_domain_info *d)
{
    return d->shutdown && d->shutdown_reason != CV_SHUTDOWN_SUSPEND;
}

static enum cv_effect do_resume(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d;
    struct cv_guest g;
    int n = find(e, rec, &d, err);

    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    if (cv_effect_ended(&d))
        return CV_EFFECT_DONE; /* its monitor does what on_poweroff and the like say */
    if (cv_guest_open_living(&g, e->host, d.domid, deadline_ms, e->sink, err) < 0)
        return CV_EFFECT_FAILED;
    /* Whoever asked it to suspend is gone: it may have taken the request, and may suspend only now. */
    int rc = d.shutdown ? 0 : cv_guest_expect_late_suspend(&g, true, err);
    if (rc == 0)
        rc = cv_guest_go_on(&g, deadline_ms, err);
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
    if (cv_guest_open_living(&g, e->host, d.domid, deadline_ms, e->sink, err) < 0)
        return CV_EFFECT_FAILED;
    int rc = 0;
    /* Xen does not unpause what is not paused: somebody was killed between the guest's first instruction and its name.
     */
    if (d.paused)
        rc = cv_effect_run(&g, deadline_ms, err);
    if (rc == 0)
        cv_effect_settle_in(&g, rec->name, deadline_ms);
    cv_guest_dispose(&g);
    return rc < 0 ? CV_EFFECT_FAILED : CV_EFFECT_DONE;
}

static enum cv_effect do_destroy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                 struct cv_error *err)
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
