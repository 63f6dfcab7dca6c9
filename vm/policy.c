/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/policy.h"

#include <stdlib.h>

int cv_cpu_policy_init(struct cv_cpu_policy *p_out, size_t leaves, size_t msrs, struct cv_error *err)
{
    struct cv_cpu_policy p = { .leaves = calloc(leaves + 1, sizeof *p.leaves),
                               .leaf_count = leaves,
                               .msrs = calloc(msrs + 1, sizeof *p.msrs),
                               .msr_count = msrs };

    if (p.leaves == NULL || p.msrs == NULL) {
        cv_cpu_policy_dispose(&p);
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a CPU policy of %zu leaves and %zu MSRs", leaves, msrs);
    }
    *p_out = p;
    return 0;
}

void cv_cpu_policy_dispose(struct cv_cpu_policy *p)
{
    free(p->leaves);
    free(p->msrs);
    *p = (struct cv_cpu_policy){ 0 };
}

static int by_leaf(const void *a, const void *b)
{
    const struct cv_policy_leaf *x = a, *y = b;

    if (x->leaf != y->leaf)
        return x->leaf < y->leaf ? -1 : 1;
    return x->subleaf < y->subleaf ? -1 : x->subleaf > y->subleaf;
}

static int by_index(const void *a, const void *b)
{
    const struct cv_policy_msr *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

void cv_cpu_policy_sort(struct cv_cpu_policy *p)
{
    if (p->leaf_count > 1)
        qsort(p->leaves, p->leaf_count, sizeof *p->leaves, by_leaf);
    if (p->msr_count > 1)
        qsort(p->msrs, p->msr_count, sizeof *p->msrs, by_index);
}
