/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory streams in on a thread of its own: beside it the coordinator prepares the rest (prepare.c). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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

static int fill_memory(struct cv_restore *r, struct cv_error *err)
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

    r->fill_rc = fill_memory(r, &r->fill_error);
    r->report.fill_ns = cv_now_ns() - begin;
    return NULL;
}

int cv_restore_fill_begin(struct cv_restore *r, struct cv_error *err)
{
    int sys = pthread_create(&r->thread, NULL, fill_thread, r);

    if (sys != 0)
        return cv_fail(err, CV_E_NOMEM, sys, "start a thread for the memory");
    r->thread_started = true;
    return 0;
}

static void join(struct cv_restore *r)
{
    if (r->thread_started)
        pthread_join(r->thread, NULL);
    r->thread_started = false;
}

int cv_restore_fill_end(struct cv_restore *r, struct cv_error *err)
{
    join(r);
    if (r->fill_rc == 0)
        return 0;
    cv_fail_as(err, &r->fill_error);
    return cv_context(err, "memory");
}

void cv_restore_fill_stop(struct cv_restore *r)
{
    cv_cancel_request(&r->fill_cancel);
    join(r);
}
