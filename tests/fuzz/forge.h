/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mutations that understand what they change, so that a target gets behind checksums and parsers: a stream's records
 * are changed, removed, repeated and swapped, then all hashes, numbers and END are made right again; JSON stays JSON.
 */
#ifndef CONVOY_TESTS_FUZZ_FORGE_H
#define CONVOY_TESTS_FUZZ_FORGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tests/support/rng.h"

/* The engine's: libFuzzer's own, or driver.c's.  Returns the new size, at most max. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* A whole stream, in place.  Returns the new size; what is no stream is mutated byte by byte. */
size_t forge_stream(uint8_t *data, size_t size, size_t max, unsigned seed);

/* text: JSON.  To *out: the same with a member or two that are missing, surplus, repeated, or of another kind or size;
 * now and then text that only looks like JSON. */
void forge_json(const char *text, size_t len, struct cv_buf *out, struct rng *r);

/* A configuration, in place.  Returns the new size. */
size_t forge_config(uint8_t *data, size_t size, size_t max, unsigned seed);

#endif
