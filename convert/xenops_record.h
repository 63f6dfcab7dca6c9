/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XENOPS record of xenopsd's suspend image: an S-expression ((time ..)(word_size ..)(vm_str ..)(xs_subtree ((key
 * value)..))).  Of xs_subtree xenopsd has written nothing and read nothing for years: there stands what only convoy
 * understands, under keys that begin with "convoy/". */
#ifndef CONVOY_CONVERT_XENOPS_RECORD_H
#define CONVOY_CONVERT_XENOPS_RECORD_H

#include "base/bytes.h"

struct cv_xenops_pair {
    const char *key;
    const struct cv_buf *value; /* any bytes */
};

/* Appends.  time: seconds since 1970. */
int cv_xenops_encode(uint64_t time, const struct cv_xenops_pair *pairs, unsigned count, struct cv_buf *out,
                     struct cv_error *err) CV_CHECKED;
/* Calls take for each pair of xs_subtree; what take returns below 0 ends it.  key: terminated; value: borrowed, may be
 * taken away.  CV_E_STREAM: no such S-expression. */
int cv_xenops_decode(const void *data, size_t len,
                     int (*take)(void *user, const char *key, struct cv_buf *value, struct cv_error *err), void *user,
                     struct cv_error *err) CV_CHECKED;

#endif
