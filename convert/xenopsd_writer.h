/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenopsd's suspend image round libxc's stream.  What xenopsd has no record for goes into XENOPS records, which it
 * passes over: the bodies of our own records, one in front of libxc's stream for the head and one behind it for
 * xenstore.  Private to convert/. */
#ifndef CONVOY_CONVERT_XENOPSD_WRITER_H
#define CONVOY_CONVERT_XENOPSD_WRITER_H

#include "convert/convert.h"
#include "convert/xl_writer.h"
#include "layout/layout.h"
#include "stream-format/stream.h"

/* The records that go in front of the memory, in a stream's order. */
enum { CV_XENOPSD_HEAD = 6 };
extern const enum cv_record_type cv_xenopsd_head[CV_XENOPSD_HEAD];
#define CV_XENOPSD_KEY "convoy/" /* and the record's name */

struct cv_xenopsd_writer {
    struct cv_xl_writer *w; /* borrowed */
    const struct cv_convert_options *opt;
    struct cv_buf head[CV_XENOPSD_HEAD], qemu;
    bool several; /* states are in a stream of their own */
    int states_fd;
    struct cv_writer *states;
};
#define CV_XENOPSD_WRITER_INIT .states_fd = -1

/* Of any record in front of the memory; others are not kept. */
int cv_xenopsd_keep(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* CV_E_UNSUPPORTED: a guest without emulators. */
int cv_xenopsd_layout(struct cv_xenopsd_writer *x, const struct cv_layout *l, struct cv_error *err) CV_CHECKED;
/* Up to libxc's stream. */
int cv_xenopsd_put_head(struct cv_xenopsd_writer *x, struct cv_error *err) CV_CHECKED;
int cv_xenopsd_put_nodes(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
int cv_xenopsd_state(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* CV_E_UNSUPPORTED: the states together are longer than xenopsd takes. */
int cv_xenopsd_put_end(struct cv_xenopsd_writer *x, struct cv_error *err) CV_CHECKED;
void cv_xenopsd_writer_dispose(struct cv_xenopsd_writer *x);

#endif
