/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may follow what: one state machine, driven by the writer and by the reader.
 * Private to stream-format/ and its tests.  It reports through cv_rule_fail, and the caller says what a fault
 * means: CV_E_STREAM for a reader, CV_E_INTERNAL for a writer. */
#ifndef CONVOY_STREAM_FORMAT_ORDER_H
#define CONVOY_STREAM_FORMAT_ORDER_H

#include <stdint.h>

#include "stream-format/frame.h"

struct cv_order {
    enum cv_code code; /* of the errors reported */
    bool memory_only, states_only, incremental, fixed;
    bool pvh;             /* from GUEST */
    bool emulators_known; /* LAYOUT was seen */
    bool index_seen, last_pass_seen, ended;
    unsigned rank;                    /* of the last ranked record */
    uint32_t seen;                    /* bit i: a record of cv_record_rules[i] was seen */
    uint32_t dmids, states;           /* bit d: LAYOUT lists dmid d; its DEVICE_STATE was seen */
    uint32_t pass;                    /* the pass that PAGES belong to now */
    uint64_t pfn_count;               /* from MEMORY */
    uint64_t pass_records, pass_data; /* PAGES records and pages with contents in this pass so far */
    uint64_t next_pfn;                /* PAGES of this pass may begin here */
    uint64_t next_hash_pfn;           /* and PAGE_HASHES here */
    uint64_t data_pages;              /* in all passes; of fixed layout: in PAGE_HASHES */
    uint64_t area_pages;              /* of fixed layout, from the header: set by who has it */
};

/* "<rule>: <text>": every fault of a stream begins with the short word of the rule that it breaks
 * (docs/stream-format.md, 6), because tests and people look for it.  Returns -1. */
int cv_rule_fail(struct cv_error *err, enum cv_code code, const char *rule, const char *fmt, ...) CV_PRINTF(4, 5);

/* features: required ones, of the stream header. */
void cv_order_init(struct cv_order *o, enum cv_code code, uint64_t features);
/* May a record with this header stand here?  Looks at type, tag and length only; changes nothing. */
int cv_order_check(const struct cv_order *o, const struct cv_frame *f, struct cv_error *err) CV_CHECKED;
/* Takes the record into account.  head: the body's first bytes, at least the record's fixed part (all of it for
 * LAYOUT).  deferred: the body's hash was not checked yet, so totals inside it are summed but not compared. */
int cv_order_take(struct cv_order *o, const struct cv_frame *f, const uint8_t *head, size_t head_len, bool deferred,
                  struct cv_error *err) CV_CHECKED;

#endif
