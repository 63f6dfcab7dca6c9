/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "guest/guest.h"
#include "restore/restore.h"

/* "VDEV=PATH", each taken apart in a copy of its own. */
struct disks {
    struct cv_restore_disk items[CV_CONFIG_DISKS_MAX];
    char *texts[CV_CONFIG_DISKS_MAX];
    unsigned count;
};

static void dispose(struct disks *d)
{
    for (unsigned i = 0; i < d->count; i++)
        free(d->texts[i]);
}

static int take_disks(struct disks *d, const char *const *list, struct cv_error *e)
{
    for (; list != NULL && *list != NULL; list++) {
        const char *sign = strchr(*list, '=');
        if (sign == NULL || sign == *list || sign[1] == '\0')
            return cv_fail(e, CV_E_INVALID, 0, "disks: VDEV=PATH is wanted, not '%s'", *list);
        if (d->count == CV_CONFIG_DISKS_MAX)
            return cv_fail(e, CV_E_INVALID, 0, "disks: more than %d", CV_CONFIG_DISKS_MAX);
        char *text = strdup(*list);
        if (text == NULL)
            return cv_fail(e, CV_E_NOMEM, 0, "no memory for a disk's name");
        text[sign - *list] = '\0';
        d->texts[d->count] = text;
        d->items[d->count++] = (struct cv_restore_disk){ .vdev = text, .path = text + (sign - *list) + 1 };
    }
    return 0;
}

static void give_report(convoy_restore_report *report, const struct cv_restore_report *r)
{
    convoy_restore_report full = { .size = sizeof full,
                                   .bytes = r->bytes,
                                   .total_ns = r->total_ns,
                                   .verify_ns = r->verify_ns,
                                   .domain_ns = r->domain_ns,
                                   .fill_ns = r->fill_ns,
                                   .emulators_ns = r->emulators_ns,
                                   .devices_ns = r->devices_ns,
                                   .load_ns = r->load_ns,
                                   .down_ns = r->down_ns };

    api_give(report, &full, sizeof full);
}

/* It runs: whatever cannot be learned of it now is no failure. */
static void started_now(convoy_host *h, uint32_t domid, convoy_started *started)
{
    convoy_started s = { .size = sizeof s, .domid = domid, .unwatched = 1 };
    struct cv_domain_info d;
    struct cv_guest g;

    if (h->host->ops->info(h->host, domid, &d, NULL) == 0) {
        snprintf(s.name, sizeof s.name, "%s", d.name);
        s.unwatched = !api_watch_over(h, domid, d.name);
    }
    if (started != NULL && cv_guest_open_domain(&g, h->host, domid, NULL, NULL) == 0) {
        s.emulators = g.layout.count;
        cv_guest_dispose(&g);
    }
    api_give(started, &s, sizeof s);
}

static int restore(convoy_host *h, int fd, const convoy_restore_options *o, struct disks *disks, uint32_t *domid,
                   struct cv_restore_report *r, struct cv_error *e)
{
    struct cv_chain_places places;
    struct cv_restore_options opt = { .paused = o->paused != 0,
                                      .name = o->name,
                                      .emulator_timeout_ms = (int64_t)o->emulator_timeout_s * 1000,
                                      .cancel = api_cancel(o->cancel),
                                      .trust = o->trust,
                                      .parents = &places,
                                      .incremental = true };

    if (api_mem(&opt.mem, o->threads, NULL, o->cancel, e) < 0 || api_places(&places, o->parents, e) < 0 ||
        take_disks(disks, o->disks, e) < 0)
        return cv_context(e, "restore");
    opt.disks = disks->items;
    opt.disk_count = disks->count;
    return cv_restore_from(h->host, fd, &opt, &h->out.sink, domid, r, e);
}

int convoy_restore_fd(convoy_host *h, int fd, const convoy_restore_options *given, convoy_started *started,
                      convoy_restore_report *report, convoy_error *err)
{
    struct cv_restore_report r = { 0 };
    struct cv_error e = CV_ERROR_INIT;
    convoy_restore_options o;
    struct disks disks = { .count = 0 };
    uint32_t domid = 0;

    if (api_options(&o, sizeof o, given, "convoy_restore_options", &e) < 0 ||
        api_room(started, "convoy_started", &e) < 0 || api_room(report, "convoy_restore_report", &e) < 0)
        return api_fail(&e, err);
    int rc = restore(h, fd, &o, &disks, &domid, &r, &e);
    dispose(&disks);
    if (rc < 0)
        return api_fail(&e, err);
    started_now(h, domid, started);
    give_report(report, &r);
    return 0;
}
