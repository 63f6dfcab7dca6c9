/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where and how much a domain may run: its cpupool, its vcpus' affinities, its scheduler's weight and cap. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpuset.h"
#include "base/auto.h"
#include "host/xen/xen.h"

#define POOLS_MAX 4096u /* ids are small numbers; an endless walk is not wanted */

int xen_cpupool(struct xen_host *x, const char *wanted, uint32_t *id_out, struct cv_error *err)
{
    char number[16], path[48];

    *id_out = 0; /* dom0's */
    if (*wanted == '\0')
        return 0;
    for (uint32_t id = 0; id < POOLS_MAX; id++) {
        xc_cpupoolinfo_t *pool = xc_cpupool_getinfo(x->xc, id);
        if (pool == NULL)
            break;
        id = pool->cpupool_id; /* the first one from id on */
        xc_cpupool_infofree(x->xc, pool);
        CV_AUTO_FREE char *name = NULL;
        snprintf(path, sizeof path, "/local/pool/%u/name", id);
        if (xen_xs_read(&x->base, path, &name, err) < 0)
            return -1;
        snprintf(number, sizeof number, "%u", id);
        if (strcmp(wanted, number) == 0 || (name != NULL && strcmp(wanted, name) == 0)) {
            *id_out = id;
            return 0;
        }
    }
    return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no cpupool '%s' (xl cpupool-list)", wanted);
}

static int pin_vcpu(struct xen_host *x, uint32_t domid, uint32_t vcpu, const struct cv_cpuset *set, unsigned cpus,
                    bool soft, struct cv_error *err)
{
    CV_AUTO_FREE uint8_t *map = xc_cpumap_alloc(x->xc);

    if (map == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a CPU map");
    memcpy(map, set->map, (cpus + 7) / 8);
    if (xc_vcpu_setaffinity(x->xc, domid, (int)vcpu, soft ? NULL : map, soft ? map : NULL,
                            soft ? XEN_VCPUAFFINITY_SOFT : XEN_VCPUAFFINITY_HARD) != 0)
        return xen_fail(x, err, "cannot %s vcpu %u", soft ? "set the soft affinity of" : "pin", vcpu);
    return 0;
}

/* lists: one for all vcpus, or one for each, ended by ';'. */
static int pin_vcpus(struct xen_host *x, uint32_t domid, uint32_t vcpus, const char *lists, bool soft,
                     struct cv_error *err)
{
    bool each = strchr(lists, ';') != NULL;
    const char *p = lists;
    struct cv_cpuset set;
    char one[256];

    if (*p == '\0')
        return 0;
    int cpus = xc_get_max_cpus(x->xc);
    if (cpus <= 0)
        return xen_fail(x, err, "cannot ask Xen for the number of its CPUs");
    if (cpus > (int)CV_CPUSET_MAX)
        cpus = CV_CPUSET_MAX;
    for (uint32_t i = 0; i < vcpus && *p; i++) {
        size_t len = strcspn(p, ";");
        if (len >= sizeof one)
            return cv_fail(err, CV_E_INVALID, 0, "a list of CPUs of %zu bytes", len);
        memcpy(one, p, len);
        one[len] = '\0';
        if (cv_cpuset_parse(one, (unsigned)cpus, &set, err) < 0)
            return cv_context(err, "%s of vcpu %u", soft ? "cpus_soft" : "cpus", i);
        if (pin_vcpu(x, domid, i, &set, (unsigned)cpus, soft, err) < 0)
            return -1;
        if (each)
            p += len + (p[len] == ';');
    }
    return 0;
}

/* ---- weight and cap ---- */

static int credit_cap(struct xen_host *x, uint32_t domid, unsigned percent, unsigned *before_out)
{
    struct xen_domctl_sched_credit c = { 0 };

    if (xc_sched_credit_domain_get(x->xc, domid, &c) < 0)
        return -1;
    *before_out = c.cap;
    c.cap = (uint16_t)percent;
    return xc_sched_credit_domain_set(x->xc, domid, &c);
}

static int credit2_cap(struct xen_host *x, uint32_t domid, unsigned percent, unsigned *before_out)
{
    struct xen_domctl_sched_credit2 c = { 0 };

    if (xc_sched_credit2_domain_get(x->xc, domid, &c) < 0)
        return -1;
    *before_out = c.cap;
    c.cap = (uint16_t)percent;
    return xc_sched_credit2_domain_set(x->xc, domid, &c);
}

int xen_sched_cap(struct cv_host *h, uint32_t domid, unsigned percent, unsigned *before_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    unsigned before = 0;
    int scheduler = -1, rc;

    if (percent > UINT16_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "a limit of %u %% of a CPU", percent);
    if (xc_sched_id(x->xc, &scheduler) < 0)
        return xen_fail(x, err, "cannot ask Xen for its scheduler");
    switch (scheduler) {
    case XEN_SCHEDULER_CREDIT: rc = credit_cap(x, domid, percent, &before); break;
    case XEN_SCHEDULER_CREDIT2: rc = credit2_cap(x, domid, percent, &before); break;
    default: return cv_fail(err, CV_E_UNSUPPORTED, 0, "Xen's scheduler %d knows no limit for a guest", scheduler);
    }
    if (rc < 0)
        return xen_fail(x, err, "cannot limit domain %u to %u %% of a CPU", domid, percent);
    if (before_out != NULL)
        *before_out = before;
    return 0;
}

static int set_weight(struct xen_host *x, uint32_t domid, unsigned weight, struct cv_error *err)
{
    struct xen_domctl_sched_credit credit;
    struct xen_domctl_sched_credit2 credit2;
    int scheduler = -1, rc = -1;

    if (xc_sched_id(x->xc, &scheduler) < 0)
        return xen_fail(x, err, "cannot ask Xen for its scheduler");
    if (scheduler == XEN_SCHEDULER_CREDIT) {
        if ((rc = xc_sched_credit_domain_get(x->xc, domid, &credit)) == 0) {
            credit.weight = (uint16_t)weight;
            rc = xc_sched_credit_domain_set(x->xc, domid, &credit);
        }
    } else if (scheduler == XEN_SCHEDULER_CREDIT2) {
        if ((rc = xc_sched_credit2_domain_get(x->xc, domid, &credit2)) == 0) {
            credit2.weight = (uint16_t)weight;
            rc = xc_sched_credit2_domain_set(x->xc, domid, &credit2);
        }
    } else {
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "cpu_weight: Xen's scheduler %d knows no weights", scheduler);
    }
    return rc < 0 ? xen_fail(x, err, "cannot give domain %u the weight %u", domid, weight) : 0;
}

int xen_schedule(struct xen_host *x, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err)
{
    if (pin_vcpus(x, domid, spec->vcpus, spec->cpus, false, err) < 0 ||
        pin_vcpus(x, domid, spec->vcpus, spec->cpus_soft, true, err) < 0)
        return -1;
    if (spec->cpu_weight != 0 && set_weight(x, domid, spec->cpu_weight, err) < 0)
        return -1;
    return spec->cpu_cap != 0 ? xen_sched_cap(&x->base, domid, spec->cpu_cap, NULL, err) : 0;
}
