/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody else acts on the guest, with xl or with convoy, while it is being moved or before recovery has come by: it
 * never runs twice, is never lost, and what was begun comes to an end. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "base/clock.h"
#include "guest/monitor.h"
#include "guest/sweep.h"
#include "migrate/recover.h"
#include "restore/restore.h"
#include "save/save.h"

static const uint8_t the_migration[16] = { 7 };
static struct world w; /* what the hooks act on */

/* ---- a world in which a migration was cut off ---- */

static void record(struct one_host *s, struct one_host *peer, enum cv_journal_role role, enum cv_journal_state state,
                   const struct fake_domain *d, uint32_t domid)
{
    struct cv_journal_record rec = { .role = role, .state = CV_J_OPEN, .domid = domid, .name = "g", .peer = "there" };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;

    memcpy(rec.migration, the_migration, 16);
    memcpy(rec.guest, d->spec.uuid, 16);
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(s->store, rec.peer_store, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(peer->store, rec.peer_store, &err), 0);
    ck_assert_msg(cv_journal_create(&j, s->store, &rec, &err) == 0, "%s", emu_text(&err));
    if (state == CV_J_TAKEN_SETTLED)
        ck_assert_int_eq(cv_journal_set(&j, CV_J_COMMITTING, NULL, &err), 0);
    if (state != CV_J_OPEN)
        ck_assert_msg(cv_journal_set(&j, state, NULL, &err) == 0, "%s", emu_text(&err));
    cv_journal_close(&j);
}

static enum cv_journal_state state_of(struct one_host *s, enum cv_journal_role role)
{
    struct cv_journal_record rec;
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(cv_journal_read(s->store, the_migration, role, &rec, &err) == 0, "%s", emu_text(&err));
    return rec.state;
}

static enum cv_ho_outcome heard;

static void hear(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                 const struct cv_error *why)
{
    (void)user, (void)rec, (void)why;
    heard = outcome;
}

static int recover_as(struct one_host *s, enum cv_assume assume, struct cv_error *err)
{
    struct cv_recover_options o = { .store = s->store,
                                    .role = -1,
                                    .assume = assume,
                                    .dial = dial_world,
                                    .dial_user = &w,
                                    .settled = hear,
                                    .times = { .ask_ms = 2000, .effect_ms = 5000, .questions = 1 } };
    unsigned count;

    int rc = cv_recover(&s->host->base, "g", &o, NULL, &count, err);
    join_all(&w);
    reap();
    return rc;
}

static int may(struct one_host *s, enum cv_gate_verb verb, const struct fake_domain *d, struct cv_error *err)
{
    struct cv_domain_info info;

    ck_assert_int_eq(s->host->base.ops->info(&s->host->base, d->domid, &info, err), 0);
    return cv_guest_may(&s->host->base, verb, &info, NULL, err);
}

/* It was decided, its receiver died before it had settled, and it rebooted: its monitor made it anew. */
START_TEST(a_guest_that_was_restarted_there_is_not_gone)
{
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    make_guest(&w.dst, NULL);
    guest_of(&w.src)->suspended = true;
    record(&w.dst, &w.src, CV_ROLE_DESTINATION, CV_J_RUNNING, guest_of(&w.dst), guest_of(&w.dst)->domid + 3);
    record(&w.src, &w.dst, CV_ROLE_SOURCE, CV_J_COMMITTING, guest_of(&w.src), guest_of(&w.src)->domid);
    ck_assert_msg(recover_as(&w.src, CV_ASSUME_NOTHING, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(heard, CV_OUT_TAKEN);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* Both ends on one host, both killed while pages flowed: the source's guest runs, and the half-made copy goes. */
START_TEST(a_copy_beside_its_running_source_is_dropped)
{
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    struct fake_domain *d = guest_of(&w.src);
    uint32_t copy = fake_host_add_guest(w.src.host, "g--incoming");
    struct fake_domain *c = w.src.host->dom[copy];
    memcpy(c->spec.uuid, d->spec.uuid, 16);
    c->paused = true;
    c->cpu_time_ns = 0;
    record(&w.src, &w.src, CV_ROLE_SOURCE, CV_J_OPEN, d, d->domid);
    record(&w.src, &w.src, CV_ROLE_DESTINATION, CV_J_OPEN, d, copy);
    ck_assert_msg(recover_as(&w.src, CV_ASSUME_NOTHING, &err) == 0, "%s", emu_text(&err));
    ck_assert(!c->exists && runs(d));
    end_guest(&w.src);
    world_end(&w);
}
END_TEST

/* The destination's record was put back to an older one: what runs there under another number is no reason for a no. */
START_TEST(a_record_of_yesterday_is_no_definite_no)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t other = (uint32_t)_i; /* 0: the record knows the domain that runs */

    world_begin(&w);
    make_guest(&w.src, NULL);
    make_guest(&w.dst, NULL);
    guest_of(&w.src)->suspended = true;
    record(&w.dst, &w.src, CV_ROLE_DESTINATION, CV_J_OPEN, guest_of(&w.dst), guest_of(&w.dst)->domid + other);
    record(&w.src, &w.dst, CV_ROLE_SOURCE, CV_J_COMMITTING, guest_of(&w.src), guest_of(&w.src)->domid);
    ck_assert_int_lt(recover_as(&w.src, CV_ASSUME_NOTHING, &err), 0);
    ck_assert_int_eq(err.code, CV_E_OUTCOME_UNKNOWN);
    ck_assert(guest_of(&w.src)->suspended && runs(guest_of(&w.dst)));
    ck_assert_msg(strstr(err.text, "there: domain 2 'g' runs") != NULL, "%s", err.text);
    /* The way out: a person has seen it run there. */
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_msg(recover_as(&w.dst, CV_ASSUME_RUNNING, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(state_of(&w.dst, CV_ROLE_DESTINATION), CV_J_RUNNING_SETTLED);
    ck_assert_msg(recover_as(&w.src, CV_ASSUME_NOTHING, &err) == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* The source's host comes back with a disk of yesterday: its record says that nothing was decided, and the guest runs
 * at the destination.  0: it is asked; 1: it cannot be, 2: and a person has looked there; 3, 4: it says no. */
START_TEST(a_guest_that_is_not_here_is_not_lost_before_the_other_side_was_asked)
{
    struct cv_error err = CV_ERROR_INIT;
    bool there = _i < 3;

    world_begin(&w);
    make_guest(&w.dst, NULL);
    record(&w.src, &w.dst, CV_ROLE_SOURCE, _i & 1 ? CV_J_ABORTED : CV_J_OPEN, guest_of(&w.dst), 9);
    if (_i == 0 || !there)
        record(&w.dst, &w.src, CV_ROLE_DESTINATION, there ? CV_J_RUNNING : CV_J_ABORTED_SETTLED, guest_of(&w.dst),
               guest_of(&w.dst)->domid);
    int rc = recover_as(&w.src, CV_ASSUME_NOTHING, &err);
    if (_i == 0) {
        ck_assert_msg(rc == 0, "%s", emu_text(&err));
        ck_assert_int_eq(heard, CV_OUT_TAKEN);
    } else if (there) {
        struct cv_guest g;
        ck_assert_int_eq(err.code, CV_E_OUTCOME_UNKNOWN);
        ck_assert_msg(strstr(err.text, "is not here any more") && strstr(err.text, "there: domain 2 'g' runs"), "%s",
                      err.text);
        err = (struct cv_error)CV_ERROR_INIT;
        ck_assert_int_lt(one_host_create(&w.src, &g, &err), 0); /* nor is it started */
        ck_assert_int_eq(err.code, CV_E_BUSY);
        err = (struct cv_error)CV_ERROR_INIT;
        ck_assert_int_eq(recover_as(&w.src, _i == 1 ? CV_ASSUME_RUNNING : CV_ASSUME_ABORTED, &err), 0);
        ck_assert_int_eq(heard, _i == 1 ? CV_OUT_TAKEN : CV_OUT_LOST);
    } else {
        ck_assert_msg(rc == 0, "%s", emu_text(&err));
        ck_assert_int_eq(heard, CV_OUT_LOST);
    }
    ck_assert(cv_journal_settled(state_of(&w.src, CV_ROLE_SOURCE)));
    ck_assert(runs(guest_of(&w.dst)));
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

/* The source's host rebooted in COMMITTING, and the guest is started there, by its configuration or from an image. */
START_TEST(nothing_is_made_of_a_guest_whose_migration_is_open)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    world_begin(&w);
    make_guest(&w.dst, NULL);
    record(&w.src, &w.dst, CV_ROLE_SOURCE, CV_J_COMMITTING, guest_of(&w.dst), 5);
    ck_assert_int_lt(one_host_create(&w.src, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "convoy recover"));
    ck_assert_uint_eq(fake_host_domains(w.src.host), 0);
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

static unsigned warnings;

static void count_warning(struct cv_sink *s, enum cv_level level, const char *text)
{
    (void)s;
    warnings += level == CV_LOG_WARN && strstr(text, "was handed over to there") != NULL;
}

/* One that was handed over may have come back, or be gone there: the user is told. */
START_TEST(a_guest_that_was_handed_over_is_started_with_a_warning)
{
    struct cv_sink sink = { .message = count_warning, .level = CV_LOG_WARN };
    struct cv_create_options o = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    world_begin(&w);
    make_guest(&w.src, NULL);
    record(&w.src, &w.dst, CV_ROLE_SOURCE, CV_J_TAKEN_SETTLED, guest_of(&w.src), 5);
    end_guest(&w.src);
    warnings = 0;
    ck_assert_msg(cv_guest_create(&g, &w.src.host->base, w.src.config, &o, &sink, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_ge(warnings, 1);
    cv_guest_dispose(&g);
    end_guest(&w.src);
    world_end(&w);
}
END_TEST

/* What holds the journals is not mounted: nobody knows what may run. */
START_TEST(an_empty_store_is_not_one_without_records)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    world_begin(&w);
    ck_assert_int_eq(mkdir(w.src.store, 0700), 0);
    ck_assert_int_lt(one_host_create(&w.src, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "mount it"));
    world_end(&w);
}
END_TEST

/* Two domains that are called like each other's number: each is found by what it is. */
START_TEST(a_name_of_digits_is_never_taken_for_a_domid)
{
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    uint32_t other = fake_host_add_guest(w.src.host, "2");
    make_guest(&w.src, NULL);
    w.src.others = 1;
    struct fake_domain *d = guest_of(&w.src);
    ck_assert_uint_eq(other, 1);
    ck_assert_uint_eq(d->domid, 2);
    d->suspended = true;
    w.src.host->dom[other]->paused = true; /* by its own administrator */
    record(&w.src, &w.dst, CV_ROLE_SOURCE, CV_J_ABORTED, d, d->domid);
    ck_assert_msg(recover_as(&w.src, CV_ASSUME_NOTHING, &err) == 0, "%s", emu_text(&err));
    ck_assert(runs(d) && w.src.host->dom[other]->paused);
    ck_assert_int_eq(state_of(&w.src, CV_ROLE_SOURCE), CV_J_ABORTED_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* ---- acts in the middle of a migration ---- */

static struct cv_host_ops hooked;
static int (*real_introduce)(struct cv_host *, uint32_t, const struct cv_guest_state *, struct cv_error *);
static int (*real_get_state)(struct cv_host *, uint32_t, struct cv_guest_state *, struct cv_error *);
static int (*real_unpause)(struct cv_host *, uint32_t, struct cv_error *);
static unsigned unpauses;

static void hook(struct one_host *s)
{
    hooked = *s->host->base.ops;
    real_introduce = hooked.introduce;
    real_get_state = hooked.get_state;
    real_unpause = hooked.unpause;
    s->host->base.ops = &hooked;
}

/* The last thing before the emulators load: somebody sees "g--incoming", paused. */
static int unpaused_by_xl(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err)
{
    int rc = real_introduce(h, domid, state, err);
    struct cv_error e = CV_ERROR_INIT;

    for (unsigned i = 0; i < unpauses; i++)
        ck_assert_int_eq(real_unpause(h, domid, &e), 0);
    ck_assert_int_eq(((struct fake_host *)h)->dom[domid]->cpu_time_ns == 0, unpauses < 8);
    return rc;
}

/* However often somebody unpauses it, up to what an accident can be: it does not run before its time, and runs then. */
START_TEST(an_incoming_copy_does_not_run_when_it_is_unpaused)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    unpauses = (unsigned)_i;
    hook(&w.dst);
    hooked.introduce = unpaused_by_xl;
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(r.outcome, CV_OUT_TAKEN);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Somebody insists: it has run without its emulators.  It is paused, kept, and the source's guest is not resumed beside
 * it; both ways out lead to one that runs. */
START_TEST(a_copy_that_has_run_before_its_time_is_for_a_person_to_judge)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    unpauses = 8;
    hook(&w.dst);
    hooked.introduce = unpaused_by_xl;
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_UNKNOWN);
    struct fake_domain *copy = guest_of(&w.dst);
    ck_assert(copy != NULL && copy->paused && guest_of(&w.src)->suspended);
    ck_assert_ptr_nonnull(strstr(err.text, "was let run by somebody else"));
    err = (struct cv_error)CV_ERROR_INIT;
    if (_i == 0) {
        ck_assert_msg(recover_as(&w.dst, CV_ASSUME_ABORTED, &err) == 0, "%s", emu_text(&err));
        ck_assert_ptr_null(guest_of(&w.dst));
    } else {
        ck_assert_msg(recover_as(&w.dst, CV_ASSUME_RUNNING, &err) == 0, "%s", emu_text(&err));
    }
    ck_assert_msg(recover_as(&w.src, CV_ASSUME_NOTHING, &err) == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

static int unpause_that_lies(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    if (real_unpause(h, domid, err) < 0)
        return -1;
    return ((struct fake_host *)h)->dom[domid]->paused ? 0 : cv_fail(err, CV_E_HYPERVISOR, EIO, "injected");
}

/* The hypercall has done its work and says that it failed: what runs is not destroyed. */
START_TEST(an_unpause_that_fails_is_looked_at)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    hook(&w.dst);
    hooked.unpause = unpause_that_lies;
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

static int created_meanwhile(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state,
                             struct cv_error *err)
{
    uint32_t twin = fake_host_add_guest((struct fake_host *)h, "h");
    struct fake_host *f = (struct fake_host *)h;

    memcpy(f->dom[twin]->spec.uuid, f->dom[domid]->spec.uuid, 16);
    w.dst.others++;
    return real_introduce(h, domid, state, err);
}

START_TEST(the_same_guest_made_there_meanwhile_is_seen)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    hook(&w.dst);
    hooked.introduce = created_meanwhile;
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    ck_assert_ptr_nonnull(strstr(err.text, "has the same uuid"));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

static int resumed_behind(struct cv_host *h, uint32_t domid, struct cv_guest_state *st, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    int rc = real_get_state(h, domid, st, err);

    if (unpauses == 1)
        real_unpause(h, domid, &e);
    h->ops->resume(h, domid, &e);
    if (unpauses == 1) /* and suspended again, as a second toolstack's save does */
        ((struct fake_host *)h)->dom[domid]->suspended = true;
    if (unpauses == 2)
        h->ops->destroy(h, domid, &e);
    return rc;
}

/* Whoever does so at the source before COMMIT: the copy never runs. */
START_TEST(a_guest_that_was_resumed_is_not_handed_over)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    unpauses = (unsigned)_i;
    hook(&w.src);
    hooked.get_state = resumed_behind;
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, _i == 2 ? CV_OUT_LOST : CV_OUT_KEPT);
    ck_assert_ptr_null(guest_of(&w.dst));
    if (_i < 2)
        ck_assert_ptr_nonnull(strstr(err.text, "by somebody else"));
    if (_i < 2)
        ck_assert(one_runs(&w, false));
    else /* the monitor's work */
        ck_assert_int_eq(cv_guest_sweep(&w.src.host->base, r.domid ? r.domid : 1, &err), 0);
    reap();
    world_end(&w);
}
END_TEST

static int resumed_at_the_source(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    struct fake_domain *d = guest_of(&w.src);
    struct cv_error e = CV_ERROR_INIT;

    if (d != NULL && d->suspended)
        ck_assert_int_eq(w.src.host->base.ops->resume(&w.src.host->base, d->domid, &e), 0);
    return real_unpause(h, domid, err);
}

/* Held, it has not run for all that, and is ended as if nothing had been. */
START_TEST(a_guest_that_was_resumed_behind_its_hand_over_never_ran)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    hook(&w.dst);
    hooked.unpause = resumed_at_the_source;
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", err.text);
    ck_assert_ptr_null(guest_of(&w.src));
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* ---- one question for every verb ---- */

#define YES 1
#define NO 0

/* A copy of which only the domain is there yet: nobody is told to try it with xl. */
static void half_made(const struct fake_domain *d, int go_on)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info info;
    struct cv_host *h = &w.src.host->base;
    json_t *store = w.src.host->store;

    ck_assert_int_eq(h->ops->info(h, d->domid, &info, &e), 0);
    ck_assert(cv_guest_is_ours(h, d->domid));
    w.src.host->store = json_object();
    ck_assert(!cv_guest_is_ours(h, d->domid));
    ck_assert_int_lt(cv_guest_may_touch(h, CV_GATE_GO_ON, &info, "unpause", NULL, &e), 0);
    ck_assert_msg((strstr(e.text, "xl unpause is for it") != NULL) == (go_on != 0), "%s", emu_text(&e));
    json_decref(w.src.host->store);
    w.src.host->store = store;
}

START_TEST(who_may_do_what)
{
    static const struct {
        enum cv_journal_role role;
        enum cv_journal_state state;
        bool suspended;
        int restart, go_on, hold;
    } cases[] = {
        { CV_ROLE_SOURCE, CV_J_OPEN, false, NO, YES, YES },
        { CV_ROLE_SOURCE, CV_J_OPEN, true, NO, NO, YES },
        { CV_ROLE_SOURCE, CV_J_COMMITTING, true, NO, NO, NO },
        { CV_ROLE_SOURCE, CV_J_ABORTED, true, YES, NO, YES },
        { CV_ROLE_DESTINATION, CV_J_OPEN, false, NO, NO, NO },
        { CV_ROLE_DESTINATION, CV_J_ABORTED, false, NO, NO, NO },
        { CV_ROLE_DESTINATION, CV_J_RUNNING, false, YES, NO, NO },
    };

    world_begin(&w);
    make_guest(&w.src, NULL);
    struct fake_domain *d = guest_of(&w.src);
    d->suspended = cases[_i].suspended;
    record(&w.src, &w.dst, cases[_i].role, cases[_i].state, d, d->domid);
    struct cv_error e = CV_ERROR_INIT;
    ck_assert_int_lt(may(&w.src, CV_GATE_NEW, d, &e), 0);
    ck_assert_int_eq(may(&w.src, CV_GATE_RESTART, d, &e) == 0, cases[_i].restart);
    ck_assert_int_eq(may(&w.src, CV_GATE_GO_ON, d, &e) == 0, cases[_i].go_on);
    ck_assert_int_eq(may(&w.src, CV_GATE_HOLD, d, &e) == 0, cases[_i].hold);
    half_made(d, cases[_i].go_on);
    end_guest(&w.src);
    world_end(&w);
}
END_TEST

/* ---- the monitor ---- */

/* A suspension that comes late is undone, but not one that somebody else has asked for long afterwards. */
START_TEST(a_late_suspension_is_expected_for_a_while)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next;
    char path[96], until[24];

    world_begin(&w);
    make_guest(&w.src, NULL);
    struct cv_host *h = &w.src.host->base;
    struct fake_domain *d = guest_of(&w.src);
    uint64_t used = d->cpu_time_ns;
    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, d->domid);
    snprintf(until, sizeof until, "%lld", (long long)cv_now_ms() + (_i ? -1 : 60000));
    ck_assert_int_eq(h->ops->xs_write(h, path, until, &err), 0);
    d->suspended = true;
    int fd = eventfd(1, EFD_CLOEXEC);
    w.src.host->watch_fd = fd;
    w.src.host->gone_at_drain = 3;
    ck_assert_msg(cv_monitor_run(h, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(d->suspended, _i);
    ck_assert_int_eq(d->cpu_time_ns > used, !_i);
    close(fd);
    reap();
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("admin");
    TCase *t = tcase_create("admin");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_guest_that_was_restarted_there_is_not_gone);
    tcase_add_test(t, a_copy_beside_its_running_source_is_dropped);
    tcase_add_loop_test(t, a_record_of_yesterday_is_no_definite_no, 0, 2);
    tcase_add_loop_test(t, a_guest_that_is_not_here_is_not_lost_before_the_other_side_was_asked, 0, 5);
    tcase_add_test(t, nothing_is_made_of_a_guest_whose_migration_is_open);
    tcase_add_test(t, a_guest_that_was_handed_over_is_started_with_a_warning);
    tcase_add_test(t, an_empty_store_is_not_one_without_records);
    tcase_add_test(t, a_name_of_digits_is_never_taken_for_a_domid);
    tcase_add_loop_test(t, an_incoming_copy_does_not_run_when_it_is_unpaused, 1, 8);
    tcase_add_loop_test(t, a_copy_that_has_run_before_its_time_is_for_a_person_to_judge, 0, 2);
    tcase_add_test(t, an_unpause_that_fails_is_looked_at);
    tcase_add_test(t, the_same_guest_made_there_meanwhile_is_seen);
    tcase_add_loop_test(t, a_guest_that_was_resumed_is_not_handed_over, 0, 3);
    tcase_add_test(t, a_guest_that_was_resumed_behind_its_hand_over_never_ran);
    tcase_add_loop_test(t, who_may_do_what, 0, 7);
    tcase_add_loop_test(t, a_late_suspension_is_expected_for_a_while, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
