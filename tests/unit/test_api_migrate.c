/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving guests through the library, and what comes after a crash, on models of two hosts. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/api_door.h"
#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "handover/journal.h"

/* ---- moving ---- */

struct other_side {
    struct world *w;
    char forth[128], back[128];
    int rc;
    convoy_error err;
    struct door door;
};

/* What the command at the other host is: here a thread, between two named pipes. */
static void *other_side(void *arg)
{
    struct other_side *o = arg;
    int in = open(o->forth, O_RDONLY | O_CLOEXEC), out = open(o->back, O_WRONLY | O_CLOEXEC);

    door_open(&o->door, &o->w->dst, true);
    o->rc = convoy_migrate_receive(o->door.h, in, out, NULL, &o->err);
    close(in);
    close(out);
    return NULL;
}

START_TEST(moved_received_reported_and_watched)
{
    convoy_migrate_options opt = { .size = sizeof opt, .threads = 1, .compress = "none", .not_live = _i };
    convoy_migrate_result result = { .size = sizeof result };
    convoy_migration *m = NULL;
    struct other_side there = { 0 };
    convoy_error err;
    struct world w;
    struct door here;
    pthread_t thread;
    char command[600], *text;

    world_begin(&w);
    there.w = &w;
    door_open(&here, &w.src, true);
    door_create(&here, &w.src);
    door_was_started(&here, "monitor 1\n");
    snprintf(there.forth, sizeof there.forth, "%s/forth", w.dst.dir);
    snprintf(there.back, sizeof there.back, "%s/back", w.dst.dir);
    ck_assert(mkfifo(there.forth, 0600) == 0 && mkfifo(there.back, 0600) == 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, other_side, &there), 0);
    snprintf(command, sizeof command, "exec 3<&0; cat <&3 >%s & exec 3<&-; exec cat %s", there.forth, there.back);
    opt.command = command;
    OK(convoy_migrate(here.h, "g", "there", &opt, &m, &err));
    pthread_join(thread, NULL);
    ck_assert_msg(there.rc == 0, "%s", there.err.text);
    OK(convoy_migration_result(m, &result, &err));
    ck_assert_int_eq(result.outcome, CONVOY_TAKEN);
    ck_assert(result.bytes > 0 && result.pages > 0 && result.down_ns > 0 && result.total_ns >= result.down_ns);
    struct fake_domain *g = guest_of(&w.dst);
    ck_assert(g != NULL && runs(g) && g->domid == result.domid);
    ck_assert_ptr_null(guest_of(&w.src));
    door_was_started(&here, "recover --watch source");
    snprintf(command, sizeof command, "monitor %u\n", g->domid);
    door_was_started(&there.door, command);
    static const char *const words[] = { "down time", "{", "<svg" };
    for (unsigned i = 0; i < 3; i++) {
        OK(convoy_migration_report(m, (convoy_format)i, &text, &err));
        ck_assert_msg(strstr(text, words[i]) != NULL, "%s", text);
        convoy_free(text);
    }
    FAILS(convoy_migration_report(m, (convoy_format)3, &text, &err), CONVOY_INVALID, "format");
    result.size = 0;
    FAILS(convoy_migration_result(m, &result, &err), CONVOY_INVALID, "convoy_migrate_result");
    convoy_migration_free(m);
    door_close(&here, &w.src);
    door_close(&there.door, &w.dst);
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

START_TEST(a_peer_that_is_not_there_leaves_the_guest_alone)
{
    convoy_migrate_options opt = { .size = sizeof opt, .command = "exit 7" };
    convoy_migrate_result result = { .size = sizeof result };
    convoy_check_options check = { .size = sizeof check, .peer = "there", .command = "exit 7" };
    convoy_migration *m = NULL;
    convoy_error err;
    struct one_host s;
    struct door d;
    char *text;

    door_begin(&d, &s, true);
    door_create(&d, &s);
    door_was_started(&d, "monitor 1\n");
    FAILS(convoy_migrate(d.h, "g", "there", &opt, &m, &err), CONVOY_PEER, "");
    OK(convoy_migration_result(m, &result, &err));
    ck_assert_int_eq(result.outcome, CONVOY_NOT_BEGUN);
    convoy_migration_free(m);
    opt.on_timeout = (convoy_stuck)9;
    FAILS(convoy_migrate(d.h, "g", "there", &opt, &m, &err), CONVOY_INVALID, "on_timeout: 9");
    ck_assert_ptr_null(m);
    FAILS(convoy_check(d.h, "g", &check, &text, &err), CONVOY_PEER, "there");
    ck_assert_ptr_nonnull(strstr(text, "\"check\": \"host\""));
    convoy_free(text);
    ck_assert(runs(s.host->dom[1]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    door_close(&d, &s);
    one_host_end(&s);
}
END_TEST

/* ---- after a crash ---- */

static void a_record(struct one_host *s, const struct fake_domain *d)
{
    struct cv_journal_record rec = { .role = CV_ROLE_SOURCE,
                                     .state = CV_J_OPEN,
                                     .domid = d->domid,
                                     .migration = { 7 },
                                     .name = "g",
                                     .peer = "there",
                                     .command = "exit 7" };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;

    memcpy(rec.guest, d->spec.uuid, 16);
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(s->store, rec.peer_store, &err), 0);
    ck_assert_msg(cv_journal_create(&j, s->store, &rec, &err) == 0, "%s", err.text);
    cv_journal_close(&j);
}

struct heard {
    convoy_host *h;
    unsigned count;
};

static void hear(void *user, const convoy_settled *what)
{
    struct heard *heard = user;
    convoy_error err;
    char *text;

    heard->count++;
    ck_assert_int_eq(what->outcome, CONVOY_KEPT);
    ck_assert_int_eq(what->role, CONVOY_SOURCE);
    ck_assert_str_eq(what->guest, "g");
    ck_assert_str_eq(what->uuid, "11112222-3333-4444-5555-666677778888");
    ck_assert_str_eq(what->migration, "07000000000000000000000000000000");
    ck_assert_str_eq(what->peer, "there");
    ck_assert_ptr_null(what->why);
    OK(convoy_list(heard->h, NULL, &text, &err)); /* the one call that a callback may make */
    convoy_free(text);
}

/* In three ways: by name, all of them, and as the process does that stands beside a migration. */
START_TEST(a_migration_that_was_cut_off_is_settled)
{
    convoy_recover_options o = { .size = sizeof o, .settled = hear };
    struct heard heard = { 0 };
    convoy_error err;
    unsigned count = 9;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    o.user = &heard;
    heard.h = d.h;
    OK(convoy_recover(d.h, NULL, &o, &count, &err));
    ck_assert_uint_eq(count, 0);
    uint32_t domid = door_create(&d, &s);
    a_record(&s, s.host->dom[domid]);
    s.host->dom[domid]->suspended = true;
    FAILS(convoy_recover(d.h, "nobody", &o, &count, &err), CONVOY_NOT_FOUND, "nobody");
    o.assume = CONVOY_ASSUME_RUNNING;
    FAILS(convoy_recover(d.h, NULL, &o, &count, &err), CONVOY_INVALID, "assume");
    o.assume = (convoy_assume)5;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "assume: 5");
    o.assume = CONVOY_ASSUME_NOTHING;
    o.persist = 1;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "persist");
    o.role = CONVOY_SOURCE;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "id");
    o.persist = _i == 2;
    OK(convoy_recover(d.h, _i == 0 ? "g" : _i == 1 ? NULL : "07000000000000000000000000000000", &o, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert(runs(s.host->dom[domid]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    door_close(&d, &s);
    one_host_end(&s);
}
END_TEST

START_TEST(a_watcher_waits_for_a_word_or_an_end)
{
    for (int well = 0; well < 2; well++) {
        int fds[2];
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        if (well)
            ck_assert_int_eq(write(fds[1], "k", 1), 1);
        close(fds[1]);
        ck_assert_int_eq(convoy_watch_wait(fds[0]), !well);
        close(fds[0]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_migrate");
    TCase *t = tcase_create("calls");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, moved_received_reported_and_watched, 0, 2);
    tcase_add_test(t, a_peer_that_is_not_there_leaves_the_guest_alone);
    tcase_add_loop_test(t, a_migration_that_was_cut_off_is_settled, 0, 3);
    tcase_add_test(t, a_watcher_waits_for_a_word_or_an_end);
    suite_add_tcase(s, t);
    return run_suite(s);
}
