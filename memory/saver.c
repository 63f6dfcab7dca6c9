/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The saving pipeline: a ring of batches between workers that pack and the calling thread that writes.
 *
 *   state of a slot   who owns it
 *   FREE              nobody; claimed under the lock, in the order of sequence numbers
 *   PACKING           the thread that claimed it, outside the lock
 *   PACKED            the calling thread, which writes slots in order and frees them
 *
 * The slot of batch n is slots[n % slot_count], so the index is the order.  One mutex, two conditions: the lock is
 * held for a few hundred instructions for each 4 MiB of guest memory.  The calling thread packs too when nothing
 * is ready to be written; with 0 workers it does everything, and the code is the same. */
#include "memory/pipeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memory/auto_policy.h"
#include "memory/batch.h"
#include "memory/pack.h"
#include "stream-format/bodies.h"

enum slot_state { SLOT_FREE, SLOT_PACKING, SLOT_PACKED };

struct slot {
    enum slot_state state; /* under the lock */
    struct cv_batch batch; /* whoever owns the slot */
};

struct cv_saver {
    struct cv_page_source *source;
    struct cv_writer *writer; /* calling thread only */
    struct cv_mem_options opt;
    struct cv_mem_stats stats;       /* calling thread only */
    struct cv_mem_stats before_pass; /* calling thread only; for PASS_END */
    struct cv_packer *packer;        /* of the calling thread */
    struct cv_auto automatic;        /* calling thread only */
    struct slot *slots;
    unsigned slot_count;
    pthread_t *workers;
    unsigned worker_count;

    pthread_mutex_t lock;  /* all below */
    pthread_cond_t work;   /* workers wait: a slot became free, a pass began, or closing */
    pthread_cond_t packed; /* the calling thread waits: a slot became PACKED, or a failure */
    struct cv_batch_cursor cursor;
    bool comparing; /* cv_saver_compare, not a pass */
    uint32_t pass;
    uint8_t codec; /* for the batches claimed from now on */
    int level;
    uint64_t claimed, written; /* sequence numbers; claimed - written <= slot_count */
    unsigned packing;          /* slots in PACKING */
    bool closing;
    bool failed;
    struct cv_error error; /* the first in time */
};

/* ---- under the lock ---- */

static void keep_error(struct cv_saver *s, const struct cv_error *err)
{
    if (!s->failed)
        s->error = *err;
    s->failed = true;
}

/* Takes the next batch of the pass.  NULL: none is left, no slot is free, or the saver has failed. */
static struct slot *claim(struct cv_saver *s)
{
    if (s->failed || s->closing || s->claimed - s->written >= s->slot_count)
        return NULL;
    struct slot *slot = &s->slots[s->claimed % s->slot_count];
    struct cv_batch *b = &slot->batch;
    b->n = cv_batch_cut(&s->cursor, b->pfns, CV_BATCH_PAGES);
    if (b->n == 0)
        return NULL;
    b->pass = s->pass;
    b->codec = s->codec;
    b->level = s->level;
    b->fixed = s->opt.fixed;
    b->hashes = s->opt.hashes;
    b->compare = s->comparing;
    slot->state = SLOT_PACKING;
    s->claimed++;
    s->packing++;
    return slot;
}

/* Packs outside the lock.  Called and returns with the lock held. */
static void pack(struct cv_saver *s, struct cv_packer *packer, struct slot *slot)
{
    struct cv_error err = CV_ERROR_INIT;

    pthread_mutex_unlock(&s->lock);
    int rc = (slot->batch.compare ? cv_compare : cv_pack)(packer, &slot->batch, &err);
    pthread_mutex_lock(&s->lock);
    s->packing--;
    slot->state = SLOT_PACKED;
    if (rc < 0)
        keep_error(s, &err);
    if (s->failed || slot == &s->slots[s->written % s->slot_count])
        pthread_cond_signal(&s->packed);
}

/* ---- workers ---- */

struct worker_start {
    struct cv_saver *saver;
    struct cv_packer *packer;
};

static void *worker_main(void *arg)
{
    struct worker_start start = *(struct worker_start *)arg;
    struct cv_saver *s = start.saver;

    free(arg);
    pthread_mutex_lock(&s->lock);
    while (!s->closing) {
        struct slot *slot = claim(s);
        if (slot != NULL)
            pack(s, start.packer, slot);
        else
            pthread_cond_wait(&s->work, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    cv_packer_free(start.packer);
    return NULL;
}

static int start_worker(struct cv_saver *s, struct cv_error *err)
{
    struct worker_start *start = calloc(1, sizeof *start);

    if (start == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "worker");
    start->saver = s;
    if (cv_packer_new(&start->packer, s->source, err) < 0) {
        free(start);
        return -1;
    }
    int rc = pthread_create(&s->workers[s->worker_count], NULL, worker_main, start);
    if (rc != 0) {
        cv_packer_free(start->packer);
        free(start);
        return cv_fail(err, CV_E_NOMEM, rc, "start a worker thread");
    }
    s->worker_count++;
    return 0;
}

/* ---- life ---- */

static int allocate(struct cv_saver *s, struct cv_error *err)
{
    /* Enough that no worker waits while the oldest batch is a hard one, few enough for the memory bound:
     * each slot may grow to a whole batch. */
    s->slot_count = s->opt.threads == 0 ? 1 : s->opt.threads + 3;
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    s->workers = calloc(s->opt.threads + 1, sizeof *s->workers);
    if (s->slots == NULL || s->workers == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "%u batches", s->slot_count);
    for (unsigned i = 0; i < s->slot_count; i++) {
        s->slots[i].batch.buffer = cv_pack_buffer_new();
        if (s->slots[i].batch.buffer == NULL)
            return cv_fail(err, CV_E_NOMEM, 0, "%u batches", s->slot_count);
    }
    return cv_packer_new(&s->packer, s->source, err);
}

int cv_saver_new(struct cv_saver **s_out, struct cv_page_source *source, struct cv_writer *writer,
                 const struct cv_mem_options *opt, struct cv_error *err)
{
    if (cv_mem_check_options(opt, err) < 0)
        return -1;
    struct cv_saver *s = calloc(1, sizeof *s);
    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "memory saver");
    s->source = source;
    s->writer = writer;
    s->opt = *opt;
    cv_auto_init(&s->automatic, opt, &s->codec, &s->level);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->packed, NULL);
    int rc = allocate(s, err);
    for (unsigned i = 0; rc == 0 && i < opt->threads; i++)
        rc = start_worker(s, err);
    if (rc < 0) {
        cv_saver_free(s);
        return -1;
    }
    *s_out = s;
    return 0;
}

void cv_saver_free(struct cv_saver *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->worker_count; i++)
        pthread_join(s->workers[i], NULL);
    for (unsigned i = 0; s->slots != NULL && i < s->slot_count; i++)
        cv_pack_buffer_free(s->slots[i].batch.buffer);
    cv_packer_free(s->packer);
    pthread_cond_destroy(&s->packed);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    free(s->slots);
    free(s->workers);
    free(s);
}

const struct cv_mem_stats *cv_saver_stats(const struct cv_saver *s) { return &s->stats; }

uint64_t cv_saver_next_pfn(const struct cv_saver *s) { return s->cursor.next; }

/* ---- a pass, on the calling thread ---- */

static void count(struct cv_mem_stats *stats, const struct cv_batch *b)
{
    stats->pages += b->n;
    stats->zero_pages += b->counts[CV_RUN_ZERO];
    stats->absent_pages += b->counts[CV_RUN_ABSENT];
    stats->bytes_raw += b->head.raw_length;
    stats->records++;
}

struct pass {
    int (*progress)(void *user, const struct cv_mem_stats *now);
    void *user;
    uint64_t *changed; /* cv_saver_compare */
};

/* What a comparison found in the oldest batch.  Outside the lock. */
static int note_changes(struct cv_saver *s, const struct cv_batch *b, uint64_t *changed, struct cv_error *err)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->changed[i])
            changed[b->pfns[i] / 64] |= UINT64_C(1) << b->pfns[i] % 64;
    return cv_cancel_check(s->opt.cancel, err);
}

/* Writes the oldest batch.  Outside the lock. */
static int write_batch(struct cv_saver *s, struct slot *slot, struct cv_error *err)
{
    struct cv_batch *b = &slot->batch;
    uint64_t before = cv_writer_bytes(s->writer);

    if (cv_cancel_check(s->opt.cancel, err) < 0)
        return -1;
    count(&s->stats, b);
    if (b->fixed != NULL) { /* written by who has packed it */
        s->stats.bytes_out += b->head.raw_length;
        return 0;
    }
    if (cv_writer_put_hashed(s->writer, CV_REC_PAGES, &b->body, 1, b->body_hash, err) < 0)
        return -1;
    s->stats.bytes_out += cv_writer_bytes(s->writer) - before;
    return 0;
}

/* One step with the lock held at both ends.  Returns false when the pass is over, well or not. */
static bool step(struct cv_saver *s, const struct pass *p)
{
    struct slot *oldest = &s->slots[s->written % s->slot_count];

    if (s->failed)
        return false;
    if (s->written < s->claimed && oldest->state == SLOT_PACKED) {
        struct cv_error err = CV_ERROR_INIT;
        bool stop = false;
        pthread_mutex_unlock(&s->lock);
        int rc = p->changed != NULL ? note_changes(s, &oldest->batch, p->changed, &err) : write_batch(s, oldest, &err);
        if (rc == 0 && p->progress != NULL)
            stop = p->progress(p->user, &s->stats) != 0;
        if (rc == 0 && p->changed == NULL)
            cv_auto_after_batch(&s->automatic, &s->stats, cv_writer_blocked_ns(s->writer));
        pthread_mutex_lock(&s->lock);
        if (rc < 0)
            keep_error(s, &err);
        /* What is claimed already is a gapless continuation: it is finished and written. */
        if (stop)
            s->cursor.end = s->cursor.next;
        s->codec = s->automatic.codec;
        s->level = s->automatic.level;
        oldest->state = SLOT_FREE;
        s->written++;
        pthread_cond_signal(&s->work);
        return true;
    }
    struct slot *slot = claim(s);
    if (slot != NULL) {
        pack(s, s->packer, slot);
        return true;
    }
    if (s->written == s->claimed)
        return false;
    pthread_cond_wait(&s->packed, &s->lock);
    return true;
}

/* After a failure: until no worker holds a slot, so that the caller may let go of the source. */
static void settle_slots(struct cv_saver *s)
{
    while (s->packing > 0)
        pthread_cond_wait(&s->packed, &s->lock);
    for (unsigned i = 0; i < s->slot_count; i++)
        s->slots[i].state = SLOT_FREE;
    s->written = s->claimed;
}

/* Batches of bitmap's pages, until all are through or one has failed. */
static int run_batches(struct cv_saver *s, const struct pass *p, const uint64_t *bitmap, uint64_t pfn_count,
                       struct cv_error *err)
{
    pthread_mutex_lock(&s->lock);
    s->comparing = p->changed != NULL;
    s->cursor = (struct cv_batch_cursor){ .bitmap = bitmap, .next = 0, .end = pfn_count };
    pthread_cond_broadcast(&s->work);
    while (step(s, p))
        ;
    bool failed = s->failed;
    if (failed)
        settle_slots(s);
    s->cursor.end = s->cursor.next;
    pthread_mutex_unlock(&s->lock);
    return failed ? cv_fail_as(err, &s->error) : 0;
}

int cv_saver_pass(struct cv_saver *s, uint32_t pass, const uint64_t *bitmap, uint64_t pfn_count,
                  int (*progress)(void *user, const struct cv_mem_stats *now), void *user, struct cv_error *err)
{
    const struct pass p = { progress, user, NULL };

    if (pfn_count > CV_PFN_LIMIT || (s->opt.hashes != NULL && pfn_count > s->opt.hashes->pfn_count))
        return cv_fail(err, CV_E_INVALID, 0, "too many pages");
    s->before_pass = s->stats;
    pthread_mutex_lock(&s->lock);
    s->pass = pass;
    pthread_mutex_unlock(&s->lock);
    return run_batches(s, &p, bitmap, pfn_count, err);
}

int cv_saver_compare(struct cv_saver *s, const uint64_t *bitmap, uint64_t pfn_count, uint64_t *changed_out,
                     struct cv_error *err)
{
    const struct pass p = { NULL, NULL, changed_out };

    if (s->opt.hashes == NULL || pfn_count > s->opt.hashes->pfn_count)
        return cv_fail(err, CV_E_INVALID, 0, "nothing to compare so many pages with");
    return run_batches(s, &p, bitmap, pfn_count, err);
}

int cv_saver_pass_end(struct cv_saver *s, bool last, uint64_t dirty_left, uint64_t duration_us, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    const struct cv_mem_stats *now = &s->stats, *before = &s->before_pass;
    struct cv_rec_pass_end end = {
        .pass = s->pass,
        .flags = last ? CV_PASS_LAST : 0,
        .records = now->records - before->records,
        .data_pages = (now->bytes_raw - before->bytes_raw) / CV_PAGE_SIZE,
        .pages = now->pages - before->pages,
        .dirty_left = dirty_left,
        .duration_us = duration_us,
    };

    if (s->opt.fixed != NULL)
        end.records = end.data_pages = end.pages = 0; /* nothing of it is in the stream */
    if (cv_rec_pass_end_encode(&end, &body, err) < 0)
        return -1;
    struct iovec iov = { .iov_base = body.data, .iov_len = body.len };
    return cv_writer_put(s->writer, CV_REC_PASS_END, &iov, 1, err);
}
