/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One part of an image as a file.  Nothing is put out before the image's END has confirmed all of it. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/output.h"
#include "cli/image.h"
#include "image/range.h"
#include "memory/file_sink.h"

enum part { PART_NONE, PART_STATE, PART_MEMORY, PART_CONFIG, PART_LAYOUT };

struct extract {
    enum part part;
    unsigned dmid;
    bool ranged;
    uint64_t first, last; /* --range */
    const char *out_path, *path;
    struct cv_mem_options mem;
    struct cv_output out;
    struct cv_file_sink *sink;
    struct cv_chain_places parents;
    char folder[PATH_MAX];
};

static int choose(struct extract *x, enum part part, char **argv)
{
    if (x->part != PART_NONE)
        return cli_usage(argv, "one part is wanted");
    x->part = part;
    return 0;
}

static bool take_pfn(const char **text, char stop, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(*text, &end, 0);
    bool good = **text >= '0' && **text <= '9' && errno == 0 && *end == stop && *out < CV_PFN_LIMIT;
    *text = end + 1;
    return good;
}

static int take_option(struct extract *x, int opt, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;

    switch (opt) {
    case 'd':
        if (strlen(optarg) != 1 || optarg[0] < '0' || optarg[0] > '7')
            return cli_usage(argv, "--device-state takes a dmid, 0 to 7");
        x->dmid = (unsigned)(optarg[0] - '0');
        return choose(x, PART_STATE, argv);
    case 'm': return choose(x, PART_MEMORY, argv);
    case 'c': return choose(x, PART_CONFIG, argv);
    case 'l': return choose(x, PART_LAYOUT, argv);
    case 'P': return cli_parents_add(&x->parents, optarg, &err) < 0 ? cli_error(&err) : 0;
    case 'r': {
        const char *text = optarg;
        x->ranged = take_pfn(&text, '-', &x->first) && take_pfn(&text, '\0', &x->last) && x->first <= x->last;
        return x->ranged ? 0 : cli_usage(argv, "--range takes FIRST-LAST, two numbers of pages");
    }
    case 'o': x->out_path = optarg; return 0;
    case 'T': return cli_mem_option(&x->mem, opt, optarg, &err) < 0 ? cli_error(&err) : 0;
    default: return cli_usage(argv, NULL);
    }
}

static int parse_arguments(int argc, char **argv, struct extract *x)
{
    static const struct option options[] = { { "device-state", required_argument, NULL, 'd' },
                                             { "memory", no_argument, NULL, 'm' },
                                             { "config", no_argument, NULL, 'c' },
                                             { "layout", no_argument, NULL, 'l' },
                                             { "range", required_argument, NULL, 'r' },
                                             { "output", required_argument, NULL, 'o' },
                                             { "parents", required_argument, NULL, 'P' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { NULL, 0, NULL, 0 } };
    int opt, status;

    cli_mem_defaults(&x->mem);
    while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        if ((status = take_option(x, opt, argv)) != 0)
            return status;
    if (x->part == PART_NONE || x->out_path == NULL)
        return cli_usage(argv, "a part and an output are wanted");
    if (optind + 1 != argc)
        return cli_usage(argv, "one image is wanted");
    if (x->ranged && x->part != PART_MEMORY)
        return cli_usage(argv, "--range goes with --memory");
    if (x->part == PART_MEMORY && strcmp(x->out_path, "-") == 0)
        return cli_usage(argv, "--memory writes a file with holes, which a pipe has not");
    x->path = argv[optind];
    cli_parents_beside(&x->parents, x->path, x->folder);
    return 0;
}

static int open_sink(void *user, const struct cv_rec_memory *m, struct cv_page_sink **sink_out, struct cv_error *err)
{
    struct extract *x = user;

    if (x->sink == NULL && cv_file_sink_new(&x->sink, x->out.fd, m->pfn_count, err) < 0)
        return -1;
    *sink_out = cv_file_sink_port(x->sink);
    return 0;
}

static int no_state(const struct cv_image *img, unsigned dmid, struct cv_error *err)
{
    char there[3 * CV_EMULATORS_MAX] = "";

    for (unsigned i = 0; i < CV_EMULATORS_MAX; i++)
        if (img->states[i].there)
            snprintf(there + strlen(there), sizeof there - strlen(there), "%s%u", *there ? ", " : "", i);
    return cv_fail(err, CV_E_NOT_FOUND, 0, "the image has no device state of dmid %u (it has those of %s)", dmid,
                   there);
}

/* The bytes of a part that is one piece.  borrowed from img. */
static int piece_of(const struct extract *x, const struct cv_image *img, const void **data, size_t *len,
                    struct cv_error *err)
{
    if (cv_image_memory_only(img))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the image holds memory only");
    switch (x->part) {
    case PART_STATE:
        if (!img->states[x->dmid].there)
            return no_state(img, x->dmid, err);
        *data = img->states[x->dmid].blob.data;
        *len = img->states[x->dmid].blob.len;
        return 0;
    case PART_CONFIG: *data = img->config; break;
    case PART_LAYOUT: *data = img->layout_json; break;
    case PART_MEMORY:
    case PART_NONE: return cv_fail(err, CV_E_INTERNAL, 0, "no piece");
    }
    *len = strlen(*data);
    return 0;
}

static int write_piece(struct cli *c, const struct extract *x, const struct cv_image *img, struct cv_error *err)
{
    bool to_stdout = strcmp(x->out_path, "-") == 0;
    const void *data = NULL;
    size_t len = 0;

    if (piece_of(x, img, &data, &len, err) < 0)
        return cv_context(err, "%s", x->path);
    if (cv_write_full(to_stdout ? STDOUT_FILENO : x->out.fd, data, len, CV_NEVER, &c->cancel, err) < 0)
        return cv_context(err, "%s", to_stdout ? "standard output" : x->out_path);
    return 0;
}

/* 1: done.  0: the image has to be read whole, with the sink that has been made for the range. */
static int read_range(struct cli *c, struct extract *x, int fd, struct cv_error *err)
{
    struct cv_mem_options mem = x->mem;
    uint64_t bytes;

    mem.cancel = &c->cancel;
    if (cv_file_sink_new_window(&x->sink, x->out.fd, x->first, x->last - x->first + 1, err) < 0)
        return -1;
    return cv_image_read_range(fd, x->first, x->last + 1, cv_file_sink_port(x->sink), &mem, &bytes, err);
}

static int extract(struct cli *c, struct extract *x, struct cv_image *img, struct cv_error *err)
{
    struct cv_image_options opt = { .keep_states = x->part == PART_STATE,
                                    .mem = x->mem,
                                    .want_parents = x->part == PART_MEMORY,
                                    .parents = &x->parents,
                                    .sink_user = x,
                                    .open_sink = x->part == PART_MEMORY ? open_sink : NULL };
    bool to_file = strcmp(x->out_path, "-") != 0;
    int lazily = 0;

    CV_AUTO_FD fd = cli_image_open(x->path, err);
    if (fd < 0 ||
        (to_file && (cli_image_spare(fd, x->out_path, err) < 0 || cv_output_open(&x->out, x->out_path, err) < 0)))
        return -1;
    if (x->ranged && (lazily = read_range(c, x, fd, err)) < 0)
        return cv_context(err, "%s", x->path);
    if (!lazily && cli_image_read(c, fd, &opt, "extracting", img, err) < 0)
        return cv_context(err, "%s", x->path);
    if (x->part != PART_MEMORY && write_piece(c, x, img, err) < 0)
        return -1;
    return to_file ? cv_output_commit(&x->out, err) : 0;
}

int cmd_extract(struct cli *c, int argc, char **argv)
{
    struct extract x = { .out = { .fd = -1, .dir_fd = -1 } };
    struct cv_error err = CV_ERROR_INIT;
    int status = parse_arguments(argc, argv, &x);

    if (status != 0)
        return status;
    struct cv_image *img = calloc(1, sizeof *img);
    int rc = img != NULL ? extract(c, &x, img, &err) : cv_fail(&err, CV_E_NOMEM, 0, "no memory");
    if (img != NULL)
        cv_image_dispose(img);
    free(img);
    cv_file_sink_free(x.sink);
    if (cv_output_abandon(&x.out, rc < 0 ? NULL : &err) < 0)
        rc = -1;
    return rc < 0 ? cli_error(&err) : 0;
}
