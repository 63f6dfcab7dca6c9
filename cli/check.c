/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check: what stands in the way of a save or a migration, all of it, without touching the guest. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "guest/blockers.h"
#include "migrate/check.h"
#include "handover/unsettled.h"

#define ANSWER_MS 20000

static void check_unsettled(const struct cv_guest *g, struct cv_findings *found)
{
    static const uint8_t none[16];
    struct cv_error err = CV_ERROR_INIT;

    if (g->domid != 0 && cv_unsettled_refuse(cli_journal_dir(), g->spec.uuid, none, &err) < 0)
        cv_findings_add(found, "unsettled", &err, NULL);
}

/* What would be said of it there; that it cannot be asked is in the way, too. */
static void check_there(struct cli *c, struct cv_guest *g, const char *host, const char *command,
                        struct cv_findings *found)
{
    struct cv_migrate_options opt = {
        .command = command, .peer = host, .store = cli_journal_dir(), .live = true, .cancel = &c->cancel
    };
    struct cv_error err = CV_ERROR_INIT;
    char ssh[1024];

    if (g->domid == 0 || cv_findings_errors(found) > 0) {
        cv_findings_warn(found, "host", "%s was not asked: the guest cannot leave", host);
        return;
    }
    if (command == NULL && cv_peer_ssh_command(host, ssh, sizeof ssh, &err) == 0)
        opt.command = ssh;
    if (err.code != CV_OK || cv_migrate_check(g, &opt, found, &err) < 0)
        cv_findings_add(found, "host", &err, NULL);
}

static void show_json(const char *who, const struct cv_guest *g, const struct cv_findings *found)
{
    json_t *o = json_object();

    json_object_set_new(o, "domain", cli_json_text(g->domid != 0 ? g->spec.name : who));
    if (g->domid != 0)
        json_object_set_new(o, "domid", json_integer(g->domid));
    json_object_set_new(o, "blocked", json_boolean(cv_findings_errors(found) > 0));
    json_object_set_new(o, "findings", cli_findings_json(found));
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

static void show_text(const char *who, const char *there, const struct cv_findings *found)
{
    size_t n = cv_findings_errors(found);

    printf("%s", who);
    if (n == 0)
        printf(": nothing stands in the way of a save or a migration");
    else
        printf(" cannot be saved or moved");
    if (there != NULL)
        printf(" to %s", there);
    if (n > 0)
        printf(": %zu thing%s in the way", n, n == 1 ? " is" : "s are");
    printf("\n");
    for (size_t i = 0; i < found->count; i++) {
        const struct cv_finding *f = &found->items[i];
        printf("  %s%s: %s\n", f->code == CV_OK ? "warning: " : "", f->check, f->text);
        if (f->advice[0] != '\0')
            printf("      -> %s\n", f->advice);
    }
}

struct args {
    const char *who, *there, *command; /* there: the other host, or NULL */
    bool json;
};

static int check(struct cli *c, struct cv_host *h, const struct args *a)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(ANSWER_MS), .cancel = &c->cancel };
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    cv_guest_check(h, a->who, &w, &c->sink, &g, &found);
    check_unsettled(&g, &found);
    if (a->there != NULL)
        check_there(c, &g, a->there, a->command, &found);
    int rc = cv_findings_verdict(&found, &err);
    if (found.lost)
        cli_error(&err);
    else if (a->json)
        show_json(a->who, &g, &found);
    else
        show_text(a->who, a->there, &found);
    cv_guest_dispose(&g);
    cv_findings_dispose(&found);
    return rc < 0 ? cli_exit_status(err.code) : 0;
}

int cmd_check(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "command", required_argument, NULL, 'c' },
                                             { NULL, 0, NULL, 0 } };
    struct args a = { 0 };
    int opt, status = 0;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'j')
            a.json = true;
        else if (opt == 'c')
            a.command = optarg;
        else
            return cli_usage(argv, NULL);
    }
    if (optind + 1 != argc && optind + 2 != argc)
        return cli_usage(argv, "a domain is wanted, and at most one host");
    a.who = argv[optind];
    a.there = argv[optind + 1];
    if (a.command != NULL && a.there == NULL)
        return cli_usage(argv, "--command is how the host is asked, and none is named");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    status = check(c, h, &a);
    h->ops->close(h);
    return status;
}
