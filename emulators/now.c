/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The questions, and their answers made comparable. */
#include "emulators/now.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulators/op.h"
#include "layout/decide.h"

#define PATH_BYTES 4096

struct look {
    const struct cv_layout *l;
    struct cv_now *now;
    unsigned wanted[CV_DM_MAX]; /* bits of queries[] */
    unsigned asked[CV_DM_MAX];  /* index of the one that is under way */
    json_t *blocks[CV_DM_MAX];  /* query-block's answer, until query-fdsets' is there */
};

void cv_now_dispose(struct cv_now *now)
{
    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        json_decref(now->cpus[i]);
        json_decref(now->disks[i]);
        json_decref(now->devices[i]);
        json_decref(now->unnamed[i]);
    }
    *now = (struct cv_now){ 0 };
}

/* ---- vCPUs ---- */

static long long prop(const json_t *cpu, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(cpu, "props"), name));
}

/* QEMU lists them in an order of its own; a vCPU's index follows from its place. */
static int by_place(const void *a, const void *b)
{
    static const char *const names[] = { "node-id", "socket-id", "die-id", "core-id", "thread-id" };
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (prop(x, names[i]) != prop(y, names[i]))
            return prop(x, names[i]) < prop(y, names[i]) ? -1 : 1;
    return 0;
}

static int take_cpus(struct look *k, struct cv_emu *emu, struct cv_error *err)
{
    size_t n = json_array_size(emu->qmp->reply);
    json_t **list = calloc(n + 1, sizeof *list), *out = k->now->cpus[emu->dmid] = json_array();
    int rc = list == NULL || out == NULL ? cv_fail(err, CV_E_NOMEM, 0, "no memory for %zu vCPUs", n) : 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        list[i] = json_array_get(emu->qmp->reply, i);
    if (rc == 0)
        qsort(list, n, sizeof *list, by_place);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *type = json_string_value(json_object_get(list[i], "type"));
        json_t *props = json_object_get(list[i], "props");
        if (type == NULL || !json_is_object(props) ||
            json_array_append_new(out, json_pack("{s:s, s:O, s:b}", "type", type, "props", props, "plugged",
                                                 json_object_get(list[i], "qom-path") != NULL)) < 0)
            rc = cv_fail(err, CV_E_EMULATOR, 0, "query-hotpluggable-cpus: its answer is not understood");
    }
    free(list);
    return rc;
}

/* ---- disks ---- */

/* Its number of a descriptor of that set; -1: there is none. */
static long long fd_of_set(const json_t *sets, long long id)
{
    size_t i;
    const json_t *set;

    json_array_foreach(sets, i, set) if (json_integer_value(json_object_get(set, "fdset-id")) == id)
    {
        const json_t *fd = json_object_get(json_array_get(json_object_get(set, "fds"), 0), "fd");
        return json_is_integer(fd) ? json_integer_value(fd) : -1;
    }
    return -1;
}

/* Is it the drive's id, of convoy's or, of a CD-ROM drive, of libxl's?  (cv_disk_drive_id) */
static bool is_drive_of(const struct cv_layout_device *dev, const char *device)
{
    struct cv_pool pool = { 0 };
    bool is = (strncmp(device, "drive-", 6) == 0 && strcmp(device + 6, dev->vdev) == 0) ||
              strcmp(cv_disk_drive_id(&pool, dev), device) == 0;

    cv_pool_dispose(&pool);
    return is;
}

static const struct cv_layout_device *disk_of(const struct cv_layout_dm *dm, const char *device, const char *qdev)
{
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        if (dev->kind == CV_DEV_DISK && (strcmp(dev->id, qdev) == 0 || is_drive_of(dev, device)))
            return dev;
    }
    return NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
        return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The file behind one of the emulator's descriptors, under a name by which it can be opened again: wanted if that is
 * it. */
static int path_of_fd(const struct cv_emu *emu, long long fd, const char *wanted, char *path, size_t size,
                      struct cv_error *err)
{
    char link[64];
    struct stat open_file, named;

    snprintf(link, sizeof link, "/proc/%d/fd/%lld", (int)emu->pid, fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n < 0 || stat(link, &open_file) < 0)
        return cv_fail(err, CV_E_EMULATOR, errno, "cannot see the file behind its descriptor %lld", fd);
    path[n] = '\0';
    if (*wanted != '\0' && stat(wanted, &named) == 0 && same_file(&open_file, &named)) {
        snprintf(path, size, "%s", wanted);
        return 0;
    }
    if (stat(path, &named) == 0 && same_file(&open_file, &named))
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0,
                   "the file of its medium is not there any more (%s): eject it, or put the file back", path);
}

/* A name that xl was given as seen from a folder: is there such a file where the emulator is? */
static bool beside(pid_t pid, const char *file, char *path, size_t size)
{
    char link[40];
    struct stat st;

    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(link, path, size - 1);
    if (n == 1) /* the root, which has its slash already */
        n = 0;
    return n >= 0 && (size_t)snprintf(path + n, size - (size_t)n, "/%s", file) < size - (size_t)n &&
           stat(path, &st) == 0;
}

static int path_of(const struct look *k, struct cv_emu *emu, const char *file, const struct cv_layout_device *dev,
                   char *path, size_t size, struct cv_error *err)
{
    long long set;
    int end = 0;

    (void)k;
    if (sscanf(file, "/dev/fdset/%lld%n", &set, &end) == 1 && file[end] == '\0') {
        long long fd = fd_of_set(emu->qmp->reply, set);
        if (fd < 0 || emu->pid == 0)
            return cv_fail(err, CV_E_EMULATOR, 0, "its file %s is of a set that query-fdsets does not list", file);
        return path_of_fd(emu, fd, dev != NULL ? dev->path : "", path, size, err);
    }
    if (*file != '/' && emu->pid != 0 && beside(emu->pid, file, path, size))
        return 0;
    if (*file != '/')
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "its medium '%.200s' is no file that a restored one could be given",
                       file);
    snprintf(path, size, "%s", file);
    return 0;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static int take_disk(struct look *k, struct cv_emu *emu, const json_t *b, struct cv_error *err)
{
    const char *device = text_of(b, "device"), *qdev = text_of(b, "qdev");
    const struct cv_layout_device *dev = disk_of(&k->l->dms[emu->dmid], device, qdev);
    const json_t *inserted = json_object_get(b, "inserted");
    char path[PATH_BYTES] = "";

    if (inserted != NULL && dev != NULL && path_of(k, emu, text_of(inserted, "file"), dev, path, sizeof path, err) < 0)
        return cv_context(err, "disk %s", dev->vdev);
    json_t *o = json_pack("{s:s, s:s, s:b}", "device", device, "qdev", dev != NULL ? dev->id : qdev, "removable",
                          json_is_true(json_object_get(b, "removable")));
    int bad = json_array_append_new(k->now->disks[emu->dmid], o);
    if (*path != '\0')
        bad |= json_object_set_new(o, "path", json_string(path)) |
               json_object_set_new(o, "format", json_string(text_of(inserted, "drv")));
    return bad ? cv_fail(err, CV_E_UNSUPPORTED, 0, "disk '%.60s': a name that is not UTF-8", qdev) : 0;
}

static int take_blocks(struct look *k, struct cv_emu *emu, struct cv_error *err)
{
    if (!json_is_array(emu->qmp->reply))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-block: no list in its answer");
    k->blocks[emu->dmid] = json_incref(emu->qmp->reply);
    return 0;
}

static int take_fdsets(struct look *k, struct cv_emu *emu, struct cv_error *err)
{
    size_t i;
    const json_t *b;

    if (!json_is_array(emu->qmp->reply))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-fdsets: no list in its answer");
    k->now->disks[emu->dmid] = json_array();
    json_array_foreach(k->blocks[emu->dmid], i, b) if (take_disk(k, emu, b, err) < 0) return -1;
    return 0;
}

/* ---- devices ---- */

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len >= n && memcmp(text + len - n, end, n) == 0;
}

/* Children of one of QEMU's two folders of devices: "child<TYPE>"; vCPUs are left out. */
static int take_children(json_t *out, const json_t *reply, bool named, struct cv_error *err)
{
    size_t i;
    const json_t *o;

    if (!json_is_array(reply) || out == NULL)
        return cv_fail(err, CV_E_EMULATOR, 0, "qom-list: no list in its answer");
    json_array_foreach(reply, i, o)
    {
        const char *type = text_of(o, "type");
        if (strncmp(type, "child<", 6) != 0)
            continue;
        size_t len = strcspn(type += 6, ">");
        if (ends_with(type, len, "-cpu"))
            continue;
        if (json_array_append_new(out, named ? json_sprintf("%s %.*s", text_of(o, "name"), (int)len, type)
                                             : json_sprintf("%.*s", (int)len, type)) < 0)
            return cv_fail(err, CV_E_NOMEM, 0, "no memory for its devices");
    }
    return 0;
}

static int take_named(struct look *k, struct cv_emu *emu, struct cv_error *err)
{
    return take_children(k->now->devices[emu->dmid] = json_array(), emu->qmp->reply, true, err);
}

static int take_unnamed(struct look *k, struct cv_emu *emu, struct cv_error *err)
{
    return take_children(k->now->unnamed[emu->dmid] = json_array(), emu->qmp->reply, false, err);
}

/* ---- asking ---- */

static const struct query {
    const char *command, *path;
    int (*take)(struct look *k, struct cv_emu *emu, struct cv_error *err);
} queries[] = {
    { "query-hotpluggable-cpus", NULL, take_cpus },
    { "query-block", NULL, take_blocks },
    { "query-fdsets", NULL, take_fdsets },
    { "qom-list", "/machine/peripheral", take_named },
    { "qom-list", "/machine/peripheral-anon", take_unnamed },
};
#define QUERIES (sizeof queries / sizeof queries[0])
enum { ASK_CPUS = 1, ASK_DISKS = 2 | 4, ASK_DEVICES = 8 | 16 };

static enum cv_op_step look_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct look *k = op->ctx;
    unsigned next = 0;

    if (step > 0) {
        if (queries[k->asked[emu->dmid]].take(k, emu, err) < 0)
            return CV_STEP_FAILED;
        next = k->asked[emu->dmid] + 1;
    }
    while (next < QUERIES && !(k->wanted[emu->dmid] >> next & 1))
        next++;
    if (next == QUERIES)
        return CV_STEP_DONE;
    k->asked[emu->dmid] = next;
    const struct query *q = &queries[next];
    return cv_op_send(emu, q->command, q->path ? json_pack("{s:s}", "path", q->path) : NULL, -1, err);
}

static unsigned wanted(const struct cv_layout *l, const struct cv_layout_dm *dm, enum cv_now_what what)
{
    unsigned mask = l->maxvcpus > 1 ? ASK_CPUS : 0;
    bool disk = false, disc = false;

    if (dm->role == CV_DM_ATTACHED || cv_layout_is_backend(dm) || !cv_layout_is_qemu(dm))
        return 0;
    for (unsigned i = 0; i < dm->device_count; i++) {
        disk = disk || dm->devices[i].kind == CV_DEV_DISK;
        disc = disc || (dm->devices[i].kind == CV_DEV_DISK && dm->devices[i].cdrom);
    }
    if (what == CV_NOW_MEDIA)
        return mask | (disc ? ASK_DISKS : 0);
    return mask | (disk ? ASK_DISKS : 0) | ASK_DEVICES;
}

int cv_emuset_now(struct cv_emuset *set, const struct cv_layout *l, enum cv_now_what what, const struct cv_emu_wait *w,
                  struct cv_now *now_out, struct cv_error *err)
{
    struct look k = { .l = l, .now = now_out };
    struct cv_op op = { .name = "look", .step = look_step, .ctx = &k, .needs_connection = true };
    struct cv_emu_wait some = *w;

    some.mask = 0;
    for (unsigned i = 0; i < l->count; i++) {
        k.wanted[i] = wanted(l, &l->dms[i], what);
        some.mask |= k.wanted[i] != 0 ? 1u << i : 0;
    }
    int rc = some.mask != 0 ? cv_op_run(set, &op, &some, NULL, err) : 0;
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        json_decref(k.blocks[i]);
    if (rc < 0)
        cv_now_dispose(now_out);
    return rc;
}

static int changed(const struct cv_layout_dm *dm, const json_t *before, const json_t *later, const char *what,
                   struct cv_error *err)
{
    if (later == NULL || json_equal(before, later))
        return 0;
    return cv_fail(err, CV_E_BUSY, 0, "emulator %u '%s': its %s were changed in the meantime", dm->dmid, dm->name,
                   what);
}

int cv_now_compare(const struct cv_now *before, const struct cv_now *later, const struct cv_layout *l,
                   struct cv_error *err)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct cv_layout_dm *dm = &l->dms[i];
        if (changed(dm, before->cpus[i], later->cpus[i], "vCPUs", err) < 0 ||
            changed(dm, before->disks[i], later->disks[i], "disks", err) < 0 ||
            changed(dm, before->devices[i], later->devices[i], "devices", err) < 0)
            return -1;
    }
    return 0;
}
