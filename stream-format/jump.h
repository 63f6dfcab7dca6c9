/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands behind the memory of an image that is a file, without reading the memory: INDEX says where it is. */
#ifndef CONVOY_STREAM_FORMAT_JUMP_H
#define CONVOY_STREAM_FORMAT_JUMP_H

#include "stream-format/bodies.h"
#include "stream-format/stream.h"

struct cv_jump {
    int fd;
    uint64_t offset, number, chain; /* of the next record's header; check of the header before it */
    struct cv_rec_end end;          /* as the file's last record has it */
};

/* To the first record of this type, which INDEX lists (it is mandatory).  As cv_jump_begin. */
int cv_jump_to(struct cv_jump *j, int fd, uint32_t type) CV_CHECKED;
/* The first n bytes of the next record's body, which is not read; its type.  Errors as cv_jump_next. */
int cv_jump_peek(struct cv_jump *j, uint32_t *type_out, uint8_t *begin_out, size_t n, struct cv_error *err) CV_CHECKED;
/* Passes over the record that was peeked at: its header has been found right, its body is not looked at. */
int cv_jump_skip(struct cv_jump *j, struct cv_error *err) CV_CHECKED;
/* Goes behind the last PASS_END.  fd: borrowed; read with pread.  Returns 1, or 0 when it cannot be done (no file, no
 * INDEX, or something at the end of the file is not right): then the stream is read in order, which says why. */
int cv_jump_begin(struct cv_jump *j, int fd);
/* The next record, checked as one that is read in order is (docs/stream-format.md, 5.15), but for its place among
 * others. Returns 1, 0 in front of INDEX or END, -1 with err. */
int cv_jump_next(struct cv_jump *j, struct cv_record *rec, struct cv_error *err) CV_CHECKED;

#endif
