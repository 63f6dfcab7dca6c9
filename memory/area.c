/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/area.h"

#include <sys/mman.h>

/* Not reserved: tables by pfn are as long as an image says that its guest reaches, and hardly anything is written to.
 * Large pages where the kernel has some: one fault in the place of 512, and batches of 4 MiB are gone through so often
 * that the fewer entries in the TLB count, most of all on a virtual machine (docs/performance.md). */
uint8_t *cv_area_new(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

void cv_area_free(uint8_t *area, size_t bytes)
{
    if (area != NULL)
        munmap(area, bytes);
}
