/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "dm/states.h"
#include "emulators/op.h"
#include "emulators/qmp.h"
#include "emulators/state_memory.h"

void cv_dm_desk_init(struct cv_dm_desk *d, struct cv_emuset *set, const struct cv_layout *l, struct cv_sink *sink)
{
    *d = (struct cv_dm_desk){ .set = set, .layout = l, .sink = sink };
}

void cv_dm_desk_dispose(struct cv_dm_desk *d)
{
    for (unsigned i = 0; i < d->fdset_count; i++)
        cv_fd_dispose(&d->fdsets[i].fd);
    d->fdset_count = 0;
}

/* ---- answers ---- */

static json_t *good(json_t *value) { return json_pack("{s:o}", "return", value != NULL ? value : json_object()); }

static json_t *refuse(const char *class, const char *text)
{
    return json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", text);
}

static json_t *failed(struct cv_dm_desk *d, const char *command, const struct cv_error *why)
{
    char text[800];

    cv_log(d->sink, CV_LOG_ERROR, "%s: %s", command, cv_error_string(why, text, sizeof text));
    json_t *answer = refuse("GenericError", text);
    return answer != NULL ? answer : refuse("GenericError", "failed"); /* no UTF-8 */
}

/* ---- one command, passed on ---- */

struct pass {
    const char *command;
    json_t *args; /* borrowed, may be NULL */
    int fd;
    json_t *replies[CV_DM_MAX]; /* owned */
    char class[40];             /* of the first refusal */
    char refusal[400];
};

static enum cv_op_step pass_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct pass *p = op->ctx;

    if (step == 0)
        return cv_op_send(emu, p->command, p->args != NULL ? json_deep_copy(p->args) : NULL, p->fd, err);
    if (*emu->qmp->refusal == '\0') {
        p->replies[emu->dmid] = json_incref(emu->qmp->reply);
        return CV_STEP_DONE;
    }
    if (*p->refusal == '\0') {
        snprintf(p->class, sizeof p->class, "%s", emu->qmp->refusal_class);
        snprintf(p->refusal, sizeof p->refusal, "%s", emu->qmp->refusal);
    }
    cv_fail(err, CV_E_EMULATOR, 0, "%s: %s", p->command, emu->qmp->refusal);
    return CV_STEP_FAILED;
}

static void pass_dispose(struct pass *p)
{
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        json_decref(p->replies[i]);
}

/* NULL: all of mask have answered.  Else the answer that says why not; one emulator's own refusal is its own words. */
static json_t *pass_on(struct cv_dm_desk *d, struct pass *p, unsigned mask)
{
    struct cv_op op = {
        .name = p->command, .step = pass_step, .ctx = p, .sees_refusals = true, .needs_connection = true
    };
    struct cv_emu_wait w = { .mask = mask, .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS) };
    struct cv_error err = CV_ERROR_INIT;

    if (cv_op_run(d->set, &op, &w, NULL, &err) == 0)
        return NULL;
    if (*p->refusal != '\0' && mask != 0 && (mask & (mask - 1)) == 0)
        return refuse(p->class, p->refusal);
    return failed(d, p->command, &err);
}

/* ---- who is concerned ---- */

static bool is_device(const struct cv_layout_device *dev, const char *word)
{
    char net[24];

    snprintf(net, sizeof net, "net%u", dev->vif_index);
    return (*dev->id != '\0' && strcmp(dev->id, word) == 0) || (dev->kind == CV_DEV_VIF && strcmp(net, word) == 0);
}

/* The owner of the device that the arguments name, else the default emulator. */
static unsigned owner(const struct cv_dm_desk *d, const json_t *args)
{
    static const char *const keys[] = { "id", "device", "name", "qom-path" };

    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const char *word = json_string_value(json_object_get(args, keys[k]));
        for (unsigned i = 1; word != NULL && i < d->layout->count; i++) {
            if (!d->set->emus[i].qemu)
                continue; /* knows no command that names a device */
            for (unsigned n = 0; n < d->layout->dms[i].device_count; n++)
                if (is_device(&d->layout->dms[i].devices[n], word))
                    return i;
        }
    }
    return 0;
}

static json_t *ask_owner(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct pass p = { .command = command, .args = args, .fd = fd };
    unsigned dmid = owner(d, args);
    json_t *answer = pass_on(d, &p, 1u << dmid);

    if (answer == NULL)
        answer = good(json_incref(p.replies[dmid]));
    pass_dispose(&p);
    return answer;
}

static json_t *ask_all(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct pass p = { .command = command, .args = args, .fd = fd };
    json_t *answer = pass_on(d, &p, 0);

    if (answer == NULL)
        answer = good(json_incref(p.replies[0]));
    pass_dispose(&p);
    return answer;
}

/* All lists one after the other. */
static json_t *ask_lists(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct pass p = { .command = command, .args = args, .fd = fd };
    unsigned qemus = 0; /* others have neither disks nor ports */

    for (unsigned i = 0; i < d->set->count; i++)
        qemus |= d->set->emus[i].qemu ? 1u << i : 0;
    json_t *answer = pass_on(d, &p, qemus);
    if (answer == NULL) {
        json_t *all = json_array();
        for (unsigned i = 0; i < d->set->count; i++)
            if (p.replies[i] != NULL)
                json_array_extend(all, p.replies[i]);
        answer = good(all);
    }
    pass_dispose(&p);
    return answer;
}

/* The guest runs when every emulator runs; else what the first one says that does not. */
static json_t *ask_status(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct pass p = { .command = command, .args = args, .fd = fd };
    json_t *answer = pass_on(d, &p, 0);
    unsigned which = 0;

    for (unsigned i = 0; answer == NULL && i < d->set->count; i++)
        if (json_is_false(json_object_get(p.replies[i], "running"))) {
            which = i;
            break;
        }
    if (answer == NULL)
        answer = good(json_incref(p.replies[which]));
    pass_dispose(&p);
    return answer;
}

/* The guest has run here and goes on: an emulator that is dead or silent (it has the command, and does it when it
 * wakes) is no reason to leave it suspended for ever, which is what libxl does with a guest whose "cont" was refused.
 */
static bool hinders_nobody(struct cv_dm_desk *d, const struct cv_emu_results *res)
{
    for (unsigned i = 0; i < d->set->count; i++) {
        const struct cv_emu_result *r = &res->emu[i];
        if (r->state != CV_EMU_DONE && r->state != CV_EMU_DIED && r->state != CV_EMU_TIMED_OUT &&
            d->set->emus[i].pidfd >= 0)
            return false;
    }
    for (unsigned i = 0; i < d->set->count; i++)
        if (res->emu[i].state != CV_EMU_DONE)
            cv_log(d->sink, CV_LOG_WARN, "cont: the guest goes on without emulator %u '%s': %s", i,
                   d->set->emus[i].name, res->emu[i].err.text);
    return true;
}

/* A guest that begins to run here needs all of them: it may go on elsewhere. */
static json_t *let_run(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(d->has_run ? CV_DM_CONT_MS : CV_DM_ANSWER_MS) };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results res;

    (void)args;
    (void)fd;
    if (cv_emuset_cont(d->set, &w, &res, &err) < 0 && !(d->has_run && hinders_nobody(d, &res)))
        return failed(d, command, &err);
    d->has_run = true;
    return good(NULL);
}

/* Half of them is worse than none: pages that the others write would be missing. */
static json_t *set_dirty_log(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS) };
    struct cv_error err = CV_ERROR_INIT, again = CV_ERROR_INIT;
    struct cv_emu_results res;
    bool on = json_is_true(json_object_get(args, "enable"));

    (void)fd;
    if (!json_is_boolean(json_object_get(args, "enable")))
        return refuse("GenericError", "Parameter 'enable' is missing");
    if (cv_emuset_dirty_log(d->set, on, &w, &res, &err) == 0)
        return good(NULL);
    struct cv_emu_wait undo = { .deadline_ms = cv_after_ms(2000) };
    for (unsigned i = 0; i < d->set->count; i++)
        if (res.emu[i].state == CV_EMU_DONE || res.emu[i].state == CV_EMU_TIMED_OUT)
            undo.mask |= 1u << i;
    if (on && undo.mask != 0 && cv_emuset_dirty_log(d->set, false, &undo, NULL, &again) < 0)
        cv_log(d->sink, CV_LOG_WARN, "%s: %s", command, again.text);
    return failed(d, command, &err);
}

/* ---- descriptors ---- */

static json_t *add_fd(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    json_t *answer = ask_owner(d, command, args, fd);
    long long id = -1;

    if (fd >= 0 && d->fdset_count < CV_DM_FDSETS_MAX &&
        json_unpack(answer, "{s:{s:I}}", "return", "fdset-id", &id) == 0) {
        int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (mine >= 0) {
            d->fdsets[d->fdset_count].id = id;
            d->fdsets[d->fdset_count++].fd = mine;
        }
    }
    return answer;
}

static json_t *remove_fd(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    json_t *answer = ask_owner(d, command, args, fd);
    long long id = json_integer_value(json_object_get(args, "fdset-id"));

    for (unsigned i = 0; i < d->fdset_count; i++)
        if (d->fdsets[i].id == id && json_object_get(answer, "return") != NULL) {
            cv_fd_dispose(&d->fdsets[i].fd);
            d->fdsets[i--] = d->fdsets[--d->fdset_count];
        }
    return answer;
}

/* ---- the state ---- */

/* As QEMU opens it.  *made_out: the file is ours to remove. */
static int open_target(const struct cv_dm_desk *d, const char *name, bool *made_out, struct cv_error *err)
{
    long long id;
    char rest;
    struct stat st;

    *made_out = false;
    if (sscanf(name, "/dev/fdset/%lld%c", &id, &rest) == 1) {
        for (unsigned i = 0; i < d->fdset_count; i++)
            if (d->fdsets[i].id == id)
                return fcntl(d->fdsets[i].fd, F_DUPFD_CLOEXEC, 3);
        return cv_fail(err, CV_E_INVALID, 0, "%s: no descriptor was given for it", name);
    }
    if (*name != '/')
        return cv_fail(err, CV_E_INVALID, 0, "'%s' is no path", name);
    *made_out = lstat(name, &st) < 0;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 ? fd : cv_fail(err, CV_E_IO, errno, "open %s", name);
}

static int save_into(struct cv_dm_desk *d, int target, bool live, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS) };
    int fds[CV_DM_MAX];
    uint64_t sizes[CV_DM_MAX];
    int rc = 0;

    for (unsigned i = 0; i < CV_DM_MAX; i++)
        fds[i] = -1;
    for (unsigned i = 0; i < d->set->count && rc == 0; i++)
        rc = (fds[i] = cv_state_memory(i, err)) < 0 ? -1 : 0;
    /* what QEMU cannot migrate would be missing, or end it */
    if (rc == 0)
        rc = cv_emuset_check_migratable(d->set, &w, NULL, err);
    if (rc == 0)
        rc = cv_emuset_save_state(d->set, fds, live, sizes, &w, NULL, err);
    if (rc == 0)
        rc = cv_dm_states_write(target, d->layout, fds, sizes, err);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&fds[i]);
    return rc;
}

static json_t *save_states(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    const char *name = json_string_value(json_object_get(args, "filename"));
    const json_t *live = json_object_get(args, "live");
    struct cv_error err = CV_ERROR_INIT;
    bool made;

    (void)fd;
    if (name == NULL)
        return refuse("GenericError", "Parameter 'filename' is missing");
    CV_AUTO_FD target = open_target(d, name, &made, &err);
    if (target >= 0 && save_into(d, target, live == NULL || json_is_true(live), &err) == 0)
        return good(NULL);
    if (target >= 0 && made)
        unlink(name);
    return failed(d, command, &err);
}

/* ---- the table ---- */

static json_t *quit(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    (void)command;
    (void)args;
    (void)fd;
    d->quit = true; /* the emulators end when this was answered */
    return good(NULL);
}

static json_t *not_here(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    (void)d;
    (void)args;
    (void)fd;
    char text[160];

    snprintf(text, sizeof text, "%.60s: convoy-dm does not pass this on: it would move one emulator without the others",
             command);
    return refuse("GenericError", text);
}

static json_t *nothing(struct cv_dm_desk *d, const char *command, json_t *args, int fd)
{
    (void)d;
    (void)command;
    (void)args;
    (void)fd;
    return good(NULL);
}

static const struct {
    const char *command;
    json_t *(*answer)(struct cv_dm_desk *d, const char *command, json_t *args, int fd);
} table[] = {
    { "qmp_capabilities", nothing },
    { "stop", ask_all },
    { "cont", let_run },
    { "query-status", ask_status },
    { "query-chardev", ask_lists },
    { "query-block", ask_lists },
    { "xen-set-global-dirty-log", set_dirty_log },
    { "xen-save-devices-state", save_states },
    { "add-fd", add_fd },
    { "remove-fd", remove_fd },
    { "quit", quit },
    { "xen-load-devices-state", not_here },
    { "xen-colo-do-checkpoint", not_here },
    { "migrate", not_here },
    { "migrate-incoming", not_here },
};

static json_t *answer_request(struct cv_dm_desk *d, const json_t *request, int fd)
{
    const char *command = json_string_value(json_object_get(request, "execute"));
    json_t *args = json_object_get(request, "arguments");

    if (command == NULL)
        return refuse("GenericError", "QMP input lacks member 'execute'");
    if (args != NULL && !json_is_object(args))
        return refuse("GenericError", "QMP input member 'arguments' must be an object");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].command, command) == 0)
            return table[i].answer(d, command, args, fd);
    return ask_owner(d, command, args, fd);
}

json_t *cv_dm_desk_answer(struct cv_dm_desk *d, const char *line, size_t len, int fd)
{
    json_t *request = json_loadb(line, len, 0, NULL);

    if (!json_is_object(request)) {
        json_decref(request);
        return refuse("GenericError", "QMP input must be a JSON object");
    }
    json_t *answer = answer_request(d, request, fd), *id = json_object_get(request, "id");
    if (answer != NULL && id != NULL)
        json_object_set(answer, "id", id);
    json_decref(request);
    return answer;
}
