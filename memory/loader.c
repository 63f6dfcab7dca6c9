/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loading pipeline: the calling thread hands records to workers, which check, decompress and store them.
 *
 *   state of a slot   who owns it
 *   FREE              the calling thread, which fills it
 *   QUEUED            nobody; taken under the lock by whoever comes first
 *   STORING           the thread that took it, outside the lock
 *
 * Records of one pass name different pages, so they are stored in any order; between two passes everything is
 * waited for.  The calling thread stores records too when all slots are in use, and with 0 workers always. */
#include "memory/pipeline.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "memory/hashes.h"
#include "memory/unpack.h"
#include "stream-format/bodies.h"

/* Bodies held at a time, whatever the stream claims: with two bounce buffers this stays far below the bound. */
#define BYTES_MAX (32u << 20)

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_STORING };

struct slot {
    enum slot_state state; /* under the lock */
    uint64_t order;        /* under the lock; the oldest is taken first */
    struct cv_record rec;  /* whoever owns the slot; owns its body */
};

struct cv_loader {
    uint64_t max_pfn;
    struct cv_mem_options opt;
    struct cv_unpacker *unpacker; /* of the calling thread */
    pthread_t *workers;
    unsigned worker_count;

    /* calling thread only */
    struct cv_page_sink *sink;
    bool any;          /* a record has been seen */
    uint32_t pass;     /* of the last record */
    uint64_t next_pfn; /* first one that the next record of this pass may name */
    uint64_t order;
    uint64_t pages_before; /* stats.pages when the pass began */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t work;  /* workers wait: a slot is QUEUED, or closing */
    pthread_cond_t done;  /* the calling thread waits: a slot became FREE */
    struct slot *slots;
    unsigned slot_count;
    unsigned queued, storing; /* slots in these states */
    size_t bytes;             /* bodies in them */
    struct cv_mem_stats stats;
    bool closing;
    bool failed;
    struct cv_error error; /* the first in time */
};

/* ---- under the lock ---- */

static void keep_error(struct cv_loader *l, const struct cv_error *err)
{
    if (!l->failed)
        l->error = *err;
    l->failed = true;
}

static struct slot *oldest_queued(struct cv_loader *l)
{
    struct slot *best = NULL;

    if (l->queued == 0)
        return NULL;
    for (unsigned i = 0; i < l->slot_count; i++) {
        struct slot *s = &l->slots[i];
        if (s->state == SLOT_QUEUED && (best == NULL || s->order < best->order))
            best = s;
    }
    return best;
}

static struct slot *free_slot(struct cv_loader *l)
{
    for (unsigned i = 0; i < l->slot_count; i++)
        if (l->slots[i].state == SLOT_FREE)
            return &l->slots[i];
    return NULL;
}

static void count(struct cv_mem_stats *stats, const struct cv_pages *p, size_t len)
{
    stats->pages += p->listed;
    stats->zero_pages += p->counts[CV_RUN_ZERO];
    stats->absent_pages += p->counts[CV_RUN_ABSENT];
    stats->bytes_raw += p->raw_length;
    stats->bytes_out += CV_RECORD_HEADER_SIZE + (len + CV_RECORD_ALIGN - 1) / CV_RECORD_ALIGN * CV_RECORD_ALIGN;
    stats->records++;
}

static int store_record(const struct cv_loader *l, struct cv_unpacker *u, const struct cv_record *rec,
                        struct cv_pages *head, struct cv_error *err)
{
    if (!rec->body_checked && cv_record_check(rec, err) < 0)
        return -1;
    int rc = rec->raw_type != CV_REC_PAGE_HASHES
                 ? cv_unpack(u, rec->body.data, rec->body.len, l->max_pfn, head, err)
                 : cv_unpack_fixed(u, l->opt.fixed, rec->body.data, rec->body.len, l->max_pfn, head, err);
    return rc < 0 ? cv_record_context(rec, err) : 0;
}

/* Stores outside the lock.  Called and returns with the lock held. */
static void store(struct cv_loader *l, struct cv_unpacker *u, struct slot *slot)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_pages head;
    size_t len = slot->rec.body.len;
    int rc = 0;

    slot->state = SLOT_STORING;
    l->queued--;
    l->storing++;
    if (!l->failed) {
        pthread_mutex_unlock(&l->lock);
        rc = store_record(l, u, &slot->rec, &head, &err);
        pthread_mutex_lock(&l->lock);
        if (rc < 0)
            keep_error(l, &err);
        else
            count(&l->stats, &head, len);
    }
    slot->state = SLOT_FREE;
    l->storing--;
    l->bytes -= len;
    pthread_cond_signal(&l->done);
}

/* ---- workers ---- */

struct worker_start {
    struct cv_loader *loader;
    struct cv_unpacker *unpacker;
};

static void *worker_main(void *arg)
{
    struct worker_start start = *(struct worker_start *)arg;
    struct cv_loader *l = start.loader;

    free(arg);
    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        struct slot *slot = oldest_queued(l);
        if (slot != NULL)
            store(l, start.unpacker, slot);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    cv_unpacker_free(start.unpacker);
    return NULL;
}

static int start_worker(struct cv_loader *l, struct cv_error *err)
{
    struct worker_start *start = calloc(1, sizeof *start);

    if (start == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "worker");
    start->loader = l;
    if (cv_unpacker_new(&start->unpacker, l->sink, err) < 0) {
        free(start);
        return -1;
    }
    int rc = pthread_create(&l->workers[l->worker_count], NULL, worker_main, start);
    if (rc != 0) {
        cv_unpacker_free(start->unpacker);
        free(start);
        return cv_fail(err, CV_E_NOMEM, rc, "start a worker thread");
    }
    l->worker_count++;
    return 0;
}

/* ---- life ---- */

static int allocate(struct cv_loader *l, struct cv_error *err)
{
    l->slot_count = l->opt.threads + 4;
    l->slots = calloc(l->slot_count, sizeof *l->slots);
    l->workers = calloc(l->opt.threads + 1, sizeof *l->workers);
    if (l->slots == NULL || l->workers == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "%u slots", l->slot_count);
    return cv_unpacker_new(&l->unpacker, l->sink, err);
}

int cv_loader_new(struct cv_loader **l_out, struct cv_page_sink *sink, uint64_t max_pfn,
                  const struct cv_mem_options *opt, struct cv_error *err)
{
    if (cv_mem_check_options(opt, err) < 0)
        return -1;
    struct cv_loader *l = calloc(1, sizeof *l);
    if (l == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "memory loader");
    l->sink = sink;
    l->max_pfn = max_pfn < CV_PFN_LIMIT ? max_pfn : CV_PFN_LIMIT;
    l->opt = *opt;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    int rc = allocate(l, err);
    for (unsigned i = 0; rc == 0 && i < opt->threads; i++)
        rc = start_worker(l, err);
    if (rc < 0) {
        cv_loader_free(l);
        return -1;
    }
    *l_out = l;
    return 0;
}

void cv_loader_free(struct cv_loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < l->worker_count; i++)
        pthread_join(l->workers[i], NULL);
    for (unsigned i = 0; l->slots != NULL && i < l->slot_count; i++)
        cv_buf_dispose(&l->slots[i].rec.body);
    cv_unpacker_free(l->unpacker);
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->slots);
    free(l->workers);
    free(l);
}

const struct cv_mem_stats *cv_loader_stats(const struct cv_loader *l) { return &l->stats; }

/* ---- the calling thread ---- */

static int report(struct cv_loader *l, struct cv_error *err) { return cv_fail_as(err, &l->error); }

/* With the lock: helps or waits once. */
static void pass_time(struct cv_loader *l)
{
    struct slot *slot = oldest_queued(l);

    if (slot != NULL)
        store(l, l->unpacker, slot);
    else
        pthread_cond_wait(&l->done, &l->lock);
}

int cv_loader_barrier(struct cv_loader *l, struct cv_error *err)
{
    pthread_mutex_lock(&l->lock);
    while (l->queued + l->storing > 0)
        pass_time(l);
    int rc = l->failed ? report(l, err) : 0;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int cv_loader_pass_end(struct cv_loader *l, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_pass_end end;

    if (cv_rec_pass_end_decode(&end, rec->body.data, rec->body.len, err) < 0)
        return cv_record_context(rec, err);
    if (cv_loader_barrier(l, err) < 0)
        return -1;
    uint64_t pages = l->stats.pages - l->pages_before;
    l->pages_before = l->stats.pages;
    if (pages == end.pages)
        return 0;
    (void)!cv_fail(err, CV_E_STREAM, 0, "totals: pass %" PRIu32 " listed %" PRIu64 " pages, not %" PRIu64, end.pass,
                   pages, end.pages);
    return cv_record_context(rec, err);
}

/* Does this record's place among the others fit?  The hash is not checked yet: when it does not fit, damage is
 * told from a wrong order first. */
static int check_order(struct cv_loader *l, const struct cv_record *rec, struct cv_pages *head, struct cv_error *err)
{
    struct cv_error fault = CV_ERROR_INIT;

    if (cv_pages_peek(rec->body.data, rec->body.len, l->max_pfn, head, &fault) == 0) {
        if (!l->any || head->pass > l->pass || (head->pass == l->pass && head->first_pfn >= l->next_pfn))
            return 0;
        (void)!cv_fail(&fault, CV_E_STREAM, 0,
                       "pass %" PRIu32 ", pfn %#" PRIx64 " after pass %" PRIu32 ", pfn %#" PRIx64, head->pass,
                       head->first_pfn, l->pass, l->next_pfn);
    }
    if (!rec->body_checked && cv_record_check(rec, err) < 0)
        return -1;
    cv_fail_as(err, &fault);
    return cv_record_context(rec, err);
}

static int enqueue(struct cv_loader *l, struct cv_record *rec, struct cv_error *err)
{
    size_t len = rec->body.len;
    struct slot *slot = NULL;

    pthread_mutex_lock(&l->lock);
    while (!l->failed && ((slot = free_slot(l)) == NULL || (l->bytes > 0 && l->bytes + len > BYTES_MAX)))
        pass_time(l);
    if (l->failed) {
        report(l, err);
        pthread_mutex_unlock(&l->lock);
        return -1;
    }
    /* The slot's last body goes back with the record, so that its memory is used again. */
    struct cv_buf used = slot->rec.body;
    slot->rec = *rec;
    rec->body = used;
    rec->body.len = 0;
    slot->order = l->order++;
    slot->state = SLOT_QUEUED;
    l->queued++;
    l->bytes += len;
    if (l->worker_count > 0)
        pthread_cond_signal(&l->work);
    else
        store(l, l->unpacker, slot);
    int rc = l->failed ? report(l, err) : 0;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* Their order the reader has seen to; without a sink nothing but what they list may be in the area. */
static int check_gaps(struct cv_loader *l, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_run_walk at = { 0 };
    const uint8_t *hashes;
    struct cv_pages p;
    struct cv_run run;

    if (l->opt.fixed == NULL)
        return cv_fail(err, CV_E_INTERNAL, 0, "hashes of pages without an area");
    if (cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
        return cv_record_context(rec, err);
    while (l->sink == NULL && cv_pages_next_run(&p, &at, &run))
        if (run.kind == CV_RUN_DATA && cv_fixed_check_gap(l->opt.fixed, run.pfn, run.length, err) < 0)
            return cv_record_context(rec, err);
    return 0;
}

int cv_loader_end(struct cv_loader *l, struct cv_error *err)
{
    if (cv_loader_barrier(l, err) < 0)
        return -1;
    if (l->opt.fixed == NULL || l->sink != NULL || cv_fixed_check_gap(l->opt.fixed, 0, 0, err) == 0)
        return 0;
    return cv_context(err, "area at offset %u", CV_AREA_PAGE);
}

int cv_loader_record(struct cv_loader *l, struct cv_record *rec, struct cv_error *err)
{
    struct cv_pages head;

    if (rec->raw_type == CV_REC_PAGE_HASHES) {
        if (cv_cancel_check(l->opt.cancel, err) < 0 || check_gaps(l, rec, err) < 0)
            return -1;
        return enqueue(l, rec, err);
    }

    if (cv_cancel_check(l->opt.cancel, err) < 0 || check_order(l, rec, &head, err) < 0)
        return -1;
    if (l->any && head.pass != l->pass && cv_loader_barrier(l, err) < 0)
        return -1;
    l->any = true;
    l->pass = head.pass;
    l->next_pfn = head.first_pfn + head.span;
    return enqueue(l, rec, err);
}
