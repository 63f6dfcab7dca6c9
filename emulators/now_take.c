/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout brought up to what the emulators have now: their templates of arguments are written anew. */
#include <stdio.h>
#include <string.h>

#include "emulators/now.h"
#include "layout/decide.h"

/* ---- vCPUs ---- */

static bool begins_with(const char *text, const char *word, char after)
{
    size_t n = strlen(word);

    return strncmp(text, word, n) == 0 && text[n] == after;
}

static bool is_vcpu(const json_t *cpus, const char *option, const char *value)
{
    const char *type = json_string_value(json_object_get(json_array_get(cpus, 0), "type"));

    return type != NULL && strcmp(option, "-device") == 0 && begins_with(value, type, ',');
}

static bool is_plugged(const json_t *cpus, size_t i)
{
    return json_is_true(json_object_get(json_array_get(cpus, i), "plugged"));
}

static void add_vcpu(struct cv_pool *pool, struct cv_strings *argv, const json_t *cpu)
{
    const char *text = json_string_value(json_object_get(cpu, "type")), *name;
    json_t *v;

    json_object_foreach(json_object_get(cpu, "props"), name, v) text =
        cv_pool_printf(pool, "%s,%s=%lld", text, name, (long long)json_integer_value(v));
    cv_strings_add(pool, argv, "-device");
    cv_strings_add(pool, argv, text);
}

/* Those that are there from the first one on are -smp's, the others are plugged as they were at run time. */
static void add_smp(struct cv_pool *pool, struct cv_strings *argv, const json_t *cpus, unsigned maxvcpus)
{
    size_t n = json_array_size(cpus), first = 0;

    while (first < n && is_plugged(cpus, first))
        first++;
    cv_strings_add(pool, argv, "-smp");
    cv_strings_addf(pool, argv, "%zu,maxcpus=%u", first, maxvcpus);
    for (size_t i = first; i < n; i++)
        if (is_plugged(cpus, i))
            add_vcpu(pool, argv, json_array_get(cpus, i));
}

static int take_vcpus(struct cv_layout *l, struct cv_layout_dm *dm, const json_t *cpus, struct cv_error *err)
{
    struct cv_strings argv = { 0 };
    unsigned count = 0;

    if (json_array_size(cpus) != l->maxvcpus)
        return cv_fail(err, CV_E_EMULATOR, 0, "it knows %zu vCPUs, and the guest may have %u", json_array_size(cpus),
                       l->maxvcpus);
    for (size_t i = 0; i < l->maxvcpus; i++)
        count += is_plugged(cpus, i);
    if (!is_plugged(cpus, 0))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "its first vCPU was unplugged");
    for (size_t i = 0; i < dm->argv.count; i++) {
        const char *arg = dm->argv.items[i], *next = i + 1 < dm->argv.count ? dm->argv.items[i + 1] : NULL;
        if (next != NULL && strcmp(arg, "-smp") == 0) {
            add_smp(&l->pool, &argv, cpus, l->maxvcpus);
            i++;
        } else if (next != NULL && is_vcpu(cpus, arg, next)) {
            i++; /* of an earlier time */
        } else {
            cv_strings_add(&l->pool, &argv, arg);
        }
    }
    dm->argv = argv;
    if (dm->role == CV_DM_DEFAULT)
        l->vcpus = count;
    return 0;
}

/* ---- discs ---- */

/* "ide-cd,id=disk-hdc[,drive=NAME],bus=ide.1,unit=0": NAME; "" if there is none: it is empty. */
static const char *drive_of(struct cv_pool *pool, const struct cv_layout_device *dev)
{
    const char *at = strstr(dev->arg, ",drive=");

    return at != NULL ? cv_pool_printf(pool, "%.*s", (int)strcspn(at + 7, ","), at + 7) : "";
}

/* The same with this drive, or without one (""). */
static const char *link_drive(struct cv_pool *pool, const struct cv_layout_device *dev, const char *was, const char *id)
{
    const char *before = *was ? cv_pool_printf(pool, ",drive=%s", was) : cv_pool_printf(pool, ",id=%s", dev->id);
    const char *keep = *was ? "" : before, *at = strstr(dev->arg, before);
    const char *link = *id ? cv_pool_printf(pool, ",drive=%s", id) : "";

    if (at == NULL)
        return dev->arg;
    return cv_pool_printf(pool, "%.*s%s%s%s", (int)(at - dev->arg), dev->arg, keep, link, at + strlen(before));
}

static void set_disc(struct cv_layout *l, struct cv_layout_dm *dm, struct cv_layout_device *dev, const char *path,
                     const char *format)
{
    struct cv_pool *pool = &l->pool;
    const char *was = drive_of(pool, dev), *drive = cv_pool_printf(pool, "if=none,id=%s", was), *arg = dev->arg;
    struct cv_strings argv = { 0 };

    dev->path = cv_pool_string(pool, path);
    if (*path)
        dev->format = cv_pool_string(pool, format);
    dev->arg = link_drive(pool, dev, was, *path ? cv_disk_drive_id(pool, dev) : "");
    for (size_t i = 0; i < dm->argv.count; i++) {
        const char *option = dm->argv.items[i], *value = i + 1 < dm->argv.count ? dm->argv.items[i + 1] : "";
        bool of_drive = strcmp(option, "-drive") == 0 && *was && begins_with(value, drive, ',');
        bool of_device = strcmp(option, "-device") == 0 && strcmp(value, arg) == 0;
        if (!of_drive && !of_device) {
            cv_strings_add(pool, &argv, option);
            continue;
        }
        i++;
        if (of_drive)
            continue;
        if (*path) {
            cv_strings_add(pool, &argv, "-drive");
            cv_strings_add(pool, &argv, cv_disk_drive(pool, dev));
        }
        cv_strings_add(pool, &argv, "-device");
        cv_strings_add(pool, &argv, dev->arg);
    }
    dm->argv = argv;
}

static const json_t *disk_named(const json_t *disks, const char *id)
{
    size_t i;
    const json_t *d;

    json_array_foreach(disks, i, d) if (strcmp(json_string_value(json_object_get(d, "qdev")), id) == 0) return d;
    return NULL;
}

static int take_disk(struct cv_layout *l, struct cv_layout_dm *dm, struct cv_layout_device *dev, const json_t *disks,
                     struct cv_error *err)
{
    const json_t *d = disk_named(disks, dev->id);
    const char *path = json_string_value(json_object_get(d, "path"));

    if (d == NULL)
        return 0; /* the guest's drivers have taken an emulated disk away: see missing() */
    path = path ? path : "";
    if (strcmp(path, dev->path) == 0)
        return 0;
    if (dev->cdrom) {
        set_disc(l, dm, dev, path, json_string_value(json_object_get(d, "format")));
        return 0;
    }
    if (*path == '\0')
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "disk %s: its image %s was taken away at run time", dev->vdev,
                       dev->path);
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "disk %s: its image is %s now, and not %s as it was made", dev->vdev, path,
                   dev->path);
}

/* ---- devices ---- */

/* Does an argument say id=NAME? */
static bool mentioned(const struct cv_strings *argv, const char *name, size_t len)
{
    for (size_t i = 0; i < argv->count; i++)
        for (const char *at = argv->items[i]; (at = strstr(at, "id=")) != NULL; at += 3)
            if (strncmp(at + 3, name, len) == 0 && (at[3 + len] == '\0' || at[3 + len] == ','))
                return true;
    return false;
}

static bool is_there(const json_t *devices, const char *id)
{
    size_t i;
    const json_t *o;

    json_array_foreach(devices, i, o) if (begins_with(json_string_value(o), id, ' ')) return true;
    return false;
}

bool cv_now_has_device(const struct cv_now *now, unsigned dmid, const char *id)
{
    return is_there(now->devices[dmid], id);
}

static size_t unnamed_arguments(const struct cv_strings *argv)
{
    size_t n = 0;

    for (size_t i = 0; i + 1 < argv->count; i++) {
        const char *option = argv->items[i], *value = argv->items[i + 1];
        n += (strcmp(option, "-device") == 0 && strstr(value, "id=") == NULL) ||
             (strcmp(option, "-drive") == 0 && strstr(value, "if=none") == NULL);
    }
    return n;
}

/* QEMU makes them when xenstore tells of them, and again when it does after a restore. */
static bool is_back_end(const char *type) { return strncmp(type, "xen-", 4) == 0 && strcmp(type, "xen-platform") != 0; }

/* adopted: the emulator that another toolstack started names its devices in its own way; which there are its PCI bus
 * says (cv_emuset_check_adopted). */
static int check_devices(const struct cv_layout_dm *dm, const struct cv_strings *adopted, const json_t *devices,
                         const json_t *unnamed, struct cv_error *err)
{
    const struct cv_strings *argv = adopted != NULL ? adopted : &dm->argv;
    size_t i;
    const json_t *o;

    json_array_foreach(devices, i, o)
    {
        const char *text = json_string_value(o);
        int len = (int)strcspn(text, " ");
        if (!mentioned(argv, text, (size_t)len) && !is_back_end(text + len + (text[len] == ' ')))
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "device '%.*s' (%s) was plugged at run time, and a restored emulator would not have it: "
                           "unplug it (device_del %.*s)",
                           len, text, text + len + 1, len, text);
    }
    size_t known = unnamed_arguments(argv);
    if (json_array_size(unnamed) > known)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "a device of type %s was plugged at run time, and a restored emulator would not have it: unplug "
                       "it",
                       json_string_value(json_array_get(unnamed, json_array_size(unnamed) - 1)));
    for (unsigned k = 0; adopted == NULL && k < dm->device_count; k++) {
        const struct cv_layout_device *dev = &dm->devices[k];
        if (*dev->id != '\0' && *dev->arg != '\0' && !cv_layout_may_unplug(dm, dev) && !is_there(devices, dev->id))
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "device '%s' (%s) was unplugged at run time, and a restored emulator would have it again",
                           dev->id, dev->driver);
    }
    return 0;
}

static int take_dm(const struct cv_now *now, struct cv_layout *l, struct cv_layout_dm *dm, struct cv_error *err)
{
    unsigned i = dm->dmid;

    if (now->devices[i] != NULL &&
        check_devices(dm, dm->dmid == 0 ? now->started_with : NULL, now->devices[i], now->unnamed[i], err) < 0)
        return -1;
    if (now->cpus[i] != NULL && take_vcpus(l, dm, now->cpus[i], err) < 0)
        return -1;
    for (unsigned k = 0; now->disks[i] != NULL && k < dm->device_count; k++)
        if (dm->devices[k].kind == CV_DEV_DISK && take_disk(l, dm, &dm->devices[k], now->disks[i], err) < 0)
            return -1;
    return 0;
}

int cv_now_take(const struct cv_now *now, struct cv_layout *l, struct cv_error *err)
{
    for (unsigned i = 0; i < l->count; i++)
        if (take_dm(now, l, &l->dms[i], err) < 0)
            return cv_context(err, "emulator %u '%s'", i, l->dms[i].name);
    return cv_pool_check(&l->pool, err);
}
