/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "stream-format/chain.h"

#define LIST_MAX 64 /* of --disk, of --trust */

struct restore_args {
    convoy_restore_options opt;
    struct cli_work work;
    struct cv_chain_places parents;
    char folder[PATH_MAX];
    const char *parents_list[CLI_PARENTS_LIST], *disks[LIST_MAX + 1], *trust[LIST_MAX + 1];
    unsigned disk_count, trust_count;
    const char *path;
};

/* VDEV=PATH. */
static int take_disk(struct restore_args *a, const char *text, struct cv_error *err)
{
    const char *sign = strchr(text, '=');

    if (sign == NULL || sign == text || sign[1] == '\0')
        return cv_fail(err, CV_E_INVALID, 0, "--disk takes VDEV=PATH, not '%s'", text);
    if (a->disk_count == LIST_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "more than %d disks", LIST_MAX);
    a->disks[a->disk_count++] = text;
    return 0;
}

static int take_option(struct cli *c, struct restore_args *a, int opt, struct cv_error *err)
{
    switch (opt) {
    case 'p': a->opt.paused = 1; return 0;
    case 'n': a->opt.name = optarg; return 0;
    case 'j': c->json_events = true; return 0;
    case 'P': return cli_parents_add(&a->parents, optarg, err);
    case 'd': return take_disk(a, optarg, err);
    case 't':
        if (a->trust_count == LIST_MAX)
            return cv_fail(err, CV_E_INVALID, 0, "--trust names more than %d programs", LIST_MAX);
        a->trust[a->trust_count++] = optarg;
        return 0;
    case 'E': return cli_seconds(optarg, "--emulator-timeout", &a->opt.emulator_timeout_s, err);
    default: return cli_work_option(&a->work, opt, optarg, err);
    }
}

static int parse_arguments(struct cli *c, int argc, char **argv, struct restore_args *a)
{
    static const struct option options[] = { { "name", required_argument, NULL, 'n' },
                                             { "parents", required_argument, NULL, 'P' },
                                             { "disk", required_argument, NULL, 'd' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "trust", required_argument, NULL, 't' },
                                             { "emulator-timeout", required_argument, NULL, 'E' },
                                             { NULL, 0, NULL, 0 } };
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    *a = (struct restore_args){ .opt = { .size = sizeof a->opt, .disks = a->disks, .trust = a->trust } };
    while ((opt = getopt_long(argc, argv, "p", options, NULL)) != -1) {
        if (opt == '?')
            return cli_usage(argv, NULL);
        if (take_option(c, a, opt, &err) < 0)
            return cli_error(&err);
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one image is wanted");
    a->path = argv[optind];
    cli_parents_beside(&a->parents, a->path, a->folder);
    a->opt.parents = cli_parents_list(&a->parents, a->parents_list);
    a->opt.threads = a->work.threads;
    return 0;
}

static void print_report(uint32_t domid, const convoy_restore_report *r)
{
    printf("domain %u: %llu bytes, %.2f s (check %.2f, domain %.2f, memory %.2f beside emulators %.2f and PV devices "
           "%.2f, "
           "from the last page to running %.2f, of it device states %.2f)\n",
           domid, (unsigned long long)r->bytes, (double)r->total_ns / 1e9, (double)r->verify_ns / 1e9,
           (double)r->domain_ns / 1e9, (double)r->fill_ns / 1e9, (double)r->emulators_ns / 1e9,
           (double)r->devices_ns / 1e9, (double)r->down_ns / 1e9, (double)r->load_ns / 1e9);
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
    convoy_restore_report report = { .size = sizeof report };
    convoy_started started = { .size = sizeof started };
    struct cv_error why = CV_ERROR_INIT;
    convoy_error err;
    static struct restore_args a;
    int status = parse_arguments(c, argc, argv, &a);

    if (status != 0)
        return status;
    CV_AUTO_FD fd = strcmp(a.path, "-") == 0 ? dup(STDIN_FILENO) : open(a.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cv_fail(&why, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "restore: open %s", a.path);
        return cli_error(&why);
    }
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    a.opt.cancel = c->stop;
    if (convoy_restore_fd(h, fd, &a.opt, &started, &report, &err) < 0) {
        status = cli_failed(&err);
    } else {
        status = started.unwatched;
        print_report(started.domid, &report);
    }
    cli_host_close(c, h);
    return status;
}
