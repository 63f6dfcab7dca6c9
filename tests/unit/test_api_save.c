/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving, restoring and quiescing through the library, on a model of a host. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/api_door.h"
#include "../support/run_suite.h"
#include "../support/two_hosts.h"

/* ---- saving and restoring ---- */

START_TEST(saved_verified_restored_and_watched)
{
    convoy_save_options o = {
        .size = sizeof o, .after = CONVOY_AFTER_CONTINUE, .live = 1, .compress = "none", .threads = CONVOY_NO_THREADS
    };
    convoy_save_report report = { .size = sizeof report };
    convoy_restore_options r = { .size = sizeof r, .threads = 2 };
    convoy_restore_report restored = { .size = sizeof restored };
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;
    char words[40];

    door_begin(&d, &s, true);
    door_create(&d, &s);
    door_was_started(&d, "monitor 1\n");
    OK(convoy_save(d.h, "g", s.image, &o, &report, &err));
    ck_assert_uint_ge(report.passes, 2);
    ck_assert(report.bytes > FAKE_PFNS / 2 * 4096 && report.down_ns > 0 && report.total_ns >= report.down_ns);
    ck_assert_uint_gt(d.events, 5);
    ck_assert(!s.host->dom[1]->paused && !s.host->dom[1]->suspended);

    o.after = CONVOY_AFTER_DESTROY;
    o.compress = NULL;
    o.live = 0;
    int fd = open(s.image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    OK(convoy_save_fd(d.h, "g", fd, &o, NULL, &err));
    ck_assert_uint_eq(fake_host_domains(s.host), 0);
    reap();
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_restore_fd(d.h, fd, &r, &started, &restored, &err));
    close(fd);
    ck_assert_str_eq(started.name, "g");
    ck_assert_uint_eq(started.emulators, EMULATORS);
    ck_assert_int_eq(started.unwatched, 0);
    snprintf(words, sizeof words, "monitor %u\n", started.domid);
    door_was_started(&d, words);
    ck_assert(restored.bytes > 0 && restored.total_ns > 0);
    ck_assert(runs(s.host->dom[started.domid]));
    door_destroy_and_end(&d, &s);
}
END_TEST

/* A caller of an older library has smaller structures: what it has not asked for is not written, either. */
START_TEST(a_smaller_report_gets_what_it_has_room_for)
{
    struct {
        size_t size;
        uint64_t bytes;
        uint64_t guard;
    } small = { .size = 2 * sizeof(uint64_t), .guard = 0x1234567890abcdef };
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_PAUSE };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    door_create(&d, &s);
    OK(convoy_save(d.h, "g", s.image, &o, (convoy_save_report *)&small, &err));
    ck_assert_uint_gt(small.bytes, 0);
    ck_assert(small.size == 2 * sizeof(uint64_t) && small.guard == 0x1234567890abcdef);
    ck_assert(s.host->dom[1]->paused || s.host->dom[1]->suspended);
    OK(convoy_unpause(d.h, "g", NULL, &err));
    door_destroy_and_end(&d, &s);
}
END_TEST

/* And merged into one that needs no other. */
START_TEST(an_incremental_image_and_what_is_below_it)
{
    const char *parents[2] = { NULL };
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_CONTINUE, .page_hashes = 1, .parents = parents };
    convoy_image_options i = { .size = sizeof i, .parents = parents };
    convoy_restore_options r = { .size = sizeof r, .parents = parents };
    convoy_error err;
    struct one_host s;
    struct door d;
    char young[128];

    door_begin(&d, &s, false);
    door_create(&d, &s);
    OK(convoy_save(d.h, "g", s.image, &o, NULL, &err));
    memset(s.host->dom[1]->ram[17], 0xc5, CV_PAGE_SIZE);
    snprintf(young, sizeof young, "%s/young", s.dir);
    o.parent = s.image;
    o.after = CONVOY_AFTER_DESTROY;
    OK(convoy_save(d.h, "g", young, &o, NULL, &err));
    reap();
    int fd = open(young, O_RDONLY | O_CLOEXEC), full = open(s.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int scratch = open(s.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FAILS(convoy_restore_fd(d.h, fd, NULL, NULL, NULL, &err), CONVOY_NOT_FOUND, "");
    parents[0] = s.dir;
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_merge_fd(fd, full, scratch, &i, "zstd:3", &err));
    ck_assert_int_eq(lseek(full, 0, SEEK_SET), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_restore_fd(d.h, _i ? full : fd, _i ? NULL : &r, NULL, NULL, &err));
    ck_assert_int_eq(guest_of(&s)->ram[17][5], 0xc5);
    ck_assert_int_eq(guest_of(&s)->ram[19][5], 19);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close(fd);
    close(full);
    close(scratch);
    door_end(&d, &s);
}
END_TEST

START_TEST(what_a_save_refuses)
{
    static const char *const disks[] = { "xvda", NULL };
    convoy_save_options o = { .size = sizeof o, .after = (convoy_after)7 };
    convoy_restore_options r = { .size = sizeof r, .disks = disks };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    door_create(&d, &s);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "after: 7");
    o.after = CONVOY_AFTER_CONTINUE;
    o.compress = "gzip";
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "gzip");
    o.compress = NULL;
    o.threads = 1000;
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "threads: 1000");
    o.threads = 0;
    o.fixed_layout = 1;
    FAILS(convoy_save_fd(d.h, "g", 1, &o, NULL, &err), CONVOY_INVALID, "fixed_layout");
    o.compress = "zstd";
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "fixed_layout");
    o = (convoy_save_options){ .size = sizeof o };
    FAILS(convoy_quiesce(d.h, "g", &o, NULL, NULL, NULL, &err), CONVOY_INVALID, "at_freeze");
    FAILS(convoy_save(d.h, "nobody", s.image, NULL, NULL, &err), CONVOY_NOT_FOUND, "nobody");
    FAILS(convoy_restore_fd(d.h, -1, &r, NULL, NULL, &err), CONVOY_INVALID, "VDEV=PATH");
    ck_assert(runs(s.host->dom[1]));
    door_destroy_and_end(&d, &s);
}
END_TEST

START_TEST(a_cancelled_save_leaves_the_guest_running)
{
    convoy_save_options o = { .size = sizeof o };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    door_create(&d, &s);
    o.cancel = convoy_cancel_new(&err);
    convoy_cancel_request(o.cancel);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_CANCELLED, "cancelled");
    convoy_cancel_free(o.cancel);
    ck_assert(runs(s.host->dom[1]));
    ck_assert_int_eq(access(s.image, F_OK), -1);
    door_destroy_and_end(&d, &s);
}
END_TEST

START_TEST(quiesced_with_what_the_command_printed)
{
    convoy_save_options o = { .size = sizeof o, .at_freeze = "echo seen; echo again" };
    convoy_save_report report = { .size = sizeof report };
    convoy_error err;
    struct one_host s;
    struct door d;
    char *output = NULL;
    size_t length = 0;

    door_begin(&d, &s, false);
    door_create(&d, &s);
    OK(convoy_quiesce(d.h, "g", &o, &report, &output, &length, &err));
    ck_assert_str_eq(output, "seen\nagain\n");
    ck_assert_uint_eq(length, strlen(output));
    ck_assert(report.down_ns > 0 && report.freeze_ns > 0);
    convoy_free(output);
    o.at_freeze = "echo no; exit 3";
    FAILS(convoy_quiesce(d.h, "g", &o, &report, &output, &length, &err), CONVOY_IO, "3");
    ck_assert_str_eq(output, "no\n");
    convoy_free(output);
    ck_assert(runs(s.host->dom[1]));
    door_destroy_and_end(&d, &s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_save");
    TCase *t = tcase_create("calls");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, saved_verified_restored_and_watched);
    tcase_add_test(t, a_smaller_report_gets_what_it_has_room_for);
    tcase_add_loop_test(t, an_incremental_image_and_what_is_below_it, 0, 2);
    tcase_add_test(t, what_a_save_refuses);
    tcase_add_test(t, a_cancelled_save_leaves_the_guest_running);
    tcase_add_test(t, quiesced_with_what_the_command_printed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
