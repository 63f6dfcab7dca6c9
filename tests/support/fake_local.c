/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network and the processes of the model's host. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "tests/support/fake_host_internal.h"

/* It has every bridge but one. */
int fake_bridge(struct cv_host *h, const char *name, struct cv_error *err)
{
    TRIP(h, err);
    if (fake(h)->no_bridge != NULL && strcmp(fake(h)->no_bridge, name) == 0)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no bridge %s", name);
    return 0;
}

/* What nothing ever comes through. */
int fake_tap(struct cv_host *h, const char *ifname, const char *bridge, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(*ifname != '\0', "a TAP without a name");
    fake_contract(fake(h)->no_bridge == NULL || strcmp(fake(h)->no_bridge, bridge) != 0,
                  "a TAP for a bridge that was not looked for");
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : cv_fail(err, CV_E_IO, errno, "open /dev/null");
}

static bool is_child(int pid)
{
    char path[40], state;
    CV_AUTO_FREE char *text = NULL;
    size_t len;
    int parent = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (cv_file_read(path, 4096, &text, &len, NULL) < 0)
        return false;
    const char *after = strrchr(text, ')');
    return after != NULL && sscanf(after + 1, " %c %d", &state, &parent) == 2 && parent == (int)getpid();
}

/* Models number their domains alike and share one machine: each has its own emulators only. */
int fake_processes(struct cv_host *h, int (*each)(void *user, int pid), void *user, struct cv_error *err)
{
    int rc = 0;

    TRIP(h, err);
    DIR *d = opendir("/proc");
    fake_contract(d != NULL, "no /proc");
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (isdigit((unsigned char)e->d_name[0]) && is_child(atoi(e->d_name)))
            rc = each(user, atoi(e->d_name));
    closedir(d);
    return rc < 0 ? -1 : 0;
}
