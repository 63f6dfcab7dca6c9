/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry for all decoders: the reader hands out no body that its own decoder would refuse. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

/* On the heap-free path every body is decoded once more by its user: microseconds, except for PAGES and blobs. */
int cv_body_check(uint32_t raw_type, const void *body, size_t len, struct cv_error *err)
{
    union {
        struct cv_rec_host host;
        struct cv_rec_guest guest;
        struct cv_rec_layout layout;
        struct cv_rec_devices devices;
        struct cv_rec_vcpus vcpus;
        struct cv_rec_memory memory;
        struct cv_rec_cpu_policy policy;
        struct cv_pages_head pages;
        struct cv_rec_pass_end pass_end;
        struct cv_rec_tsc_info tsc;
        struct cv_rec_hvm_params params;
        struct cv_rec_xenstore xenstore;
        struct cv_rec_device_state state;
        struct cv_rec_parent parent;
        struct cv_rec_hashes hashes;
        struct cv_rec_places places;
        struct cv_rec_freeze freeze;
        struct cv_rec_index index;
        struct cv_rec_end end;
    } v;

    switch (raw_type) {
    case CV_REC_HOST: return cv_rec_host_decode(&v.host, body, len, err);
    case CV_REC_GUEST: return cv_rec_guest_decode(&v.guest, body, len, err);
    case CV_REC_LAYOUT: return cv_rec_layout_decode(&v.layout, body, len, err);
    case CV_REC_DEVICES: return cv_rec_devices_decode(&v.devices, body, len, err);
    case CV_REC_VCPUS: return cv_rec_vcpus_decode(&v.vcpus, body, len, err);
    case CV_REC_MEMORY: return cv_rec_memory_decode(&v.memory, body, len, err);
    case CV_REC_CPU_POLICY: return cv_rec_cpu_policy_decode(&v.policy, body, len, err);
    case CV_REC_PAGES: return cv_pages_head_decode(&v.pages, body, len, len, err);
    case CV_REC_PASS_END: return cv_rec_pass_end_decode(&v.pass_end, body, len, err);
    case CV_REC_TSC_INFO: return cv_rec_tsc_info_decode(&v.tsc, body, len, err);
    case CV_REC_HVM_PARAMS: return cv_rec_hvm_params_decode(&v.params, body, len, err);
    case CV_REC_XENSTORE: return cv_rec_xenstore_decode(&v.xenstore, body, len, err);
    case CV_REC_DEVICE_STATE: return cv_rec_device_state_decode(&v.state, body, len, err);
    case CV_REC_NOTE: return cv_body_text("note", body, len, err);
    case CV_REC_PARENT: return cv_rec_parent_decode(&v.parent, body, len, err);
    case CV_REC_PAGE_HASHES: return cv_rec_hashes_decode(&v.hashes, body, len, err);
    case CV_REC_PLACES: return cv_rec_places_decode(&v.places, body, len, err);
    case CV_REC_FREEZE: return cv_rec_freeze_decode(&v.freeze, body, len, err);
    case CV_REC_INDEX: return cv_rec_index_decode(&v.index, body, len, err);
    case CV_REC_END: return cv_rec_end_decode(&v.end, body, len, err);
    default: return 0;
    }
}
