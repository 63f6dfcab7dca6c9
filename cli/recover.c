/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "migrate/effects.h"
#include "migrate/recover.h"
#include "migrate/watch.h"

#define JOURNAL_VARIABLE "CONVOY_JOURNAL_DIR"

const char *cli_journal_dir(void)
{
    const char *dir = getenv(JOURNAL_VARIABLE);
    return dir != NULL && *dir ? dir : CV_JOURNAL_DIR;
}

static void runs(void *user, uint32_t domid, const char *name) { cli_monitor(user, domid, name); }

static void print_json(const struct cv_journal_record *rec, const char *id, enum cv_ho_outcome outcome,
                       const struct cv_error *why)
{
    json_t *o = json_pack("{s:s?,s:s,s:s,s:s,s:s}", "guest", rec->name, "migration", id, "role",
                          rec->role == CV_ROLE_SOURCE ? "source" : "destination", "state",
                          cv_journal_state_name(rec->state), "outcome", cv_ho_outcome_name(outcome));
    char text[800];

    if (o == NULL) /* a name that is no UTF-8: the migration's id is enough to go by */
        o = json_pack("{s:s,s:s}", "migration", id, "outcome", cv_ho_outcome_name(outcome));
    if (why->code != CV_OK)
        json_object_set_new(o, "why", json_string(cv_error_string(why, text, sizeof text)));
    char *line = json_dumps(o, JSON_COMPACT);
    puts(line ? line : "{}");
    free(line);
    json_decref(o);
}

static const char *const meaning[] = {
    [CV_OUT_NONE] = "settled meanwhile by another process",
    [CV_OUT_KEPT] = "the guest runs here",
    [CV_OUT_TAKEN] = "the guest runs there; nothing is left here",
    [CV_OUT_TAKEN_LEFT] = "the guest runs there; its old copy is still here",
    [CV_OUT_TAKEN_GONE] = "the guest was there and is gone; if it runs nowhere (it may have been saved or moved on "
                          "there), start it afresh",
    [CV_OUT_LOST] = "the guest was here and has ended (this host rebooted, or it was destroyed); start it afresh if it "
                    "does not run",
    [CV_OUT_UNKNOWN] = "nobody knows yet; the guest does not run here",
    [CV_OUT_STUCK] = "decided, but not done here",
    [CV_OUT_RUNNING] = "the guest runs here",
    [CV_OUT_ABORTED] = "the guest is not ours; nothing is left here",
    [CV_OUT_GONE] = "the guest was here and is gone",
};

static void print_outcome(FILE *f, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                          const struct cv_error *why)
{
    char id[CV_ID_TEXT], text[800], name[sizeof rec->name];

    cv_id_format(rec->migration, id);
    fprintf(f, "%s (%s, %s): %s\n", cv_text_cleaned(rec->name, name, sizeof name), id,
            rec->role == CV_ROLE_SOURCE ? "source" : "destination", meaning[outcome]);
    if (why->code != CV_OK)
        fprintf(f, "    %s\n", cv_error_string(why, text, sizeof text));
}

/* What a person needs who is to decide: what is here, and which word fits what is seen there. */
struct telling {
    struct cli *c;
    struct cv_host *host;
    const struct cv_journal_record *rec;
    unsigned domains;
};

static int tell_domain(void *user, const struct cv_domain_info *d)
{
    struct telling *t = user;

    if (memcmp(d->uuid, t->rec->guest, sizeof d->uuid) != 0)
        return 0;
    t->domains++;
    printf("    here: domain %u '%s' %s\n", d->domid, d->name, cv_effect_state_name(d));
    return 0;
}

static void tell_ways_out(struct telling *t, const struct cv_journal_record *rec)
{
    struct cv_error err = CV_ERROR_INIT;
    bool source = rec->role == CV_ROLE_SOURCE;

    t->rec = rec;
    t->domains = 0;
    if (t->host->ops->list(t->host, tell_domain, t, &err) == 0 && t->domains == 0)
        puts("    here: no domain of this guest");
    printf("    if recover does not settle it: look on the other host (%s) with 'convoy list' and 'convoy recover', "
           "then here\n"
           "        convoy recover --assume running %s    %s\n"
           "        convoy recover --assume aborted %s    %s\n",
           rec->peer[0] ? rec->peer : "?", rec->name,
           source ? "it runs there, or ran and is to be lost: what is left here is destroyed"
                  : "it is to stay here, and does not run there",
           rec->name,
           source ? "it does not run there, and nothing of it is left there: it goes on here"
                  : "it is to go on there: what is here is destroyed, even if it has run");
}

static void settled(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                    const struct cv_error *why)
{
    char id[CV_ID_TEXT];
    struct telling *t = user;
    struct cli *c = t->c;

    cv_id_format(rec->migration, id);
    if (c->json_events)
        print_json(rec, id, outcome, why);
    else
        print_outcome(stdout, rec, outcome, why);
    if (!c->json_events && (outcome == CV_OUT_UNKNOWN || outcome == CV_OUT_STUCK || outcome == CV_OUT_TAKEN_LEFT))
        tell_ways_out(t, rec);
    fflush(stdout);
}

/* ---- a watcher's log: of all guests, for months
 * ---------------------------------------------------------------------- */

static void print_date(void)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm) != NULL)
        strftime(when, sizeof when, "%F %T ", &tm);
    fputs(when, stderr);
}

static void log_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    (void)s, (void)level;
    print_date();
    fprintf(stderr, "%s\n", text);
}

/* What is to be tried again was logged by whoever tries it. */
static void log_settled(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                        const struct cv_error *why)
{
    (void)user;
    if (outcome == CV_OUT_UNKNOWN || outcome == CV_OUT_STUCK || outcome == CV_OUT_TAKEN_LEFT)
        return;
    print_date();
    print_outcome(stderr, rec, outcome, why);
}

struct recover_args {
    struct cv_recover_options opt;
    const char *who;
    bool watch, all;
};

static int parse(struct cli *c, int argc, char **argv, struct recover_args *a)
{
    static const struct option options[] = { { "assume", required_argument, NULL, 'a' },
                                             { "watch", required_argument, NULL, 'w' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "all", no_argument, NULL, 'A' },
                                             { NULL, 0, NULL, 0 } };
    int opt;

    *a = (struct recover_args){ .opt = { .store = cli_journal_dir(),
                                         .cancel = &c->cancel,
                                         .role = -1,
                                         .runs = runs,
                                         .runs_user = c,
                                         .settled = settled } };
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'j': c->json_events = true; break;
        case 'A': a->all = true; break;
        case 'w': /* between migrate/watch.c and us only */
            a->watch = true;
            a->opt.role = strcmp(optarg, "source") == 0 ? CV_ROLE_SOURCE : CV_ROLE_DESTINATION;
            break;
        case 'a':
            a->opt.assume = strcmp(optarg, "running") == 0   ? CV_ASSUME_RUNNING
                            : strcmp(optarg, "aborted") == 0 ? CV_ASSUME_ABORTED
                                                             : CV_ASSUME_NOTHING;
            if (a->opt.assume == CV_ASSUME_NOTHING)
                return cli_usage(argv, "--assume takes running or aborted");
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + (a->all ? 0 : 1) != argc)
        return cli_usage(argv, a->all ? "--all wants no domain" : "one domain is wanted, or --all");
    if (a->all && a->opt.assume != CV_ASSUME_NOTHING)
        return cli_usage(argv, "--assume is about one guest that you have looked at, not about all");
    a->who = a->all ? NULL : argv[optind];
    return 0;
}

static int watch(struct cli *c, struct recover_args *a)
{
    struct cv_error err = CV_ERROR_INIT;
    uint8_t migration[16];
    int status = 0;

    if (a->who == NULL || !cv_watch_wait(STDIN_FILENO) || cv_id_parse(a->who, migration) < 0)
        return 0;
    c->sink.message = log_message;
    a->opt.settled = log_settled;
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (cv_recover_persist(h, migration, &a->opt, &c->sink, &err) < 0)
        status = cli_error(&err);
    h->ops->close(h);
    return status;
}

int cmd_recover(struct cli *c, int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    struct recover_args a;
    unsigned count = 0;
    int status = parse(c, argc, argv, &a);

    if (status != 0)
        return status;
    if (a.watch)
        return watch(c, &a);
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    struct telling telling = { .c = c, .host = h };
    a.opt.settled_user = &telling;
    if (cv_recover(h, a.who, &a.opt, &c->sink, &count, &err) < 0)
        status = cli_error(&err);
    else if (count == 0)
        printf("%s%severy migration that is known here is settled\n", a.who ? a.who : "", a.who ? ": " : "");
    h->ops->close(h);
    return status;
}
