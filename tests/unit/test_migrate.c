/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration between two models of hosts: what a slow, late or forgetful party does to it; what programs are told of
 * it. */
#include <check.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "base/fd.h"
#include "emulators/paths.h"

START_TEST(it_moves)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    uint8_t before[CV_PAGE_SIZE];
    memcpy(before, guest_of(&w.src)->ram[1], sizeof before);
    ck_assert_msg(migrate(&w, _i & 1, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(r.outcome, CV_OUT_TAKEN);
    ck_assert_ptr_null(guest_of(&w.src));
    ck_assert_uint_eq(w.monitors, 1);
    struct fake_domain *d = guest_of(&w.dst);
    ck_assert(runs(d) && d->has_policy && d->has_state);
    ck_assert_uint_eq(r.domid, d->domid);
    if (!(_i & 1))
        ck_assert_mem_eq(before, d->ram[1], sizeof before);
    ck_assert_uint_gt(r.timeline.bytes_wire, 0);
    ck_assert_int_gt(r.timeline.down.end_ns, r.timeline.down.start_ns);
    ck_assert_uint_eq(r.timeline.emulator_count, EMULATORS);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Whoever watched over the guest here was killed: its lock goes with what is left of the guest. */
START_TEST(a_killed_monitor_leaves_nothing)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    char path[200];
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    cv_path_monitor_lock(w.src.dir, guest_of(&w.src)->domid, path, sizeof path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    ck_assert_msg(migrate(&w, false, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* The destination takes longer for its checks than the source can keep silent: no keep-alive lies in the stream. */
START_TEST(a_slow_offer_does_no_harm)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    setenv("FAKE_QEMU_VERSION_DELAY", "5", 1);
    int rc = migrate(&w, true, &r, &err);
    unsetenv("FAKE_QEMU_VERSION_DELAY");
    ck_assert_msg(rc == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Emulators take their time to start, longer than this guest's memory to arrive: it does not stand still for them. */
START_TEST(it_runs_until_the_emulators_wait)
{
    const char *faults[EMULATORS] = { NULL, "--delay qmp_capabilities:700", "--delay qmp_capabilities:300" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, faults);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(w.monitors, 1);
    ck_assert(w.ran_there);
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

/* The passes keep to the limit; the last pages, for which the guest waits, do not. */
START_TEST(no_faster_than_it_may)
{
    int64_t took[2];

    for (int limited = 0; limited < 2; limited++) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;
        struct world w;
        static uint64_t bytes;

        world_begin(&w);
        make_guest(&w.src, NULL);
        w.limits.bandwidth_bytes_s = limited ? bytes : 0; /* a second */
        ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
        took[limited] = r.timeline.passes[0].pass.ns;
        bytes = r.timeline.passes[0].pass.bytes;
        ck_assert(one_runs(&w, false));
        world_end(&w);
    }
    ck_assert_msg(took[1] > 500000000, "%lld, and limited %lld", (long long)took[0], (long long)took[1]);
}
END_TEST

static void *cancel_soon(void *cancel)
{
    poll(NULL, 0, 500);
    cv_cancel_request(cancel);
    return NULL;
}

/* While it waits for its turn to send. */
START_TEST(cancelled_in_a_slow_pass)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cancel cancel;
    pthread_t thread;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    ck_assert_int_eq(cv_cancel_init(&cancel, NULL), 0);
    w.cancel = &cancel;
    w.limits.bandwidth_bytes_s = 1;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    pthread_join(thread, NULL);
    cv_cancel_dispose(&cancel);
    ck_assert_msg(err.code == CV_E_CANCELLED, "%s", emu_text(&err));
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    ck_assert(runs(guest_of(&w.src)) && guest_of(&w.dst) == NULL);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* A guest that did not suspend in time, and may do so when nobody waits any more, is its monitor's to resume. */
START_TEST(a_late_suspension_is_expected)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    char path[96], *value = NULL;

    world_begin(&w);
    make_guest(&w.src, NULL);
    w.src.host->suspends_late = true;
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, guest_of(&w.src)->domid);
    ck_assert_int_eq(w.src.host->base.ops->xs_read(&w.src.host->base, path, &value, &err), 0);
    ck_assert_ptr_nonnull(value);
    free(value);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* The receiver was killed after the guest's first instruction and before it had its name: recovery gives it the name.
 */
START_TEST(it_runs_and_has_no_name_yet)
{
    struct cv_journal_record rec = { .role = CV_ROLE_DESTINATION, .state = CV_J_OPEN, .name = "g", .migration = { 7 } };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.dst, NULL);
    struct fake_domain *d = guest_of(&w.dst);
    memcpy(rec.guest, d->spec.uuid, 16);
    rec.domid = d->domid;
    snprintf(d->spec.name, sizeof d->spec.name, "g--incoming");
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_create(&j, w.dst.store, &rec, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_RUNNING, NULL, &err), 0);
    cv_journal_close(&j);
    recover(&w, &w.dst);
    ck_assert_str_eq(d->spec.name, "g");
    ck_assert_int_eq(cv_journal_read(w.dst.store, rec.migration, CV_ROLE_DESTINATION, &rec, &err), 0);
    ck_assert_int_eq(rec.state, CV_J_RUNNING_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* Emulators that take longer to load than the other side may be silent: the destination says that it is alive. */
START_TEST(a_slow_load_is_no_silence)
{
    const char *faults[EMULATORS] = { NULL, "--delay load:8000" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    w.silence_ms = 6000;
    make_guest(&w.src, faults);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

static int keep_record(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    ck_assert_ptr_null(why);
    *(struct cv_journal_record *)user = *rec;
    return 0;
}

/* A destination that has said no is told that nobody will ask it any more: its record may be forgotten one day. */
START_TEST(a_no_is_acknowledged)
{
    const char *faults[EMULATORS] = { "--fail migrate-incoming" };
    struct cv_journal_record rec = { .name = "" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, faults);
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    ck_assert_int_eq(cv_journal_list(w.dst.store, keep_record, &rec, &err), 0);
    ck_assert_int_eq(rec.state, CV_J_ABORTED_SETTLED);
    ck_assert(rec.acknowledged);
    ck_assert_int_eq(cv_journal_prune(w.dst.store, UINT64_MAX, 1, &err), 1);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

#define MANUAL "docs/man/convoy-migrate.1.md" /* ctest runs tests in the checkout */

static char *manual;
static unsigned events_seen[4];

/* In the line of the manual's table that begins so. */
static void documented(const char *line_start, const char *member)
{
    char word[64];
    const char *line = strstr(manual, line_start);

    snprintf(word, sizeof word, "`%s`", member);
    ck_assert_msg(line != NULL, MANUAL " lacks the line %s", line_start);
    const char *at = strstr(line, word), *end = strchr(line, '\n');
    ck_assert_msg(at != NULL && at < end, MANUAL ": %s lacks %s", line_start, word);
}

static void note_event(struct cv_sink *s, const char *text)
{
    static const char *const names[] = { "phase", "pages", "pass", "decision" };
    json_t *o = json_loads(text, 0, NULL), *value;
    const char *name = json_string_value(json_object_get(o, "event")), *key;
    char start[64];

    (void)s;
    ck_assert_msg(name != NULL, "no event: %s", text);
    snprintf(start, sizeof start, "| `%s` |", name);
    json_object_foreach(o, key, value) if (strcmp(key, "event") != 0) documented(start, key);
    for (unsigned i = 0; i < 4; i++)
        events_seen[i] += strcmp(names[i], name) == 0;
    json_decref(o);
}

/* What programs may rely on is in the manual: every member of every event, and of the report. */
START_TEST(events_and_report_are_documented)
{
    struct cv_sink sink = { .event = note_event };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF report = { 0 };
    struct world w;
    const char *key;
    json_t *value;

    ck_assert_int_eq(cv_file_read(MANUAL, 1 << 20, &manual, NULL, &err), 0);
    world_begin(&w);
    w.sink = &sink;
    make_guest(&w.src, NULL);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_gt(events_seen[i], 0);
    ck_assert_int_eq(cv_tl_json(&r.timeline, &report, &err), 0);
    json_t *o = json_loadb((const char *)report.data, report.len, 0, NULL);
    json_object_foreach(o, key, value)
    {
        char word[64];
        snprintf(word, sizeof word, "`%s`", key);
        ck_assert_msg(strstr(manual, word) != NULL, MANUAL " lacks %s", word);
    }
    json_object_foreach(json_object_get(o, "down_parts"), key, value) documented("| `down_parts` |", key);
    json_object_foreach(json_array_get(json_object_get(o, "passes"), 0), key, value) documented("| `passes` |", key);
    json_object_foreach(json_array_get(json_object_get(o, "emulators"), 0), key, value)
        documented("| `emulators` |", key);
    json_decref(o);
    ck_assert(one_runs(&w, false));
    world_end(&w);
    free(manual);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migrate");
    TCase *t = tcase_create("migrate");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, it_moves, 0, 2);
    tcase_add_test(t, a_killed_monitor_leaves_nothing);
    tcase_add_test(t, it_runs_until_the_emulators_wait);
    tcase_add_test(t, a_slow_offer_does_no_harm);
    tcase_add_test(t, events_and_report_are_documented);
    tcase_add_test(t, a_no_is_acknowledged);
    tcase_add_test(t, a_slow_load_is_no_silence);
    tcase_add_test(t, no_faster_than_it_may);
    tcase_add_test(t, cancelled_in_a_slow_pass);
    tcase_add_test(t, a_late_suspension_is_expected);
    tcase_add_test(t, it_runs_and_has_no_name_yet);
    suite_add_tcase(s, t);
    return run_suite(s);
}
