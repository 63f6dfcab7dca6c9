/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "stream-format/chain.h"

#define COMMAND_MAX 4096 /* bytes of --at-freeze */

struct save_args {
    convoy_save_options opt;
    struct cli_work work;
    struct cv_chain_places parents;
    const char *parents_list[CLI_PARENTS_LIST];
    const char *who, *path; /* path NULL: --quiesce */
    bool quiesce;
};

/* What goes with what.  rest: arguments that are no options. */
static int check_arguments(struct save_args *a, int rest, char **argv)
{
    const char *command = a->opt.at_freeze;

    if (command != NULL && (*command == '\0' || strlen(command) > COMMAND_MAX))
        return cli_usage(argv, "--at-freeze takes a command of 1 to 4096 bytes");
    if (command == NULL && (a->quiesce || a->opt.freeze_timeout_s != 0))
        return cli_usage(argv, "--quiesce and --freeze-timeout go with --at-freeze");
    if (a->quiesce &&
        (a->opt.after != CONVOY_AFTER_DESTROY || a->opt.live || a->opt.parent != NULL || a->opt.page_hashes))
        return cli_usage(argv,
                         "--quiesce saves no memory: it goes with none of -c, -p, --live, --parent, --page-hashes");
    if (a->opt.fixed_layout && (a->quiesce || a->opt.parent != NULL || a->work.compresses))
        return cli_usage(argv,
                         "--layout fixed goes with --compress none only, and with neither --parent nor --quiesce");
    if (rest != (a->quiesce ? 1 : 2))
        return cli_usage(argv, a->quiesce ? "--quiesce takes a domain, and no file" : "a domain and a file are wanted");
    a->who = argv[optind];
    a->path = a->quiesce ? NULL : argv[optind + 1];
    if (a->opt.fixed_layout && strcmp(a->path, "-") == 0)
        return cli_usage(argv, "--layout fixed writes a file with holes, which a pipe has not");
    a->opt.compress = a->work.compress;
    a->opt.threads = a->work.threads;
    a->opt.parents = cli_parents_list(&a->parents, a->parents_list);
    return 0;
}

static int parse_arguments(struct cli *c, int argc, char **argv, struct save_args *a)
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

    *a = (struct save_args){ .opt = { .size = sizeof a->opt } };
    while ((opt = getopt_long(argc, argv, "cp", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
        case 'p':
            if (a->opt.after != CONVOY_AFTER_DESTROY)
                return cli_usage(argv, "-c and -p exclude each other");
            a->opt.after = opt == 'c' ? CONVOY_AFTER_CONTINUE : CONVOY_AFTER_PAUSE;
            break;
        case 'l': a->opt.live = true; break;
        case 'f': a->opt.force = 1; break;
        case 'j': c->json_events = true; break;
        case 'P': a->opt.parent = optarg; break;
        case 'D':
            if (cli_parents_add(&a->parents, optarg, &err) < 0)
                return cli_error(&err);
            break;
        case 'H': a->opt.page_hashes = true; break;
        case 'q': a->quiesce = true; break;
        case 'Y':
            if (strcmp(optarg, "fixed") != 0 && strcmp(optarg, "stream") != 0)
                return cli_usage(argv, "--layout takes stream or fixed");
            a->opt.fixed_layout = strcmp(optarg, "fixed") == 0;
            break;
        case 'F': a->opt.at_freeze = optarg; break;
        case 'O':
            if (cli_seconds(optarg, "--freeze-timeout", &a->opt.freeze_timeout_s, &err) < 0)
                return cli_error(&err);
            break;
        case 'E':
            if (cli_seconds(optarg, "--emulator-timeout", &a->opt.emulator_timeout_s, &err) < 0)
                return cli_error(&err);
            break;
        case 'S':
            if (cli_seconds(optarg, "--suspend-timeout", &a->opt.suspend_timeout_s, &err) < 0)
                return cli_error(&err);
            break;
        case 'L':
            if (cli_seconds(optarg, "--stall-timeout", &a->opt.stall_timeout_s, &err) < 0)
                return cli_error(&err);
            break;
        case 'C':
        case 'T':
            if (cli_work_option(&a->work, opt, optarg, &err) < 0)
                return cli_error(&err);
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    return check_arguments(a, argc - optind, argv);
}

static void print_report(const struct save_args *a, const convoy_save_report *r)
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

static int quiesce(convoy_host *h, const struct save_args *a)
{
    convoy_save_report r = { .size = sizeof r };
    convoy_error err;
    char *output = NULL;
    size_t length = 0;

    int rc = convoy_quiesce(h, a->who, &a->opt, &r, &output, &length, &err);
    if (output != NULL)
        fwrite(output, 1, length, stdout);
    convoy_free(output);
    if (rc < 0)
        return cli_failed(&err);
    fprintf(stderr, "%s: guest stopped for %.2f s (suspend %.2f, emulators %.2f, command %.2f)\n", a->who,
            (double)r.down_ns / 1e9, (double)r.suspend_ns / 1e9, (double)r.stop_ns / 1e9, (double)r.freeze_ns / 1e9);
    return 0;
}

static int save(convoy_host *h, const struct save_args *a)
{
    convoy_save_report report = { .size = sizeof report };
    convoy_error err;

    int rc = strcmp(a->path, "-") == 0 ? convoy_save_fd(h, a->who, STDOUT_FILENO, &a->opt, &report, &err)
                                       : convoy_save(h, a->who, a->path, &a->opt, &report, &err);
    if (rc < 0)
        return cli_failed(&err);
    print_report(a, &report);
    return 0;
}

int cmd_save(struct cli *c, int argc, char **argv)
{
    struct save_args a;
    int status = parse_arguments(c, argc, argv, &a);

    if (status != 0)
        return status;
    if (!a.quiesce && strcmp(a.path, "-") == 0 && isatty(STDOUT_FILENO))
        return cli_usage(argv, "an image is not written to a terminal");
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    a.opt.cancel = c->stop;
    status = a.quiesce ? quiesce(h, &a) : save(h, &a);
    cli_host_close(c, h);
    return status;
}
