/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/adopted.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "emulators/op.h"

#define CMDLINE_MAX (1 << 20)

bool cv_guest_may_unplug(const struct cv_layout_dm *dm, const struct cv_layout_device *dev)
{
    return dm->role == CV_DM_DEFAULT && (dev->kind == CV_DEV_VIF || (dev->kind == CV_DEV_DISK && !dev->cdrom));
}

/* ---- its command line -------------------------------------------------------------------------------------------- */

int cv_emulator_arguments(int pid, struct cv_pool *pool, struct cv_strings *argv_out, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    char path[40];
    size_t len;

    *argv_out = (struct cv_strings){ 0 };
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    if (cv_file_read(path, CMDLINE_MAX, &text, &len, NULL) < 0 || len == 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "there is no process %d", pid);
    for (const char *p = text; p < text + len; p += strlen(p) + 1)
        cv_strings_add(pool, argv_out, cv_pool_string(pool, p));
    return cv_pool_check(pool, err);
}

static const char *value_of(const struct cv_strings *argv, const char *option)
{
    for (size_t i = 0; i + 1 < argv->count; i++)
        if (strcmp(argv->items[i], option) == 0)
            return argv->items[i + 1];
    return "";
}

int cv_emulator_check_arguments(const struct cv_strings *argv, const struct cv_layout *l, struct cv_error *err)
{
    const struct cv_layout_dm *dm = &l->dms[0];
    const char *machine = value_of(argv, "-machine"), *m = value_of(argv, "-m");
    size_t n = strcspn(machine, ",");

    if (strncmp(dm->machine, machine, n) != 0 || dm->machine[n] != ',')
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "its emulator's machine is '%.60s', and a restored one's would be '%s'", machine, dm->machine);
    if (strtoull(m, NULL, 10) != dm->m_kib / 1024)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "its emulator was started with -m %.20s, and a restored one would be with -m %" PRIu64, m,
                       dm->m_kib / 1024);
    return 0;
}

/* ---- what it has ------------------------------------------------------------------------------------------------- */

static const struct cv_layout_device *device_at(const struct cv_layout_dm *dm, uint16_t bdf)
{
    for (unsigned i = 0; i < dm->device_count; i++)
        if (dm->devices[i].bdf == bdf)
            return &dm->devices[i];
    return NULL;
}

static bool has_function(const json_t *devices, uint16_t bdf)
{
    size_t i;
    const json_t *f;

    json_array_foreach(devices, i, f) if (json_integer_value(json_object_get(f, "slot")) == bdf >> 3 &&
                                          json_integer_value(json_object_get(f, "function")) == (bdf & 7)) return true;
    return false;
}

static int check_functions(const struct cv_layout_dm *dm, const json_t *reply, struct cv_error *err)
{
    const json_t *devices = json_object_get(json_array_get(reply, 0), "devices"), *f;
    char text[12];
    size_t i;

    if (!json_is_array(devices))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-pci: no devices in its answer");
    json_array_foreach(devices, i, f)
    {
        unsigned slot = (unsigned)json_integer_value(json_object_get(f, "slot")) & 31,
                 fn = (unsigned)json_integer_value(json_object_get(f, "function")) & 7;
        const char *id = json_string_value(json_object_get(f, "qdev_id"));
        uint16_t bdf = (uint16_t)(slot << 3 | fn);
        /* the chipset's, and the platform device */
        if (slot > 2 && device_at(dm, bdf) == NULL)
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "has a device '%.60s' at %s, which a restored emulator would not have", id ? id : "",
                           cv_bdf_string(bdf, text, sizeof text));
    }
    for (unsigned k = 0; k < dm->device_count; k++) {
        const struct cv_layout_device *dev = &dm->devices[k];
        if (dev->bdf != CV_BDF_NONE && !cv_guest_may_unplug(dm, dev) && !has_function(devices, dev->bdf))
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "has no %s at %s, which a restored emulator would have",
                           dev->driver, cv_bdf_string(dev->bdf, text, sizeof text));
    }
    return 0;
}

static int check_block(const struct cv_layout_dm *dm, const char *line, struct cv_error *err)
{
    uint64_t offset, total;
    char name[256];

    if (sscanf(line, " %255s %*u %*s 0x%" SCNx64 " %*s 0x%" SCNx64, name, &offset, &total) != 3 ||
        strcmp(name, "xen.ram") == 0)
        return 0; /* a heading, or the guest's RAM */
    uint64_t gfn = offset >> 12, pages = (total + 4095) >> 12;
    if (gfn >= dm->window_gfn && gfn + pages <= dm->window_gfn + dm->window_pages)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0,
                   "has its RAM block %s at gfn 0x%" PRIx64 "+0x%" PRIx64 ", and a restored one would have it within "
                   "0x%" PRIx64 "+0x%" PRIx64,
                   name, gfn, pages, dm->window_gfn, dm->window_pages);
}

static int check_blocks(const struct cv_layout_dm *dm, const json_t *reply, struct cv_error *err)
{
    const char *text = json_string_value(reply);

    if (text == NULL || strstr(text, "xen.ram") == NULL)
        return cv_fail(err, CV_E_EMULATOR, 0, "info ramblock: no list of RAM blocks in its answer");
    while (*text) {
        char line[512];
        size_t n = strcspn(text, "\r\n");
        snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
        if (check_block(dm, line, err) < 0)
            return -1;
        text += n + (text[n] != '\0');
    }
    return 0;
}

static enum cv_op_step adopted_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    const struct cv_layout *l = op->ctx;
    const struct cv_layout_dm *dm = &l->dms[emu->dmid];

    if (step == 0)
        return cv_op_send(emu, "human-monitor-command", json_pack("{s:s}", "command-line", "info ramblock"), -1, err);
    if (step == 1)
        return check_blocks(dm, emu->qmp->reply, err) < 0 ? CV_STEP_FAILED
                                                          : cv_op_send(emu, "query-pci", NULL, -1, err);
    return check_functions(dm, emu->qmp->reply, err) < 0 ? CV_STEP_FAILED : CV_STEP_DONE;
}

int cv_emuset_check_adopted(struct cv_emuset *set, const struct cv_layout *l, const struct cv_emu_wait *w,
                            struct cv_error *err)
{
    struct cv_op op = { .name = "look", .step = adopted_step, .ctx = (void *)l, .needs_connection = true };
    struct cv_emu_wait only = *w;

    only.mask = 1;
    return cv_op_run(set, &op, &only, NULL, err);
}
