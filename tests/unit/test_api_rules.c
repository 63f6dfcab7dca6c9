/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What include/convoy/convoy.h says of all calls: errors, threads, signals, the caller's process, cancelling,
 * insisting. On models of hosts. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "../support/api_door.h"
#include "../support/run_suite.h"
#include "../support/two_hosts.h"

/* ---- cancelling ---- */

struct calls {
    convoy_host *h;
    struct one_host *s;
    convoy_cancel *cancel;
    int image, out, scratch;
};

static int cancelled_create(struct calls *c, convoy_error *err)
{
    convoy_create_options o = { .size = sizeof o, .cancel = c->cancel };
    return convoy_create(c->h, c->s->config, &o, NULL, err);
}
static int cancelled_save(struct calls *c, convoy_error *err)
{
    convoy_save_options o = { .size = sizeof o, .cancel = c->cancel };
    return convoy_save(c->h, "g", c->s->image, &o, NULL, err);
}
static int cancelled_live_save(struct calls *c, convoy_error *err)
{
    convoy_save_options o = { .size = sizeof o, .cancel = c->cancel, .live = 1 };
    return convoy_save_fd(c->h, "g", c->out, &o, NULL, err);
}
static int cancelled_quiesce(struct calls *c, convoy_error *err)
{
    convoy_save_options o = { .size = sizeof o, .cancel = c->cancel, .at_freeze = "touch /nonexistent/x" };
    return convoy_quiesce(c->h, "g", &o, NULL, NULL, NULL, err);
}
static int cancelled_restore(struct calls *c, convoy_error *err)
{
    convoy_restore_options o = { .size = sizeof o, .cancel = c->cancel, .name = "again" };
    return convoy_restore_fd(c->h, c->image, &o, NULL, NULL, err);
}
static int cancelled_check(struct calls *c, convoy_error *err)
{
    convoy_check_options o = { .size = sizeof o, .peer = "x", .command = "sleep 60", .cancel = c->cancel };
    char *text = NULL;
    int rc = convoy_check(c->h, "g", &o, &text, err);

    convoy_free(text);
    return rc;
}
static int cancelled_migrate(struct calls *c, convoy_error *err)
{
    convoy_migrate_options o = { .size = sizeof o, .command = "sleep 60", .cancel = c->cancel };
    return convoy_migrate(c->h, "g", "x", &o, NULL, err);
}
static int cancelled_receive(struct calls *c, convoy_error *err)
{
    convoy_receive_options o = { .size = sizeof o, .cancel = c->cancel };
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int rc = convoy_migrate_receive(c->h, pair[0], pair[0], &o, err);
    close(pair[0]);
    close(pair[1]);
    return rc;
}
static int cancelled_monitor(struct calls *c, convoy_error *err) { return convoy_monitor(c->h, 1, c->cancel, err); }
static int cancelled_verify(struct calls *c, convoy_error *err)
{
    convoy_image_options o = { .size = sizeof o, .cancel = c->cancel };
    return convoy_verify_fd(c->image, &o, err);
}
static int cancelled_inspect(struct calls *c, convoy_error *err)
{
    convoy_image_options o = { .size = sizeof o, .cancel = c->cancel };
    char *text = NULL;
    int rc = convoy_inspect_fd(c->image, &o, &text, err);

    convoy_free(text);
    return rc;
}
static int cancelled_convert(struct calls *c, convoy_error *err)
{
    convoy_convert_options o = { .size = sizeof o, .cancel = c->cancel };
    return convoy_convert_fd(c->image, c->out, &o, err);
}
static int cancelled_merge(struct calls *c, convoy_error *err)
{
    convoy_image_options o = { .size = sizeof o, .cancel = c->cancel };
    return convoy_merge_fd(c->image, c->out, c->scratch, &o, NULL, err);
}

static const struct {
    const char *name;
    int (*call)(struct calls *c, convoy_error *err);
    bool without_guest;
} cancelled[] = {
    { "create", cancelled_create, true },          { "save", cancelled_save, false },
    { "save --live", cancelled_live_save, false }, { "quiesce", cancelled_quiesce, false },
    { "restore", cancelled_restore, false },       { "check", cancelled_check, false },
    { "migrate", cancelled_migrate, false },       { "receive", cancelled_receive, false },
    { "monitor", cancelled_monitor, false },       { "verify", cancelled_verify, false },
    { "inspect", cancelled_inspect, false },       { "convert", cancelled_convert, false },
    { "merge", cancelled_merge, false },
};
#define CANCELLED ((int)(sizeof cancelled / sizeof cancelled[0]))

static int file_in(const struct one_host *s) { return open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

/* Each call that takes a token, all with the same one, which stays set. */
START_TEST(a_cancelled_call_changes_nothing)
{
    convoy_save_options keep = { .size = sizeof keep, .after = CONVOY_AFTER_CONTINUE };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    struct calls c = { .h = d.h, .s = &s, .image = file_in(&s), .out = file_in(&s), .scratch = file_in(&s) };
    c.cancel = convoy_cancel_new(&err);
    door_create(&d, &s);
    OK(convoy_save_fd(d.h, "g", c.image, &keep, NULL, &err));
    convoy_cancel_request(c.cancel);
    for (int i = 0; i < CANCELLED; i++) {
        if (cancelled[i].without_guest)
            continue;
        ck_assert_int_eq(lseek(c.image, 0, SEEK_SET), 0);
        FAILS(cancelled[i].call(&c, &err), CONVOY_CANCELLED, "");
        ck_assert_msg(runs(s.host->dom[1]) && !s.host->dom[1]->logging, "after %s", cancelled[i].name);
        ck_assert_msg(fake_host_domains(s.host) == 1, "after %s", cancelled[i].name);
        ck_assert_int_eq(access(s.image, F_OK), -1);
        one_host_emulators_run(&s);
    }
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    for (int i = 0; i < CANCELLED; i++)
        if (cancelled[i].without_guest)
            FAILS(cancelled[i].call(&c, &err), CONVOY_CANCELLED, "");
    reap();
    close(c.image);
    close(c.out);
    close(c.scratch);
    convoy_cancel_free(c.cancel);
    door_end(&d, &s);
}
END_TEST

static convoy_cancel *of_handler;

static void on_alarm(int sig)
{
    (void)sig;
    convoy_cancel_request(of_handler);
}

/* Nothing comes out of the pipe: only the handler ends the call. */
START_TEST(a_signal_handler_may_cancel)
{
    struct itimerval soon = { .it_value = { 0, 100000 } };
    convoy_restore_options r = { .size = sizeof r };
    convoy_image_options i = { .size = sizeof i };
    convoy_error err;
    struct one_host s;
    struct door d;
    int pipe[2];

    door_begin(&d, &s, false);
    r.cancel = i.cancel = of_handler = convoy_cancel_new(&err);
    ck_assert_int_eq(pipe2(pipe, O_CLOEXEC), 0);
    signal(SIGALRM, on_alarm);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    if (_i == 0)
        FAILS(convoy_restore_fd(d.h, pipe[0], &r, NULL, NULL, &err), CONVOY_CANCELLED, "");
    else
        FAILS(convoy_verify_fd(pipe[0], &i, &err), CONVOY_CANCELLED, "");
    close(pipe[0]);
    close(pipe[1]);
    convoy_cancel_free(of_handler);
    door_end(&d, &s);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
    (void)sig;
    ticks++;
}

static void a_life(struct door *d, struct one_host *s, convoy_error *given)
{
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_DESTROY, .live = 1 };
    convoy_error err = *given;
    int fd = file_in(s);

    OK(convoy_create(d->h, s->config, NULL, NULL, &err));
    OK(convoy_save_fd(d->h, "g", fd, &o, NULL, &err));
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_restore_fd(d->h, fd, NULL, NULL, NULL, &err));
    OK(convoy_pause(d->h, "g", &err));
    OK(convoy_unpause(d->h, "g", NULL, &err));
    OK(convoy_destroy(d->h, "g", &err));
    close(fd);
    *given = err;
}

/* Interrupted system calls all the time, and none is begun again by the kernel. */
START_TEST(signals_that_interrupt_end_nothing)
{
    struct sigaction tick = { .sa_handler = on_tick };
    struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
    convoy_error err = { .code = CONVOY_OK };
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    ck_assert_int_eq(sigaction(SIGALRM, &tick, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    a_life(&d, &s, &err);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_gt(ticks, 5);
    reap();
    door_end(&d, &s);
}
END_TEST

/* With the dispositions that a program has at its start, both would end it. */
START_TEST(a_write_raises_nothing)
{
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_CONTINUE, .compress = "none" };
    struct rlimit before, small;
    convoy_error err;
    struct one_host s;
    struct door d;
    int pipe[2];

    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    door_begin(&d, &s, false);
    door_create(&d, &s);
    ck_assert_int_eq(pipe2(pipe, O_CLOEXEC), 0);
    close(pipe[0]);
    FAILS(convoy_save_fd(d.h, "g", pipe[1], &o, NULL, &err), CONVOY_IO, "");
    ck_assert_int_eq(err.sys, EPIPE);
    close(pipe[1]);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ 100000, before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_IO, "");
    ck_assert_int_eq(err.sys, EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert(runs(s.host->dom[1]));
    ck_assert_int_eq(access(s.image, F_OK), -1);
    door_destroy_and_end(&d, &s);
}
END_TEST

/* ---- the caller's process ---- */

struct process {
    mode_t mask;
    int priority;
    char cwd[300], environment[20000];
    sigset_t blocked;
    void (*handlers[65])(int);
};

static void look(struct process *p)
{
    extern char **environ;
    size_t at = 0;

    memset(p, 0, sizeof *p);
    umask(p->mask = umask(0));
    errno = 0;
    p->priority = getpriority(PRIO_PROCESS, 0);
    ck_assert_ptr_nonnull(getcwd(p->cwd, sizeof p->cwd));
    for (char **e = environ; *e != NULL; e++)
        at += (size_t)snprintf(p->environment + at, sizeof p->environment - at, "%s\n", *e);
    ck_assert_uint_lt(at, sizeof p->environment);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &p->blocked), 0);
    for (int sig = 1; sig < 65; sig++) {
        struct sigaction a;
        if (sigaction(sig, NULL, &a) == 0)
            p->handlers[sig] = a.sa_handler;
    }
}

/* A whole life of a guest leaves of the process what it was, and of an error that it was given every byte. */
START_TEST(the_process_is_the_callers)
{
    convoy_error err, before_err;
    struct process before, after;
    struct one_host s;
    struct door d;
    struct stat said[2];

    memset(&err, 0xa5, sizeof err);
    before_err = err;
    umask(027);
    door_begin(&d, &s, false);
    int out = memfd_create("stdout", MFD_CLOEXEC), was[2] = { dup(1), dup(2) }, said_fd[2];
    said_fd[0] = out;
    said_fd[1] = memfd_create("stderr", MFD_CLOEXEC);
    look(&before);
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(dup2(said_fd[i], 1 + i), 1 + i);
    a_life(&d, &s, &err);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dup2(was[i], 1 + i), 1 + i);
        ck_assert_int_eq(fstat(said_fd[i], &said[i]), 0);
        close(was[i]);
        close(said_fd[i]);
    }
    look(&after);
    ck_assert_int_eq(said[0].st_size, 0);
    ck_assert_int_eq(said[1].st_size, 0);
    ck_assert_int_eq(memcmp(&err, &before_err, sizeof err), 0);
    ck_assert_uint_eq(before.mask, after.mask);
    ck_assert_int_eq(before.priority, after.priority);
    ck_assert_str_eq(before.cwd, after.cwd);
    ck_assert_str_eq(before.environment, after.environment);
    ck_assert_int_eq(memcmp(&before.blocked, &after.blocked, sizeof before.blocked), 0);
    for (int sig = 1; sig < 65; sig++)
        ck_assert_msg(before.handlers[sig] == after.handlers[sig], "signal %d", sig);
    reap();
    door_end(&d, &s);
}
END_TEST

/* ---- threads ---- */

static void *lives(void *arg)
{
    struct one_host *s = arg;
    convoy_error err = { .code = CONVOY_OK };
    struct door d;

    door_open(&d, s, false);
    for (int i = 0; i < 3; i++)
        a_life(&d, s, &err);
    door_close(&d, s);
    return NULL;
}

/* Several handles by several threads at once.  The second host's guest has another number: the models share one /proc.
 */
START_TEST(each_thread_its_handle)
{
    struct one_host s[2];
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        one_host_begin(&s[i], NULL);
    fake_host_add_guest(s[1].host, "other");
    s[1].others = 1;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, lives, &s[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    reap();
    one_host_is_bare(&s[0]);
    for (int i = 0; i < 2; i++)
        one_host_end(&s[i]);
}
END_TEST

/* ---- insisting ---- */

/* A guest whose interrupts would be dead after a restore. */
START_TEST(force_saves_and_moves_what_may_be_dead)
{
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_CONTINUE };
    convoy_migrate_options m = { .size = sizeof m, .command = "exit 7" };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, true);
    door_create(&d, &s);
    door_was_started(&d, "monitor 1\n");
    s.host->dom[1]->event_msis = 1;
    int fd = file_in(&s);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_UNSUPPORTED, "may be dead after a restore");
    FAILS(convoy_save_fd(d.h, "g", fd, &o, NULL, &err), CONVOY_UNSUPPORTED, "may be dead after a restore");
    ck_assert_int_eq(access(s.image, F_OK), -1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
    o.force = 1;
    OK(convoy_save(d.h, "g", s.image, &o, NULL, &err));
    OK(convoy_save_fd(d.h, "g", fd, &o, NULL, &err));
    ck_assert_msg(strstr(d.warning, "may be dead after a restore") != NULL, "%s", d.warning);
    ck_assert_int_gt(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    /* A migration looks before it asks the other side, which here is nobody. */
    FAILS(convoy_migrate(d.h, "g", "x", &m, NULL, &err), CONVOY_UNSUPPORTED, "may be dead after a restore");
    m.force = 1;
    FAILS(convoy_migrate(d.h, "g", "x", &m, NULL, &err), CONVOY_PEER, "");
    ck_assert(runs(s.host->dom[1]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    door_close(&d, &s);
    one_host_end(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_rules");
    TCase *t = tcase_create("rules");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_cancelled_call_changes_nothing);
    tcase_add_loop_test(t, a_signal_handler_may_cancel, 0, 2);
    tcase_add_test(t, signals_that_interrupt_end_nothing);
    tcase_add_test(t, a_write_raises_nothing);
    tcase_add_test(t, the_process_is_the_callers);
    tcase_add_test(t, each_thread_its_handle);
    tcase_add_test(t, force_saves_and_moves_what_may_be_dead);
    suite_add_tcase(s, t);
    return run_suite(s);
}
