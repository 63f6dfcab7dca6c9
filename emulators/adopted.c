/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/adopted.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "emulators/answers.h"
#include "emulators/op.h"

#define CMDLINE_MAX (1 << 20)

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

    if (strncmp(dm->machine, machine, n) != 0 || (dm->machine[n] != ',' && dm->machine[n] != '\0'))
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "its emulator's machine is '%.60s', and a restored one's would be '%s'", machine, dm->machine);
    if (strtoull(m, NULL, 10) != dm->m_kib / 1024)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "its emulator was started with -m %.20s, and a restored one would be with -m %" PRIu64, m,
                       dm->m_kib / 1024);
    return 0;
}

/* ---- what it has ------------------------------------------------------------------------------------------------- */

static int check_functions(const struct cv_layout_dm *dm, const json_t *reply, struct cv_error *err)
{
    const json_t *functions, *f;
    char text[12];
    size_t i;

    if (cv_answer_pci(reply, &functions, err) < 0)
        return -1;
    json_array_foreach(functions, i, f)
    {
        const char *id = json_string_value(json_object_get(f, "qdev_id"));
        uint16_t bdf = cv_answer_bdf(f);
        if (!cv_answer_of_the_machine(bdf) && cv_layout_device_at(dm, bdf) == NULL)
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "has a device '%.60s' at %s, which a restored emulator would not have", id ? id : "",
                           cv_bdf_string(bdf, text, sizeof text));
    }
    for (unsigned k = 0; k < dm->device_count; k++) {
        const struct cv_layout_device *dev = &dm->devices[k];
        if (dev->bdf != CV_BDF_NONE && !cv_layout_may_unplug(dm, dev) && !cv_answer_has_bdf(functions, dev->bdf))
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "has no %s at %s, which a restored emulator would have",
                           dev->driver, cv_bdf_string(dev->bdf, text, sizeof text));
    }
    return 0;
}

static int check_block(void *user, const char *name, uint64_t gfn, uint64_t pages, struct cv_error *err)
{
    const struct cv_layout_dm *dm = user;

    if (gfn >= dm->window_gfn && gfn + pages <= dm->window_gfn + dm->window_pages)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0,
                   "has its RAM block %s at gfn 0x%" PRIx64 "+0x%" PRIx64 ", and a restored one would have it within "
                   "0x%" PRIx64 "+0x%" PRIx64,
                   name, gfn, pages, dm->window_gfn, dm->window_pages);
}

static enum cv_op_step adopted_step(struct cv_op *op, struct cv_emu *emu, unsigned step, struct cv_error *err)
{
    const struct cv_layout *l = op->ctx;
    const struct cv_layout_dm *dm = &l->dms[emu->dmid];

    if (step == 0)
        return cv_op_send(emu, "human-monitor-command", json_pack("{s:s}", "command-line", "info ramblock"), -1, err);
    if (step == 1)
        return cv_answer_blocks(emu->qmp->reply, check_block, (void *)dm, err) < 0
                   ? CV_STEP_FAILED
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
