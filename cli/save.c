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
    const char *who, *path;
};

static int parse(struct cli *c, int argc, char **argv, struct save_args *a)
{
    static const struct option options[] = { { "live", no_argument, NULL, 'l' },
                                             { "compress", required_argument, NULL, 'C' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "emulator-timeout", required_argument, NULL, 'E' },
                                             { "suspend-timeout", required_argument, NULL, 'S' },
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
        case 'j': c->json_events = true; break;
        case 'E':
            if (cli_seconds(optarg, "--emulator-timeout", &a->opt.emulator_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'S':
            if (cli_seconds(optarg, "--suspend-timeout", &a->opt.suspend_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'C':
        case 'T':
            if (cli_mem_option(&a->opt.mem, opt, optarg, &err) < 0)
                return cli_error(&err);
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 2 != argc)
        return cli_usage(argv, "a domain and a file are wanted");
    a->who = argv[optind];
    a->path = argv[optind + 1];
    return 0;
}

static void print_report(const struct save_args *a, const struct cv_save_report *r)
{
    /* On stdout lies the image when it goes to a pipe. */
    fprintf(strcmp(a->path, "-") == 0 ? stderr : stdout,
            "%s: %llu bytes for %llu MiB of guest memory, %u pass%s, %.2f s; guest stopped for %.2f s "
            "(suspend %.2f, emulators %.2f, pages %.2f, states %.2f, rest %.2f)\n",
            a->who, (unsigned long long)r->bytes, (unsigned long long)r->guest_pages / 256, r->passes,
            r->passes == 1 ? "" : "es", (double)r->total_ns / 1e9, (double)r->down_ns / 1e9,
            (double)r->suspend_ns / 1e9, (double)r->stop_ns / 1e9, (double)r->last_pages_ns / 1e9,
            (double)r->states_ns / 1e9, (double)r->tail_ns / 1e9);
}

int cmd_save(struct cli *c, int argc, char **argv)
{
    struct cv_save_report report = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct save_args a;
    int status = parse(c, argc, argv, &a);

    if (status != 0)
        return status;
    int fd = strcmp(a.path, "-") == 0 ? STDOUT_FILENO : -1;
    if (fd >= 0 && isatty(fd))
        return cli_usage(argv, "an image is not written to a terminal");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (cv_save_to(h, a.who, a.path, fd, a.after, &a.opt, &c->sink, &report, &err) < 0)
        status = cli_error(&err);
    else
        print_report(&a, &report);
    h->ops->close(h);
    return status;
}
