/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

const struct cv_host_dirs cv_host_dirs_usual = { 0 };

bool cv_spec_vcpu_online(const struct cv_domain_spec *spec, uint32_t i)
{
    uint64_t any = 0;

    for (unsigned w = 0; w < CV_VCPU_WORDS; w++)
        any |= spec->online_map[w];
    if (any == 0)
        return i < spec->vcpus_online;
    return i < CV_VCPU_WORDS * 64 && (spec->online_map[i / 64] >> (i % 64) & 1);
}
