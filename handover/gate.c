/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover/gate.h"

#include <string.h>
#include <time.h>

#include "handover/journal.h"

struct look {
    enum cv_gate_verb verb;
    const struct cv_gate_domain *d;
    uint8_t boot[16];
    struct cv_journal_record against, newest;
    bool refused, any;
    struct cv_error damaged;
};

/* The record is about this very domain; or its domain is of an earlier boot, or not made yet: then about the guest. */
static bool about(const struct look *l, const struct cv_journal_record *rec)
{
    if (l->verb == CV_GATE_NEW || l->verb == CV_GATE_RESTART || memcmp(rec->boot, l->boot, sizeof l->boot) != 0)
        return true;
    return rec->domid == l->d->domid;
}

/* Of a record that is not settled. */
static bool forbids(const struct look *l, const struct cv_journal_record *rec)
{
    bool source = rec->role == CV_ROLE_SOURCE, suspended = l->d->shutdown;

    switch (l->verb) {
    case CV_GATE_NEW: return true;
    /* It is ours by decision, and whoever restarts it saw it run and end. */
    case CV_GATE_RESTART: return source ? rec->state != CV_J_ABORTED : rec->state != CV_J_RUNNING;
    /* A source's guest runs while its pages flow, and may be paused and go on. */
    case CV_GATE_GO_ON: return !source || suspended || (rec->state != CV_J_OPEN && rec->state != CV_J_ABORTED);
    case CV_GATE_HOLD: return !source || (rec->state != CV_J_OPEN && rec->state != CV_J_ABORTED);
    }
    return true;
}

static int see(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    struct look *l = user;

    if (why != NULL) {
        l->damaged = *why;
        return 0;
    }
    if (memcmp(rec->guest, l->d->uuid, sizeof rec->guest) != 0 || rec->state == CV_J_NEVER)
        return 0;
    if (!l->any || rec->updated > l->newest.updated ||
        (rec->updated == l->newest.updated && rec->role == CV_ROLE_DESTINATION))
        l->newest = *rec;
    l->any = true;
    if (cv_journal_settled(rec->state) || !about(l, rec) || !forbids(l, rec))
        return 0;
    l->against = *rec;
    l->refused = true;
    return 0;
}

static int refuse(const struct look *l, struct cv_error *err)
{
    const struct cv_journal_record *r = &l->against;
    char id[CV_ID_TEXT];

    cv_id_format(r->migration, id);
    if (r->role == CV_ROLE_DESTINATION && r->state != CV_J_RUNNING)
        return cv_fail(
            err, CV_E_BUSY, 0,
            "migration %s brings '%s' here from %s, which has it until that is over: wait, or convoy recover", id,
            r->name, r->peer);
    return cv_fail(err, CV_E_BUSY, 0, "migration %s of '%s' is still %s here: convoy recover first", id, r->name,
                   cv_journal_state_name(r->state));
}

static void warn(const struct look *l, struct cv_sink *sink)
{
    const struct cv_journal_record *r = &l->newest;
    time_t at = (time_t)r->updated;
    char when[32] = "";
    struct tm tm;

    if (l->verb != CV_GATE_NEW || !l->any || r->role != CV_ROLE_SOURCE || r->state != CV_J_TAKEN_SETTLED)
        return;
    if (localtime_r(&at, &tm) != NULL)
        strftime(when, sizeof when, "%F %T", &tm);
    cv_log(sink, CV_LOG_WARN, "'%s' was handed over to %s (%s): it must not run there as well", r->name,
           r->peer[0] ? r->peer : "another host", when);
}

/* One that has run here, and does not stand still for a migration, is no copy: a stranger's record says nothing. */
static bool ran_here(const struct cv_gate_question *q)
{
    const struct cv_gate_domain *d = &q->subject;

    return q->verb == CV_GATE_HOLD || (q->verb == CV_GATE_GO_ON && d->cpu_time_ns != 0 && !d->shutdown);
}

static int ask_journals(const char *store, const struct cv_gate_question *q, struct cv_sink *sink, struct cv_error *err)
{
    struct look l = { .verb = q->verb, .d = &q->subject };

    if (cv_journal_boot_id(l.boot, err) < 0 || cv_journal_store_check(store, err) < 0 ||
        cv_journal_list(store, see, &l, err) < 0)
        return -1;
    if (l.refused)
        return refuse(&l, err);
    if (l.damaged.code != CV_OK && !ran_here(q)) {
        cv_fail_as(err, &l.damaged);
        return cv_context(err, "a damaged record in %s may be this guest's: look where it runs, then remove the record",
                          store);
    }
    warn(&l, sink);
    return 0;
}

void cv_gate_see(struct cv_gate_question *q, const struct cv_gate_domain *d)
{
    if (q->verb == CV_GATE_HOLD || q->twice || d->dying || d->domid == q->subject.domid ||
        memcmp(d->uuid, q->subject.uuid, sizeof d->uuid) != 0)
        return;
    /* One that has never run is the copy of a migration to this host: it does not count for who goes on. */
    if (q->verb == CV_GATE_GO_ON && d->paused && d->cpu_time_ns == 0)
        return;
    q->other = *d;
    q->twice = true;
}

int cv_gate_answer(const struct cv_gate *gate, const struct cv_gate_question *q, struct cv_sink *sink,
                   struct cv_error *err)
{
    /* The journals first: they know more of a migration's copy than that there are two. */
    if (gate != NULL && gate->store != NULL && ask_journals(gate->store, q, sink, err) < 0)
        return -1;
    if (!q->twice)
        return 0;
    return cv_fail(err, CV_E_BUSY, 0,
                   "domain %u '%s' has the same uuid: one guest must not run twice (end one of them, or give this one "
                   "another uuid)",
                   q->other.domid, q->other.name);
}
