/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/config.h"
#include "emulators/paths.h"
#include "guest/guest.h"

/* The domain's shell stays until the last foreign mapping is gone; we look again after every release event. */
#define ATTEMPT_MS 5000
#define AGAIN_MS 1000

enum end { END_NONE, END_GONE, END_POWEROFF, END_REBOOT, END_CRASH };

/* Nobody waits any more for the suspension that this guest was asked for: it would stand still for ever. */
static void resume_if_late(struct cv_host *host, uint32_t domid)
{
    char path[96], *value = NULL;

    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, domid);
    if (host->ops->xs_read(host, path, &value, NULL) < 0 || value == NULL)
        return;
    free(value);
    if (host->ops->xs_remove(host, path, NULL) == 0)
        host->ops->resume(host, domid, NULL);
}

/* Whoever stopped the guest has failed, and could not set all of its emulators going again: they may answer by now.
 * True: tried in vain, to be tried again. */
static bool go_on_if_asked(struct cv_host *host, uint32_t domid, struct cv_sink *sink)
{
    struct cv_error e = CV_ERROR_INIT;
    char path[96], *value = NULL;
    struct cv_guest g;

    snprintf(path, sizeof path, CV_GUEST_GO_ON, domid);
    if (host->ops->xs_read(host, path, &value, NULL) < 0 || value == NULL)
        return false;
    free(value);
    if (cv_guest_open_living(&g, host, domid, cv_after_ms(ATTEMPT_MS), sink, &e) < 0)
        return true;
    int rc = cv_guest_go_on(&g, cv_after_ms(ATTEMPT_MS), &e);
    cv_guest_dispose(&g);
    if (rc < 0)
        return true;
    cv_log(sink, CV_LOG_INFO, "domain %u goes on: all of its emulators answer again", domid);
    return host->ops->xs_remove(host, path, NULL) < 0;
}

static enum end look(struct cv_host *host, uint32_t domid, const uint8_t *uuid)
{
    struct cv_domain_info d;
    struct cv_error e = CV_ERROR_INIT;

    if (host->ops->info(host, domid, &d, &e) < 0)
        return e.code == CV_E_NOT_FOUND ? END_GONE : END_NONE;
    if (d.dying || memcmp(d.uuid, uuid, sizeof d.uuid) != 0)
        return END_GONE;
    if (!d.shutdown)
        return END_NONE;
    switch (d.shutdown_reason) {
    case CV_SHUTDOWN_SUSPEND: resume_if_late(host, domid); return END_NONE;
    case CV_SHUTDOWN_REBOOT: return END_REBOOT;
    case CV_SHUTDOWN_CRASH: return END_CRASH;
    default: return END_POWEROFF;
    }
}

static int wait_for_end(struct cv_host *host, const struct cv_guest *g, struct cv_cancel *cancel, enum end *end_out,
                        struct cv_error *err)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, CV_GUEST_GO_ON, g->domid);
    if (host->ops->watch_fd(host, &fd, err) < 0 || host->ops->watch_path(host, path, err) < 0)
        return -1;
    for (;;) {
        struct cv_error e = CV_ERROR_INIT;
        host->ops->watch_drain(host);
        *end_out = look(host, g->domid, g->spec.uuid);
        if (*end_out != END_NONE)
            return 0;
        /* An emulator that answers again makes no event. */
        bool again = go_on_if_asked(host, g->domid, g->sink);
        if (cv_poll_one(fd, POLLIN, again ? cv_after_ms(AGAIN_MS) : CV_NEVER, cancel, &e) < 0 && e.code != CV_E_TIMEOUT) {
            *err = e;
            return -1;
        }
    }
}

static enum cv_action action_for(const struct cv_guest *g, enum end end)
{
    struct cv_guest_config c;
    enum cv_action action = end == END_REBOOT ? CV_ACTION_RESTART : CV_ACTION_DESTROY;

    if (end == END_GONE || cv_guest_config_parse(g->config_text, strlen(g->config_text), "config", &c, NULL) < 0)
        return CV_ACTION_DESTROY;
    switch (end) {
    case END_REBOOT: action = c.on_reboot; break;
    case END_CRASH: action = c.on_crash; break;
    default: action = c.on_poweroff; break;
    }
    cv_guest_config_dispose(&c);
    return action;
}

/* A new guest from the configuration that the old one was made from; the old one is gone by now. */
static int restart(struct cv_host *host, const char *config, struct cv_sink *sink, struct cv_cancel *cancel,
                   uint32_t *next_out, struct cv_error *err)
{
    char path[] = "/tmp/convoy-restart.XXXXXX";
    struct cv_create_options opt = { .cancel = cancel };
    struct cv_guest g;
    CV_AUTO_FD fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "make %s", path);
    int rc = cv_write_full(fd, config, strlen(config), CV_NEVER, NULL, err);
    if (rc == 0)
        rc = cv_guest_create(&g, host, path, &opt, sink, err);
    unlink(path);
    if (rc < 0)
        return -1;
    *next_out = g.domid;
    cv_guest_dispose(&g);
    return 0;
}

/* Somebody else ended the domain (xl destroy): of its emulators xl knows one, and of our nodes nothing. */
static int clean_up_after(struct cv_guest *g, uint32_t domid, struct cv_error *err)
{
    char path[64];
    int rc = cv_guest_quit_emulators(g, err);

    snprintf(path, sizeof path, "/local/domain/0/dms/%u", domid);
    rc |= g->host->ops->xs_remove(g->host, path, err);
    snprintf(path, sizeof path, "/local/domain/0/device-model/%u", domid);
    rc |= g->host->ops->xs_remove(g->host, path, err);
    return rc != 0 ? -1 : 0;
}

/* Two of them would start a guest that reboots twice.  A lock's descriptor; -1: somebody watches this guest already. */
static int take_watch(struct cv_host *host, uint32_t domid, char *path, size_t size, struct cv_sink *sink)
{
    snprintf(path, size, "%s/convoy-monitor-%u.lock", host->dirs->run ? host->dirs->run : CV_RUN_DIR, domid);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {                          /* rather two than none */
        cv_log(sink, CV_LOG_WARN, "%s: %s", path, strerror(errno));
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        cv_log(sink, CV_LOG_INFO, "domain %u is watched already", domid);
        return -1;
    }
    return fd;
}

static int watch_over(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                      uint32_t *next_out, struct cv_error *err)
{
    struct cv_guest g;
    char who[16];
    enum end end;

    snprintf(who, sizeof who, "%u", domid);
    if (cv_guest_open_to_end(&g, host, who, sink, err) < 0)
        return -1;
    if (wait_for_end(host, &g, cancel, &end, err) < 0) {
        cv_guest_dispose(&g);
        return -1;
    }
    enum cv_action action = action_for(&g, end);
    cv_log(sink, CV_LOG_INFO, "domain %u '%s' ended: %s", domid, g.spec.name,
           end == END_GONE ? "destroyed" : end == END_REBOOT ? "reboot" : end == END_CRASH ? "crash" : "power off");
    if (action == CV_ACTION_PRESERVE) {
        cv_guest_dispose(&g);
        return 0;
    }
    CV_AUTO_FREE char *config = strdup(g.config_text);
    int rc = 0;
    if (end == END_GONE)
        rc = clean_up_after(&g, domid, err);
    else
        rc = cv_guest_destroy(&g, err);
    cv_guest_dispose(&g);
    if (rc == 0 && config != NULL && (action == CV_ACTION_RESTART || action == CV_ACTION_COREDUMP_RESTART ||
                                      action == CV_ACTION_RENAME_RESTART || action == CV_ACTION_SOFT_RESET))
        rc = restart(host, config, sink, cancel, next_out, err);
    return rc;
}

int cv_monitor_run(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                   uint32_t *next_out, struct cv_error *err)
{
    char path[200];
    int lock = take_watch(host, domid, path, sizeof path, sink);

    *next_out = 0;
    if (lock < 0)
        return 0;
    int rc = watch_over(host, domid, cancel, sink, next_out, err);
    unlink(path);
    close(lock);
    return rc;
}

static void run_detached(const char *program, const char *domid, const char *log)
{
    setsid();
    if (fork() != 0)
        _exit(0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(out >= 0 ? out : null, 1);
    dup2(out >= 0 ? out : null, 2);
    if (chdir("/") < 0)
        _exit(1);
    execl(program, "convoy", "monitor", domid, (char *)NULL);
    _exit(127);
}

int cv_monitor_spawn(const char *program, uint32_t domid, const char *name, struct cv_error *err)
{
    char who[16], log[256];
    int status;

    snprintf(who, sizeof who, "%u", domid);
    snprintf(log, sizeof log, "%s/convoy-%.100s.log", CV_LOG_DIR, name);
    pid_t pid = fork();
    if (pid < 0)
        return cv_fail(err, CV_E_NOMEM, errno, "start the guest's monitor");
    if (pid == 0)
        run_detached(program, who, log);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}
