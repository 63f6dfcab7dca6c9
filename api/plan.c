/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest would be, for people and for programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
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

static void show_emulator(FILE *f, const struct cv_layout_dm *dm)
{
    static const char *const roles[] = {
        [CV_DM_DEFAULT] = "default", [CV_DM_SECONDARY] = "secondary", [CV_DM_ATTACHED] = "attached"
    };
    char caps[80], at[16], text[600];

    fprintf(f, "\nemulator %u '%s' (%s): %s\n", dm->dmid, dm->name, roles[dm->role],
            dm->role == CV_DM_ATTACHED ? dm->qmp : dm->model);
    if (dm->caps != 0)
        fprintf(f, "  %-8s %-16s %s\n", "", "(built in)", cv_caps_string(dm->caps, caps, sizeof caps));
    for (unsigned i = 0; i < dm->device_count; i++) {
        place(&dm->devices[i], at, sizeof at);
        what(&dm->devices[i], text, sizeof text);
        fprintf(f, "  %-8s %-16s %s\n", at, dm->devices[i].driver, text);
    }
}

static void show_text(FILE *f, const char *path, const struct cv_guest *g)
{
    const struct cv_layout *l = &g->layout;

    fprintf(f, "%s: '%s' would have %u emulator%s, %llu MiB", path, g->spec.name, l->count, plural(l->count),
            (unsigned long long)g->spec.target_kib / 1024);
    if (g->spec.max_kib != g->spec.target_kib)
        fprintf(f, " (up to %llu)", (unsigned long long)g->spec.max_kib / 1024);
    fprintf(f, ", %u vcpu%s", g->spec.vcpus_online, plural(g->spec.vcpus_online));
    if (g->spec.vcpus != g->spec.vcpus_online)
        fprintf(f, " (up to %u)", g->spec.vcpus);
    fprintf(f, "; nothing was made\n");
    for (unsigned i = 0; i < l->count; i++)
        show_emulator(f, &l->dms[i]);
}

static int text_of(const char *path, const struct cv_guest *g, char **text_out, struct cv_error *e)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (f != NULL)
        show_text(f, path, g);
    if (f == NULL || fclose(f) != 0) {
        free(text);
        return cv_fail(e, CV_E_NOMEM, errno, "no memory for a plan");
    }
    *text_out = text;
    return 0;
}

static int json_of(const struct cv_guest *g, bool taken, const struct cv_findings *found, char **text_out,
                   struct cv_error *e)
{
    json_t *o = json_object();
    char *layout = NULL;

    json_object_set_new(o, "taken", json_boolean(taken));
    json_object_set_new(o, "findings", api_json_findings(found));
    if (taken) {
        if (cv_layout_encode(&g->layout, &layout, e) < 0) {
            json_decref(o);
            return -1;
        }
        json_object_set_new(o, "name", api_json_text(g->spec.name));
        json_object_set_new(o, "memory_kib", json_integer((json_int_t)g->spec.target_kib));
        json_object_set_new(o, "maxmem_kib", json_integer((json_int_t)g->spec.max_kib));
        json_object_set_new(o, "vcpus", json_integer(g->spec.vcpus_online));
        json_object_set_new(o, "maxvcpus", json_integer(g->spec.vcpus));
        json_object_set_new(o, "layout", json_loads(layout, 0, NULL));
        free(layout);
    }
    *text_out = api_json_dump(o);
    return *text_out != NULL ? 0 : cv_fail(e, CV_E_NOMEM, 0, "no memory for a plan");
}

static int plan(const char *path, bool json, struct cv_sink *sink, char **text_out, struct cv_error *e)
{
    struct cv_guest g = { .sink = sink };
    struct cv_findings found = { 0 };

    int rc = cv_guest_plan(&g, path, &found, e);
    /* What is wrong with the file is found; what is wrong with reading it, or with the layout, is an error alone. */
    if (rc < 0 && cv_findings_errors(&found) == 0)
        cv_findings_add(&found, "", e, NULL);
    if (json) {
        if (json_of(&g, rc == 0, &found, text_out, cv_if_first(e, rc)) < 0)
            rc = -1;
    } else if (cv_findings_tell(&found, sink, e) < 0) {
        rc = -1;
    } else if (rc == 0) {
        rc = text_of(path, &g, text_out, e);
    }
    cv_findings_dispose(&found);
    cv_guest_dispose(&g);
    return rc;
}

int convoy_plan(const char *config_path, convoy_format format, const convoy_sink *sink, char **text_out,
                convoy_error *err)
{
    struct api_sink out;
    struct cv_error e = CV_ERROR_INIT;
    char *text = NULL;

    if (format != CONVOY_TEXT && format != CONVOY_JSON) {
        cv_fail(&e, CV_E_INVALID, 0, "a plan has no format %d", (int)format);
        return api_fail(&e, err);
    }
    if (api_sink(&out, sink, &e) < 0)
        return api_fail(&e, err);
    int rc = plan(config_path, format == CONVOY_JSON, &out.sink, &text, &e);
    if (rc == 0 || format == CONVOY_JSON)
        *text_out = text;
    return api_result(rc, &e, err);
}
