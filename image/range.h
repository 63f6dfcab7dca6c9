/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Some pages of an image, without the others being read. */
#ifndef CONVOY_IMAGE_RANGE_H
#define CONVOY_IMAGE_RANGE_H

#include "memory/pipeline.h"

/* Pages [from, to) of an image of fixed layout that has an INDEX (all that convoy save writes have one) into sink: of
 * the file are read the header, END, INDEX, MEMORY, PLACES, the heads of the PAGE_HASHES records and those of them that
 * are about these pages, and the pages, each of which is held against its hash.  Nothing else is found right or wrong.
 * fd: borrowed, its offset is changed.  *bytes_out: read from the area.  Returns 1; 0 when the image is another one, or
 * has to be read as a whole to say what is wrong with it; -1 with err. */
int cv_image_read_range(int fd, uint64_t from, uint64_t to, struct cv_page_sink *sink, const struct cv_mem_options *mem,
                        uint64_t *bytes_out, struct cv_error *err) CV_CHECKED;

#endif
