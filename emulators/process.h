/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One child process with exactly the descriptors that it is given. */
#ifndef CONVOY_EMULATORS_PROCESS_H
#define CONVOY_EMULATORS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define CV_PROCESS_FDS_MAX 96

struct cv_process {
    const char *const *argv;     /* NULL-terminated; [0] is a path */
    int log_fd;                  /* stdout and stderr; stdin is /dev/null */
    int fds[CV_PROCESS_FDS_MAX]; /* fds[i] becomes descriptor 3 + i */
    unsigned fd_count;
    bool no_new_privs; /* and undumpable */
};

/* Starts p in a session of its own, with default signals.  Every other descriptor is closed.
 * Returns after exec has succeeded: *pid_out, *pidfd_out (close-on-exec).  CV_E_EMULATOR with exec's errno. */
int cv_process_start(const struct cv_process *p, pid_t *pid_out, int *pidfd_out, struct cv_error *err) CV_CHECKED;

#endif
