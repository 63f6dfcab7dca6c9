/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that Xen knows of a guest that stands still, besides its memory. */
#ifndef CONVOY_VM_STATE_H
#define CONVOY_VM_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct cv_tsc_state {
    uint32_t mode, khz, incarnation;
    uint64_t nsec;
};

#define CV_STATE_PARAMS_MAX 64
struct cv_state_param {
    uint64_t index, value;
};

/* { 0 } is empty; dispose is safe on it and twice. */
struct cv_guest_state {
    struct cv_tsc_state tsc;
    struct cv_buf hvm_context; /* Xen's own blob (XEN_DOMCTL_gethvmcontext) */
    struct cv_state_param params[CV_STATE_PARAMS_MAX];
    size_t param_count;
};

/* Xen's HVM_PARAM_VM_GENERATION_ID_ADDR: the address in the guest's memory, or 0. */
#define CV_PARAM_GENID_ADDRESS 34

/* 0 where it is not there, which is Xen's value of a parameter that nobody has set. */
uint64_t cv_guest_state_param(const struct cv_guest_state *s, uint64_t index);
void cv_guest_state_dispose(struct cv_guest_state *s);

#endif
