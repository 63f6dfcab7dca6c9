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

void cv_dm_doors_init(struct cv_dm_doors *d) { *d = (struct cv_dm_doors){ .lock_fd = -1 }; }

static int listen_at(struct cv_dm_doors *d, const char *path, struct cv_error *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct cv_dm_listener *l = &d->listeners[d->listener_count];

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
    d->listener_count++;
    return 0;
}

static int open_given(struct cv_dm_doors *d, const struct cv_dm_args *a, struct cv_error *err)
{
    for (unsigned i = 0; i < a->socket_count; i++) {
        const struct cv_dm_socket *s = &a->sockets[i];
        if (*s->path != '\0') {
            if (listen_at(d, s->path, err) < 0)
                return -1;
            continue;
        }
        /* it listens; other processes are not to have it */
        if (fcntl(s->fd, F_SETFD, FD_CLOEXEC) < 0)
            return cv_fail(err, CV_E_INVALID, errno, "descriptor %d of -chardev id=%.40s", s->fd, s->chardev);
        d->listeners[d->listener_count++] = (struct cv_dm_listener){ .fd = s->fd };
    }
    return 0;
}

int cv_dm_doors_open(struct cv_dm_doors *d, const char *dir, uint32_t domid, const struct cv_dm_args *a,
                     struct cv_error *err)
{
    char path[108];

    if (d->listener_count > 0)
        return 0;
    if (a != NULL)
        return open_given(d, a, err);
    if (listen_at(d, cv_path_qmp_xl(dir, domid, path, sizeof path), err) < 0)
        return -1;
    return listen_at(d, cv_path_qmp_stat(dir, domid, path, sizeof path), err);
}

static const char *lock_path(const char *dir, uint32_t domid, char *buf, size_t len)
{
    snprintf(buf, len, "%.200s/convoy-dm-%u.lock", dir != NULL ? dir : CV_RUN_DIR, domid);
    return buf;
}

int cv_dm_doors_lock(struct cv_dm_doors *d, const char *dir, uint32_t domid, struct cv_error *err)
{
    struct stat a, b;
    char path[240];

    if (d->lock_fd >= 0)
        return 0;
    lock_path(dir, domid, path, sizeof path);
    for (;;) {
        CV_AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return cv_fail(err, CV_E_IO, errno, "%s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
            return cv_fail(err, CV_E_BUSY, 0, "domain %u has a supervisor that lives (it holds %s)", domid, path);
        /* whoever ends takes the name away first */
        if (fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
            d->lock_fd = cv_fd_take(&fd);
            return 0;
        }
    }
}

void cv_dm_doors_close(struct cv_dm_doors *d)
{
    for (unsigned i = 0; i < d->listener_count; i++)
        cv_fd_dispose(&d->listeners[i].fd);
    d->listener_count = 0;
    cv_fd_dispose(&d->lock_fd);
}

void cv_dm_doors_remove(struct cv_dm_doors *d, const char *dir, uint32_t domid)
{
    char path[240];

    for (unsigned i = 0; i < d->listener_count; i++)
        if (*d->listeners[i].path != '\0')
            unlink(d->listeners[i].path);
    if (d->lock_fd >= 0)
        unlink(lock_path(dir, domid, path, sizeof path));
    cv_dm_doors_close(d);
}

void cv_dm_doors_forget_emulators(const char *dir, uint32_t domid)
{
    char path[108];

    for (unsigned i = 0; i < CV_DM_MAX; i++)
        unlink(cv_path_qmp(dir, domid, i, path, sizeof path));
}
