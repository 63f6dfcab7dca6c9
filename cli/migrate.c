/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
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
    struct cv_output picture; /* of --report */
};

static const struct option options[] = { { "live", no_argument, NULL, 'l' },
                                         { "force", no_argument, NULL, 'f' },
                                         { "no-live", no_argument, NULL, 'L' },
                                         { "downtime-limit", required_argument, NULL, 'd' },
                                         { "max-time", required_argument, NULL, 'm' },
                                         { "bandwidth", required_argument, NULL, 'b' },
                                         { "compress", required_argument, NULL, 'C' },
                                         { "threads", required_argument, NULL, 'T' },
                                         { "on-timeout", required_argument, NULL, 'o' },
                                         { "command", required_argument, NULL, 'c' },
                                         { "report", required_argument, NULL, 'r' },
                                         { "json", no_argument, NULL, 'j' },
                                         { NULL, 0, NULL, 0 } };

#define DOWNTIME_MAX_MS 3600000u
#define TIME_MAX_S (7 * 86400u)
/* Less than this is a mistyped unit: a page a second. */
#define BANDWIDTH_MIN 4096u
#define BANDWIDTH_MAX UINT64_C(1000000000000)

struct range {
    uint64_t from, to;
    bool units;
};

/* Digits, and k, M or G (powers of 1000) where there are units. */
static int number(const char *name, const char *text, const struct range *r, uint64_t *out, struct cv_error *err)
{
    static const char letters[] = "kMG";
    uint64_t factor = 1;
    char *end = (char *)text;

    errno = 0;
    uint64_t v = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
    const char *unit = *end != '\0' && r->units ? strchr(letters, *end) : NULL;
    for (const char *l = letters; unit != NULL && l <= unit; l++)
        factor *= 1000;
    bool whole = end != text && end[unit != NULL] == '\0';
    if (errno != 0 || !whole || v > r->to / factor || v * factor < r->from)
        return cv_fail(err, CV_E_INVALID, 0, "--%s takes a number from %llu to %llu%s, not '%s'", name,
                       (unsigned long long)r->from, (unsigned long long)r->to, r->units ? ", with k, M or G," : "",
                       text);
    *out = v * factor;
    return 0;
}

/* The manual's words; the policy calls the first one by what it does. */
static int on_timeout(const char *text, enum cv_when_stuck *out, struct cv_error *err)
{
    bool known = strcmp(text, "stop") == 0 || strcmp(text, "throttle") == 0 || strcmp(text, "give-up") == 0;

    if (known && cv_when_stuck_parse(text[0] == 's' ? "copy" : text, out, err) == 0)
        return 0;
    return cv_fail(err, CV_E_INVALID, 0, "--on-timeout takes stop, throttle or give-up, not '%s'", text);
}

static int take_option(struct cli *c, struct migrate_args *a, int opt, struct cv_error *err)
{
    uint64_t n = 0;

    switch (opt) {
    case 'l': a->opt.live = true; return 0;
    case 'f': a->opt.force = true; return 0;
    case 'L': a->opt.live = false; return 0;
    case 'j': c->json_events = true; return 0;
    case 'r': a->report = optarg; return 0;
    case 'o': return on_timeout(optarg, &a->opt.limits.when_stuck, err);
    case 'C':
    case 'T': return cli_mem_option(&a->opt.mem, opt, optarg, err);
    case 'c':
        if (optarg[0] == '\0')
            return cv_fail(err, CV_E_INVALID, 0, "--command is empty");
        if (snprintf(a->command, sizeof a->command, "%s", optarg) >= (int)sizeof a->command)
            return cv_fail(err, CV_E_INVALID, 0, "--command is longer than %zu bytes", sizeof a->command);
        return 0;
    case 'd':
        if (number("downtime-limit", optarg, &(struct range){ 1, DOWNTIME_MAX_MS, false }, &n, err) < 0)
            return -1;
        a->opt.limits.downtime_ms = (int64_t)n;
        return 0;
    case 'm':
        if (number("max-time", optarg, &(struct range){ 1, TIME_MAX_S, false }, &n, err) < 0)
            return -1;
        a->opt.limits.max_time_ms = (int64_t)n * 1000;
        return 0;
    default:
        return number("bandwidth", optarg, &(struct range){ BANDWIDTH_MIN, BANDWIDTH_MAX, true },
                      &a->opt.limits.bandwidth_bytes_s, err);
    }
}

static int parse(struct cli *c, int argc, char **argv, struct migrate_args *a)
{
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    *a = (struct migrate_args){ .opt = { .cancel = &c->cancel,
                                         .live = true,
                                         .watcher = c->program,
                                         .limits.fixed_ms = 150,
                                         .store = cli_journal_dir() },
                                .picture = { .fd = -1, .dir_fd = -1 } };
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
    if (*a->who == '\0')
        return cli_usage(argv, "the domain's name is empty");
    if (a->command[0] == '\0' && cv_peer_ssh_command(a->host, a->command, sizeof a->command, &err) < 0)
        return cli_error(&err);
    a->opt.command = a->command;
    /* Before anything happens: nobody wants to hear of a wrong path when the guest has moved. */
    if (a->report != NULL && cv_output_open(&a->picture, a->report, &err) < 0)
        return cli_error(&err);
    return 0;
}

static void write_picture(struct migrate_args *a, const struct cv_timeline *t)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF svg = { 0 };

    if (a->report == NULL)
        return;
    if (cv_tl_svg(t, &svg, &err) < 0 || cv_write_full(a->picture.fd, svg.data, svg.len, CV_NEVER, NULL, &err) < 0 ||
        cv_output_commit(&a->picture, &err) < 0)
        cli_error(&err); /* the guest has moved all the same */
}

static void print_report(struct cli *c, struct migrate_args *a, const struct cv_timeline *t)
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

static int run(struct cli *c, struct migrate_args *a)
{
    struct cv_migrate_result result = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cli_passes progress;
    int status = 0;
    struct cv_host *h = cli_host(c, &status);

    if (h == NULL)
        return status;
    cli_passes_begin(&progress, c);
    int rc = cv_migrate(h, a->who, &a->opt, &c->sink, &result, &err);
    cli_passes_end(&progress);
    /* Where nothing was sent a table tells people nothing; programs get their object whatever it was. */
    if (result.outcome != CV_OUT_NONE && (rc == 0 || c->json_events || result.timeline.bytes_wire > 0))
        print_report(c, a, &result.timeline);
    fflush(stdout);
    if (rc < 0)
        status = cli_error(&err); /* last: what went wrong is what people look for */
    h->ops->close(h);
    return status;
}

int cmd_migrate(struct cli *c, int argc, char **argv)
{
    struct migrate_args a;
    int status = parse(c, argc, argv, &a);

    if (status == 0)
        status = run(c, &a);
    cv_output_abandon(&a.picture, NULL);
    return status;
}
