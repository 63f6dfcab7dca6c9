/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "emulators/adopted.h"
#include "emulators/paths.h"
#include "guest/devices.h"
#include "libxl-json/json.h"

/* 0: xenstore names none. */
static int read_pid(struct cv_guest *g, int *pid_out, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u/image/device-model-pid", g->domid);
    if (g->host->ops->xs_read(g->host, path, &text, err) < 0)
        return -1;
    *pid_out = text != NULL ? atoi(text) : 0;
    return 0;
}

/* The program as it was called, which is how a restored one is called, too. */
static int read_arguments(struct cv_guest *g, struct cv_strings *argv, struct cv_pool *pool, struct cv_error *err)
{
    int pid;

    if (read_pid(g, &pid, err) < 0)
        return -1;
    if (pid <= 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "xenstore names no emulator of it (image/device-model-pid): it is being built, or its emulator "
                       "is in another domain");
    if (cv_emulator_arguments(pid, pool, argv, err) < 0)
        return -1;
    if (argv->count == 0 || argv->items[0][0] != '/')
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "its emulator's program is '%.80s', which is no path",
                       argv->count ? argv->items[0] : "");
    return 0;
}

/* What p has becomes g's. */
static int take_plan(struct cv_guest *g, struct cv_libxl_guest *p, struct cv_error *err)
{
    g->spec = p->spec;
    g->config_text = strdup((const char *)p->cfg.data);
    if (g->config_text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the guest's configuration");
    g->layout = p->layout;
    g->has_layout = true;
    p->has_layout = false;
    g->adopted = true;
    return 0;
}

/* Of a step that names everything it finds by itself, nothing is said twice. */
static int note(struct cv_findings *found, size_t before, const char *check, const struct cv_error *why)
{
    if (found != NULL && found->count == before)
        cv_findings_add(found, check, why, NULL);
    return -1;
}

/* A PVH guest has a QEMU if it has qdisks, and none if it has not. */
static bool goes_without_qemu(struct cv_guest *g)
{
    json_t *o = json_loads(g->devices, 0, NULL);
    const char *type = json_string_value(json_object_get(json_object_get(o, "c_info"), "type"));
    int pid = 0;

    bool pvh = type != NULL && strcmp(type, "pvh") == 0;
    json_decref(o);
    return pvh && read_pid(g, &pid, NULL) == 0 && pid <= 0;
}

static int check_qemu(const struct cv_layout *l, const struct cv_strings *argv, struct cv_error *err)
{
    if (l->count > 0 && argv->count > 0)
        return cv_emulator_check_arguments(argv, l, err);
    if (l->count == 0 && argv->count == 0)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0,
                   l->count > 0 ? "a QEMU has to serve its qdisks, and xenstore names none (image/device-model-pid)"
                                : "it has a QEMU, and none of its disks is a qdisk");
}

static int plan(struct cv_guest *g, struct cv_findings *found, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT, why = CV_ERROR_INIT;
    struct cv_libxl_guest p = { 0 };
    struct cv_strings argv = { 0 };
    struct cv_pool pool = { 0 };
    size_t before = found != NULL ? found->count : 0;

    bool without = goes_without_qemu(g);
    int rc = without ? 0 : read_arguments(g, &argv, &pool, &e);
    if (rc < 0)
        note(found, before, "emulators", &e);
    /* Whatever the emulator is: what is in the way in the configuration is to be named, too. */
    const char *model = rc == 0 && !without ? argv.items[0] : "/usr/bin/qemu-system-i386";
    before = found != NULL ? found->count : 0;
    if (cv_libxl_guest_plan(&p, g->devices, strlen(g->devices), model, found, &why) < 0)
        rc = note(found, before, "configuration", &why);
    else if (rc == 0 && (rc = check_qemu(&p.layout, &argv, &why)) < 0)
        rc = note(found, before, "emulators", &why);
    if (rc < 0)
        cv_fail_as(err, e.code != CV_OK ? &e : &why);
    else
        rc = take_plan(g, &p, err);
    cv_libxl_guest_dispose(&p);
    cv_pool_dispose(&pool);
    return rc;
}

/* libxl gives each HVM guest a PV keyboard and pointer and does not say so in its record. */
static int note_keyboard(struct cv_guest *g, struct cv_error *err)
{
    json_t *o = json_loads(g->devices, 0, NULL);
    char *text = NULL;

    if (strstr(g->devices_list, "vkbd/0 ") == NULL || json_array_size(json_object_get(o, "vkbs")) > 0) {
        json_decref(o);
        return 0;
    }
    if (json_object_set_new(o, "vkbs", json_pack("[{s:i}]", "devid", 0)) == 0)
        text = json_dumps(o, JSON_INDENT(4));
    json_decref(o);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the PV devices");
    free(g->devices);
    g->devices = text;
    return 0;
}

/* A guest that xl creates, restores or receives has all of this before it is whole. */
static int check_whole(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *state = NULL;
    char path[80];

    snprintf(path, sizeof path, "/local/domain/0/device-model/%u/state", g->domid);
    if (g->host->ops->xs_read(g->host, path, &state, err) < 0)
        return -1;
    /* (A PVH guest without a QEMU is paused until it is whole, and so no guest that could be saved.) */
    if ((state != NULL && strcmp(state, "running") == 0) || goes_without_qemu(g))
        return 0;
    return cv_fail(err, CV_E_BUSY, 0, "domain %u is being built: its emulator does not run yet (%s is '%.20s')",
                   g->domid, path, state ? state : "");
}

/* convoy-dm's: what answers at the toolstack's socket is several emulators. */
static int check_supervised(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *schema = NULL;
    char path[80];

    snprintf(path, sizeof path, "/local/domain/0/device-model/%u/convoy/schema", g->domid);
    if (g->host->ops->xs_read(g->host, path, &schema, err) < 0)
        return -1;
    if (schema == NULL)
        return 0;
    return cv_fail(
        err, CV_E_UNSUPPORTED, 0,
        "domain %u has several emulators under convoy-dm: xl save and xl migrate carry all of them (convoy-dm(8))",
        g->domid);
}

int cv_guest_adopt(struct cv_guest *g, struct cv_findings *found, struct cv_error *err)
{
    /* The list first: what changes while the text is read is noticed later. */
    if (g->host->ops->devices_list(g->host, g->domid, &g->devices_list, err) < 0 || cv_guest_devices_read(g, err) < 0)
        return -1;
    if (g->devices == NULL)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "domain %u was made neither by convoy nor by xl or libvirt (libxl has no record of it)",
                       g->domid);
    if (check_supervised(g, err) < 0 || check_whole(g, err) < 0 || note_keyboard(g, err) < 0)
        return -1;
    return plan(g, found, err) < 0 ? cv_context(err, "domain %u, made by xl or libvirt", g->domid) : 0;
}

int cv_guest_adopt_emulator(struct cv_guest *g, bool dead_ok, struct cv_error *err)
{
    char path[108];
    int pid;

    if (g->layout.count == 0)
        return 0;
    if (read_pid(g, &pid, err) < 0)
        return -1;
    cv_path_qmp_xl(g->host->dirs->run, g->domid, path, sizeof path);
    if (cv_emuset_attach(&g->set, 0, pid, path, dead_ok ? NULL : err) < 0 && !dead_ok)
        return -1;
    return 0;
}

static int take_qemu(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_strings argv = { 0 };
    struct cv_pool pool = { 0 };

    int rc = read_arguments(g, &argv, &pool, err) < 0 ? -1 : cv_emulator_check_arguments(&argv, &g->layout, err);
    cv_pool_dispose(&pool);
    if (rc < 0 || cv_guest_adopt_emulator(g, false, err) < 0 || cv_emuset_connect(&g->set, w, NULL, err) < 0)
        return -1;
    return cv_emuset_survey(&g->set, &g->layout, w, err);
}

int cv_guest_take_qemu(struct cv_guest *g, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = cancel };

    if (cv_emuset_init(&g->set, &g->layout, g->domid, g->sink, err) < 0)
        return -1;
    g->has_set = true;
    return g->layout.count == 0 ? 0 : take_qemu(g, &w, err);
}

int cv_guest_look_adopted(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_pool pool = { 0 };
    struct cv_strings argv;

    if (g->layout.count == 0)
        return 0;
    int rc = read_arguments(g, &argv, &pool, err);

    if (rc == 0 && !cv_layout_is_backend(&g->layout.dms[0]))
        rc = cv_emuset_check_adopted(&g->set, &g->layout, w, err);
    if (rc == 0)
        rc = cv_emuset_now(&g->set, &g->layout, CV_NOW_ALL, w, &g->now, err);
    if (rc == 0) {
        g->now.started_with = &argv;
        rc = cv_now_take(&g->now, &g->layout, err);
        g->now.started_with = NULL;
    }
    /* Whoever restores it is to know what has saved it. */
    if (rc == 0)
        g->layout.dms[0].version = cv_pool_string(&g->layout.pool, g->set.emus[0].version);
    cv_pool_dispose(&pool);
    return rc;
}
