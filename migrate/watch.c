/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/detach.h"
#include "base/fd.h"
#include "base/priority.h"
#include "base/quiet.h"

#define LOG "/var/log/xen/convoy-recover.log"
#define ALL_IS_WELL 'k'

static void prepare(void)
{
    signal(SIGINT, SIG_IGN);
    setenv("SSH_ASKPASS_REQUIRE", "never", 1); /* no window for a password, once a minute */
    unsetenv("CONVOY_KILL_AT");                /* meant for the one that is watched */
    unsetenv("CONVOY_STOP_AT");
}

int cv_watch_start(struct cv_watch *w, const char *program, const uint8_t migration[16], enum cv_journal_role role,
                   struct cv_error *err)
{
    char id[CV_ID_TEXT];
    int fds[2];

    w->fd = -1;
    if (program == NULL)
        return 0;
    cv_id_format(migration, id);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return cv_fail(err, CV_E_IO, errno, "pipe");
    CV_AUTO_FD theirs = fds[0];
    CV_AUTO_FD ours = fds[1];
    CV_AUTO_FD log = open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    const char *argv[] = {
        "convoy", "recover", "--watch", role == CV_ROLE_SOURCE ? "source" : "destination", id, NULL
    };
    struct cv_detach d = {
        .program = program, .argv = argv, .in_fd = theirs, .out_fd = log, .nice = cv_nice_own(), .prepare = prepare
    };
    if (cv_detach(&d, err) < 0)
        return cv_context(err, "the migration's watcher");
    w->fd = cv_fd_take(&ours);
    return 0;
}

void cv_watch_end(struct cv_watch *w, bool settled)
{
    char word = ALL_IS_WELL;

    if (w->fd >= 0 && settled && cv_quiet_write(w->fd, &word, 1) < 0)
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
