/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of image/: an image that is being read. */
#ifndef CONVOY_IMAGE_READING_H
#define CONVOY_IMAGE_READING_H

#include "image/image.h"
#include "memory/fixed.h"

struct cv_image_reading {
    struct cv_image *img;
    struct cv_reader *r;
    const struct cv_image_options *opt;
    struct cv_loader *loader; /* when pages are to be unpacked */
    struct cv_fixed fixed;    /* open: of fixed layout */
    bool memory_begun;
    struct cv_error
        below;         /* without a sink: why the images below could not be read, told when this one is found right */
    uint64_t reported; /* bytes at the last progress call */
};

/* Finds the images that this one is based on, reads them, and leaves the map of their pages in img->map.
 * sink: as for this one's pages, may be NULL. */
int cv_image_read_parents(struct cv_image_reading *t, struct cv_page_sink *sink, struct cv_error *err);

#endif
