/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of the image that now lie elsewhere: copies of the same moment as the memory. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/devices.h"
#include "restore/internal.h"

/* The layout outlives this process and its working directory.  Links stay as they are: names of volumes do not change
 * when the host starts anew, what they lead to does. */
static const char *absolute(struct cv_layout *l, const char *path, struct cv_error *err)
{
    char here[PATH_MAX];
    const char *text = NULL;

    if (*path == '/')
        text = cv_pool_string(&l->pool, path);
    else if (getcwd(here, sizeof here) != NULL)
        text = cv_pool_printf(&l->pool, "%s/%s", here, path);
    else
        cv_fail(err, CV_E_IO, errno, "the working directory");
    if (text != NULL && strlen(text) >= PATH_MAX) {
        cv_fail(err, CV_E_INVALID, ENAMETOOLONG, "%.60s...", path);
        return NULL;
    }
    return text;
}

static void list_disk(char *out, size_t size, const char *vdev)
{
    snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? ", " : "", vdev);
}

/* The same disk may stand in the layout for more than one device, and have a PV half; each gets the new image. */
static int map_disk(struct cv_guest *g, const struct cv_restore_disk *disk, struct cv_error *err)
{
    struct cv_layout *l = &g->layout;
    char there[300] = "";
    const char *path = absolute(l, disk->path, err);
    unsigned found = 0;

    if (path == NULL)
        return -1;
    for (unsigned i = 0; i < l->count; i++)
        for (unsigned k = 0; k < l->dms[i].device_count; k++) {
            struct cv_layout_device *dev = &l->dms[i].devices[k];
            if (dev->kind != CV_DEV_DISK || *dev->path == '\0')
                continue;
            list_disk(there, sizeof there, dev->vdev);
            if (strcmp(dev->vdev, disk->vdev) != 0)
                continue;
            dev->path = path;
            found++;
        }
    if (cv_devices_move_disk(&g->devices, disk->vdev, path, &found, err) < 0)
        return -1;
    if (found == 0)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "the image has no disk '%s' (it has: %s)", disk->vdev,
                       *there ? there : "none");
    return 0;
}

int cv_restore_map_disks(struct cv_restore *r, struct cv_error *err)
{
    for (unsigned i = 0; i < r->opt->disk_count; i++) {
        for (unsigned k = 0; k < i; k++)
            if (strcmp(r->opt->disks[i].vdev, r->opt->disks[k].vdev) == 0)
                return cv_fail(err, CV_E_INVALID, 0, "disk '%s' is given twice", r->opt->disks[i].vdev);
        if (map_disk(&r->g, &r->opt->disks[i], err) < 0)
            return -1;
    }
    return 0;
}
