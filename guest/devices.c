/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/devices.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulators/paths.h"
#include "libxl-json/config.h"

/* QEMU opens the file that it is told, follows the link, and finds no such folder. */
#define GUARD "/nonexistent/xl-cannot-save-this-guest--use-convoy-save"

int cv_guest_devices_plan(struct cv_guest *g, const struct cv_guest_config *c, struct cv_error *err)
{
    struct cv_host_facts f;
    char *text;

    if (g->host->ops->facts(g->host, &f, err) < 0 ||
        cv_libxl_config(c, &g->spec, &g->layout, f.version_minor, CV_LIBXL_PV, &text, err) < 0)
        return -1;
    free(g->devices);
    g->devices = text;
    return 0;
}

/* What now has of each kind takes the place of what g->devices has. */
static int take_devices(struct cv_guest *g, const char *now, struct cv_error *err)
{
    static const char *const kinds[] = { "disks", "nics" };
    json_t *o = json_loads(g->devices, 0, NULL), *n = json_loads(now, 0, NULL);
    int bad = !json_is_object(o) || !json_is_object(n);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !bad; i++) {
        json_t *list = json_object_get(n, kinds[i]);
        bad |= list != NULL && json_object_set(o, kinds[i], list) != 0;
    }
    char *text = bad ? NULL : json_dumps(o, JSON_INDENT(4));
    json_decref(o);
    json_decref(n);
    if (text == NULL)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "libxl's record of the guest's devices is not understood");
    free(g->devices);
    g->devices = text;
    return 0;
}

int cv_guest_devices_again(struct cv_guest *g, const char *now, struct cv_error *err)
{
    struct cv_guest_config c;

    if (cv_guest_config_parse(g->config_text, strlen(g->config_text), "config", &c, err) < 0)
        return -1;
    /* One that the text does not name is made up anew each time, and it is this guest's. */
    memcpy(c.uuid, g->spec.uuid, sizeof c.uuid);
    int rc = cv_guest_devices_plan(g, &c, err);
    cv_guest_config_dispose(&c);
    return rc < 0 || now == NULL ? rc : take_devices(g, now, err);
}

/* What is in a CD-ROM drive is what its emulator says (g->layout): a disc that was changed behind libxl's back has not
 * changed libxl's record, and the file that the record names may be gone. */
static bool set_disc(json_t *disk, const struct cv_layout_device *dev)
{
    const char *was = json_string_value(json_object_get(disk, "pdev_path"));

    if (strcmp(was != NULL ? was : "", dev->path) == 0)
        return false;
    if (*dev->path != '\0')
        json_object_set_new(disk, "pdev_path", json_string(dev->path));
    else
        json_object_del(disk, "pdev_path");
    json_object_set_new(disk, "format", json_string(*dev->path != '\0' ? dev->format : "empty"));
    return true;
}

static bool set_discs(const struct cv_layout_dm *dm, json_t *disks)
{
    bool changed = false;
    size_t i;
    json_t *disk;

    json_array_foreach(disks, i, disk) for (unsigned k = 0; k < dm->device_count; k++)
    {
        const struct cv_layout_device *dev = &dm->devices[k];
        const char *vdev = json_string_value(json_object_get(disk, "vdev"));
        if (dev->kind == CV_DEV_DISK && dev->cdrom && vdev != NULL && strcmp(vdev, dev->vdev) == 0)
            changed = set_disc(disk, dev) || changed;
    }
    return changed;
}

static int take_discs(struct cv_guest *g, struct cv_error *err)
{
    json_t *o = g->devices != NULL && g->layout.count > 0 ? json_loads(g->devices, 0, NULL) : NULL;
    bool changed = set_discs(&g->layout.dms[0], json_object_get(o, "disks"));
    char *text = changed ? json_dumps(o, JSON_INDENT(4)) : NULL;

    json_decref(o);
    if (!changed)
        return 0;
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the list of PV devices");
    free(g->devices);
    g->devices = text;
    return 0;
}

int cv_guest_devices_read(struct cv_guest *g, struct cv_error *err)
{
    char *text;

    /* libxl asks the QEMU that it has started, and its one socket may be ours by now. */
    if (g->adopted)
        return take_discs(g, err);
    if (g->host->ops->devices_now(g->host, g->domid, &text, err) < 0)
        return -1;
    /* libxl ends it with a newline, and a record holds an object and nothing else */
    for (size_t len = text != NULL ? strlen(text) : 0; len > 0 && strchr(" \n\t", text[len - 1]) != NULL; len--)
        text[len - 1] = '\0';
    free(g->devices);
    g->devices = text;
    return take_discs(g, err);
}

/* ---- the guard against xl save ----------------------------------------------------------------------------------- */

static const char *guard_path(struct cv_host *host, uint32_t domid, char *buf, size_t size)
{
    const char *lib = host->dirs->lib ? host->dirs->lib : CV_LIB_DIR;

    snprintf(buf, size, "%.200s/qemu-save.%u", lib, domid); /* libxl's name for it */
    return buf;
}

void cv_guest_unguard(struct cv_host *host, uint32_t domid)
{
    char path[256], target[sizeof GUARD + 1];
    ssize_t n = readlink(guard_path(host, domid, path, sizeof path), target, sizeof target);

    if (n == (ssize_t)strlen(GUARD) && memcmp(target, GUARD, (size_t)n) == 0)
        unlink(path);
}

/* Would an image of xl's be one that xl can restore?  Its QEMU is started from what libxl knows: each emulated disk and
 * card has to be among that. */
static bool fits_xl(const struct cv_guest *g, const struct cv_guest_config *c)
{
    if (!g->spec.pvh && cv_libxl_check_layout(c, &g->layout, NULL) < 0)
        return false;
    json_t *o = g->devices != NULL ? json_loads(g->devices, 0, NULL) : NULL;
    bool all = json_array_size(json_object_get(o, "disks")) >= c->disk_count &&
               json_array_size(json_object_get(o, "nics")) >= c->vif_count;
    json_decref(o);
    return all;
}

static int guard(const struct cv_guest *g, const struct cv_guest_config *c, struct cv_error *err)
{
    char path[256];

    if (c != NULL && fits_xl(g, c))
        return 0;
    guard_path(g->host, g->domid, path, sizeof path);
    if (unlink(path) < 0 && errno != ENOENT)
        return cv_fail(err, CV_E_IO, errno, "remove %s", path);
    if (symlink(GUARD, path) < 0)
        return cv_fail(err, CV_E_IO, errno, "make %s, which keeps xl from saving half of the guest", path);
    return 0;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

/* An image without a word of PV devices: libxl is to know the domain all the same. */
static int plan_none(struct cv_guest *g, struct cv_guest_config *c, struct cv_error *err)
{
    for (unsigned i = 0; i < c->disk_count; i++)
        c->disks[i].pv = false;
    for (unsigned i = 0; i < c->vif_count; i++)
        c->vifs[i].pv = false;
    return cv_guest_devices_plan(g, c, err);
}

int cv_guest_devices_add(struct cv_guest *g, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_guest_config c;
    int rc = 0;

    bool known = cv_guest_config_parse(g->config_text, strlen(g->config_text), "config", &c, &e) == 0;
    if (g->devices == NULL && known)
        rc = plan_none(g, &c, err);
    else if (g->devices == NULL)
        cv_log(g->sink, CV_LOG_WARN, "xl will not know the guest: %s", e.text);
    if (rc == 0 && g->devices != NULL)
        rc = g->host->ops->devices_add(g->host, g->domid, g->devices, cancel, err);
    if (rc == 0)
        rc = guard(g, known ? &c : NULL, err);
    if (known)
        cv_guest_config_dispose(&c);
    return rc;
}

/* ---- reading the text -------------------------------------------------------------------------------------------- */

static const char *text_of(json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static bool is_set(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return json_is_true(v) || json_integer_value(v) != 0;
}

static bool in_another_domain(json_t *o)
{
    return *text_of(o, "backend_domname") != '\0' || json_integer_value(json_object_get(o, "backend_domid")) != 0;
}

static int walk_disks(json_t *list, int (*disk)(void *, const struct cv_pv_disk *, struct cv_error *), void *user,
                      struct cv_error *err)
{
    size_t i;
    json_t *o;

    json_array_foreach(list, i, o)
    {
        struct cv_pv_disk d = { .vdev = text_of(o, "vdev"),
                                .path = text_of(o, "pdev_path"),
                                .format = text_of(o, "format"),
                                .readonly = !is_set(o, "readwrite"),
                                .raw = strcmp(text_of(o, "format"), "raw") == 0,
                                .elsewhere = *text_of(o, "script") != '\0' || in_another_domain(o) };
        if (*d.path != '\0' && disk(user, &d, err) != 0)
            return -1;
    }
    return 0;
}

static bool uses_bridge(json_t *o)
{
    const char *script = text_of(o, "script"), *base = strrchr(script, '/') ? strrchr(script, '/') + 1 : script;

    return !in_another_domain(o) && (*base == '\0' || strcmp(base, "vif-bridge") == 0) && *text_of(o, "bridge") != '\0';
}

static int walk_nics(json_t *list, int (*bridge)(void *, const char *, struct cv_error *), void *user,
                     struct cv_error *err)
{
    size_t i;
    json_t *o;

    json_array_foreach(list, i, o) if (uses_bridge(o) && bridge(user, text_of(o, "bridge"), err) != 0) return -1;
    return 0;
}

int cv_devices_walk(const char *devices, int (*disk)(void *user, const struct cv_pv_disk *d, struct cv_error *err),
                    int (*bridge)(void *user, const char *name, struct cv_error *err), void *user, struct cv_error *err)
{
    if (devices == NULL)
        return 0;
    json_t *o = json_loads(devices, 0, NULL);
    if (o == NULL)
        return cv_fail(err, CV_E_STREAM, 0, "the list of PV devices is no JSON");
    int rc = walk_disks(json_object_get(o, "disks"), disk, user, err);
    if (rc == 0 && bridge != NULL)
        rc = walk_nics(json_object_get(o, "nics"), bridge, user, err);
    json_decref(o);
    return rc;
}

int cv_devices_move_disk(char **devices, const char *vdev, const char *path, unsigned *found, struct cv_error *err)
{
    json_t *o = *devices != NULL ? json_loads(*devices, 0, NULL) : NULL, *disk;
    unsigned moved = 0;
    size_t i;

    if (o == NULL)
        return *devices != NULL ? cv_fail(err, CV_E_STREAM, 0, "the list of PV devices is no JSON") : 0;
    json_array_foreach(json_object_get(o, "disks"), i, disk)
    {
        if (strcmp(text_of(disk, "vdev"), vdev) == 0 && json_object_set_new(disk, "pdev_path", json_string(path)) == 0)
            moved++;
    }
    char *text = moved > 0 ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (moved > 0 && text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the list of PV devices");
    if (text != NULL) {
        free(*devices);
        *devices = text;
    }
    *found += moved;
    return 0;
}
