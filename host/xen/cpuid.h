/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key `cpuid` of a configuration, in the form in which Xen's tools apply it.  What its words mean is libxl's
 * business. */
#ifndef CONVOY_HOST_XEN_CPUID_H
#define CONVOY_HOST_XEN_CPUID_H

#include "host/xen/xen.h"

struct xen_cpuid {
    struct xc_xend_cpuid *leaves; /* ends with leaf XEN_CPUID_INPUT_UNUSED; NULL = none */
    char *texts;                  /* all of their policies */
};

/* words: vm/spec.h; "" is none.  CV_E_INVALID: libxl does not know a word.  CV_E_UNSUPPORTED: it means an MSR. */
int xen_cpuid_read(struct xen_host *x, const char *words, struct xen_cpuid *out, struct cv_error *err) CV_CHECKED;
void xen_cpuid_dispose(struct xen_cpuid *c);

#endif
