/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk = [...]: xl's disk syntax (libxlutil parses it) plus two words of ours, which are taken out before libxlutil
 * sees the string: model= names the emulated controller, pv=0|1 says whether there is a PV half. */
#include <libxl.h>
#include <string.h>
#include <unistd.h>

#include "config/reader.h"

static int disk_fail(struct cv_config_reader *r, unsigned n, enum cv_code code, struct cv_error *err, const char *spec,
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

struct own_words {
    int model; /* enum cv_disk_model, -1 = not given */
    int pv;    /* 0, 1, -1 = not given */
};

/* 1: the word was one of ours, 0: it is libxlutil's. -1: ours, but wrong. */
static int take_word(const char *word, struct own_words *own)
{
    enum cv_disk_model m;

    if (strncmp(word, "pv=", 3) == 0) {
        bool good = own->pv < 0 && (word[3] == '0' || word[3] == '1') && strcspn(word + 4, ", \t\n") == 0;
        own->pv = word[3] == '1';
        return good ? 1 : -1;
    }
    if (strncmp(word, "model=", 6) != 0)
        return 0;
    if (own->model >= 0 || !model_of(word + 6, strcspn(word + 6, ","), &m))
        return -1;
    own->model = (int)m;
    return 1;
}

/* Copies spec to plain without our own words (only in front of target=, which takes the rest as it is). */
static int take_own_words(const char *spec, char *plain, size_t room, struct own_words *own)
{
    const char *p = spec;
    size_t at = 0;

    *own = (struct own_words){ -1, -1 };
    while (*p) {
        const char *word = p + strspn(p, " \t\n");
        if (strncmp(word, "target=", 7) == 0)
            break;
        size_t len = strcspn(p, ",") + (p[strcspn(p, ",")] == ',');
        int mine = take_word(word, own);
        if (mine < 0 || (mine == 0 && at + len >= room))
            return -1;
        if (mine == 0) {
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
    if (d->backend != LIBXL_DISK_BACKEND_UNKNOWN && d->backend != LIBXL_DISK_BACKEND_PHY &&
        d->backend != LIBXL_DISK_BACKEND_QDISK)
        return "backendtype is phy or qdisk";
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
static const char *absolute_target(struct cv_config_reader *r, const char *path)
{
    const char *dev = cv_pool_printf(&r->c->pool, "/dev/%s", path);

    if (*path != '\0' && *path != '/' && access(path, F_OK) < 0 && access(dev, F_OK) == 0)
        return dev;
    return cv_reader_absolute(r, path);
}

/* No emulator of ours could open it. */
static bool elsewhere(const struct cv_config_disk *d) { return *d->script || *d->backend_domain; }
static char letter_of(const struct cv_config_disk *d) { return d->vdev[strlen(d->vdev) - 1]; }
static bool named(const struct cv_config_disk *d, const char *prefix)
{
    return strncmp(d->vdev, prefix, strlen(prefix)) == 0;
}

/* xl: the first letters of any name have a place on the chipset's IDE (or AHCI); the others are PV only. */
static bool on_chipset(const struct cv_config_reader *r, const struct cv_config_disk *d)
{
    return named(d, "hd") || (named(d, "xvd") && letter_of(d) <= (r->hd_on_ahci ? 'f' : 'd'));
}

/* Which controller a device name means when no model= is given; CV_DISK_UNDECIDED: none, the disk is PV only.
 * -1 and *why otherwise. */
static int standard_model(struct cv_config_reader *r, const struct cv_config_disk *d, const char **why)
{
    if (named(d, "sd")) {
        *why = "emulated SCSI disks are not supported; model=ahci, virtio-blk or nvme names another controller";
        return -1;
    }
    if (d->owner > 0 && !named(d, "hd"))
        return CV_DISK_VIRTIO_BLK;
    if (!on_chipset(r, d) || (d->owner == 0 && elsewhere(d)))
        return CV_DISK_UNDECIDED;
    return r->hd_on_ahci ? CV_DISK_AHCI : CV_DISK_IDE;
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
    char letter = letter_of(d);

    if (!d->cdrom && d->path[0] == '\0')
        return "only a CD-ROM drive can be empty";
    if (!d->emulated)
        return d->cdrom ? "a CD-ROM drive is emulated: hda to hdd" : "";
    if (d->model == CV_DISK_IDE && (named(d, "sd") || letter > 'd'))
        return "the chipset's IDE has room for hda to hdd only";
    if (d->model == CV_DISK_AHCI && named(d, "hd") && letter > 'f')
        return "hda to hdf fit on AHCI";
    if (d->cdrom && d->model != CV_DISK_IDE && d->model != CV_DISK_AHCI)
        return "a CD-ROM drive is on ide or ahci";
    if (d->readonly && !d->cdrom && (d->model == CV_DISK_IDE || d->model == CV_DISK_AHCI))
        return "IDE and AHCI disks cannot be read-only (xl refuses it too); virtio-blk and nvme can";
    return "";
}

static const char *backend_of(const libxl_device_disk *d)
{
    return d->backend == LIBXL_DISK_BACKEND_PHY ? "phy" : d->backend == LIBXL_DISK_BACKEND_QDISK ? "qdisk" : "";
}

static int convert(struct cv_config_reader *r, unsigned n, const char *spec, const libxl_device_disk *d,
                   const struct own_words *own, struct cv_error *err)
{
    struct cv_pool *pool = &r->c->pool;
    struct cv_config_disk *out = &r->c->disks[n];
    const char *why = refusal(d);

    if (*why)
        return disk_fail(r, n, CV_E_UNSUPPORTED, err, spec, why);
    out->vdev = cv_pool_string(pool, d->vdev);
    out->path = cv_pool_string(pool, d->format == LIBXL_DISK_FORMAT_EMPTY ? "" : d->pdev_path);
    out->script = cv_pool_string(pool, d->script ? d->script : "");
    out->backend_domain = cv_pool_string(pool, d->backend_domname ? d->backend_domname : "");
    out->backend = backend_of(d);
    /* What a script or another domain makes of the text is its own business. */
    if (!elsewhere(out))
        out->path = absolute_target(r, out->path);
    out->format = format_of(d);
    out->cdrom = d->is_cdrom;
    out->readonly = !d->readwrite || d->is_cdrom;
    out->discard =
        !out->readonly && (libxl_defbool_is_default(d->discard_enable) || libxl_defbool_val(d->discard_enable));
    out->removable = d->removable && !d->is_cdrom;
    out->direct_io_safe = d->direct_io_safe;
    out->owner = -1;
    if (out->format == NULL || !good_vdev(out->vdev))
        return disk_fail(r, n, CV_E_INVALID, err, spec, "vdev must be hda..hdz, sda..sdz or xvda..xvdz");
    out->model = own->model < 0 ? CV_DISK_UNDECIDED : (enum cv_disk_model)own->model;
    r->disk_pv[n] = (signed char)own->pv;
    if (*out->backend || *out->script || *out->backend_domain || out->removable || out->direct_io_safe)
        r->disk_pv_words |= 1u << n;
    return 0;
}

/* The rule on halves (convoy.cfg(5)): what the default emulator has on its chipset is PV too, as in xl, because its
 * platform device unplugs the emulated half of a guest that takes the PV one; nothing can unplug what a secondary one
 * has.  "" or why the configuration cannot have what it asks for. */
static const char *settle_halves(struct cv_config_reader *r, unsigned n, bool model_given)
{
    struct cv_config_disk *d = &r->c->disks[n];
    bool asked = r->disk_pv[n] == 1 || (r->disk_pv[n] < 0 && (r->disk_pv_words >> n & 1));

    if (d->owner > 0 && asked)
        return "a secondary emulator's disk has no PV half: nothing could unplug the emulated one, and the guest would "
               "see the disk twice";
    /* Without a platform device the guest would find both halves. */
    bool usual = !d->emulated || asked || (!model_given && r->c->xen_platform_pci);
    d->pv = r->disk_pv[n] >= 0 ? r->disk_pv[n] == 1 : d->owner == 0 && !d->cdrom && usual;
    if (d->cdrom && d->pv)
        return "a CD-ROM drive has no PV half";
    if (!d->emulated && !d->pv)
        return "pv=0 leaves nothing of a PV disk; model=virtio-blk, ahci or nvme makes an emulated one of it";
    if (d->emulated && elsewhere(d))
        return "what is in another domain or behind a script only PV drivers can reach";
    return "";
}

/* libxl has a QEMU serve it; which one, the QEMUs decide by themselves: each that sees the nodes.  Those that convoy
 * starts are restricted to the domain by then and see none but the default one; one that is attached is what it is. */
static const char *served_twice(const struct cv_guest_config *c, const struct cv_config_disk *d)
{
    bool attached = false;

    for (unsigned i = 0; i < c->dm_count; i++)
        attached = attached || c->dms[i].attach;
    bool qemu = !elsewhere(d) && (strcmp(d->backend, "qdisk") == 0 || strcmp(d->format, "raw") != 0);
    if (!attached || !d->pv || !qemu)
        return "";
    return "its PV half is served by a QEMU, and an emulator that is attached might serve it a second time: take a raw "
           "image, or pv=0";
}

/* Its name asks for the PV disk, so that much can be had (xl starts no emulator with it). */
static bool is_readonly_xvd(const struct cv_config_disk *d, int model)
{
    return d->owner == 0 && d->readonly && !d->cdrom && strncmp(d->vdev, "xvd", 3) == 0 &&
           (model == CV_DISK_IDE || model == CV_DISK_AHCI);
}

int cv_config_settle_disk(struct cv_config_reader *r, unsigned n, struct cv_error *err)
{
    struct cv_config_disk *d = &r->c->disks[n];
    bool model_given = d->model != CV_DISK_UNDECIDED;
    const char *why = "";
    int model = d->model;

    if (r->c->pvh && (model_given || d->cdrom))
        return disk_fail(r, n, CV_E_UNSUPPORTED, err, d->vdev,
                         d->cdrom ? "a PVH guest has no CD-ROM drive"
                                  : "a PVH guest has no emulated controller (model=)");
    if (!model_given && !r->c->pvh)
        model = standard_model(r, d, &why);
    if (model < 0)
        return disk_fail(r, n, CV_E_UNSUPPORTED, err, d->vdev, why);
    if (!model_given && is_readonly_xvd(d, model)) {
        cv_reader_warn(r, "disk",
                       "%s is read-only, which an emulated IDE or AHCI disk cannot be: only PV drivers see it",
                       d->vdev);
        model = CV_DISK_UNDECIDED;
    }
    d->model = (enum cv_disk_model)model;
    d->emulated = d->model != CV_DISK_UNDECIDED;
    why = settle_halves(r, n, model_given);
    if (!*why)
        why = served_twice(r->c, d);
    if (!*why)
        why = place_refusal(d);
    if (!*why && d->model == CV_DISK_IDE && d->owner > 0)
        why = "the chipset's IDE stays with the default emulator; model=ahci, virtio-blk or nvme can be moved";
    return *why ? disk_fail(r, n, CV_E_UNSUPPORTED, err, d->vdev, why) : 0;
}

/* "" or why two disks cannot stand side by side. */
static const char *clash(const struct cv_config_disk *a, const struct cv_config_disk *b)
{
    bool ide = a->emulated && b->emulated && a->model == CV_DISK_IDE && b->model == CV_DISK_IDE;

    if (ide && letter_of(a) == letter_of(b))
        return "another disk has the same place on the chipset's IDE";
    if (*a->path && strcmp(a->path, b->path) == 0 && !(a->readonly && b->readonly))
        return "another disk of this guest has the same image: the guest would see it twice";
    return "";
}

int cv_config_check_disks(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;

    for (unsigned n = 0; n < c->disk_count; n++)
        for (unsigned i = 0; i < n; i++) {
            const char *why = clash(&c->disks[i], &c->disks[n]);
            if (*why)
                return disk_fail(r, n, CV_E_INVALID, err, c->disks[n].vdev, why);
        }
    return 0;
}

static int read_disk(struct cv_config_reader *r, unsigned n, const char *spec, struct cv_error *err)
{
    char plain[2048];
    const char *one = plain;
    libxl_device_disk disk;
    struct own_words own;

    if (take_own_words(spec, plain, sizeof plain, &own) < 0)
        return disk_fail(r, n, CV_E_INVALID, err, spec,
                         "model must be one of ide, ahci, virtio-blk, nvme, and pv 0 or 1, each given once");
    libxl_device_disk_init(&disk);
    libxl_defbool_setdefault(&disk.colo_enable, false);
    int rc = xlu_disk_parse(r->cfg, 1, &one, &disk);
    const char *complaint = cv_reader_reported(r);
    if (rc != 0)
        rc = disk_fail(r, n, CV_E_INVALID, err, spec, *complaint ? complaint : "bad disk syntax");
    else
        rc = convert(r, n, spec, &disk, &own, err);
    libxl_device_disk_dispose(&disk);
    return rc;
}

int cv_config_read_disks(struct cv_config_reader *r, struct cv_error *err)
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
