/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between fake_host.c and the files beside it that have its calls: memory, devices, xenstore, the local ones. */
#ifndef CONVOY_TESTS_FAKE_HOST_INTERNAL_H
#define CONVOY_TESTS_FAKE_HOST_INTERNAL_H

#include "tests/support/fake_host.h"

static inline struct fake_host *fake(struct cv_host *h) { return (struct fake_host *)h; }

/* Aborts, naming what was broken. */
void fake_contract(bool ok, const char *what);
/* Counts a call of that name; -1 with err when it is the one that is to fail. */
int fake_trip(struct fake_host *f, const char *name, struct cv_error *err);
#define TRIP(h, err)                               \
    do {                                           \
        if (fake_trip(fake(h), __func__, err) < 0) \
            return -1;                             \
    } while (0)
/* One that exists. */
struct fake_domain *fake_domain_of(struct cv_host *h, uint32_t domid);

/* fake_memory.c: the members of struct cv_host_ops that are about memory */
int fake_pfn_count(struct cv_host *h, uint32_t domid, uint64_t *count_out, struct cv_error *err);
int fake_populated(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, uint64_t *pages_out,
                   int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err);
int fake_dirty_log(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err);
int fake_dirty_take(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, bool final,
                    struct cv_dirty_stats *stats, struct cv_error *err);
int fake_page_source(struct cv_host *h, uint32_t domid, struct cv_page_source **out, struct cv_error *err);
void fake_page_source_free(struct cv_host *h, struct cv_page_source *s);
int fake_write_memory(struct cv_host *h, uint32_t domid, uint64_t address, const void *data, size_t len,
                      struct cv_error *err);
int fake_page_sink(struct cv_host *h, uint32_t domid, struct cv_page_sink **out, struct cv_error *err);
void fake_page_sink_free(struct cv_host *h, struct cv_page_sink *s);

/* fake_devices.c: those about PV devices */
int fake_devices_add(struct cv_host *h, uint32_t domid, const char *config, struct cv_cancel *cancel,
                     struct cv_error *err);
int fake_devices_now(struct cv_host *h, uint32_t domid, char **config_out, struct cv_error *err);
int fake_devices_list(struct cv_host *h, uint32_t domid, char **list_out, struct cv_error *err);
int fake_devices_settle(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_error *err);

/* fake_store.c: xenstore */
int fake_xs_read(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
int fake_xs_write(struct cv_host *h, const char *path, const char *value, struct cv_error *err);
int fake_xs_remove(struct cv_host *h, const char *path, struct cv_error *err);
int fake_xs_take(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
int fake_xs_list(struct cv_host *h, const char *path, struct cv_buf *names, size_t *count, struct cv_error *err);

/* fake_local.c: this host's network and processes */
int fake_tap(struct cv_host *h, const char *ifname, const char *bridge, struct cv_error *err);
int fake_bridge(struct cv_host *h, const char *name, struct cv_error *err);
int fake_processes(struct cv_host *h, int (*each)(void *user, int pid), void *user, struct cv_error *err);

#endif
