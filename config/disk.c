/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk = [...]: xl's disk syntax (libxlutil parses it) plus one word of ours, model=, which names the emulated
 * controller and is taken out before libxlutil sees the string. */
#include <libxl.h>
#include <string.h>
#include <unistd.h>

#include "config/reader.h"

static int disk_fail(struct cv_reader *r, unsigned n, enum cv_code code, struct cv_error *err, const char *spec,
                     const char *why)
{
    return cv_reader_fail(r, "disk", code, err, "entry %u '%.120s': %s", n + 1, spec, why);
}

static bool model_of(const char *word, size_t len, enum cv_disk_model *out)
{
    for (int m = CV_DISK_IDE; m <= CV_DISK_NVME; m++)
        if (strlen(cv_disk_model_name((enum cv_disk_model)m)) == len &&
            strncmp(word, cv_disk_model_name((enum cv_disk_model)m), len) == 0) {
            *out = (enum cv_disk_model)m;
            return true;
        }
    return false;
}

/* Copies spec to plain without "model=...," (only in front of target=, which takes the rest as it is). */
static int take_model(const char *spec, char *plain, size_t room, int *model_out)
{
    const char *p = spec;
    size_t at = 0;

    *model_out = -1;
    while (*p) {
        const char *word = p + strspn(p, " \t\n");
        if (strncmp(word, "target=", 7) == 0)
            break;
        size_t len = strcspn(p, ",") + (p[strcspn(p, ",")] == ',');
        if (strncmp(word, "model=", 6) == 0) {
            enum cv_disk_model m;
            if (*model_out >= 0 || !model_of(word + 6, strcspn(word + 6, ","), &m))
                return -1;
            *model_out = (int)m;
        } else {
            if (at + len >= room)
                return -1;
            memcpy(plain + at, p, len);
            at += len;
        }
        p += len;
    }
    if (at + strlen(p) >= room)
        return -1;
    strcpy(plain + at, p);
    return 0;
}

/* "" or why convoy cannot serve what the disk asks for. */
static const char *refusal(const libxl_device_disk *d)
{
    if (d->backend_domname != NULL || d->backend_domid != 0)
        return "disks of driver domains are not supported";
    if (d->script != NULL)
        return "block scripts belong to PV disks, which are not supported yet";
    if (d->backend != LIBXL_DISK_BACKEND_UNKNOWN && d->backend != LIBXL_DISK_BACKEND_QDISK)
        return "backendtype belongs to PV disks; an emulated disk is opened by its emulator";
    if (d->removable && !d->is_cdrom)
        return "removable belongs to PV disks";
    if (d->direct_io_safe)
        return "direct-io-safe belongs to PV disks";
    if (libxl_defbool_val(d->colo_enable) || d->colo_host != NULL || d->active_disk != NULL || d->hidden_disk != NULL)
        return "COLO is not supported";
    return "";
}

static const char *format_of(const libxl_device_disk *d)
{
    switch (d->format) {
    case LIBXL_DISK_FORMAT_UNKNOWN:
    case LIBXL_DISK_FORMAT_RAW: return "raw";
    case LIBXL_DISK_FORMAT_QCOW: return "qcow";
    case LIBXL_DISK_FORMAT_QCOW2: return "qcow2";
    case LIBXL_DISK_FORMAT_VHD: return "vpc";
    case LIBXL_DISK_FORMAT_QED: return "qed";
    case LIBXL_DISK_FORMAT_EMPTY: return "";
    default: return NULL;
    }
}

/* xl looks for what does not begin with '/' in /dev; a file beside us comes first. */
static const char *absolute_target(struct cv_reader *r, const char *path)
{
    const char *dev = cv_pool_printf(&r->c->pool, "/dev/%s", path);

    if (*path != '\0' && *path != '/' && access(path, F_OK) < 0 && access(dev, F_OK) == 0)
        return dev;
    return cv_reader_absolute(r, path);
}

/* Which controller a device name means when no model= is given.  -1 and *why otherwise. */
static int standard_model(struct cv_reader *r, const struct cv_config_disk *d, const char **why)
{
    if (strncmp(d->vdev, "hd", 2) == 0)
        return r->hd_on_ahci ? CV_DISK_AHCI : CV_DISK_IDE;
    if (strncmp(d->vdev, "sd", 2) == 0)
        *why = "emulated SCSI disks are not supported; model=ahci, virtio-blk or nvme names another controller";
    else if (d->owner > 0)
        return CV_DISK_VIRTIO_BLK;
    else
        *why = "is a PV disk by its name, which is not supported yet; "
               "model=virtio-blk, ahci or nvme makes an emulated one of it";
    return -1;
}

static bool good_vdev(const char *vdev)
{
    size_t prefix = strncmp(vdev, "xvd", 3) == 0                                 ? 3
                    : strncmp(vdev, "hd", 2) == 0 || strncmp(vdev, "sd", 2) == 0 ? 2
                                                                                 : 0;
    return prefix != 0 && vdev[prefix] >= 'a' && vdev[prefix] <= 'z' && vdev[prefix + 1] == '\0';
}

/* Slots of the default emulator's controllers: IDE has hda to hdd, AHCI's six ports hda to hdf. */
static const char *place_refusal(const struct cv_config_disk *d)
{
    char letter = d->vdev[strlen(d->vdev) - 1];

    if (d->model == CV_DISK_IDE && (strncmp(d->vdev, "hd", 2) != 0 || letter > 'd'))
        return "the chipset's IDE has room for hda to hdd only";
    if (d->model == CV_DISK_AHCI && strncmp(d->vdev, "hd", 2) == 0 && letter > 'f')
        return "hda to hdf fit on AHCI";
    if (d->cdrom && d->model != CV_DISK_IDE && d->model != CV_DISK_AHCI)
        return "a CD-ROM drive is on ide or ahci";
    if (d->readonly && !d->cdrom && (d->model == CV_DISK_IDE || d->model == CV_DISK_AHCI))
        return "IDE and AHCI disks cannot be read-only (xl refuses it too); virtio-blk and nvme can";
    if (!d->cdrom && d->path[0] == '\0')
        return "only a CD-ROM drive can be empty";
    return "";
}

static int convert(struct cv_reader *r, unsigned n, const char *spec, const libxl_device_disk *d, int model,
                   struct cv_error *err)
{
    struct cv_pool *pool = &r->c->pool;
    struct cv_config_disk *out = &r->c->disks[n];
    const char *why = refusal(d);

    if (*why)
        return disk_fail(r, n, CV_E_UNSUPPORTED, err, spec, why);
    out->vdev = cv_pool_string(pool, d->vdev);
    out->path = cv_pool_string(pool, d->format == LIBXL_DISK_FORMAT_EMPTY ? "" : d->pdev_path);
    out->path = absolute_target(r, out->path);
    out->format = format_of(d);
    out->cdrom = d->is_cdrom;
    out->readonly = !d->readwrite || d->is_cdrom;
    out->discard =
        !out->readonly && (libxl_defbool_is_default(d->discard_enable) || libxl_defbool_val(d->discard_enable));
    out->owner = -1;
    if (out->format == NULL || !good_vdev(out->vdev))
        return disk_fail(r, n, CV_E_INVALID, err, spec, "vdev must be hda..hdz, sda..sdz or xvda..xvdz");
    out->model = model < 0 ? CV_DISK_UNDECIDED : (enum cv_disk_model)model;
    return 0;
}

int cv_config_settle_disk(struct cv_reader *r, unsigned n, struct cv_error *err)
{
    struct cv_config_disk *d = &r->c->disks[n];
    const char *why = "";
    int model = d->model;

    if (d->model == CV_DISK_UNDECIDED)
        model = standard_model(r, d, &why);
    if (model < 0)
        return disk_fail(r, n, CV_E_UNSUPPORTED, err, d->vdev, why);
    d->model = (enum cv_disk_model)model;
    why = place_refusal(d);
    if (!*why && d->model == CV_DISK_IDE && d->owner > 0)
        why = "the chipset's IDE stays with the default emulator; model=ahci, virtio-blk or nvme can be moved";
    return *why ? disk_fail(r, n, CV_E_UNSUPPORTED, err, d->vdev, why) : 0;
}

static int read_disk(struct cv_reader *r, unsigned n, const char *spec, struct cv_error *err)
{
    char plain[2048];
    const char *one = plain;
    libxl_device_disk disk;
    int model;

    if (take_model(spec, plain, sizeof plain, &model) < 0)
        return disk_fail(r, n, CV_E_INVALID, err, spec, "model must be one of ide, ahci, virtio-blk, nvme, given once");
    libxl_device_disk_init(&disk);
    libxl_defbool_setdefault(&disk.colo_enable, false);
    int rc = xlu_disk_parse(r->cfg, 1, &one, &disk);
    const char *complaint = cv_reader_reported(r);
    if (rc != 0)
        rc = disk_fail(r, n, CV_E_INVALID, err, spec, *complaint ? complaint : "bad disk syntax");
    else
        rc = convert(r, n, spec, &disk, model, err);
    libxl_device_disk_dispose(&disk);
    return rc;
}

int cv_config_read_disks(struct cv_reader *r, struct cv_error *err)
{
    struct cv_strings specs = { 0 };
    const char *hdtype = "ide";

    if (cv_reader_string(r, "hdtype", &hdtype, err) < 0)
        return -1;
    if (strcmp(hdtype, "ide") != 0 && strcmp(hdtype, "ahci") != 0)
        return cv_reader_fail(r, "hdtype", CV_E_INVALID, err, "'%s' must be ide or ahci", hdtype);
    r->hd_on_ahci = strcmp(hdtype, "ahci") == 0;

    if (cv_reader_strings(r, "disk", &specs, err) < 0)
        return -1;
    if (specs.count > CV_CONFIG_DISKS_MAX)
        return cv_reader_fail(r, "disk", CV_E_UNSUPPORTED, err, "more than %d disks", CV_CONFIG_DISKS_MAX);
    for (unsigned n = 0; n < specs.count; n++) {
        if (cv_reader_keep(r, read_disk(r, n, specs.items[n], err), err) < 0) {
            r->c->disks[n] = (struct cv_config_disk){ .vdev = "" };
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            if (strcmp(r->c->disks[i].vdev, r->c->disks[n].vdev) == 0)
                return disk_fail(r, n, CV_E_INVALID, err, specs.items[n], "another disk has the same vdev");
        r->c->disk_count = n + 1;
    }
    return 0;
}
