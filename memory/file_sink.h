/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A raw memory image as a page sink: pfn n goes to byte 4096 * n of a sparse file, zero and absent pages are holes. */
#ifndef CONVOY_MEMORY_FILE_SINK_H
#define CONVOY_MEMORY_FILE_SINK_H

#include <stdint.h>

#include "memory/pages.h"

struct cv_file_sink;
/* fd: a regular file open for writing, borrowed; it is cut to nothing and then made pfn_count pages long. */
int cv_file_sink_new(struct cv_file_sink **s_out, int fd, uint64_t pfn_count, struct cv_error *err) CV_CHECKED;
/* Of a guest's memory the pages [first, first + count) only, the first of them at the file's beginning; others are
 * taken and dropped. */
int cv_file_sink_new_window(struct cv_file_sink **s_out, int fd, uint64_t first, uint64_t count,
                            struct cv_error *err) CV_CHECKED;
struct cv_page_sink *cv_file_sink_port(struct cv_file_sink *s);
void cv_file_sink_free(struct cv_file_sink *s);

#endif
