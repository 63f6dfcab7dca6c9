/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PV devices, by libxl: hotplug scripts, driver domains, locks and what xl shows are its business, and its users rely
 * on them. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "host/xen/session.h"

#define RECORD "libxl-json" /* userdata that libxl keeps up to date itself, once it is there */

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static int refuse_others(const libxl_domain_config *c, struct cv_error *err)
{
    const struct {
        int count;
        const char *what;
    } kinds[] = { { c->num_pcidevs, "passed-through PCI devices" },
                  { c->num_dtdevs, "device tree devices" },
                  /* (libxl makes none for an HVM guest, whose display libvirt names here too) */
                  { c->c_info.type == LIBXL_DOMAIN_TYPE_HVM ? 0 : c->num_vfbs, "PV frame buffers" },
                  { c->num_vtpms, "virtual TPMs" },
                  { c->num_p9s, "9pfs shares" },
                  { c->num_pvcallsifs, "PV calls" },
                  { c->num_vdispls, "PV displays" },
                  { c->num_vsnds, "PV sound cards" },
                  { c->num_channels, "channels" },
                  { c->num_usbctrls, "PV USB controllers" },
                  { c->num_usbdevs, "USB devices" } };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].count > 0)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest has %s, which are not supported", kinds[i].what);
    return 0;
}

/* The record without devices: each adds itself. */
static int store_record(struct xen_session *s, libxl_domain_config *c, struct cv_error *err)
{
    libxl_domain_config bare = *c;

    bare.disks = NULL;
    bare.nics = NULL;
    bare.vkbs = NULL;
    bare.num_disks = bare.num_nics = bare.num_vkbs = 0;
    char *text = libxl_domain_config_to_json(s->ctx, &bare);
    if (text == NULL)
        return xen_session_fail(s, err, "the domain's configuration");
    int rc = libxl_userdata_store(s->ctx, s->domid, RECORD, (const uint8_t *)text, (int)strlen(text) + 1);
    free(text);
    return rc != 0 ? xen_session_fail(s, err, "tell libxl of the domain") : 0;
}

static int add_disk(struct xen_session *s, libxl_device_disk *d, struct cv_error *err)
{
    char what[300];

    snprintf(what, sizeof what, "disk %s (%s)", d->vdev, d->pdev_path ? d->pdev_path : "empty");
    return XEN_SESSION_RUN(s, libxl_device_disk_add, d) != 0 ? xen_session_fail(s, err, what) : 0;
}

static int add_nic(struct xen_session *s, libxl_device_nic *n, struct cv_error *err)
{
    char what[64];

    snprintf(what, sizeof what, "network card %d (bridge %.20s)", n->devid, n->bridge ? n->bridge : "-");
    return XEN_SESSION_RUN(s, libxl_device_nic_add, n) != 0 ? xen_session_fail(s, err, what) : 0;
}

/* libxl gives every HVM guest that it makes a keyboard of its own accord, and must not find it in the record, too: what
 * they have added to it goes again, before anything else is in it. */
static int add_vkbs(struct xen_session *s, libxl_domain_config *c, struct cv_error *err)
{
    for (int i = 0; i < c->num_vkbs; i++)
        if (XEN_SESSION_RUN(s, libxl_device_vkb_add, &c->vkbs[i]) != 0)
            return xen_session_fail(s, err, "PV keyboard");
    return c->num_vkbs > 0 ? store_record(s, c, err) : 0;
}

static int add_all(struct xen_session *s, libxl_domain_config *c, struct cv_error *err)
{
    if (refuse_others(c, err) < 0 || store_record(s, c, err) < 0 || add_vkbs(s, c, err) < 0)
        return -1;
    for (int i = 0; i < c->num_disks; i++)
        if (cv_cancel_check(s->cancel, err) < 0 || add_disk(s, &c->disks[i], err) < 0)
            return -1;
    for (int i = 0; i < c->num_nics; i++)
        if (cv_cancel_check(s->cancel, err) < 0 || add_nic(s, &c->nics[i], err) < 0)
            return -1;
    return 0;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

static int remove_disks(struct xen_session *s, struct cv_error *err)
{
    int n = 0, rc = 0;
    libxl_device_disk *list = libxl_device_disk_list(s->ctx, s->domid, &n);

    for (int i = 0; i < n; i++)
        if (XEN_SESSION_RUN(s, libxl_device_disk_destroy, &list[i]) != 0)
            rc = xen_session_fail(s, cv_if_first(err, rc), "take a PV disk down");
    libxl_device_disk_list_free(list, n);
    return rc;
}

static int remove_nics(struct xen_session *s, struct cv_error *err)
{
    int n = 0, rc = 0;
    libxl_device_nic *list = libxl_device_nic_list(s->ctx, s->domid, &n);

    for (int i = 0; i < n; i++)
        if (XEN_SESSION_RUN(s, libxl_device_nic_destroy, &list[i]) != 0)
            rc = xen_session_fail(s, cv_if_first(err, rc), "take a PV network card down");
    libxl_device_nic_list_free(list, n);
    return rc;
}

static int remove_vkbs(struct xen_session *s, struct cv_error *err)
{
    int n = 0, rc = 0;
    libxl_device_vkb *list = libxl_device_vkb_list(s->ctx, s->domid, &n);

    for (int i = 0; i < n; i++)
        if (XEN_SESSION_RUN(s, libxl_device_vkb_destroy, &list[i]) != 0)
            rc = xen_session_fail(s, cv_if_first(err, rc), "take a PV keyboard down");
    libxl_device_vkb_list_free(list, n);
    return rc;
}

static int remove_all(struct xen_session *s, struct cv_error *err)
{
    int rc = 0;

    s->cancel = NULL; /* what takes back is not cancelled */
    s->reasons.text[0] = '\0';
    rc |= remove_disks(s, cv_if_first(err, rc));
    rc |= remove_nics(s, cv_if_first(err, rc));
    rc |= remove_vkbs(s, cv_if_first(err, rc));
    return rc != 0 ? -1 : 0;
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

int xen_devices_add(struct cv_host *h, uint32_t domid, const char *config, struct cv_cancel *cancel,
                    struct cv_error *err)
{
    struct cv_error ignored = CV_ERROR_INIT;
    libxl_domain_config c;
    struct xen_session s;

    if (xen_session_begin(&s, xen_host(h), domid, cancel, err) < 0)
        return -1;
    libxl_domain_config_init(&c);
    int rc = libxl_domain_config_from_json(s.ctx, &c, config) != 0
                 ? xen_session_fail(&s, err, "libxl's configuration of the guest")
                 : add_all(&s, &c, err);
    if (rc < 0 && remove_all(&s, &ignored) < 0)
        cv_log(s.x->sink, CV_LOG_WARN, "domain %u: %s", domid, ignored.text);
    libxl_domain_config_dispose(&c);
    xen_session_end(&s);
    return rc;
}

int xen_devices_now(struct cv_host *h, uint32_t domid, char **config_out, struct cv_error *err)
{
    libxl_domain_config c;
    uint8_t *record = NULL;
    struct xen_session s;
    int len = 0, rc = 0;

    *config_out = NULL;
    if (xen_session_begin(&s, xen_host(h), domid, NULL, err) < 0)
        return -1;
    libxl_domain_config_init(&c);
    if (libxl_userdata_retrieve(s.ctx, domid, RECORD, &record, &len) == 0 && len > 0) {
        if (libxl_retrieve_domain_configuration(s.ctx, domid, &c, NULL) != 0)
            rc = xen_session_fail(&s, err, "libxl's configuration of the domain");
        else if ((*config_out = libxl_domain_config_to_json(s.ctx, &c)) == NULL)
            rc = xen_session_fail(&s, err, "libxl's configuration as text");
    }
    free(record);
    libxl_domain_config_dispose(&c);
    xen_session_end(&s);
    return rc;
}

int xen_devices_list(struct cv_host *h, uint32_t domid, char **list_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    CV_AUTO_BUF text = { 0 };
    char path[XEN_XS_PATH_MAX];
    unsigned int kinds = 0, n = 0;

    snprintf(path, sizeof path, "/libxl/%u/device", domid);
    char **kind = xs_directory(x->xs, XBT_NULL, path, &kinds);
    int rc = 0;
    for (unsigned i = 0; i < kinds && rc == 0; i++) {
        snprintf(path, sizeof path, "/libxl/%u/device/%.40s", domid, kind[i]);
        char **dev = xs_directory(x->xs, XBT_NULL, path, &n);
        for (unsigned k = 0; dev != NULL && k < n && rc == 0; k++) {
            char one[96];
            int len = snprintf(one, sizeof one, "%.40s/%.40s ", kind[i], dev[k]);
            rc = cv_buf_append(&text, one, (size_t)len, err);
        }
        free(dev);
    }
    free(kind);
    if (rc < 0 || cv_buf_put_u8(&text, 0, err) < 0)
        return -1;
    *list_out = (char *)cv_buf_take(&text).data;
    return 0;
}

int xen_devices_remove(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    CV_AUTO_FREE char *list = NULL;
    struct xen_session s;

    if (xen_devices_list(&x->base, domid, &list, err) < 0)
        return -1;
    if (*list == '\0')
        return 0;
    if (xen_session_begin(&s, x, domid, NULL, err) < 0)
        return -1;
    int rc = remove_all(&s, err);
    xen_session_end(&s);
    return rc;
}

static int forget_backends(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    unsigned int n = 0;
    char **kind = xs_directory(x->xs, XBT_NULL, "/local/domain/0/backend", &n), path[XEN_XS_PATH_MAX];
    int rc = 0;

    for (unsigned i = 0; kind != NULL && i < n; i++) {
        snprintf(path, sizeof path, "/local/domain/0/backend/%.60s/%u", kind[i], domid);
        rc |= xen_xs_remove(&x->base, path, cv_if_first(err, rc));
    }
    free(kind);
    return rc;
}

int xen_devices_forget(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    char pattern[80];
    glob_t found;

    snprintf(pattern, sizeof pattern, "/var/lib/xen/userdata-?.%u.*", domid);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    return forget_backends(x, domid, err);
}
