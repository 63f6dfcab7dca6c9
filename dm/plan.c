/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/plan.h"

#include <stdio.h>
#include <string.h>

/* QEMU gives the default emulator's devices their slots, the lowest first; the others' begin here. */
#define SLOTS_OF_THE_DEFAULT 0x0000ffffu
#define DIED "emulator_died="

const char *const cv_dm_died_words[3] = { "preserve", "destroy", "restart" };

static bool is_setting(const char *item) { return strncmp(item, DIED, strlen(DIED)) == 0; }

int cv_dm_plan_died(const struct cv_dm_args *a, enum cv_dm_died *out, struct cv_error *err)
{
    *out = CV_DM_DIED_PRESERVE;
    for (size_t i = 0; i < a->list.count; i++) {
        if (!is_setting(a->list.items[i]))
            continue;
        const char *word = a->list.items[i] + strlen(DIED);
        unsigned k = 0;
        while (k < 3 && strcmp(word, cv_dm_died_words[k]) != 0)
            k++;
        if (k == 3)
            return cv_fail(err, CV_E_INVALID, 0, "-convoy %.100s: is one of preserve, destroy, restart",
                           a->list.items[i]);
        *out = (enum cv_dm_died)k;
    }
    return 0;
}

/* ---- the configuration that says the same ---- */

/* What libxl's command line says of the devices, in the words of xl.cfg, so that the list is read, and everything
 * decided, by the code of convoy's own guests. */

struct text {
    struct cv_pool *pool;
    const char *s;
    struct cv_error *err;
    bool failed;
};

static void append(struct text *t, const char *fmt, ...) CV_PRINTF(2, 3);
static void append(struct text *t, const char *fmt, ...)
{
    char more[4096];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(more, sizeof more, fmt, ap);
    va_end(ap);
    if (!t->failed && (n < 0 || (size_t)n >= sizeof more)) {
        cv_fail(t->err, CV_E_INVALID, 0, "an argument is too long");
        t->failed = true;
    }
    if (!t->failed)
        t->s = cv_pool_printf(t->pool, "%s%s", t->s, more);
}

/* A quoted string of xl.cfg. */
static void put_quoted(struct text *t, const char *value)
{
    for (const char *p = value; *p != '\0' && !t->failed; p++) {
        if ((unsigned char)*p >= 0x20 && *p != 0x7f)
            continue;
        cv_fail(t->err, CV_E_INVALID, 0, "'%.60s' has control characters", value);
        t->failed = true;
    }
    append(t, "\"");
    while (*value != '\0' && !t->failed) {
        size_t n = strcspn(value, "\"\\");
        append(t, "%.*s", (int)n, value);
        value += n;
        if (*value != '\0')
            append(t, "\\%c", *value++);
    }
    append(t, "\"");
}

static const struct cv_dm_vif *vif_at(const struct cv_dm_args *a, unsigned n)
{
    for (unsigned i = 0; i < a->vif_count; i++)
        if (a->vifs[i].index == n && a->vifs[i].device_at != 0 && a->vifs[i].netdev_at != 0)
            return &a->vifs[i];
    return NULL;
}

/* A card's number is its place in xl's list, so what has no emulated half is there, too. */
static void put_vifs(struct text *t, const struct cv_dm_args *a)
{
    unsigned count = 0;

    for (unsigned i = 0; i < a->vif_count; i++)
        count = a->vifs[i].index + 1 > count ? a->vifs[i].index + 1 : count;
    append(t, "vif = [ ");
    for (unsigned n = 0; n < count; n++) {
        const struct cv_dm_vif *v = vif_at(a, n);
        const char *word =
            v == NULL ? "type=vif" : cv_pool_printf(t->pool, "type=ioemu,pv=0,mac=%s,model=%s", v->mac, v->model);
        put_quoted(t, word);
        append(t, ", ");
    }
    append(t, "]\n");
}

/* The name that the list has for the disk with this place: its first letters choose the controller. */
static const char *claimed_as(struct cv_pool *pool, const struct cv_dm_args *a, unsigned index)
{
    static const char *const prefixes[] = { "xvd", "hd", "sd" };

    for (size_t i = 0; i < a->list.count; i++)
        for (size_t k = 0; k < 3; k++) {
            const char *vdev = cv_pool_printf(pool, "%s%c", prefixes[k], (char)('a' + index));
            const char *at = is_setting(a->list.items[i]) ? NULL : strstr(a->list.items[i], vdev);
            if (at != NULL && (at == a->list.items[i] || strchr("=+", at[-1]) != NULL) &&
                strchr("+,", at[strlen(vdev)]) != NULL)
                return vdev;
        }
    return NULL;
}

static void put_disks(struct text *t, const struct cv_dm_args *a)
{
    append(t, "disk = [ ");
    for (unsigned i = 0; i < a->disk_count; i++) {
        const struct cv_dm_disk *d = &a->disks[i];
        const char *vdev = claimed_as(t->pool, a, d->index);
        if (vdev == NULL)
            continue;
        if (d->cdrom && !t->failed) {
            cv_fail(
                t->err, CV_E_UNSUPPORTED, 0,
                "-convoy: %s is a CD-ROM drive: leave it to the default emulator, where xl's cd-insert looks for it",
                vdev);
            t->failed = true;
        }
        put_quoted(t, cv_pool_printf(t->pool, "format=%s,vdev=%s,access=%s,pv=0%s,target=%s", d->format, vdev,
                                     d->readonly ? "ro" : "rw", vdev[0] == 'x' ? "" : ",model=ahci", d->path));
        append(t, ", ");
    }
    append(t, "]\n");
}

static const char *config_of(struct cv_dm_args *a, struct cv_error *err)
{
    struct text t = { .pool = &a->pool, .s = "", .err = err };
    unsigned long total = a->memory_mib + (strcmp(a->vga, "none") == 0 ? 0 : a->videoram_mib);

    append(&t, "type = \"hvm\"\nname = \"%s\"\nmemory = %lu\nvcpus = %u\nmaxvcpus = %u\nserial = \"null\"\n",
           *cv_config_name_refusal(a->name) ? "guest" : a->name, total, a->vcpus, a->maxvcpus);
    append(&t, "vga = \"%s\"\n", a->vga);
    if (strcmp(a->vga, "none") != 0)
        append(&t, "videoram = %u\n", a->videoram_mib);
    put_vifs(&t, a);
    put_disks(&t, a);
    append(&t, "device_models = [ ");
    for (size_t i = 0; i < a->list.count; i++) {
        if (is_setting(a->list.items[i]))
            continue;
        put_quoted(&t, a->list.items[i]);
        append(&t, ", ");
    }
    append(&t, "]\n");
    return t.failed || cv_pool_check(&a->pool, err) < 0 ? NULL : t.s;
}

/* ---- the default emulator's arguments ---- */

struct drops {
    bool value[CV_DM_ARGS_MAX]; /* of this place in argv, with the option in front of it */
};

static void drop(struct drops *d, size_t at) { d->value[at] = true; }

/* What an emulator of l other than the default one owns. */
static int drop_moved(struct drops *d, const struct cv_dm_args *a, const struct cv_layout_dm *dm, struct cv_error *err)
{
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        bool found = dev->kind != CV_DEV_VIF && (dev->kind != CV_DEV_DISK || *dev->vdev == '\0');
        const struct cv_dm_vif *v = dev->kind == CV_DEV_VIF ? vif_at(a, dev->vif_index) : NULL;
        if (v != NULL) {
            drop(d, v->device_at);
            drop(d, v->netdev_at);
            found = true;
        }
        for (unsigned k = 0; k < a->disk_count && dev->kind == CV_DEV_DISK && *dev->vdev != '\0'; k++)
            if (dev->vdev[strlen(dev->vdev) - 1] == (char)('a' + a->disks[k].index)) {
                drop(d, a->disks[k].drive_at);
                found = true;
            }
        if (!found)
            return cv_fail(err, CV_E_INVALID, 0,
                           "emulator %u '%s' owns %s, and this guest's command line has no such device", dm->dmid,
                           dm->name, dev->id);
    }
    return 0;
}

static bool is_no_option(const struct cv_dm_args *a, int i, const char *option)
{
    return i == 0 || strcmp(a->argv[i - 1], option) != 0;
}

/* In libxl's order, which decides about PCI addresses.  Monitors become one, of ours; -incoming, -m and -S are said by
 * who starts it. */
static void write_default(const struct cv_dm_args *a, const struct drops *d, struct cv_layout *l)
{
    struct cv_layout_dm *dm = &l->dms[0];
    struct cv_strings *argv = &dm->argv;
    bool cards = false, net = false;

    *argv = (struct cv_strings){ 0 };
    cv_strings_add(&l->pool, argv, dm->model);
    cv_strings_add(&l->pool, argv, "-S");
    cv_strings_add(&l->pool, argv, "-chardev");
    cv_strings_add(&l->pool, argv, "socket,id=convoy,fd=@{qmp-fd},server=on,wait=off");
    cv_strings_add(&l->pool, argv, "-mon");
    cv_strings_add(&l->pool, argv, "chardev=convoy,mode=control");
    for (int i = 1; i < a->argc; i++) {
        if (i + 1 < a->argc && (d->value[i + 1] || strcmp(a->argv[i], "-convoy") == 0)) {
            i++;
            continue;
        }
        if (strcmp(a->argv[i], "-S") == 0 && is_no_option(a, i, "-name"))
            continue;
        cards = cards || (strcmp(a->argv[i], "-netdev") == 0 && is_no_option(a, i, "-name"));
        net = net || strcmp(a->argv[i], "-net") == 0;
        if ((size_t)i == a->memory_at)
            cv_strings_addf(&l->pool, argv, "%llu", (unsigned long long)(dm->m_kib >> 10));
        else
            cv_strings_add(&l->pool, argv, cv_pool_string(&l->pool, a->argv[i]));
    }
    /* as libxl says it where there are none: QEMU makes no card of its own */
    if (!cards && !net) {
        cv_strings_add(&l->pool, argv, "-net");
        cv_strings_add(&l->pool, argv, "none");
    }
}

static int default_arguments(const struct cv_dm_args *a, struct cv_layout *l, struct cv_error *err)
{
    struct drops d = { .value = { false } };

    for (unsigned i = 0; i < a->socket_count; i++) {
        drop(&d, a->sockets[i].chardev_at);
        if (a->sockets[i].mon_at != 0)
            drop(&d, a->sockets[i].mon_at);
    }
    if (a->incoming_at != 0)
        drop(&d, a->incoming_at);
    for (unsigned i = 1; i < l->count; i++)
        if (drop_moved(&d, a, &l->dms[i], err) < 0)
            return -1;
    write_default(a, &d, l);
    return cv_pool_check(&l->pool, err);
}

/* Bridge and name are the toolstack's business: its hotplug script looks for the TAP and attaches it. */
static void leave_bridges(const struct cv_dm_args *a, struct cv_layout *l)
{
    for (unsigned i = 1; i < l->count; i++)
        for (unsigned k = 0; k < l->dms[i].device_count; k++) {
            struct cv_layout_device *dev = &l->dms[i].devices[k];
            const struct cv_dm_vif *v = dev->kind == CV_DEV_VIF ? vif_at(a, dev->vif_index) : NULL;
            char usual[40];
            if (v == NULL)
                continue;
            dev->bridge = "";
            snprintf(usual, sizeof usual, "vif%u.%u-emu", a->domid, v->index);
            if (strcmp(usual, v->ifname) != 0)
                dev->ifname = cv_pool_string(&l->pool, v->ifname);
        }
}

static int check_arguments(const struct cv_dm_args *a, struct cv_error *err)
{
    if (a->memory_at == 0)
        return cv_fail(err, CV_E_INVALID, 0, "there is no -m on this guest's command line");
    if (a->restricted)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "dm_restrict is not supported with several emulators: the others are restricted anyway, the "
                       "default one is not");
    return 0;
}

int cv_dm_plan(struct cv_dm_args *a, const struct cv_layout_host *host, struct cv_layout *out, struct cv_error *err)
{
    struct cv_layout_host mine = *host;
    struct cv_guest_config c;

    if (check_arguments(a, err) < 0)
        return -1;
    const char *text = config_of(a, err);
    if (text == NULL || cv_guest_config_parse(text, strlen(text), "-convoy", &c, err) < 0)
        return -1;
    mine.default_slots = SLOTS_OF_THE_DEFAULT;
    int rc = cv_layout_decide(&c, &mine, out, err);
    cv_guest_config_dispose(&c);
    if (rc < 0)
        return -1;
    for (unsigned i = 1; i < out->count && rc == 0; i++)
        if (out->dms[i].role == CV_DM_ATTACHED)
            rc = cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator %u '%s': attached emulators are not supported here", i,
                         out->dms[i].name);
    out->dms[0].device_count = 0; /* asked of the emulator when it is there */
    leave_bridges(a, out);
    if (rc == 0)
        rc = default_arguments(a, out, err);
    if (rc == 0)
        return 0;
    cv_layout_dispose(out);
    return -1;
}

int cv_dm_plan_again(struct cv_dm_args *a, struct cv_layout *l, struct cv_error *err)
{
    if (check_arguments(a, err) < 0)
        return -1;
    if ((uint64_t)a->memory_mib << 10 != l->dms[0].m_kib)
        return cv_fail(err, CV_E_INVALID, 0, "its state is of a guest with -m %llu, this one has -m %lu",
                       (unsigned long long)(l->dms[0].m_kib >> 10), a->memory_mib);
    return default_arguments(a, l, err);
}
