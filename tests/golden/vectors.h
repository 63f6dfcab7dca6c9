/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_TESTS_GOLDEN_VECTORS_H
#define CONVOY_TESTS_GOLDEN_VECTORS_H

#include "tests/support/raw_stream.h"
#include "tests/support/sample_stream.h"

/* Writes NAME.cvy and NAME.expect; stops the program when the reader disagrees with valid. */
void vector_write(bool valid, const char *name, const struct cv_buf *stream);

void make_valid(void);
void make_invalid_frames(void);
void make_invalid_order(void);
void make_invalid_bodies(void);
void make_backup(void); /* both */

/* The stream that the invalid ones are made from: three emulators, two passes, notes and index. */
void base_stream(struct raw_stream *s);
/* One that has a record of this type. */
void base_having(struct raw_stream *s, uint32_t type);
/* Writes a valid vector. */
void sample(const char *name, struct sample_options opt);
/* Emits s, writes it as an invalid vector, disposes it. */
void invalid(const char *name, struct raw_stream *s);

/* One field of one record set to a value that its rule forbids. */
struct fault {
    const char *name;
    uint32_t type;
    size_t offset;
    unsigned size; /* 1, 2, 4, 8 */
    uint64_t value;
};
/* An invalid vector for each, made from base's stream. */
void invalid_fields(void (*base)(struct raw_stream *s), const struct fault *list, size_t count, const char *prefix);

#endif
