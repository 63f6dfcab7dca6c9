/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/destination.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/priority.h"
#include "migrate/check.h"
#include "migrate/effects.h"
#include "migrate/offer.h"
#include "handover/unsettled.h"
#include "migrate/watch.h"

#define HELLO_MS 30000
#define OFFER_MS 60000
#define LOCK_MS 2000
#define PROGRESS_MS 30000
#define BEAT_MS 1000
/* Longer than a guest may take to suspend: the stream is silent then. */
#define STALL_MS 120000

struct destination {
    struct cv_restore r; /* first: the steps of restore/ take the same pointer */
    struct cv_restore_options restore_opt;
    const struct cv_receive_options *opt;
    const char *store;
    struct cv_host *host;
    struct cv_sink *sink;
    struct cv_chan chan;
    struct cv_watch watch;
    struct cv_journal journal;
    struct cv_msg hello; /* theirs */
    uint8_t boot[16], own_store[16];
    char host_name[65];
    uint32_t source_domid; /* when the source is this very host, else 0 */
    char name[CV_NAME_MAX], incoming[CV_NAME_MAX];
    bool has_restore;
    struct cv_handover_run *handover; /* while it is under way */
    struct cv_buf load_times;
    struct cv_cancel loaded;   /* ends the keep-alives of "load" */
    struct cv_cancel prepared; /* set when the emulators wait for their states */
    bool watched_over;         /* the guest's monitor has been started */
};

/* ---- agree ---- */

/* The source's domain, when it is on this very host: it has our guest's uuid and name, and is to have them. */
static uint32_t source_here(const struct destination *d)
{
    struct cv_journal_record rec;
    struct cv_error ignored;

    if (memcmp(d->hello.hello.store.b, d->own_store, 16) != 0 || memcmp(d->hello.hello.boot.b, d->boot, 16) != 0 ||
        cv_journal_read(d->store, d->hello.hello.migration.b, CV_ROLE_SOURCE, &rec, &ignored) < 0)
        return 0;
    return rec.domid;
}

static int open_journal(struct destination *d, uint32_t *refusal_out, struct cv_error *err)
{
    struct cv_journal_record rec = { .role = CV_ROLE_DESTINATION, .state = CV_J_OPEN };
    struct cv_error e = CV_ERROR_INIT;

    *refusal_out = CV_REFUSE_INTERNAL;
    memcpy(rec.migration, d->hello.hello.migration.b, 16);
    memcpy(rec.guest, d->hello.hello.guest.b, 16);
    memcpy(rec.boot, d->boot, 16);
    memcpy(rec.peer_store, d->hello.hello.store.b, 16);
    snprintf(rec.name, sizeof rec.name, "%s", d->name);
    snprintf(rec.peer, sizeof rec.peer, "%s", d->hello.hello.host);
    if (cv_unsettled_begin(&d->journal, d->store, &rec, d->sink, &e) == 0)
        return 0;
    if (e.code == CV_E_INVALID)
        *refusal_out = CV_REFUSE_KNOWN;
    else if (e.code == CV_E_BUSY)
        *refusal_out = CV_REFUSE_UNSETTLED;
    return cv_fail_as(err, &e);
}

static int check_offer(struct destination *d, const struct cv_msg_offer *offer, struct cv_offer_check *c,
                       uint32_t *refusal_out, struct cv_error *err)
{
    *refusal_out = CV_REFUSE_CONFIG;
    if (cv_guest_check_name(offer->name, err) < 0) /* it becomes part of paths */
        return -1;
    snprintf(d->name, sizeof d->name, "%s", offer->name);
    cv_incoming_name(d->name, d->incoming, sizeof d->incoming);
    *refusal_out = CV_REFUSE_UNSETTLED;
    if (cv_unsettled_refuse(d->store, d->hello.hello.guest.b, d->hello.hello.migration.b, err) < 0)
        return -1;
    memcpy(c->guest, d->hello.hello.guest.b, sizeof c->guest);
    c->own_domid = d->source_domid = source_here(d);
    return cv_offer_check(c, offer, refusal_out, err);
}

static int refuse(struct destination *d, uint32_t refusal, const struct cv_error *why)
{
    char text[800];
    struct cv_msg m = { .type = CV_MSG_REFUSE,
                        .refuse = { .code = refusal, .text = cv_error_string(why, text, sizeof text) } };
    struct cv_error ignored;

    if (cv_chan_send(&d->chan, &m, cv_after_ms(HELLO_MS), d->opt->cancel, &ignored) < 0)
        cv_log(d->sink, CV_LOG_DEBUG, "%s", ignored.text);
    return -1;
}

/* A refusal is free: nothing but the journal was touched, and that only when all else was well. */
static int agree(struct destination *d, const struct cv_msg_offer *offer, struct cv_error *err)
{
    struct cv_offer_check c = { .host = d->host };
    struct cv_msg accept = { .type = CV_MSG_ACCEPT };
    uint32_t refusal = CV_REFUSE_INTERNAL;

    int rc = check_offer(d, offer, &c, &refusal, err);
    if (rc == 0)
        refusal = CV_REFUSE_INTERNAL;
    /* Before there is a record: no record is without somebody who settles it. */
    if (rc == 0)
        rc = cv_watch_start(&d->watch, d->opt->watcher, d->hello.hello.migration.b, CV_ROLE_DESTINATION, err);
    if (rc == 0)
        rc = open_journal(d, &refusal, err);
    if (rc < 0)
        refuse(d, refusal, err);
    if (rc == 0) {
        accept.accept.free_bytes = c.free_bytes;
        accept.accept.notes = c.notes;
        rc = cv_chan_send(&d->chan, &accept, cv_after_ms(HELLO_MS), d->opt->cancel, err);
    }
    cv_offer_check_dispose(&c);
    return rc;
}

/* ---- build ---- */

static int head_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct destination *d = op;

    if (cv_restore_read_head(op, deadline_ms, err) < 0)
        return -1;
    if (memcmp(d->r.g.spec.uuid, d->journal.rec.guest, 16) != 0)
        return cv_fail(err, CV_E_PEER, 0, "the stream holds another guest than was offered");
    return 0;
}

/* The number is written down before there is more to it than a shell, and the later decision prepared: in the down time
 * it is one rename. */
static int domain_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct destination *d = op;

    if (cv_restore_domain(op, deadline_ms, err) < 0)
        return -1;
    d->journal.rec.domid = d->r.g.domid;
    if (cv_effect_hold(&d->r.g, err) < 0 || cv_journal_set(&d->journal, CV_J_OPEN, NULL, err) < 0)
        return -1;
    return cv_journal_prepare(&d->journal, CV_J_RUNNING, err);
}

static void watch_over(void *user, uint32_t domid, const char *name)
{
    struct destination *d = user;

    if (d->opt->watch_over != NULL && !d->watched_over)
        d->opt->watch_over(d->opt->watch_user, domid, name);
    d->watched_over = true;
}

static void prepared(void *user)
{
    struct destination *d = user;

    watch_over(d, d->r.g.domid, d->name);
    cv_cancel_request(&d->prepared);
}

/* Waits until the emulators expect their states.  Until this returns the fill thread owns the channel. */
static int await_prepared(struct destination *d, struct cv_error *err)
{
    for (;;) {
        struct cv_error e = CV_ERROR_INIT;
        if (cv_poll_one(d->prepared.fd, POLLIN, cv_after_ms(BEAT_MS), &d->r.fill_cancel, &e) >= 0)
            return 0;
        if (e.code != CV_E_TIMEOUT || cv_chan_tick(&d->chan, &e) < 0)
            return cv_fail_as(err, &e);
    }
}

/* The source waits for this before it stops the guest: what is under way then, and emulators that are still starting,
 * the guest does not wait for. */
static int pass_filled(void *user, uint64_t stream_bytes, struct cv_error *err)
{
    struct destination *d = user;

    if (await_prepared(d, err) < 0)
        return -1;
    struct cv_msg m = { .type = CV_MSG_PROGRESS, .progress = { .bytes = stream_bytes, .phase = CV_DST_RECEIVING } };

    return cv_chan_send(&d->chan, &m, cv_after_ms(PROGRESS_MS), d->opt->cancel, err);
}

static int states_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct destination *d = op;

    if (cv_restore_states(op, deadline_ms, err) < 0)
        return -1;
    cv_chan_stream_ended(&d->chan);
    return 0;
}

/* While emulators load nothing is read or said here, and the channel is this thread's alone. */
static void *beat(void *arg)
{
    struct destination *d = arg;
    struct cv_error e;

    while (cv_poll_one(-1, 0, cv_after_ms(BEAT_MS), &d->loaded, &e) < 0 && e.code == CV_E_TIMEOUT)
        if (cv_chan_tick(&d->chan, &e) < 0)
            break; /* READY will find the same */
    return NULL;
}

/* The source waits for READY, and takes silence for a loss. */
static int load_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct destination *d = op;
    pthread_t thread;

    if (cv_cancel_init(&d->loaded, err) < 0)
        return -1;
    int sys = pthread_create(&thread, NULL, beat, d);
    int rc = sys != 0 ? cv_fail(err, CV_E_NOMEM, sys, "start a thread for keep-alives")
                      : cv_restore_load_and_impose(op, deadline_ms, err);
    cv_cancel_request(&d->loaded);
    if (sys == 0)
        pthread_join(thread, NULL);
    cv_cancel_dispose(&d->loaded);
    return rc;
}

static const struct cv_step build[] = {
    { "read-head", head_run, NULL, CV_NEVER, false }, { "check-host", cv_restore_check_host, NULL, CV_NEVER, false },
    { "domain", domain_run, NULL, CV_NEVER, false },  { "fill", cv_restore_fill_and_prepare, NULL, 60 * 1000, false },
    { "states", states_run, NULL, CV_NEVER, false },  { "load", load_run, NULL, 60 * 1000, false },
};

/* ---- effects ---- */

static enum cv_effect run_guest(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                struct cv_error *err)
{
    struct destination *d = user;
    int64_t begin = cv_now_ns();

    (void)rec;
    enum cv_effect done = cv_effect_run(&d->r.g, deadline_ms, err);
    if (done != CV_EFFECT_DONE)
        return done;
    d->handover->run_ns = cv_now_ns() - begin;
    /* Its drivers wake up now, and its emulators have their hands full: whatever else we do can wait for a moment. */
    cv_nice(0, CV_NICE_BACKGROUND);
    watch_over(d, d->r.g.domid, d->name);
    cv_effect_settle_in(&d->r.g, d->name, deadline_ms);
    return CV_EFFECT_DONE;
}

struct copy {
    const struct destination *d;
    uint32_t source_domid;
    struct cv_domain_info own, other;
};

static int see_copy(void *user, const struct cv_domain_info *d)
{
    struct copy *c = user;

    if (d->dying || memcmp(d->uuid, c->d->journal.rec.guest, sizeof d->uuid) != 0)
        return 0;
    if (d->domid == c->d->r.g.domid)
        c->own = *d;
    else if (d->domid != c->source_domid)
        c->other = *d;
    return 0;
}

/* What others have done to it since it was made; nothing but this is between here and the decision. */
static enum cv_effect look_at_copy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                                   struct cv_error *err)
{
    struct destination *d = user;
    struct copy c = { .d = d, .source_domid = d->source_domid };

    (void)rec, (void)deadline_ms;
    if (d->host->ops->peek(d->host, see_copy, &c, err) < 0)
        return CV_EFFECT_FAILED;
    if (c.own.domid == 0) {
        cv_fail(err, CV_E_NOT_FOUND, 0, "the guest's copy (domain %u) was destroyed by somebody else", d->r.g.domid);
        return CV_EFFECT_GONE;
    }
    if (c.other.domid != 0) {
        cv_fail(err, CV_E_BUSY, 0, "domain %u has the same uuid: somebody has made this guest here meanwhile",
                c.other.domid);
        return CV_EFFECT_FAILED;
    }
    if (!c.own.paused || c.own.cpu_time_ns != 0) {
        cv_fail(err, CV_E_INTERNAL, 0, "the guest's copy (domain %u) was let run by somebody else before its time",
                c.own.domid);
        return CV_EFFECT_FAILED;
    }
    return CV_EFFECT_DONE;
}

static enum cv_effect destroy(void *user, const struct cv_journal_record *rec, int64_t deadline_ms,
                              struct cv_error *err)
{
    struct destination *d = user;

    (void)rec;
    if (!d->has_restore)
        return CV_EFFECT_DONE;
    if (d->r.g.domid != 0 && cv_effect_never_ran(d->host, d->r.g.domid, d->sink, err) < 0)
        return CV_EFFECT_FAILED;
    if (cv_restore_fill_and_prepare_undo(&d->r, deadline_ms, err) < 0 ||
        cv_restore_domain_undo(&d->r, deadline_ms, err) < 0)
        return CV_EFFECT_FAILED;
    return CV_EFFECT_DONE;
}

/* ---- the whole ---- */

static void fill_ready(struct destination *d, struct cv_msg_ready *m)
{
    struct cv_error ignored;

    *m = (struct cv_msg_ready){ .stream_bytes = d->r.report.bytes,
                                .stream_records = d->r.records,
                                .load_ns = (uint64_t)(cv_now_ns() - d->r.read_ns) };
    for (unsigned i = 0; i < d->r.g.layout.count; i++) {
        char text[48];
        snprintf(text, sizeof text, "%u=%lld", i, (long long)d->r.report.emulator_load_ns[i]);
        if (cv_strs_append(&d->load_times, &m->emulators, text, &ignored) < 0)
            break; /* only for the report */
    }
}

/* built: what was wrong, where build_rc < 0. */
static int hand_over(struct destination *d, int build_rc, const struct cv_error *built, enum cv_ho_outcome *outcome_out,
                     struct cv_error *err)
{
    struct cv_guest_ports ports = { .user = d, .run = run_guest, .destroy = destroy, .look = look_at_copy };
    struct cv_handover_run run = {
        .machine = cv_ho_destination(),
        .journal = &d->journal,
        .chan = &d->chan,
        .guest = &ports,
        .cancel = d->opt->cancel,
        .sink = d->sink,
        .times = d->opt->times,
        .store = d->store,
    };

    d->handover = &run;
    memcpy(run.boot, d->boot, sizeof run.boot);
    if (build_rc == 0) {
        fill_ready(d, &run.ready.ready);
        cv_ho_step(&run.machine, CV_EV_LOADED);
    } else {
        run.why = *built;
        cv_ho_step(&run.machine, CV_EV_TROUBLE);
    }
    *outcome_out = cv_handover_run(&run);
    if (*outcome_out == CV_OUT_RUNNING) {
        cv_emuset_disconnect(&d->r.g.set);
        cv_handover_hear_done(&run);
        /* On the same host, the source's emulators have gone by now. */
        struct cv_error e = CV_ERROR_INIT;
        if (cv_emuset_lock_disks(&d->r.g.set, cv_after_ms(LOCK_MS), &e) < 0)
            cv_log(d->sink, CV_LOG_WARN, "%s: the guest runs with a disk that is not locked", e.text);
        return 0;
    }
    cv_fail_as(err, &run.why);
    if (*outcome_out == CV_OUT_ABORTED && d->chan.state == CV_CHAN_SETTLED)
        cv_handover_hear_done(&run); /* it was told no, and may say that it needs no more answers */
    return *outcome_out == CV_OUT_STUCK ? cv_context(err, "what is left here stays as it is (convoy recover)") : -1;
}

static int take_guest(struct destination *d, const struct cv_msg_offer *offer, enum cv_ho_outcome *outcome_out,
                      struct cv_error *err)
{
    struct cv_phases p = { .steps = build,
                           .count = sizeof build / sizeof build[0],
                           .sink = d->sink,
                           .cancel = d->opt->cancel,
                           .who = "destination" };
    struct cv_error e = CV_ERROR_INIT;

    int rc = agree(d, offer, &e);
    if (rc < 0 && d->journal.lock_fd < 0)
        return cv_fail_as(err, &e); /* refused: nothing to settle */
    d->restore_opt = (struct cv_restore_options){ .mem = d->opt->mem,
                                                  .stall_ms = STALL_MS,
                                                  .cancel = d->opt->cancel,
                                                  .name = d->incoming,
                                                  .stays_open = true,
                                                  .handed_over = true,
                                                  .late_disks = true,
                                                  .pass_filled = pass_filled,
                                                  .prepared = prepared,
                                                  .user = d };
    if (rc == 0)
        rc = cv_cancel_init(&d->prepared, &e);
    if (rc == 0)
        rc = cv_restore_init(&d->r, d->host, d->chan.in, &d->restore_opt, d->sink, &e);
    d->has_restore = rc == 0;
    if (rc == 0)
        rc = cv_phases_run(&p, d, &e);
    return hand_over(d, rc, &e, outcome_out, err);
}

/* On the source's own host the guest is found there: it is the one that would leave. */
static int find_guest(void *user, const struct cv_domain_info *info)
{
    struct cv_offer_check *c = user;

    if (memcmp(info->uuid, c->guest, sizeof c->guest) == 0)
        c->own_domid = info->domid;
    return 0;
}

/* convoy check: nothing is written down, and nothing begins. */
static int judge(struct destination *d, const struct cv_msg_offer *offer, struct cv_error *err)
{
    struct cv_offer_check c = { .host = d->host };

    memcpy(c.guest, d->hello.hello.guest.b, sizeof c.guest);
    if (memcmp(d->hello.hello.boot.b, d->boot, sizeof d->boot) == 0 &&
        d->host->ops->list(d->host, find_guest, &c, err) < 0)
        return -1;
    int rc = cv_migrate_answer_check(&d->chan, &c, offer, d->opt->cancel, err);
    cv_offer_check_dispose(&c);
    return rc;
}

static int answer(struct destination *d, const struct cv_msg_query *query, enum cv_ho_outcome *outcome_out,
                  struct cv_error *err)
{
    struct cv_effects e = { .host = d->host, .sink = d->sink, .store = d->store, .runs = watch_over, .user = d };
    struct cv_guest_ports ports = cv_effects_ports(&e);
    struct cv_handover_run run = { .journal = &d->journal,
                                   .chan = &d->chan,
                                   .guest = &ports,
                                   .sink = d->sink,
                                   .cancel = d->opt->cancel,
                                   .times = d->opt->times,
                                   .store = d->store };

    memcpy(run.boot, d->boot, sizeof run.boot);
    *outcome_out = cv_handover_answer(&run, query, d->hello.hello.guest.b);
    if (*outcome_out == CV_OUT_STUCK)
        return cv_fail_as(err, &run.why);
    return 0;
}

static int converse(struct destination *d, enum cv_ho_outcome *outcome_out, struct cv_error *err)
{
    struct cv_msg_hello mine = { .role = CV_PEER_DESTINATION,
                                 .version_min = CV_PROTOCOL_MIN,
                                 .version_max = CV_PROTOCOL_MAX,
                                 .stream_version = CV_STREAM_VERSION,
                                 .features = CV_PROTOCOL_FEATURES,
                                 .keepalive_ms = CV_KEEPALIVE_MS,
                                 .host = d->host_name,
                                 .software = "convoy " CONVOY_VERSION };
    struct cv_msg m;
    int rc;

    memcpy(mine.store.b, d->own_store, 16);
    memcpy(mine.boot.b, d->boot, 16);
    if (cv_chan_hello_destination(&d->chan, &mine, &d->hello, cv_after_ms(HELLO_MS), d->opt->cancel, err) < 0 ||
        cv_chan_recv(&d->chan, &m, cv_after_ms(OFFER_MS), d->opt->cancel, err) < 0)
        return -1;
    switch ((int)m.type) {
    case CV_MSG_OFFER:
        rc = m.offer.flags & CV_OFFER_CHECK ? judge(d, &m.offer, err) : take_guest(d, &m.offer, outcome_out, err);
        break;
    case CV_MSG_QUERY: rc = answer(d, &m.query, outcome_out, err); break;
    default: rc = cv_chan_refused(&m, err); break;
    }
    cv_msg_dispose(&m);
    return rc;
}

int cv_migrate_receive(struct cv_host *host, int in, int out, const struct cv_receive_options *opt,
                       struct cv_sink *sink, enum cv_ho_outcome *outcome_out, struct cv_error *err)
{
    struct destination d = { .opt = opt,
                             .host = host,
                             .sink = sink,
                             .journal = CV_JOURNAL_INIT,
                             .watch = CV_WATCH_INIT,
                             .prepared = { .fd = -1 },
                             .store = opt->store ? opt->store : CV_JOURNAL_DIR };

    *outcome_out = CV_OUT_NONE;
    cv_nice_own(); /* before a source on this host sends its transport, that is us, to the background */
    gethostname(d.host_name, sizeof d.host_name - 1);
    if (cv_journal_boot_id(d.boot, err) < 0 || cv_journal_store_id(d.store, d.own_store, err) < 0 ||
        cv_chan_init(&d.chan, in, out, CV_PEER_DESTINATION, err) < 0)
        return cv_context(err, "receive");
    int rc = converse(&d, outcome_out, err);
    if (d.has_restore)
        cv_restore_dispose(&d.r);
    cv_msg_dispose(&d.hello);
    cv_buf_dispose(&d.load_times);
    cv_cancel_dispose(&d.prepared);
    cv_chan_dispose(&d.chan);
    bool settled = d.journal.lock_fd < 0 || cv_journal_settled(d.journal.rec.state);
    cv_journal_close(&d.journal);
    cv_watch_end(&d.watch, settled);
    return rc < 0 ? cv_context(err, "receive") : 0;
}
