/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/output.h"
#include "cli/passes.h"
#include "migrate/source.h"

struct migrate_args {
    struct cv_migrate_options opt;
    char command[1024];
    const char *who, *host, *report;
};

static const struct option options[] = {
    { "live", no_argument, NULL, 'l' }, { "no-live", no_argument, NULL, 'L' }, { "downtime-limit", required_argument, NULL, 'd' },
    { "max-time", required_argument, NULL, 'm' }, { "bandwidth", required_argument, NULL, 'b' },
    { "compress", required_argument, NULL, 'C' }, { "threads", required_argument, NULL, 'T' },
    { "on-timeout", required_argument, NULL, 'o' }, { "command", required_argument, NULL, 'c' },
    { "report", required_argument, NULL, 'r' }, { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };

/* A number from 1 on, with k, M or G (powers of 1000) if units. */
static int number(const char *name, const char *text, bool units, uint64_t *out, struct cv_error *err)
{
    static const char letters[] = "kMG";
    char *end;

    errno = 0;
    double v = strtod(text, &end);
    const char *unit = *end != '\0' && units ? strchr(letters, *end) : NULL;
    for (const char *l = letters; unit != NULL && l <= unit; l++)
        v *= 1000;
    if (unit != NULL)
        end++;
    if (errno != 0 || end == text || *end != '\0' || !(v >= 1) || v > 1e18)
        return cv_fail(err, CV_E_INVALID, 0, "--%s: '%s' is no number%s", name, text, units ? " (with k, M or G)" : "");
    *out = (uint64_t)v;
    return 0;
}

static int on_timeout(const char *text, enum cv_when_stuck *out, struct cv_error *err)
{
    return cv_when_stuck_parse(strcmp(text, "stop") == 0 ? "copy" : text, out, err) < 0
               ? cv_fail(err, CV_E_INVALID, 0, "--on-timeout takes stop, throttle or give-up, not '%s'", text) : 0;
}

static int take_option(struct cli *c, struct migrate_args *a, int opt, struct cv_error *err)
{
    uint64_t n = 0;

    switch (opt) {
    case 'l': a->opt.live = true; return 0;
    case 'L': a->opt.live = false; return 0;
    case 'j': c->json_events = true; return 0;
    case 'r': a->report = optarg; return 0;
    case 'o': return on_timeout(optarg, &a->opt.limits.when_stuck, err);
    case 'C':
    case 'T': return cli_mem_option(&a->opt.mem, opt, optarg, err);
    case 'c':
        if (snprintf(a->command, sizeof a->command, "%s", optarg) >= (int)sizeof a->command)
            return cv_fail(err, CV_E_INVALID, 0, "--command is longer than %zu bytes", sizeof a->command);
        return 0;
    case 'd':
        if (number("downtime-limit", optarg, false, &n, err) < 0)
            return -1;
        a->opt.limits.downtime_ms = (int64_t)n;
        return 0;
    case 'm':
        if (number("max-time", optarg, false, &n, err) < 0)
            return -1;
        a->opt.limits.max_time_ms = (int64_t)n * 1000;
        return 0;
    default: return number("bandwidth", optarg, true, &a->opt.limits.bandwidth_bytes_s, err);
    }
}

static int parse(struct cli *c, int argc, char **argv, struct migrate_args *a)
{
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    *a = (struct migrate_args){ .opt = { .cancel = &c->cancel, .live = true, .watcher = c->program, .limits.fixed_ms = 150,
                                         .store = cli_journal_dir() } };
    cli_mem_defaults(&a->opt.mem);
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?')
            return cli_usage(argv, NULL);
        if (take_option(c, a, opt, &err) < 0)
            return cli_error(&err);
    }
    if (optind + 2 != argc)
        return cli_usage(argv, "a domain and a host are wanted");
    a->who = argv[optind];
    a->opt.peer = a->host = argv[optind + 1];
    if (a->command[0] == '\0' && cv_peer_ssh_command(a->host, a->command, sizeof a->command, &err) < 0)
        return cli_error(&err);
    a->opt.command = a->command;
    return 0;
}

static void write_picture(const struct migrate_args *a, const struct cv_timeline *t)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF svg = { 0 };

    if (a->report == NULL)
        return;
    CV_AUTO_FD fd = open(a->report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        cv_fail(&err, CV_E_IO, errno, "open %s", a->report);
    if (fd < 0 || cv_tl_svg(t, &svg, &err) < 0 || cv_write_full(fd, svg.data, svg.len, CV_NEVER, NULL, &err) < 0)
        cli_error(&err);               /* the guest has moved all the same */
}

static void print_report(struct cli *c, const struct migrate_args *a, const struct cv_timeline *t)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF text = { 0 };
    int rc = c->json_events ? cv_tl_json(t, &text, &err) : cv_tl_text(t, &text, &err);

    if (rc < 0)
        cli_error(&err);
    else
        printf("%.*s%s", (int)text.len, (const char *)text.data, c->json_events ? "\n" : "");
    write_picture(a, t);
}

int cmd_migrate(struct cli *c, int argc, char **argv)
{
    struct cv_migrate_result result = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cli_passes progress;
    struct migrate_args a;
    int status = parse(c, argc, argv, &a);

    if (status != 0)
        return status;
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    cli_passes_begin(&progress, c);
    int rc = cv_migrate(h, a.who, &a.opt, &c->sink, &result, &err);
    cli_passes_end(&progress);
    if (rc < 0)
        status = cli_error(&err);
    if (result.outcome != CV_OUT_NONE)
        print_report(c, &a, &result.timeline);
    h->ops->close(h);
    return status;
}
