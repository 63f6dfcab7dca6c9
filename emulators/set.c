/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of the set, and the simple operations. */
#include "emulators/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "emulators/image_lock.h"
#include "emulators/op.h"
#include "emulators/paths.h"

int cv_emuset_init(struct cv_emuset *set, const struct cv_layout *l, unsigned domid, struct cv_sink *sink,
                   struct cv_error *err)
{
    memset(set, 0, sizeof *set);
    set->domid = domid;
    set->sink = sink;
    for (unsigned i = 0; i < l->count; i++) {
        struct cv_emu *emu = &set->emus[i];
        *emu = (struct cv_emu){ .dmid = i,
                                .name = l->dms[i].name,
                                .wanted = l->dms[i].version,
                                .wanted_prefix = l->dms[i].wanted_version,
                                .foreign = l->dms[i].role == CV_DM_ATTACHED,
                                .qemu = cv_layout_is_qemu(&l->dms[i]),
                                .pidfd = -1,
                                .state_fd = -1,
                                .log_fd = -1 };
        emu->qmp = calloc(1, sizeof *emu->qmp);
        set->count = i + 1;
        if (emu->qmp == NULL) {
            cv_emuset_dispose(set);
            return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
        }
        cv_qmp_init(emu->qmp, -1);
    }
    return 0;
}

void cv_emuset_disconnect(struct cv_emuset *set)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->emus[i].qmp != NULL)
            cv_qmp_dispose(set->emus[i].qmp);
}

static void drop_images(struct cv_emuset *set)
{
    for (unsigned i = 0; i < set->image_count; i++)
        cv_fd_dispose(&set->image_fds[i]);
    set->image_count = 0;
}

#define LOCK_AGAIN_MS 20

int cv_emuset_lock_disks(struct cv_emuset *set, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;

    for (unsigned i = 0; i < set->image_count; i++)
        while (cv_image_lock(set->image_fds[i], set->image_paths[i], &why) < 0) {
            if (cv_now_ms() >= deadline_ms)
                return cv_fail_as(err, &why);
            usleep(LOCK_AGAIN_MS * 1000);
        }
    drop_images(set);
    return 0;
}

void cv_emuset_dispose(struct cv_emuset *set)
{
    drop_images(set);
    cv_emuset_disconnect(set);
    for (unsigned i = 0; i < set->count; i++) {
        struct cv_emu *emu = &set->emus[i];
        free(emu->qmp);
        emu->qmp = NULL;
        cv_fd_dispose(&emu->pidfd);
        cv_fd_dispose(&emu->log_fd);
        cv_fd_dispose(&emu->state_fd);
    }
    set->count = 0;
}

/* A recycled pid must never be stopped or killed: the process must name this domain on its command line. */
static int check_process(const struct cv_emuset *set, pid_t pid, struct cv_error *err)
{
    char path[40], want[16];
    CV_AUTO_FREE char *text = NULL;
    size_t len;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    if (cv_file_read(path, 1 << 20, &text, &len, NULL) < 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "there is no process %d", (int)pid);
    snprintf(want, sizeof want, "%u", set->domid);
    for (const char *p = text; p < text + len; p += strlen(p) + 1)
        if (strcmp(p, "-xen-domid") == 0 && p + strlen(p) + 1 < text + len && strcmp(p + strlen(p) + 1, want) == 0)
            return 0;
    return cv_fail(err, CV_E_EMULATOR, 0, "process %d is not an emulator of domain %u", (int)pid, set->domid);
}

/* Sockets with the names that convoy gives were made by convoy, here or in another process: they go with the emulator.
 */
static void note_sockets(const struct cv_emuset *set, struct cv_emu *emu)
{
    char dir[108], ours[108];

    snprintf(dir, sizeof dir, "%s", emu->qmp_path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    emu->owns_sockets = strcmp(cv_path_qmp(dir, set->domid, emu->dmid, ours, sizeof ours), emu->qmp_path) == 0;
    if (emu->owns_sockets && emu->dmid == 0)
        cv_path_qmp_xl(dir, set->domid, emu->xl_path, sizeof emu->xl_path);
    if (emu->dmid != 0 || strcmp(cv_path_qmp_xl(dir, set->domid, ours, sizeof ours), emu->qmp_path) != 0)
        return;
    emu->owns_sockets = true; /* libxl's: it would remove them when it ends the domain */
    cv_path_qmp_stat(dir, set->domid, emu->xl_path, sizeof emu->xl_path);
}

int cv_emuset_attach(struct cv_emuset *set, unsigned dmid, pid_t pid, const char *qmp_path, struct cv_error *err)
{
    struct cv_emu *emu = &set->emus[dmid];

    if (dmid >= set->count)
        return cv_fail(err, CV_E_INVALID, 0, "there is no emulator %u", dmid);
    if (qmp_path != NULL)
        snprintf(emu->qmp_path, sizeof emu->qmp_path, "%s", qmp_path);
    else
        cv_path_qmp(NULL, set->domid, dmid, emu->qmp_path, sizeof emu->qmp_path);
    note_sockets(set, emu);
    if (pid == 0)
        return 0;
    /* first the handle, then the look: what was looked at is what the handle holds */
    CV_AUTO_FD fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        cv_fail(err, CV_E_EMULATOR, errno, "open process %d", (int)pid);
    if (fd < 0 || check_process(set, pid, err) < 0)
        return cv_context(err, "emulator %u '%s'", dmid, emu->name);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    cv_fd_dispose(&emu->pidfd);
    emu->pidfd = cv_fd_take(&fd);
    emu->pid = pid;
    return 0;
}

unsigned cv_emuset_unconnected(const struct cv_emuset *set)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < set->count; i++)
        if (set->emus[i].qmp == NULL || set->emus[i].qmp->state < CV_QMP_READY)
            mask |= 1u << i;
    return mask;
}

/* ---- connect ---- */

static int check_version(struct cv_emu *emu, struct cv_error *err)
{
    const json_t *q = json_object_get(emu->qmp->reply, "qemu");
    int major = -1, minor = -1, micro = -1;

    if (json_unpack((json_t *)q, "{s:i, s:i, s:i}", "major", &major, "minor", &minor, "micro", &micro) < 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "query-version: no version in its answer");
    snprintf(emu->version, sizeof emu->version, "%d.%d.%d", major, minor, micro);
    size_t n = strlen(emu->wanted_prefix);
    if (strncmp(emu->version, emu->wanted_prefix, n) != 0 ||
        (n > 0 && emu->version[n] != '.' && emu->version[n] != '\0'))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "is version %s, the configuration wants %s", emu->version,
                       emu->wanted_prefix);
    return 0;
}

/* Dials; an emulator that is being started by somebody else may not listen yet, and before one whose queue is full
 * (xl, a monitor, somebody's script: each for a moment) there is nothing to do but to wait, as long as the step may. */
static enum cv_op_step dial(struct cv_emu *emu, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;

    if (cv_qmp_dial(emu->qmp, emu->qmp_path, &why) == 0)
        return CV_STEP_SENT;
    if (emu->await && (why.sys == ENOENT || why.sys == ECONNREFUSED))
        return CV_STEP_LATER;
    cv_fail_as(err, &why);
    return why.code == CV_E_BUSY ? CV_STEP_LATER : CV_STEP_FAILED;
}

static enum cv_op_step connect_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    (void)op;
    switch (step) {
    case 0: /* ready when its capabilities are negotiated */
        return emu->qmp->state == CV_QMP_GREETING || emu->qmp->state == CV_QMP_NEGOTIATING ? CV_STEP_SENT
                                                                                           : dial(emu, err);
    case 1: return cv_op_send(emu, "query-version", NULL, -1, err);
    default: return check_version(emu, err) < 0 ? CV_STEP_FAILED : CV_STEP_DONE;
    }
}

int cv_emuset_connect(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                      struct cv_error *err)
{
    struct cv_op op = { .name = "connect", .step = connect_step, .retry_ms = 20 };

    for (unsigned i = 0; i < set->count; i++)
        if ((w->mask == 0 || (w->mask & 1u << i)) && set->emus[i].qmp->state >= CV_QMP_READY)
            cv_qmp_dispose(set->emus[i].qmp);
    return cv_op_run(set, &op, w, results, err);
}

/* ---- one command ---- */

static enum cv_op_step simple_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    if (step > 0)
        return CV_STEP_DONE;
    return cv_op_send(emu, op->name, op->ctx ? json_deep_copy(op->ctx) : NULL, -1, err);
}

static int simple(struct cv_emuset *set, const char *command, json_t *args, const struct cv_emu_wait *w,
                  struct cv_emu_results *results, struct cv_error *err)
{
    struct cv_op op = { .name = command, .step = simple_step, .ctx = args, .needs_connection = true };
    int rc = cv_op_run(set, &op, w, results, err);

    json_decref(args);
    return rc;
}

int cv_emuset_stop(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                   struct cv_error *err)
{
    return simple(set, "stop", NULL, w, results, err);
}

int cv_emuset_cont(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                   struct cv_error *err)
{
    return simple(set, "cont", NULL, w, results, err);
}

/* QEMU dies of an assertion when it is to end a log that it has not begun; beginning one twice does nothing.  Undo and
 * recovery do not always know. */
static enum cv_op_step log_off_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    if (step > 1)
        return CV_STEP_DONE;
    return cv_op_send(emu, op->name, json_pack("{s:b}", "enable", step == 0), -1, err);
}

int cv_emuset_dirty_log(struct cv_emuset *set, bool on, const struct cv_emu_wait *w, struct cv_emu_results *results,
                        struct cv_error *err)
{
    if (on)
        return simple(set, "xen-set-global-dirty-log", json_pack("{s:b}", "enable", true), w, results, err);
    struct cv_op op = { .name = "xen-set-global-dirty-log", .step = log_off_step, .needs_connection = true };
    return cv_op_run(set, &op, w, results, err);
}

int cv_emuset_vnc_password(struct cv_emuset *set, const char *password, const struct cv_emu_wait *w,
                           struct cv_error *err)
{
    struct cv_emu_wait only = *w;

    only.mask = 1; /* the display is the default emulator's */
    return simple(set, "change-vnc-password", json_pack("{s:s}", "password", password), &only, NULL, err);
}

int cv_emuset_announce(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err)
{
    /* QEMU's own defaults; the first one goes out at once. */
    json_t *args = json_pack("{s:i, s:i, s:i, s:i}", "initial", 50, "max", 550, "rounds", 5, "step", 100);

    return simple(set, "announce-self", args, w, NULL, err);
}

/* ---- status ---- */

static enum cv_op_step status_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    cv_emu_status *out = op->ctx;

    if (step == 0)
        return cv_op_send(emu, "query-status", NULL, -1, err);
    const char *text = json_string_value(json_object_get(emu->qmp->reply, "status"));
    if (text == NULL) {
        cv_fail(err, CV_E_EMULATOR, 0, "query-status: no status in its answer");
        return CV_STEP_FAILED;
    }
    snprintf(out[emu->dmid], sizeof out[emu->dmid], "%s", text);
    return CV_STEP_DONE;
}

int cv_emuset_status(struct cv_emuset *set, const struct cv_emu_wait *w, cv_emu_status status_out[CV_DM_MAX],
                     struct cv_emu_results *results, struct cv_error *err)
{
    struct cv_op op = { .name = "query-status", .step = status_step, .ctx = status_out, .needs_connection = true };

    memset(status_out, 0, CV_DM_MAX * sizeof *status_out);
    return cv_op_run(set, &op, w, results, err);
}

int cv_emuset_alive(struct cv_emuset *set, struct cv_error *err)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct cv_emu *emu = &set->emus[i];
        if (cv_emu_ended(emu, err))
            return cv_context(err, "emulator %u '%s'", i, emu->name);
        if (emu->qmp->state > CV_QMP_DISCONNECTED)
            cv_qmp_handle(emu->qmp, cv_qmp_events(emu->qmp));
        if (emu->qmp->state == CV_QMP_FAILED) {
            cv_fail_as(err, &emu->qmp->err);
            return cv_context(err, "emulator %u '%s'", i, emu->name);
        }
    }
    return 0;
}
