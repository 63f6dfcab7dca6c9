/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm when an emulator or a supervisor dies or stands still while a toolstack saves its guest. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/dm_world.h"
#include "../support/emu_fixture.h"
#include "../support/run_suite.h"
#include "base/clock.h"

static const char stop[] = "{\"execute\": \"stop\"}", cont[] = "{\"execute\": \"cont\"}",
                  query[] = "{\"execute\": \"query-status\"}";

static pid_t pid_of(const struct dm_world *w, unsigned dmid) { return w->dm.set.emus[dmid].pid; }

/* As if the supervisor were killed: sockets, lock and nodes stay. */
static void killed(struct dm_world *w)
{
    cv_cancel_request(&w->cancel); /* (its loop has not begun) */
    cv_dm_dispose(&w->dm);
    cv_cancel_dispose(&w->cancel);
    ck_assert_int_eq(cv_cancel_init(&w->cancel, NULL), 0);
}

static void taken_over(struct dm_world *w)
{
    struct cv_error err = CV_ERROR_INIT;

    cv_dm_init(&w->dm, &w->host->base, NULL, &w->cancel);
    ck_assert_msg(cv_dm_adopt(&w->dm, w->domid, &err) == 0, "%s", emu_text(&err));
}

static void ended(struct dm_world *w)
{
    cv_cancel_request(&w->cancel);
    pthread_join(w->thread, NULL);
    w->serving = false;
    ck_assert_msg(w->rc == 0, "%s", w->err.text);
    cv_dm_dispose(&w->dm);
    cv_dm_args_dispose(&w->args);
    while (waitpid(-1, NULL, 0) > 0) /* ours, and not the second supervisor's */
        ;
    dm_world_end(w);
}

/* libxl leaves a guest suspended for ever when its "cont" is refused. */
START_TEST(a_silent_emulator_does_not_keep_the_guest_suspended)
{
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    dm_world_tell(&w, cont);
    kill(pid_of(&w, 2), SIGSTOP);
    dm_world_refused(&w, stop, "emulator 2 'edu': stop: no answer in time");
    dm_world_tell(&w, cont);
    kill(pid_of(&w, 2), SIGCONT);
    dm_world_status_is(&w, "running"); /* it did what it was told, in order */
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

/* A guest that begins here needs all of them, for it may go on where it came from. */
START_TEST(the_first_cont_needs_all)
{
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    kill(pid_of(&w, 1), SIGSTOP);
    dm_world_refused(&w, cont, "emulator 1 'net': cont: no answer in time");
    kill(pid_of(&w, 1), SIGCONT);
    dm_world_tell(&w, cont);
    dm_world_status_is(&w, "running");
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

/* xl unpause, and the resumption after a save that failed of it. */
START_TEST(the_others_go_on_without_a_dead_one)
{
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_start(&w, NULL, -1);
    dm_world_tell(&w, cont);
    kill(pid_of(&w, 1), SIGKILL);
    dm_world_refused(&w, stop, "emulator 1 'net': its process");
    dm_world_tell(&w, cont);
    ck_assert(w.host->dom[w.domid]->paused);
    dm_world_told_to_end(&w);
    dm_world_end(&w);
}
END_TEST

static atomic_uint claimed, put_off;

static void hear(struct cv_sink *s, enum cv_level level, const char *text)
{
    (void)s, (void)level;
    claimed += strstr(text, "was carried out") != NULL;
    put_off += strstr(text, "Xen puts it off") != NULL;
}

/* Xen carries a shutdown out when no vCPU waits for an emulator any more.  0: none does; 1: one waits for the emulator
 * that has died, and is answered; 2: one waits for another one, which does not answer. */
START_TEST(a_shutdown_comes_when_nobody_waits)
{
    struct cv_sink sink = { .message = hear, .level = CV_LOG_WARN };
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    claimed = put_off = 0;
    dm_world_begin(&w);
    dm_world_command_line(&w, NULL, -1);
    dm_world_arg(&w, "-convoy");
    dm_world_arg(&w, "emulator_died=destroy");
    ck_assert_int_eq(cv_dm_args_parse(&w.args, w.argc, w.argv, &err), 0);
    cv_dm_init(&w.dm, &w.host->base, &sink, &w.cancel);
    ck_assert_msg(cv_dm_start(&w.dm, &w.args, &err) == 0, "%s", emu_text(&err));
    struct fake_domain *d = w.host->dom[w.domid];
    d->waits_for_dead = _i == 1;
    d->waits_for_silent = _i == 2;
    dm_world_go(&w);
    kill(pid_of(&w, 2), SIGKILL);
    dm_world_refused(&w, query, "emulator 2 'edu'");
    for (int i = 0; i < 1000 && claimed + put_off == 0; i++)
        usleep(10000);
    dm_world_told_to_end(&w);
    ck_assert(d->released);
    ck_assert(d->ended == (_i != 2));
    ck_assert_uint_eq(claimed, _i != 2);
    ck_assert_uint_eq(put_off, _i == 2);
    dm_world_end(&w);
}
END_TEST

/* Xen takes no notice of the shutdown of a domain that is suspended: it comes when the toolstack has resumed it. */
START_TEST(the_policy_waits_for_a_suspended_guest)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    dm_world_command_line(&w, NULL, -1);
    dm_world_arg(&w, "-convoy");
    dm_world_arg(&w, "emulator_died=restart");
    ck_assert_int_eq(cv_dm_args_parse(&w.args, w.argc, w.argv, &err), 0);
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    ck_assert_msg(cv_dm_start(&w.dm, &w.args, &err) == 0, "%s", emu_text(&err));
    dm_world_go(&w);
    struct fake_domain *d = w.host->dom[w.domid];
    d->suspended = true;
    kill(pid_of(&w, 2), SIGKILL);
    dm_world_refused(&w, stop, "emulator 2 'edu'");
    dm_world_refused(&w, query, "emulator 2 'edu'");
    ck_assert(!d->ended);
    d->suspended = false;
    for (int i = 0; i < 500 && !d->ended; i++)
        usleep(10000);
    dm_world_told_to_end(&w);
    ck_assert(d->ended);
    ck_assert_int_eq(d->end_reason, CV_SHUTDOWN_REBOOT);
    dm_world_end(&w);
}
END_TEST

/* The supervisor dies, and an emulator: the others are taken over, and the death is reported. */
START_TEST(taken_over_without_a_dead_one)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    pid_t dead = pid_of(&w, 1);
    killed(&w);
    kill(dead, SIGKILL);
    waitpid(dead, NULL, 0);
    taken_over(&w);
    dm_world_go(&w);
    dm_world_refused(&w, query, "emulator 1 'net'");
    ck_assert_ptr_nonnull(strstr(dm_world_node(&w, "1/state"), "ended"));
    ck_assert_str_eq(dm_world_node(&w, "2/state"), "running");
    ck_assert(w.host->dom[w.domid]->paused);
    ended(&w);
}
END_TEST

/* The same again: what was reported is not done a second time. */
START_TEST(a_death_is_dealt_with_once)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    pid_t dead = pid_of(&w, 1);
    ck_assert_int_eq(cv_dm_nodes_state(&w.dm, 1, "was killed", &err), 0);
    killed(&w);
    kill(dead, SIGKILL);
    waitpid(dead, NULL, 0);
    taken_over(&w);
    dm_world_go(&w);
    dm_world_refused(&w, query, "emulator 1 'net'");
    ck_assert_str_eq(dm_world_node(&w, "1/state"), "was killed");
    ck_assert(!w.host->dom[w.domid]->paused); /* xl unpause was before */
    ended(&w);
}
END_TEST

static void stop_all(struct dm_world *w)
{
    struct cv_emu_wait wait = { .deadline_ms = cv_after_ms(9000) };
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(cv_emuset_stop(&w->dm.set, &wait, NULL, &err) == 0, "%s", emu_text(&err));
}

/* Killed after it has passed a "stop" on: the guest's emulators run when the guest does. */
START_TEST(nobody_stands_still_after_it)
{
    struct cv_error err = CV_ERROR_INIT;
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    stop_all(&w);
    killed(&w);
    taken_over(&w);
    dm_world_go(&w);
    dm_world_status_is(&w, "running");
    ended(&w);
}
END_TEST

/* While the guest is suspended that is the toolstack's business, or whoever says --resume. */
START_TEST(a_suspended_guest_is_resumed_when_told)
{
    struct cv_error err = CV_ERROR_INIT;
    cv_emu_status status[CV_DM_MAX];
    struct dm_world w;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    struct fake_domain *d = w.host->dom[w.domid];
    stop_all(&w);
    d->suspended = true;
    killed(&w);
    taken_over(&w);
    struct cv_emu_wait wait = { .deadline_ms = cv_after_ms(9000) };
    EMU_OK(cv_emuset_status(&w.dm.set, &wait, status, NULL, &err));
    ck_assert_str_eq(status[2], "paused");
    EMU_OK(w.host->base.ops->rename(&w.host->base, w.domid, "g--migratedaway", &err));
    ck_assert_int_lt(cv_dm_resume(&w.dm, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert(d->suspended);
    err = (struct cv_error)CV_ERROR_INIT;
    EMU_OK(w.host->base.ops->rename(&w.host->base, w.domid, "g", &err));
    EMU_OK(cv_dm_resume(&w.dm, &err));
    ck_assert(!d->suspended);
    EMU_OK(cv_dm_resume(&w.dm, &err)); /* it runs */
    dm_world_go(&w);
    dm_world_status_is(&w, "running");
    ended(&w);
}
END_TEST

/* Who connects while one supervisor follows another waits, and is answered: the keeper has the sockets. */
START_TEST(a_connection_waits_for_the_next_supervisor)
{
    struct cv_error err = CV_ERROR_INIT;
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct dm_world w;
    char c;

    dm_world_begin(&w);
    ck_assert_int_eq(dm_world_try(&w, NULL, -1, &err), 0);
    struct cv_dm_doors keepers = w.dm.doors;
    keepers.lock_fd = dup(keepers.lock_fd);
    for (unsigned i = 0; i < keepers.listener_count; i++)
        keepers.listeners[i].fd = dup(keepers.listeners[i].fd);
    killed(&w);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(sa.sun_path, w.socket);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    w.dm.doors = keepers;
    ck_assert_msg(cv_dm_adopt(&w.dm, w.domid, &err) == 0, "%s", emu_text(&err));
    dm_world_go(&w);
    ck_assert_int_eq(read(fd, &c, 1), 1); /* the greeting */
    ck_assert_int_eq(c, '{');
    close(fd);
    dm_world_status_is(&w, "running");
    ended(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dm-faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_silent_emulator_does_not_keep_the_guest_suspended);
    tcase_add_test(tc, the_first_cont_needs_all);
    tcase_add_test(tc, the_others_go_on_without_a_dead_one);
    tcase_add_test(tc, the_policy_waits_for_a_suspended_guest);
    tcase_add_loop_test(tc, a_shutdown_comes_when_nobody_waits, 0, 3);
    tcase_add_test(tc, taken_over_without_a_dead_one);
    tcase_add_test(tc, a_death_is_dealt_with_once);
    tcase_add_test(tc, nobody_stands_still_after_it);
    tcase_add_test(tc, a_suspended_guest_is_resumed_when_told);
    tcase_add_test(tc, a_connection_waits_for_the_next_supervisor);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
