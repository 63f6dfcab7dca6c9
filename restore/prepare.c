/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What takes its time and needs no memory: emulators that wait for their states, xenstore's nodes, PV devices.  While
 * memory streams in it costs no down time. */
#include "base/clock.h"
#include "guest/devices.h"
#include "restore/internal.h"

/* Hotplug scripts take seconds.  The emulators have started, so that none but the default one sees the nodes of what it
 * has to serve. */
static int add_devices(struct cv_restore *r, struct cv_error *err)
{
    int64_t begin = cv_now_ns();
    int rc = cv_guest_devices_add(&r->g, r->opt->cancel, err);

    r->report.devices_ns = cv_now_ns() - begin;
    return rc < 0 ? cv_context(err, "PV devices") : 0;
}

static int start_emulators(struct cv_restore *r, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = r->opt->cancel };

    if (cv_guest_start_emulators(&r->g, r->opt->late_disks ? CV_SPAWN_INCOMING_LATE : CV_SPAWN_INCOMING, deadline_ms,
                                 r->opt->cancel, err) < 0 ||
        cv_restore_make_state_files(r, err) < 0)
        return -1;
    return cv_emuset_prepare_load(&r->g.set, r->opt->late_disks, r->state_fd, &w, err);
}

/* xenstore is slow: milliseconds a node. */
static int write_nodes(struct cv_restore *r, int64_t deadline_ms, struct cv_error *err)
{
    if (cv_guest_nodes_write(&r->g, err) < 0)
        return -1;
    return cv_guest_consoles_write(&r->g, deadline_ms, r->opt->cancel, err);
}

int cv_restore_prepare(struct cv_restore *r, int64_t deadline_ms, struct cv_error *err)
{
    int64_t begin = cv_now_ns();
    int rc = start_emulators(r, deadline_ms, err);

    if (rc == 0)
        rc = write_nodes(r, deadline_ms, err);
    r->report.emulators_ns = cv_now_ns() - begin;
    if (rc == 0)
        rc = add_devices(r, err);
    if (rc == 0 && r->opt->prepared != NULL)
        r->opt->prepared(r->opt->user);
    return rc;
}

/* ---- the step: memory and all this side by side ---- */

int cv_restore_fill_and_prepare(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    if (cv_restore_fill_begin(r, err) < 0)
        return -1;
    if (cv_restore_prepare(r, deadline_ms, err) == 0)
        return cv_restore_fill_end(r, err);
    cv_restore_fill_stop(r);
    return -1;
}

int cv_restore_fill_and_prepare_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    (void)deadline_ms;
    cv_restore_fill_stop(r);
    return cv_guest_kill_emulators(&r->g, err);
}
