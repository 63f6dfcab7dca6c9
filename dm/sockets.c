/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "dm/supervisor.h"
#include "emulators/paths.h"

static int listen_at(struct cv_dm *dm, const char *path, struct cv_error *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct cv_dm_listener *l = &dm->listeners[dm->listener_count];

    if (strlen(path) >= sizeof sa.sun_path)
        return cv_fail(err, CV_E_INVALID, 0, "socket path '%.60s...' is too long", path);
    strcpy(sa.sun_path, path);
    CV_AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "socket");
    unlink(path); /* of a supervisor that died; the domain id is ours */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, CV_DM_CLIENTS_MAX) < 0)
        return cv_fail(err, CV_E_IO, errno, "socket %s", path);
    l->fd = cv_fd_take(&fd);
    strcpy(l->path, path);
    dm->listener_count++;
    return 0;
}

int cv_dm_listen(struct cv_dm *dm, const struct cv_dm_args *a, struct cv_error *err)
{
    for (unsigned i = 0; i < a->socket_count; i++) {
        const struct cv_dm_socket *s = &a->sockets[i];
        if (*s->path != '\0') {
            if (listen_at(dm, s->path, err) < 0)
                return -1;
            continue;
        }
        /* it listens; other processes are not to have it */
        if (fcntl(s->fd, F_SETFD, FD_CLOEXEC) < 0)
            return cv_fail(err, CV_E_INVALID, errno, "descriptor %d of -chardev id=%.40s", s->fd, s->chardev);
        dm->listeners[dm->listener_count++] = (struct cv_dm_listener){ .fd = s->fd };
    }
    return 0;
}

int cv_dm_listen_usual(struct cv_dm *dm, struct cv_error *err)
{
    const char *dir = dm->host->dirs->run;
    char path[108];

    if (listen_at(dm, cv_path_qmp_xl(dir, dm->domid, path, sizeof path), err) < 0)
        return -1;
    return listen_at(dm, cv_path_qmp_stat(dir, dm->domid, path, sizeof path), err);
}

void cv_dm_unlisten(struct cv_dm *dm)
{
    for (unsigned i = 0; i < dm->listener_count; i++) {
        cv_fd_dispose(&dm->listeners[i].fd);
        if (*dm->listeners[i].path != '\0')
            unlink(dm->listeners[i].path);
    }
    dm->listener_count = 0;
}

static const char *lock_path(const struct cv_dm *dm, char *buf, size_t len)
{
    snprintf(buf, len, "%.200s/convoy-dm-%u.lock", dm->host->dirs->run != NULL ? dm->host->dirs->run : CV_RUN_DIR,
             dm->domid);
    return buf;
}

int cv_dm_lock(struct cv_dm *dm, struct cv_error *err)
{
    struct stat a, b;
    char path[240];

    lock_path(dm, path, sizeof path);
    for (;;) {
        CV_AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return cv_fail(err, CV_E_IO, errno, "%s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
            return cv_fail(err, CV_E_BUSY, 0, "domain %u has a supervisor that lives (it holds %s)", dm->domid, path);
        /* whoever ends takes the name away first */
        if (fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
            dm->lock_fd = cv_fd_take(&fd);
            return 0;
        }
    }
}

void cv_dm_unlock(struct cv_dm *dm)
{
    char path[240];

    if (dm->lock_fd < 0)
        return;
    unlink(lock_path(dm, path, sizeof path));
    cv_fd_dispose(&dm->lock_fd);
}
