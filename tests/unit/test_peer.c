/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other side as a command (migrate/peer.c): what it is given, how it ends, what is left when it cannot be started.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/clock.h"
#include "base/fd.h"
#include "handover/journal.h"
#include "migrate/peer.h"

static bool fork_fails;

static unsigned open_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Stands before the C library's. */
pid_t fork(void)
{
    if (fork_fails)
        return errno = EAGAIN, -1;
    return (pid_t)syscall(SYS_fork);
}

/* What it says until it ends. */
static const char *all_of(int fd)
{
    static char text[4000];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t n = 0;

    for (;;) {
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        ssize_t got = read(fd, text + n, sizeof text - 1 - n);
        ck_assert_int_ge(got, 0);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
    return text;
}

static struct cv_peer started(const char *command)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_peer p;

    ck_assert_msg(cv_peer_start(&p, command, &err) == 0, "%s", err.text);
    return p;
}

/* Nobody else's child, no descriptor. */
static void ended(struct cv_peer *p, unsigned fds)
{
    ck_assert(p->pid == 0 && p->in == -1 && p->out == -1);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_uint_eq(open_fds(), fds);
}

START_TEST(its_input_and_output_are_the_channel)
{
    unsigned fds = open_fds();
    struct cv_peer p = started("cat; echo gone");

    ck_assert_int_eq(write(p.out, "hello\n", 6), 6);
    ck_assert(fcntl(p.in, F_GETFD) & FD_CLOEXEC && fcntl(p.out, F_GETFD) & FD_CLOEXEC);
    cv_fd_dispose(&p.out); /* and it has no copy of this end, or it would never see it closed */
    ck_assert_str_eq(all_of(p.in), "hello\ngone\n");
    cv_peer_end(&p, 20000);
    ended(&p, fds);
    cv_peer_end(&p, 0);
    ended(&p, fds);
}
END_TEST

/* A library's caller may have none of the three: then the pipes have their numbers. */
START_TEST(of_a_process_without_standard_descriptors)
{
    int kept[3];

    for (int i = 0; i < 3; i++)
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        if (_i & 1 << i)
            close(i);
    struct cv_peer p = started("cat");
    ssize_t put = write(p.out, "hello\n", 6);
    cv_fd_dispose(&p.out);
    char text[10] = "";
    ssize_t got = read(p.in, text, sizeof text - 1);
    cv_peer_end(&p, 20000);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    ck_assert_int_eq(put, 6);
    ck_assert_int_eq(got, 6);
    ck_assert_str_eq(text, "hello\n");
}
END_TEST

/* An interrupt at the terminal is ours; what a write raises, and we hold off, is not kept from it. */
START_TEST(its_signals)
{
    static const char *const said[][2] = { { "kill -INT $$; echo alive", "alive\n" },
                                           { "kill -PIPE $$; echo alive", "" },
                                           { "kill -XFSZ $$; echo alive", "" } };
    unsigned fds = open_fds();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct cv_peer p = started(said[_i][0]);

    ck_assert_str_eq(all_of(p.in), said[_i][1]);
    cv_peer_end(&p, 20000);
    ended(&p, fds);
}
END_TEST

/* Asked by its closed input, then by SIGTERM, then killed. */
START_TEST(it_ends_somehow)
{
    static const struct {
        const char *command;
        int64_t wait_ms, least_ms, most_ms;
    } ways[] = { { "exec cat", 20000, 0, 15000 },
                 { "exec sleep 60", 50, 50, 2900 },
                 { "trap '' TERM; echo ready; exec sleep 60", 50, 3000, 20000 },
                 { "exec /nonexistent/ssh 2>/dev/null", 20000, 0, 15000 } };
    unsigned fds = open_fds();
    struct cv_peer p = started(ways[_i].command);
    char ready[6];

    if (strstr(ways[_i].command, "ready") != NULL)
        ck_assert_int_eq(read(p.in, ready, sizeof ready), 6);
    int64_t begun = cv_now_ms();
    cv_peer_end(&p, ways[_i].wait_ms);
    int64_t took = cv_now_ms() - begun;
    ck_assert_msg(took >= ways[_i].least_ms && took < ways[_i].most_ms, "%lld ms", (long long)took);
    ended(&p, fds);
}
END_TEST

START_TEST(what_cannot_be_started_leaves_nothing)
{
    struct rlimit before, few;
    unsigned fds = open_fds();
    struct cv_error err = CV_ERROR_INIT;
    struct cv_peer p;

    fork_fails = true;
    ck_assert_int_eq(cv_peer_start(&p, "cat", &err), -1);
    fork_fails = false;
    ck_assert(err.code == CV_E_NOMEM && err.sys == EAGAIN && strstr(err.text, "start 'cat'") != NULL);
    ended(&p, fds);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest number that is free, and so on from there */
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int more = 1; more < 4; more++) {
        err = (struct cv_error)CV_ERROR_INIT;
        few = (struct rlimit){ (rlim_t)(next + more), before.rlim_max };
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        int rc = cv_peer_start(&p, "cat", &err);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_int_eq(rc, -1);
        ck_assert(err.code == CV_E_IO && err.sys == EMFILE);
        ended(&p, fds);
    }
}
END_TEST

/* By a shell, with an ssh that says what it was called with. */
START_TEST(ssh_is_called_with_the_host)
{
    static const char *const hosts[] = { "host2", "root@host2", "o'neill@a;b", "$(id)", "[fe80::1%eth0]" };
    char dir[] = "/tmp/convoy-peer-XXXXXX", path[60], command[400], env[500], want[300];
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/ssh", dir);
    FILE *f = fopen(path, "w");
    fputs("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
    snprintf(env, sizeof env, "%s:/usr/bin:/bin", dir);
    setenv("PATH", env, 1);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        ck_assert_msg(cv_peer_ssh_command(hosts[i], command, sizeof command, &err) == 0, "%s", err.text);
        struct cv_peer p = started(command);
        snprintf(want, sizeof want, "\n--\n%s\nconvoy\nmigrate-receive\n", hosts[i]);
        const char *said = all_of(p.in);
        ck_assert_msg(strlen(said) > strlen(want) && strcmp(said + strlen(said) - strlen(want), want) == 0, "%s", said);
        cv_peer_end(&p, 20000);
    }
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(what_is_no_host)
{
    static const char *const bad[] = { "", "-oProxyCommand=x", "root@", "@host", "root@-x", "-x@host", "a b", "a\nb" };
    struct cv_error err = CV_ERROR_INIT;
    char command[400], small[100];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(cv_peer_ssh_command(bad[i], command, sizeof command, &err) == -1, "'%s' is taken", bad[i]);
        ck_assert_int_eq(err.code, CV_E_INVALID);
    }
    ck_assert_int_eq(cv_peer_ssh_command("host2", small, sizeof small, &err), -1);
    ck_assert_msg(strstr(err.text, "too long") != NULL, "%s", err.text);
}
END_TEST

/* The migration's own connection, and beside it the one that asks. */
START_TEST(two_of_them)
{
    unsigned fds = open_fds();
    struct cv_journal_record rec = { .command = "echo asked" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_link l;
    int in, out;

    cv_link_init(&l, NULL, NULL);
    ck_assert_int_eq(cv_link_open(&l, "cat", &err), 0);
    ck_assert_int_eq(l.port.connect(l.port.user, &rec, &in, &out, CV_NEVER, NULL, &err), 0);
    ck_assert(in == l.ask.in && out == l.ask.out && in != l.main.in);
    ck_assert_str_eq(all_of(in), "asked\n");
    l.port.disconnect(l.port.user);
    ck_assert_int_eq(l.ask.pid, 0);
    fork_fails = true;
    ck_assert_int_eq(l.port.connect(l.port.user, &rec, &in, &out, CV_NEVER, NULL, &err), -1);
    fork_fails = false;
    l.port.hang_up(l.port.user);
    ck_assert(l.main.in == -1 && l.main.out == -1 && l.main.pid > 0);
    cv_link_dispose(&l);
    ended(&l.main, fds);
    ended(&l.ask, fds);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("peer");
    TCase *t = tcase_create("peer");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, its_input_and_output_are_the_channel);
    tcase_add_loop_test(t, of_a_process_without_standard_descriptors, 0, 8);
    tcase_add_loop_test(t, its_signals, 0, 3);
    tcase_add_loop_test(t, it_ends_somehow, 0, 4);
    tcase_add_test(t, what_cannot_be_started_leaves_nothing);
    tcase_add_test(t, ssh_is_called_with_the_host);
    tcase_add_test(t, what_is_no_host);
    tcase_add_test(t, two_of_them);
    suite_add_tcase(s, t);
    return run_suite(s);
}
