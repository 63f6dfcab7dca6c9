/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the stream header.  Private to stream-format/. */
#ifndef CONVOY_STREAM_FORMAT_READER_HEADER_H
#define CONVOY_STREAM_FORMAT_READER_HEADER_H

#include "stream-format/frame.h"
#include "stream-format/io.h"

/* Reads and checks the header of a stream of this version.  accept: required features that may be set.
 * bytes: the header as read.  Errors: CV_E_STREAM, CV_E_STREAM_VERSION ("version", "feature"), those of cv_io_read. */
int cv_header_read(struct cv_io *io, uint64_t accept, struct cv_stream_header *h_out,
                   uint8_t bytes[CV_STREAM_HEADER_SIZE], struct cv_error *err) CV_CHECKED;

/* From behind the header to the first record.  Errors: as for the header. */
int cv_header_skip_area(struct cv_io *io, const struct cv_stream_header *h, struct cv_error *err) CV_CHECKED;

#endif
