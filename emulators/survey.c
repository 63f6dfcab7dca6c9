/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the emulators really have, against what the layout says: RAM blocks and PCI functions.  The layout decides, but
 * QEMU allocates; a block outside of its window would lie on the guest's RAM or on another emulator's block. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulators/answers.h"
#include "emulators/op.h"
#include "emulators/set.h"

struct survey {
    struct cv_layout *l;
    struct cv_layout_region regions[CV_DM_MAX][CV_LAYOUT_REGIONS_MAX];
    unsigned count[CV_DM_MAX];
};

/* One emulator's blocks, while they are listed. */
struct blocks {
    struct survey *s;
    unsigned dmid;
};

static int take_block(void *user, const char *name, uint64_t gfn, uint64_t pages, struct cv_error *err)
{
    const struct blocks *b = user;
    struct survey *s = b->s;

    if (s->count[b->dmid] == CV_LAYOUT_REGIONS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "has more than %d RAM blocks", CV_LAYOUT_REGIONS_MAX);
    s->regions[b->dmid][s->count[b->dmid]++] = (struct cv_layout_region){
        .what = cv_pool_string(&s->l->pool, name), .gfn = gfn, .pages = pages, .digest = ""
    };
    return 0;
}

static int take_function(struct survey *s, struct cv_emu *emu, const json_t *f, struct cv_error *err)
{
    struct cv_layout_dm *dm = &s->l->dms[emu->dmid];
    const char *id = json_string_value(json_object_get(f, "qdev_id"));
    uint16_t bdf = cv_answer_bdf(f);

    if (cv_answer_of_the_machine(bdf) || cv_layout_device_at(dm, bdf) != NULL)
        return 0;
    if (dm->device_count == CV_LAYOUT_DEVICES_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "has more than %d devices", CV_LAYOUT_DEVICES_MAX);
    /* brought along by an attached emulator, or by further arguments: it counts when addresses are compared */
    struct cv_layout_device *dev = &dm->devices[dm->device_count++];
    *dev = cv_layout_device_of(CV_DEV_FOREIGN);
    dev->driver = cv_pool_printf(&s->l->pool, "%.50s", id && *id ? id : "device");
    dev->bdf = bdf;
    return 0;
}

static int take_functions(struct survey *s, struct cv_emu *emu, struct cv_error *err)
{
    struct cv_layout_dm *dm = &s->l->dms[emu->dmid];
    unsigned expected = dm->device_count;
    const json_t *functions, *f;
    char text[12];
    size_t i;

    if (cv_answer_pci(emu->qmp->reply, &functions, err) < 0)
        return -1;
    for (unsigned k = 0; k < expected; k++)
        if (dm->devices[k].bdf != CV_BDF_NONE && !cv_answer_has_bdf(functions, dm->devices[k].bdf))
            return cv_fail(err, CV_E_EMULATOR, 0, "has no %s at %s", dm->devices[k].driver,
                           cv_bdf_string(dm->devices[k].bdf, text, sizeof text));
    json_array_foreach(functions, i, f) if (take_function(s, emu, f, err) < 0) return -1;
    return 0;
}

static enum cv_op_step survey_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    struct survey *s = op->ctx;
    struct blocks blocks = { s, emu->dmid };

    if (cv_layout_is_backend(&s->l->dms[emu->dmid]))
        return CV_STEP_DONE; /* it has neither */
    step += !emu->qemu;      /* no memory in the guest: nothing to ask for */
    if (step == 0)
        return cv_op_send(emu, "human-monitor-command", json_pack("{s:s}", "command-line", "info ramblock"), -1, err);
    if (step == 1 && emu->qemu && cv_answer_blocks(emu->qmp->reply, take_block, &blocks, err) < 0)
        return CV_STEP_FAILED;
    if (step == 1)
        return cv_op_send(emu, "query-pci", NULL, -1, err);
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

/* ---- what toolstacks put in xenstore ---- */

static enum cv_op_step tty_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    cv_emu_tty *out = op->ctx;
    size_t i;
    const json_t *dev;

    if (!emu->qemu)
        return CV_STEP_DONE;
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
