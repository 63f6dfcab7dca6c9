/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The set against models of QEMU: all together, every fault at every position, nothing left behind. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/run_suite.h"
#include "base/clock.h"
#include "base/priority.h"
#include "emulators/state_memory.h"
#include "base/process.h"

static void all_are(struct emu_fixture *f, const char *status)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_wait w = emu_wait(5000);
    cv_emu_status seen[CV_DM_MAX];

    EMU_OK(cv_emuset_status(&f->set, &w, seen, NULL, &err));
    for (unsigned i = 0; i < f->set.count; i++)
        ck_assert_str_eq(seen[i], status);
}

/* The whole life of n emulators: create, run, log, save, quit, restore into new ones. */
START_TEST(life_of_one_to_eight)
{
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    struct cv_emu_results res;
    uint64_t sizes[CV_DM_MAX];
    unsigned n = (unsigned)_i;

    emu_fixture_begin(&f, n, NULL);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    all_are(&f, "prelaunch");
    struct cv_emu_wait w = emu_wait(10000);
    EMU_OK(cv_emuset_survey(&f.set, &f.layout, &w, &err));
    ck_assert_str_eq(f.layout.dms[n - 1].version, "7.2.0");
    EMU_OK(cv_emuset_cont(&f.set, &w, NULL, &err));
    all_are(&f, "running");
    EMU_OK(cv_emuset_check_migratable(&f.set, &w, NULL, &err));
    EMU_OK(cv_emuset_dirty_log(&f.set, true, &w, NULL, &err));
    EMU_OK(cv_emuset_stop(&f.set, &w, &res, &err));
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(res.emu[i].state, CV_EMU_DONE);
    emu_fixture_states(&f, true);
    EMU_OK(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, NULL, &err));
    for (unsigned i = 0; i < n; i++)
        ck_assert_uint_gt(sizes[i], 27);
    EMU_OK(cv_emuset_dirty_log(&f.set, false, &w, NULL, &err));
    EMU_OK(cv_emuset_alive(&f.set, &err));
    EMU_OK(cv_emuset_quit(&f.set, &w, &err));
    emu_fixture_must_start(&f, CV_SPAWN_INCOMING);
    all_are(&f, "inmigrate");
    EMU_OK(cv_emuset_survey(&f.set, &f.layout, &w, &err));
    emu_fixture_states(&f, false);
    EMU_OK(cv_emuset_load_state(&f.set, f.states, &w, NULL, &err));
    all_are(&f, "paused");
    EMU_OK(cv_emuset_cont(&f.set, &w, NULL, &err));
    emu_fixture_end(&f);
}
END_TEST

/* One fault, at each position: the error names the emulator, the others are done, nothing hangs, nothing leaks. */
struct fault_case {
    const char *fault, *op, *text;
    enum cv_code code;
    enum cv_emu_state state;
    int timeout_ms, at_most_ms;
};
static const struct fault_case fault_cases[] = {
    { "--fail stop", "stop", "stop: model: told to fail", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--die-at stop", "stop", "ended with status 3: fake-qemu: dies at stop", CV_E_EMULATOR, CV_EMU_DIED, 5000, 2000 },
    { "--silent-at stop", "stop", "stop: no answer in time", CV_E_TIMEOUT, CV_EMU_TIMED_OUT, 300, 2000 },
    { "--garbage-at stop", "stop", "stop: sends what is not a JSON object", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--half-at stop", "stop", "stop: no answer in time", CV_E_TIMEOUT, CV_EMU_TIMED_OUT, 300, 2000 },
    { "--close-at stop", "stop", "stop: it closed its QMP connection", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--long-at stop", "stop", "stop: sends a line of more than 1 MiB", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 4000 },
    { "--deep-at stop", "stop", "stop: sends what is not a JSON object", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--fail cont", "cont", "cont: model", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--fail xen-set-global-dirty-log", "log", "xen-set-global-dirty-log: model", CV_E_EMULATOR, CV_EMU_FAILED, 5000,
      2000 },
    { "--die-at xen-set-global-dirty-log", "log", "ended with status 3", CV_E_EMULATOR, CV_EMU_DIED, 5000, 2000 },
    { "--fail query-status", "status", "query-status: model", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--blocked device-x", "check", "cannot be saved: device-x", CV_E_UNSUPPORTED, CV_EMU_FAILED, 5000, 2000 },
    { "--unmigratable 0000:00:09.0/nvme", "check",
      "cannot be saved: State blocked by non-migratable device '0000:00:09.0/nvme'", CV_E_UNSUPPORTED, CV_EMU_FAILED,
      5000, 2000 },
    { "--fail add-fd", "save", "add-fd: model", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--fail xen-save-devices-state", "save", "xen-save-devices-state: model", CV_E_EMULATOR, CV_EMU_FAILED, 5000,
      2000 },
    { "--die-at xen-save-devices-state", "save", "ended with status 3", CV_E_EMULATOR, CV_EMU_DIED, 5000, 2000 },
    { "--silent-at xen-save-devices-state", "save", "no answer in time", CV_E_TIMEOUT, CV_EMU_TIMED_OUT, 300, 2000 },
    { "--no-eof", "save", "bytes is not whole", CV_E_EMULATOR, CV_EMU_FAILED, 5000, 2000 },
    { "--flood stop:20000", "stop", NULL, CV_OK, CV_EMU_DONE, 9000, 9000 },
};
#define FAULT_CASES (sizeof fault_cases / sizeof *fault_cases)

static int run_op(struct emu_fixture *f, const char *op, const struct cv_emu_wait *w, struct cv_emu_results *res,
                  struct cv_error *err)
{
    cv_emu_status status[CV_DM_MAX];
    uint64_t sizes[CV_DM_MAX];

    if (strcmp(op, "stop") == 0)
        return cv_emuset_stop(&f->set, w, res, err);
    if (strcmp(op, "cont") == 0)
        return cv_emuset_cont(&f->set, w, res, err);
    if (strcmp(op, "log") == 0)
        return cv_emuset_dirty_log(&f->set, true, w, res, err);
    if (strcmp(op, "status") == 0)
        return cv_emuset_status(&f->set, w, status, res, err);
    if (strcmp(op, "check") == 0)
        return cv_emuset_check_migratable(&f->set, w, res, err);
    emu_fixture_states(f, true);
    return cv_emuset_save_state(&f->set, f->states, false, sizes, w, res, err);
}

static void one_fault(const struct fault_case *c, unsigned n, unsigned at)
{
    const char *faults[CV_DM_MAX] = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct emu_fixture f;
    char frame[64];

    faults[at] = c->fault;
    emu_fixture_begin(&f, n, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    struct cv_emu_wait w = emu_wait(c->timeout_ms);
    int64_t start = cv_now_ms();
    int rc = run_op(&f, c->op, &w, &res, &err);
    ck_assert_int_le(cv_now_ms() - start, c->at_most_ms);
    ck_assert_int_eq(rc, c->code == CV_OK ? 0 : -1);
    for (unsigned i = 0; i < n; i++)
        ck_assert_msg(res.emu[i].state == (i == at ? c->state : CV_EMU_DONE), "%s at %u: emulator %u is %d: %s",
                      c->fault, at, i, res.emu[i].state, emu_text(&res.emu[i].err));
    if (c->code != CV_OK) {
        snprintf(frame, sizeof frame, "emulator %u '%s%u': ", at, at ? "dm" : "main", at);
        ck_assert_msg(strncmp(err.text, frame, strlen(frame)) == 0, "%s: %s", c->fault, err.text);
        ck_assert_msg(strstr(err.text, c->text) != NULL, "%s: %s", c->fault, err.text);
        ck_assert_msg(err.code == c->code, "%s: code %d: %s", c->fault, err.code, err.text);
    }
    emu_fixture_end(&f);
}

START_TEST(every_fault_at_every_position)
{
    for (unsigned at = 0; at < 3; at++)
        one_fault(&fault_cases[_i], 3, at);
}
END_TEST

START_TEST(faults_among_eight)
{
    one_fault(&fault_cases[1], 8, 5);
    one_fault(&fault_cases[2], 8, 0);
    one_fault(&fault_cases[16], 8, 7);
}
END_TEST

/* Faults of a start: all others are gone afterwards, no socket is left. */
static const struct fault_case start_cases[] = {
    { "--die-at start", NULL, "ended with status 3: fake-qemu: dies at start", CV_E_EMULATOR, 0, 5000, 3000 },
    { "--silent-at greeting", NULL, "no greeting on its QMP socket in time", CV_E_BUSY, 0, 500, 3000 },
    { "--garbage-at greeting", NULL, "sends what is not a JSON object", CV_E_EMULATOR, 0, 5000, 3000 },
    { "--close-at greeting", NULL, "it closed its QMP connection", CV_E_EMULATOR, 0, 5000, 3000 },
    { "--fail qmp_capabilities", NULL, "qmp_capabilities: model: told to fail", CV_E_EMULATOR, 0, 5000, 3000 },
    { "--silent-at qmp_capabilities", NULL, "its machine is not complete yet", CV_E_TIMEOUT, 0, 500, 3000 },
    { "--die-at query-version", NULL, "ended with status 3", CV_E_EMULATOR, 0, 5000, 3000 },
};
#define START_CASES (sizeof start_cases / sizeof *start_cases)

START_TEST(a_failed_start_leaves_nothing)
{
    const struct fault_case *c = &start_cases[_i];

    for (unsigned at = 0; at < 4; at++) {
        const char *faults[CV_DM_MAX] = { 0 };
        struct cv_error err = CV_ERROR_INIT;
        struct emu_fixture f;
        faults[at] = c->fault;
        emu_fixture_begin(&f, 4, faults);
        int64_t start = cv_now_ms();
        ck_assert_int_eq(emu_fixture_start(&f, CV_SPAWN_CREATE, c->timeout_ms, &err), -1);
        ck_assert_int_le(cv_now_ms() - start, c->at_most_ms);
        ck_assert_msg(strstr(err.text, c->text) != NULL && err.code == c->code, "%s at %u: %d %s", c->fault, at,
                      err.code, err.text);
        ck_assert_uint_eq(emu_children(), 0);
        emu_fixture_end(&f);
    }
}
END_TEST

/* Whoever starts them may be in the background just then (migrate): they are not, for a guest's lifetime. */
START_TEST(emulators_are_not_in_the_background)
{
    struct emu_fixture f;

    if (geteuid() != 0) /* only root goes forward again */
        return;
    cv_process_own();
    int own = cv_nice_own();
    cv_nice(0, CV_NICE_BACKGROUND);
    emu_fixture_begin(&f, 2, NULL);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)f.set.emus[i].pid), own);
    emu_fixture_end(&f);
}
END_TEST

START_TEST(a_missing_program_is_named)
{
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;

    emu_fixture_begin(&f, 2, NULL);
    f.layout.dms[1].argv.items[0] = "/nonexistent/qemu";
    ck_assert_int_eq(emu_fixture_start(&f, CV_SPAWN_CREATE, 5000, &err), -1);
    ck_assert_str_eq(emu_text(&err), "emulator 1 'dm1': start /nonexistent/qemu: No such file or directory");
    emu_fixture_end(&f);
}
END_TEST

/* Every emulator loads its own state and no other's. */
START_TEST(a_wrong_or_bad_state_is_refused)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];

    for (int bad = 0; bad < 2; bad++) {
        emu_fixture_begin(&f, 3, NULL);
        emu_fixture_must_start(&f, CV_SPAWN_CREATE);
        emu_fixture_states(&f, true);
        struct cv_emu_wait w = emu_wait(5000);
        EMU_OK(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, NULL, &err));
        EMU_OK(cv_emuset_quit(&f.set, &w, &err));
        emu_fixture_must_start(&f, CV_SPAWN_INCOMING);
        emu_fixture_states(&f, false);
        int fds[CV_DM_MAX] = { f.states[0], bad ? f.states[1] : f.states[2], f.states[2] };
        if (bad) {
            ck_assert_int_eq(ftruncate(fds[1], 5), -1); /* what was taken stays as it is */
            fds[1] = cv_state_memory_to_load(1, &err);
            ck_assert_int_eq(write(fds[1], "QEVM", 5), 5);
            ck_assert_int_eq(lseek(fds[1], 0, SEEK_SET), 0);
        }
        ck_assert_int_eq(cv_emuset_load_state(&f.set, fds, &w, &res, &err), -1);
        ck_assert_int_eq(res.emu[0].state, CV_EMU_DONE);
        ck_assert_int_eq(res.emu[1].state, CV_EMU_DIED);
        ck_assert_msg(strstr(err.text, "emulator 1 'dm1'") && strstr(err.text, "load of migration failed"), "%s",
                      err.text);
        if (bad)
            close(fds[1]);
        emu_fixture_end(&f);
    }
}
END_TEST

/* An emulator may be the guest's by then. */
START_TEST(a_state_is_no_larger_than_it_may_be)
{
    static const char *const faults[CV_DM_MAX] = { NULL, "--state-bytes 3000000000", NULL };
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];
    struct stat st;

    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    emu_fixture_states(&f, true);
    struct cv_emu_wait w = emu_wait(5000);
    ck_assert_int_eq(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "emulator 1 'dm1': its state of 3000000000 bytes is too large: at most 64 MiB"),
                  "%s", err.text);
    ck_assert_int_eq(fstat(f.states[1], &st), 0);
    ck_assert_int_eq(st.st_size, 0); /* given back, and it gets no more */
    ck_assert_int_eq(ftruncate(f.states[1], 4096), -1);
    /* and what was looked at stays as it is, whoever still has it open */
    int again = cv_state_reopen(f.states[0], O_RDWR, &err);
    ck_assert_int_ge(again, 0);
    ck_assert_int_eq(pwrite(again, "x", 1, 0), -1);
    ck_assert_int_eq(ftruncate(again, 1 << 20), -1);
    close(again);
    ck_assert_int_eq(fstat(f.states[0], &st), 0);
    ck_assert_uint_eq((uint64_t)st.st_size, sizes[0]);
    emu_fixture_end(&f);
}
END_TEST

/* The process that starts them is killed while they start: the gate's file is gone already. */
START_TEST(a_killed_start_leaves_no_gate)
{
    static const char *const faults[CV_DM_MAX] = { NULL, "--delay greeting:60000" };
    char path[100], gate[100], children[64];
    struct emu_fixture f;
    int first = 0, second = 0;

    emu_fixture_begin(&f, 2, faults);
    pid_t pid = fork();
    if (pid == 0) {
        struct cv_error err;
        (void)!emu_fixture_start(&f, CV_SPAWN_CREATE, 60000, &err);
        _exit(1);
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    for (int64_t until = cv_after_ms(20000); second == 0 && cv_now_ms() < until; usleep(5000)) {
        FILE *file = fopen(path, "r");
        if (file != NULL && fgets(children, sizeof children, file) != NULL)
            sscanf(children, "%d %d", &first, &second);
        if (file != NULL)
            fclose(file);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_msg(second > 0, "two were to be started");
    kill(first, SIGKILL);
    kill(second, SIGKILL);
    ck_assert_int_eq(access(cv_path_gate(f.dir, 7, gate, sizeof gate), F_OK), -1);
    char command[200];
    snprintf(command, sizeof command, "rm -f %s/qmp-*", f.dir);
    ck_assert_int_eq(system(command), 0);
    emu_fixture_end(&f);
}
END_TEST

START_TEST(eight_states_take_hardly_longer_than_one)
{
    const char *faults[CV_DM_MAX];
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];
    const int64_t each_ns = 400 * 1000000LL;

    for (unsigned i = 0; i < 8; i++)
        faults[i] = "--delay xen-save-devices-state:400";
    emu_fixture_begin(&f, 8, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    emu_fixture_states(&f, true);
    struct cv_emu_wait w = emu_wait(10000);
    EMU_OK(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, &res, &err));
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_ge(res.emu[i].ns, each_ns);
    ck_assert_msg(res.ns <= each_ns * 13 / 10, "%lld ns for eight, %lld for one", (long long)res.ns,
                  (long long)each_ns);
    emu_fixture_end(&f);
}
END_TEST

START_TEST(loads_run_side_by_side_too)
{
    const char *faults[CV_DM_MAX];
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];

    for (unsigned i = 0; i < 8; i++)
        faults[i] = "--delay load:300";
    emu_fixture_begin(&f, 8, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    emu_fixture_states(&f, true);
    struct cv_emu_wait w = emu_wait(10000);
    EMU_OK(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, NULL, &err));
    EMU_OK(cv_emuset_quit(&f.set, &w, &err));
    emu_fixture_must_start(&f, CV_SPAWN_INCOMING);
    EMU_OK(cv_emuset_load_state(&f.set, f.states, &w, &res, &err));
    ck_assert_int_le(res.ns, 300 * 13 / 10 * 1000000LL);
    emu_fixture_end(&f);
}
END_TEST

/* 0: nobody asks for the status of one that says by itself when it has loaded.  1: one that says nothing is asked. */
START_TEST(a_load_is_over_when_the_emulator_says_so)
{
    const char *fault = _i == 0 ? "--fail query-status" : "--no-events";
    const char *faults[CV_DM_MAX] = { fault, fault, fault };
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];

    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    emu_fixture_states(&f, true);
    struct cv_emu_wait w = emu_wait(10000);
    EMU_OK(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, NULL, &err));
    EMU_OK(cv_emuset_quit(&f.set, &w, &err));
    emu_fixture_must_start(&f, CV_SPAWN_INCOMING);
    emu_fixture_states(&f, false);
    EMU_OK(cv_emuset_load_state(&f.set, f.states, &w, NULL, &err));
    EMU_OK(cv_emuset_cont(&f.set, &w, NULL, &err));
    emu_fixture_end(&f);
}
END_TEST

START_TEST(cancel_ends_the_wait_and_undo_goes_on)
{
    const char *faults[CV_DM_MAX] = { NULL, "--silent-at stop" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct cv_cancel cancel;
    struct emu_fixture f;

    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    EMU_OK(cv_cancel_init(&cancel, &err));
    cv_cancel_request(&cancel);
    struct cv_emu_wait w = emu_wait(60000);
    w.cancel = &cancel;
    ck_assert_int_eq(cv_emuset_stop(&f.set, &w, &res, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    cv_cancel_dispose(&cancel);
    /* undo: without the token; the late answers of the first command do not confuse it */
    struct cv_emu_wait undo = emu_wait(5000);
    EMU_OK(cv_emuset_cont(&f.set, &undo, NULL, &err));
    all_are(&f, "running");
    emu_fixture_end(&f);
}
END_TEST

START_TEST(a_late_answer_is_not_taken_for_the_next)
{
    const char *faults[CV_DM_MAX] = { "--delay stop:300" };
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;

    emu_fixture_begin(&f, 1, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    struct cv_emu_wait w = emu_wait(50);
    ck_assert_int_eq(cv_emuset_stop(&f.set, &w, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_TIMEOUT);
    all_are(&f, "prelaunch");
    emu_fixture_end(&f);
}
END_TEST

START_TEST(a_killed_emulator_fails_at_once)
{
    const char *faults[CV_DM_MAX] = { NULL, NULL, "--silent-at stop" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;
    struct emu_fixture f;

    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    ck_assert_int_eq(kill(f.set.emus[2].pid, SIGKILL), 0);
    struct cv_emu_wait w = emu_wait(60000);
    int64_t start = cv_now_ms();
    ck_assert_int_eq(cv_emuset_stop(&f.set, &w, &res, &err), -1);
    ck_assert_int_le(cv_now_ms() - start, 2000);
    ck_assert_msg(strstr(err.text, "emulator 2 'dm2': its process") && strstr(err.text, "killed by signal 9"), "%s",
                  err.text);
    ck_assert_str_eq(strchr(err.text, '('), "(Killed)"); /* what its log says is not the cause */
    ck_assert_int_eq(res.emu[0].state, CV_EMU_DONE);
    ck_assert_int_eq(cv_emuset_alive(&f.set, &err), -1);
    emu_fixture_end(&f);
}
END_TEST

START_TEST(quit_ends_frozen_and_mute_emulators)
{
    const char *faults[CV_DM_MAX] = { NULL, "--silent-at quit" };
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;

    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    ck_assert_int_eq(kill(f.set.emus[2].pid, SIGSTOP), 0);
    struct cv_emu_wait w = emu_wait(900);
    EMU_OK(cv_emuset_quit(&f.set, &w, &err));
    ck_assert_uint_eq(emu_children(), 0);
    emu_fixture_end(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("set");
    TCase *t = tcase_create("life");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, life_of_one_to_eight, 1, 9);
    tcase_add_loop_test(t, every_fault_at_every_position, 0, FAULT_CASES);
    tcase_add_test(t, faults_among_eight);
    tcase_add_loop_test(t, a_failed_start_leaves_nothing, 0, START_CASES);
    tcase_add_test(t, emulators_are_not_in_the_background);
    tcase_add_test(t, a_missing_program_is_named);
    tcase_add_test(t, a_wrong_or_bad_state_is_refused);
    tcase_add_test(t, a_state_is_no_larger_than_it_may_be);
    tcase_add_test(t, a_killed_start_leaves_no_gate);
    tcase_add_test(t, eight_states_take_hardly_longer_than_one);
    tcase_add_test(t, loads_run_side_by_side_too);
    tcase_add_loop_test(t, a_load_is_over_when_the_emulator_says_so, 0, 2);
    tcase_add_test(t, cancel_ends_the_wait_and_undo_goes_on);
    tcase_add_test(t, a_late_answer_is_not_taken_for_the_next);
    tcase_add_test(t, a_killed_emulator_fails_at_once);
    tcase_add_test(t, quit_ends_frozen_and_mute_emulators);
    suite_add_tcase(s, t);
    return run_suite(s);
}
