/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int cv_output_open(struct cv_output *o, const char *path, struct cv_error *err)
{
    char dir[4096], base[4096];
    struct stat st;

    *o = (struct cv_output){ .fd = -1, .dir_fd = -1 };
    if (strlen(path) >= sizeof dir)
        return cv_fail(err, CV_E_INVALID, ENAMETOOLONG, "%.60s...", path);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return cv_fail(err, CV_E_INVALID, EISDIR, "%s", path);
    strcpy(dir, path);
    strcpy(base, path);
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

int cv_output_commit(struct cv_output *o, struct cv_error *err)
{
    if (fsync(o->fd) < 0)
        return cv_fail(err, CV_E_IO, errno, "sync %s", o->name);
    if (renameat(o->dir_fd, o->aside, o->dir_fd, o->name) < 0)
        return cv_fail(err, CV_E_IO, errno, "rename to %s", o->name);
    o->aside[0] = '\0';
    if (fsync(o->dir_fd) < 0)
        return cv_fail(err, CV_E_IO, errno, "sync the folder of %s", o->name);
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
