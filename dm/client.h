/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of a toolstack's: it is greeted as by QEMU, and each line that it sends is answered. */
#ifndef CONVOY_DM_CLIENT_H
#define CONVOY_DM_CLIENT_H

#include "base/bytes.h"
#include "dm/desk.h"

#define CV_DM_LINE_MAX (1u << 20)

struct cv_dm_client {
    int fd;      /* -1 = none */
    int came_fd; /* the last descriptor that came and was not used yet; -1 = none */
    struct cv_buf in;
};

/* Takes fd, a connected socket; greets with the default emulator's version ("7.2.22").  On failure fd is closed. */
int cv_dm_client_open(struct cv_dm_client *c, int fd, const char *version, struct cv_error *err) CV_CHECKED;
void cv_dm_client_close(struct cv_dm_client *c);
/* Something can be read: reads, answers whole lines.  -1: it is gone or broke the protocol, close it. */
int cv_dm_client_handle(struct cv_dm_client *c, struct cv_dm_desk *d, struct cv_error *err) CV_CHECKED;

#endif
