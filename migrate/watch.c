/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define LOG "/var/log/xen/convoy-recover.log"
#define ALL_IS_WELL 'k'

/* Twice forked: nobody has to reap it, and no signal to our process group reaches it. */
static void run_watcher(const char *program, const char *role, const char *id, int fd)
{
    setsid();
    pid_t pid = fork();
    if (pid != 0)
        _exit(pid < 0);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int log = open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    signal(SIGINT, SIG_IGN);
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(log >= 0 ? log : null, STDERR_FILENO) < 0 ||
        chdir("/") < 0)
        _exit(1);
    setenv("SSH_ASKPASS_REQUIRE", "never", 1); /* no window for a password, once a minute */
    unsetenv("CONVOY_KILL_AT");                /* meant for the one that is watched */
    unsetenv("CONVOY_STOP_AT");
    execl(program, "convoy", "recover", "--watch", role, id, (char *)NULL);
    _exit(127);
}

int cv_watch_start(struct cv_watch *w, const char *program, const uint8_t migration[16], enum cv_journal_role role,
                   struct cv_error *err)
{
    char id[CV_ID_TEXT];
    int fds[2], status;

    w->fd = -1;
    if (program == NULL)
        return 0;
    cv_id_format(migration, id);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return cv_fail(err, CV_E_IO, errno, "pipe");
    pid_t pid = fork();
    if (pid == 0)
        run_watcher(program, role == CV_ROLE_SOURCE ? "source" : "destination", id, fds[0]);
    int why = errno;
    close(fds[0]);
    w->fd = fds[1];
    if (pid < 0) {
        cv_fd_dispose(&w->fd);
        return cv_fail(err, CV_E_NOMEM, why, "start the watcher");
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

void cv_watch_end(struct cv_watch *w, bool settled)
{
    char word = ALL_IS_WELL;

    if (w->fd >= 0 && settled && write(w->fd, &word, 1) < 0)
        errno = 0; /* the watcher is gone: there is nothing to be said */
    cv_fd_dispose(&w->fd);
}

bool cv_watch_wait(int fd)
{
    char word = 0;
    ssize_t n;

    do
        n = read(fd, &word, 1);
    while (n < 0 && errno == EINTR);
    return n <= 0 || word != ALL_IS_WELL;
}
