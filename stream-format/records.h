/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of the format that more than one file needs: record types, limits, feature bits.
 * The authority is docs/stream-format.md; the list of records is records.def. */
#ifndef CONVOY_STREAM_FORMAT_RECORDS_H
#define CONVOY_STREAM_FORMAT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CV_STREAM_VERSION 1u

/* Sizes of the frame, bytes. */
#define CV_STREAM_HEADER_SIZE 64u
#define CV_STREAM_HEADER_MAX 4096u /* a later version's header may be so long */
#define CV_RECORD_HEADER_SIZE 40u
#define CV_RECORD_ALIGN 8u
#define CV_AREA_PAGE 4096u /* fixed layout: the header's block, and each place in the area behind it */

/* Limits of bodies, bytes. */
#define CV_TEXT_RECORD_MAX (1u << 20)
#define CV_PAGES_RECORD_MAX (40u + 2048u * 9u + 2048u * 4096u) /* memory/pages_codec.h: head, run table, contents */
#define CV_CONTEXT_RECORD_MAX (64u << 20)
#define CV_XENSTORE_RECORD_MAX (4u << 20)
#define CV_DEVICE_STATE_HEAD 32u
#define CV_DEVICE_STATE_MAX (CV_DEVICE_STATE_HEAD + (64u << 20))
#define CV_PARENT_NAME_MAX 255u
#define CV_PARENT_RECORD_MAX (40u + CV_PARENT_NAME_MAX)
#define CV_HASHES_HEAD_SIZE 24u
#define CV_HASHES_RECORD_MAX (CV_HASHES_HEAD_SIZE + 2048u * 9u + 2048u * 16u) /* as many pages as in PAGES */
#define CV_PLACES_MAX 4096u
#define CV_PLACES_RECORD_MAX (8u + 16u * CV_PLACES_MAX)
#define CV_FREEZE_COMMAND_MAX 4096u
#define CV_FREEZE_OUTPUT_MAX 32768u
#define CV_FREEZE_RECORD_MAX (24u + CV_FREEZE_COMMAND_MAX + CV_FREEZE_OUTPUT_MAX)
#define CV_INDEX_ENTRIES_MAX 65536u
#define CV_INDEX_RECORD_MAX (8u + 40u * CV_INDEX_ENTRIES_MAX)
#define CV_OPTIONAL_RECORD_MAX (16u << 20) /* an optional record of an unknown type */
#define CV_EMULATORS_MAX 8u                /* dmid 0 to 7, as Xen's MAX_NR_IOREQ_SERVERS */

#define CV_RECORD_OPTIONAL 0x80000000u /* bit 31 of a type: may be skipped */

/* Required features: a reader that does not know a set bit refuses the stream (CV_E_STREAM_VERSION).
 * Version 1 builds MEMORY_ONLY, STATES_ONLY, INCREMENTAL and FIXED_OFFSETS; the others are reserved places
 * (docs/stream-format.md, 7). */
#define CV_FEATURE_INCREMENTAL (1ull << 0)      /* holds only what differs from a parent image (record PARENT) */
#define CV_FEATURE_CHANNELS (1ull << 1)         /* PAGES also arrive on further channels */
#define CV_FEATURE_FIXED_OFFSETS (1ull << 2)    /* page contents at places computed from the pfn */
#define CV_FEATURE_CHECKPOINTS (1ull << 3)      /* more than one state of the same guest (record CHECKPOINT) */
#define CV_FEATURE_REMOTE_EMULATORS (1ull << 4) /* an emulator lives in another domain */
#define CV_FEATURE_ENCRYPTED (1ull << 5)        /* bodies are sealed */
#define CV_FEATURE_MEMORY_ONLY (1ull << 8)      /* no guest: MEMORY, PAGES and PASS_END only (measurements, tests) */
#define CV_FEATURE_STATES_ONLY (1ull << 9)      /* no memory: LAYOUT and DEVICE_STATEs only (dm/states.h) */
#define CV_FEATURES_KNOWN \
    (CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS | CV_FEATURE_STATES_ONLY)

/* Optional features: a reader may ignore them. */
#define CV_OPTIONAL_INDEX (1ull << 0)       /* an INDEX record stands in front of END */
#define CV_OPTIONAL_PAGE_HASHES (1ull << 2) /* PAGE_HASHES list every page that the passes mention */
#define CV_OPTIONAL_LIVE (1ull << 1)        /* the guest ran during the first passes */

enum cv_record_type {
#define CV_R(name, word, id, presence, profile, min, max, rank, tag, section) CV_REC_##name = (id),
#include "stream-format/records.def"
#undef CV_R
};

/* clang-format off */
enum cv_presence { CV_PRESENCE_ONE, CV_PRESENCE_MAYBE, CV_PRESENCE_SOME, CV_PRESENCE_ANY, CV_PRESENCE_EMULATORS,
                   CV_PRESENCE_INCREMENTAL, CV_PRESENCE_FIXED };
/* clang-format on */
enum cv_profile { CV_PROFILE_FULL, CV_PROFILE_BOTH };
enum cv_tag { CV_TAG_NONE, CV_TAG_BODY };

struct cv_record_rule {
    const char *name, *section;
    uint32_t id;
    enum cv_presence presence;
    enum cv_profile profile;
    enum cv_tag tag;
    uint32_t min, max; /* bytes of body */
    unsigned rank;
};

/* The rules, in the order of records.def. */
extern const struct cv_record_rule cv_record_rules[];
extern const size_t cv_record_rules_count;

/* NULL for a type that this version does not know. */
const struct cv_record_rule *cv_record_rule(uint32_t raw_type);
/* "PAGES"; "?" for a type that this version does not know. */
const char *cv_record_name(uint32_t raw_type);

#endif
