/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy recover and the watcher's patience, beside others that hold or settle the same record. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "base/clock.h"
#include "base/fd.h"
#include "migrate/recover.h"
#include "migrate/watch.h"

static const uint8_t the_migration[16] = { 7 };

/* The sender of the guest that stands still at w->src died after COMMIT; at w->dst it was aborted, and settled. */
static void answer_was_lost(struct world *w)
{
    struct cv_journal_record rec = { .role = CV_ROLE_DESTINATION, .state = CV_J_OPEN, .name = "g" };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;

    memcpy(rec.migration, the_migration, 16);
    memcpy(rec.guest, guest_of(&w->src)->spec.uuid, 16);
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_create(&j, w->dst.store, &rec, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED, NULL, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED_SETTLED, NULL, &err), 0);
    cv_journal_close(&j);
    rec.role = CV_ROLE_SOURCE;
    rec.domid = guest_of(&w->src)->domid;
    ck_assert_int_eq(cv_journal_store_id(w->dst.store, rec.peer_store, &err), 0);
    ck_assert_int_eq(cv_journal_create(&j, w->src.store, &rec, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_COMMITTING, NULL, &err), 0);
    cv_journal_close(&j);
}

static void begin(struct world *w)
{
    world_begin(w);
    make_guest(&w->src, NULL);
    guest_of(&w->src)->suspended = true;
    answer_was_lost(w);
}

static enum cv_journal_state state_of(const struct world *w)
{
    struct cv_journal_record rec;
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_journal_read(w->src.store, the_migration, CV_ROLE_SOURCE, &rec, &err), 0);
    return rec.state;
}

/* ---- a destination that is away ---- */

struct away {
    struct world *w;
    unsigned calls, until;    /* the first so many find nobody */
    struct cv_cancel *cancel; /* requested at the last of them, if there is one */
    unsigned warnings;
    int tell; /* a byte for each warning; -1: none */
    unsigned outcomes[CV_OUT_GONE + 1];
    struct cv_sink sink;
};

static int dial_away(void *user, const char *command, struct cv_peer *out, struct cv_error *err)
{
    struct away *a = user;

    if (++a->calls > a->until)
        return dial_world(a->w, command, out, err);
    if (a->calls == a->until && a->cancel != NULL)
        cv_cancel_request(a->cancel);
    return cv_fail(err, CV_E_IO, 0, "no route to host");
}

static void outcome(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome out, const struct cv_error *why)
{
    (void)rec, (void)why;
    ((struct away *)user)->outcomes[out]++;
}

static void count_warning(struct cv_sink *s, enum cv_level level, const char *text)
{
    struct away *a = (struct away *)((char *)s - offsetof(struct away, sink));

    a->warnings += level == CV_LOG_WARN && strstr(text, "no route to host") != NULL;
    if (a->tell >= 0)
        ck_assert_int_eq(write(a->tell, "x", 1), 1);
}

static struct cv_recover_options options_for(struct away *a, struct world *w)
{
    *a = (struct away){ .w = w, .tell = -1, .sink = { .message = count_warning, .level = CV_LOG_WARN } };
    return (struct cv_recover_options){ .store = w->src.store,
                                        .role = CV_ROLE_SOURCE,
                                        .dial = dial_away,
                                        .dial_user = a,
                                        .settled = outcome,
                                        .settled_user = a,
                                        .pause_ms = 20 };
}

/* However often nobody is there: one question each time, one line in the log, and the guest goes on when somebody is.
 */
START_TEST(it_asks_until_there_is_an_answer)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct away a;

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    a.until = 5;
    ck_assert_msg(cv_recover_persist(&w.src.host->base, the_migration, &o, &a.sink, &err) == 0, "%s", emu_text(&err));
    join_all(&w);
    ck_assert_uint_eq(a.calls, 6);
    ck_assert_uint_eq(a.warnings, 1);
    ck_assert_uint_eq(a.outcomes[CV_OUT_KEPT], 1);
    ck_assert_int_eq(state_of(&w), CV_J_ABORTED_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* Whatever call to the host fails, and the one after it: it tries again, and the guest goes on. */
START_TEST(what_fails_is_tried_again)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct away a;

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    o.times.effect_ms = 2000;
    one_host_faults(&w.src, (unsigned)_i, 1);
    ck_assert_msg(cv_recover_persist(&w.src.host->base, the_migration, &o, &a.sink, &err) == 0, "%s", emu_text(&err));
    join_all(&w);
    one_host_faults(&w.src, 0, 0);
    ck_assert_uint_ge(a.outcomes[CV_OUT_STUCK], 1);
    ck_assert_uint_eq(a.outcomes[CV_OUT_KEPT], 1);
    ck_assert_int_eq(state_of(&w), CV_J_ABORTED_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* Told to end, it leaves the record as it is, and says why it is still open. */
START_TEST(it_ends_when_told)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cancel cancel;
    struct world w;
    struct away a;

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    ck_assert_int_eq(cv_cancel_init(&cancel, &err), 0);
    a.until = 3;
    a.cancel = o.cancel = &cancel;
    ck_assert_int_lt(cv_recover_persist(&w.src.host->base, the_migration, &o, &a.sink, &err), 0);
    ck_assert_int_eq(err.code, CV_E_OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(err.text, "no route to host"));
    ck_assert_int_eq(state_of(&w), CV_J_COMMITTING);
    cv_cancel_dispose(&cancel);
    ck_assert(guest_of(&w.src)->suspended);
    recover(&w, &w.src);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* ---- somebody else ---- */

struct other {
    struct world *w;
    struct cv_journal j;
    int told; /* readable: settle it now */
    pthread_t thread;
};

static void settle_by_hand(struct cv_journal *j)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_journal_set(j, CV_J_ABORTED, NULL, &err), 0);
    ck_assert_int_eq(cv_journal_set(j, CV_J_ABORTED_SETTLED, NULL, &err), 0);
    cv_journal_close(j);
}

/* Settled by hand, that is without the effect. */
static void end(struct world *w)
{
    ck_assert_int_eq(state_of(w), CV_J_ABORTED_SETTLED);
    guest_of(&w->src)->suspended = false;
    ck_assert(one_runs(w, true));
    world_end(w);
}

static void *settles_when_told(void *arg)
{
    struct other *o = arg;
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_gt(cv_poll_one(o->told, POLLIN, CV_NEVER, NULL, &err), 0);
    if (o->j.lock_fd < 0)
        ck_assert_int_eq(cv_journal_open(&o->j, o->w->src.store, the_migration, CV_ROLE_SOURCE, &err), 0);
    settle_by_hand(&o->j);
    return NULL;
}

/* It does not sit out its pause, which is longer here than the test may take. */
START_TEST(it_sees_that_somebody_has_settled_it)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct other other = { .w = &w, .j = CV_JOURNAL_INIT };
    struct away a;
    int told[2];

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    ck_assert_int_eq(pipe(told), 0);
    other.told = told[0];
    a.tell = told[1];
    a.until = UINT_MAX;
    o.pause_ms = 3600 * 1000;
    ck_assert_int_eq(pthread_create(&other.thread, NULL, settles_when_told, &other), 0);
    ck_assert_int_eq(cv_recover_persist(&w.src.host->base, the_migration, &o, &a.sink, &err), 0);
    pthread_join(other.thread, NULL);
    close(told[0]);
    close(told[1]);
    ck_assert_uint_eq(a.calls, 1);
    end(&w);
}
END_TEST

/* convoy recover while a watcher asks: it waits for that question's end, and says who settled it. */
START_TEST(a_question_that_is_under_way_is_waited_for)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct other other = { .w = &w, .j = CV_JOURNAL_INIT };
    struct away a;
    unsigned count = 0;
    char path[200], id[CV_ID_TEXT];

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    ck_assert_int_eq(cv_journal_open(&other.j, w.src.store, the_migration, CV_ROLE_SOURCE, &err), 0);
    /* It is settled when somebody else has opened the lock, that is found it held. */
    cv_id_format(the_migration, id);
    snprintf(path, sizeof path, "%s/%s/source.lock", w.src.store, id);
    other.told = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(other.told, path, IN_OPEN), 0);
    ck_assert_int_eq(pthread_create(&other.thread, NULL, settles_when_told, &other), 0);
    ck_assert_msg(cv_recover(&w.src.host->base, "g", &o, NULL, &count, &err) == 0, "%s", emu_text(&err));
    pthread_join(other.thread, NULL);
    close(other.told);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(a.calls, 0);
    ck_assert_uint_eq(a.outcomes[CV_OUT_NONE], 1);
    end(&w);
}
END_TEST

/* Who has decided is about to be done, and so is who settles what somebody else has left: recover waits for either. */
START_TEST(who_settles_it_is_waited_for)
{
    static const struct {
        bool left; /* by its migration: somebody else has opened it */
        enum cv_journal_state state;
    } cases[] = { { true, CV_J_OPEN }, { true, CV_J_ABORTED }, { false, CV_J_ABORTED } };
    struct cv_journal_record rec = { .role = CV_ROLE_SOURCE, .state = CV_J_OPEN, .name = "h", .migration = { 7 } };
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct other other = { .w = &w, .j = CV_JOURNAL_INIT };
    struct away a;
    unsigned count = 0;
    char path[200], id[CV_ID_TEXT];

    world_begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    ck_assert_int_eq(cv_journal_create(&other.j, w.src.store, &rec, &err), 0);
    if (cases[_i].left) {
        cv_journal_close(&other.j);
        ck_assert_int_eq(cv_journal_open(&other.j, w.src.store, the_migration, CV_ROLE_SOURCE, &err), 0);
    }
    if (cases[_i].state != CV_J_OPEN)
        ck_assert_int_eq(cv_journal_set(&other.j, cases[_i].state, NULL, &err), 0);
    cv_id_format(the_migration, id);
    snprintf(path, sizeof path, "%s/%s/source.lock", w.src.store, id);
    other.told = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(other.told, path, IN_OPEN), 0);
    ck_assert_int_eq(pthread_create(&other.thread, NULL, settles_when_told, &other), 0);
    ck_assert_msg(cv_recover(&w.src.host->base, "h", &o, NULL, &count, &err) == 0, "%s", emu_text(&err));
    pthread_join(other.thread, NULL);
    close(other.told);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(a.outcomes[CV_OUT_NONE], 1);
    world_end(&w);
}
END_TEST

/* A migration that is under way otherwise is not waited for. */
START_TEST(a_migration_under_way_is_busy)
{
    struct cv_journal_record rec = { .role = CV_ROLE_SOURCE, .state = CV_J_OPEN, .name = "g", .migration = { 9 } };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct away a;
    unsigned count = 0;

    world_begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    ck_assert_int_eq(cv_journal_create(&j, w.src.store, &rec, &err), 0);
    ck_assert_int_lt(cv_recover(&w.src.host->base, "g", &o, NULL, &count, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    cv_journal_close(&j);
    world_end(&w);
}
END_TEST

#define MORE 5

/* Of guests that are gone. */
static void more_open_records(struct world *w)
{
    for (unsigned char i = 0; i < MORE; i++) {
        struct cv_journal_record rec = {
            .role = CV_ROLE_SOURCE, .state = CV_J_OPEN, .name = "h", .migration = { 9, i }, .domid = 99
        };
        struct cv_journal j = CV_JOURNAL_INIT;
        struct cv_error err = CV_ERROR_INIT;
        ck_assert_int_eq(cv_journal_create(&j, w->src.store, &rec, &err), 0);
        cv_journal_close(&j);
    }
}

/* With no name: all there are, none is well, a damaged one is told of when the others are settled. */
START_TEST(all_that_is_open_here)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    struct away a;
    unsigned count = 1;
    char path[200];

    begin(&w);
    struct cv_recover_options o = options_for(&a, &w);
    o.store = w.src.dir;
    ck_assert_int_eq(cv_recover(&w.src.host->base, NULL, &o, NULL, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
    o.store = w.src.store;
    more_open_records(&w);
    snprintf(path, sizeof path, "%s/00000000000000000000000000000001", w.src.store);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    strcat(path, "/source");
    ck_assert_int_eq(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    ck_assert_int_lt(cv_recover(&w.src.host->base, NULL, &o, NULL, &count, &err), 0);
    join_all(&w);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    ck_assert_uint_eq(count, 1 + MORE);
    ck_assert_uint_eq(a.outcomes[CV_OUT_KEPT], 1);
    ck_assert_uint_eq(a.outcomes[CV_OUT_UNKNOWN], MORE); /* not here, and the other side has never heard of them */
    ck_assert_int_eq(state_of(&w), CV_J_ABORTED_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* ---- the watcher's ear ---- */

/* What it hears from one that ends in order, one that leaves something open, and one that dies. */
START_TEST(what_a_watcher_hears)
{
    static const struct {
        bool ends, settled, takes_over;
    } cases[] = {
        { true, true, false },
        { true, false, true },
        { false, false, true },
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cv_watch watch = CV_WATCH_INIT;
        int fds[2];
        ck_assert_int_eq(pipe(fds), 0);
        watch.fd = fds[1];
        if (cases[i].ends)
            cv_watch_end(&watch, cases[i].settled);
        else
            close(fds[1]);
        ck_assert_int_eq(cv_watch_wait(fds[0]), cases[i].takes_over);
        close(fds[0]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recover");
    TCase *t = tcase_create("recover");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, it_asks_until_there_is_an_answer);
    tcase_add_loop_test(t, what_fails_is_tried_again, 1, 16);
    tcase_add_test(t, it_ends_when_told);
    tcase_add_test(t, it_sees_that_somebody_has_settled_it);
    tcase_add_test(t, a_question_that_is_under_way_is_waited_for);
    tcase_add_loop_test(t, who_settles_it_is_waited_for, 0, 3);
    tcase_add_test(t, a_migration_under_way_is_busy);
    tcase_add_test(t, all_that_is_open_here);
    tcase_add_test(t, what_a_watcher_hears);
    suite_add_tcase(s, t);
    return run_suite(s);
}
