/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "memory/pipeline.h"

#define LEVEL_DEFAULT 1

static int parse_level(const char *text, int *level_out, struct cv_error *err)
{
    char *end;

    errno = 0;
    long level = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || level < INT_MIN || level > INT_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "'%s' is not a zstd level", text);
    *level_out = (int)level;
    return 0;
}

int cv_mem_check_options(const struct cv_mem_options *opt, struct cv_error *err)
{
    if (opt->threads > CV_MEM_THREADS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "%u threads, more than %u", opt->threads, CV_MEM_THREADS_MAX);
    if (opt->codec != CV_CODEC_NONE && opt->codec != CV_CODEC_ZSTD && opt->codec != CV_CODEC_AUTO)
        return cv_fail(err, CV_E_INVALID, 0, "unknown codec %d", (int)opt->codec);
    /* Level 20 and up want hundreds of MB for each worker. */
    if (opt->codec == CV_CODEC_ZSTD && (opt->level < ZSTD_minCLevel() || opt->level > 19))
        return cv_fail(err, CV_E_INVALID, 0, "zstd level %d is not between %d and 19", opt->level, ZSTD_minCLevel());
    return 0;
}

int cv_mem_parse_compress(const char *text, struct cv_mem_options *opt, struct cv_error *err)
{
    struct cv_mem_options parsed = *opt;

    parsed.level = LEVEL_DEFAULT;
    if (strcmp(text, "none") == 0)
        parsed.codec = CV_CODEC_NONE;
    else if (strcmp(text, "auto") == 0)
        parsed.codec = CV_CODEC_AUTO;
    else if (strcmp(text, "zstd") == 0)
        parsed.codec = CV_CODEC_ZSTD;
    else if (strncmp(text, "zstd:", 5) == 0) {
        parsed.codec = CV_CODEC_ZSTD;
        if (parse_level(text + 5, &parsed.level, err) < 0)
            return cv_context(err, "compression '%s'", text);
    } else {
        return cv_fail(err, CV_E_INVALID, 0, "compression '%s' is none of none, zstd, zstd:LEVEL, auto", text);
    }
    if (cv_mem_check_options(&parsed, err) < 0)
        return cv_context(err, "compression '%s'", text);
    *opt = parsed;
    return 0;
}
