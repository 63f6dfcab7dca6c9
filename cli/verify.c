/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/image.h"
#include "image/report.h"

static int verify(struct cli *c, int fd, struct cv_image *img, const struct cv_mem_options *mem,
                  const struct cv_chain_places *parents, struct cv_error *err)
{
    struct cv_image_options opt = { .check_pages = true, .want_parents = true, .parents = parents, .mem = *mem };

    if (cli_image_read(c, fd, &opt, "verifying", img, err) < 0)
        return -1;
    return cv_image_check(img, err);
}

/* What a restore would start, each once. */
static void put_programs(const struct cv_layout *l)
{
    char text[256];

    for (unsigned i = 0; i < l->count; i++) {
        bool seen = *l->dms[i].model == '\0';
        for (unsigned k = 0; k < i; k++)
            seen = seen || strcmp(l->dms[k].model, l->dms[i].model) == 0;
        if (!seen)
            printf(", starts %s", cv_text_cleaned(l->dms[i].model, text, sizeof text));
    }
}

static void verdict(const char *path, const struct cv_image *img, double seconds)
{
    char size[32], below[64] = "";
    uint64_t pages = 0;
    unsigned states = 0;

    for (unsigned i = 0; i < img->pass_count; i++)
        pages += img->passes[i].pages;
    for (unsigned i = 0; i < CV_EMULATORS_MAX; i++)
        states += img->states[i].there;
    if (img->has_parent)
        snprintf(below, sizeof below, ", and %u image%s below it", img->parents_read,
                 img->parents_read == 1 ? "" : "s");
    printf("%s: good: %" PRIu64 " records, %s, %" PRIu64 " page%s, %u device state%s%s, checked in %.2f s", path,
           img->records, cv_report_size(img->bytes, size, sizeof size), pages, pages == 1 ? "" : "s", states,
           states == 1 ? "" : "s", below, seconds);
    if (img->has_layout)
        put_programs(&img->layout);
    putchar('\n');
}

int cmd_verify(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "threads", required_argument, NULL, 'T' },
                                             { "parents", required_argument, NULL, 'P' },
                                             { NULL, 0, NULL, 0 } };
    struct cv_chain_places parents = { 0 };
    char folder[PATH_MAX];
    struct cv_error err = CV_ERROR_INIT;
    struct cv_mem_options mem;
    int64_t begin = cv_now_ns();
    int opt;

    cli_mem_defaults(&mem);
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'T' && opt != 'P')
            return cli_usage(argv, NULL);
        if (opt == 'P' ? cli_parents_add(&parents, optarg, &err) < 0 : cli_mem_option(&mem, opt, optarg, &err) < 0)
            return cli_error(&err);
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one image is wanted");
    const char *path = argv[optind];
    cli_parents_beside(&parents, path, folder);
    CV_AUTO_FD fd = cli_image_open(path, &err);
    if (fd < 0)
        return cli_error(&err);
    struct cv_image *img = calloc(1, sizeof *img);
    if (img == NULL) {
        cv_fail(&err, CV_E_NOMEM, 0, "no memory");
        return cli_error(&err);
    }
    int rc = verify(c, fd, img, &mem, &parents, &err), status = 0;
    if (rc == 0) {
        verdict(path, img, (double)(cv_now_ns() - begin) / 1e9);
    } else {
        /* The verdict is one line, on stdout as for a good one; other troubles (no memory, cancelled) are no verdict.
         */
        bool judged = err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION;
        char text[700];
        status = cli_exit_status(err.code);
        if (judged)
            printf("%s: %s: %s\n", path, err.code == CV_E_STREAM ? "DAMAGED" : "NOT READABLE HERE",
                   cv_error_string(&err, text, sizeof text));
        else {
            cv_context(&err, "%s", path);
            status = cli_error(&err);
        }
    }
    cv_image_dispose(img);
    free(img);
    return status;
}
