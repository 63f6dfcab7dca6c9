/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's page types and ours. */
#ifndef CONVOY_HOST_XEN_TYPES_H
#define CONVOY_HOST_XEN_TYPES_H

#include <xenctrl.h>

#include "memory/pages.h"

/* XEN_DOMCTL_getpageframeinfo3 takes at most so many at once. */
#define XEN_TYPE_BATCH 1024u

/* Exported by libxenctrl (libxenguest's saver is built on it) but declared only in its private header.
 * arr: in pfns, out pfn | XEN_DOMCTL_PFINFO_*. */
int xc_get_pfn_type_batch(xc_interface *xch, uint32_t dom, unsigned int num, xen_pfn_t *arr);

static inline uint8_t xen_page_type(xen_pfn_t info)
{
    switch (info & XEN_DOMCTL_PFINFO_LTAB_MASK) {
    case XEN_DOMCTL_PFINFO_XTAB: return CV_PAGE_ABSENT;
    case XEN_DOMCTL_PFINFO_BROKEN: return CV_PAGE_BROKEN;
    case XEN_DOMCTL_PFINFO_XALLOC: return CV_PAGE_ALLOC;
    default: return CV_PAGE_DATA;
    }
}

#endif
