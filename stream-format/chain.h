/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images that are based on others (feature INCREMENTAL): finds the files that a chain consists of.
 * Each image names its parent by stream_id and by END's digest, so that neither another file of that name nor a
 * changed one is ever taken for it. */
#ifndef CONVOY_STREAM_FORMAT_CHAIN_H
#define CONVOY_STREAM_FORMAT_CHAIN_H

#include "stream-format/bodies.h"
#include "stream-format/stream.h"

/* Where parents are looked for, in this order.  Borrowed. */
#define CV_CHAIN_PLACES_MAX 16u
struct cv_chain_places {
    const char *files[CV_CHAIN_PLACES_MAX];
    unsigned file_count;
    const char *dirs[CV_CHAIN_PLACES_MAX];
    unsigned dir_count;
};

struct cv_chain_link {
    char *path; /* owned, as everything here */
    int fd;
    uint8_t stream_id[16], digest[16]; /* digest: what its child says of it */
    uint64_t required_features, pfn_count;
};
#define CV_CHAIN_LINKS_MAX 4096u
/* The full image first, the youngest parent last; the image itself is not among them.  { 0 } is empty. */
struct cv_chain {
    struct cv_chain_link *links;
    unsigned count;
};

/* child: what an image says of its parent; its memory has pfn_count pages.  Opens every link and reads its head.
 * Errors name the link: CV_E_NOT_FOUND (missing, or only another image has its name), CV_E_STREAM (damaged, or it does
 * not fit).  out: to be disposed of in any case. */
int cv_chain_find(struct cv_chain *out, const struct cv_rec_parent *child, uint64_t pfn_count,
                  const struct cv_chain_places *places, struct cv_error *err) CV_CHECKED;
void cv_chain_dispose(struct cv_chain *c);

/* A reader over a link, from its start. */
int cv_chain_open(const struct cv_chain_link *l, struct cv_reader_options opt, struct cv_reader **r_out,
                  struct cv_error *err) CV_CHECKED;
/* r has read all of the link: it is the very image that its child was made from.  CV_E_STREAM. */
int cv_chain_check_end(const struct cv_chain_link *l, const struct cv_reader *r, struct cv_error *err) CV_CHECKED;

/* 32 hexadecimal digits; buf of 33 bytes.  Returns buf. */
const char *cv_chain_id(const uint8_t id[16], char *buf);

#endif
