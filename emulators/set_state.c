/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device states: may they be saved, save, load. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/op.h"
#include "emulators/set.h"
#include "emulators/state_memory.h"

/* ---- may they be saved ---- */

/* xen-save-devices-state refuses nothing: what QEMU cannot migrate is silently missing, or (nvme, QEMU 7.2) crashes it.
 * migrate refuses first, then looks at its target; a descriptor that does not exist ends it there, with nothing done.
 */
#define NOWHERE "convoy-nowhere"

static int refuse(struct cv_error *err, const char *why)
{
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "cannot be saved: %s", why);
}

static enum cv_op_step check_reasons(struct cv_emu *emu, struct cv_error *err)
{
    const json_t *reasons = json_object_get(emu->qmp->reply, "blocked-reasons");

    if (*emu->qmp->refusal) {
        cv_fail(err, CV_E_EMULATOR, 0, "query-migrate: %s", emu->qmp->refusal);
        return CV_STEP_FAILED;
    }
    if (json_array_size(reasons) > 0) {
        char all[400] = "";
        for (size_t i = 0; i < json_array_size(reasons); i++) {
            const char *one = json_string_value(json_array_get(reasons, i));
            size_t at = strlen(all);
            snprintf(all + at, sizeof all - at, "%s%s", i > 0 ? "; " : "", one ? one : "QEMU names no reason");
        }
        refuse(err, all);
        return CV_STEP_FAILED;
    }
    if (!emu->qemu)
        return CV_STEP_DONE; /* what it has not named it can save */
    return cv_op_send(emu, "migrate", json_pack("{s:s}", "uri", "fd:" NOWHERE), -1, err);
}

static enum cv_op_step check_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    (void)op;
    if (step == 0)
        return cv_op_send(emu, "query-migrate", NULL, -1, err);
    if (step == 1)
        return check_reasons(emu, err);
    if (strstr(emu->qmp->refusal, NOWHERE) != NULL)
        return CV_STEP_DONE;
    refuse(err, *emu->qmp->refusal ? emu->qmp->refusal : "migrate to nowhere was accepted");
    return CV_STEP_FAILED;
}

int cv_emuset_check_migratable(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                               struct cv_error *err)
{
    struct cv_op op = { .name = "check", .step = check_step, .needs_connection = true, .sees_refusals = true };

    return cv_op_run(set, &op, w, results, err);
}

/* ---- save ---- */

struct save {
    const int *fds;
    bool live;
    uint64_t *sizes;
    long long fdset[CV_DM_MAX];
    struct cv_error refused[CV_DM_MAX]; /* code CV_OK: the save itself went well */
};

static enum cv_op_step pass(struct cv_emu *emu, const char *command, json_t *args, int fd, int mode,
                            struct cv_error *err)
{
    CV_AUTO_FD other = cv_state_reopen(fd, mode, err);

    if (other < 0) {
        json_decref(args);
        return CV_STEP_FAILED;
    }
    return cv_op_send(emu, command, args, other, err);
}

/* What it is given keeps our end: where its offset stands is how much it has written. */
static enum cv_op_step give_place(struct cv_emu *emu, int fd, struct cv_error *err)
{
    cv_fd_dispose(&emu->state_fd);
    emu->state_fd = cv_state_reopen(fd, O_WRONLY, err);
    return emu->state_fd < 0 ? CV_STEP_FAILED : cv_op_send(emu, "add-fd", NULL, emu->state_fd, err);
}

static int take_fdset(struct cv_emu *emu, long long *fdset_out, struct cv_error *err)
{
    if (*emu->qmp->refusal || json_unpack(emu->qmp->reply, "{s:I}", "fdset-id", fdset_out) < 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "add-fd: %s",
                       *emu->qmp->refusal ? emu->qmp->refusal : "no fdset-id in its answer");
    return 0;
}

static enum cv_op_step save_begin(struct save *s, struct cv_emu *emu, struct cv_error *err)
{
    char file[40];

    if (emu->save_prepared)
        s->fdset[emu->dmid] = emu->fdset;
    else if (take_fdset(emu, &s->fdset[emu->dmid], err) < 0)
        return CV_STEP_FAILED;
    snprintf(file, sizeof file, "/dev/fdset/%lld", s->fdset[emu->dmid]);
    return cv_op_send(emu, "xen-save-devices-state", json_pack("{s:s, s:b}", "filename", file, "live", s->live), -1,
                      err);
}

static enum cv_op_step save_end(struct save *s, struct cv_emu *emu, struct cv_error *err)
{
    if (s->refused[emu->dmid].code != CV_OK) {
        cv_fail_as(err, &s->refused[emu->dmid]);
        return CV_STEP_FAILED;
    }
    int rc = cv_state_close(s->fds[emu->dmid], emu->state_fd, &s->sizes[emu->dmid], err);
    cv_fd_dispose(&emu->state_fd);
    return rc < 0 ? CV_STEP_FAILED : CV_STEP_DONE;
}

static enum cv_op_step save_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct save *s = op->ctx;

    switch (step + emu->save_prepared) {
    case 0: return give_place(emu, s->fds[emu->dmid], err);
    case 1: return save_begin(s, emu, err);
    case 2: /* the descriptor must not stay there, whatever came of it */
        if (*emu->qmp->refusal)
            cv_fail(&s->refused[emu->dmid], CV_E_EMULATOR, 0, "xen-save-devices-state: %s", emu->qmp->refusal);
        if (emu->save_prepared)
            return save_end(s, emu, err);
        return cv_op_send(emu, "remove-fd", json_pack("{s:I}", "fdset-id", s->fdset[emu->dmid]), -1, err);
    default: return save_end(s, emu, err);
    }
}

static int watch_state(struct cv_op *op, struct cv_emu *emu, struct cv_error *err)
{
    const struct save *s = op->ctx;

    return cv_state_watch(s->fds[emu->dmid], err);
}

static enum cv_op_step prepare_save_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    const int *fds = op->ctx;

    if (step == 0)
        return give_place(emu, fds[emu->dmid], err);
    if (take_fdset(emu, &emu->fdset, err) < 0)
        return CV_STEP_FAILED;
    emu->save_prepared = true;
    return CV_STEP_DONE;
}

int cv_emuset_prepare_save(struct cv_emuset *set, const int fds[CV_DM_MAX], const struct cv_emu_wait *w,
                           struct cv_error *err)
{
    struct cv_op op = { .name = "prepare",
                        .step = prepare_save_step,
                        .ctx = (void *)fds,
                        .needs_connection = true,
                        .sees_refusals = true };

    return cv_op_run(set, &op, w, NULL, err);
}

static enum cv_op_step unprepare_save_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    (void)op;
    if (step > 0 || !emu->save_prepared)
        return CV_STEP_DONE;
    emu->save_prepared = false;
    cv_fd_dispose(&emu->state_fd);
    return cv_op_send(emu, "remove-fd", json_pack("{s:I}", "fdset-id", emu->fdset), -1, err);
}

int cv_emuset_unprepare_save(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_op op = { .name = "unprepare", .step = unprepare_save_step, .needs_connection = true };

    return cv_op_run(set, &op, w, NULL, err);
}

int cv_emuset_save_state(struct cv_emuset *set, const int fds[CV_DM_MAX], bool live, uint64_t sizes_out[CV_DM_MAX],
                         const struct cv_emu_wait *w, struct cv_emu_results *results, struct cv_error *err)
{
    struct save s = { .fds = fds, .live = live, .sizes = sizes_out };
    struct cv_op op = { .name = "save",
                        .step = save_step,
                        .ctx = &s,
                        .needs_connection = true,
                        .sees_refusals = true,
                        .watch = watch_state };

    return cv_op_run(set, &op, w, results, err);
}

/* ---- load ---- */

struct load {
    const int *fds;
    int64_t ask_at[CV_DM_MAX]; /* ms; 0 = not yet */
};

/* An event says that the load is over; this is only for one that was lost. */
#define LOAD_RETRY_MS 100

static json_t *capabilities(bool late_disks)
{
    return json_pack("{s:[{s:s, s:b}, {s:s, s:b}]}", "capabilities", "capability", "events", "state", 1, "capability",
                     "late-block-activate", "state", late_disks);
}

struct prepare {
    bool late_disks;
    const int *fds; /* NULL: no states yet */
};

static enum cv_op_step give_state(struct cv_emu *emu, int fd, struct cv_error *err)
{
    return pass(emu, "getfd", json_pack("{s:s}", "fdname", "convoy-state"), fd, O_RDONLY, err);
}

static enum cv_op_step prepare_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct prepare *p = op->ctx;

    if (step == 0)
        return cv_op_send(emu, "migrate-set-capabilities", capabilities(p->late_disks), -1, err);
    emu->load_prepared = true;
    if (step == 1 && p->fds != NULL)
        return give_state(emu, p->fds[emu->dmid], err);
    emu->state_given = p->fds != NULL;
    return CV_STEP_DONE;
}

int cv_emuset_prepare_load(struct cv_emuset *set, bool late_disks, const int fds[CV_DM_MAX],
                           const struct cv_emu_wait *w, struct cv_error *err)
{
    struct prepare p = { .late_disks = late_disks, .fds = fds };
    struct cv_op op = { .name = "prepare", .step = prepare_step, .ctx = &p, .needs_connection = true };

    return cv_op_run(set, &op, w, NULL, err);
}

/* QEMU's state is loaded and its run state is set when it says "completed"; a load that fails ends most QEMUs. */
static bool load_over(struct cv_emu *emu, enum cv_op_step *next_out, struct cv_error *err)
{
    bool failed = strcmp(emu->qmp->migration, "failed") == 0;

    if (failed)
        cv_fail(err, CV_E_EMULATOR, 0, "migrate-incoming: it could not load its state");
    *next_out = failed ? CV_STEP_FAILED : CV_STEP_DONE;
    return failed || strcmp(emu->qmp->migration, "completed") == 0;
}

/* No event came for a moment: in migration until query-status says otherwise. */
static enum cv_op_step load_status(struct cv_emu *emu, struct cv_error *err)
{
    const char *status = json_string_value(json_object_get(emu->qmp->reply, "status"));

    if (status != NULL && strcmp(status, "inmigrate") != 0) {
        if (strcmp(status, "paused") == 0 || strcmp(status, "prelaunch") == 0)
            return CV_STEP_DONE;
        cv_fail(err, CV_E_EMULATOR, 0, "migrate-incoming: it is '%s' after loading its state, not paused", status);
        return CV_STEP_FAILED;
    }
    return CV_STEP_LATER;
}

/* Rests until an event or a moment; then asks, looks at the answer, and rests again.  The guest waits, and a question
 * takes time from the load: in the usual course none is asked. */
static enum cv_op_step load_ask(struct load *l, struct cv_emu *emu, struct cv_error *err)
{
    int64_t now = cv_now_ms();

    if (emu->asked == 1) {
        emu->asked = 0;
        l->ask_at[emu->dmid] = now + LOAD_RETRY_MS;
        return load_status(emu, err);
    }
    if (l->ask_at[emu->dmid] == 0)
        l->ask_at[emu->dmid] = now + LOAD_RETRY_MS;
    if (now < l->ask_at[emu->dmid])
        return CV_STEP_LATER;
    emu->asked = 1;
    return cv_op_send(emu, "query-status", NULL, -1, err);
}

static enum cv_op_step load_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct load *l = op->ctx;

    if (!emu->load_prepared && step == 0)
        return cv_op_send(emu, "migrate-set-capabilities", capabilities(false), -1, err);
    step += emu->load_prepared + emu->state_given;
    if (step == 1)
        return give_state(emu, l->fds[emu->dmid], err);
    if (step == 2)
        return cv_op_send(emu, "migrate-incoming", json_pack("{s:s}", "uri", "fd:convoy-state"), -1, err);
    enum cv_op_step next;
    if (load_over(emu, &next, err))
        return next;
    return load_ask(l, emu, err);
}

int cv_emuset_load_state(struct cv_emuset *set, const int fds[CV_DM_MAX], const struct cv_emu_wait *w,
                         struct cv_emu_results *results, struct cv_error *err)
{
    struct load l = { .fds = fds };
    struct cv_op op = {
        .name = "load", .step = load_step, .ctx = &l, .needs_connection = true, .retry_ms = LOAD_RETRY_MS
    };

    for (unsigned i = 0; i < set->count; i++)
        set->emus[i].asked = 0;
    return cv_op_run(set, &op, w, results, err);
}
