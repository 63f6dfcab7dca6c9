/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image that the one to be written is based on: who it is, and what it holds of each page. */
#ifndef CONVOY_SAVE_PARENT_H
#define CONVOY_SAVE_PARENT_H

#include "memory/hashes.h"
#include "stream-format/chain.h"

struct cv_parent {
    struct cv_rec_parent rec; /* its name: name */
    char name[CV_PARENT_NAME_MAX + 1];
    uint8_t uuid[16]; /* of the guest in it */
    bool has_parent;  /* it is incremental itself: */
    struct cv_rec_parent below;
    char below_name[CV_PARENT_NAME_MAX + 1];
    struct cv_hashes hashes;
};

/* Reads head and hashes of the image and of all that is below it.  What an image with an INDEX (a file) holds of memory
 * is neither read nor checked: that is for convoy verify, and a restore does it in any case. places: where images below
 * path are looked for, besides its folder; may be NULL. Errors: as cv_reader_next and cv_chain_find; CV_E_UNSUPPORTED:
 * saved without hashes of its pages.  "parent PATH:
 * ...". p: to be disposed of in any case. */
int cv_parent_read(struct cv_parent *p, const char *path, const struct cv_chain_places *places,
                   struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;
void cv_parent_dispose(struct cv_parent *p);

#endif
