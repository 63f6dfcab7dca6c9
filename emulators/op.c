/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/op.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/protocol.h"

struct run {
    struct cv_emuset *set;
    struct cv_op *op;
    const struct cv_emu_wait *w;
    struct cv_emu_results *results;
    unsigned mask;
    unsigned step[CV_DM_MAX];
    int64_t retry_at[CV_DM_MAX]; /* ms; 0 = waits for an answer */
    int64_t watch_at;            /* ms */
    int64_t start_ns;
    int first_failed; /* dmid of the failure that came first, -1 */
    unsigned failures;
};

static void settle_emulator(struct run *r, unsigned dmid, enum cv_emu_state state)
{
    struct cv_emu_result *res = &r->results->emu[dmid];

    res->state = state;
    res->ns = cv_now_ns() - r->start_ns;
    if (state == CV_EMU_DONE) {
        res->err = (struct cv_error)CV_ERROR_INIT; /* of what it had to wait for */
        return;
    }
    r->failures++;
    if (r->first_failed < 0)
        r->first_failed = (int)dmid;
}

bool cv_emu_ended(struct cv_emu *emu, struct cv_error *err)
{
    struct pollfd p = { .fd = emu->pidfd, .events = POLLIN };
    char words[320];
    siginfo_t info = { 0 };

    if (emu->pidfd < 0 || poll(&p, 1, 0) <= 0)
        return false;
    /* What QEMU says before it dies is the best cause there is. */
    cv_fd_last_line(emu->log_fd, words, sizeof words);
    /* WNOWAIT: reaping is the business of quit and kill */
    if (emu->child && waitid(P_PID, (id_t)emu->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (info.si_code == CLD_EXITED)
            cv_fail(err, CV_E_EMULATOR, 0, "its process %d ended with status %d%s", (int)emu->pid, info.si_status,
                    words);
        else
            /* Killed by somebody else: what it said last is not why. */
            cv_fail(err, CV_E_EMULATOR, 0, "its process %d was killed by signal %d (%s)%s", (int)emu->pid,
                    info.si_status, strsignal(info.si_status),
                    info.si_status == SIGKILL || info.si_status == SIGTERM ? "" : words);
    } else {
        cv_fail(err, CV_E_EMULATOR, 0, "its process %d has ended%s", (int)emu->pid, words);
    }
    return true;
}

/* A broken connection is most often a dying process: say that instead, if it is so within a moment. */
static void settle_broken(struct run *r, struct cv_emu *emu)
{
    struct cv_emu_result *res = &r->results->emu[emu->dmid];
    struct pollfd p = { .fd = emu->pidfd, .events = POLLIN };

    if (emu->pidfd >= 0 && emu->qmp->hung_up)
        (void)!poll(&p, 1, 200);
    if (cv_emu_ended(emu, &res->err)) {
        settle_emulator(r, emu->dmid, CV_EMU_DIED);
        return;
    }
    res->err = emu->qmp->err;
    settle_emulator(r, emu->dmid, CV_EMU_FAILED);
}

static void advance(struct run *r, struct cv_emu *emu)
{
    struct cv_emu_result *res = &r->results->emu[emu->dmid];

    r->retry_at[emu->dmid] = 0;
    switch (r->op->step(r->op, emu, r->step[emu->dmid], &res->err)) {
    case CV_STEP_SENT: r->step[emu->dmid]++; break;
    case CV_STEP_LATER: r->retry_at[emu->dmid] = cv_now_ms() + r->op->retry_ms; break;
    case CV_STEP_DONE: settle_emulator(r, emu->dmid, CV_EMU_DONE); break;
    case CV_STEP_FAILED: settle_emulator(r, emu->dmid, CV_EMU_FAILED); break;
    }
}

/* The connection has moved on: answer, refusal or failure. */
static void look_at_emulator(struct run *r, struct cv_emu *emu)
{
    struct cv_emu_result *res = &r->results->emu[emu->dmid];
    struct cv_qmp *q = emu->qmp;

    if (q->state == CV_QMP_FAILED) {
        settle_broken(r, emu);
    } else if (q->state == CV_QMP_READY && *q->refusal && !r->op->sees_refusals) {
        cv_fail(&res->err, CV_E_EMULATOR, 0, "%s: %s", q->command, q->refusal);
        settle_emulator(r, emu->dmid, CV_EMU_FAILED);
    } else if (q->state == CV_QMP_READY && (r->retry_at[emu->dmid] == 0 || *q->event)) {
        advance(r, emu);
    }
}

static bool pending(const struct run *r, unsigned dmid)
{
    return (r->mask & 1u << dmid) && r->results->emu[dmid].state == CV_EMU_PENDING;
}

static bool any_pending(const struct run *r)
{
    for (unsigned i = 0; i < r->set->count; i++)
        if (pending(r, i))
            return true;
    return false;
}

static void settle_all(struct run *r, enum cv_emu_state state, enum cv_code code, const char *text)
{
    for (unsigned i = 0; i < r->set->count; i++) {
        struct cv_qmp *q = r->set->emus[i].qmp;
        if (!pending(r, i))
            continue;
        if (state == CV_EMU_TIMED_OUT && r->retry_at[i] != 0 && r->results->emu[i].err.code != CV_OK) {
            settle_emulator(r, i, state);
            continue;
        }
        bool mute = q != NULL && q->state == CV_QMP_GREETING && state == CV_EMU_TIMED_OUT;
        if (mute)
            cv_fail(&r->results->emu[i].err, CV_E_BUSY, 0,
                    "no greeting on its QMP socket in time: it hangs, or another client holds the socket");
        else
            cv_fail(&r->results->emu[i].err, code, 0, "%s%s%s", q && *q->command ? q->command : r->op->name, text,
                    q && q->state == CV_QMP_NEGOTIATING ? " (its machine is not complete yet, or it hangs)" : "");
        settle_emulator(r, i, state);
    }
}

static int wait_ms(const struct run *r)
{
    int64_t now = cv_now_ms(), until = r->w->deadline_ms;

    for (unsigned i = 0; i < r->set->count; i++)
        if (pending(r, i) && r->retry_at[i] != 0 && r->retry_at[i] < until)
            until = r->retry_at[i];
    if (r->op->watch != NULL && r->watch_at < until)
        until = r->watch_at;
    if (until == CV_NEVER)
        return -1;
    return until <= now ? 0 : until - now > 60000 ? 60000 : (int)(until - now);
}

static void watch(struct run *r)
{
    if (r->op->watch == NULL || cv_now_ms() < r->watch_at)
        return;
    for (unsigned i = 0; i < r->set->count; i++)
        if (pending(r, i) && r->op->watch(r->op, &r->set->emus[i], &r->results->emu[i].err) < 0)
            settle_emulator(r, i, CV_EMU_FAILED);
    r->watch_at = cv_now_ms() + CV_OP_WATCH_MS;
}

/* Waits for anything, then lets everything that happened happen. */
static int turn(struct run *r)
{
    struct pollfd p[2 * CV_DM_MAX + 1];

    for (unsigned i = 0; i < r->set->count; i++) {
        struct cv_emu *emu = &r->set->emus[i];
        bool on = pending(r, i);
        p[2 * i] = (struct pollfd){ .fd = on && emu->qmp ? emu->qmp->fd : -1,
                                    .events = emu->qmp ? cv_qmp_events(emu->qmp) : 0 };
        p[2 * i + 1] = (struct pollfd){ .fd = on ? emu->pidfd : -1, .events = POLLIN };
    }
    unsigned n = 2 * r->set->count;
    p[n] = (struct pollfd){ .fd = r->w->cancel ? r->w->cancel->fd : -1, .events = POLLIN };
    int ready = poll(p, n + 1, wait_ms(r));
    if (ready < 0 && errno != EINTR)
        return -1;
    for (unsigned i = 0; i < r->set->count && ready > 0; i++) {
        struct cv_emu *emu = &r->set->emus[i];
        if (p[2 * i].revents != 0 && emu->qmp != NULL) {
            cv_qmp_handle(emu->qmp, p[2 * i].revents);
            look_at_emulator(r, emu);
        }
        /* after its last answer was read: a process may answer and end */
        if (p[2 * i + 1].revents != 0 && pending(r, i) && cv_emu_ended(emu, &r->results->emu[i].err))
            settle_emulator(r, i, CV_EMU_DIED);
    }
    for (unsigned i = 0; i < r->set->count; i++)
        if (pending(r, i) && r->retry_at[i] != 0 && r->retry_at[i] <= cv_now_ms())
            advance(r, &r->set->emus[i]);
    watch(r);
    return 0;
}

static void begin_operation(struct run *r)
{
    for (unsigned i = 0; i < r->set->count; i++) {
        struct cv_emu *emu = &r->set->emus[i];
        if (!(r->mask & 1u << i))
            continue;
        struct cv_emu_result *res = &r->results->emu[i];
        res->state = CV_EMU_PENDING;
        if (cv_emu_ended(emu, &res->err)) {
            settle_emulator(r, i, CV_EMU_DIED);
        } else if (r->op->needs_connection && (emu->qmp == NULL || emu->qmp->state < CV_QMP_READY)) {
            cv_fail(&res->err, CV_E_EMULATOR, 0, "%s: not connected", r->op->name);
            settle_emulator(r, i, CV_EMU_FAILED);
        } else if (r->op->needs_connection && emu->qmp->state == CV_QMP_FAILED) {
            settle_broken(r, emu);
        } else if (r->op->needs_connection && emu->qmp->state == CV_QMP_AWAITING) {
            /* An earlier command was given up.  QEMU serves in order, so the new one would wait behind it. */
            emu->qmp->state = CV_QMP_READY;
            advance(r, emu);
        } else {
            advance(r, emu);
        }
    }
}

static int conclude(struct run *r, struct cv_error *err)
{
    r->results->ns = cv_now_ns() - r->start_ns;
    if (r->failures == 0)
        return 0;
    struct cv_emu *first = &r->set->emus[r->first_failed];
    struct cv_error why = r->results->emu[r->first_failed].err;
    if (r->failures > 1) {
        size_t len = strlen(why.text);
        snprintf(why.text + len, sizeof why.text - len, " (and %u more)", r->failures - 1);
    }
    cv_context(&why, "emulator %u '%s'", first->dmid, first->name);
    return cv_fail_as(err, &why);
}

int cv_op_run(struct cv_emuset *set, struct cv_op *op, const struct cv_emu_wait *w, struct cv_emu_results *results,
              struct cv_error *err)
{
    struct cv_emu_results mine;
    struct run r = { .set = set,
                     .op = op,
                     .w = w,
                     .results = results ? results : &mine,
                     .first_failed = -1,
                     .mask = (w->mask ? w->mask : ~0u) & ((1u << set->count) - 1),
                     .start_ns = cv_now_ns() };

    memset(r.results, 0, sizeof *r.results);
    op->set = set;
    begin_operation(&r);
    while (any_pending(&r)) {
        if (cv_cancel_requested(w->cancel))
            settle_all(&r, CV_EMU_CANCELLED, CV_E_CANCELLED, ": cancelled");
        else if (cv_now_ms() >= w->deadline_ms)
            settle_all(&r, CV_EMU_TIMED_OUT, CV_E_TIMEOUT, ": no answer in time");
        else if (turn(&r) < 0)
            settle_all(&r, CV_EMU_FAILED, CV_E_INTERNAL, ": poll failed");
    }
    return conclude(&r, err);
}

enum cv_op_step cv_op_send(struct cv_emu *emu, const char *command, json_t *args, int fd, struct cv_error *err)
{
    if (!emu->qemu && !cv_protocol_has(command)) {
        json_decref(args);
        cv_fail(err, CV_E_INTERNAL, 0, "%s is not in the emulator protocol", command);
        return CV_STEP_FAILED;
    }
    return cv_qmp_send(emu->qmp, command, args, fd, err) < 0 ? CV_STEP_FAILED : CV_STEP_SENT;
}
