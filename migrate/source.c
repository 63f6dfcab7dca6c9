/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/sweep.h"
#include "migrate/effects.h"
#include "migrate/source_internal.h"
#include "handover/unsettled.h"
#include "stream-format/stream.h"

#define HELLO_MS 30000
#define OFFER_MS 60000
#define STALL_MS 30000
/* How long to read on after a write has failed: the other side may have said why before it closed the connection. */
#define LAST_WORDS_MS 1000
#define SETTLE_MS 5000

/* ---- prepare ---- */

static int channel_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    if (cv_link_open(&s->link, s->opt->command, err) < 0 ||
        cv_chan_init(&s->chan, s->link.main.in, s->link.main.out, CV_PEER_SOURCE, err) < 0)
        return -1;
    s->chan_open = true;
    if (s->opt->times.silence_ms != 0)
        s->chan.silence_ms = s->opt->times.silence_ms;
    return cv_chan_hello_source(&s->chan, &s->hello, &s->theirs, deadline_ms, s->opt->cancel, err);
}

static int channel_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    (void)deadline_ms, (void)err;
    if (s->chan_open)
        cv_chan_dispose(&s->chan);
    s->chan_open = false;
    cv_link_dispose(&s->link);
    return 0;
}

static int journal_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;
    struct cv_journal_record rec = { .role = CV_ROLE_SOURCE, .state = CV_J_OPEN, .domid = s->save.domid };

    (void)deadline_ms;
    memcpy(rec.migration, s->migration, sizeof rec.migration);
    memcpy(rec.guest, s->save.g.spec.uuid, sizeof rec.guest);
    memcpy(rec.boot, s->boot, sizeof rec.boot);
    memcpy(rec.peer_store, s->theirs.hello.store.b, sizeof rec.peer_store);
    snprintf(rec.name, sizeof rec.name, "%s", s->save.g.spec.name);
    snprintf(rec.peer, sizeof rec.peer, "%s", s->opt->peer);
    if (snprintf(rec.command, sizeof rec.command, "%s", s->opt->command) >= (int)sizeof rec.command)
        return cv_fail(err, CV_E_INVALID, 0, "the command is longer than %zu bytes", sizeof rec.command);
    return cv_unsettled_begin(&s->journal, s->store, &rec, s->sink, err);
}

static int watch_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    (void)deadline_ms;
    return cv_watch_start(&s->watch, s->opt->watcher, s->migration, CV_ROLE_SOURCE, err);
}

static int unsettled_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    (void)deadline_ms;
    if (cv_guest_may_run(&s->save.g, CV_GATE_GO_ON, err) < 0)
        return -1;
    return cv_unsettled_refuse(s->store, s->save.g.spec.uuid, s->migration, err);
}

static const struct cv_step prepare[] = {
    { "unsettled", unsettled_run, NULL, CV_NEVER, false },
    { "connect", cv_save_connect, cv_save_connect_undo, 15 * 1000, false },
    { "preflight", cv_save_preflight, NULL, 15 * 1000, false },
    { "channel", channel_run, channel_undo, HELLO_MS, false },
    /* Before there is a record: no record is without somebody who settles it. */
    { "watch", watch_run, NULL, CV_NEVER, false },
    { "journal", journal_run, NULL, CV_NEVER, true },
};

/* ---- move ---- */

static void tell_notes(struct cv_source *s, const struct cv_msg_accept *accept)
{
    struct cv_strs list = accept->notes;
    const char *text;

    while ((text = cv_strs_next(&list)) != NULL)
        cv_log(s->sink, CV_LOG_WARN, "%s: %s", s->opt->peer, text);
}

static int offer_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;
    struct cv_msg m;

    if (cv_offer_make(&s->offer, &s->save.g, s->opt->live, err) < 0 ||
        cv_chan_send(&s->chan, &s->offer.msg, deadline_ms, s->opt->cancel, err) < 0 ||
        cv_chan_recv(&s->chan, &m, deadline_ms, s->opt->cancel, err) < 0)
        return -1;
    int rc = 0;
    if (m.type == CV_MSG_ACCEPT)
        tell_notes(s, &m.accept);
    else
        rc = cv_chan_refused(&m, err);
    cv_msg_dispose(&m);
    return rc;
}

static int open_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;
    int fd;

    (void)deadline_ms;
    s->moved_ns = cv_now_ns();
    s->save_opt.transport = s->link.main.pid;
    /* Its first use costs: not while the guest stands still. */
    if (s->save.g.host->ops->watch_fd(s->save.g.host, &fd, err) < 0)
        return -1;
    return cv_save_open_stream(&s->save, s->link.main.out, false, err);
}

/* What can be written down before it is true is; the rest is one rename. */
static int ready_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    if (cv_source_flush_disks(op, deadline_ms, err) < 0 || cv_save_prepare_states(op, deadline_ms, err) < 0)
        return -1;
    return cv_journal_prepare(&s->journal, CV_J_COMMITTING, err);
}

/* Its PV disks are the other host's from the moment when the guest runs there. */
static int settle_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = &((struct cv_source *)op)->save;

    return s->g.host->ops->devices_settle(s->g.host, s->g.domid, deadline_ms, err);
}

static int ended_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = op;

    (void)deadline_ms, (void)err;
    cv_chan_stream_ended(&s->chan);
    return 0;
}

/* Without undo: see source.h. */
static const struct cv_step move[] = {
    { "offer", offer_run, NULL, OFFER_MS, false },
    { "open", open_run, NULL, CV_NEVER, false },
    { "head", cv_save_head, NULL, CV_NEVER, false },
    { "track", cv_save_track, NULL, 15 * 1000, false },
    { "passes", cv_save_passes, NULL, CV_NEVER, false },
    { "ready", ready_run, NULL, 20 * 1000, false },
    { "suspend", cv_save_suspend, NULL, CV_NEVER, false },
    { "hold", cv_save_hold, NULL, CV_NEVER, false },
    { "stop", cv_save_stop, NULL, 20 * 1000, false },
    { "states-begin", cv_save_states_begin, NULL, CV_NEVER, false },
    { "last-pages", cv_save_last_pages, NULL, CV_NEVER, false },
    { "states", cv_save_states, NULL, 60 * 1000, false },
    { "settle", settle_run, NULL, SETTLE_MS, false },
    { "tail", cv_save_tail, NULL, CV_NEVER, false },
    { "ended", ended_run, NULL, CV_NEVER, false },
};

/* When the channel broke, the other side may have sent FAILED, with its reason, before it closed: then that is the
 * error. */
static void hear_last_words(struct cv_source *s, struct cv_error *why)
{
    struct cv_error said = CV_ERROR_INIT;
    struct cv_msg m;

    if (s->heard != CV_EV_COUNT || (why->code != CV_E_IO && why->code != CV_E_PEER))
        return;
    int64_t until = cv_after_ms(LAST_WORDS_MS);
    while (cv_chan_recv(&s->chan, &m, until, NULL, &said) == 0) {
        bool failed = m.type == CV_MSG_FAILED;
        if (failed) {
            cv_chan_refused(&m, why);
            s->heard = CV_EV_NO;
        }
        cv_msg_dispose(&m);
        if (failed)
            return;
    }
}

static enum cv_ho_event event_of(struct cv_source *s, const struct cv_error *why)
{
    if (s->heard != CV_EV_COUNT)
        return s->heard;
    return why->code == CV_E_PEER ? CV_EV_LOST : CV_EV_TROUBLE;
}

/* ---- effects ---- */

/* 1: the domain is there, and has not ended by itself. 0: it has; its monitor does what is to be done. -1 */
static int still_there(struct cv_source *s, bool *gone_out, struct cv_error *err)
{
    struct cv_host *h = s->save.g.host;
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info d;

    *gone_out = false;
    if (h->ops->info(h, s->save.domid, &d, &e) < 0) {
        *gone_out = e.code == CV_E_NOT_FOUND;
        return *gone_out ? 0 : cv_fail_as(err, &e);
    }
    *gone_out = d.dying;
    return !d.dying && !cv_effect_ended(&d);
}

/* Its monitor tries again and again; what the journal says, and so what convoy recover would do, is the same. */
static void leave_to_monitor(struct cv_source *s)
{
    struct cv_error e = CV_ERROR_INIT;

    if (cv_guest_leave_to_monitor(&s->save.g, &e) == 0)
        cv_log(s->sink, CV_LOG_ERROR, "the guest stands still; its monitor lets it go on when every emulator answers");
    else
        cv_log(s->sink, CV_LOG_ERROR, "%s", e.text);
}

static enum cv_effect resume(void *user, const struct cv_journal_record *rec, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_source *s = user;
    struct cv_save *save = &s->save;
    bool gone = false;

    cv_save_states_undo(save, deadline_ms, err);
    bool touched = save->emulator_log || save->xen_log || save->suspend_asked || save->stop_asked || s->capped;
    int there = still_there(s, &gone, err);
    if (there < 0 && touched)
        return CV_EFFECT_FAILED;
    struct cv_effects e = { .host = save->g.host, .sink = s->sink, .store = s->store };
    if (there > 0 && touched && cv_effect_alone(&e, rec, err) < 0)
        return CV_EFFECT_FAILED;
    if (there > 0 && touched) {
        cv_source_uncap(s);
        /* It may have taken the request all the same, and suspend when nobody waits any more. */
        int rc =
            save->suspend_asked && save->report.suspend_ns == 0 ? cv_guest_expect_late_suspend(&save->g, true, err) : 0;
        if (rc == 0)
            rc = cv_guest_go_on(&save->g, deadline_ms, err);
        if (rc < 0 && (still_there(s, &gone, NULL) < 0 || !gone)) {
            leave_to_monitor(s);
            return CV_EFFECT_FAILED;
        }
    }
    cv_emuset_disconnect(&save->g.set);
    return gone ? CV_EFFECT_GONE : CV_EFFECT_DONE;
}

static enum cv_effect look_at_guest(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                    struct cv_error *err)
{
    struct cv_source *s = user;

    (void)rec, (void)deadline_ms;
    int n = cv_save_still(&s->save, err);
    return n > 0 ? CV_EFFECT_DONE : n == 0 ? CV_EFFECT_GONE : CV_EFFECT_FAILED;
}

/* Held since its last page was read, it has not run for all that somebody has resumed it. */
static bool never_ran(const struct cv_save *s, const struct cv_domain_info *d)
{
    return s->held && d->paused && d->cpu_time_ns == s->ran_ns;
}

/* Killed, not asked: they gave their disks away, so there is nothing that they could still write. */
static enum cv_effect destroy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                              struct cv_error *err)
{
    struct cv_source *s = user;
    struct cv_guest *g = &s->save.g;
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info d;
    bool gone = false;

    (void)rec, (void)deadline_ms;
    cv_save_states_undo(&s->save, deadline_ms, err);
    if (g->domid != 0 && g->host->ops->info(g->host, g->domid, &d, &e) == 0 && !never_ran(&s->save, &d) &&
        cv_effect_handed_over(g->host, &d, s->sink, err) < 0)
        return CV_EFFECT_FAILED;
    if (cv_guest_kill_emulators(g, err) < 0)
        return CV_EFFECT_FAILED;
    /* Somebody else may have destroyed it. */
    if (g->domid != 0 && g->host->ops->destroy(g->host, g->domid, err) < 0 &&
        (still_there(s, &gone, NULL) < 0 || !gone))
        return CV_EFFECT_FAILED;
    if (g->domid != 0)
        cv_guest_unwatch(g->host, g->domid);
    g->domid = 0;
    return CV_EFFECT_DONE;
}

/* ---- the whole ---- */

static int identify(struct cv_source *s, struct cv_error *err)
{
    struct cv_msg_hello *h = &s->hello;

    if (getrandom(s->migration, sizeof s->migration, 0) != (ssize_t)sizeof s->migration)
        return cv_fail(err, CV_E_IO, errno, "random numbers");
    if (cv_journal_boot_id(s->boot, err) < 0 || cv_journal_store_id(s->store, h->store.b, err) < 0)
        return -1;
    gethostname(s->host_name, sizeof s->host_name - 1);
    h->role = CV_PEER_SOURCE;
    h->version_min = CV_PROTOCOL_MIN;
    h->version_max = CV_PROTOCOL_MAX;
    h->stream_version = CV_STREAM_VERSION;
    h->features = CV_PROTOCOL_FEATURES;
    h->keepalive_ms = CV_KEEPALIVE_MS;
    memcpy(h->migration.b, s->migration, 16);
    memcpy(h->guest.b, s->save.g.spec.uuid, 16);
    memcpy(h->boot.b, s->boot, 16);
    h->host = s->host_name;
    h->software = "convoy " CONVOY_VERSION;
    return 0;
}

static void run_handover(struct cv_source *s, struct cv_handover_run *run, int move_rc, struct cv_error *err)
{
    struct cv_guest_ports ports = { .user = s, .resume = resume, .destroy = destroy, .look = look_at_guest };

    *run = (struct cv_handover_run){
        .machine = cv_ho_source(),
        .journal = &s->journal,
        .chan = &s->chan,
        .guest = &ports,
        .connect = &s->link.port,
        .cancel = s->opt->cancel,
        .sink = s->sink,
        .times = s->opt->times,
        .store = s->store,
        .hello = &s->hello,
    };
    memcpy(run->boot, s->boot, sizeof run->boot);
    if (move_rc == 0) {
        run->sent_bytes = cv_writer_bytes(s->save.writer);
        run->sent_records = cv_writer_records(s->save.writer) - 1; /* END counts what stands in front of it */
        cv_ho_step(&run->machine, CV_EV_SENT_ALL);
    } else {
        hear_last_words(s, err);
        run->why = *err;
        cv_ho_step(&run->machine, event_of(s, err));
    }
    s->result->outcome = cv_handover_run(run);
    s->result->domid = run->domid;
}

static int conclude(struct cv_source *s, const struct cv_handover_run *run, struct cv_error *err)
{
    if (s->result->outcome == CV_OUT_TAKEN)
        return 0;
    cv_fail_as(err, &run->why);
    switch (s->result->outcome) {
    case CV_OUT_KEPT: return cv_context(err, "the guest goes on here");
    case CV_OUT_UNKNOWN: return s->watch.fd < 0 ? -1 : cv_context(err, "a watcher goes on asking");
    case CV_OUT_TAKEN_LEFT:
        return cv_context(err, "the guest runs at %s, but its old copy could not be removed here (convoy recover)",
                          s->opt->peer);
    case CV_OUT_LOST:
        return cv_context(err, "the guest has ended here meanwhile, and nothing of it is at %s", s->opt->peer);
    case CV_OUT_TAKEN_GONE:
        return cv_fail(err, CV_E_PEER, 0, "the guest was at %s, and is gone there: if it runs nowhere, start it afresh",
                       s->opt->peer);
    default: return cv_context(err, "the guest does not go on here by itself (convoy recover)");
    }
}

static int migrate(struct cv_source *s, struct cv_error *err)
{
    struct cv_phases p = { .steps = prepare,
                           .count = sizeof prepare / sizeof prepare[0],
                           .sink = s->sink,
                           .cancel = s->opt->cancel,
                           .who = "source" };
    struct cv_handover_run run;

    if (identify(s, err) < 0 || cv_phases_run(&p, s, err) < 0)
        return -1;
    s->phases = (struct cv_phases){
        .steps = move, .count = sizeof move / sizeof move[0], .sink = s->sink, .cancel = s->opt->cancel, .who = "source"
    };
    int rc = cv_phases_run(&s->phases, s, err);
    run_handover(s, &run, rc, err);
    cv_source_report(s, &run, cv_now_ns());
    return conclude(s, &run, err);
}

int cv_migrate(struct cv_host *host, const char *who, const struct cv_migrate_options *opt, struct cv_sink *sink,
               struct cv_migrate_result *result, struct cv_error *err)
{
    struct cv_source s = { .opt = opt,
                           .sink = sink,
                           .result = result,
                           .journal = CV_JOURNAL_INIT,
                           .watch = CV_WATCH_INIT,
                           .heard = CV_EV_COUNT,
                           .store = opt->store ? opt->store : CV_JOURNAL_DIR,
                           .save_opt = { .live = opt->live,
                                         .force = opt->force,
                                         .mem = opt->mem,
                                         .cancel = opt->cancel,
                                         .stall_ms = STALL_MS } };

    memset(result, 0, sizeof *result);
    cv_source_passes_init(&s);
    cv_link_init(&s.link, opt->dial, opt->dial_user);
    int rc = cv_save_init(&s.save, host, who, &s.save_opt, sink, err);
    if (rc == 0)
        rc = migrate(&s, err);
    channel_undo(&s, 0, NULL);
    cv_msg_dispose(&s.theirs);
    cv_offer_dispose(&s.offer);
    cv_save_states_undo(&s.save, 0, NULL);
    cv_save_dispose(&s.save);
    bool settled = s.journal.lock_fd < 0 || cv_journal_settled(s.journal.rec.state);
    cv_journal_close(&s.journal);
    cv_watch_end(&s.watch, settled);
    return rc < 0 ? cv_context(err, "migrate '%s'", who) : 0;
}
