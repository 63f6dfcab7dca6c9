/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What convoy has put into an image of xenopsd's, taken out again.  Private to convert/. */
#ifndef CONVOY_CONVERT_XENOPSD_HEAD_H
#define CONVOY_CONVERT_XENOPSD_HEAD_H

#include "convert/head.h"
#include "convert/xenopsd_writer.h"

struct cv_xenopsd_in {
    struct cv_buf head[CV_XENOPSD_HEAD]; /* bodies, in the order of cv_xenopsd_head; len 0 = not there */
    struct cv_buf xenstore;
    uint64_t pfn_count;
};

/* The body of a XENOPS record; there may be several. */
int cv_xenopsd_take(struct cv_xenopsd_in *in, const struct cv_buf *body, struct cv_error *err) CV_CHECKED;
/* When memory begins: all is there and has the form that it should have.  layout_out: dispose after success.
 * CV_E_UNSUPPORTED: xenopsd wrote it of a guest that convoy does not know. */
int cv_xenopsd_check(struct cv_xenopsd_in *in, struct cv_layout *layout_out, struct cv_error *err) CV_CHECKED;
int cv_xenopsd_head_write(const struct cv_xenopsd_in *in, struct cv_writer *w, struct cv_error *err) CV_CHECKED;
/* The DEVICE_STATEs from the body of a QEMU record that several emulators share. */
int cv_xenopsd_states_write(const struct cv_xenopsd_in *in, const struct cv_buf *qemu, struct cv_writer *w,
                            struct cv_error *err) CV_CHECKED;
void cv_xenopsd_in_dispose(struct cv_xenopsd_in *in);

#endif
