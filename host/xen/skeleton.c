/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The xenstore nodes that a domain has under libxl (libxl_create.c, domain_make and build_post), so that guests,
 * xenconsoled, xl list/pause/unpause/console/destroy and the emulators find what they look for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uuid/uuid.h>

#include "base/auto.h"
#include "host/xen/xen.h"

struct skeleton {
    struct xen_host *x;
    xs_transaction_t t;
    uint32_t domid;
    char dom[64], vm[64], libxl[32], dm[64];
};

static void paths(struct skeleton *k, struct xen_host *x, uint32_t domid, const uint8_t *uuid)
{
    char text[37];

    k->x = x;
    k->domid = domid;
    uuid_unparse_lower(uuid, text);
    snprintf(k->dom, sizeof k->dom, "/local/domain/%u", domid);
    snprintf(k->vm, sizeof k->vm, "/vm/%s", text);
    snprintf(k->libxl, sizeof k->libxl, "/libxl/%u", domid);
    snprintf(k->dm, sizeof k->dm, "/local/domain/0/device-model/%u", domid);
}

/* guest: 'r' the guest may read, 'w' it owns the node, 'n' it may do nothing. */
static int make_node(struct skeleton *k, const char *base, const char *name, char guest, struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];
    struct xs_permissions perms[2] = { { .id = 0, .perms = XS_PERM_NONE }, { .id = k->domid, .perms = XS_PERM_READ } };

    snprintf(path, sizeof path, "%s%s%s", base, *name ? "/" : "", name);
    if (guest == 'w')
        perms[0].id = k->domid;
    if (!xs_mkdir(k->x->xs, k->t, path) || !xs_set_permissions(k->x->xs, k->t, path, perms, guest == 'r' ? 2 : 1))
        return xen_fail(k->x, err, "xenstore: make %s", path);
    return 0;
}

static int put_node(struct skeleton *k, const char *base, const char *name, const char *value, struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return xen_xs_printf(k->x, k->t, err, path, "%s", value);
}

struct node {
    const char *base, *name, *value;
};

static int put_nodes(struct skeleton *k, const struct node *nodes, size_t count, struct cv_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (put_node(k, nodes[i].base, nodes[i].name, nodes[i].value, err) < 0)
            return -1;
    return 0;
}

static int put_u64(struct skeleton *k, const char *name, uint64_t value, struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", k->dom, name);
    return xen_xs_printf(k->x, k->t, err, path, "%llu", (unsigned long long)value);
}

static int make_tree(struct skeleton *k, bool pvh, struct cv_error *err)
{
    static const struct {
        const char *name;
        char guest;
        bool hvm; /* not of a PVH guest */
    } nodes[] = {
        { "cpu", 'r', false },
        { "memory", 'r', false },
        { "device", 'r', false },
        { "device/suspend", 'r', false },
        { "device/suspend/event-channel", 'w', false },
        { "control", 'r', false },
        { "hvmloader", 'r', true },
        { "control/shutdown", 'w', false },
        { "control/feature-poweroff", 'w', false },
        { "control/feature-reboot", 'w', false },
        { "control/feature-suspend", 'w', false },
        { "control/feature-s3", 'w', true },
        { "control/feature-s4", 'w', true },
        { "control/sysrq", 'w', false },
        { "data", 'w', false },
        { "drivers", 'w', false },
        { "feature", 'w', false },
        { "attr", 'w', false },
        { "error", 'w', false },
        { "platform", 'r', true },
        { "store", 'r', false },
        { "console", 'r', false },
    };

    if (make_node(k, k->dom, "", 'r', err) < 0 || make_node(k, k->vm, "", 'r', err) < 0 ||
        make_node(k, k->libxl, "", 'n', err) < 0 || make_node(k, k->libxl, "device", 'n', err) < 0 ||
        make_node(k, k->dm, "", 'r', err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        if (!(nodes[i].hvm && pvh) && make_node(k, k->dom, nodes[i].name, nodes[i].guest, err) < 0)
            return -1;
    return 0;
}

static int put_identity(struct skeleton *k, const struct cv_domain_spec *spec, struct cv_error *err)
{
    const char *uuid = k->vm + strlen("/vm/");
    char start[32], offset[24] = "";

    if (spec->rtc_offset_s != 0)
        snprintf(offset, sizeof offset, "%lld", (long long)spec->rtc_offset_s);
    snprintf(start, sizeof start, "%lld.00", (long long)time(NULL));
    const struct node nodes[] = {
        { k->dom, "vm", k->vm },
        { k->dom, "name", spec->name },
        { k->vm, "uuid", uuid },
        { k->vm, "name", spec->name },
        { k->vm, "start_time", start },
        { k->vm, "rtc/timeoffset", offset },
        { k->libxl, "type", spec->pvh ? "pvh" : "hvm" },
        { k->libxl, "dm-version", "qemu_xen" },
    };
    if (!spec->pvh && put_node(k, k->vm, "image/ostype", "hvm", err) < 0)
        return -1;
    if (put_nodes(k, nodes, sizeof nodes / sizeof nodes[0], err) < 0)
        return -1;
    return put_u64(k, "domid", k->domid, err);
}

/* Lines "node=value". */
static int put_smbios(struct skeleton *k, const char *lines, struct cv_error *err)
{
    char node[64], value[1024];

    for (const char *at = lines, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        size_t name = strcspn(at, "=");
        if (at + name >= end)
            return cv_fail(err, CV_E_INVALID, 0, "smbios: '%.*s' is no string of the firmware's", (int)(end - at), at);
        snprintf(node, sizeof node, "bios-strings/%.*s", (int)(name < 40 ? name : 40), at);
        snprintf(value, sizeof value, "%.*s", (int)(end - at - name - 1), at + name + 1);
        if (put_node(k, k->dom, node, value, err) < 0)
            return -1;
    }
    return 0;
}

static int put_platform(struct skeleton *k, const struct cv_domain_spec *spec, struct cv_error *err)
{
    bool s3 = spec->acpi && !spec->no_acpi_s3, s4 = spec->acpi && !spec->no_acpi_s4;

    const struct node nodes[] = {
        { k->dom, "platform/acpi", spec->acpi ? "1" : "0" },
        { k->dom, "platform/acpi_s3", s3 ? "1" : "0" },
        { k->dom, "platform/acpi_s4", s4 ? "1" : "0" },
        { k->dom, "platform/acpi_laptop_slate", spec->acpi_laptop_slate ? "1" : "0" },
        { k->dom, "hvmloader/bios", "seabios" },
        { k->dom, "hvmloader/allow-memory-relocate", "0" },
        { k->dom, "control/platform-feature-multiprocessor-suspend", "1" },
        { k->dom, "control/platform-feature-xs_reset_watches", "1" },
    };
    /* What the firmware reads is of no use where there is none. */
    size_t skip = spec->pvh ? sizeof nodes / sizeof nodes[0] - 2 : 0;
    if (put_nodes(k, nodes + skip, sizeof nodes / sizeof nodes[0] - skip, err) < 0)
        return -1;
    if (spec->pvh)
        return 0;
    if (*spec->genid != '\0' && put_node(k, k->dom, "platform/generation-id", spec->genid, err) < 0)
        return -1;
    return put_smbios(k, spec->smbios, err);
}

static int put_resources(struct skeleton *k, const struct cv_domain_spec *spec, uint32_t store_port,
                         uint32_t console_port, struct cv_error *err)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        { "memory/static-max", spec->max_kib }, { "memory/target", spec->target_kib - spec->video_kib },
        { "memory/videoram", spec->video_kib }, { "store/port", store_port },
        { "console/port", console_port },
    };
    const struct node console[] = {
        { k->dom, "console/type", "xenconsoled" },
        { k->dom, "console/output", "pty" },
        { k->dom, "console/limit", "1048576" },
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (put_u64(k, numbers[i].name, numbers[i].value, err) < 0)
            return -1;
    if (put_nodes(k, console, sizeof console / sizeof console[0], err) < 0 ||
        make_node(k, k->dom, "console/tty", 'r', err) < 0)
        return -1;
    for (uint32_t i = 0; i < spec->vcpus; i++) {
        char name[48];
        snprintf(name, sizeof name, "cpu/%u/availability", i);
        if (put_node(k, k->dom, name, cv_spec_vcpu_online(spec, i) ? "online" : "offline", err) < 0)
            return -1;
    }
    return 0;
}

int xen_skeleton_write(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, uint32_t store_port,
                       uint32_t console_port, struct cv_error *err)
{
    struct skeleton k;

    paths(&k, x, domid, spec->uuid);
    for (;;) {
        k.t = xs_transaction_start(x->xs);
        if (k.t == XBT_NULL)
            return xen_fail(x, err, "xenstore: start a transaction");
        /* A former domain of this number may have left nodes behind. */
        xs_rm(x->xs, k.t, k.dom);
        xs_rm(x->xs, k.t, k.vm);
        xs_rm(x->xs, k.t, k.libxl);
        xs_rm(x->xs, k.t, k.dm);
        if (make_tree(&k, spec->pvh, err) < 0 || put_identity(&k, spec, err) < 0 || put_platform(&k, spec, err) < 0 ||
            put_resources(&k, spec, store_port, console_port, err) < 0) {
            xs_transaction_end(x->xs, k.t, true);
            return -1;
        }
        if (xs_transaction_end(x->xs, k.t, false))
            return 0;
        if (errno != EAGAIN)
            return xen_fail(x, err, "xenstore: commit the nodes of domain %u", domid);
    }
}

struct namesake {
    uint32_t domid;
    uuid_t uuid;
    bool any;
};

static int is_namesake(void *user, const struct cv_domain_info *d)
{
    struct namesake *n = user;

    n->any = d->domid != n->domid && !d->dying && memcmp(d->uuid, n->uuid, sizeof d->uuid) == 0;
    return n->any;
}

/* A guest that moved within this host has the nodes of its uuid from now on. */
static bool belongs_to_another(struct xen_host *x, uint32_t domid, const char *vm)
{
    struct namesake n = { .domid = domid };

    return uuid_parse(vm + strlen("/vm/"), n.uuid) == 0 && xen_list(&x->base, is_namesake, &n, NULL) == 0 && n.any;
}

int xen_skeleton_remove(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];
    unsigned int n;
    int rc = 0;

    snprintf(path, sizeof path, "/local/domain/%u/vm", domid);
    CV_AUTO_FREE char *vm = xs_read(x->xs, XBT_NULL, path, &n);
    if (vm != NULL && strncmp(vm, "/vm/", 4) == 0 && !belongs_to_another(x, domid, vm))
        rc |= xen_xs_remove(&x->base, vm, cv_if_first(err, rc));
    static const char *const trees[] = { "/local/domain", "/libxl", "/local/domain/0/device-model",
                                         "/local/domain/0/dms" };
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        snprintf(path, sizeof path, "%s/%u", trees[i], domid);
        rc |= xen_xs_remove(&x->base, path, cv_if_first(err, rc));
    }
    return rc != 0 ? -1 : 0;
}

int xen_ports(struct xen_host *x, uint32_t domid, uint32_t *store_port, uint32_t *console_port, struct cv_error *err)
{
    static const char *const names[2] = { "store/port", "console/port" };
    uint32_t *out[2] = { store_port, console_port };

    for (int i = 0; i < 2; i++) {
        char path[XEN_XS_PATH_MAX];
        unsigned int n;
        snprintf(path, sizeof path, "/local/domain/%u/%s", domid, names[i]);
        CV_AUTO_FREE char *value = xs_read(x->xs, XBT_NULL, path, &n);
        if (value == NULL)
            return xen_fail(x, err, "xenstore: read %s", path);
        *out[i] = (uint32_t)strtoul(value, NULL, 10);
    }
    return 0;
}

int xen_introduce_rings(struct xen_host *x, uint32_t domid, uint64_t store_gfn, uint64_t console_gfn,
                        struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];
    uint32_t store_port, console_port;

    if (xen_ports(x, domid, &store_port, &console_port, err) < 0)
        return -1;
    snprintf(path, sizeof path, "/local/domain/%u/store/ring-ref", domid);
    if (xen_xs_printf(x, XBT_NULL, err, path, "%llu", (unsigned long long)store_gfn) < 0)
        return -1;
    if (console_gfn != 0) {
        snprintf(path, sizeof path, "/local/domain/%u/console/ring-ref", domid);
        if (xen_xs_printf(x, XBT_NULL, err, path, "%llu", (unsigned long long)console_gfn) < 0)
            return -1;
    }
    if (!xs_introduce_domain(x->xs, domid, store_gfn, store_port))
        return xen_fail(x, err, "cannot introduce domain %u to xenstored", domid);
    return 0;
}
