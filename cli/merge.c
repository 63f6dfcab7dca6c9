/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/output.h"
#include "cli/image.h"
#include "convert/merge.h"

struct merge_args {
    struct cv_chain_places places;
    char folder[PATH_MAX];
    struct cv_mem_options mem;
    const char *path, *out_path; /* path: the youngest image */
};

static int parse_arguments(int argc, char **argv, struct merge_args *a)
{
    static const struct option options[] = { { "output", required_argument, NULL, 'o' },
                                             { "parents", required_argument, NULL, 'P' },
                                             { "compress", required_argument, NULL, 'C' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { NULL, 0, NULL, 0 } };
    struct cv_error err = CV_ERROR_INIT;
    int opt, rc = 0;

    cli_mem_defaults(&a->mem);
    while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        switch (opt) {
        case 'o': a->out_path = optarg; break;
        case 'P': rc = cli_parents_add(&a->places, optarg, &err); break;
        case 'C':
        case 'T': rc = cli_mem_option(&a->mem, opt, optarg, &err); break;
        default: return cli_usage(argv, NULL);
        }
        if (rc < 0)
            return cli_error(&err);
    }
    if (optind == argc || a->out_path == NULL || strcmp(a->out_path, "-") == 0)
        return cli_usage(argv, "images, the youngest last, and an output that is a file are wanted");
    if (argc - optind - 1 > (int)CV_CHAIN_PLACES_MAX)
        return cli_usage(argv, "too many images by name: name their folder with --parents");
    for (; optind + 1 < argc; optind++)
        a->places.files[a->places.file_count++] = argv[optind];
    a->path = argv[optind];
    cli_parents_beside(&a->places, a->path, a->folder);
    return 0;
}

/* A file without a name, where the output goes: there is room for the guest's memory, or there will be none for the
 * output either. */
static int open_scratch(int dir_fd, struct cv_error *err)
{
    int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : cv_fail(err, CV_E_IO, errno, "make a scratch file beside the output");
}

static int merge(struct cli *c, struct merge_args *a, struct cv_output *out, struct cv_error *err)
{
    struct cv_merge_options opt = { .mem = a->mem, .parents = &a->places };
    CV_AUTO_FD fd = cli_image_open(a->path, err);

    opt.mem.cancel = &c->cancel;
    if (fd < 0)
        return -1;
    for (unsigned i = 0; i < a->places.file_count; i++) {
        CV_AUTO_FD other = cli_image_open(a->places.files[i], err);
        if (other < 0 || cli_image_spare(other, a->out_path, err) < 0)
            return -1;
    }
    if (cli_image_spare(fd, a->out_path, err) < 0 || cv_output_open(out, a->out_path, err) < 0)
        return -1;
    CV_AUTO_FD scratch = open_scratch(out->dir_fd, err);
    if (scratch < 0 || cv_merge(fd, out->fd, scratch, &opt, err) < 0)
        return cv_context(err, "%s", a->path);
    return cv_output_commit(out, err);
}

int cmd_merge(struct cli *c, int argc, char **argv)
{
    struct merge_args a = { 0 };
    struct cv_output out = { .fd = -1, .dir_fd = -1 };
    struct cv_error err = CV_ERROR_INIT;
    int status = parse_arguments(argc, argv, &a);

    if (status != 0)
        return status;
    int rc = merge(c, &a, &out, &err);
    if (cv_output_abandon(&out, rc < 0 ? NULL : &err) < 0)
        rc = -1;
    return rc < 0 ? cli_error(&err) : 0;
}
