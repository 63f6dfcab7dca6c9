/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/output.h"
#include "base/text.h"
#include "cli/passes.h"

struct migrate_args {
    convoy_migrate_options opt;
    struct cli_work work;
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

#define COMMAND_MAX 1024
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
static int number_in_range(const char *name, const char *text, const struct range *r, uint64_t *out,
                           struct cv_error *err)
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

static int on_timeout(const char *text, convoy_stuck *out, struct cv_error *err)
{
    static const char *const words[] = {
        [CONVOY_STUCK_STOP] = "stop", [CONVOY_STUCK_THROTTLE] = "throttle", [CONVOY_STUCK_GIVE_UP] = "give-up"
    };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (convoy_stuck)i;
            return 0;
        }
    return cv_fail(err, CV_E_INVALID, 0, "--on-timeout takes stop, throttle or give-up, not '%s'", text);
}

static int take_option(struct cli *c, struct migrate_args *a, int opt, struct cv_error *err)
{
    uint64_t n = 0;

    switch (opt) {
    case 'l': a->opt.not_live = 0; return 0;
    case 'f': a->opt.force = 1; return 0;
    case 'L': a->opt.not_live = 1; return 0;
    case 'j': c->json_events = true; return 0;
    case 'r': a->report = optarg; return 0;
    case 'o': return on_timeout(optarg, &a->opt.on_timeout, err);
    case 'C':
    case 'T': return cli_work_option(&a->work, opt, optarg, err);
    case 'c':
        if (optarg[0] == '\0')
            return cv_fail(err, CV_E_INVALID, 0, "--command is empty");
        if (strlen(optarg) >= COMMAND_MAX)
            return cv_fail(err, CV_E_INVALID, 0, "--command is longer than %d bytes", COMMAND_MAX);
        a->opt.command = optarg;
        return 0;
    case 'd':
        if (number_in_range("downtime-limit", optarg, &(struct range){ 1, DOWNTIME_MAX_MS, false }, &n, err) < 0)
            return -1;
        a->opt.downtime_limit_ms = (unsigned)n;
        return 0;
    case 'm':
        if (number_in_range("max-time", optarg, &(struct range){ 1, TIME_MAX_S, false }, &n, err) < 0)
            return -1;
        a->opt.max_time_s = (unsigned)n;
        return 0;
    default:
        return number_in_range("bandwidth", optarg, &(struct range){ BANDWIDTH_MIN, BANDWIDTH_MAX, true },
                               &a->opt.bandwidth_bytes_s, err);
    }
}

static int parse_arguments(struct cli *c, int argc, char **argv, struct migrate_args *a)
{
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    *a = (struct migrate_args){ .opt = { .size = sizeof a->opt }, .picture = { .fd = -1, .dir_fd = -1 } };
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?')
            return cli_usage(argv, NULL);
        if (take_option(c, a, opt, &err) < 0)
            return cli_error(&err);
    }
    if (optind + 2 != argc)
        return cli_usage(argv, "a domain and a host are wanted");
    a->who = argv[optind];
    a->host = argv[optind + 1];
    if (*a->who == '\0')
        return cli_usage(argv, "the domain's name is empty");
    if (a->opt.command == NULL && !cv_text_is_host(a->host)) {
        cv_fail(&err, CV_E_INVALID, 0, "'%s' is not [USER@]HOST", a->host);
        return cli_error(&err);
    }
    a->opt.compress = a->work.compress;
    a->opt.threads = a->work.threads;
    /* Before anything happens: nobody wants to hear of a wrong path when the guest has moved. */
    if (a->report != NULL && cv_output_open(&a->picture, a->report, &err) < 0)
        return cli_error(&err);
    return 0;
}

static void write_picture(struct migrate_args *a, const convoy_migration *m)
{
    struct cv_error err = CV_ERROR_INIT;
    convoy_error why;
    char *svg = NULL;

    /* Whatever goes wrong: the guest has moved all the same. */
    if (convoy_migration_report(m, CONVOY_SVG, &svg, &why) < 0)
        cli_failed(&why);
    else if (cv_write_full(a->picture.fd, svg, strlen(svg), CV_NEVER, NULL, &err) < 0 ||
             cv_output_commit(&a->picture, &err) < 0)
        cli_error(&err);
    convoy_free(svg);
}

static void print_report(struct cli *c, struct migrate_args *a, const convoy_migration *m)
{
    convoy_error err;
    char *text = NULL;

    if (convoy_migration_report(m, c->json_events ? CONVOY_JSON : CONVOY_TEXT, &text, &err) < 0)
        cli_failed(&err);
    else
        printf("%s%s", text, c->json_events ? "\n" : "");
    convoy_free(text);
    if (a->report != NULL)
        write_picture(a, m);
}

static int run_migration(struct cli *c, struct migrate_args *a)
{
    convoy_migrate_result result = { .size = sizeof result };
    convoy_migration *m = NULL;
    struct cli_passes progress;
    convoy_error err;
    int status = 0;

    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    a->opt.cancel = c->stop;
    cli_passes_begin(&progress, c);
    int rc = convoy_migrate(h, a->who, a->host, &a->opt, &m, &err);
    cli_passes_end(&progress);
    /* Where nothing was sent a table tells people nothing; programs get their object whatever it was. */
    if (m != NULL && convoy_migration_result(m, &result, NULL) == 0 && result.outcome != CONVOY_NOT_BEGUN &&
        (rc == 0 || c->json_events || result.bytes > 0))
        print_report(c, a, m);
    convoy_migration_free(m);
    fflush(stdout);
    if (rc < 0)
        status = cli_failed(&err); /* last: what went wrong is what people look for */
    cli_host_close(c, h);
    return status;
}

int cmd_migrate(struct cli *c, int argc, char **argv)
{
    struct migrate_args a;
    int status = parse_arguments(c, argc, argv, &a);

    if (status == 0)
        status = run_migration(c, &a);
    cv_output_abandon(&a.picture, NULL);
    return status;
}
