/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/detach.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/priority.h"
#include "config/config.h"
#include "emulators/paths.h"
#include "guest/devices.h"
#include "guest/guest.h"
#include "guest/logs.h"
#include "guest/sweep.h"

/* The domain's shell stays until the last foreign mapping is gone; we look again after every release event. */
#define ATTEMPT_MS 5000
#define AGAIN_MS 1000

enum end { END_NONE, END_GONE, END_POWEROFF, END_REBOOT, END_CRASH, END_WATCHDOG, END_SOFT_RESET };
static const char *const end_words[] = { "", "destroyed", "power off", "reboot", "crash", "watchdog", "soft reset" };

/* Nobody waits any more for the suspension that this guest was asked for: it would stand still for ever. */
static void resume_if_late(struct cv_host *host, uint32_t domid)
{
    char path[96], *value = NULL;

    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, domid);
    /* Taken, not read: whoever asks for the next suspension takes it away, and then this one is not ours to undo. */
    if (host->ops->xs_take(host, path, &value, NULL) < 0 || value == NULL)
        return;
    if (strtoll(value, NULL, 10) > cv_now_ms())
        host->ops->resume(host, domid, NULL);
    free(value);
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
    /* It may have been handed over since. */
    int rc = cv_guest_may_run(&g, CV_GATE_RESTART, &e);
    if (rc == 0)
        rc = cv_guest_go_on(&g, cv_after_ms(ATTEMPT_MS), &e);
    cv_guest_dispose(&g);
    if (rc < 0)
        return true;
    cv_log(sink, CV_LOG_INFO, "domain %u goes on: all of its emulators answer again", domid);
    return host->ops->xs_remove(host, path, NULL) < 0;
}

static enum end look_for_end(struct cv_host *host, uint32_t domid, const uint8_t *uuid)
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
    case CV_SHUTDOWN_WATCHDOG: return END_WATCHDOG;
    case CV_SHUTDOWN_SOFT_RESET: return END_SOFT_RESET;
    default: return END_POWEROFF;
    }
}

/* preserved: its end is known; wait until it is gone. */
static int wait_for_end(struct cv_host *host, const struct cv_guest *g, bool preserved, struct cv_cancel *cancel,
                        enum end *end_out, struct cv_error *err)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, CV_GUEST_GO_ON, g->domid);
    if (host->ops->watch_fd(host, &fd, err) < 0 || host->ops->watch_path(host, path, err) < 0)
        return -1;
    for (;;) {
        struct cv_error e = CV_ERROR_INIT;
        host->ops->watch_drain(host);
        *end_out = look_for_end(host, g->domid, g->spec.uuid);
        if (*end_out == END_GONE || (*end_out != END_NONE && !preserved))
            return 0;
        /* An emulator that answers again makes no event. */
        bool again = go_on_if_asked(host, g->domid, g->sink);
        cv_guest_bound_logs(g);
        if (cv_poll_one(fd, POLLIN, cv_after_ms(again ? AGAIN_MS : CV_GUEST_LOGS_MS), cancel, &e) < 0 &&
            e.code != CV_E_TIMEOUT)
            return cv_fail_as(err, &e);
    }
}

/* xl's defaults, for a configuration that this version does not understand. */
static enum cv_action usual_action(enum end end)
{
    return end == END_REBOOT || end == END_SOFT_RESET ? CV_ACTION_RESTART : CV_ACTION_DESTROY;
}

static enum cv_action action_for(const struct cv_guest *g, enum end end)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_guest_config c;
    enum cv_action action;

    if (cv_guest_config_parse(g->config_text, strlen(g->config_text), "config", &c, &e) < 0) {
        cv_log(g->sink, CV_LOG_WARN, "domain %u: its configuration is not understood any more: %s", g->domid, e.text);
        return usual_action(end);
    }
    switch (end) {
    case END_REBOOT: action = c.on_reboot; break;
    case END_CRASH: action = c.on_crash; break;
    case END_WATCHDOG: action = c.on_watchdog; break;
    case END_SOFT_RESET: action = c.on_soft_reset == CV_ACTION_SOFT_RESET ? CV_ACTION_RESTART : c.on_soft_reset; break;
    default: action = c.on_poweroff; break;
    }
    cv_guest_config_dispose(&c);
    return action;
}

static bool dumps(enum cv_action a) { return a == CV_ACTION_COREDUMP_DESTROY || a == CV_ACTION_COREDUMP_RESTART; }
static bool restarts(enum cv_action a) { return a == CV_ACTION_RESTART || a == CV_ACTION_COREDUMP_RESTART; }

/* Where xl puts it.  Without it, the guest's end is carried out all the same. */
static void dump(const struct cv_guest *g)
{
    const char *lib = g->host->dirs->lib ? g->host->dirs->lib : CV_LIB_DIR;
    struct cv_error e = CV_ERROR_INIT;
    char path[400];

    snprintf(path, sizeof path, "%.200s/dump", lib);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        cv_log(g->sink, CV_LOG_ERROR, "make %s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%.200s/dump/%.128s", lib, g->spec.name);
    if (g->host->ops->dump(g->host, g->domid, path, &e) < 0)
        cv_log(g->sink, CV_LOG_ERROR, "%s", e.text);
    else
        cv_log(g->sink, CV_LOG_INFO, "domain %u: memory written to %s", g->domid, path);
}

/* Somebody else ended the domain (xl destroy): of its emulators xl knows one, and of our nodes nothing. */
static int clean_up_after(struct cv_guest *g, uint32_t domid, struct cv_error *err)
{
    char path[64];
    int rc = cv_guest_quit_emulators(g, err);

    snprintf(path, sizeof path, "/local/domain/0/dms/%u", domid);
    rc |= g->host->ops->xs_remove(g->host, path, cv_if_first(err, rc));
    snprintf(path, sizeof path, "/local/domain/0/device-model/%u", domid);
    rc |= g->host->ops->xs_remove(g->host, path, cv_if_first(err, rc));
    return rc != 0 ? -1 : 0;
}

/* A migration may have this guest in hand, or another domain have its uuid: until that is over it must not be started
 * anew.  *gone_out: somebody has ended what is left of it meanwhile. */
static int await_leave(struct cv_guest *g, struct cv_cancel *cancel, bool *gone_out, struct cv_error *err)
{
    char told[sizeof err->text] = "";

    for (;;) {
        struct cv_error e = CV_ERROR_INIT, slept = CV_ERROR_INIT;
        *gone_out = look_for_end(g->host, g->domid, g->spec.uuid) == END_GONE;
        if (*gone_out || cv_guest_may_run(g, CV_GATE_RESTART, &e) == 0)
            return 0;
        if (strcmp(told, e.text) != 0)
            cv_log(g->sink, CV_LOG_WARN, "domain %u '%s' is not restarted yet: %s", g->domid, g->spec.name, e.text);
        snprintf(told, sizeof told, "%s", e.text);
        if (cv_poll_one(-1, 0, cv_after_ms(AGAIN_MS), cancel, &slept) < 0 && slept.code == CV_E_CANCELLED)
            return cv_fail_as(err, &slept);
    }
}

/* The guest has ended: what its configuration wants.  *next_out: domid of what takes its place. */
static int carry_out(struct cv_guest *g, enum end end, enum cv_action action, struct cv_cancel *cancel,
                     uint32_t *next_out, struct cv_error *err)
{
    struct cv_create_options opt = { .cancel = cancel };
    struct cv_error e = CV_ERROR_INIT;
    struct cv_guest next;

    bool gone = end == END_GONE;

    if (!gone && restarts(action) && await_leave(g, cancel, &gone, err) < 0)
        return -1;
    if (gone)
        return clean_up_after(g, g->domid, err);
    if (dumps(action))
        dump(g);
    /* What was attached is there after a reboot, too, as in xl. */
    if (restarts(action) && cv_guest_devices_read(g, &e) < 0)
        cv_log(g->sink, CV_LOG_WARN, "'%s': its devices will be those of its configuration: %s", g->spec.name, e.text);
    if (cv_guest_destroy(g, err) < 0)
        return -1;
    if (!restarts(action))
        return 0;
    if (end == END_SOFT_RESET)
        cv_log(g->sink, CV_LOG_WARN, "'%s': a soft reset is not supported: it is restarted", g->spec.name);
    if (cv_guest_create_again(&next, g, &opt, err) < 0)
        return -1;
    *next_out = next.domid;
    cv_guest_dispose(&next);
    return 0;
}

/* xl rename changes only the node. */
static void learn_name(struct cv_guest *g)
{
    struct cv_domain_info d;

    if (g->host->ops->info(g->host, g->domid, &d, NULL) == 0 && d.name[0] != '\0')
        snprintf(g->spec.name, sizeof g->spec.name, "%s", d.name);
}

/* What was locked is what the name leads to: whoever sweeps may have removed it in between. */
static bool is_at(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Two of them would start a guest that reboots twice.  A lock's descriptor; -1: somebody watches this guest already. */
static int take_watch(struct cv_host *host, uint32_t domid, char *path, size_t size, struct cv_sink *sink)
{
    cv_path_monitor_lock(host->dirs->run, domid, path, size);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) { /* rather two than none */
            cv_log(sink, CV_LOG_WARN, "%s: %s", path, strerror(errno));
            return open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            cv_log(sink, CV_LOG_INFO, "domain %u is watched already", domid);
            return -1;
        }
        if (is_at(fd, path))
            return fd;
        close(fd);
    }
}

static int watch_over(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                      uint32_t *next_out, struct cv_error *err)
{
    enum cv_action action = CV_ACTION_DESTROY;
    struct cv_guest g;
    enum end end;

    if (cv_guest_open_domain(&g, host, domid, sink, err) < 0)
        return -1;
    int rc = wait_for_end(host, &g, false, cancel, &end, err);
    if (rc == 0) {
        learn_name(&g);
        cv_log(sink, CV_LOG_INFO, "domain %u '%s' ended: %s", domid, g.spec.name, end_words[end]);
        action = end == END_GONE ? CV_ACTION_DESTROY : action_for(&g, end);
    }
    /* kept to be looked at; whoever ends it with xl knows of one emulator */
    if (rc == 0 && action == CV_ACTION_PRESERVE)
        rc = wait_for_end(host, &g, true, cancel, &end, err);
    if (rc == 0)
        rc = carry_out(&g, end, action, cancel, next_out, err);
    cv_guest_dispose(&g);
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
    cv_guest_sweep_stale(host);
    int rc = watch_over(host, domid, cancel, sink, next_out, err);
    unlink(path);
    close(lock);
    return rc;
}

int cv_monitor_guest(struct cv_host *host, uint32_t domid, struct cv_cancel *cancel, struct cv_sink *sink,
                     struct cv_error *err)
{
    if (!cv_guest_is_ours(host, domid))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u is not convoy's: whoever made it watches over it", domid);
    while (domid != 0)
        if (cv_monitor_run(host, domid, cancel, sink, &domid, err) < 0)
            return -1;
    return 0;
}

int cv_monitor_spawn(const char *program, uint32_t domid, const char *name, struct cv_error *err)
{
    char who[16], log[256];
    const char *argv[] = { "convoy", "monitor", who, NULL };

    snprintf(who, sizeof who, "%u", domid);
    snprintf(log, sizeof log, "%s/convoy-%.100s.log", CV_LOG_DIR, name);
    CV_AUTO_FD out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct cv_detach d = {
        .program = program, .argv = argv, .in_fd = -1, .out_fd = out, .nice = cv_nice_own() /* as what it restarts */
    };
    return cv_detach(&d, err) < 0 ? cv_context(err, "the guest's monitor") : 0;
}
