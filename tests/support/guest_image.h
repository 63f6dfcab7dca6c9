/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small but complete image of a guest, made without Xen and QEMU: the layout is decided from a real configuration,
 * and the device states have the sections that a QEMU of that layout would write.  It passes cv_image_check. */
#ifndef CONVOY_TESTS_SUPPORT_GUEST_IMAGE_H
#define CONVOY_TESTS_SUPPORT_GUEST_IMAGE_H

#include "base/bytes.h"
#include "layout/layout.h"

/* One emulator: VGA, IDE disk and CD-ROM, e1000, serial; what xl can describe too. */
extern const char guest_image_config[];
/* Three: the default one, one with a card, one with a virtio disk. */
extern const char guest_image_config3[];

struct guest_image_options {
    const char *config;          /* NULL = guest_image_config */
    uint64_t seed;               /* contents of pages and states, stream_id */
    unsigned passes;             /* 0 = 1 */
    const char *without_section; /* begins with this: left out of the device states */
    bool no_policy, no_nodes, nic_roms;
    bool small; /* few pages, for seeds */
};

/* Appends the stream to *out.  Aborts on failure: it has to work. */
void guest_image(struct cv_buf *out, const struct guest_image_options *opt);

/* A file of its own with these bytes, at its start.  Aborts on failure. */
int guest_image_fd(const void *data, size_t len);
/* The whole of a file.  Aborts on failure. */
void guest_image_slurp(int fd, struct cv_buf *out);

#endif
