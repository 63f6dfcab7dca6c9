/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's CPUID and MSR policy: read from the domain, and imposed on a new one before its memory. */
#include <errno.h>
#include <stdlib.h>

#include "host/xen/xen.h"

struct raw_policy {
    xen_cpuid_leaf_t *leaves;
    xen_msr_entry_t *msrs;
    uint32_t leaf_count, msr_count;
};

static void raw_dispose(struct raw_policy *r)
{
    free(r->leaves);
    free(r->msrs);
}

static int raw_alloc(struct raw_policy *r, struct cv_error *err)
{
    r->leaves = calloc(r->leaf_count + 1u, sizeof *r->leaves);
    r->msrs = calloc(r->msr_count + 1u, sizeof *r->msrs);
    if (r->leaves != NULL && r->msrs != NULL)
        return 0;
    raw_dispose(r);
    return cv_fail(err, CV_E_NOMEM, 0, "no memory for the CPU policy");
}

static int raw_get(struct xen_host *x, uint32_t domid, struct raw_policy *r, struct cv_error *err)
{
    if (xc_cpu_policy_get_size(x->xc, &r->leaf_count, &r->msr_count) < 0)
        return xen_fail(x, err, "cannot ask for the size of the CPU policy");
    if (raw_alloc(r, err) < 0)
        return -1;
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    int rc = policy == NULL ? cv_fail(err, CV_E_NOMEM, 0, "no memory for the CPU policy") : 0;
    if (rc == 0 && (xc_cpu_policy_get_domain(x->xc, domid, policy) != 0 ||
                    xc_cpu_policy_serialise(x->xc, policy, r->leaves, &r->leaf_count, r->msrs, &r->msr_count) != 0))
        rc = xen_fail(x, err, "cannot read domain %u's CPU policy", domid);
    if (policy != NULL)
        xc_cpu_policy_destroy(policy);
    if (rc < 0)
        raw_dispose(r);
    return rc;
}

int xen_get_cpu_policy(struct cv_host *h, uint32_t domid, struct cv_cpu_policy *out, struct cv_error *err)
{
    struct raw_policy r = { 0 };

    if (raw_get(xen_host(h), domid, &r, err) < 0)
        return -1;
    struct cv_cpu_policy p = {
        .leaves = calloc(r.leaf_count + 1u, sizeof *p.leaves),
        .leaf_count = r.leaf_count,
        .msrs = calloc(r.msr_count + 1u, sizeof *p.msrs),
        .msr_count = r.msr_count,
    };
    if (p.leaves == NULL || p.msrs == NULL) {
        raw_dispose(&r);
        cv_cpu_policy_dispose(&p);
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the CPU policy");
    }
    for (uint32_t i = 0; i < r.leaf_count; i++)
        p.leaves[i] = (struct cv_policy_leaf){ r.leaves[i].leaf, r.leaves[i].subleaf, r.leaves[i].a,
                                               r.leaves[i].b,    r.leaves[i].c,       r.leaves[i].d };
    for (uint32_t i = 0; i < r.msr_count; i++)
        p.msrs[i] = (struct cv_policy_msr){ r.msrs[i].idx, r.msrs[i].flags, r.msrs[i].val };
    raw_dispose(&r);
    *out = p;
    return 0;
}

int xen_set_cpu_policy(struct cv_host *h, uint32_t domid, const struct cv_cpu_policy *p, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct raw_policy r = { .leaf_count = (uint32_t)p->leaf_count, .msr_count = (uint32_t)p->msr_count };
    uint32_t leaf = UINT32_MAX, subleaf = UINT32_MAX, msr = UINT32_MAX;

    if (p->leaf_count > 4096 || p->msr_count > 4096)
        return cv_fail(err, CV_E_INVALID, 0, "a CPU policy of %zu leaves and %zu MSRs is not a CPU policy",
                       p->leaf_count, p->msr_count);
    if (raw_alloc(&r, err) < 0)
        return -1;
    for (uint32_t i = 0; i < r.leaf_count; i++)
        r.leaves[i] = (xen_cpuid_leaf_t){ p->leaves[i].leaf, p->leaves[i].subleaf, p->leaves[i].a,
                                          p->leaves[i].b,    p->leaves[i].c,       p->leaves[i].d };
    for (uint32_t i = 0; i < r.msr_count; i++)
        r.msrs[i] = (xen_msr_entry_t){ .idx = p->msrs[i].index, .flags = p->msrs[i].flags, .val = p->msrs[i].value };
    int rc = xc_set_domain_cpu_policy(x->xc, domid, r.leaf_count, r.leaves, r.msr_count, r.msrs, &leaf, &subleaf, &msr);
    if (rc != 0)
        xen_fail_as(x, CV_E_UNSUPPORTED, errno, err,
                    "this host cannot give the guest the CPU that it had (leaf %#x, subleaf %#x, MSR %#x)", leaf,
                    subleaf, msr);
    raw_dispose(&r);
    return rc != 0 ? -1 : 0;
}

/* What Xen itself will say when the policy is imposed, asked while nothing has been built. */
int xen_check_cpu_policy(struct cv_host *h, const struct cv_cpu_policy *p, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    struct raw_policy r = { .leaf_count = (uint32_t)p->leaf_count, .msr_count = 0 };

    if (p->leaf_count > 4096)
        return cv_fail(err, CV_E_INVALID, 0, "a CPU policy of %zu leaves is not a CPU policy", p->leaf_count);
    if (raw_alloc(&r, err) < 0)
        return -1;
    for (uint32_t i = 0; i < r.leaf_count; i++)
        r.leaves[i] = (xen_cpuid_leaf_t){ p->leaves[i].leaf, p->leaves[i].subleaf, p->leaves[i].a,
                                          p->leaves[i].b,    p->leaves[i].c,       p->leaves[i].d };
    xc_cpu_policy_t *most = xc_cpu_policy_init(), *guest = xc_cpu_policy_init();
    int rc = 0;
    if (most == NULL || guest == NULL)
        rc = cv_fail(err, CV_E_NOMEM, 0, "no memory for the CPU policy");
    else if (xc_cpu_policy_get_system(x->xc, XEN_SYSCTL_cpu_policy_hvm_max, most) != 0)
        rc = xen_fail(x, err, "cannot ask Xen for what it can give to a guest");
    else if (xc_cpu_policy_update_cpuid(x->xc, guest, r.leaves, r.leaf_count) != 0 ||
             !xc_cpu_policy_is_compatible(x->xc, most, guest))
        rc = xen_fail_as(x, CV_E_UNSUPPORTED, 0, err, "this host cannot give the guest the CPU that it has");
    if (most != NULL)
        xc_cpu_policy_destroy(most);
    if (guest != NULL)
        xc_cpu_policy_destroy(guest);
    raw_dispose(&r);
    return rc;
}
