/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/findings.h"
#include "guest/guest.h"

static const char *plural(unsigned long long n) { return n == 1 ? "" : "s"; }

static void place(const struct cv_layout_device *d, char *text, size_t size)
{
    if (d->bdf == CV_BDF_NONE)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%02x:%02x.%x", d->bdf >> 8, d->bdf >> 3 & 0x1f, d->bdf & 7u);
}

static void what(const struct cv_layout_device *d, char *text, size_t size)
{
    if (d->kind == CV_DEV_DISK)
        snprintf(text, size, "%s %s%s%s%s", d->vdev,
                 d->cdrom      ? "CD-ROM "
                 : d->readonly ? "read-only "
                               : "",
                 d->format, *d->format ? " " : "", *d->path ? d->path : "(empty)");
    else if (d->kind == CV_DEV_VIF)
        snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x on %s", d->mac[0], d->mac[1], d->mac[2], d->mac[3],
                 d->mac[4], d->mac[5], d->bridge);
    else
        text[0] = '\0';
}

static void show_emulator(const struct cv_layout_dm *dm)
{
    static const char *const roles[] = {
        [CV_DM_DEFAULT] = "default", [CV_DM_SECONDARY] = "secondary", [CV_DM_ATTACHED] = "attached"
    };
    char caps[80], at[16], text[600];

    printf("\nemulator %u '%s' (%s): %s\n", dm->dmid, dm->name, roles[dm->role],
           dm->role == CV_DM_ATTACHED ? dm->qmp : dm->model);
    if (dm->caps != 0)
        printf("  %-8s %-16s %s\n", "", "(built in)", cv_caps_string(dm->caps, caps, sizeof caps));
    for (unsigned i = 0; i < dm->device_count; i++) {
        place(&dm->devices[i], at, sizeof at);
        what(&dm->devices[i], text, sizeof text);
        printf("  %-8s %-16s %s\n", at, dm->devices[i].driver, text);
    }
}

static void show_text(const char *path, const struct cv_guest *g)
{
    const struct cv_layout *l = &g->layout;

    printf("%s: '%s' would have %u emulator%s, %llu MiB", path, g->spec.name, l->count, plural(l->count),
           (unsigned long long)g->spec.target_kb / 1024);
    if (g->spec.max_kb != g->spec.target_kb)
        printf(" (up to %llu)", (unsigned long long)g->spec.max_kb / 1024);
    printf(", %u vcpu%s", g->spec.vcpus_online, plural(g->spec.vcpus_online));
    if (g->spec.vcpus != g->spec.vcpus_online)
        printf(" (up to %u)", g->spec.vcpus);
    printf("; nothing was made\n");
    for (unsigned i = 0; i < l->count; i++)
        show_emulator(&l->dms[i]);
}

static int show_json(const struct cv_guest *g, bool taken, const struct cv_findings *found, struct cv_error *err)
{
    json_t *o = json_object();
    char *text = NULL;
    int rc = 0;

    json_object_set_new(o, "taken", json_boolean(taken));
    json_object_set_new(o, "findings", cli_findings_json(found));
    if (taken) {
        json_object_set_new(o, "name", cli_json_text(g->spec.name));
        json_object_set_new(o, "memory_kib", json_integer((json_int_t)g->spec.target_kb));
        json_object_set_new(o, "maxmem_kib", json_integer((json_int_t)g->spec.max_kb));
        json_object_set_new(o, "vcpus", json_integer(g->spec.vcpus_online));
        json_object_set_new(o, "maxvcpus", json_integer(g->spec.vcpus));
        rc = cv_layout_encode(&g->layout, &text, err);
        if (rc == 0)
            json_object_set_new(o, "layout", json_loads(text, 0, NULL));
        free(text);
    }
    if (rc == 0) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(o);
    return rc;
}

int cli_plan(struct cli *c, const char *path, bool json)
{
    struct cv_guest g = { .sink = &c->sink };
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;

    int rc = cv_guest_plan(&g, path, &found, &err);
    /* What is wrong with the file is found; what is wrong with reading it, or with the layout, is an error alone. */
    if (rc < 0 && cv_findings_errors(&found) == 0)
        cv_findings_add(&found, "", &err, NULL);
    if (json && show_json(&g, rc == 0, &found, &err) < 0)
        rc = -1;
    else if (cv_findings_tell(&found, &c->sink, &err) == 0 && rc == 0 && !json)
        show_text(path, &g);
    cv_findings_dispose(&found);
    cv_guest_dispose(&g);
    return rc == 0 ? 0 : cli_error(&err);
}
