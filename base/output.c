/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int refuse_kind(const char *path, const struct stat *st, struct cv_error *err)
{
    if (S_ISDIR(st->st_mode))
        return cv_fail(err, CV_E_INVALID, EISDIR, "%s", path);
    /* What the rename would put in its place is never a device or a pipe: /dev/null would become a file. */
    if (!S_ISREG(st->st_mode))
        return cv_fail(err, CV_E_INVALID, 0,
                       "%s is a device, pipe or socket, and not a file that can be put in place whole: write to "
                       "'-' (standard output) instead",
                       path);
    return 0;
}

/* A symbolic link is followed, as by every program that writes a file: by the kernel, which refuses those that somebody
 * else has put into a folder like /tmp, and not by our own reading of the link. */
static int real_path(const char *path, char real[PATH_MAX], struct cv_error *err)
{
    struct stat st, link;
    char self[32];
    size_t len = strlen(path);

    if (len >= PATH_MAX)
        return cv_fail(err, CV_E_INVALID, ENAMETOOLONG, "%.60s...", path);
    CV_AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return cv_fail(err, CV_E_IO, errno, "%s", path);
    if (fd >= 0 && fstat(fd, &st) < 0)
        return cv_fail(err, CV_E_IO, errno, "%s", path);
    if (fd >= 0 && S_ISDIR(st.st_mode))
        return refuse_kind(path, &st, err);
    if (len == 0 || path[len - 1] == '/')
        return cv_fail(err, CV_E_INVALID, 0, "'%s' is not the name of a file", path);
    if (fd >= 0 && refuse_kind(path, &st, err) < 0)
        return -1;
    bool is_link = lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
    if (is_link && fd < 0)
        return cv_fail(err, CV_E_IO, ENOENT, "the link %s leads nowhere", path);
    if (!is_link) {
        strcpy(real, path);
        return 0;
    }
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(self, real, PATH_MAX - 1);
    if (n <= 0 || n == PATH_MAX - 1)
        return cv_fail(err, CV_E_IO, n < 0 ? errno : ENAMETOOLONG, "where the link %s leads to", path);
    real[n] = '\0';
    if (lstat(real, &link) < 0 || link.st_dev != st.st_dev || link.st_ino != st.st_ino)
        return cv_fail(err, CV_E_IO, 0, "the link %s leads to what was moved or removed meanwhile", path);
    return 0;
}

int cv_output_open(struct cv_output *o, const char *path, struct cv_error *err)
{
    char dir[PATH_MAX], base[PATH_MAX];

    *o = (struct cv_output){ .fd = -1, .dir_fd = -1 };
    if (real_path(path, dir, err) < 0)
        return -1;
    strcpy(base, dir);
    if (snprintf(o->name, sizeof o->name, "%s", basename(base)) >= (int)sizeof o->name)
        return cv_fail(err, CV_E_INVALID, ENAMETOOLONG, "%.60s...", path);
    o->dir_fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->dir_fd < 0)
        return cv_fail(err, CV_E_IO, errno, "folder of %s", path);
    char aside[sizeof o->aside];
    snprintf(aside, sizeof aside, ".%s.%d.part", o->name, (int)getpid());
    o->fd = openat(o->dir_fd, aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (o->fd < 0) {
        cv_fail(err, CV_E_IO, errno, "create a file beside %s", path);
        cv_fd_dispose(&o->dir_fd);
        return -1;
    }
    strcpy(o->aside, aside);
    return 0;
}

int cv_output_sync(struct cv_output *o, struct cv_error *err)
{
    return fsync(o->fd) < 0 ? cv_fail(err, CV_E_IO, errno, "sync %s", o->name) : 0;
}

int cv_output_commit(struct cv_output *o, struct cv_error *err)
{
    if (cv_output_sync(o, err) < 0)
        return -1;
    if (renameat(o->dir_fd, o->aside, o->dir_fd, o->name) < 0)
        return cv_fail(err, CV_E_IO, errno, "rename to %s", o->name);
    o->aside[0] = '\0';
    if (fsync(o->dir_fd) < 0)
        return cv_fail(
            err, CV_E_IO, errno,
            "%s is in its place, whole, and what was there before is gone, but the folder could not be synced: "
            "a power cut may undo that",
            o->name);
    return 0;
}

int cv_output_abandon(struct cv_output *o, struct cv_error *err)
{
    int rc = 0;

    if (o->aside[0] != '\0' && unlinkat(o->dir_fd, o->aside, 0) < 0 && errno != ENOENT)
        rc = cv_fail(err, CV_E_IO, errno, "remove %s", o->aside);
    o->aside[0] = '\0';
    cv_fd_dispose(&o->fd);
    cv_fd_dispose(&o->dir_fd);
    return rc;
}
