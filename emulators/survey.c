/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the emulators really have, against what the layout says: RAM blocks and PCI functions.  The layout decides, but
 * QEMU allocates; a block outside of its window would lie on the guest's RAM or on another emulator's block. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulators/op.h"
#include "emulators/set.h"

struct survey {
    struct cv_layout *l;
    struct cv_layout_region regions[CV_DM_MAX][CV_LAYOUT_REGIONS_MAX];
    unsigned count[CV_DM_MAX];
};

static int take_block(struct survey *s, unsigned dmid, const char *line, struct cv_error *err)
{
    char name[256];
    uint64_t offset, used, total;

    if (sscanf(line, " %255s %*u %*s 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, name, &offset, &used, &total) != 4)
        return 0; /* heading */
    if (strcmp(name, "xen.ram") == 0)
        return 0;
    if (s->count[dmid] == CV_LAYOUT_REGIONS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "has more than %d RAM blocks", CV_LAYOUT_REGIONS_MAX);
    struct cv_layout_region *r = &s->regions[dmid][s->count[dmid]++];
    *r = (struct cv_layout_region){
        .what = cv_pool_string(&s->l->pool, name), .gfn = offset >> 12, .pages = (total + 4095) >> 12, .digest = ""
    };
    return 0;
}

static int take_blocks(struct survey *s, struct cv_emu *emu, struct cv_error *err)
{
    const char *text = json_string_value(emu->qmp->reply);

    if (text == NULL || strstr(text, "xen.ram") == NULL)
        return cv_fail(err, CV_E_EMULATOR, 0, "info ramblock: no list of RAM blocks in its answer");
    while (*text) {
        char line[512];
        size_t n = strcspn(text, "\r\n");
        snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
        if (take_block(s, emu->dmid, line, err) < 0)
            return -1;
        text += n + (text[n] != '\0');
    }
    return 0;
}

/* The chipset of every machine, and the platform device, are known to be there. */
static bool of_the_machine(unsigned slot) { return slot <= 2; }

static int take_function(struct survey *s, struct cv_emu *emu, const json_t *f, struct cv_error *err)
{
    struct cv_layout_dm *dm = &s->l->dms[emu->dmid];
    json_int_t slot = json_integer_value(json_object_get(f, "slot")),
               fn = json_integer_value(json_object_get(f, "function"));
    const char *id = json_string_value(json_object_get(f, "qdev_id"));
    uint16_t bdf = (uint16_t)((slot & 31) << 3 | (fn & 7));

    if (of_the_machine((unsigned)slot & 31))
        return 0;
    for (unsigned i = 0; i < dm->device_count; i++)
        if (dm->devices[i].bdf == bdf)
            return 0;
    if (dm->device_count == CV_LAYOUT_DEVICES_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "has more than %d devices", CV_LAYOUT_DEVICES_MAX);
    /* brought along by an attached emulator, or by further arguments: it counts when addresses are compared */
    dm->devices[dm->device_count++] =
        (struct cv_layout_device){ .kind = CV_DEV_FOREIGN,
                                   .id = "",
                                   .driver = cv_pool_printf(&s->l->pool, "%.50s", id && *id ? id : "device"),
                                   .arg = "",
                                   .bdf = bdf,
                                   .vdev = "",
                                   .path = "",
                                   .format = "",
                                   .bridge = "",
                                   .ifname = "" };
    return 0;
}

static bool has_function(const json_t *devices, uint16_t bdf)
{
    size_t i;
    const json_t *f;

    json_array_foreach(devices, i, f) if (json_integer_value(json_object_get(f, "slot")) == bdf >> 3 &&
                                          json_integer_value(json_object_get(f, "function")) == (bdf & 7)) return true;
    return false;
}

static int take_functions(struct survey *s, struct cv_emu *emu, struct cv_error *err)
{
    struct cv_layout_dm *dm = &s->l->dms[emu->dmid];
    const json_t *devices = json_object_get(json_array_get(emu->qmp->reply, 0), "devices");
    unsigned expected = dm->device_count;
    char text[12];
    size_t i;
    const json_t *f;

    if (!json_is_array(devices))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-pci: no devices in its answer");
    for (unsigned k = 0; k < expected; k++)
        if (dm->devices[k].bdf != CV_BDF_NONE && !has_function(devices, dm->devices[k].bdf))
            return cv_fail(err, CV_E_EMULATOR, 0, "has no %s at %s", dm->devices[k].driver,
                           cv_bdf_string(dm->devices[k].bdf, text, sizeof text));
    json_array_foreach(devices, i, f) if (take_function(s, emu, f, err) < 0) return -1;
    return 0;
}

static enum cv_op_step survey_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct survey *s = op->ctx;

    if (step == 0)
        return cv_op_send(emu, "human-monitor-command", json_pack("{s:s}", "command-line", "info ramblock"), -1, err);
    if (step == 1)
        return take_blocks(s, emu, err) < 0 ? CV_STEP_FAILED : cv_op_send(emu, "query-pci", NULL, -1, err);
    return take_functions(s, emu, err) < 0 ? CV_STEP_FAILED : CV_STEP_DONE;
}

static bool same_regions(const struct cv_layout_dm *dm, const struct survey *s, unsigned *which)
{
    if (dm->region_count != s->count[dm->dmid])
        return false;
    for (unsigned i = 0; i < dm->region_count; i++) {
        const struct cv_layout_region *a = &dm->regions[i], *b = &s->regions[dm->dmid][i];
        *which = i;
        if (a->gfn != b->gfn || a->pages != b->pages || strcmp(a->what, b->what) != 0)
            return false;
    }
    return true;
}

/* First start: what is seen becomes the layout's.  Restore: it must be what the layout has (H-35). */
static int settle_dm(struct survey *s, struct cv_emu *emu, struct cv_error *err)
{
    struct cv_layout_dm *dm = &s->l->dms[emu->dmid];
    unsigned which = 0;

    /* Of a guest that another toolstack started, its blocks are not known before this: it may have unplugged cards. */
    if (*dm->version == '\0' || (dm->role == CV_DM_DEFAULT && dm->region_count == 0)) {
        dm->version = cv_pool_string(&s->l->pool, emu->version);
        memcpy(dm->regions, s->regions[dm->dmid], sizeof dm->regions);
        dm->region_count = s->count[dm->dmid];
        return 0;
    }
    if (same_regions(dm, s, &which))
        return 0;
    if (which < dm->region_count && which < s->count[dm->dmid]) {
        const struct cv_layout_region *a = &dm->regions[which], *b = &s->regions[dm->dmid][which];
        cv_fail(err, CV_E_EMULATOR, 0,
                "RAM block %s at gfn 0x%" PRIx64 "+0x%" PRIx64 " was %s at 0x%" PRIx64 "+0x%" PRIx64
                " when the guest was created (another ROM file?)",
                b->what, b->gfn, b->pages, a->what, a->gfn, a->pages);
    } else {
        cv_fail(err, CV_E_EMULATOR, 0, "has %u RAM blocks, it had %u when the guest was created", s->count[dm->dmid],
                dm->region_count);
    }
    return cv_context(err, "emulator %u '%s'", dm->dmid, dm->name);
}

int cv_emuset_survey(struct cv_emuset *set, struct cv_layout *l, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct survey *s = calloc(1, sizeof *s);
    struct cv_op op = { .name = "survey", .step = survey_step, .ctx = s, .needs_connection = true };
    struct cv_emu_wait all = *w;

    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
    all.mask = 0;
    s->l = l;
    int rc = cv_op_run(set, &op, &all, NULL, err);
    for (unsigned i = 0; i < set->count && rc == 0; i++)
        rc = settle_dm(s, &set->emus[i], err);
    free(s);
    if (rc == 0)
        rc = cv_pool_check(&l->pool, err);
    return rc == 0 ? cv_layout_check(l, err) : rc;
}

/* --- what toolstacks put in xenstore -------------------------------------------------------------------------------
 */

static enum cv_op_step tty_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    cv_emu_tty *out = op->ctx;
    size_t i;
    const json_t *dev;

    if (step == 0)
        return cv_op_send(emu, "query-chardev", NULL, -1, err);
    json_array_foreach(emu->qmp->reply, i, dev)
    {
        const char *label = json_string_value(json_object_get(dev, "label"));
        const char *file = json_string_value(json_object_get(dev, "filename"));
        if (label == NULL || file == NULL || strncmp(file, "pty:", 4) != 0)
            continue;
        label += strncmp(label, "char-", 5) == 0 ? 5 : 0;
        if (strncmp(label, "serial", 6) == 0 && label[6] >= '0' && label[6] <= '3' && label[7] == '\0')
            snprintf(out[label[6] - '0'], sizeof out[0], "%s", file + 4);
    }
    return CV_STEP_DONE;
}

int cv_emuset_serial_ttys(struct cv_emuset *set, const struct cv_emu_wait *w, cv_emu_tty tty_out[4],
                          struct cv_error *err)
{
    struct cv_op op = { .name = "query-chardev", .step = tty_step, .ctx = tty_out, .needs_connection = true };

    memset(tty_out, 0, 4 * sizeof *tty_out);
    return cv_op_run(set, &op, w, NULL, err);
}

static enum cv_op_step vnc_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    if (step == 0)
        return cv_op_send(emu, "query-vnc", NULL, -1, err);
    const char *service = json_string_value(json_object_get(emu->qmp->reply, "service"));
    *(unsigned *)op->ctx = service ? (unsigned)strtoul(service, NULL, 10) : 0;
    return CV_STEP_DONE;
}

int cv_emuset_vnc_port(struct cv_emuset *set, const struct cv_emu_wait *w, unsigned *port_out, struct cv_error *err)
{
    struct cv_op op = { .name = "query-vnc", .step = vnc_step, .ctx = port_out, .needs_connection = true };
    struct cv_emu_wait only = *w;

    only.mask = 1;
    *port_out = 0;
    return cv_op_run(set, &op, &only, NULL, err);
}
