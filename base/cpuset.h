/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of CPUs in xl's words: "all", or a list of numbers and ranges, "0-3,6,^2"; "^" takes out what is there so far.
 */
#ifndef CONVOY_BASE_CPUSET_H
#define CONVOY_BASE_CPUSET_H

#include <stdint.h>

#include "base/error.h"

#define CV_CPUSET_MAX 4096u

struct cv_cpuset {
    uint8_t map[CV_CPUSET_MAX / 8]; /* bit n & 7 of byte n / 8 = CPU n, as Xen has it */
};

/* cpus: how many there are, at most CV_CPUSET_MAX; a number beyond is an error, and so is a set without any CPU.
 * Errors: CV_E_INVALID; CV_E_UNSUPPORTED for NUMA nodes. */
int cv_cpuset_parse(const char *text, unsigned cpus, struct cv_cpuset *out, struct cv_error *err) CV_CHECKED;

#endif
