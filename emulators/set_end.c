/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ending emulators, all at once: asked over QMP, then told, then killed. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/op.h"
#include "emulators/set.h"

#define KILL_MS 30000 /* what a SIGKILL may take: eight of them give back mappings of the guest at the same time */

static bool alive(const struct cv_emu *emu)
{
    struct pollfd p = { .fd = emu->pidfd, .events = POLLIN };

    return emu->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

static bool wanted(const struct cv_emu *emu, unsigned mask) { return mask == 0 || (mask & 1u << emu->dmid); }

/* Until every emulator of mask (all: attached ones, too) has ended or the deadline passes.  True when they have. */
static bool wait_ended(struct cv_emuset *set, unsigned mask, int64_t deadline_ms, bool all)
{
    for (;;) {
        struct pollfd p[CV_DM_MAX];
        unsigned n = 0;
        for (unsigned i = 0; i < set->count; i++)
            if (wanted(&set->emus[i], mask) && alive(&set->emus[i]) && (all || !set->emus[i].foreign))
                p[n++] = (struct pollfd){ .fd = set->emus[i].pidfd, .events = POLLIN };
        if (n == 0)
            return true;
        int64_t left = deadline_ms - cv_now_ms();
        if (left <= 0 || (poll(p, n, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR))
            return false;
    }
}

static void signal_all(struct cv_emuset *set, unsigned mask, int signo)
{
    for (unsigned i = 0; i < set->count; i++)
        if (wanted(&set->emus[i], mask) && alive(&set->emus[i]) && !set->emus[i].foreign)
            syscall(SYS_pidfd_send_signal, set->emus[i].pidfd, signo, NULL, 0);
}

/* Reaps children, forgets processes, removes sockets. */
static int clean_up(struct cv_emuset *set, unsigned mask, struct cv_error *err)
{
    int rc = 0;

    for (unsigned i = 0; i < set->count; i++) {
        struct cv_emu *emu = &set->emus[i];
        if (!wanted(emu, mask))
            continue;
        if (alive(emu) && !emu->foreign) {
            rc = cv_fail(err, CV_E_EMULATOR, 0, "emulator %u '%s': process %d survives SIGKILL", i, emu->name,
                         (int)emu->pid);
            continue;
        }
        if (emu->child && emu->pid > 0)
            waitpid(emu->pid, NULL, WNOHANG);
        emu->pid = 0;
        emu->child = false;
        cv_fd_dispose(&emu->pidfd);
        cv_qmp_dispose(emu->qmp);
        if (emu->owns_sockets && *emu->qmp_path)
            unlink(emu->qmp_path);
        if (emu->owns_sockets && *emu->xl_path)
            unlink(emu->xl_path);
        emu->owns_sockets = false;
    }
    return rc;
}

int cv_emuset_kill(struct cv_emuset *set, struct cv_error *err)
{
    signal_all(set, 0, SIGKILL);
    wait_ended(set, 0, cv_after_ms(KILL_MS), false);
    return clean_up(set, 0, err);
}

static enum cv_op_step quit_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    (void)op;
    return step == 0 ? cv_op_send(emu, "quit", NULL, -1, err) : CV_STEP_DONE;
}

int cv_emuset_quit(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_op op = { .name = "quit", .step = quit_step, .needs_connection = true };
    struct cv_emu_results results;
    int64_t now = cv_now_ms(), left = w->deadline_ms == CV_NEVER ? 30000 : w->deadline_ms - now;
    struct cv_emu_wait ask = { .mask = w->mask, .deadline_ms = now + left / 3 };

    /* One that cannot be asked is told: nothing here depends on the answers. */
    if (cv_op_run(set, &op, &ask, &results, NULL) == 0 && wait_ended(set, w->mask, now + left / 3, true))
        return clean_up(set, w->mask, err);
    wait_ended(set, w->mask, now + left / 6, true);
    signal_all(set, w->mask, SIGTERM);
    if (!wait_ended(set, w->mask, now + 2 * left / 3, false)) {
        signal_all(set, w->mask, SIGKILL);
        wait_ended(set, w->mask, cv_after_ms(KILL_MS), false);
    }
    return clean_up(set, w->mask, err);
}
