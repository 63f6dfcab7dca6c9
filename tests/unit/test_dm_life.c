/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm's life over models of QEMU, with a toolstack's side of the conversation. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/dm_world.h"
#include "../support/emu_fixture.h"
#include "../support/run_suite.h"

/* As xl create, xl save, xl restore speak to it. */
START_TEST(a_guests_life)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    ck_assert_str_eq(dm_world_node(&w, "schema"), "1");
    ck_assert_str_eq(dm_world_node(&w, "1/name"), "net");
    ck_assert_str_eq(dm_world_node(&w, "2/state"), "running");
    json_t *o = dm_world_ask_with(&w, -1, "{\"execute\": \"qmp_capabilities\", \"id\": 42}");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "id")), 42);
    json_decref(o);
    dm_world_status_is(&w, "running");
    o = dm_world_ask(&w, "{\"execute\": \"query-chardev\"}");
    ck_assert_uint_eq(json_array_size(o), 3);
    json_decref(o);
    dm_world_tell(&w, "{\"execute\": \"query-vnc\"}");
    dm_world_tell(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": true}}");
    dm_world_tell(&w, "{\"execute\": \"stop\"}");
    dm_world_status_is(&w, "paused");
    dm_world_save(&w);
    dm_world_tell(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": false}}");
    dm_world_tell(&w, "{\"execute\": \"cont\"}");
    dm_world_status_is(&w, "running"); /* a checkpoint */
    int other = dm_world_dial(w.stat); /* xentop's */
    close(other);
    dm_world_told_to_end(&w);
    ck_assert_ptr_null(dm_world_node(&w, "")); /* the model removes the node itself only */

    int fd = open(w.state, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 3);
    dm_world_start(&w, NULL, fd);
    close(fd);
    dm_world_status_is(&w, "running");
    dm_world_tell(&w, "{\"execute\": \"stop\"}");
    dm_world_save(&w);
    dm_world_tell(&w, "{\"execute\": \"quit\"}");
    dm_world_ended(&w);
    (void)err;
    dm_world_end(&w);
}
END_TEST

START_TEST(states_go_to_a_given_descriptor)
{
    struct dm_world w;
    char text[160];
    struct stat st;
    long long id;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    dm_world_tell(&w, "{\"execute\": \"stop\"}");
    int fd = open(w.state, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    json_t *o = dm_world_ask_with(&w, fd, "{\"execute\": \"add-fd\"}");
    close(fd);
    ck_assert_int_eq(json_unpack(o, "{s:{s:I}}", "return", "fdset-id", &id), 0);
    json_decref(o);
    dm_world_refused(&w, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/dev/fdset/77\"}}",
                     "no descriptor was given");
    snprintf(text, sizeof text,
             "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/dev/fdset/%lld\"}}", id);
    dm_world_tell(&w, text);
    snprintf(text, sizeof text, "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": %lld}}", id);
    dm_world_tell(&w, text);
    ck_assert_uint_eq(w.dm.desk.fdset_count, 0);
    ck_assert_int_eq(stat(w.state, &st), 0);
    ck_assert_int_gt(st.st_size, 1000);
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

START_TEST(commands_go_where_they_belong)
{
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    dm_world_refused(&w, "{\"execute\": \"nonsense\"}", "The command has not been found");
    dm_world_refused(&w, "[1]", "must be a JSON object");
    dm_world_refused(&w, "{\"execute\": 7}", "lacks member 'execute'");
    dm_world_refused(&w, "{\"execute\": \"stop\", \"arguments\": 1}", "must be an object");
    dm_world_refused(&w, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"fd:1\"}}", "does not pass this on");
    dm_world_refused(&w, "{\"execute\": \"xen-save-devices-state\"}", "'filename' is missing");
    dm_world_refused(&w, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/nowhere/x\"}}",
                     "No such file");
    dm_world_refused(&w, "{\"execute\": \"xen-set-global-dirty-log\"}", "'enable' is missing");
    /* while it runs a state cannot be saved: the emulators refuse, and the file is not left behind */
    char text[200];
    struct stat st;
    snprintf(text, sizeof text, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\"}}",
             w.state);
    dm_world_refused(&w, text, "saved while running");
    ck_assert_int_lt(stat(w.state, &st), 0);
    dm_world_status_is(&w, "running");
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

/* One that fails is named; the dirty log is not left on in the others. */
START_TEST(one_refuses)
{
    const char *const faults[3] = { NULL, "--fail xen-set-global-dirty-log --unmigratable nvme", "--fail stop" };
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, faults, -1);
    dm_world_refused(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": true}}",
                     "emulator 1 'net'");
    dm_world_refused(&w, "{\"execute\": \"stop\"}", "emulator 2 'edu'");
    char text[200];
    snprintf(text, sizeof text, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\"}}",
             w.state);
    dm_world_refused(&w, text, "cannot be saved: State blocked by non-migratable device 'nvme'");
    dm_world_tell(&w, "{\"execute\": \"cont\"}");
    dm_world_status_is(&w, "running");
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

START_TEST(one_dies)
{
    struct dm_world w;

    for (unsigned i = 0; i < 3; i++) {
        dm_world_begin(&w);
        dm_world_start(&w, NULL, -1);
        dm_world_status_is(&w, "running");
        kill(w.dm.set.emus[i].pid, SIGKILL);
        /* its own turn of the loop, or this question's answer: whichever sees it first */
        dm_world_refused(&w, "{\"execute\": \"query-status\"}", "emulator");
        dm_world_told_to_end(&w);
        struct fake_domain *d = w.host->dom[w.domid];
        ck_assert_msg(d->paused && !d->ended, "emulator %u died, and its guest is not held", i);
        dm_world_end(&w);
    }
}
END_TEST

/* Somebody starts another one for the same domain: nodes, sockets and emulators are the first one's. */
START_TEST(a_second_one_leaves_the_first_alone)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_dm_args args;
    struct dm_world w;
    struct cv_dm dm;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    ck_assert_int_eq(cv_dm_args_parse(&args, w.argc, w.argv, &err), 0);
    cv_dm_init(&dm, &w.host->base, NULL, &w.cancel);
    ck_assert_int_eq(cv_dm_start(&dm, &args, &err), -1);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    cv_dm_dispose(&dm);
    cv_dm_args_dispose(&args);
    ck_assert_ptr_nonnull(dm_world_node(&w, "schema"));
    ck_assert_str_eq(dm_world_node(&w, "1/name"), "net");
    dm_world_status_is(&w, "running");
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

START_TEST(a_policy_for_death)
{
    static const struct {
        const char *word;
        int reason;
    } policies[] = { { "destroy", CV_SHUTDOWN_POWEROFF }, { "restart", CV_SHUTDOWN_REBOOT } };
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;
    char item[64];

    for (size_t k = 0; k < 2; k++) {
        dm_world_begin(&w);
        dm_world_command_line(&w, NULL, -1);
        snprintf(item, sizeof item, "emulator_died=%s", policies[k].word);
        dm_world_arg(&w, "-convoy");
        dm_world_arg(&w, "%s", item);
        ck_assert_int_eq(cv_dm_args_parse(&w.args, w.argc, w.argv, &err), 0);
        cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
        ck_assert_msg(cv_dm_start(&w.dm, &w.args, &err) == 0, "%s", emu_text(&err));
        dm_world_go(&w);
        kill(w.dm.set.emus[1].pid, SIGKILL);
        dm_world_refused(&w, "{\"execute\": \"stop\"}", "emulator 1 'net'");
        dm_world_told_to_end(&w);
        ck_assert(w.host->dom[w.domid]->ended);
        ck_assert_int_eq(w.host->dom[w.domid]->end_reason, policies[k].reason);
        dm_world_end(&w);
    }
}
END_TEST

START_TEST(the_domain_is_gone)
{
    uint64_t one = 1;
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    dm_world_status_is(&w, "running");
    w.host->dom[w.domid]->exists = false;
    ck_assert_int_eq(write(w.host->watch_fd, &one, sizeof one), sizeof one);
    dm_world_ended(&w);
    dm_world_end(&w);
}
END_TEST

/* The supervisor's memory is gone; another one takes the emulators over, and the guest can be saved. */
START_TEST(another_supervisor_takes_over)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    struct cv_dm second;
    cv_dm_init(&second, &w.host->base, NULL, &w.cancel);
    ck_assert_int_lt(cv_dm_adopt(&second, w.domid, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    cv_dm_dispose(&second);
    cv_dm_dispose(&w.dm); /* as if killed: sockets, lock and nodes stay */
    err = (struct cv_error)CV_ERROR_INIT;
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    ck_assert_msg(cv_dm_adopt(&w.dm, w.domid, &err) == 0, "%s", emu_text(&err));
    dm_world_go(&w);
    dm_world_status_is(&w, "running");
    dm_world_tell(&w, "{\"execute\": \"stop\"}");
    dm_world_save(&w);
    cv_cancel_request(&w.cancel);
    pthread_join(w.thread, NULL);
    w.serving = false;
    ck_assert_msg(w.rc == 0, "%s", w.err.text);
    cv_dm_dispose(&w.dm);
    cv_dm_args_dispose(&w.args);
    while (waitpid(-1, NULL, 0) > 0) /* ours, and not the second supervisor's */
        ;
    dm_world_end(&w);
}
END_TEST

START_TEST(nobody_to_take_over)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    ck_assert_int_lt(cv_dm_adopt(&w.dm, w.domid, &err), 0);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    cv_dm_dispose(&w.dm);
    dm_world_end(&w);
}
END_TEST

/* Each way in which a start fails: an error that names the emulator, and nothing is left. */
START_TEST(starts_that_fail)
{
    static const struct {
        const char *faults[3], *text;
    } bad[] = {
        { { "--die-at start" }, "emulator 0 'main'" },
        { { NULL, "--die-at start" }, "emulator 1 'net'" },
        { { NULL, NULL, "--die-at cont" }, "emulator 2 'edu'" },
        { { "--fail cont" }, "emulator 0 'main'" },
        { { NULL, "--garbage-at greeting" }, "emulator 1 'net'" },
        { { NULL, "--block 0000:00:10.0/e1000.rom@0x4100000:0x40000" }, "emulator 1 'net': has memory of its own" },
        { { "--pci 16" }, "both have a device at 00:10.0" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct dm_world w;
        dm_world_begin(&w);
        ck_assert_msg(dm_world_try(&w, bad[i].faults, -1, &err) < 0, "%zu started", i);
        ck_assert_msg(strstr(err.text, bad[i].text) != NULL, "%zu: %s", i, emu_text(&err));
        ck_assert_int_lt(access(w.socket, F_OK), 0);
        dm_world_end(&w);
    }
}
END_TEST

START_TEST(nobody_serves_a_disk_twice)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(w.host->base.ops->xs_write(&w.host->base, "/local/domain/0/backend/qdisk/1/5632/state", "1", &err),
                     0);
    ck_assert_uint_eq(w.domid, 1);
    ck_assert_int_lt(dm_world_try(&w, NULL, -1, &err), 0);
    ck_assert_msg(strstr(err.text, "1 of the guest's disks have QEMU as their PV back end") != NULL, "%s", err.text);
    dm_world_end(&w);
}
END_TEST

START_TEST(states_that_do_not_load)
{
    const char *const faults[3] = { NULL, NULL, "--die-at load" };
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, faults, -1);
    dm_world_tell(&w, "{\"execute\": \"stop\"}");
    dm_world_save(&w);
    dm_world_told_to_end(&w);
    int fd = open(w.state, O_RDWR | O_CLOEXEC);
    ck_assert_int_lt(dm_world_try(&w, NULL, fd, &err), 0); /* the layout's command lines count: it dies again */
    ck_assert_msg(strstr(err.text, "emulator 2 'edu'") != NULL, "%s", emu_text(&err));
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_eq(pwrite(fd, "x", 1, 5000), 1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_lt(dm_world_try(&w, NULL, fd, &err), 0);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    close(fd);
    dm_world_end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dm-life");
    TCase *tc = tcase_create("life");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_guests_life);
    tcase_add_test(tc, a_second_one_leaves_the_first_alone);
    tcase_add_test(tc, states_go_to_a_given_descriptor);
    tcase_add_test(tc, commands_go_where_they_belong);
    tcase_add_test(tc, one_refuses);
    tcase_add_test(tc, one_dies);
    tcase_add_test(tc, a_policy_for_death);
    tcase_add_test(tc, the_domain_is_gone);
    tcase_add_test(tc, another_supervisor_takes_over);
    tcase_add_test(tc, nobody_to_take_over);
    tcase_add_test(tc, starts_that_fail);
    tcase_add_test(tc, nobody_serves_a_disk_twice);
    tcase_add_test(tc, states_that_do_not_load);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
