/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of host/xen: the handles, and which file owns which call.  Nothing outside of this folder includes it. */
#ifndef CONVOY_HOST_XEN_XEN_H
#define CONVOY_HOST_XEN_XEN_H

#include <pthread.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenguest.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "base/log.h"
#include "host/host.h"

struct xen_host {
    struct cv_host base;
    xentoollog_logger *logger;     /* ours (log.c): keeps the last error line of Xen's libraries */
    xc_interface *xc;              /* coordinator thread only */
    xenforeignmemory_handle *fmem; /* thread-safe */
    struct xs_handle *xs;          /* requests */
    struct cv_sink *sink;          /* borrowed, may be NULL */
    uint64_t canary;               /* dirty.c: gfn, of the domain whose log is on; 0 = none */
    struct xs_handle *watches;     /* opened on first use: @releaseDomain, and watch_path's */
};

static inline struct xen_host *xen_host(struct cv_host *h)
{
    return (struct xen_host *)((char *)h - offsetof(struct xen_host, base));
}

/* log.c */
xentoollog_logger *xen_logger_new(struct cv_sink *sink);
/* Fails with CV_E_HYPERVISOR, sys = errno at the time of the call, and the last ERROR line that a Xen library
 * logged since the previous xen_fail: it usually says what errno does not. */
int xen_fail(struct xen_host *x, struct cv_error *err, const char *fmt, ...) CV_PRINTF(3, 4);
int xen_fail_as(struct xen_host *x, enum cv_code code, int sys, struct cv_error *err, const char *fmt, ...)
    CV_PRINTF(5, 6);

/* domain.c */
int xen_facts(struct cv_host *h, struct cv_host_facts *out, struct cv_error *err);
int xen_find(struct cv_host *h, const char *who, struct cv_domain_info *out, struct cv_error *err);
int xen_info(struct cv_host *h, uint32_t domid, struct cv_domain_info *out, struct cv_error *err);
int xen_peek(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user, struct cv_error *err);
int xen_list(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user, struct cv_error *err);
int xen_destroy(struct cv_host *h, uint32_t domid, struct cv_error *err);
int xen_set_max_pages(struct cv_host *h, uint32_t domid, uint64_t pages, struct cv_error *err);
/* Refuses (CV_E_UNSUPPORTED) when Xen could not give a page to each place where the guest expects one. */
int xen_check_pod(struct xen_host *x, uint32_t domid, struct cv_error *err);
int xen_rename(struct cv_host *h, uint32_t domid, const char *name, struct cv_error *err);
int xen_pause(struct cv_host *h, uint32_t domid, struct cv_error *err);
int xen_unpause(struct cv_host *h, uint32_t domid, struct cv_error *err);
int xen_shutdown(struct cv_host *h, uint32_t domid, int reason, struct cv_error *err);
int xen_dump(struct cv_host *h, uint32_t domid, const char *path, struct cv_error *err);
int xen_sched_cap(struct cv_host *h, uint32_t domid, unsigned percent, unsigned *before_out, struct cv_error *err);
/* The state alone, without a word from xenstore: 1 = suspended, 0 = not, -1: gone, dying or stopped otherwise. */
int xen_is_suspended(struct xen_host *x, uint32_t domid, struct cv_error *err);

/* create.c, skeleton.c, build.c */
int xen_create(struct cv_host *h, struct cv_domain_spec *spec, uint32_t *domid_out, struct cv_error *err);
int xen_skeleton_write(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, uint32_t store_port,
                       uint32_t console_port, struct cv_error *err);
int xen_skeleton_remove(struct xen_host *x, uint32_t domid, struct cv_error *err);
int xen_build(struct cv_host *h, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err);
/* Rings into xenstore, and the domain introduced to xenstored. */
int xen_introduce_rings(struct xen_host *x, uint32_t domid, uint64_t store_gfn, uint64_t console_gfn,
                        struct cv_error *err);
/* The ports that create allocated, as kept in xenstore. */
int xen_ports(struct xen_host *x, uint32_t domid, uint32_t *store_port, uint32_t *console_port, struct cv_error *err);

/* make.c */
int xen_make(struct cv_host *h, const struct cv_domain_spec *spec, const char *config, struct cv_cancel *cancel,
             uint32_t *domid_out, struct cv_error *err);

/* devices.c */
int xen_devices_add(struct cv_host *h, uint32_t domid, const char *config, struct cv_cancel *cancel,
                    struct cv_error *err);
int xen_devices_now(struct cv_host *h, uint32_t domid, char **config_out, struct cv_error *err);
int xen_devices_list(struct cv_host *h, uint32_t domid, char **list_out, struct cv_error *err);
int xen_devices_settle(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_error *err);
/* All of them, with their scripts, as far as it goes; the domain is there, paused. */
int xen_devices_remove(struct xen_host *x, uint32_t domid, struct cv_error *err);
/* What libxl keeps of domains of this number and uuid (NULL: any) in files, and what is left of back ends. */
int xen_devices_forget(struct xen_host *x, uint32_t domid, struct cv_error *err);

/* orphans.c */
int xen_release_orphans(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err);

/* suspend.c */
int xen_event_msis(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err);
int xen_check_saveable(struct cv_host *h, uint32_t domid, struct cv_error *err);
int xen_suspend(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err);
int xen_resume(struct cv_host *h, uint32_t domid, struct cv_error *err);
int xen_watch_fd(struct cv_host *h, int *fd_out, struct cv_error *err);
int xen_watch_path(struct cv_host *h, const char *path, struct cv_error *err);
void xen_watch_drain(struct cv_host *h);

/* pages.c, sink.c, dirty.c */
int xen_pfn_count(struct cv_host *h, uint32_t domid, uint64_t *count_out, struct cv_error *err);
int xen_populated(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, uint64_t *pages_out,
                  int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err);
int xen_page_source(struct cv_host *h, uint32_t domid, struct cv_page_source **out, struct cv_error *err);
void xen_page_source_free(struct cv_host *h, struct cv_page_source *s);
int xen_page_sink(struct cv_host *h, uint32_t domid, struct cv_page_sink **out, struct cv_error *err);
void xen_page_sink_free(struct cv_host *h, struct cv_page_sink *s);
int xen_dirty_log(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err);
int xen_dirty_take(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, bool final,
                   struct cv_dirty_stats *stats, struct cv_error *err);

int xen_write_memory(struct cv_host *h, uint32_t domid, uint64_t address, const void *data, size_t len,
                     struct cv_error *err);

/* state.c, policy.c */
int xen_get_cpu_policy(struct cv_host *h, uint32_t domid, struct cv_cpu_policy *out, struct cv_error *err);
int xen_set_cpu_policy(struct cv_host *h, uint32_t domid, const struct cv_cpu_policy *policy, struct cv_error *err);
int xen_check_cpu_policy(struct cv_host *h, const struct cv_cpu_policy *policy, struct cv_error *err);
int xen_get_state(struct cv_host *h, uint32_t domid, struct cv_guest_state *out, struct cv_error *err);
int xen_set_state(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err);
int xen_introduce(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err);

/* store.c */
#define XEN_XS_PATH_MAX 256
int xen_xs_read(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
int xen_xs_write(struct cv_host *h, const char *path, const char *value, struct cv_error *err);
int xen_xs_take(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
int xen_xs_remove(struct cv_host *h, const char *path, struct cv_error *err);
int xen_xs_list(struct cv_host *h, const char *path, struct cv_buf *names, size_t *count, struct cv_error *err);
/* printf-style write inside a transaction (XBT_NULL: none). */
int xen_xs_printf(struct xen_host *x, xs_transaction_t t, struct cv_error *err, const char *path, const char *fmt, ...)
    CV_PRINTF(5, 6);

/* Id of a cpupool by name or number; "" is dom0's. */
int xen_cpupool(struct xen_host *x, const char *wanted, uint32_t *id_out, struct cv_error *err);
/* Affinities, weight and cap of a new domain. */
int xen_schedule(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err);

#endif
