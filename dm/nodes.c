/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "dm/supervisor.h"

#define PIECE 2000u
#define PIECES_MAX 256u

static int write_node(struct cv_dm *dm, struct cv_error *err, const char *value, const char *fmt, ...) CV_PRINTF(4, 5);
static int write_node(struct cv_dm *dm, struct cv_error *err, const char *value, const char *fmt, ...)
{
    char path[160];
    int n = snprintf(path, sizeof path, CV_DM_NODES "/", dm->domid);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path + n, sizeof path - (size_t)n, fmt, ap);
    va_end(ap);
    return dm->host->ops->xs_write(dm->host, path, value, err);
}

static int read_node(struct cv_dm *dm, char **out, struct cv_error *err, const char *fmt, ...) CV_PRINTF(4, 5);
static int read_node(struct cv_dm *dm, char **out, struct cv_error *err, const char *fmt, ...)
{
    char path[160];
    int n = snprintf(path, sizeof path, CV_DM_NODES "/", dm->domid);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path + n, sizeof path - (size_t)n, fmt, ap);
    va_end(ap);
    if (dm->host->ops->xs_read(dm->host, path, out, err) < 0)
        return -1;
    return *out != NULL ? 0 : cv_fail(err, CV_E_NOT_FOUND, 0, "xenstore node %s is missing", path);
}

static int put_layout(struct cv_dm *dm, struct cv_error *err)
{
    CV_AUTO_FREE char *json = NULL;
    char piece[PIECE + 1];
    unsigned n = 0;

    if (cv_layout_encode(&dm->layout, &json, err) < 0)
        return -1;
    for (size_t at = 0, len = strlen(json); at < len; n++) {
        size_t step = len - at > PIECE ? PIECE : len - at;
        memcpy(piece, json + at, step);
        piece[step] = '\0';
        if (write_node(dm, err, piece, "layout/%u", n) < 0)
            return -1;
        at += step;
    }
    snprintf(piece, sizeof piece, "%u", n);
    return write_node(dm, err, piece, "layout/pieces");
}

static int get_layout(struct cv_dm *dm, struct cv_error *err)
{
    CV_AUTO_FREE char *count = NULL;
    CV_AUTO_BUF text = { 0 };

    if (read_node(dm, &count, err, "layout/pieces") < 0)
        return -1;
    unsigned long n = strtoul(count, NULL, 10);
    if (n > PIECES_MAX)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "the layout claims %lu pieces", n);
    for (unsigned long i = 0; i < n; i++) {
        CV_AUTO_FREE char *piece = NULL;
        if (read_node(dm, &piece, err, "layout/%lu", i) < 0 || cv_buf_append(&text, piece, strlen(piece), err) < 0)
            return -1;
    }
    if (cv_layout_decode((const char *)text.data, text.len, &dm->layout, err) < 0)
        return -1;
    dm->has_layout = true;
    return 0;
}

int cv_dm_nodes_pid(struct cv_dm *dm, struct cv_error *err)
{
    char path[80], text[16];

    snprintf(path, sizeof path, "/local/domain/%u/image/device-model-pid", dm->domid);
    snprintf(text, sizeof text, "%d", dm->keeper != 0 ? dm->keeper : (int)getpid());
    return dm->host->ops->xs_write(dm->host, path, text, err);
}

static int put_pid(struct cv_dm *dm, struct cv_error *err)
{
    char text[16];

    snprintf(text, sizeof text, "%d", (int)getpid());
    if (write_node(dm, err, text, "pid") < 0)
        return -1;
    return dm->adopted ? cv_dm_nodes_pid(dm, err) : 0; /* libxl has written its child's, which is the keeper */
}

int cv_dm_nodes_write(struct cv_dm *dm, struct cv_error *err)
{
    char text[16];

    for (unsigned i = 0; i < dm->layout.count; i++) {
        const struct cv_emu *emu = &dm->set.emus[i];
        snprintf(text, sizeof text, "%d", (int)emu->pid);
        if (write_node(dm, err, dm->layout.dms[i].name, "%u/name", i) < 0 ||
            write_node(dm, err, text, "%u/pid", i) < 0 || write_node(dm, err, emu->qmp_path, "%u/qmp", i) < 0 ||
            (!(dm->dead & 1u << i) && cv_dm_nodes_state(dm, i, "running", err) < 0))
            return -1;
    }
    if (put_layout(dm, err) < 0 || write_node(dm, err, cv_dm_died_words[dm->died], "emulator_died") < 0 ||
        put_pid(dm, err) < 0)
        return -1;
    /* Last: whoever sees it finds the rest. */
    return write_node(dm, err, "1", "schema");
}

int cv_dm_nodes_state(struct cv_dm *dm, unsigned dmid, const char *text, struct cv_error *err)
{
    return write_node(dm, err, text, "%u/state", dmid);
}

static int read_all(struct cv_dm *dm, int pids_out[CV_DM_MAX], unsigned *reported_out, struct cv_error *err)
{
    CV_AUTO_FREE char *schema = NULL, *died = NULL;

    if (read_node(dm, &schema, err, "schema") < 0)
        return -1;
    if (strcmp(schema, "1") != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "they are of another version (schema %.20s)", schema);
    if (get_layout(dm, err) < 0 || read_node(dm, &died, err, "emulator_died") < 0)
        return -1;
    for (unsigned k = 0; k < 3; k++)
        if (strcmp(died, cv_dm_died_words[k]) == 0)
            dm->died = (enum cv_dm_died)k;
    *reported_out = 0;
    for (unsigned i = 0; i < dm->layout.count; i++) {
        CV_AUTO_FREE char *pid = NULL, *state = NULL;
        if (read_node(dm, &pid, err, "%u/pid", i) < 0 || read_node(dm, &state, err, "%u/state", i) < 0)
            return -1;
        pids_out[i] = atoi(pid);
        if (strcmp(state, "running") != 0)
            *reported_out |= 1u << i;
    }
    return 0;
}

int cv_dm_nodes_read(struct cv_dm *dm, int pids_out[CV_DM_MAX], unsigned *reported_out, struct cv_error *err)
{
    return read_all(dm, pids_out, reported_out, err) < 0 ? cv_context(err, "convoy-dm's nodes of domain %u", dm->domid)
                                                         : 0;
}

void cv_dm_nodes_remove(struct cv_dm *dm)
{
    char path[80];

    snprintf(path, sizeof path, CV_DM_NODES, dm->domid);
    if (dm->host->ops->xs_remove(dm->host, path, NULL) < 0)
        cv_log(dm->sink, CV_LOG_DEBUG, "%s was gone", path);
}
