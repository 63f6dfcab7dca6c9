/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One moment for memory and disks: a command runs while nothing writes, and its output is kept in the image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "guest/devices.h"
#include "save/report.h"
#include "save/write.h"
#include "stream-format/bodies.h"

#define FREEZE_TIMEOUT_MS 10000
#define GO_ON_MS 30000
#define SETTLE_MS 5000

/* QEMU's "stop" drains and flushes every disk (do_vm_stop), but does not say when a flush has failed.  Synced once more
 * here: nothing is left to write, or the fault is known before the command copies what is not there. */
static int sync_disk(const struct cv_layout_device *dev, struct cv_error *err)
{
    CV_AUTO_FD fd = open(dev->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) /* another mount namespace, or a name that only the emulator understands */
        return 0;
    if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
        return cv_fail(err, CV_E_IO, errno, "disk %s: sync %s", dev->vdev, dev->path);
    return 0;
}

static json_t *describe(const struct cv_layout_dm *dm, const struct cv_layout_device *dev)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:i,s:s}", "vdev", dev->vdev, "target", dev->vdev, "path", dev->path,
                     "format", dev->format, "readonly", dev->readonly, "cdrom", dev->cdrom, "dmid", (int)dm->dmid,
                     "emulator", dm->name);
}

static bool is_listed(json_t *list, const char *vdev)
{
    json_t *o;
    size_t i;

    json_array_foreach(list, i, o) if (strcmp(json_string_value(json_object_get(o, "vdev")), vdev) == 0) return true;
    return false;
}

static int list_pv_disk(void *user, const struct cv_pv_disk *d, struct cv_error *err)
{
    json_t *list = user;

    (void)err;
    if (!is_listed(list, d->vdev))
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:n,s:n}", "vdev", d->vdev, "target", d->vdev,
                                              "path", d->path, "format", d->format, "readonly", d->readonly, "cdrom",
                                              false, "dmid", "emulator"));
    return 0;
}

/* Those that no emulator has.  What the guest's own drivers had handed to a back end is on the disk, too, before the
 * command copies it. */
static int take_pv_disks(struct cv_save *s, json_t *list, struct cv_error *err)
{
    if (cv_devices_walk(s->g.devices, list_pv_disk, NULL, list, err) < 0)
        return -1;
    return s->g.host->ops->devices_settle(s->g.host, s->g.domid, cv_after_ms(SETTLE_MS), err);
}

/* Every disk that has an image: synced, and listed for the command. */
static json_t *take_disks(struct cv_save *s, struct cv_error *err)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->g.layout.count; i++) {
        const struct cv_layout_dm *dm = &s->g.layout.dms[i];
        for (unsigned k = 0; k < dm->device_count; k++) {
            const struct cv_layout_device *dev = &dm->devices[k];
            if (dev->kind != CV_DEV_DISK || *dev->path == '\0')
                continue;
            if (!dev->readonly && sync_disk(dev, err) < 0) {
                json_decref(list);
                return NULL;
            }
            json_array_append_new(list, describe(dm, dev));
        }
    }
    if (take_pv_disks(s, list, err) < 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

#define FACTS 4u

static int write_facts(struct cv_save *s, char *facts[FACTS + 1], struct cv_error *err)
{
    char uuid[37];
    json_t *disks = take_disks(s, err);
    CV_AUTO_FREE char *text = disks ? json_dumps(disks, JSON_COMPACT) : NULL;

    if (disks == NULL)
        return -1;
    json_decref(disks);
    uuid_unparse_lower(s->g.spec.uuid, uuid);
    if (text == NULL || asprintf(&facts[0], "CONVOY_DOMID=%u", s->domid) < 0 ||
        asprintf(&facts[1], "CONVOY_NAME=%s", s->g.spec.name) < 0 || asprintf(&facts[2], "CONVOY_UUID=%s", uuid) < 0 ||
        asprintf(&facts[3], "CONVOY_DISKS=%s", text) < 0)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the list of disks");
    return 0;
}

int cv_save_freeze(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    char *facts[FACTS + 1] = { NULL };

    (void)deadline_ms;
    if (s->opt->at_freeze == NULL)
        return 0;
    int rc = write_facts(s, facts, err);
    if (rc == 0) {
        struct cv_hook hook = { .command = s->opt->at_freeze,
                                .more = (const char *const *)facts,
                                .timeout_ms = s->opt->freeze_timeout_ms ? s->opt->freeze_timeout_ms : FREEZE_TIMEOUT_MS,
                                .output_max = CV_FREEZE_OUTPUT_MAX,
                                .cancel = s->opt->cancel };
        s->frozen_at = time(NULL);
        rc = cv_hook_run(&hook, &s->hook, err);
        s->report.freeze_ns = s->hook.ns;
        if (rc < 0)
            cv_context(err, "command '%.200s'", s->opt->at_freeze);
    }
    for (unsigned i = 0; i < FACTS; i++)
        free(facts[i]);
    return rc;
}

int cv_save_put_freeze(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    struct cv_rec_freeze rec = { .time = (uint64_t)s->frozen_at,
                                 .duration_ms = (uint32_t)(s->hook.ns / 1000000),
                                 .flags = s->hook.cut ? CV_FREEZE_CUT : 0,
                                 .command = s->opt->at_freeze,
                                 .output = (const char *)s->hook.output.data,
                                 .output_len = (uint32_t)s->hook.output.len };

    if (s->opt->at_freeze == NULL)
        return 0;
    rec.command_len = (uint32_t)strlen(rec.command);
    if (cv_rec_freeze_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_FREEZE, &body, err);
}

/* Less than for a save: no state is taken, so that emulators which cannot be saved can be stopped for a moment. */
static int preflight_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    struct cv_domain_info d;

    (void)deadline_ms;
    if (s->g.host->ops->info(s->g.host, s->g.domid, &d, err) < 0 ||
        s->g.host->ops->check_saveable(s->g.host, s->g.domid, err) < 0)
        return -1;
    if (d.paused)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u '%s' is paused and cannot suspend itself: unpause it first",
                       d.domid, d.name);
    if (d.shutdown)
        return cv_fail(err, CV_E_BUSY, 0, "domain %u '%s' is suspended already: is another save under way?", d.domid,
                       d.name);
    return cv_guest_devices_read(&s->g, err); /* for the list of disks */
}

static int go_on_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    int still = cv_save_still(s, err) > 0 ? 0 : -1;

    s->report.down_ns = cv_now_ns() - s->down_since_ns;
    if (cv_save_go_on(s, deadline_ms, cv_if_first(err, still)) < 0 && still == 0)
        return cv_context(err, "the command has done its work, but the guest does not go on");
    return still < 0 ? cv_context(err, "what the command has made is not of one moment") : 0;
}

static const struct cv_step quiesce_steps[] = {
    { "connect", cv_save_connect, cv_save_connect_undo, 60 * 1000, false },
    { "preflight", preflight_run, NULL, 60 * 1000, false },
    { "suspend", cv_save_suspend, cv_save_suspend_undo, CV_NEVER, false },
    { "hold", cv_save_hold, cv_save_hold_undo, CV_NEVER, false },
    { "stop", cv_save_stop, cv_save_stop_undo, 60 * 1000, false },
    { "freeze", cv_save_freeze, NULL, CV_NEVER, false },
    { "go-on", go_on_run, NULL, GO_ON_MS, true },
};

int cv_save_quiesce(struct cv_host *host, const char *who, const struct cv_save_options *opt, struct cv_sink *sink,
                    struct cv_save_report *report_out, struct cv_buf *output_out, struct cv_error *err)
{
    struct cv_save_options o = *opt;
    struct cv_save s;
    struct cv_phases p = { .steps = quiesce_steps,
                           .count = sizeof quiesce_steps / sizeof quiesce_steps[0],
                           .sink = sink,
                           .cancel = opt->cancel,
                           .who = "quiesce" };

    o.keep_disk_locks = true;
    *output_out = (struct cv_buf){ 0 };
    int rc = cv_save_init(&s, host, who, &o, sink, err);
    if (rc == 0) {
        rc = cv_phases_run(&p, &s, err);
        s.report.total_ns = cv_now_ns() - s.start_ns;
        if (rc == 0)
            cv_save_tell_report(&s);
        *report_out = s.report;
        *output_out = cv_buf_take(&s.hook.output);
    }
    cv_save_dispose(&s);
    return rc < 0 ? cv_context(err, "quiesce '%s'", who) : 0;
}
