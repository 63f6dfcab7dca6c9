/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of records, field by field (docs/stream-format.md, 5).
 *
 * encode: appends to *out (caller's buffer); CV_E_INTERNAL when the values break the format's rules.
 * decode: fills *v from a whole body; pointers in *v borrow from the body and live as long as it; checks every range,
 *         order and length, and that nothing is left over.  CV_E_STREAM with "body: ...".
 * Nothing here allocates on decoding.  Sizes are bytes, strings are UTF-8 without NUL and not terminated. */
#ifndef CONVOY_STREAM_FORMAT_BODIES_H
#define CONVOY_STREAM_FORMAT_BODIES_H

#include "base/bytes.h"
#include "stream-format/records.h"
#include "vm/physmap.h"
#include "vm/policy.h"

#define CV_REC_SCHEMA 1u /* of the JSON documents in HOST, GUEST, LAYOUT and DEVICES */

/* ---- HOST: who wrote this ---- */
struct cv_rec_host {
    uint32_t schema;               /* of the JSON, >= 1 */
    uint32_t xen_major, xen_minor; /* 4, 17; 0, 0 when no hypervisor was involved */
    uint64_t time;                 /* seconds since 1970 UTC, when the save began */
    const char *json;              /* one JSON object: convoy version, Xen extra version and capabilities, ... */
    uint32_t json_len;
};
int cv_rec_host_encode(const struct cv_rec_host *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_host_decode(struct cv_rec_host *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- GUEST: identity and configuration ---- */
enum cv_guest_type { CV_GUEST_HVM = 1, CV_GUEST_PVH = 2 };
struct cv_rec_guest {
    uint32_t schema;
    uint32_t type;    /* enum cv_guest_type */
    uint8_t uuid[16]; /* in the order of its text form */
    const char *json; /* one JSON object: name and the facts of the domain */
    uint32_t json_len;
    const char *config; /* the guest's xl.cfg text, may be empty */
    uint32_t config_len;
};
int cv_rec_guest_encode(const struct cv_rec_guest *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_guest_decode(struct cv_rec_guest *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- LAYOUT: the emulators ---- */
#define CV_LAYOUT_DEFAULT 1u /* serves what no other one claims; exactly one has it */
#define CV_LAYOUT_FLAGS CV_LAYOUT_DEFAULT
struct cv_rec_layout {
    uint32_t schema;
    uint32_t count; /* 0 to CV_EMULATORS_MAX; 0: of a PVH guest only */
    struct {
        uint32_t dmid;            /* 0 to 7, each once */
        uint32_t flags;           /* CV_LAYOUT_* */
    } emulator[CV_EMULATORS_MAX]; /* in the order in which their ioreq servers are created */
    const char *json;             /* one JSON object: devices, BDFs, ROM and VRAM, arguments */
    uint32_t json_len;
};
int cv_rec_layout_encode(const struct cv_rec_layout *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_layout_decode(struct cv_rec_layout *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- DEVICES: the PV devices ---- */
struct cv_rec_devices {
    uint32_t schema;  /* 1: libxl_domain_config */
    const char *json; /* one JSON object: the domain in libxl's words, with its PV devices when it was saved */
    uint32_t json_len;
};
int cv_rec_devices_encode(const struct cv_rec_devices *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_devices_decode(struct cv_rec_devices *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- VCPUS ---- */
#define CV_VCPUS_MAX 4096u
struct cv_rec_vcpus {
    uint32_t max;                       /* 1 to CV_VCPUS_MAX */
    uint64_t online[CV_VCPUS_MAX / 64]; /* bit i of word i / 64: vCPU i is online */
};
int cv_rec_vcpus_encode(const struct cv_rec_vcpus *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_vcpus_decode(struct cv_rec_vcpus *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- MEMORY: the guest-physical address space ---- */
#define CV_E820_MAX 128u
#define CV_PFN_COUNT_MAX (1ull << 40)
struct cv_e820_entry {
    uint64_t start, size; /* bytes; ascending, not overlapping, size > 0 */
    uint32_t type;        /* as in the e820 map, > 0 */
};
struct cv_rec_memory {
    uint64_t pfn_count;   /* highest pfn + 1, 1 to CV_PFN_COUNT_MAX */
    uint64_t max_pages;   /* what the domain may own, ROMs, VRAM and special pages included; 0 unknown */
    uint64_t owned_pages; /* what it owned at the save; 0 unknown */
    uint64_t target_kib, static_max_kib, videoram_kib, paging_pool_kib; /* 0 unknown */
    uint32_t e820_count;                                                /* at most CV_E820_MAX */
    struct cv_e820_entry e820[CV_E820_MAX];
};
/* The map of a guest that has only RAM in it. */
void cv_rec_memory_set_ram(struct cv_rec_memory *v, const struct cv_physmap *map);
int cv_rec_memory_encode(const struct cv_rec_memory *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_memory_decode(struct cv_rec_memory *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- CPU_POLICY: libxc's X86_CPUID_POLICY and X86_MSR_POLICY ---- */
#define CV_POLICY_MAX 1024u /* of each kind */
struct cv_rec_cpu_policy {
    uint32_t leaf_count, msr_count;
    const uint8_t *leaves, *msrs; /* wire form, see the accessors */
};
/* leaves: strictly increasing by (leaf, subleaf); msrs: by index; both at most CV_POLICY_MAX. */
int cv_rec_cpu_policy_encode(const struct cv_policy_leaf *leaves, uint32_t leaf_count, const struct cv_policy_msr *msrs,
                             uint32_t msr_count, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_cpu_policy_decode(struct cv_rec_cpu_policy *v, const void *body, size_t len,
                             struct cv_error *err) CV_CHECKED;
/* The whole, in memory of its own.  v: decoded. */
int cv_rec_cpu_policy_copy(const struct cv_rec_cpu_policy *v, struct cv_cpu_policy *p_out,
                           struct cv_error *err) CV_CHECKED;
struct cv_policy_leaf cv_cpu_policy_leaf(const struct cv_rec_cpu_policy *v, uint32_t i); /* i < leaf_count */
struct cv_policy_msr cv_cpu_policy_msr(const struct cv_rec_cpu_policy *v, uint32_t i);   /* i < msr_count */

/* ---- PAGES: the fixed head alone; run table and payload belong to memory/pages_codec.h ---- */
#define CV_PAGES_HEAD_SIZE 40u
#define CV_PAGES_MAX 2048u /* pages listed by one record */
/* A listed page costs one byte, and the SKIP before it at most 8 (lengths are below 2^52). */
#define CV_PAGES_RUNS_MAX (CV_PAGES_MAX * 9u)
enum cv_codec { CV_CODEC_NONE = 0, CV_CODEC_ZSTD = 1, CV_CODEC_AUTO = 255 /* never on the wire */ };
struct cv_pages_head {
    uint32_t pass;            /* as in the tag */
    uint8_t codec;            /* of the payload */
    uint64_t first_pfn, span; /* the pfns described lie in [first_pfn, first_pfn + span) */
    uint32_t runs_length, payload_length;
    uint32_t data_pages, raw_length; /* pages whose contents the payload holds; 4096 times that */
};
void cv_pages_head_encode(const struct cv_pages_head *v, uint8_t out[CV_PAGES_HEAD_SIZE]);
/* head: the body's first head_len bytes; body_len: of the whole body, the head's lengths are checked against it. */
int cv_pages_head_decode(struct cv_pages_head *v, const void *head, size_t head_len, uint64_t body_len,
                         struct cv_error *err) CV_CHECKED;

/* ---- PASS_END ---- */
#define CV_PASS_LAST 1u /* the guest is stopped and no more PAGES follow */
struct cv_rec_pass_end {
    uint32_t pass, flags;
    uint64_t records, data_pages; /* PAGES records of this pass; sum of their data_pages */
    uint64_t pages;               /* pages of all kinds that they list (checked by who reads the run tables) */
    uint64_t dirty_left;          /* pages known to need another pass; 0 with CV_PASS_LAST */
    uint64_t duration_us;         /* how long the pass took */
};
int cv_rec_pass_end_encode(const struct cv_rec_pass_end *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_pass_end_decode(struct cv_rec_pass_end *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- TSC_INFO: libxc's X86_TSC_INFO ---- */
struct cv_rec_tsc_info {
    uint32_t mode, khz;
    uint64_t nsec;
    uint32_t incarnation;
};
int cv_rec_tsc_info_encode(const struct cv_rec_tsc_info *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_tsc_info_decode(struct cv_rec_tsc_info *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- HVM_PARAMS: libxc's HVM_PARAMS, among them the places of the console, xenstore and ioreq pages ---- */
#define CV_HVM_PARAMS_MAX 1024u
struct cv_hvm_param {
    uint64_t index, value;
};
struct cv_rec_hvm_params {
    uint32_t count;
    const uint8_t *entries; /* wire form, see the accessor */
};
/* params: strictly increasing by index, at most CV_HVM_PARAMS_MAX. */
int cv_rec_hvm_params_encode(const struct cv_hvm_param *params, uint32_t count, struct cv_buf *out,
                             struct cv_error *err) CV_CHECKED;
int cv_rec_hvm_params_decode(struct cv_rec_hvm_params *v, const void *body, size_t len,
                             struct cv_error *err) CV_CHECKED;
struct cv_hvm_param cv_hvm_params_at(const struct cv_rec_hvm_params *v, uint32_t i); /* i < count */

/* ---- XENSTORE: nodes that have to be put back, and numbers of Xen's that change with them ---- */
enum cv_xs_root {
    CV_XS_GUEST = 0,        /* /local/domain/<domid>/ */
    CV_XS_DEVICE_MODEL = 1, /* /local/domain/<emulator's domain>/device-model/<domid>/ */
    CV_XS_LIBXL = 2,        /* /libxl/<domid>/ */
    CV_XS_VM = 3,           /* /vm/<uuid>/ */
    CV_XS_XEN = 4,          /* no nodes, but what Xen itself keeps: "max-pages" */
};
#define CV_XS_ROOT_MAX 4u
#define CV_XS_NO_DMID 0xffu /* the node belongs to no single emulator */
#define CV_XS_GUEST_READ 1u /* the guest may read, write, or owns the node */
#define CV_XS_GUEST_WRITE 2u
#define CV_XS_GUEST_OWNS 4u
#define CV_XS_NODES_MAX 8192u
struct cv_xs_node {
    uint8_t root;    /* enum cv_xs_root */
    uint8_t dmid;    /* 0 to 7, or CV_XS_NO_DMID */
    uint8_t access;  /* CV_XS_GUEST_* bits */
    const char *key; /* relative path, 1 to 2048 bytes of [-A-Za-z0-9/_@:.+], no empty component */
    uint16_t key_len;
    const char *value; /* any bytes, at most 4096 */
    uint16_t value_len;
};
struct cv_rec_xenstore {
    uint32_t count;
    struct cv_cursor rest; /* see cv_xs_next */
};
/* nodes: strictly increasing by (root, dmid, key as bytes), at most CV_XS_NODES_MAX. */
int cv_rec_xenstore_encode(const struct cv_xs_node *nodes, uint32_t count, struct cv_buf *out,
                           struct cv_error *err) CV_CHECKED;
int cv_rec_xenstore_decode(struct cv_rec_xenstore *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;
/* The next node of a decoded record, false after the last one. */
bool cv_xs_next(struct cv_rec_xenstore *v, struct cv_xs_node *node);

/* ---- DEVICE_STATE: one emulator's state ---- */
enum cv_state_format {
    CV_STATE_OPAQUE = 0,
    CV_STATE_QEMU = 1, /* as QEMU's xen-save-devices-state writes it: stream-format/qemu_state.h */
};
#define CV_STATE_FORMAT_MAX 1u
struct cv_rec_device_state {
    uint32_t dmid;       /* as in the tag */
    uint32_t format;     /* enum cv_state_format */
    const uint8_t *blob; /* 1 byte to 64 MiB */
    uint64_t blob_len;
    uint8_t digest[16]; /* XXH3-128 of the blob, canonical (big-endian) form */
};
/* The head alone (the digest is computed from blob): put it and the blob as two pieces, so that nothing is copied. */
int cv_rec_device_state_head(const struct cv_rec_device_state *v, uint8_t out[CV_DEVICE_STATE_HEAD],
                             struct cv_error *err) CV_CHECKED;
/* The other way, for a body of body_len bytes of which only the head is at hand; blob stays NULL, nothing is hashed. */
int cv_rec_device_state_head_decode(struct cv_rec_device_state *v, const uint8_t head[CV_DEVICE_STATE_HEAD],
                                    uint64_t body_len, struct cv_error *err) CV_CHECKED;
int cv_rec_device_state_decode(struct cv_rec_device_state *v, const void *body, size_t len,
                               struct cv_error *err) CV_CHECKED;

/* ---- PARENT: the image that this one is based on ---- */
struct cv_rec_parent {
    uint8_t stream_id[16]; /* of its header */
    uint8_t digest[16];    /* of its END */
    const char *name;      /* the file's, without folder, when it was read: helps to find it; may be empty */
    uint32_t name_len;     /* at most CV_PARENT_NAME_MAX */
};
int cv_rec_parent_encode(const struct cv_rec_parent *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_parent_decode(struct cv_rec_parent *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- PAGE_HASHES: what the memory holds, page by page ---- */
struct cv_rec_hashes {
    uint64_t first_pfn, span;
    uint32_t runs_length, data_pages;
    const uint8_t *runs;   /* as in PAGES, looked at by memory/hashes.h */
    const uint8_t *hashes; /* data_pages times 16 bytes */
};
/* The head alone; runs and hashes are put as pieces behind it. */
void cv_rec_hashes_head_encode(const struct cv_rec_hashes *v, uint8_t out[CV_HASHES_HEAD_SIZE]);
int cv_rec_hashes_decode(struct cv_rec_hashes *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- PLACES: where in the area of a stream of fixed layout the pages lie ---- */
struct cv_place {
    uint64_t first_pfn, pages; /* neighbouring pfns in neighbouring places; the first entry begins at place 0 */
};
struct cv_rec_places {
    uint32_t count;
    const uint8_t *entries; /* wire form, see the accessor */
};
/* places: 1 to CV_PLACES_MAX, ascending, with a gap between two. */
int cv_rec_places_encode(const struct cv_place *places, uint32_t count, struct cv_buf *out,
                         struct cv_error *err) CV_CHECKED;
int cv_rec_places_decode(struct cv_rec_places *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;
struct cv_place cv_places_at(const struct cv_rec_places *v, uint32_t i); /* i < count */
/* Pages of all entries. */
uint64_t cv_places_pages(const struct cv_rec_places *v);

/* ---- FREEZE: the command that ran while the guest and its emulators stood still ---- */
#define CV_FREEZE_CUT 1u /* it printed more than output holds */
struct cv_rec_freeze {
    uint64_t time;        /* seconds since 1970 UTC when it began */
    uint32_t duration_ms; /* it took */
    uint32_t flags;       /* CV_FREEZE_CUT */
    const char *command;  /* 1 to CV_FREEZE_COMMAND_MAX bytes */
    uint32_t command_len;
    const char *output; /* what it printed; at most CV_FREEZE_OUTPUT_MAX bytes */
    uint32_t output_len;
};
/* Bytes of command and output that are no text of the format's are written as '?'. */
int cv_rec_freeze_encode(const struct cv_rec_freeze *v, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_freeze_decode(struct cv_rec_freeze *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* ---- INDEX ---- */
struct cv_index_entry {
    uint64_t offset, number; /* of the record's header */
    uint32_t type, tag;      /* as in that header */
    uint64_t key;            /* PAGES: first_pfn; 0 elsewhere */
    uint64_t chain;          /* check of the header before it: what its own check is seeded with */
};
#define CV_INDEX_ENTRY_SIZE 40u
struct cv_rec_index {
    uint32_t count;
    const uint8_t *entries; /* wire form, see the accessor */
};
int cv_index_entry_encode(const struct cv_index_entry *e, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
int cv_rec_index_decode(struct cv_rec_index *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;
struct cv_index_entry cv_index_at(const struct cv_rec_index *v, uint32_t i); /* i < count */

/* ---- END ---- */
#define CV_END_SIZE 48u
struct cv_rec_end {
    uint64_t records;      /* in front of END */
    uint64_t bytes;        /* of the stream in front of END */
    uint64_t data_pages;   /* sum of data_pages over all PAGES records */
    uint64_t index_offset; /* of INDEX's header, 0 = there is none */
    uint8_t digest[16];    /* XXH3-128 of stream header and all record headers in front of END, canonical */
};
void cv_rec_end_encode(const struct cv_rec_end *v, uint8_t out[CV_END_SIZE]);
int cv_rec_end_decode(struct cv_rec_end *v, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

/* Checks a whole body with the decoder of its type; of PAGES the head only; of unknown types nothing. */
int cv_body_check(uint32_t raw_type, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

#endif
