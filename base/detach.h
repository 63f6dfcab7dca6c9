/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that outlives us: nobody has to reap it, no signal to our process group reaches it, and it is known to have
 * been started. */
#ifndef CONVOY_BASE_DETACH_H
#define CONVOY_BASE_DETACH_H

#include "base/error.h"

struct cv_detach {
    const char *program;     /* a path */
    const char *const *argv; /* NULL-terminated */
    int in_fd, out_fd;       /* standard input; output and errors.  -1 = /dev/null */
    int nice;
    void (*prepare)(void); /* in the new process, just before it executes the program; may be NULL */
};

/* Returns when the program has been executed (its folder is "/", its session its own), or could not be: CV_E_NOMEM for
 * what fork said, CV_E_IO with the errno of what failed. */
int cv_detach(const struct cv_detach *d, struct cv_error *err) CV_CHECKED;

#endif
