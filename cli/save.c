/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "save/save.h"

struct save_args {
    struct cv_save_options opt;
    enum cv_save_after after;
    struct cv_chain_places parents;
    const char *who, *path; /* path NULL: --quiesce */
    bool quiesce, compress_given;
};

/* What goes with what.  rest: arguments that are no options. */
static int check(struct save_args *a, int rest, char **argv)
{
    const char *command = a->opt.at_freeze;

    if (command != NULL && (*command == '\0' || strlen(command) > CV_FREEZE_COMMAND_MAX))
        return cli_usage(argv, "--at-freeze takes a command of 1 to 4096 bytes");
    if (command == NULL && (a->quiesce || a->opt.freeze_timeout_ms != 0))
        return cli_usage(argv, "--quiesce and --freeze-timeout go with --at-freeze");
    if (a->quiesce && (a->after != CV_SAVE_DESTROY || a->opt.live || a->opt.parent != NULL || a->opt.page_hashes))
        return cli_usage(argv,
                         "--quiesce saves no memory: it goes with none of -c, -p, --live, --parent, --page-hashes");
    if (a->opt.layout == CV_SAVE_FIXED) {
        if (a->quiesce || a->opt.parent != NULL || (a->compress_given && a->opt.mem.codec != CV_CODEC_NONE))
            return cli_usage(argv,
                             "--layout fixed goes with --compress none only, and with neither --parent nor --quiesce");
        a->opt.mem.codec = CV_CODEC_NONE;
    }
    if (rest != (a->quiesce ? 1 : 2))
        return cli_usage(argv, a->quiesce ? "--quiesce takes a domain, and no file" : "a domain and a file are wanted");
    a->who = argv[optind];
    a->path = a->quiesce ? NULL : argv[optind + 1];
    if (a->opt.layout == CV_SAVE_FIXED && strcmp(a->path, "-") == 0)
        return cli_usage(argv, "--layout fixed writes a file with holes, which a pipe has not");
    return 0;
}

static int parse(struct cli *c, int argc, char **argv, struct save_args *a)
{
    static const struct option options[] = { { "live", no_argument, NULL, 'l' },
                                             { "force", no_argument, NULL, 'f' },
                                             { "compress", required_argument, NULL, 'C' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "emulator-timeout", required_argument, NULL, 'E' },
                                             { "suspend-timeout", required_argument, NULL, 'S' },
                                             { "parent", required_argument, NULL, 'P' },
                                             { "parents", required_argument, NULL, 'D' },
                                             { "page-hashes", no_argument, NULL, 'H' },
                                             { "at-freeze", required_argument, NULL, 'F' },
                                             { "freeze-timeout", required_argument, NULL, 'O' },
                                             { "quiesce", no_argument, NULL, 'q' },
                                             { "layout", required_argument, NULL, 'Y' },
                                             { "stall-timeout", required_argument, NULL, 'L' },
                                             { NULL, 0, NULL, 0 } };
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    *a = (struct save_args){ .opt = { .cancel = &c->cancel }, .after = CV_SAVE_DESTROY };
    cli_mem_defaults(&a->opt.mem);
    while ((opt = getopt_long(argc, argv, "cp", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
        case 'p':
            if (a->after != CV_SAVE_DESTROY)
                return cli_usage(argv, "-c and -p exclude each other");
            a->after = opt == 'c' ? CV_SAVE_CONTINUE : CV_SAVE_LEAVE_PAUSED;
            break;
        case 'l': a->opt.live = true; break;
        case 'f': a->opt.force = true; break;
        case 'j': c->json_events = true; break;
        case 'P': a->opt.parent = optarg; break;
        case 'D':
            if (cli_parents_add(&a->parents, optarg, &err) < 0)
                return cli_error(&err);
            a->opt.parents = &a->parents;
            break;
        case 'H': a->opt.page_hashes = true; break;
        case 'q': a->quiesce = true; break;
        case 'Y':
            if (strcmp(optarg, "fixed") != 0 && strcmp(optarg, "stream") != 0)
                return cli_usage(argv, "--layout takes stream or fixed");
            a->opt.layout = strcmp(optarg, "fixed") == 0 ? CV_SAVE_FIXED : CV_SAVE_STREAM;
            break;
        case 'F': a->opt.at_freeze = optarg; break;
        case 'O':
            if (cli_seconds(optarg, "--freeze-timeout", &a->opt.freeze_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'E':
            if (cli_seconds(optarg, "--emulator-timeout", &a->opt.emulator_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'S':
            if (cli_seconds(optarg, "--suspend-timeout", &a->opt.suspend_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'L':
            if (cli_seconds(optarg, "--stall-timeout", &a->opt.stall_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'C': a->compress_given = true; /* fall through */
        case 'T':
            if (cli_mem_option(&a->opt.mem, opt, optarg, &err) < 0)
                return cli_error(&err);
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    return check(a, argc - optind, argv);
}

static void print_report(const struct save_args *a, const struct cv_save_report *r)
{
    /* On stdout lies the image when it goes to a pipe. */
    fprintf(strcmp(a->path, "-") == 0 ? stderr : stdout,
            "%s: %llu bytes for %llu MiB of guest memory, %u pass%s, %.2f s; guest stopped for %.2f s "
            "(suspend %.2f, emulators %.2f, command %.2f, pages %.2f, states %.2f, rest %.2f)\n",
            a->who, (unsigned long long)r->bytes, (unsigned long long)r->guest_pages / 256, r->passes,
            r->passes == 1 ? "" : "es", (double)r->total_ns / 1e9, (double)r->down_ns / 1e9,
            (double)r->suspend_ns / 1e9, (double)r->stop_ns / 1e9, (double)r->freeze_ns / 1e9,
            (double)r->last_pages_ns / 1e9, (double)r->states_ns / 1e9, (double)r->tail_ns / 1e9);
}

static int quiesce(struct cli *c, struct cv_host *h, const struct save_args *a)
{
    struct cv_save_report r = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF output = { 0 };

    int rc = cv_save_quiesce(h, a->who, &a->opt, &c->sink, &r, &output, &err);
    fwrite(output.data, 1, output.len, stdout);
    if (rc < 0)
        return cli_error(&err);
    fprintf(stderr, "%s: guest stopped for %.2f s (suspend %.2f, emulators %.2f, command %.2f)\n", a->who,
            (double)r.down_ns / 1e9, (double)r.suspend_ns / 1e9, (double)r.stop_ns / 1e9, (double)r.freeze_ns / 1e9);
    return 0;
}

int cmd_save(struct cli *c, int argc, char **argv)
{
    struct cv_save_report report = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct save_args a;
    int status = parse(c, argc, argv, &a);

    if (status != 0)
        return status;
    int fd = a.path != NULL && strcmp(a.path, "-") == 0 ? STDOUT_FILENO : -1;
    if (fd >= 0 && isatty(fd))
        return cli_usage(argv, "an image is not written to a terminal");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (a.quiesce)
        status = quiesce(c, h, &a);
    else if (cv_save_to(h, a.who, a.path, fd, a.after, &a.opt, &c->sink, &report, &err) < 0)
        status = cli_error(&err);
    else
        print_report(&a, &report);
    h->ops->close(h);
    return status;
}
