/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between fork and exec only async-signal-safe calls are made: the workers of the save may hold any lock. */
#include "save/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"

extern char **environ;

struct running {
    pid_t pid;
    int pidfd, pipe; /* pipe -1: the other end is closed */
    struct cv_hook_result *out;
    size_t max;
};

static _Noreturn void child(const char *command, char **env, int null, int output)
{
    char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t none;

    setpgid(0, 0);
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &usual, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (cv_fd_standard(null, output, -1))
        execve("/bin/sh", argv, env);
    _exit(127);
}

/* Ours and the additions.  Borrowed strings; the caller frees the array. */
static char **environment(const char *const *more)
{
    size_t own = 0, added = 0;

    while (environ[own] != NULL)
        own++;
    while (more != NULL && more[added] != NULL)
        added++;
    char **env = calloc(own + added + 1, sizeof *env);
    if (env == NULL)
        return NULL;
    memcpy(env, environ, own * sizeof *env);
    for (size_t i = 0; i < added; i++)
        env[own + i] = (char *)more[i];
    return env;
}

static int start(const struct cv_hook *h, struct running *r, struct cv_error *err)
{
    int ends[2];
    CV_AUTO_FREE char **env = environment(h->more);
    CV_AUTO_FD null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (env == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the command's environment");
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return cv_fail(err, CV_E_IO, errno, "pipe");
    CV_AUTO_FD to = ends[1];
    r->pipe = ends[0];
    fcntl(r->pipe, F_SETFL, O_NONBLOCK);
    r->pid = fork();
    if (r->pid < 0)
        return cv_fail(err, CV_E_IO, errno, "fork");
    if (r->pid == 0)
        child(h->command, env, null, to);
    setpgid(r->pid, r->pid); /* whoever of us comes first: the group is there when it may have to be killed */
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    return r->pidfd < 0 ? cv_fail(err, CV_E_IO, errno, "pidfd_open") : 0;
}

/* Takes what is in the pipe.  The command must not be stopped by a full one, whatever we keep. */
static void take_output(struct running *r)
{
    char text[4096];
    ssize_t n;

    while (r->pipe >= 0 && (n = read(r->pipe, text, sizeof text)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        size_t room = r->max - r->out->output.len, keep = (size_t)n < room ? (size_t)n : room;
        if (cv_buf_append(&r->out->output, text, keep, NULL) < 0 || keep < (size_t)n)
            r->out->cut = true;
    }
    cv_fd_dispose(&r->pipe);
}

/* Until the shell has ended. */
static int wait_for_end(const struct cv_hook *h, struct running *r, struct cv_error *err)
{
    int64_t deadline = cv_after_ms(h->timeout_ms);

    for (;;) {
        struct pollfd p[] = { { .fd = r->pidfd, .events = POLLIN },
                              { .fd = r->pipe, .events = POLLIN },
                              { .fd = h->cancel != NULL ? h->cancel->fd : -1, .events = POLLIN } };
        int64_t left = deadline - cv_now_ms();

        if (left <= 0)
            return cv_fail(err, CV_E_TIMEOUT, 0, "it took longer than %lld s and was killed",
                           (long long)h->timeout_ms / 1000);
        if (poll(p, 3, left < INT32_MAX ? (int)left : INT32_MAX) < 0 && errno != EINTR)
            return cv_fail(err, CV_E_IO, errno, "poll");
        if (cv_cancel_check(h->cancel, err) < 0)
            return -1;
        take_output(r);
        if (p[0].revents != 0)
            return 0;
    }
}

static int judge(pid_t pid, struct cv_error *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return cv_fail(err, CV_E_IO, 0, "it was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status) == 0 ? 0 : cv_fail(err, CV_E_IO, 0, "it ended with status %d", WEXITSTATUS(status));
}

int cv_hook_run(const struct cv_hook *h, struct cv_hook_result *out, struct cv_error *err)
{
    struct running r = { .pid = -1, .pidfd = -1, .pipe = -1, .out = out, .max = h->output_max };
    int64_t begin = cv_now_ns();

    *out = (struct cv_hook_result){ 0 };
    int rc = start(h, &r, err);
    if (rc == 0 && (rc = wait_for_end(h, &r, err)) == 0) {
        take_output(&r);
        rc = judge(r.pid, err);
    } else if (r.pid > 0) {
        kill(-r.pid, SIGKILL);
        kill(r.pid, SIGKILL);
        waitpid(r.pid, NULL, 0);
    }
    cv_fd_dispose(&r.pipe);
    cv_fd_dispose(&r.pidfd);
    out->ns = cv_now_ns() - begin;
    return rc;
}
