/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image that the one to be written is based on: who it is, and what it holds of each page. */
#ifndef CONVOY_SAVE_PARENT_H
#define CONVOY_SAVE_PARENT_H

#include "memory/hashes.h"
#include "stream-format/bodies.h"

struct cv_parent {
    struct cv_rec_parent rec; /* its name: name */
    char name[CV_PARENT_NAME_MAX + 1];
    uint8_t uuid[16]; /* of the guest in it */
    struct cv_hashes hashes;
};

/* Reads the whole image (of compressed pages the hashes only, none is unpacked), so that nothing is based on a damaged
 * one.  Errors: as cv_reader_next; CV_E_UNSUPPORTED: it was saved without hashes of its pages.  "path: ...".
 * p: to be disposed of in any case. */
int cv_parent_read(struct cv_parent *p, const char *path, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;
void cv_parent_dispose(struct cv_parent *p);

#endif
