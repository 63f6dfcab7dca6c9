/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept in xenstore of a guest.  A xenstore value holds at most 4096 bytes, so texts lie there in pieces. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "guest/guest.h"
#include "vm/spec.h"

#define PIECE 2000u
#define PIECES_MAX 256u
#define PATH 256

static int put_node(struct cv_guest *g, struct cv_error *err, const char *value, const char *fmt, ...) CV_PRINTF(4, 5);
static int put_node(struct cv_guest *g, struct cv_error *err, const char *value, const char *fmt, ...)
{
    char path[PATH];
    int n = snprintf(path, sizeof path, "/local/domain/0/dms/%u/", g->domid);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path + n, sizeof path - (size_t)n, fmt, ap);
    va_end(ap);
    return g->host->ops->xs_write(g->host, path, value, err);
}

static int put_text(struct cv_guest *g, const char *name, const char *text, struct cv_error *err)
{
    size_t len = strlen(text), n = 0;
    char piece[PIECE + 1];

    for (size_t at = 0; at < len || n == 0; n++) {
        size_t step = len - at > PIECE ? PIECE : len - at;
        memcpy(piece, text + at, step);
        piece[step] = '\0';
        if (put_node(g, err, piece, "%s/%zu", name, n) < 0)
            return -1;
        at += step;
    }
    snprintf(piece, sizeof piece, "%zu", n);
    return put_node(g, err, piece, "%s/pieces", name);
}

static int read_node(struct cv_guest *g, const char *name, const char *leaf, char **value_out, struct cv_error *err)
{
    char path[PATH];

    snprintf(path, sizeof path, "/local/domain/0/dms/%u/%s/%s", g->domid, name, leaf);
    if (g->host->ops->xs_read(g->host, path, value_out, err) < 0)
        return -1;
    if (*value_out == NULL)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "xenstore node %s is missing", path);
    return 0;
}

static int get_text(struct cv_guest *g, const char *name, char **text_out, struct cv_error *err)
{
    CV_AUTO_FREE char *count = NULL;
    CV_AUTO_BUF text = { 0 };

    if (read_node(g, name, "pieces", &count, err) < 0)
        return -1;
    unsigned long n = strtoul(count, NULL, 10);
    if (n > PIECES_MAX)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "xenstore: %s of domain %u claims %lu pieces", name, g->domid, n);
    for (unsigned long i = 0; i < n; i++) {
        CV_AUTO_FREE char *piece = NULL;
        char leaf[24];
        snprintf(leaf, sizeof leaf, "%lu", i);
        if (read_node(g, name, leaf, &piece, err) < 0 || cv_buf_append(&text, piece, strlen(piece), err) < 0)
            return -1;
    }
    if (cv_buf_put_u8(&text, 0, err) < 0)
        return -1;
    *text_out = (char *)cv_buf_take(&text).data;
    return 0;
}

static int put_emulator(struct cv_guest *g, const struct cv_layout_dm *dm, struct cv_error *err)
{
    static const char *const roles[] = { "default", "secondary", "attached" };
    const struct cv_emu *emu = &g->set.emus[dm->dmid];
    char text[128], path[PATH], rank[16], caps[128];

    snprintf(rank, sizeof rank, "%u", dm->rank);
    snprintf(text, sizeof text, "%#" PRIx64 "+%#" PRIx64, dm->window_gfn, dm->window_pages);
    const struct {
        const char *leaf, *value;
    } nodes[] = {
        { "name", dm->name },
        { "role", roles[dm->role] },
        { "rank", rank },
        { "model", dm->model },
        { "version", emu->version },
        { "qmp", emu->qmp_path },
        { "caps", cv_caps_string(dm->caps, caps, sizeof caps) },
        { "window", text },
    };
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        if (put_node(g, err, nodes[i].value, "%u/%s", dm->dmid, nodes[i].leaf) < 0)
            return -1;
    for (unsigned i = 0; i < dm->device_count; i++) {
        char bdf[16];
        const struct cv_layout_device *dev = &dm->devices[i];
        snprintf(text, sizeof text, "%s %.64s %.32s",
                 dev->bdf == CV_BDF_NONE ? "-" : cv_bdf_string(dev->bdf, bdf, sizeof bdf), dev->driver, dev->id);
        if (put_node(g, err, text, "%u/device/%u", dm->dmid, i) < 0)
            return -1;
    }
    snprintf(text, sizeof text, "%d", (int)emu->pid);
    snprintf(path, sizeof path, "/local/domain/%u/image/dms/%u-pid", g->domid, dm->dmid);
    if (put_node(g, err, text, "%u/pid", dm->dmid) < 0 || g->host->ops->xs_write(g->host, path, text, err) < 0)
        return -1;
    if (dm->role != CV_DM_DEFAULT)
        return 0;
    snprintf(path, sizeof path, "/local/domain/%u/image/device-model-pid", g->domid);
    return g->host->ops->xs_write(g->host, path, text, err);
}

int cv_guest_nodes_write(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *spec = NULL, *layout = NULL;

    if (cv_spec_encode(&g->spec, &spec, err) < 0 || cv_layout_encode(&g->layout, &layout, err) < 0)
        return -1;
    for (unsigned i = 0; i < g->layout.count; i++)
        if (put_emulator(g, &g->layout.dms[i], err) < 0)
            return -1;
    if (put_text(g, "spec", spec, err) < 0 || put_text(g, "layout", layout, err) < 0 ||
        put_text(g, "config", g->config_text, err) < 0)
        return -1;
    /* Last: whoever sees the schema finds the rest. */
    return put_node(g, err, "1", "schema");
}

bool cv_guest_is_ours(struct cv_host *host, uint32_t domid)
{
    char path[PATH];
    CV_AUTO_FREE char *schema = NULL;

    snprintf(path, sizeof path, "/local/domain/0/dms/%u/schema", domid);
    return host->ops->xs_read(host, path, &schema, NULL) == 0 && schema != NULL;
}

int cv_guest_nodes_read(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *schema = NULL, *spec = NULL, *layout = NULL;
    char path[PATH];

    snprintf(path, sizeof path, "/local/domain/0/dms/%u/schema", g->domid);
    if (g->host->ops->xs_read(g->host, path, &schema, err) < 0)
        return -1;
    if (schema == NULL)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u was not made by convoy (it has no %s)", g->domid, path);
    if (strcmp(schema, "1") != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u was made by another version of convoy (schema %.20s)",
                       g->domid, schema);
    if (get_text(g, "spec", &spec, err) < 0 || cv_spec_decode(spec, strlen(spec), &g->spec, err) < 0 ||
        get_text(g, "config", &g->config_text, err) < 0 || get_text(g, "layout", &layout, err) < 0 ||
        cv_layout_decode(layout, strlen(layout), &g->layout, err) < 0)
        return cv_context(err, "what xenstore knows of domain %u", g->domid);
    g->has_layout = true;
    return 0;
}
