/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork and exec.  Between the two only async-signal-safe calls are made: other threads may hold any lock. */
#include "emulators/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/priority.h"

extern char **environ;

static void default_signals(void)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        sigaction(s, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

#define ABOVE_ALL 128 /* no wanted number reaches here */
_Static_assert(3 + CV_PROCESS_FDS_MAX < ABOVE_ALL, "sources and targets must not meet");

/* Two steps, because a wanted number may be the source of another one. */
static int place_fds(const struct cv_process *p, int report)
{
    int high[CV_PROCESS_FDS_MAX + 3];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    high[0] = null;
    high[1] = high[2] = p->log_fd >= 0 ? p->log_fd : null;
    for (unsigned i = 0; i < p->fd_count; i++)
        high[3 + i] = p->fds[i];
    for (unsigned i = 0; i < p->fd_count + 3; i++) {
        high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, ABOVE_ALL);
        if (high[i] < 0)
            return -1;
    }
    int own = fcntl(report, F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (own < 0)
        return -1;
    for (unsigned i = 0; i < p->fd_count + 3; i++)
        if (dup2(high[i], (int)i) < 0)
            return -1;
    /* all else that was opened without close-on-exec, by whomever */
    if (syscall(SYS_close_range, p->fd_count + 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
        for (int fd = (int)p->fd_count + 3; fd < 1024; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    return own;
}

static _Noreturn void child(const struct cv_process *p, int report, int nice)
{
    int own = place_fds(p, report);

    setsid();
    if (chdir("/") < 0) /* it may outlive the folder that we were started in */
        own = -1;
    default_signals();
    setpriority(PRIO_PROCESS, 0, nice); /* it serves a guest, whatever we are doing in the background */
    if (p->no_new_privs)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (own >= 0)
        execve(p->argv[0], (char *const *)p->argv, environ);
    int why = errno;
    (void)!write(own >= 0 ? own : report, &why, sizeof why);
    _exit(127);
}

int cv_process_start(const struct cv_process *p, pid_t *pid_out, int *pidfd_out, struct cv_error *err)
{
    int pipe_fds[2], why = 0, nice = cv_nice_own();

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return cv_fail(err, CV_E_IO, errno, "pipe");
    CV_AUTO_FD from = pipe_fds[0];
    CV_AUTO_FD to = pipe_fds[1];
    pid_t pid = fork();
    if (pid < 0)
        return cv_fail(err, CV_E_IO, errno, "fork");
    if (pid == 0)
        child(p, to, nice);
    cv_fd_dispose(&to);
    ssize_t n;
    while ((n = read(from, &why, sizeof why)) < 0 && errno == EINTR)
        ;
    CV_AUTO_FD pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (n == 0 && pidfd >= 0) {
        fcntl(pidfd, F_SETFD, FD_CLOEXEC);
        *pid_out = pid;
        *pidfd_out = cv_fd_take(&pidfd);
        return 0;
    }
    if (n == 0)
        why = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return cv_fail(err, CV_E_EMULATOR, why, "start %s", p->argv[0]);
}
