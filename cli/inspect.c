/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/output.h"
#include "cli/image.h"
#include "image/report.h"

struct inspect_args {
    bool json, raw;
    const char *picture, *path;
};

static int parse_arguments(int argc, char **argv, struct inspect_args *a)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "raw", no_argument, NULL, 'r' },
                                             { "picture", required_argument, NULL, 'p' },
                                             { NULL, 0, NULL, 0 } };
    int opt;

    *a = (struct inspect_args){ 0 };
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'j': a->json = true; break;
        case 'r': a->raw = true; break;
        case 'p': a->picture = optarg; break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one image is wanted");
    if (a->raw && (a->json || a->picture != NULL))
        return cli_usage(argv, "--raw goes with neither --json nor --picture");
    if (a->json && a->picture != NULL && strcmp(a->picture, "-") == 0)
        return cli_usage(argv, "--json and a picture cannot both go to standard output");
    a->path = argv[optind];
    return 0;
}

static int raw(struct cli *c, int fd, struct cv_error *err)
{
    struct cv_reader_options ro = { .cancel = &c->cancel,
                                    .accept_features =
                                        CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS };
    struct cv_reader *r;

    if (cv_reader_new(&r, fd, &ro, err) < 0)
        return -1;
    int rc = cv_report_raw(r, stdout, err);
    cv_reader_free(r);
    return rc;
}

static int write_picture(const struct cv_image *img, const char *path, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    struct cv_output o;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return cv_fail(err, CV_E_NOMEM, errno, "no memory for a picture");
    int rc = cv_report_picture(img, f, err);
    if (fclose(f) != 0 && rc == 0)
        rc = cv_fail(err, CV_E_NOMEM, errno, "no memory for a picture");
    if (rc == 0 && strcmp(path, "-") == 0) {
        fwrite(text, 1, len, stdout); /* main looks whether all that was printed has arrived */
        return 0;
    }
    if (rc < 0 || cv_output_open(&o, path, err) < 0)
        return -1;
    rc = cv_write_full(o.fd, text, len, CV_NEVER, NULL, err);
    if (rc == 0)
        rc = cv_output_commit(&o, err);
    return cv_output_abandon(&o, rc < 0 ? NULL : err) < 0 ? -1 : rc;
}

static int print_image(const struct cv_image *img, const struct inspect_args *a, struct cv_error *err)
{
    if (a->json) {
        json_t *o = cv_report_json(img, err);
        if (o == NULL)
            return -1;
        json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        json_decref(o);
        putchar('\n');
    } else if (a->picture == NULL) {
        cv_report_text(img, stdout);
    }
    if (a->picture != NULL && write_picture(img, a->picture, err) < 0)
        return cv_context(err, "picture %s", a->picture);
    return 0;
}

int cmd_inspect(struct cli *c, int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_image_options opt = { .keep_states = true };
    struct inspect_args a;
    int rc, status = parse_arguments(argc, argv, &a);

    if (status != 0)
        return status;
    CV_AUTO_FD fd = cli_image_open(a.path, &err);
    if (fd < 0 || (a.picture != NULL && cli_image_spare(fd, a.picture, &err) < 0))
        return cli_error(&err);
    if (a.raw) {
        rc = raw(c, fd, &err);
    } else {
        struct cv_image *img = calloc(1, sizeof *img);
        rc =
            img == NULL ? cv_fail(&err, CV_E_NOMEM, 0, "no memory") : cli_image_read(c, fd, &opt, "reading", img, &err);
        /* What could be read of a damaged image is shown; the status says that it is one. */
        struct cv_error e = CV_ERROR_INIT;
        if (img != NULL && img->header.version != 0 && print_image(img, &a, rc < 0 ? &e : &err) < 0)
            rc = -1;
        if (img != NULL)
            cv_image_dispose(img);
        free(img);
    }
    if (rc == 0)
        return 0;
    fflush(stdout);
    cv_context(&err, "%s", a.path);
    return cli_error(&err);
}
