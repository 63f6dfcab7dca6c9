/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of one PAGES record into a page sink: what a worker of the loader does. */
#ifndef CONVOY_MEMORY_UNPACK_H
#define CONVOY_MEMORY_UNPACK_H

#include "memory/fixed.h"
#include "memory/pages.h"
#include "memory/pages_codec.h"

struct cv_unpacker;
/* sink: borrowed, NULL to check only.  One for each thread. */
int cv_unpacker_new(struct cv_unpacker **u_out, struct cv_page_sink *sink, struct cv_error *err) CV_CHECKED;
void cv_unpacker_free(struct cv_unpacker *u);

/* The same of a PAGE_HASHES record, with the contents of its pages from the area.  *head_out: its run table. */
int cv_unpack_fixed(struct cv_unpacker *u, struct cv_fixed *f, const void *body, size_t len, uint64_t max_pfn,
                    struct cv_pages *head_out, struct cv_error *err) CV_CHECKED;

/* body: already checked against its hash.  *head_out: what it held, pointers into body.
 * CV_E_STREAM, or what the sink said. */
int cv_unpack(struct cv_unpacker *u, const void *body, size_t len, uint64_t max_pfn, struct cv_pages *head_out,
              struct cv_error *err) CV_CHECKED;

#endif
