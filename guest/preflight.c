/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest needs of this host, looked for before anything is made. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/devices.h"
#include "guest/guest.h"

static int check_file(const char *path, int mode, const char *what, struct cv_error *err)
{
    struct stat st;

    if (*path == '\0')
        return 0;
    if (stat(path, &st) < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "%s %s", what, path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return cv_fail(err, CV_E_INVALID, 0, "%s %s is neither a file nor a block device", what, path);
    if (access(path, mode) < 0)
        return cv_fail(err, CV_E_IO, errno, "%s %s", what, path);
    return 0;
}

static int check_device(const struct cv_guest *g, const struct cv_layout_device *dev, struct cv_error *err)
{
    if (dev->kind == CV_DEV_DISK && check_file(dev->path, dev->readonly ? R_OK : R_OK | W_OK, "image", err) < 0)
        return cv_context(err, "disk %s", dev->vdev);
    if (dev->kind == CV_DEV_VIF && g->host->ops->bridge(g->host, dev->bridge, err) < 0)
        return cv_context(err, "%s", dev->id);
    return 0;
}

static int check_emulator(const struct cv_guest *g, const struct cv_layout_dm *dm, struct cv_error *err)
{
    if (dm->role == CV_DM_ATTACHED) {
        if (dm->pid != 0 && kill(dm->pid, 0) < 0 && errno == ESRCH)
            return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no process %d to attach", dm->pid);
        return 0;
    }
    if (check_file(dm->model, X_OK, "its program", err) < 0)
        return -1;
    for (unsigned i = 0; i < dm->device_count; i++)
        if (check_device(g, &dm->devices[i], err) < 0)
            return -1;
    return 0;
}

int cv_guest_rules(const struct cv_host *host, struct cv_emu_rules *rules, struct cv_error *err)
{
    return cv_emu_rules_load(rules, host->dirs->rules, err);
}

int cv_guest_check_trusted(const struct cv_guest *g, const char *const *trusted, struct cv_error *err)
{
    struct cv_emu_rules rules;

    if (cv_guest_rules(g->host, &rules, err) < 0)
        return -1;
    for (size_t i = 0; trusted != NULL && trusted[i] != NULL; i++)
        if (cv_emu_rules_trust(&rules, trusted[i], err) < 0)
            return -1;
    return cv_emu_rules_check(&rules, &g->layout, true, err);
}

static int check_pv_disk(void *user, const struct cv_pv_disk *d, struct cv_error *err)
{
    (void)user;
    if (d->elsewhere || check_file(d->path, d->readonly ? R_OK : R_OK | W_OK, "image", err) == 0)
        return 0;
    return cv_context(err, "PV disk %s", d->vdev);
}

static int check_pv_bridge(void *user, const char *bridge, struct cv_error *err)
{
    const struct cv_guest *g = user;

    if (g->host->ops->bridge(g->host, bridge, err) == 0)
        return 0;
    return cv_context(err, "a PV network card");
}

int cv_guest_check_host(const struct cv_guest *g, struct cv_error *err)
{
    struct cv_emu_rules rules;

    if (cv_guest_rules(g->host, &rules, err) < 0 || cv_emu_rules_check(&rules, &g->layout, false, err) < 0)
        return -1;
    for (unsigned i = 0; i < g->layout.count; i++)
        if (check_emulator(g, &g->layout.dms[i], err) < 0)
            return cv_context(err, "emulator %u '%s'", i, g->layout.dms[i].name);
    return cv_devices_walk(g->devices, check_pv_disk, check_pv_bridge, (void *)g, err);
}

int cv_guest_check_boot(const struct cv_guest *g, const struct cv_guest_config *c, struct cv_error *err)
{
    if (c != NULL &&
        (check_file(c->kernel, R_OK, "kernel", err) < 0 || check_file(c->ramdisk, R_OK, "ramdisk", err) < 0))
        return -1;
    if (check_file(g->spec.loader, R_OK, "firmware_override", err) < 0 ||
        check_file(g->spec.firmware, R_OK, "bios_path_override", err) < 0)
        return -1;
    return check_file(g->spec.acpi_table, R_OK, "acpi_firmware", err);
}

int cv_guest_check_name(const char *name, struct cv_error *err)
{
    const char *why = cv_config_name_refusal(name);

    return *why ? cv_fail(err, CV_E_INVALID, 0, "the name '%.80s': %s", name, why) : 0;
}

struct namesake {
    const struct cv_domain_spec *spec;
    struct cv_domain_info found;
    bool any;
};

static int compare(void *user, const struct cv_domain_info *d)
{
    struct namesake *n = user;

    if (d->dying || strcmp(d->name, n->spec->name) != 0)
        return 0;
    n->found = *d;
    n->any = true;
    return 1;
}

int cv_guest_check_unique(const struct cv_guest *g, struct cv_error *err)
{
    struct namesake n = { .spec = &g->spec };

    if (g->host->ops->list(g->host, compare, &n, err) < 0)
        return -1;
    if (n.any)
        return cv_fail(err, CV_E_BUSY, 0, "a domain named '%s' exists already (domain %u)", n.found.name,
                       n.found.domid);
    return 0;
}
