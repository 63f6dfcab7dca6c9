/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the port asks of Linux and not of Xen: members of struct cv_host_ops as they are for every host but a model. */
#ifndef CONVOY_HOST_LOCAL_H
#define CONVOY_HOST_LOCAL_H

#include "host/host.h"

int cv_local_tap(struct cv_host *h, const char *ifname, const char *bridge, struct cv_error *err) CV_CHECKED;
int cv_local_bridge(struct cv_host *h, const char *name, struct cv_error *err) CV_CHECKED;
int cv_local_processes(struct cv_host *h, int (*each)(void *user, int pid), void *user,
                       struct cv_error *err) CV_CHECKED;

#endif
