/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's memory as page source and page sink that keep the contract of memory/pages.h and count what is done to
 * them; the n-th call may fail.  All members that calls change are under the lock. */
#ifndef CONVOY_TESTS_MEMORY_MODEL_H
#define CONVOY_TESTS_MEMORY_MODEL_H

#include <pthread.h>
#include <stdbool.h>

#include "memory/pages.h"
#include "memory/pipeline.h"
#include "stream-format/stream.h"
#include "tests/support/rng.h"

/* What a sink knows of a pfn. */
enum model_state { MODEL_UNTOUCHED, MODEL_DATA, MODEL_ZERO, MODEL_SPECIAL };

struct model {
    struct cv_page_source source;
    struct cv_page_sink sink;
    uint64_t pfn_count;
    uint8_t *data;  /* pfn_count pages */
    uint8_t *types; /* enum cv_page_type */
    uint8_t *state; /* enum model_state */
    bool scattered; /* the sink maps pages that are not contiguous */
    pthread_mutex_t lock;
    unsigned calls, fail_at;      /* fail_at 0: never */
    unsigned mapped, most_mapped; /* source and sink maps not yet unmapped */
};

/* Zero memory, all types DATA. */
void model_init(struct model *m, uint64_t pfn_count);
/* data: MAP_SHARED memory, so that another process can change it. */
void model_init_shared(struct model *m, uint64_t pfn_count);
void model_dispose(struct model *m);
/* The source then has read in the place of map and unmap. */
void model_read_instead(struct model *m);

/* A random mix: zero, text-like, random, some pages without contents. */
void model_fill(struct model *m, struct rng *r);
/* Changes some pages; sets their bits (others are cleared). */
void model_dirty(struct model *m, struct rng *r, uint64_t *bitmap, unsigned percent);
/* Do the pfns hold the same contents and kinds? */
bool model_same(const struct model *want, const struct model *got, uint64_t from, uint64_t to);

/* One memory-only stream being written into a memfd. */
struct model_save {
    int fd;
    struct cv_writer *w;
    struct cv_saver *s;
};
int model_save_begin(struct model_save *c, struct model *m, const struct cv_mem_options *opt, struct cv_error *err);
int model_save_end(struct model_save *c, struct cv_buf *out, struct cv_error *err);
void model_save_drop(struct model_save *c);
/* One pass over everything. */
int model_save_all(struct model *m, const struct cv_mem_options *opt, struct cv_buf *out, struct cv_error *err);
/* sink NULL: verify only. */
int model_load(const struct cv_buf *stream, struct cv_page_sink *sink, const struct cv_mem_options *opt,
               struct cv_mem_stats *stats, struct cv_error *err);

unsigned model_thread_count(void);
unsigned model_fd_count(void);

#endif
