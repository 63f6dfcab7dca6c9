/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/physmap.h"

#define FIRMWARE_END UINT64_C(0x100000)

uint64_t cv_hole_start(uint64_t hole_bytes) { return hole_bytes != 0 ? CV_FOUR_GIB - hole_bytes : CV_HOLE_START; }

struct cv_physmap cv_physmap(uint64_t ram_bytes, uint64_t hole_start)
{
    uint64_t low = ram_bytes < hole_start ? ram_bytes : hole_start;

    return (struct cv_physmap){ .low_end = low, .hole_start = hole_start, .high_end = CV_FOUR_GIB + (ram_bytes - low) };
}

uint64_t cv_physmap_end(const struct cv_physmap *m) { return m->high_end > CV_FOUR_GIB ? m->high_end : m->low_end; }

bool cv_physmap_in_hole(uint64_t hole_start, uint64_t first, uint64_t bytes)
{
    return first < CV_FOUR_GIB && first + bytes > hole_start;
}

unsigned cv_physmap_ram(const struct cv_physmap *m, struct cv_ram_range out[2])
{
    out[0] = (struct cv_ram_range){ FIRMWARE_END, m->low_end - FIRMWARE_END };
    out[1] = (struct cv_ram_range){ CV_FOUR_GIB, m->high_end - CV_FOUR_GIB };
    return out[1].size != 0 ? 2 : 1;
}
