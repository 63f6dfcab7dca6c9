/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/version.h"
#include "memory/check.h"
#include "restore/internal.h"
#include "stream-format/bodies.h"

/* Xen needs some memory of its own for a domain: page tables, vcpus, the domain itself. */
#define DOMAIN_OVERHEAD_PAGES 1024u
#define MAXMEM_TIMES 16u /* a guest that can grow beyond the host is odd, and one beyond all hosts is forged */
#define SLACK_PAGES 256u /* special pages and small ROMs, as libxl counts them */

int cv_restore_init(struct cv_restore *r, struct cv_host *host, int fd, const struct cv_restore_options *opt,
                    struct cv_sink *sink, struct cv_error *err)
{
    memset(r, 0, sizeof *r);
    r->g.host = host;
    r->g.sink = sink;
    r->opt = opt;
    r->sink = sink;
    r->fd = fd;
    r->start_ns = cv_now_ns();
    r->start_offset = lseek(fd, 0, SEEK_CUR);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        r->state_fd[i] = -1;
    return cv_cancel_init(&r->fill_cancel, err);
}

void cv_restore_dispose(struct cv_restore *r)
{
    cv_reader_free(r->reader);
    r->reader = NULL;
    cv_buf_dispose(&r->rec.body);
    cv_cpu_policy_dispose(&r->policy);
    cv_guest_state_dispose(&r->state);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&r->state_fd[i]);
    cv_chain_dispose(&r->chain);
    cv_fixed_dispose(&r->fixed);
    cv_cancel_dispose(&r->fill_cancel);
    cv_guest_dispose(&r->g);
}

static int open_reader(struct cv_restore *r, bool defer, struct cv_error *err)
{
    struct cv_reader_options o = { .stall_ms = r->opt->stall_ms,
                                   .cancel = r->opt->cancel,
                                   .defer_hash_of_pages = defer,
                                   .stays_open = r->opt->stays_open,
                                   .accept_features = (r->opt->incremental ? CV_FEATURE_INCREMENTAL : 0) |
                                                      (r->opt->stays_open ? 0 : CV_FEATURE_FIXED_OFFSETS) };

    cv_reader_free(r->reader);
    r->reader = NULL;
    return cv_reader_new(&r->reader, r->fd, &o, err);
}

/* Everything in front of the memory, and the memory's first record, which is kept for later.
 * take NULL: passed over. */
static int pass_head(struct cv_restore *r, int (*take)(struct cv_restore *, struct cv_record *, struct cv_error *),
                     struct cv_error *err)
{
    r->has_pending = false;
    for (;;) {
        struct cv_record *rec = &r->rec;
        int n = cv_reader_next(r->reader, rec, err);

        if (n < 0)
            return -1;
        if (n == 0)
            return cv_fail(err, CV_E_STREAM, 0, "the stream ends before the memory");
        if (rec->known && (rec->type == CV_REC_PAGES || rec->type == CV_REC_PASS_END))
            break;
        if (take != NULL && take(r, rec, err) < 0)
            return -1;
    }
    r->has_pending = true;
    return 0;
}

int cv_restore_read_head(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    (void)deadline_ms;
    if (r->opt->name != NULL && cv_guest_check_name(r->opt->name, err) < 0)
        return -1;
    if (open_reader(r, true, err) < 0 || pass_head(r, cv_restore_take_record, err) < 0)
        return -1;
    if (cv_restore_find_parents(r, err) < 0 || cv_restore_map_disks(r, err) < 0)
        return -1;
    if (r->opt->name != NULL)
        snprintf(r->g.spec.name, sizeof r->g.spec.name, "%s", r->opt->name);
    cv_restore_new_genid(r);
    return 0;
}

/* A file is read twice: hashes run at memory speed and the second reading comes from the page cache, so that a damaged
 * image costs no domain.  What comes through a pipe can be read once only; its faults are found on the way, and the
 * half-made domain, which has not run, is taken away again. */
int cv_restore_verify(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    int64_t begin = cv_now_ns();
    off_t start = (off_t)r->start_offset;
    struct cv_mem_options mem = r->opt->mem;

    (void)deadline_ms;
    mem.cancel = r->opt->cancel;
    if (cv_restore_verify_parents(r, err) < 0)
        return -1;
    if (start < 0)
        return 0;
    if (lseek(r->fd, start, SEEK_SET) < 0 || open_reader(r, false, err) < 0 ||
        cv_memory_check(r->reader, &mem, err) < 0)
        return -1;
    if (lseek(r->fd, start, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind the image");
    r->report.verify_ns = cv_now_ns() - begin;
    /* Again from the start: the head is decoded already, its records are only passed over. */
    if (open_reader(r, true, err) < 0)
        return -1;
    return pass_head(r, NULL, err);
}

/* An older Xen may lack what the guest's state speaks of: libxc refuses it, too, but in the middle. */
static int check_xen(const struct cv_restore *r, const struct cv_host_facts *f, struct cv_error *err)
{
    if (f->version_major > r->xen_major || (f->version_major == r->xen_major && f->version_minor >= r->xen_minor))
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0,
                   "the image comes from Xen %u.%u, and this host has an older one (%s): restore it on a host of that "
                   "release or a newer one",
                   r->xen_major, r->xen_minor, f->hypervisor);
}

/* Each emulator's program reads what its like has saved; most guests have one program for all: asked once. */
static int check_versions(const struct cv_restore *r, struct cv_error *err)
{
    const char *asked = "";
    char here[64] = "";

    for (unsigned i = 0; i < r->g.layout.count; i++) {
        const struct cv_layout_dm *dm = &r->g.layout.dms[i];
        if (dm->role == CV_DM_ATTACHED || *dm->version == '\0')
            continue;
        if (strcmp(asked, dm->model) != 0)
            cv_program_version(asked = dm->model, here, sizeof here);
        if (!cv_version_takes_state(dm->version, here, dm->machine))
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "emulator %u '%s': its state was saved by version %s, which %s, version %s, does not read "
                           "(machine %s)",
                           i, dm->name, dm->version, dm->model, here, dm->machine);
    }
    return 0;
}

/* How far the image's memory reaches, and with what: account is kept of every page. */
static int check_size(const struct cv_restore *r, const struct cv_host_facts *f, struct cv_error *err)
{
    uint64_t explained = cv_layout_pfns(&r->g.layout), at_most = f->total_pages * MAXMEM_TIMES + CV_LAYOUT_PFNS_BEYOND;

    if (explained > at_most)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "the guest may grow to %llu MiB, more than %u times this host's memory (%llu MiB)",
                       (unsigned long long)r->g.layout.max_kib / 1024, MAXMEM_TIMES,
                       (unsigned long long)f->total_pages / 256);
    if (r->pfn_count > explained + CV_LAYOUT_PFNS_BEYOND)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the memory reaches up to page %#llx, and the layout explains %#llx",
                       (unsigned long long)r->pfn_count, (unsigned long long)explained);
    return 0;
}

int cv_restore_check_host(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    struct cv_host *h = r->g.host;
    struct cv_domain_info d;
    struct cv_host_facts f;
    struct cv_error e = CV_ERROR_INIT;

    (void)deadline_ms;
    /* A name from elsewhere becomes part of paths and of what people read. */
    if (r->opt->name == NULL && cv_guest_check_name(r->g.spec.name, err) < 0)
        return cv_context(err, "the image (restore --name gives it another)");
    /* The journals first: where a migration has left the domain of this name, they say what to do. */
    if (!r->opt->handed_over && cv_guest_may_run(&r->g, CV_GATE_NEW, err) < 0)
        return -1;
    if (h->ops->find(h, r->g.spec.name, &d, &e) == 0 && strcmp(d.name, r->g.spec.name) == 0)
        return cv_fail(err, CV_E_BUSY, 0, "a domain named '%s' exists already (domain %u)", d.name, d.domid);
    if (cv_guest_check_trusted(&r->g, r->opt->trust, err) < 0 || cv_guest_check_host(&r->g, err) < 0)
        return -1;
    if (h->ops->facts(h, &f, err) < 0 || check_size(r, &f, err) < 0 || check_xen(r, &f, err) < 0 ||
        check_versions(r, err) < 0)
        return -1;
    uint64_t need = r->owned_pages + DOMAIN_OVERHEAD_PAGES;
    if (f.free_pages < need)
        return cv_fail(err, CV_E_NOMEM, 0, "the guest needs %llu MiB, and the host has %llu MiB free",
                       (unsigned long long)need / 256, (unsigned long long)f.free_pages / 256);
    return 0;
}

int cv_restore_domain(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    struct cv_host *h = r->g.host;
    int64_t begin = cv_now_ns();

    (void)deadline_ms;
    /* The limit may have been raised while the guest was saved, and pages come before we hear of it. */
    uint64_t full = r->g.spec.ram_kib / 4 + r->g.spec.extra_pages + SLACK_PAGES;
    r->g.spec.max_pages = r->max_pages > full ? r->max_pages : full;
    int rc = h->ops->create(h, &r->g.spec, &r->g.domid, err);
    r->g.spec.max_pages = r->max_pages;
    if (rc < 0)
        return -1;
    if (r->has_policy && h->ops->set_cpu_policy(h, r->g.domid, &r->policy, err) < 0)
        return -1;
    r->report.domain_ns = cv_now_ns() - begin;
    return 0;
}

int cv_restore_domain_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    (void)deadline_ms;
    if (r->g.domid == 0)
        return 0;
    int rc = r->g.host->ops->destroy(r->g.host, r->g.domid, err);
    r->g.domid = 0;
    return rc;
}

int cv_restore_states(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    int n;

    (void)deadline_ms;
    /* 0 is a verified END: totals and the digest of the whole stream were right. */
    while ((n = r->has_pending ? 1 : cv_reader_next(r->reader, &r->rec, err)) > 0) {
        r->has_pending = false;
        if (cv_restore_take_record(r, &r->rec, err) < 0)
            return -1;
    }
    if (n < 0)
        return -1;
    r->read_ns = cv_now_ns();
    r->report.bytes = cv_reader_bytes(r->reader);
    r->records = cv_reader_end(r->reader)->records;
    for (unsigned i = 0; i < r->g.layout.count; i++)
        if (!r->state_taken[i])
            return cv_fail(err, CV_E_STREAM, 0, "the device state of emulator %u '%s' is missing", i,
                           r->g.layout.dms[i].name);
    return 0;
}

int cv_restore_impose(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    struct cv_host *h = r->g.host;

    (void)deadline_ms;
    if (cv_restore_put_changes(r, err) < 0 || h->ops->set_state(h, r->g.domid, &r->state, err) < 0)
        return -1;
    if (cv_restore_put_genid(r, err) < 0)
        return -1;
    return h->ops->introduce(h, r->g.domid, &r->state, err);
}

int cv_restore_load(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    if (r->opt->emulator_timeout_ms != 0)
        deadline_ms = cv_after_ms(r->opt->emulator_timeout_ms);
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = r->opt->cancel };
    struct cv_emu_results res;

    int rc = cv_emuset_load_state(&r->g.set, r->state_fd, &w, &res, err);
    r->report.load_ns = res.ns;
    for (unsigned i = 0; i < r->g.layout.count; i++)
        r->report.emulator_load_ns[i] = res.emu[i].ns;
    return rc;
}

static void *impose_thread(void *arg)
{
    struct cv_restore *r = arg;

    r->impose_rc = cv_restore_impose(r, CV_NEVER, &r->impose_error);
    return NULL;
}

int cv_restore_load_and_impose(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    pthread_t thread;

    int sys = pthread_create(&thread, NULL, impose_thread, r);
    if (sys != 0)
        return cv_fail(err, CV_E_NOMEM, sys, "start a thread for Xen's state");
    int rc = cv_restore_load(r, deadline_ms, err);
    pthread_join(thread, NULL);
    return rc == 0 && r->impose_rc < 0 ? cv_fail_as(err, &r->impose_error) : rc;
}

int cv_restore_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = r->opt->cancel };

    /* Again: reading takes minutes, and others make and move guests meanwhile. */
    if (cv_guest_may_run(&r->g, CV_GATE_NEW, err) < 0 || cv_emuset_cont(&r->g.set, &w, NULL, err) < 0)
        return -1;
    if (!r->opt->paused && r->g.host->ops->unpause(r->g.host, r->g.domid, err) < 0)
        return -1;
    r->report.down_ns = cv_now_ns() - r->filled_ns;
    r->report.total_ns = cv_now_ns() - r->start_ns;
    cv_emuset_disconnect(&r->g.set);
    return 0;
}
