/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory streams in on a thread of its own, while the coordinator starts the emulators. */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "guest/devices.h"
#include "restore/internal.h"
#include "stream-format/bodies.h"

/* What the area holds is said behind the last pass.  The record that follows stays for who reads on. */
static int fill_from_area(struct cv_restore *r, struct cv_loader *loader, struct cv_error *err)
{
    struct cv_record *rec = &r->rec;

    for (;;) {
        int n = cv_reader_next(r->reader, rec, err);

        if (n < 0)
            return -1;
        if (n == 0)
            return cv_fail(err, CV_E_STREAM, 0, "the stream ends behind the memory");
        if (rec->raw_type == CV_REC_PAGE_HASHES) {
            if (cv_loader_record(loader, rec, err) < 0)
                return -1;
        } else if (!(rec->raw_type & CV_RECORD_OPTIONAL)) {
            r->has_pending = true;
            return cv_loader_end(loader, err);
        }
    }
}

static int fill_pages(struct cv_restore *r, struct cv_loader *loader, struct cv_error *err)
{
    for (;;) {
        struct cv_record *rec = &r->rec;
        int n = r->has_pending ? 1 : cv_reader_next(r->reader, rec, err);

        r->has_pending = false;
        if (n < 0)
            return -1;
        if (n == 0)
            return cv_fail(err, CV_E_STREAM, 0, "the stream ends within the memory");
        if (rec->type == CV_REC_PAGES && rec->known) {
            if (cv_loader_record(loader, rec, err) < 0)
                return -1;
            continue;
        }
        if (rec->type != CV_REC_PASS_END || !rec->known)
            continue;
        struct cv_rec_pass_end end;
        if (cv_rec_pass_end_decode(&end, rec->body.data, rec->body.len, err) < 0)
            return cv_record_context(rec, err);
        /* A page may come again: what came before it must be in place, and as much of it as was announced. */
        if (cv_loader_pass_end(loader, rec, err) < 0)
            return -1;
        if (end.flags & CV_PASS_LAST)
            return cv_fixed_is_open(&r->fixed) ? fill_from_area(r, loader, err) : 0;
        if (r->opt->pass_filled != NULL && r->opt->pass_filled(r->opt->user, cv_reader_bytes(r->reader), err) < 0)
            return -1;
    }
}

int cv_restore_fill_memory(struct cv_restore *r, struct cv_error *err)
{
    struct cv_page_sink *sink = NULL;
    struct cv_loader *loader = NULL;
    struct cv_mem_options mem = r->opt->mem;
    struct cv_host *host = r->g.host;

    mem.cancel = &r->fill_cancel;
    mem.fixed = cv_fixed_is_open(&r->fixed) ? &r->fixed : NULL;
    if (host->ops->page_sink(host, r->g.domid, &sink, err) < 0)
        return -1;
    int rc = cv_loader_new(&loader, sink, r->pfn_count, &mem, err);
    if (rc == 0)
        rc = cv_restore_fill_parents(r, sink, &mem, err);
    if (rc == 0) {
        rc = fill_pages(r, loader, err);
        r->report.mem = *cv_loader_stats(loader);
    }
    cv_loader_free(loader);
    host->ops->page_sink_free(host, sink);
    r->filled_ns = cv_now_ns();
    return rc;
}

static void *fill_thread(void *arg)
{
    struct cv_restore *r = arg;
    int64_t begin = cv_now_ns();

    r->fill_rc = cv_restore_fill_memory(r, &r->fill_error);
    r->report.fill_ns = cv_now_ns() - begin;
    return NULL;
}

static void join(struct cv_restore *r)
{
    if (r->thread_started)
        pthread_join(r->thread, NULL);
    r->thread_started = false;
}

/* Hotplug scripts take seconds: while memory streams in, they cost no down time.  The emulators have started, so that
 * none but the default one sees the nodes of what it has to serve. */
static int add_devices(struct cv_restore *r, struct cv_error *err)
{
    int64_t begin = cv_now_ns();
    int rc = cv_guest_devices_add(&r->g, r->opt->cancel, err);

    r->report.devices_ns = cv_now_ns() - begin;
    return rc < 0 ? cv_context(err, "PV devices") : 0;
}

int cv_restore_fill(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;
    int64_t begin = cv_now_ns();

    int sys = pthread_create(&r->thread, NULL, fill_thread, r);
    if (sys != 0)
        return cv_fail(err, CV_E_NOMEM, sys, "start a thread for the memory");
    r->thread_started = true;
    int rc = cv_guest_start_emulators(&r->g, r->opt->late_disks ? CV_SPAWN_INCOMING_LATE : CV_SPAWN_INCOMING,
                                      deadline_ms, r->opt->cancel, err);
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = r->opt->cancel };
    if (rc == 0)
        rc = cv_restore_make_state_files(r, err);
    if (rc == 0)
        rc = cv_emuset_prepare_load(&r->g.set, r->opt->late_disks, r->state_fd, &w, err);
    /* xenstore is slow (milliseconds a node): written here, it costs no down time. */
    if (rc == 0)
        rc = cv_guest_nodes_write(&r->g, err);
    if (rc == 0)
        rc = cv_guest_consoles_write(&r->g, deadline_ms, r->opt->cancel, err);
    r->report.emulators_ns = cv_now_ns() - begin;
    if (rc == 0)
        rc = add_devices(r, err);
    if (rc == 0 && r->opt->prepared != NULL)
        r->opt->prepared(r->opt->user);
    if (rc < 0)
        cv_cancel_request(&r->fill_cancel);
    join(r);
    if (rc == 0 && r->fill_rc < 0) {
        cv_fail_as(err, &r->fill_error);
        rc = cv_context(err, "memory");
    }
    return rc;
}

int cv_restore_fill_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_restore *r = op;

    (void)deadline_ms;
    cv_cancel_request(&r->fill_cancel);
    join(r);
    return cv_guest_kill_emulators(&r->g, err);
}
