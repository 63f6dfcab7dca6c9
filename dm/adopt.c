/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another supervisor: it takes over the emulators of one that has died, whatever that was doing. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "dm/supervisor.h"
#include "emulators/paths.h"

static int attach_all(struct cv_dm *dm, const int pids[CV_DM_MAX], struct cv_error *err)
{
    for (unsigned i = 0; i < dm->layout.count; i++) {
        struct cv_error why = CV_ERROR_INIT;
        char path[108];
        cv_path_qmp(dm->host->dirs->run, dm->domid, i, path, sizeof path);
        if (cv_emuset_attach(&dm->set, i, pids[i], path, &why) < 0) {
            if (why.sys != ESRCH && why.code != CV_E_NOT_FOUND)
                return cv_fail_as(err, &why);
            dm->lost |= 1u << i;
        }
        dm->set.emus[i].xl_path[0] = '\0'; /* the toolstack's socket is ours, not the emulator's */
    }
    if (dm->lost == (1u << dm->layout.count) - 1)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "none of the emulators of domain %u lives", dm->domid);
    return 0;
}

/* A "stop" may have been under way when the other one died; the guest does not stand still for anybody. */
static int let_run(struct cv_dm *dm, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_emu_wait those = { .deadline_ms = w->deadline_ms, .cancel = w->cancel };
    struct cv_domain_info info;
    cv_emu_status status[CV_DM_MAX];

    if (dm->host->ops->info(dm->host, dm->domid, &info, err) < 0 ||
        cv_emuset_status(&dm->set, w, status, NULL, err) < 0)
        return -1;
    for (unsigned i = 0; i < dm->set.count && !info.shutdown; i++)
        if (strcmp(status[i], "paused") == 0)
            those.mask |= 1u << i;
    return those.mask == 0 ? 0 : cv_emuset_cont(&dm->set, &those, NULL, err);
}

static int take_over(struct cv_dm *dm, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS), .cancel = dm->cancel };
    int pids[CV_DM_MAX];

    if (cv_dm_nodes_read(dm, pids, &dm->dead, err) < 0 ||
        cv_emuset_init(&dm->set, &dm->layout, dm->domid, dm->sink, err) < 0)
        return -1;
    dm->has_set = true;
    if (attach_all(dm, pids, err) < 0)
        return -1;
    w.mask = ((1u << dm->set.count) - 1) & ~dm->lost;
    if (cv_emuset_connect(&dm->set, &w, NULL, err) < 0 || let_run(dm, &w, err) < 0)
        return -1;
    cv_dm_desk_init(&dm->desk, &dm->set, &dm->layout, dm->sink);
    dm->desk.has_run = true;
    if (cv_dm_doors_open(&dm->doors, dm->host->dirs->run, dm->domid, NULL, err) < 0)
        return -1;
    return cv_dm_nodes_write(dm, err);
}

int cv_dm_adopt(struct cv_dm *dm, uint32_t domid, struct cv_error *err)
{
    const char *dir = dm->host->dirs->run;
    struct cv_error why = CV_ERROR_INIT;

    dm->domid = domid;
    dm->name = "guest";
    dm->adopted = true;
    bool keepers = dm->doors.lock_fd >= 0; /* for the next worker, unless there is nothing behind these doors */
    if (cv_dm_doors_lock(&dm->doors, dir, domid, err) < 0)
        return -1;
    if (take_over(dm, &why) == 0)
        return 0;
    if (keepers && why.code == CV_E_NOT_FOUND) {
        cv_dm_doors_forget_emulators(dir, domid);
        cv_dm_nodes_remove(dm);
    }
    if (!keepers || why.code == CV_E_NOT_FOUND)
        cv_dm_doors_remove(&dm->doors, dir, domid);
    return cv_fail_as(err, &why);
}

int cv_dm_resume(struct cv_dm *dm, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS), .cancel = dm->cancel };
    static const char away[] = "--migratedaway"; /* xl's name for one that may run elsewhere */
    struct cv_domain_info info;

    if (dm->host->ops->info(dm->host, dm->domid, &info, err) < 0)
        return -1;
    if (!info.shutdown || info.shutdown_reason != CV_SHUTDOWN_SUSPEND)
        return 0;
    size_t n = strlen(info.name), m = sizeof away - 1;
    if (n >= m && strcmp(info.name + n - m, away) == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "%s has been handed over to another host: where it does not run, xl rename it first", info.name);
    w.mask = ((1u << dm->set.count) - 1) & ~dm->lost;
    if (cv_emuset_cont(&dm->set, &w, NULL, err) < 0)
        return -1;
    return dm->host->ops->resume(dm->host, dm->domid, err);
}
