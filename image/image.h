/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole image looked at, without a host: everything in it but the contents of its pages, for the tools that show,
 * check and convert.  The order of reading is the stream's own: one pass, no seeking. */
#ifndef CONVOY_IMAGE_IMAGE_H
#define CONVOY_IMAGE_IMAGE_H

#include "image/pagemap.h"
#include "layout/layout.h"
#include "memory/pipeline.h"
#include "stream-format/chain.h"
#include "stream-format/bodies.h"
#include "stream-format/qemu_state.h"
#include "vm/spec.h"

#define CV_IMAGE_PASSES_MAX 256 /* remembered one by one; later ones are added to the last */
#define CV_IMAGE_NOTES_MAX 64

struct cv_image_pass {
    uint32_t pass;
    bool last;
    uint64_t records, pages, dirty_left, duration_us;
    uint64_t counts[CV_RUN_KINDS]; /* pages listed, by kind; SKIP 0 */
    uint64_t raw, stored;          /* bytes of data pages; of their payloads */
};

struct cv_image_state { /* one DEVICE_STATE */
    bool there;
    uint32_t format;
    uint64_t bytes, offset; /* of the state; of the record in the stream */
    uint8_t digest[16];
    bool taken_apart; /* else why says why not */
    struct cv_qemu_state qemu;
    struct cv_error why;
    struct cv_buf blob; /* kept only if the options ask for it */
};

/* Its texts are terminated, unlike those in bodies; NULL = not there. */
struct cv_image {
    struct cv_stream_header header;
    bool whole; /* END was read and right */
    uint64_t records, bytes;

    bool has_host;
    struct cv_rec_host host; /* its json: host_json */
    char *host_json;
    bool has_guest;
    uint32_t guest_schema, guest_type;
    uint8_t uuid[16];
    char *guest_json, *config;
    bool has_spec; /* the GUEST record's facts could be decoded; else spec_error says why not */
    struct cv_domain_spec spec;
    struct cv_error spec_error;
    bool has_layout_record;
    struct cv_rec_layout layout_record; /* its json: layout_json */
    char *layout_json;
    bool has_layout; /* as has_spec */
    struct cv_layout layout;
    struct cv_error layout_error;
    char *devices_json; /* the PV devices, in libxl's words; NULL = no record of them */
    bool has_vcpus, has_memory, has_tsc;
    struct cv_rec_vcpus vcpus;
    struct cv_rec_memory memory;
    struct cv_rec_tsc_info tsc;
    /* Whole bodies, so that cv_rec_*_decode gives views into them; empty = not there. */
    struct cv_buf cpu_policy, hvm_context, hvm_params, xenstore;
    struct cv_image_state states[CV_EMULATORS_MAX];
    char *notes[CV_IMAGE_NOTES_MAX];
    unsigned note_count;
    uint64_t notes_seen, unknown_records;
    bool has_parent; /* incremental: what map and passes show is what differs, unless the parents were read */
    struct cv_rec_parent parent; /* its name: parent_name */
    char *parent_name;
    unsigned parents_read;  /* images below this one, read with it */
    uint64_t hashes_listed; /* pages in PAGE_HASHES */
    bool has_freeze;
    struct cv_rec_freeze freeze; /* its texts: freeze_command, freeze_output */
    char *freeze_command, *freeze_output;
    bool has_index;
    uint32_t index_count;

    struct cv_image_pass passes[CV_IMAGE_PASSES_MAX];
    unsigned pass_count;
    uint64_t passes_seen;
    struct cv_pagemap map;
};

struct cv_image_options {
    struct cv_page_sink *sink; /* pages go there */
    bool check_pages;          /* every page is decompressed, with mem's threads; implied by a sink */
    bool keep_states;
    bool want_parents; /* an incremental image's chain is read first; without it a sink gets its own pages only */
    const struct cv_chain_places *parents; /* where it is looked for; with want_parents */
    struct cv_pagemap *map_below;          /* taken over: the pages of the image below; NULL = none */
    struct cv_mem_options mem;
    /* Makes the sink when MEMORY is known and before the first page; NULL: sink above. */
    int (*open_sink)(void *user, const struct cv_rec_memory *m, struct cv_page_sink **sink_out, struct cv_error *err);
    void *sink_user;
    void (*progress)(void *user, uint64_t bytes); /* now and then; NULL = none */
    void *progress_user;
};

/* Reads all of r.  img: filled as far as it came, also on failure; dispose in any case.
 * Errors: those of cv_reader_next; what GUEST's and LAYOUT's JSON say is not judged here (cv_image_check). */
int cv_image_read(struct cv_image *img, struct cv_reader *r, const struct cv_image_options *opt,
                  struct cv_error *err) CV_CHECKED;
void cv_image_dispose(struct cv_image *img);

static inline bool cv_image_memory_only(const struct cv_image *img)
{
    return (img->header.required_features & CV_FEATURE_MEMORY_ONLY) != 0;
}

/* What one record cannot know: spec and layout decode, and agree with the heads, with the device states, with Xen's
 * state and with the memory.  img: whole.  Errors: CV_E_STREAM, CV_E_STREAM_VERSION. */
int cv_image_check(const struct cv_image *img, struct cv_error *err) CV_CHECKED;

/* Every PCI device of dm's layout entry that QEMU keeps state of has a section in its device state.
 * pv: the guest has PV devices, and may have unplugged the default emulator's network cards for them. */
int cv_image_check_sections(const struct cv_layout_dm *dm, const struct cv_qemu_state *qemu, bool pv,
                            struct cv_error *err) CV_CHECKED;

/* Memory BARs, as the guest's firmware has set them; needs keep_states.  Returns how many were found, at most max. */
#define CV_IMAGE_BAR_ROM 6u
#define CV_IMAGE_BARS_MAX 256u
struct cv_image_bar {
    unsigned dmid, index;
    uint16_t bdf;
    uint64_t address;
};
unsigned cv_image_bars(const struct cv_image *img, struct cv_image_bar *out, unsigned max);

/* Walks Xen's HVM context: false at the end or where it makes no sense (*bad). Start with at 0. */
struct cv_hvm_entry {
    uint16_t type, instance;
    uint32_t length;
    size_t offset;
};
bool cv_hvm_context_next(const struct cv_buf *context, size_t *at, struct cv_hvm_entry *entry, bool *bad);
/* "CPU"; "?" for a type unknown here. */
const char *cv_hvm_entry_name(uint16_t type);
/* "STORE_PFN"; "?" */
const char *cv_hvm_param_name(uint64_t index);

#endif
