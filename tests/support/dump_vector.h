/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole text of a stream, contents of PAGES included, as .expect files hold it. */
#ifndef CONVOY_TESTS_SUPPORT_DUMP_VECTOR_H
#define CONVOY_TESTS_SUPPORT_DUMP_VECTOR_H

#include <stddef.h>
#include <stdio.h>

/* For a stream with a fault the text is one line: "error ...".  Returns 0 for a good stream, -1 for a faulty one. */
int dump_vector(const void *data, size_t len, FILE *out);

#endif
