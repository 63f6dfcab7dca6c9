/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory: pass after pass while the guest runs, and the last pages when nothing runs any more. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "save/write.h"
#include "stream-format/bodies.h"

#define LIVE_PASSES_MAX 5
#define DIRTY_FEW 50
/* The search for the guest's pages: one question takes 2.4 us on a slow host. */
#define SEARCH_MS 60000
#define SEARCH_US_A_PAGE 10

static int decide_as_libxc(void *user, const struct cv_pass_stats *p, enum cv_pass_verdict *out, struct cv_error *err)
{
    (void)user, (void)err;
    *out = p->dirty_now < DIRTY_FEW || p->pass + 1 >= LIVE_PASSES_MAX ? CV_PASS_STOP_NOW : CV_PASS_AGAIN;
    return 0;
}

static int progress(void *user, const struct cv_mem_stats *now)
{
    struct cv_save *s = user;
    bool last = s->down_since_ns != 0;

    if (s->opt->between != NULL && s->opt->between(s->opt->between_user, now, last, &s->between_error) < 0)
        return 1;
    cv_event(s->sink, "{\"event\":\"pages\",\"pass\":%u,\"pages\":%llu,\"bytes\":%llu,\"of\":%llu}", s->pass,
             (unsigned long long)now->pages, (unsigned long long)now->bytes_out,
             (unsigned long long)s->report.guest_pages);
    return 0;
}

static uint64_t count_bits(const uint64_t *bitmap, uint64_t bits)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < (bits + 63) / 64; i++)
        n += (uint64_t)__builtin_popcountll(bitmap[i]);
    return n;
}

/* The pages of s->bitmap, of an incremental image those of them that differ. */
static int send_pages(struct cv_save *s, struct cv_error *err)
{
    if (!s->has_parent)
        return cv_saver_pass(s->saver, s->pass, s->bitmap, s->pfn_count, progress, s, err);
    CV_AUTO_FREE uint64_t *changed = calloc((s->pfn_count + 63) / 64, sizeof *changed);
    if (changed == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a bitmap of %llu pages", (unsigned long long)s->pfn_count);
    if (cv_saver_compare(s->saver, s->bitmap, s->pfn_count, changed, err) < 0)
        return -1;
    return cv_saver_pass(s->saver, s->pass, changed, s->pfn_count, progress, s, err);
}

/* One pass over the pages in s->bitmap, and its PASS_END. */
static int send_pass(struct cv_save *s, bool last, uint64_t *dirty_after, struct cv_pass_stats *out,
                     struct cv_error *err)
{
    struct cv_mem_stats before = *cv_saver_stats(s->saver);
    int64_t begin = cv_now_ns();

    if (send_pages(s, err) < 0)
        return cv_context(err, "pass %u", s->pass);
    for (size_t i = 0; i < (s->pfn_count + 63) / 64; i++)
        s->sent[i] |= s->bitmap[i];
    if (s->between_error.code != CV_OK)
        return cv_fail_as(err, &s->between_error);
    const struct cv_mem_stats *now = cv_saver_stats(s->saver);
    if (!last) {
        struct cv_dirty_stats d;
        if (s->g.host->ops->dirty_take(s->g.host, s->g.domid, s->bitmap, s->pfn_count, false, &d, err) < 0)
            return -1;
        *dirty_after = count_bits(s->bitmap, s->pfn_count);
    }
    uint64_t left = last ? 0 : *dirty_after, pages = now->pages - before.pages;
    if (cv_saver_pass_end(s->saver, last, left, (uint64_t)(cv_now_ns() - begin) / 1000, err) < 0)
        return -1;
    *out = (struct cv_pass_stats){ .pass = s->pass,
                                   .pages_sent = pages,
                                   .bytes_sent = now->bytes_out - before.bytes_out,
                                   .dirty_now = left,
                                   .pages_empty = pages - (now->bytes_raw - before.bytes_raw) / CV_PAGE_SIZE,
                                   .ns = cv_now_ns() - begin };
    s->pass++;
    s->report.passes = s->pass;
    s->report.mem = *now;
    return 0;
}

/* Everything that is there, for the first pass. */
static int search(struct cv_save *s, struct cv_error *err)
{
    int64_t begin = cv_now_ns(), limit = SEARCH_MS + (int64_t)(s->pfn_count * SEARCH_US_A_PAGE / 1000);

    if (s->g.host->ops->populated(s->g.host, s->g.domid, s->bitmap, s->pfn_count, &s->pages_searched,
                                  cv_after_ms(limit), s->opt->cancel, err) < 0)
        return cv_context(err, "search for the guest's pages");
    /* A page that an image below has and the guest has no more is to vanish. */
    if (s->has_parent)
        cv_hashes_add_pages(&s->hashes, s->bitmap);
    cv_log(s->sink, CV_LOG_DEBUG, "%llu of %llu pages found in %lld ms",
           (unsigned long long)count_bits(s->bitmap, s->pfn_count), (unsigned long long)s->pages_searched,
           (long long)(cv_now_ns() - begin) / 1000000);
    return 0;
}

/* The image says at its beginning how far the guest's memory reaches, and what grew beyond that meanwhile (ballooning,
 * memory hot-plug) would be lost. */
static int check_size(struct cv_save *s, struct cv_error *err)
{
    uint64_t now;

    if (s->g.host->ops->pfn_count(s->g.host, s->g.domid, &now, err) < 0)
        return -1;
    if (now <= s->pfn_count)
        return 0;
    return cv_fail(
        err, CV_E_BUSY, 0,
        "the guest's memory has grown meanwhile: it reached up to page %#llx and now reaches up to %#llx; try "
        "again when it has its size",
        (unsigned long long)s->pfn_count, (unsigned long long)now);
}

int cv_save_passes(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    int (*decide)(void *, const struct cv_pass_stats *, enum cv_pass_verdict *, struct cv_error *) =
        s->opt->decide ? s->opt->decide : decide_as_libxc;
    int64_t begin = cv_now_ns();

    (void)deadline_ms;
    if (!s->opt->live)
        return 0;
    if (search(s, err) < 0)
        return -1;
    for (;;) {
        struct cv_pass_stats p;
        enum cv_pass_verdict verdict;
        uint64_t dirty = 0;

        if (send_pass(s, false, &dirty, &p, err) < 0)
            return -1;
        if (check_size(s, err) < 0)
            return -1;
        /* A guest without one of its emulators cannot be saved: not after another hour of passes either. */
        if (cv_emuset_alive(&s->g.set, err) < 0)
            return -1;
        p.elapsed_ns = cv_now_ns() - begin;
        cv_event(s->sink, "{\"event\":\"pass\",\"pass\":%u,\"pages\":%llu,\"bytes\":%llu,\"dirty\":%llu,\"ms\":%lld}",
                 p.pass, (unsigned long long)p.pages_sent, (unsigned long long)p.bytes_sent,
                 (unsigned long long)p.dirty_now, (long long)(p.ns / 1000000));
        if (decide(s->opt->decide_user, &p, &verdict, err) < 0)
            return -1;
        switch (verdict) {
        case CV_PASS_STOP_NOW: return 0;
        case CV_PASS_GIVE_UP:
            return cv_fail(err, CV_E_TIMEOUT, 0,
                           "the guest dirties memory faster than it can be sent (%llu pages left "
                           "after %u passes)",
                           (unsigned long long)p.dirty_now, s->pass);
        case CV_PASS_AGAIN: break;
        }
    }
}

/* bitmap holds what the last live pass left: to that comes what was dirtied since, by the guest and its emulators.  A
 * guest whose number of pages has changed has ballooned meanwhile: what it has got and was never sent is added, rather
 * than to rely on every such page being in the log. */
static int add_final_dirt(struct cv_save *s, struct cv_error *err)
{
    struct cv_host *h = s->g.host;
    size_t words = (s->pfn_count + 63) / 64;
    uint64_t *left = malloc(words * sizeof *left);
    struct cv_dirty_stats d;

    if (left == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a bitmap of %llu pages", (unsigned long long)s->pfn_count);
    memcpy(left, s->bitmap, words * sizeof *left);
    int rc = h->ops->dirty_take(h, s->g.domid, s->bitmap, s->pfn_count, true, &d, err);
    for (size_t i = 0; rc == 0 && i < words; i++)
        left[i] |= s->bitmap[i];
    if (rc == 0 && d.pages != s->pages_searched) {
        cv_log(s->sink, CV_LOG_INFO, "the guest has ballooned: %llu pages, it had %llu", (unsigned long long)d.pages,
               (unsigned long long)s->pages_searched);
        rc = search(s, err);
        for (size_t i = 0; rc == 0 && i < words; i++)
            left[i] |= s->bitmap[i] & ~s->sent[i];
    }
    for (size_t i = 0; rc == 0 && i < words; i++)
        s->bitmap[i] = left[i];
    free(left);
    return rc;
}

int cv_save_last_pages(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    int64_t begin = cv_now_ns();
    struct cv_pass_stats p;

    (void)deadline_ms;
    if (check_size(s, err) < 0 || (s->opt->live ? add_final_dirt(s, err) : search(s, err)) < 0)
        return -1;
    if (send_pass(s, true, NULL, &p, err) < 0)
        return -1;
    s->report.last_pages_at_ns = begin;
    s->report.last_pages_ns = cv_now_ns() - begin;
    return 0;
}
