/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout/cmdline.h"

#include <stdio.h>
#include <string.h>

static int find_disk(const char *vdev, size_t len, const struct cv_cmdline *c)
{
    for (unsigned i = 0; i < c->disk_count; i++)
        if (strlen(c->disks[i].vdev) == len && memcmp(c->disks[i].vdev, vdev, len) == 0)
            return (int)i;
    return -1;
}

static bool is(const char *name, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(name, word, len) == 0;
}

/* The length of prefix if name begins with it, else 0. */
static size_t begins(const char *name, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);
    return len > n && memcmp(name, prefix, n) == 0 ? n : 0;
}

/* A number that a placeholder stands for.  -1 if unknown or not set. */
static int number_of(const char *name, size_t len, const struct cv_cmdline *c)
{
    size_t n;

    if (is(name, len, "domid"))
        return (int)c->domid;
    if (is(name, len, "qmp-fd"))
        return c->qmp_fd;
    if (is(name, len, "xl-qmp-fd"))
        return c->xl_qmp_fd;
    if ((n = begins(name, len, "disk-set:")) != 0)
        return find_disk(name + n, len - n, c);
    if ((n = begins(name, len, "tap-fd:")) != 0 && len - n <= 2) {
        unsigned vif = 0;
        for (; n < len; n++) {
            if (name[n] < '0' || name[n] > '9')
                return -1;
            vif = vif * 10 + (unsigned)(name[n] - '0');
        }
        return vif < CV_CONFIG_VIFS_MAX ? c->tap_fds[vif] : -1;
    }
    return -1;
}

/* NULL if unknown or not set. */
static const char *value_of(const char *name, size_t len, const struct cv_cmdline *c, struct cv_pool *pool)
{
    size_t n = begins(name, len, "disk-driver:");

    if (n != 0) {
        int disk = find_disk(name + n, len - n, c);
        /* QEMU would guess from the path, and /dev/fdset is no block device. */
        return disk < 0 ? NULL : c->disks[disk].block ? "host_device" : "file";
    }
    int v = number_of(name, len, c);
    return v < 0 ? NULL : cv_pool_printf(pool, "%d", v);
}

const char *cv_cmdline_expand(const char *text, const struct cv_cmdline *c, struct cv_pool *pool, struct cv_error *err)
{
    const char *out = "";

    for (;;) {
        const char *at = strstr(text, "@{");
        if (at == NULL)
            return *out ? cv_pool_printf(pool, "%s%s", out, text) : cv_pool_string(pool, text);
        const char *end = strchr(at, '}');
        const char *value = end == NULL ? NULL : value_of(at + 2, (size_t)(end - at - 2), c, pool);
        if (value == NULL) {
            cv_fail(err, CV_E_INVALID, 0, "unknown placeholder in '%.80s'", text);
            return NULL;
        }
        out = cv_pool_printf(pool, "%s%.*s%s", out, (int)(at - text), text, value);
        text = end + 1;
    }
}

/* QEMU takes two dashes for one. */
static const char *option_of(const char *arg) { return arg[0] == '-' && arg[1] == '-' ? arg + 1 : arg; }

int cv_cmdline_build(const struct cv_layout_dm *dm, const struct cv_cmdline *c, struct cv_pool *pool,
                     struct cv_strings *argv_out, struct cv_error *err)
{
    *argv_out = (struct cv_strings){ 0 };
    for (size_t i = 0; i < dm->argv.count; i++) {
        /* Earlier versions' layouts have it: whether it is given is not for a layout to say. */
        if (strcmp(option_of(dm->argv.items[i]), "-xen-domid-restrict") == 0)
            continue;
        const char *arg = cv_cmdline_expand(dm->argv.items[i], c, pool, err);
        if (arg == NULL)
            return cv_context(err, "argument %zu", i);
        cv_strings_add(pool, argv_out, arg);
    }
    for (unsigned i = 0; i < c->disk_count; i++)
        for (int write = 0; write <= 1; write++) {
            int fd = write ? c->disks[i].write_fd : c->disks[i].read_fd;
            if (fd < 0)
                continue;
            cv_strings_add(pool, argv_out, "-add-fd");
            cv_strings_addf(pool, argv_out, "fd=%d,set=%u", fd, i);
        }
    if (c->gate_fd >= 0) {
        cv_strings_add(pool, argv_out, "-chardev");
        cv_strings_addf(pool, argv_out, "socket,id=convoy-gate,fd=%d,server=on,wait=on", c->gate_fd);
    }
    if (c->incoming) {
        cv_strings_add(pool, argv_out, "-incoming");
        cv_strings_add(pool, argv_out, "defer");
    }
    if (dm->role == CV_DM_SECONDARY)
        cv_strings_add(pool, argv_out, "-xen-domid-restrict");
    if (dm->role == CV_DM_SECONDARY && c->sandbox) {
        /* privileges are still to be dropped by -runas, after the filter is on */
        cv_strings_add(pool, argv_out, "-sandbox");
        cv_strings_add(pool, argv_out, "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny");
    }
    if (dm->role == CV_DM_SECONDARY && *c->run_as) {
        cv_strings_add(pool, argv_out, "-runas");
        cv_strings_add(pool, argv_out, c->run_as);
    }
    cv_strings_add(pool, argv_out, NULL);
    return cv_pool_check(pool, err);
}

static bool has_vif(const struct cv_layout_dm *dm, unsigned n)
{
    for (unsigned i = 0; i < dm->device_count; i++)
        if (dm->devices[i].kind == CV_DEV_VIF && dm->devices[i].vif_index == n)
            return true;
    return false;
}

/* What decides about an emulator's rights, its state and its life is given by convoy alone. */
static int check_options(const struct cv_layout_dm *dm, struct cv_error *err)
{
    static const char *const ours[] = { "-runas", "-sandbox", "-chroot", "-daemonize", "-incoming", "-add-fd" };

    for (size_t i = 1; i < dm->argv.count; i++)
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            if (strcmp(option_of(dm->argv.items[i]), ours[k]) == 0)
                return cv_fail(err, CV_E_INVALID, 0,
                               "argument '%s' is not for a layout to give: convoy decides about it", dm->argv.items[i]);
    return 0;
}

int cv_cmdline_check(const struct cv_layout *l, struct cv_error *err)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct cv_layout_dm *dm = &l->dms[i];
        struct cv_cmdline c = { .domid = 1, .qmp_fd = 1, .xl_qmp_fd = i == 0 ? 1 : -1, .gate_fd = -1, .run_as = "" };
        struct cv_pool pool = { 0 };
        struct cv_strings argv;
        for (unsigned n = 0; n < CV_CONFIG_VIFS_MAX; n++)
            c.tap_fds[n] = has_vif(dm, n) ? 1 : -1;
        for (unsigned k = 0; k < dm->device_count && c.disk_count < CV_CONFIG_DISKS_MAX; k++)
            if (dm->devices[k].kind == CV_DEV_DISK)
                c.disks[c.disk_count++] = (struct cv_cmdline_disk){ dm->devices[k].vdev, 1, 1, false };
        int rc = check_options(dm, err) < 0 ? -1 : cv_cmdline_build(dm, &c, &pool, &argv, err);
        cv_pool_dispose(&pool);
        if (rc < 0)
            return cv_context(err, "layout: emulator %u '%s'", i, dm->name);
    }
    return 0;
}
