/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest's firmware put the devices' memory: read from the PCI configuration space that QEMU keeps in each
 * device's state (hw/pci/pci.c, vmstate_pci_device: i32 version 2, then the 256 bytes of a conventional device).
 * For showing only: what does not look so is passed over. */
#include <stdio.h>
#include <string.h>

#include "image/image.h"

#define CONFIG_AT 4u
#define CONFIG_SIZE 256u
#define BAR0 0x10u
#define ROM 0x30u

static bool bdf_of(const char *name, uint16_t *bdf)
{
    unsigned bus, slot, function;

    if (sscanf(name, "0000:%2x:%2x.%1x/", &bus, &slot, &function) != 3 || slot > 31 || function > 7)
        return false;
    *bdf = (uint16_t)(bus << 8 | slot << 3 | function);
    return true;
}

static unsigned add_bar(struct cv_image_bar *out, unsigned n, unsigned max, struct cv_image_bar bar)
{
    if (n < max && bar.address != 0)
        out[n++] = bar;
    return n;
}

static unsigned from_config(const uint8_t *config, struct cv_image_bar like, struct cv_image_bar *out, unsigned n,
                            unsigned max)
{
    for (unsigned i = 0; i < 6; i++) {
        uint32_t v = cv_load32(config + BAR0 + 4 * i);
        uint64_t address = v & ~15u;
        bool wide = (v & 6u) == 4u && i < 5;
        if (v & 1u)
            continue; /* I/O ports */
        if (wide)
            address |= (uint64_t)cv_load32(config + BAR0 + 4 * (i + 1)) << 32;
        like.index = i;
        like.address = address;
        n = add_bar(out, n, max, like);
        i += wide;
    }
    like.index = CV_IMAGE_BAR_ROM;
    like.address = cv_load32(config + ROM) & ~0x7ffu;
    return add_bar(out, n, max, like);
}

unsigned cv_image_bars(const struct cv_image *img, struct cv_image_bar *out, unsigned max)
{
    unsigned n = 0;

    for (unsigned dmid = 0; dmid < CV_EMULATORS_MAX; dmid++) {
        const struct cv_image_state *s = &img->states[dmid];
        for (size_t i = 0; i < s->qemu.count; i++) {
            const struct cv_qemu_section *q = &s->qemu.sections[i];
            struct cv_image_bar like = { .dmid = dmid };
            if (!bdf_of(q->name, &like.bdf) || q->data_len < CONFIG_AT + CONFIG_SIZE ||
                q->data_offset + q->data_len > s->blob.len)
                continue;
            const uint8_t *p = s->blob.data + q->data_offset;
            uint16_t vendor = cv_load16(p + CONFIG_AT);
            /* version 2, big-endian; a header of type 0 */
            if (p[0] == 0 && p[1] == 0 && p[2] == 0 && p[3] == 2 && vendor != 0 && vendor != 0xffff &&
                (p[CONFIG_AT + 14] & 0x7f) == 0)
                n = from_config(p + CONFIG_AT, like, out, n, max);
        }
    }
    return n;
}
