/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/image.h"

/* The one table from codes to exit statuses; docs/man/convoy.1 repeats it. */
int cli_exit_status(enum cv_code code)
{
    switch (code) {
    case CV_OK: return 0;
    case CV_E_INVALID: return 2;
    case CV_E_NOT_FOUND: return 3;
    case CV_E_BUSY: return 4;
    case CV_E_UNSUPPORTED: return 5;
    case CV_E_STREAM: return 6;
    case CV_E_STREAM_VERSION: return 7;
    case CV_E_TIMEOUT: return 8;
    case CV_E_EMULATOR: return 9;
    case CV_E_OUTCOME_UNKNOWN: return 10;
    case CV_E_CANCELLED: return 130;
    default: return 1;
    }
}

int cli_error(const struct cv_error *why)
{
    char text[800];

    fprintf(stderr, "convoy: %s\n", cv_error_string(why, text, sizeof text));
    return cli_exit_status(why->code);
}

int cli_failed(const convoy_error *why)
{
    fprintf(stderr, "convoy: %s\n", why->text);
    return cli_exit_status((enum cv_code)why->code);
}

void cli_mem_defaults(struct cv_mem_options *m)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    *m = (struct cv_mem_options){ .threads = cpus > 16  ? 16
                                             : cpus < 1 ? 1
                                                        : (unsigned)cpus,
                                  .codec = CV_CODEC_ZSTD,
                                  .level = 1 };
}

int cli_mem_option(struct cv_mem_options *m, int opt, const char *arg, struct cv_error *err)
{
    char *end;

    if (opt == 'C')
        return cv_mem_parse_compress(arg, m, err);
    errno = 0;
    unsigned long n = strtoul(arg, &end, 10);
    if (errno != 0 || *end != '\0' || end == arg || n > CV_MEM_THREADS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "--threads takes a number from 0 to %u, not '%s'", CV_MEM_THREADS_MAX,
                       arg);
    m->threads = (unsigned)n;
    return 0;
}

int cli_work_option(struct cli_work *w, int opt, const char *arg, struct cv_error *err)
{
    struct cv_mem_options m = { .codec = CV_CODEC_NONE };

    if (cli_mem_option(&m, opt, arg, err) < 0)
        return -1;
    if (opt == 'C') {
        w->compress = arg;
        w->compresses = m.codec != CV_CODEC_NONE;
    } else {
        w->threads = m.threads == 0 ? CONVOY_NO_THREADS : m.threads;
    }
    return 0;
}

int cli_seconds(const char *arg, const char *option, unsigned *s_out, struct cv_error *err)
{
    char *end;

    errno = 0;
    long n = strtol(arg, &end, 10);
    if (errno != 0 || *end != '\0' || end == arg || n < 1 || n > 86400)
        return cv_fail(err, CV_E_INVALID, 0, "%s takes a number of seconds from 1 to 86400, not '%s'", option, arg);
    *s_out = (unsigned)n;
    return 0;
}

int cli_parents_add(struct cv_chain_places *places, const char *dir, struct cv_error *err)
{
    if (*dir == '\0' || places->dir_count >= CV_CHAIN_PLACES_MAX - 1)
        return cv_fail(err, CV_E_INVALID, 0, "--parents takes a folder, and may be given %u times",
                       CV_CHAIN_PLACES_MAX - 1);
    places->dirs[places->dir_count++] = dir;
    return 0;
}

void cli_parents_beside(struct cv_chain_places *places, const char *path, char *folder)
{
    if (strcmp(path, "-") == 0 || strlen(path) >= PATH_MAX)
        return;
    strcpy(folder, path);
    places->dirs[places->dir_count++] = dirname(folder);
}

_Static_assert(CLI_PARENTS_LIST == CV_CHAIN_PLACES_MAX + 1, "all of them, and the end");

const char *const *cli_parents_list(const struct cv_chain_places *places, const char *list[CLI_PARENTS_LIST])
{
    memset(list, 0, CLI_PARENTS_LIST * sizeof *list);
    memcpy(list, places->dirs, places->dir_count * sizeof *list);
    return list;
}
