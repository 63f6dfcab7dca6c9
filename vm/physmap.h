/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's physical address space:
 *
 *   0 ............ low_end        RAM
 *   hole_start ... 4 GiB          PCI hole: devices' BARs, and at its end hvmloader's and Xen's own pages
 *   4 GiB ........ high_end       the RAM that does not fit below the hole; high_end is 4 GiB when all of it does
 *
 * Emulators' windows (layout/layout.h) lie behind the RAM, outside of the hole.  All values are bytes. */
#ifndef CONVOY_VM_PHYSMAP_H
#define CONVOY_VM_PHYSMAP_H

#include <stdbool.h>
#include <stdint.h>

#define CV_PFN_SHIFT 12
#define CV_FOUR_GIB (UINT64_C(1) << 32)
#define CV_FOUR_GIB_PFN (CV_FOUR_GIB >> CV_PFN_SHIFT)
/* Xen's HVM_BELOW_4G_MMIO_START, when the configuration says nothing else. */
#define CV_HOLE_START UINT64_C(0xf0000000)
/* Where libxl lets that of a PVH guest begin: its ACPI tables, its local APICs and Xen's pages lie behind it. */
#define CV_HOLE_START_PVH UINT64_C(0xfc000000)

struct cv_physmap {
    uint64_t low_end, hole_start, high_end;
};

/* Where the hole begins that has this length; 0: the usual one. */
uint64_t cv_hole_start(uint64_t hole_bytes);
/* hole_start: at most 4 GiB. */
struct cv_physmap cv_physmap(uint64_t ram_bytes, uint64_t hole_start);
/* First byte behind the RAM. */
uint64_t cv_physmap_end(const struct cv_physmap *m);
/* Does any of these bytes lie in the hole? */
bool cv_physmap_in_hole(uint64_t hole_start, uint64_t first, uint64_t bytes);

/* RAM as the guest's firmware is told of it (e820, type 1): hvmloader makes the map of the first MiB itself. */
#define CV_E820_RAM 1u
struct cv_ram_range {
    uint64_t start, size;
};
/* One or two, ascending.  Returns how many. */
unsigned cv_physmap_ram(const struct cv_physmap *m, struct cv_ram_range out[2]);

#endif
