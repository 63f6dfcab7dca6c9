/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "layout/layout.h"
#include "emulators/paths.h"
#include "guest/devices.h"

#define GONE_MS 5000

static bool serves(int pid, const char *domid)
{
    char path[40];
    CV_AUTO_FREE char *text = NULL;
    size_t len;

    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    if (cv_file_read(path, 1 << 20, &text, &len, NULL) < 0)
        return false;
    for (const char *p = text; p < text + len; p += strlen(p) + 1) {
        const char *next = p + strlen(p) + 1;
        if (strcmp(p, "-xen-domid") == 0 && next < text + len && strcmp(next, domid) == 0)
            return true;
    }
    return false;
}

static int end_process(int pid, const char *domid, struct cv_error *err)
{
    /* First the handle, then the look: what was looked at is what is killed. */
    CV_AUTO_FD fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || !serves(pid, domid))
        return 0;
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    if (poll(&p, 1, GONE_MS) <= 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "process %d of domain %s survives SIGKILL", pid, domid);
    return 0;
}

static void remove_sockets(struct cv_host *host, uint32_t domid)
{
    char path[200];

    for (unsigned i = 0; i < CV_DM_MAX; i++)
        unlink(cv_path_qmp(host->dirs->run, domid, i, path, sizeof path));
    unlink(cv_path_qmp_xl(host->dirs->run, domid, path, sizeof path));
}

/* Somebody holds the lock of the domain's monitor: what is left of it is his to end. */
static bool is_watched(int dir, uint32_t domid)
{
    char name[64];

    snprintf(name, sizeof name, "convoy-monitor-%u.lock", domid);
    CV_AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

void cv_guest_unwatch(struct cv_host *host, uint32_t domid)
{
    char path[200];
    CV_AUTO_FD dir = open(host->dirs->run ? host->dirs->run : CV_RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir >= 0 && !is_watched(dir, domid))
        unlink(cv_path_monitor_lock(host->dirs->run, domid, path, sizeof path));
}

struct sweep {
    char domid[16];
    struct cv_error *err;
    int rc;
};

static int sweep_process(void *user, int pid)
{
    struct sweep *s = user;

    s->rc |= end_process(pid, s->domid, cv_if_first(s->err, s->rc));
    return 0;
}

int cv_guest_sweep(struct cv_host *host, uint32_t domid, struct cv_error *err)
{
    struct sweep s = { .err = err };

    snprintf(s.domid, sizeof s.domid, "%u", domid);
    int rc = host->ops->processes(host, sweep_process, &s, err);
    rc |= s.rc;
    remove_sockets(host, domid);
    cv_guest_unguard(host, domid);
    cv_guest_unwatch(host, domid);
    return rc;
}

/* The domain that a file of ours belongs to; 0: it is none of ours. */
static uint32_t owner_of(const char *name)
{
    unsigned domid, dmid;
    int end = 0;
    char rest;

    if (sscanf(name, "convoy-gate-%u%c", &domid, &rest) == 1 ||
        sscanf(name, "qmp-libxl-%u-%u%c", &domid, &dmid, &rest) == 2)
        return domid;
    bool is_lock = sscanf(name, "convoy-monitor-%u.lock%n", &domid, &end) == 1 && end > 0 && name[end] == '\0';
    return is_lock ? domid : 0;
}

void cv_guest_sweep_stale(struct cv_host *host)
{
    DIR *d = opendir(host->dirs->run ? host->dirs->run : CV_RUN_DIR);

    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct cv_error why = CV_ERROR_INIT;
        struct cv_domain_info info;
        uint32_t domid = owner_of(e->d_name);
        /* First the name, then the look: a domain is there before its files are. */
        if (domid != 0 && host->ops->info(host, domid, &info, &why) < 0 && why.code == CV_E_NOT_FOUND &&
            !is_watched(dirfd(d), domid))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}
