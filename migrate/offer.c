/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/offer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "guest/devices.h"

int cv_disk_bytes(const char *path, uint64_t *bytes_out)
{
    CV_AUTO_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

    if (end < 0)
        return -1;
    *bytes_out = (uint64_t)end;
    return 0;
}

static int add_text(struct cv_buf *b, struct cv_strs *s, struct cv_error *err, const char *fmt, ...) CV_PRINTF(4, 5);
static int add_text(struct cv_buf *b, struct cv_strs *s, struct cv_error *err, const char *fmt, ...)
{
    char text[4000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return cv_strs_append(b, s, text, err);
}

static int add_emulators(struct cv_offer *o, const struct cv_guest *g, struct cv_error *err)
{
    struct cv_strs *s = &o->msg.offer.emulators;
    struct cv_buf *b = &o->emulators;

    for (unsigned i = 0; i < g->layout.count; i++) {
        const struct cv_layout_dm *dm = &g->layout.dms[i];
        /* An attached emulator is somebody else's: there is no program to look for. */
        const char *program = dm->role == CV_DM_ATTACHED ? "" : dm->model;
        if (add_text(b, s, err, "%u", i) < 0 || add_text(b, s, err, "%s", dm->name) < 0 ||
            add_text(b, s, err, "%s", program) < 0 || add_text(b, s, err, "%s", g->set.emus[i].version) < 0 ||
            add_text(b, s, err, "%s", dm->machine) < 0)
            return -1;
    }
    return 0;
}

/* What holds a raw disk is of one size on every host; the file of another format grows while its guest writes. */
static int add_disk(struct cv_offer *o, const struct cv_layout_device *dev, struct cv_error *err)
{
    uint64_t bytes;

    /* "rw /dev/vg/disk": how it is opened, and where. */
    if (add_text(&o->disks, &o->msg.offer.disks, err, "%s %s", dev->readonly ? "ro" : "rw", dev->path) < 0)
        return -1;
    if (dev->format == NULL || strcmp(dev->format, "raw") != 0 || cv_disk_bytes(dev->path, &bytes) < 0)
        return 0;
    return add_text(&o->facts, &o->msg.offer.facts, err, CV_FACT_DISK_BYTES "%llu %s", (unsigned long long)bytes,
                    dev->path);
}

static int add_devices(struct cv_offer *o, const struct cv_guest *g, struct cv_error *err)
{
    for (unsigned i = 0; i < g->layout.count; i++) {
        const struct cv_layout_dm *dm = &g->layout.dms[i];
        for (unsigned k = 0; k < dm->device_count; k++) {
            const struct cv_layout_device *dev = &dm->devices[k];
            if (dev->kind == CV_DEV_VIF && dev->bridge != NULL && *dev->bridge &&
                add_text(&o->bridges, &o->msg.offer.bridges, err, "%s", dev->bridge) < 0)
                return -1;
            if (dev->kind == CV_DEV_DISK && dev->path != NULL && *dev->path && add_disk(o, dev, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int add_pv_disk(void *user, const struct cv_pv_disk *d, struct cv_error *err)
{
    struct cv_layout_device dev = { .readonly = d->readonly, .path = d->path, .format = d->raw ? "raw" : "" };

    return d->elsewhere ? 0 : add_disk(user, &dev, err);
}

static int add_pv_bridge(void *user, const char *bridge, struct cv_error *err)
{
    struct cv_offer *o = user;

    return add_text(&o->bridges, &o->msg.offer.bridges, err, "%s", bridge);
}

static int add_policy(struct cv_offer *o, struct cv_guest *g, struct cv_error *err)
{
    struct cv_cpu_policy p = { 0 };
    int rc = 0;

    if (g->host->ops->get_cpu_policy(g->host, g->domid, &p, err) < 0)
        return -1;
    for (size_t i = 0; i < p.leaf_count && rc == 0; i++) {
        const struct cv_policy_leaf *l = &p.leaves[i];
        const uint32_t words[6] = { l->leaf, l->subleaf, l->a, l->b, l->c, l->d };
        for (unsigned k = 0; k < 6 && rc == 0; k++)
            rc = cv_buf_put_u32(&o->policy, words[k], err);
    }
    cv_cpu_policy_dispose(&p);
    o->msg.offer.cpu_policy = (struct cv_blob){ o->policy.data, o->policy.len };
    return rc;
}

int cv_offer_make(struct cv_offer *o, struct cv_guest *g, bool live, struct cv_error *err)
{
    struct cv_domain_info d;
    struct cv_host_facts f;

    *o = (struct cv_offer){ .msg.type = CV_MSG_OFFER };
    if (g->host->ops->info(g->host, g->domid, &d, err) < 0 || g->host->ops->facts(g->host, &f, err) < 0 ||
        cv_layout_encode(&g->layout, &o->layout, err) < 0 || cv_guest_devices_read(g, err) < 0)
        return -1;
    struct cv_msg_offer *m = &o->msg.offer;
    m->name = g->spec.name;
    m->xen_major = f.version_major;
    m->xen_minor = f.version_minor;
    m->memory_bytes = d.pages * CV_PAGE_SIZE + (g->spec.paging_pool_kib << 10);
    m->vcpus = g->spec.vcpus;
    m->flags = live ? CV_OFFER_LIVE : 0;
    m->config = (struct cv_blob){ g->config_text, strlen(g->config_text) };
    m->layout = (struct cv_blob){ o->layout, strlen(o->layout) };
    if (add_emulators(o, g, err) < 0 || add_devices(o, g, err) < 0 ||
        cv_devices_walk(g->devices, add_pv_disk, add_pv_bridge, o, err) < 0 || add_policy(o, g, err) < 0 ||
        add_text(&o->facts, &m->facts, err, "hypervisor=%s", f.hypervisor) < 0 ||
        add_text(&o->facts, &m->facts, err, "hostname=%s", f.hostname) < 0)
        return -1;
    return 0;
}

void cv_offer_dispose(struct cv_offer *o)
{
    cv_buf_dispose(&o->emulators);
    cv_buf_dispose(&o->bridges);
    cv_buf_dispose(&o->disks);
    cv_buf_dispose(&o->facts);
    cv_buf_dispose(&o->policy);
    free(o->layout);
    o->layout = NULL;
}
