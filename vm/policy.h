/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest's CPU can do: CPUID leaves (Xen's xen_cpuid_leaf_t) and MSRs (xen_msr_entry_t), as numbers. */
#ifndef CONVOY_VM_POLICY_H
#define CONVOY_VM_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct cv_policy_leaf {
    uint32_t leaf, subleaf; /* subleaf 0xffffffff: the leaf has none */
    uint32_t a, b, c, d;
};
struct cv_policy_msr {
    uint32_t index, flags;
    uint64_t value;
};

/* { 0 } is empty; dispose is safe on it and twice. */
struct cv_cpu_policy {
    struct cv_policy_leaf *leaves;
    size_t leaf_count;
    struct cv_policy_msr *msrs;
    size_t msr_count;
};

/* Room for so many entries, zeroed.  *p_out: disposed of by the caller after success. */
int cv_cpu_policy_init(struct cv_cpu_policy *p_out, size_t leaves, size_t msrs, struct cv_error *err) CV_CHECKED;
void cv_cpu_policy_dispose(struct cv_cpu_policy *p);
/* Into the order of streams and hypercalls: leaves by (leaf, subleaf), MSRs by index. */
void cv_cpu_policy_sort(struct cv_cpu_policy *p);

#endif
