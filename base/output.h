/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that is whole or not there: written aside, synced, renamed over the name that was asked for. */
#ifndef CONVOY_BASE_OUTPUT_H
#define CONVOY_BASE_OUTPUT_H

#include "base/error.h"

struct cv_output {
    int fd, dir_fd;  /* -1 = none */
    char name[256];  /* last component of the path */
    char aside[280]; /* the name while it is being written; "" = there is nothing to remove */
};

/* Makes the file beside path (same folder, so that the rename is atomic); a symbolic link is followed where the
 * kernel follows it.  CV_E_IO, CV_E_INVALID (path is a folder, a device, a pipe, or no name). */
int cv_output_open(struct cv_output *o, const char *path, struct cv_error *err) CV_CHECKED;
/* fsync alone: what takes its time.  Then cv_output_commit's is quick. */
int cv_output_sync(struct cv_output *o, struct cv_error *err) CV_CHECKED;
/* fsync, rename, fsync of the folder: when this has returned 0 the image survives a power cut.  When the last
 * of them fails the new file is in its place all the same, and the error says so. */
int cv_output_commit(struct cv_output *o, struct cv_error *err) CV_CHECKED;
/* Removes what was not committed; closes.  Idempotent, safe on one that was never opened (fds -1). */
int cv_output_abandon(struct cv_output *o, struct cv_error *err);

#endif
