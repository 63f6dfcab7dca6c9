/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/quiet.h"

static _Noreturn void give_up(int report)
{
    int why = errno;

    (void)!cv_quiet_write(report, &why, sizeof why);
    _exit(127);
}

static _Noreturn void run_detached(const struct cv_detach *d, int report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int in = d->in_fd >= 0 ? d->in_fd : null, out = d->out_fd >= 0 ? d->out_fd : null;

    report = fcntl(report, F_DUPFD_CLOEXEC, 3); /* out of the others' way */
    if (report < 0 || !cv_fd_standard(in, out, out) || chdir("/") < 0)
        give_up(report);
    setpriority(PRIO_PROCESS, 0, d->nice);
    if (d->prepare != NULL)
        d->prepare();
    execv(d->program, (char *const *)d->argv);
    give_up(report);
}

/* Twice forked: the one in the middle ends at once and is reaped here. */
static _Noreturn void middle(const struct cv_detach *d, int report)
{
    setsid();
    pid_t pid = fork();
    if (pid == 0)
        run_detached(d, report);
    if (pid < 0)
        give_up(report);
    _exit(0);
}

int cv_detach(const struct cv_detach *d, struct cv_error *err)
{
    int fds[2], why = 0;
    ssize_t n;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return cv_fail(err, CV_E_IO, errno, "pipe");
    CV_AUTO_FD from = fds[0];
    CV_AUTO_FD to = fds[1];
    pid_t pid = fork();
    if (pid == 0)
        middle(d, to);
    if (pid < 0)
        return cv_fail(err, CV_E_NOMEM, errno, "fork");
    cv_fd_dispose(&to);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    /* Nothing: the last of its ends was closed by the exec that succeeded. */
    while ((n = read(from, &why, sizeof why)) < 0 && errno == EINTR)
        ;
    return n == 0 ? 0 : cv_fail(err, CV_E_IO, n < 0 ? errno : why, "start %s", d->program);
}
