/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_TESTS_GOLDEN_VECTORS_H
#define CONVOY_TESTS_GOLDEN_VECTORS_H

#include "tests/support/raw_stream.h"

/* Writes NAME.cvy and NAME.expect; stops the program when the reader disagrees with valid. */
void vector_write(bool valid, const char *name, const struct cv_buf *stream);

void make_valid(void);
void make_invalid_frames(void);
void make_invalid_order(void);
void make_invalid_bodies(void);

/* The stream that the invalid ones are made from: three emulators, two passes, notes and index. */
void base_stream(struct raw_stream *s);
/* Emits s, writes it as an invalid vector, disposes it. */
void invalid(const char *name, struct raw_stream *s);

#endif
