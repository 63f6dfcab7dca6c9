/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening the handles, and the table that makes host/xen a host. */
#include <errno.h>
#include <stdlib.h>

#include "host/local.h"
#include "host/xen/xen.h"

static void xen_close(struct cv_host *h)
{
    struct xen_host *x = xen_host(h);

    if (x->watches)
        xs_close(x->watches);
    if (x->xs)
        xs_close(x->xs);
    if (x->fmem)
        xenforeignmemory_close(x->fmem);
    if (x->xc)
        xc_interface_close(x->xc);
    if (x->logger)
        x->logger->destroy(x->logger);
    free(x);
}

static const struct cv_host_ops xen_ops = {
    .name = "xen",
    .close = xen_close,
    .facts = xen_facts,
    .find = xen_find,
    .info = xen_info,
    .list = xen_list,
    .peek = xen_peek,
    .create = xen_create,
    .build = xen_build,
    .introduce = xen_introduce,
    .destroy = xen_destroy,
    .set_max_pages = xen_set_max_pages,
    .rename = xen_rename,
    .pause = xen_pause,
    .unpause = xen_unpause,
    .shutdown = xen_shutdown,
    .release_orphans = xen_release_orphans,
    .sched_cap = xen_sched_cap,
    .make = xen_make,
    .devices_add = xen_devices_add,
    .devices_now = xen_devices_now,
    .devices_list = xen_devices_list,
    .devices_settle = xen_devices_settle,
    .check_saveable = xen_check_saveable,
    .event_msis = xen_event_msis,
    .suspend = xen_suspend,
    .resume = xen_resume,
    .pfn_count = xen_pfn_count,
    .populated = xen_populated,
    .dirty_log = xen_dirty_log,
    .dirty_take = xen_dirty_take,
    .page_source = xen_page_source,
    .page_source_free = xen_page_source_free,
    .page_sink = xen_page_sink,
    .write_memory = xen_write_memory,
    .page_sink_free = xen_page_sink_free,
    .get_cpu_policy = xen_get_cpu_policy,
    .set_cpu_policy = xen_set_cpu_policy,
    .check_cpu_policy = xen_check_cpu_policy,
    .get_state = xen_get_state,
    .set_state = xen_set_state,
    .xs_read = xen_xs_read,
    .xs_write = xen_xs_write,
    .xs_remove = xen_xs_remove,
    .xs_take = xen_xs_take,
    .xs_list = xen_xs_list,
    .dump = xen_dump,
    .watch_fd = xen_watch_fd,
    .watch_drain = xen_watch_drain,
    .watch_path = xen_watch_path,
    .tap = cv_local_tap,
    .bridge = cv_local_bridge,
    .processes = cv_local_processes,
};

int cv_host_open_xen(struct cv_host **h_out, struct cv_sink *log, struct cv_error *err)
{
    struct xen_host *x = calloc(1, sizeof *x);

    if (x == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the host");
    x->base.ops = &xen_ops;
    x->base.dirs = &cv_host_dirs_usual;
    x->sink = log;
    x->logger = xen_logger_new(log);
    if (x->logger == NULL) {
        free(x);
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the host");
    }
    x->xc = xc_interface_open(x->logger, x->logger, 0);
    if (x->xc == NULL) {
        cv_fail(err, CV_E_HYPERVISOR, errno, "cannot talk to Xen: is this a Xen host's dom0, and are you root?");
        goto fail;
    }
    x->fmem = xenforeignmemory_open(x->logger, 0);
    if (x->fmem == NULL) {
        cv_fail(err, CV_E_HYPERVISOR, errno, "cannot open Xen's foreign memory interface");
        goto fail;
    }
    x->xs = xs_open(0);
    if (x->xs == NULL) {
        cv_fail(err, CV_E_HYPERVISOR, errno, "cannot talk to xenstored");
        goto fail;
    }
    *h_out = &x->base;
    return 0;
fail:
    xen_close(&x->base);
    return -1;
}
