/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PVH guest is made by libxl as a whole: its ACPI tables, which tell it of its vCPUs, are made by a library that
 * libxl alone has, and there is no emulator of ours to bring in between. */
#include "host/xen/session.h"

/* With its devices and the QEMU that serves its qdisks. */
static void destroy(struct xen_session *s, uint32_t domid)
{
    struct xen_operation op = { 0 };
    libxl_asyncop_how how = { .callback = xen_operation_done, .u.for_callback = &op };

    s->cancel = NULL; /* what takes back is not cancelled */
    if (xen_session_finish(s, &op, &how, libxl_domain_destroy(s->ctx, domid, &how)) != 0)
        cv_log(s->x->sink, CV_LOG_WARN, "domain %u could not be taken away: %s", domid, s->reasons.text);
}

static int make(struct xen_session *s, libxl_domain_config *c, const char *config, uint32_t *domid_out,
                struct cv_error *err)
{
    struct xen_operation op = { 0 };
    libxl_asyncop_how how = { .callback = xen_operation_done, .u.for_callback = &op };

    if (libxl_domain_config_from_json(s->ctx, c, config) != 0)
        return xen_session_fail(s, err, "libxl's configuration of the guest");
    /* libxl takes back what it has made when it fails. */
    if (xen_session_finish(s, &op, &how, libxl_domain_create_new(s->ctx, c, domid_out, &how, NULL)) != 0)
        return xen_session_fail(s, err, "libxl does not make the domain");
    return 0;
}

int xen_make(struct cv_host *h, const struct cv_domain_spec *spec, const char *config, struct cv_cancel *cancel,
             uint32_t *domid_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    libxl_domain_config c;
    struct xen_session s;
    uint32_t domid = 0;

    if (xen_session_begin(&s, x, 0, cancel, err) < 0)
        return -1;
    libxl_domain_config_init(&c);
    int rc = make(&s, &c, config, &domid, err);
    if (rc == 0 && (rc = xen_schedule(x, domid, spec, err)) < 0)
        destroy(&s, domid);
    libxl_domain_config_dispose(&c);
    xen_session_end(&s);
    if (rc == 0)
        *domid_out = domid;
    return rc < 0 ? cv_context(err, "create '%s'", spec->name) : 0;
}
