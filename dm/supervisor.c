/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "emulators/op.h"
#include "emulators/qmp.h"

#define END_MS 6000        /* for the emulators to end by themselves */
#define LOCK_AGAIN_MS 1000 /* the images are another host's, or another domain's, until that lets go */
#define DIED_AGAIN_MS 200  /* Xen tells nobody that a suspended domain goes on */
#define PUT_OFF_MS 3000    /* a shutdown that is asked for has come by then */

void cv_dm_init(struct cv_dm *dm, struct cv_host *host, struct cv_sink *sink, struct cv_cancel *cancel)
{
    *dm = (struct cv_dm){ .host = host, .sink = sink, .cancel = cancel, .name = "guest" };
    cv_dm_doors_init(&dm->doors);
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++)
        dm->clients[i].fd = dm->clients[i].came_fd = -1;
}

void cv_dm_dispose(struct cv_dm *dm)
{
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++)
        cv_dm_client_close(&dm->clients[i]);
    cv_dm_desk_dispose(&dm->desk);
    cv_dm_doors_close(&dm->doors);
    if (dm->has_set)
        cv_emuset_dispose(&dm->set);
    if (dm->has_layout)
        cv_layout_dispose(&dm->layout);
    dm->has_set = dm->has_layout = false;
}

/* ---- an emulator has died ---- */

static bool is_suspended(struct cv_dm *dm)
{
    struct cv_domain_info info;

    return dm->host->ops->info(dm->host, dm->domid, &info, NULL) == 0 && info.shutdown &&
           info.shutdown_reason == CV_SHUTDOWN_SUSPEND;
}

/* Unknown counts as yes: nothing is claimed then but that it was asked for. */
static bool has_shut_down(struct cv_dm *dm)
{
    struct cv_domain_info info;

    return dm->host->ops->info(dm->host, dm->domid, &info, NULL) < 0 || info.shutdown || info.dying;
}

/* A shutdown takes a moment: vCPUs that waited for the dead emulator have to run first. */
static void look_whether_it_shut_down(struct cv_dm *dm)
{
    if (dm->asked_ms == 0)
        return;
    if (has_shut_down(dm))
        cv_log(dm->sink, CV_LOG_WARN, "domain %u: emulator_died=%s was carried out", dm->domid,
               cv_dm_died_words[dm->died]);
    else if (cv_now_ms() - dm->asked_ms > PUT_OFF_MS)
        cv_log(dm->sink, CV_LOG_ERROR,
               "domain %u: emulator_died=%s: Xen puts it off as long as a vCPU waits for an emulator that does not "
               "answer: the guest stands still until that one does, or until xl destroy",
               dm->domid, cv_dm_died_words[dm->died]);
    else
        return;
    dm->asked_ms = 0;
}

/* Without it the guest's accesses find nobody and read ones: it is not to go on as if nothing had happened. */
static void carry_out(struct cv_dm *dm)
{
    const struct cv_host_ops *ops = dm->host->ops;
    struct cv_error e = CV_ERROR_INIT;

    /* Xen would take no notice of another shutdown; a pause holds when the toolstack resumes the guest. */
    dm->died_later = dm->died != CV_DM_DIED_PRESERVE && is_suspended(dm);
    if (dm->died_later)
        return;
    int rc = dm->died == CV_DM_DIED_PRESERVE  ? ops->pause(dm->host, dm->domid, &e)
             : dm->died == CV_DM_DIED_DESTROY ? ops->shutdown(dm->host, dm->domid, CV_SHUTDOWN_POWEROFF, &e)
                                              : ops->shutdown(dm->host, dm->domid, CV_SHUTDOWN_REBOOT, &e);

    if (rc < 0)
        cv_log(dm->sink, CV_LOG_ERROR, "emulator_died=%s: %s", cv_dm_died_words[dm->died], e.text);
    else if (dm->died != CV_DM_DIED_PRESERVE)
        dm->asked_ms = cv_now_ms();
    else
        cv_log(dm->sink, CV_LOG_WARN, "domain %u: emulator_died=preserve was carried out", dm->domid);
}

/* After carry_out, so that the guest does not run on the answers that it gets. */
static void release(struct cv_dm *dm)
{
    struct cv_error e = CV_ERROR_INIT;

    if (dm->host->ops->release_orphans(dm->host, dm->domid, NULL, &e) < 0)
        cv_log(dm->sink, CV_LOG_ERROR, "domain %u: what waits for the emulator that has died: %s", dm->domid, e.text);
}

static bool has_ended(struct cv_dm *dm, unsigned dmid, struct cv_error *why)
{
    if (!(dm->lost & 1u << dmid))
        return cv_emu_ended(&dm->set.emus[dmid], why);
    cv_fail(why, CV_E_EMULATOR, 0, "its process has ended");
    return true;
}

static void look_for_dead(struct cv_dm *dm)
{
    bool first = dm->dead == 0, now = false;

    for (unsigned i = 0; i < dm->set.count; i++) {
        struct cv_error why = CV_ERROR_INIT, e = CV_ERROR_INIT;
        char text[700], shown[300];
        if (dm->dead & 1u << i || !has_ended(dm, i, &why))
            continue;
        dm->dead |= 1u << i;
        now = true;
        cv_error_string(&why, text, sizeof text);
        cv_log(dm->sink, CV_LOG_ERROR, "domain %u: emulator %u '%s' has died: %s", dm->domid, i, dm->set.emus[i].name,
               text);
        cv_text_cleaned(text, shown, sizeof shown);
        if (cv_dm_nodes_state(dm, i, shown, &e) < 0)
            cv_log(dm->sink, CV_LOG_ERROR, "%s", e.text);
    }
    if ((first && now) || dm->died_later)
        carry_out(dm);
    if (now)
        release(dm);
    look_whether_it_shut_down(dm);
}

/* ---- the loop ---- */

static void accept_client(struct cv_dm *dm, struct cv_dm_listener *l)
{
    struct cv_error e = CV_ERROR_INIT;
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++) {
        if (dm->clients[i].fd >= 0)
            continue;
        if (cv_dm_client_open(&dm->clients[i], fd, dm->set.emus[0].version, &e) < 0)
            cv_log(dm->sink, CV_LOG_DEBUG, "a toolstack: %s", e.text);
        return;
    }
    close(fd);
}

static bool has_room(const struct cv_dm *dm)
{
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++)
        if (dm->clients[i].fd < 0)
            return true;
    return false;
}

static void handle_client(struct cv_dm *dm, struct cv_dm_client *c)
{
    struct cv_error e = CV_ERROR_INIT;

    if (cv_dm_client_handle(c, &dm->desk, &e) == 0)
        return;
    cv_log(dm->sink, CV_LOG_DEBUG, "a toolstack: %s", e.text);
    cv_dm_client_close(c);
}

/* Events of emulators that nobody waits for: read, or their sockets fill up. */
static void drain(struct cv_dm *dm)
{
    for (unsigned i = 0; i < dm->set.count; i++)
        if (dm->set.emus[i].qmp->state > CV_QMP_DISCONNECTED)
            cv_qmp_handle(dm->set.emus[i].qmp, cv_qmp_events(dm->set.emus[i].qmp));
}

static void lock_disks(struct cv_dm *dm)
{
    struct cv_error e = CV_ERROR_INIT;

    if (dm->lock_later && cv_emuset_lock_disks(&dm->set, cv_now_ms(), &e) == 0)
        dm->lock_later = false;
}

static bool domain_is_gone(struct cv_dm *dm)
{
    struct cv_domain_info info;
    struct cv_error e = CV_ERROR_INIT;

    dm->host->ops->watch_drain(dm->host);
    if (dm->host->ops->info(dm->host, dm->domid, &info, &e) < 0)
        return e.code == CV_E_NOT_FOUND;
    return info.dying;
}

enum {
    AT_CANCEL,
    AT_WATCH,
    AT_LISTENERS,
    AT_CLIENTS = AT_LISTENERS + CV_DM_SOCKETS_MAX,
    AT_EMULATORS = AT_CLIENTS + CV_DM_CLIENTS_MAX,
    AT_END = AT_EMULATORS + 2 * CV_DM_MAX
};

static void fill(struct cv_dm *dm, int watch, struct pollfd p[AT_END])
{
    bool room = has_room(dm);

    for (int i = 0; i < AT_END; i++)
        p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    p[AT_CANCEL].fd = dm->cancel->fd;
    p[AT_WATCH].fd = watch;
    for (unsigned i = 0; i < dm->doors.listener_count; i++)
        p[AT_LISTENERS + i].fd = room ? dm->doors.listeners[i].fd : -1;
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++)
        p[AT_CLIENTS + i].fd = dm->clients[i].fd;
    for (unsigned i = 0; i < dm->set.count; i++) {
        const struct cv_emu *emu = &dm->set.emus[i];
        p[AT_EMULATORS + 2 * i].fd = dm->dead & 1u << i ? -1 : emu->pidfd;
        p[AT_EMULATORS + 2 * i + 1].fd = cv_qmp_events(emu->qmp) != 0 ? emu->qmp->fd : -1;
    }
}

static void handle(struct cv_dm *dm, const struct pollfd p[AT_END])
{
    drain(dm);
    look_for_dead(dm);
    for (unsigned i = 0; i < dm->doors.listener_count; i++)
        if (p[AT_LISTENERS + i].revents != 0)
            accept_client(dm, &dm->doors.listeners[i]);
    for (unsigned i = 0; i < CV_DM_CLIENTS_MAX; i++)
        if (p[AT_CLIENTS + i].revents != 0 && dm->clients[i].fd >= 0 && !dm->desk.quit)
            handle_client(dm, &dm->clients[i]);
    look_for_dead(dm); /* whom an answer has named is dealt with before anything else happens */
    lock_disks(dm);
}

/* Its death interrupts a wait. */
static void look_for_keeper(struct cv_dm *dm)
{
    struct cv_error e = CV_ERROR_INIT;

    if (dm->keeper == 0 || getppid() == dm->keeper)
        return;
    dm->keeper = 0;
    cv_log(dm->sink, CV_LOG_WARN, "domain %u: the process that the toolstack knows as its device model was killed",
           dm->domid);
    if (cv_dm_nodes_pid(dm, &e) < 0)
        cv_log(dm->sink, CV_LOG_ERROR, "%s", e.text);
}

static int wait_ms(const struct cv_dm *dm)
{
    return dm->died_later || dm->asked_ms != 0 ? DIED_AGAIN_MS : dm->lock_later ? LOCK_AGAIN_MS : -1;
}

static int loop(struct cv_dm *dm, struct cv_error *err)
{
    struct pollfd p[AT_END];
    int watch;

    if (dm->host->ops->watch_fd(dm->host, &watch, err) < 0)
        return -1;
    if (domain_is_gone(dm))
        return 0;
    if (dm->dead != 0) /* reported by a supervisor that may have died before it came to this */
        release(dm);
    look_for_dead(dm); /* of those that were taken over */
    while (!cv_cancel_requested(dm->cancel) && !dm->desk.quit) {
        look_for_keeper(dm);
        fill(dm, watch, p);
        if (poll(p, AT_END, wait_ms(dm)) < 0 && errno != EINTR)
            return cv_fail(err, CV_E_INTERNAL, errno, "poll");
        if (p[AT_WATCH].revents != 0 && domain_is_gone(dm))
            break;
        handle(dm, p);
    }
    return 0;
}

int cv_dm_serve(struct cv_dm *dm, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = 0 };
    int rc = loop(dm, err);

    w.deadline_ms = cv_after_ms(END_MS);
    rc |= cv_emuset_quit(&dm->set, &w, cv_if_first(err, rc));
    cv_dm_nodes_remove(dm);
    cv_dm_doors_remove(&dm->doors, dm->host->dirs->run, dm->domid);
    return rc != 0 ? -1 : 0;
}
