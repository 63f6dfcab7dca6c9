/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the emulators come under the supervisor: started anew, or started for a state that comes in. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "dm/states.h"
#include "dm/supervisor.h"
#include "emulators/spawn.h"

/* libxl waits 60 s for its device model. */
#define START_MS 50000

/* libxl gives the domain room for one QEMU's blocks, at its restore as well. */
static int check_blocks(const struct cv_layout *l, struct cv_error *err)
{
    for (unsigned i = 1; i < l->count; i++)
        if (l->dms[i].region_count > 0)
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "emulator %u '%s': has memory of its own in the guest (%s), for which libxl leaves no room: "
                           "leave that device to the default emulator, or give it romfile=",
                           i, l->dms[i].name, l->dms[i].regions[0].what);
    return 0;
}

/* Every QEMU serves the qdisk nodes that it finds when it starts, and libxl makes them before: two writers of a disk.
 */
static int check_qdisks(struct cv_dm *dm, struct cv_error *err)
{
    CV_AUTO_BUF names = { 0 };
    char path[80];
    size_t count;

    snprintf(path, sizeof path, "/local/domain/0/backend/qdisk/%u", dm->domid);
    if (dm->host->ops->xs_list(dm->host, path, &names, &count, err) < 0)
        return -1;
    if (count == 0)
        return 0;
    return cv_fail(
        err, CV_E_UNSUPPORTED, 0,
        "%zu of the guest's disks have QEMU as their PV back end (qdisk: qcow2 and the like, CD-ROM images), and "
        "each emulator would serve them: give it raw images or block devices (backendtype=phy)",
        count);
}

static int run_emulators(struct cv_dm *dm, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(CV_DM_ANSWER_MS), .cancel = dm->cancel };

    if (dm->stopped)
        return 0;
    /* The default one last: it tells libxl that the device model runs. */
    w.mask = ((1u << dm->set.count) - 1) & ~1u;
    if (w.mask != 0 && cv_emuset_cont(&dm->set, &w, NULL, err) < 0)
        return -1;
    w.mask = 1;
    return cv_emuset_cont(&dm->set, &w, NULL, err);
}

static int load(struct cv_dm *dm, const int fds[CV_DM_MAX], const struct cv_emu_wait *w, struct cv_error *err)
{
    if (cv_emuset_prepare_load(&dm->set, true, NULL, w, err) < 0)
        return -1;
    return cv_emuset_load_state(&dm->set, fds, w, NULL, err);
}

/* fds NULL: a new guest. */
static int start_all(struct cv_dm *dm, const int *fds, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(START_MS), .cancel = dm->cancel };
    struct cv_emu_rules rules;
    struct cv_spawn_options opt = { .mode = fds != NULL ? CV_SPAWN_INCOMING_LATE : CV_SPAWN_CREATE,
                                    .guest_name = dm->name,
                                    .run_dir = dm->host->dirs->run,
                                    .log_dir = dm->host->dirs->log,
                                    .no_xl_socket = true,
                                    .tap = cv_host_tap,
                                    .tap_user = dm->host,
                                    .rules = &rules };

    if (check_qdisks(dm, err) < 0 || cv_emu_rules_load(&rules, dm->host->dirs->rules, err) < 0 ||
        cv_emu_rules_check(&rules, &dm->layout, fds != NULL, err) < 0 ||
        cv_emuset_init(&dm->set, &dm->layout, dm->domid, dm->sink, err) < 0)
        return -1;
    dm->has_set = true;
    if (cv_emuset_start(&dm->set, &dm->layout, &opt, &w, err) < 0)
        return -1;
    if (cv_emuset_survey(&dm->set, &dm->layout, &w, err) < 0 || check_blocks(&dm->layout, err) < 0)
        return -1;
    dm->lock_later = fds != NULL;
    return fds == NULL ? 0 : load(dm, fds, &w, err);
}

static int start_emulators(struct cv_dm *dm, const int *fds, struct cv_error *err)
{
    if (start_all(dm, fds, err) < 0)
        return -1;
    cv_dm_desk_init(&dm->desk, &dm->set, &dm->layout, dm->sink);
    return cv_dm_nodes_write(dm, err) < 0 ? -1 : run_emulators(dm, err);
}

static void take_back(struct cv_dm *dm)
{
    struct cv_error e = CV_ERROR_INIT;

    if (dm->has_set && cv_emuset_kill(&dm->set, &e) < 0)
        cv_log(dm->sink, CV_LOG_ERROR, "%s", e.text);
    cv_dm_nodes_remove(dm);
    cv_dm_doors_remove(&dm->doors, dm->host->dirs->run, dm->domid);
}

static int plan(struct cv_dm *dm, struct cv_dm_args *a, int fds[CV_DM_MAX], struct cv_error *err)
{
    struct cv_layout_host host;

    if (a->incoming_at == 0) {
        struct cv_host_facts f;
        if (dm->host->ops->facts(dm->host, &f, err) < 0)
            return -1;
        cv_layout_host_probe(&host);
        host.pirqs = cv_host_gives_pirqs(&f);
        return cv_dm_plan(a, &host, &dm->layout, err);
    }
    if (a->incoming_fd < 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "-incoming %.80s: a state comes from a descriptor (fd:N)",
                       a->argv[a->incoming_at]);
    if (cv_dm_states_read(a->incoming_fd, &dm->layout, fds, err) < 0)
        return -1;
    dm->has_layout = true;
    return cv_dm_plan_again(a, &dm->layout, err);
}

static int start(struct cv_dm *dm, struct cv_dm_args *a, int fds[CV_DM_MAX], struct cv_error *err)
{
    if (cv_dm_doors_open(&dm->doors, dm->host->dirs->run, dm->domid, a, err) < 0 ||
        cv_dm_plan_died(a, &dm->died, err) < 0 || plan(dm, a, fds, err) < 0)
        return -1;
    dm->has_layout = true;
    return start_emulators(dm, a->incoming_at != 0 ? fds : NULL, err);
}

int cv_dm_start(struct cv_dm *dm, struct cv_dm_args *a, struct cv_error *err)
{
    int fds[CV_DM_MAX];

    for (unsigned i = 0; i < CV_DM_MAX; i++)
        fds[i] = -1;
    dm->domid = a->domid;
    dm->name = *a->name != '\0' ? a->name : "guest";
    dm->stopped = a->stopped;
    /* Nodes and sockets are those of whoever has the lock: without it there is nothing to take back. */
    if (cv_dm_doors_lock(&dm->doors, dm->host->dirs->run, dm->domid, err) < 0)
        return -1;
    int rc = start(dm, a, fds, err);
    if (rc < 0)
        take_back(dm);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&fds[i]);
    return rc;
}
