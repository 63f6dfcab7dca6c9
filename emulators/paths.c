/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char *or_standard(const char *dir, const char *standard) { return dir != NULL ? dir : standard; }

const char *cv_path_qmp(const char *dir, unsigned domid, unsigned dmid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qmp-libxl-%u-%u", or_standard(dir, CV_RUN_DIR), domid, dmid);
    return buf;
}

const char *cv_path_qmp_xl(const char *dir, unsigned domid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qmp-libxl-%u", or_standard(dir, CV_RUN_DIR), domid);
    return buf;
}

const char *cv_path_state(const char *dir, unsigned domid, unsigned dmid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qemu-save.%u.%u", or_standard(dir, CV_LIB_DIR), domid, dmid);
    return buf;
}

const char *cv_path_resume(const char *dir, unsigned domid, unsigned dmid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qemu-resume.%u.%u", or_standard(dir, CV_LIB_DIR), domid, dmid);
    return buf;
}

const char *cv_path_log(const char *dir, const char *dm, const char *guest, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qemu-%s-%s.log", or_standard(dir, CV_LOG_DIR), dm, guest);
    return buf;
}

int cv_state_file_create(const char *path, struct cv_error *err)
{
    /* Exclusive: a stale file's length must never become part of a new state (H-6). */
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "create %s", path);
    return fd;
}
