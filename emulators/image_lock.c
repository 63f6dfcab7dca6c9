/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/image_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define WRITES 101       /* we write */
#define WRITES_ALONE 201 /* and nobody else may */

static int take_lock(int fd, short type, off_t byte)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return fcntl(fd, F_OFD_SETLK, &l);
}

/* Somebody else holds the byte. */
static int held(int fd, off_t byte)
{
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

int cv_image_lock(int fd, const char *path, struct cv_error *err)
{
    if ((take_lock(fd, F_RDLCK, WRITES) < 0 || take_lock(fd, F_RDLCK, WRITES_ALONE) < 0) && errno != EAGAIN &&
        errno != EACCES)
        return 0;
    if (!held(fd, WRITES) && !held(fd, WRITES_ALONE))
        return 0;
    take_lock(fd, F_UNLCK, WRITES);
    take_lock(fd, F_UNLCK, WRITES_ALONE);
    return cv_fail(err, CV_E_BUSY, 0, "%s is in use: another program writes it", path);
}
