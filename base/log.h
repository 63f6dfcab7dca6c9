/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where messages and progress events go.  The library never writes to stdio and never exits:
 * it speaks to the sink that its caller passed in, and the caller decides. */
#ifndef CONVOY_BASE_LOG_H
#define CONVOY_BASE_LOG_H

#include <stdint.h>

#include "base/error.h"

enum cv_level { CV_LOG_ERROR, CV_LOG_WARN, CV_LOG_INFO, CV_LOG_DEBUG };

/* Both members may be NULL, and so may the sink itself.  Called on the coordinator thread only. */
struct cv_sink {
    void (*message)(struct cv_sink *s, enum cv_level level, const char *text);
    /* A typed event as one JSON object without newline, e.g. {"event":"phase","name":"suspend","at_ms":123}. */
    void (*event)(struct cv_sink *s, const char *json);
    enum cv_level level; /* messages above this are not even formatted */
};

/* The text reaches the sink as one line without control characters, whoever wrote parts of it. */
void cv_log(struct cv_sink *s, enum cv_level level, const char *fmt, ...) CV_PRINTF(3, 4);
/* fmt must render one JSON object; strings in it must need no escaping (names are checked, texts go through cv_log). */
void cv_event(struct cv_sink *s, const char *fmt, ...) CV_PRINTF(2, 3);

#endif
