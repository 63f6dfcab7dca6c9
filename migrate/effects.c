/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/effects.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

int cv_effect_hold(struct cv_guest *g, struct cv_error *err)
{
    for (unsigned i = 0; i < CV_INCOMING_HELD; i++)
        if (g->host->ops->pause(g->host, g->domid, err) < 0)
            return -1;
    return 0;
}

/* Its creation's pause, ours, and what others have added; fewer, if others have unpaused it.  The last of them fails,
 * since then it runs: that is not a failure. */
#define UNPAUSE_MOST 256u
static unsigned let_go(struct cv_guest *g, struct cv_error *err)
{
    unsigned n = 0;

    while (n < UNPAUSE_MOST && g->host->ops->unpause(g->host, g->domid, err) == 0)
        n++;
    return n;
}

/* What did become of it?  rc: of the emulators; let_go: as above. */
static enum cv_effect look_after(struct cv_guest *g, int rc, unsigned let_go, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info d;

    if (g->host->ops->info(g->host, g->domid, &d, &e) < 0 && e.code != CV_E_NOT_FOUND) {
        cv_fail_as(err, &e);
        return CV_EFFECT_UNSURE;
    }
    if (e.code == CV_E_NOT_FOUND || d.dying || memcmp(d.uuid, g->spec.uuid, sizeof d.uuid) != 0) {
        cv_fail(err, CV_E_NOT_FOUND, 0, "the guest was destroyed here by somebody else");
        return let_go > CV_INCOMING_HELD ? CV_EFFECT_DONE : CV_EFFECT_GONE; /* it ran, and was ended then */
    }
    if (d.paused && d.cpu_time_ns == 0)
        return CV_EFFECT_FAILED;
    if (rc == 0)
        return CV_EFFECT_DONE;
    cv_context(err, "domain %u was let run by somebody else", g->domid);
    return CV_EFFECT_UNSURE;
}

enum cv_effect cv_effect_run(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms };
    int rc = cv_emuset_cont(&g->set, &w, NULL, err);

    return look_after(g, rc, rc == 0 ? let_go(g, err) : 0, err);
}

int cv_effect_handed_over(struct cv_host *host, const struct cv_domain_info *d, struct cv_sink *sink,
                          struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;

    if (d->dying || d->shutdown)
        return 0;
    if (!d->paused && host->ops->pause(host, d->domid, &e) < 0)
        cv_log(sink, CV_LOG_WARN, "%s", e.text);
    return cv_fail(err, CV_E_INTERNAL, 0,
                   "domain %u '%s' was handed over, and then resumed here by somebody else: it is paused now, and left "
                   "alone ('convoy recover --assume running' removes it: the guest runs at the destination)",
                   d->domid, d->name);
}

int cv_effect_never_ran(struct cv_host *host, uint32_t domid, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info d;

    if (host->ops->info(host, domid, &d, &e) < 0) {
        if (e.code == CV_E_NOT_FOUND)
            return 0;
        return cv_fail_as(err, &e);
    }
    if (d.dying)
        return 0;
    /* The source may go on at any moment, and does not ask again: two must not run. */
    if (!d.paused && !cv_effect_ended(&d) &&
        (host->ops->pause(host, domid, err) < 0 || host->ops->info(host, domid, &d, err) < 0))
        return -1;
    if (d.cpu_time_ns == 0)
        return 0;
    cv_log(sink, CV_LOG_WARN, "domain %u '%s' is paused now", domid, d.name);
    return cv_fail(err, CV_E_INTERNAL, 0,
                   "domain %u '%s' was let run by somebody else before it was this host's, and is left alone, paused: "
                   "'convoy destroy' it if the guest at the source is to go on, then 'convoy recover' here",
                   domid, d.name);
}

/* ---- from a record ----------------------------------------------------------------------------------------------- */

struct candidate {
    const struct cv_journal_record *rec;
    uint32_t peer_domid; /* the other end's, when that is this host */
    char incoming[CV_NAME_MAX];
    struct cv_domain_info found, other; /* other: of this uuid, and neither end's of this migration */
    bool any, any_other;
};

/* Half-made by some migration: has never run, and goes away with it. */
static bool is_copy(const struct cv_domain_info *d) { return d->paused && d->cpu_time_ns == 0; }

/* A migration to the same host has both records in one store. */
static uint32_t peer_domid(const char *store, const struct cv_journal_record *rec)
{
    enum cv_journal_role other = rec->role == CV_ROLE_SOURCE ? CV_ROLE_DESTINATION : CV_ROLE_SOURCE;
    struct cv_journal_record r;
    struct cv_error ignored;

    if (store == NULL || cv_journal_read(store, rec->migration, other, &r, &ignored) < 0 ||
        memcmp(r.boot, rec->boot, sizeof r.boot) != 0)
        return 0;
    return r.domid;
}

/* A receiver may have died before it wrote its domain's number down: a guest of this uuid that has no name yet, or its
 * incoming one, is what it began. */
static int match(void *user, const struct cv_domain_info *d)
{
    struct candidate *c = user;

    if (d->dying || memcmp(d->uuid, c->rec->guest, sizeof d->uuid) != 0)
        return 0;
    /* Where the copy is dropped, the source's guest may run, and does while its pages flow. */
    bool dropped = c->rec->role == CV_ROLE_DESTINATION && c->rec->state != CV_J_RUNNING;
    bool peer = d->domid == c->peer_domid && (d->paused || d->shutdown || dropped);
    if (d->domid != c->rec->domid && !peer && !is_copy(d)) {
        c->other = *d;
        c->any_other = true;
    }
    if (c->any)
        return 0;
    bool mine = c->rec->domid != 0
                    ? d->domid == c->rec->domid
                    : c->rec->role == CV_ROLE_DESTINATION && (d->name[0] == '\0' || strcmp(d->name, c->incoming) == 0);
    if (!mine)
        return 0;
    c->found = *d;
    c->any = true;
    return 0;
}

/* 1 found, 0 there is none, -1.  other_out: another living domain of this uuid; its domid is 0 if there is none. */
static int find_domain(struct cv_effects *e, const struct cv_journal_record *rec, struct cv_domain_info *out,
                       struct cv_domain_info *other_out, struct cv_error *err)
{
    struct candidate c = { .rec = rec, .peer_domid = peer_domid(e->store, rec) };

    cv_incoming_name(rec->name, c.incoming, sizeof c.incoming);
    if (e->host->ops->list(e->host, match, &c, err) < 0)
        return -1;
    *out = c.found;
    *other_out = c.other;
    return c.any;
}

static int refuse_beside(const struct cv_domain_info *other, const char *what, struct cv_error *err)
{
    return cv_fail(err, CV_E_BUSY, 0,
                   "domain %u '%s' is this guest, too: %s (look which one is right, 'convoy destroy' the other, then "
                   "'convoy recover')",
                   other->domid, other->name, what);
}

int cv_effect_alone(struct cv_effects *e, const struct cv_journal_record *rec, struct cv_error *err)
{
    struct cv_domain_info d, other;

    if (find_domain(e, rec, &d, &other, err) < 0)
        return -1;
    return other.domid != 0 ? refuse_beside(&other, "the one that stands still does not go on", err) : 0;
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

const char *cv_effect_state_name(const struct cv_domain_info *d)
{
    return d->dying                                                   ? "is being ended"
           : d->shutdown && d->shutdown_reason == CV_SHUTDOWN_SUSPEND ? "stands suspended"
           : d->shutdown                                              ? "has ended"
           : !d->paused                                               ? "runs"
           : d->cpu_time_ns == 0                                      ? "is paused, and has never run"
                                                                      : "is paused, and has run";
}

struct telling {
    const uint8_t *guest;
    char *buf;
    size_t size;
    unsigned count;
};

static int tell_domain(void *user, const struct cv_domain_info *d)
{
    struct telling *t = user;
    size_t at = strlen(t->buf);

    if (memcmp(d->uuid, t->guest, sizeof d->uuid) != 0)
        return 0;
    snprintf(t->buf + at, t->size - at, "%s domain %u '%.100s' %s", t->count++ > 0 ? "," : "", d->domid, d->name,
             cv_effect_state_name(d));
    return 0;
}

static void do_tell(void *user, const uint8_t guest[16], char *buf, size_t size)
{
    struct cv_effects *e = user;
    struct telling t = { .guest = guest, .buf = buf, .size = size };

    buf[0] = '\0';
    if (e->host->ops->list(e->host, tell_domain, &t, NULL) == 0 && t.count == 0)
        snprintf(buf, size, " no domain of this guest");
}

static enum cv_effect do_resume(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d, other;
    struct cv_guest g;
    int n = find_domain(e, rec, &d, &other, err);

    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    if (cv_effect_ended(&d))
        return CV_EFFECT_DONE; /* its monitor does what on_poweroff and the like say */
    if (other.domid != 0) {
        refuse_beside(&other, "the one that stands still does not go on", err);
        return CV_EFFECT_FAILED;
    }
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

static enum cv_effect runs(struct cv_effects *e, const struct cv_domain_info *d, const struct cv_journal_record *rec)
{
    if (e->runs != NULL)
        e->runs(e->user, d->domid, rec->name);
    return CV_EFFECT_DONE;
}

static enum cv_effect do_run(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d, other;
    struct cv_guest g;
    int n = find_domain(e, rec, &d, &other, err);

    /* It ended and was made anew here (its monitor, a save and a restore, somebody by hand): it runs. */
    if (n == 0 && other.domid != 0)
        return CV_EFFECT_DONE;
    if (n <= 0)
        return n < 0 ? CV_EFFECT_FAILED : CV_EFFECT_GONE;
    if (other.domid != 0 && d.cpu_time_ns == 0) {
        refuse_beside(&other, "the copy that came by this migration does not run", err);
        return CV_EFFECT_FAILED;
    }
    /* Under its own name it has settled in; who pauses it since then has a reason. */
    if (d.cpu_time_ns != 0 && strcmp(d.name, rec->name) == 0)
        return runs(e, &d, rec);
    if (cv_guest_open_living(&g, e->host, d.domid, deadline_ms, e->sink, err) < 0)
        return CV_EFFECT_FAILED;
    enum cv_effect done = cv_effect_run(&g, deadline_ms, err);
    if (done == CV_EFFECT_DONE)
        cv_effect_settle_in(&g, rec->name, deadline_ms);
    cv_guest_dispose(&g);
    return done == CV_EFFECT_DONE ? runs(e, &d, rec) : done;
}

/* The source's copy stands suspended since its last page was read; the destination's has never run. */
static int may_go(struct cv_effects *e, const struct cv_journal_record *rec, const struct cv_domain_info *d,
                  struct cv_error *err)
{
    char incoming[CV_NAME_MAX];

    cv_incoming_name(rec->name, incoming, sizeof incoming);
    /* It has got its name, and so was decided: the record is older than what is here. */
    if (rec->role == CV_ROLE_DESTINATION && d->cpu_time_ns != 0 && d->name[0] != '\0' && strcmp(d->name, incoming) != 0)
        return cv_fail(err, CV_E_INTERNAL, 0,
                       "domain %u '%s' has run here, though the record says %s: left alone ('convoy recover --assume "
                       "running' here if it is to stay, 'convoy destroy' if the guest at the source is to go on)",
                       d->domid, d->name, cv_journal_state_name(rec->state));
    if (rec->role == CV_ROLE_DESTINATION)
        return cv_effect_never_ran(e->host, d->domid, e->sink, err);
    return cv_effect_handed_over(e->host, d, e->sink, err);
}

static enum cv_effect do_destroy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                 struct cv_error *err)
{
    struct cv_effects *e = user;
    struct cv_domain_info d, other;
    int n = find_domain(e, rec, &d, &other, err);

    (void)deadline_ms;
    if (n < 0)
        return CV_EFFECT_FAILED;
    /* Nothing is left of our copy is what the source is told, and goes on. */
    if (rec->role == CV_ROLE_DESTINATION && other.domid != 0 && !e->force) {
        refuse_beside(&other, "the source is not told that it is not here", err);
        return CV_EFFECT_FAILED;
    }
    if (n == 0)
        return CV_EFFECT_GONE;
    if (!e->force && may_go(e, rec, &d, err) < 0)
        return CV_EFFECT_FAILED;
    if (cv_guest_sweep(e->host, d.domid, err) < 0 || e->host->ops->destroy(e->host, d.domid, err) < 0)
        return CV_EFFECT_FAILED;
    remove_state_files(e, d.domid);
    return CV_EFFECT_DONE;
}

struct cv_guest_ports cv_effects_ports(struct cv_effects *e)
{
    return (
        struct cv_guest_ports){ .user = e, .resume = do_resume, .run = do_run, .destroy = do_destroy, .tell = do_tell };
}
