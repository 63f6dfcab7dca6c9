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
#include "migrate/unsettled.h"

#define ANSWER_MS 20000

static void check_unsettled(const struct cv_guest *g, struct cv_findings *found)
{
    static const uint8_t none[16];
    struct cv_error err = CV_ERROR_INIT;

    if (g->domid != 0 && cv_unsettled_refuse(cli_journal_dir(), g->spec.uuid, none, &err) < 0)
        cv_findings_add(found, "unsettled", &err, NULL);
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

static void show_text(const char *who, const struct cv_findings *found)
{
    size_t n = cv_findings_errors(found);

    if (n == 0)
        printf("%s: nothing stands in the way of a save or a migration\n", who);
    else
        printf("%s cannot be saved or moved: %zu thing%s in the way\n", who, n, n == 1 ? " is" : "s are");
    for (size_t i = 0; i < found->count; i++) {
        const struct cv_finding *f = &found->items[i];
        printf("  %s%s: %s\n", f->code == CV_OK ? "warning: " : "", f->check, f->text);
        if (f->advice[0] != '\0')
            printf("      -> %s\n", f->advice);
    }
}

static int check(struct cli *c, struct cv_host *h, const char *who, bool json)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(ANSWER_MS), .cancel = &c->cancel };
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    cv_guest_check(h, who, &w, &c->sink, &g, &found);
    check_unsettled(&g, &found);
    int rc = cv_findings_verdict(&found, &err);
    if (found.lost)
        cli_error(&err);
    else if (json)
        show_json(who, &g, &found);
    else
        show_text(who, &found);
    cv_guest_dispose(&g);
    cv_findings_dispose(&found);
    return rc < 0 ? cli_exit_status(err.code) : 0;
}

int cmd_check(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    bool json = false;
    int opt, status = 0;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'j')
            return cli_usage(argv, NULL);
        json = true;
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one domain is wanted");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    status = check(c, h, argv[optind], json);
    h->ops->close(h);
    return status;
}
