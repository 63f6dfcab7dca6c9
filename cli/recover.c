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

static const char *role_name(const convoy_settled *s) { return s->role == CONVOY_SOURCE ? "source" : "destination"; }

static void print_json(const convoy_settled *s)
{
    json_t *o = json_pack("{s:s?,s:s,s:s,s:s,s:s}", "guest", s->guest, "migration", s->migration, "role", role_name(s),
                          "state", s->state, "outcome", convoy_outcome_name(s->outcome));

    if (o == NULL) /* a name that is no UTF-8: the migration's id is enough to go by */
        o = json_pack("{s:s,s:s}", "migration", s->migration, "outcome", convoy_outcome_name(s->outcome));
    if (s->why != NULL)
        json_object_set_new(o, "why", json_string(s->why->text));
    char *line = json_dumps(o, JSON_COMPACT);
    puts(line ? line : "{}");
    free(line);
    json_decref(o);
}

static const char *const meaning[] = {
    [CONVOY_NOT_BEGUN] = "settled meanwhile by another process",
    [CONVOY_KEPT] = "the guest runs here",
    [CONVOY_TAKEN] = "the guest runs there; nothing is left here",
    [CONVOY_TAKEN_LEFT] = "the guest runs there; its old copy is still here",
    [CONVOY_TAKEN_GONE] = "the guest was there and is gone; if it runs nowhere (it may have been saved or moved on "
                          "there), start it afresh",
    [CONVOY_LOST] = "the guest was here and has ended (this host rebooted, or it was destroyed); start it afresh if it "
                    "does not run",
    [CONVOY_UNKNOWN] = "nobody knows yet; the guest does not run here",
    [CONVOY_STUCK] = "decided, but not done here",
    [CONVOY_RUNNING] = "the guest runs here",
    [CONVOY_ABORTED] = "the guest is not ours; nothing is left here",
    [CONVOY_GONE] = "the guest was here and is gone",
};

static bool is_open(const convoy_settled *s)
{
    return s->outcome == CONVOY_UNKNOWN || s->outcome == CONVOY_STUCK || s->outcome == CONVOY_TAKEN_LEFT;
}

static void print_outcome(FILE *f, const convoy_settled *s)
{
    char name[160];

    fprintf(f, "%s (%s, %s): %s\n", cv_text_cleaned(s->guest, name, sizeof name), s->migration, role_name(s),
            meaning[s->outcome]);
    if (s->why != NULL)
        fprintf(f, "    %s\n", s->why->text);
}

/* What a person needs who is to decide: what is here, and which word fits what is seen there. */
struct telling {
    struct cli *c;
    convoy_host *host;
};

/* Words for a domain's state that say what a decision rests on: has it ever run? */
static const char *state_words(const json_t *guest)
{
    const char *state = json_string_value(json_object_get(guest, "state"));
    bool ran = json_number_value(json_object_get(guest, "cpu_seconds")) > 0;

    if (state == NULL || strcmp(state, "running") == 0)
        return "runs";
    return strcmp(state, "dying") == 0       ? "is being ended"
           : strcmp(state, "suspended") == 0 ? "stands suspended"
           : strcmp(state, "paused") != 0    ? "has ended"
           : ran                             ? "is paused, and has run"
                                             : "is paused, and has never run";
}

static void tell_domains(struct telling *t, const convoy_settled *s)
{
    char *text = NULL, name[160];
    json_t *guest;
    size_t i, here = 0;

    if (convoy_list(t->host, NULL, &text, NULL) < 0)
        return;
    json_t *all = json_loads(text, 0, NULL);
    convoy_free(text);
    json_array_foreach(all, i, guest)
    {
        const char *uuid = json_string_value(json_object_get(guest, "uuid"));
        const char *called = json_string_value(json_object_get(guest, "name"));
        if (uuid == NULL || strcmp(uuid, s->uuid) != 0)
            continue;
        here++;
        printf("    here: domain %lld '%s' %s\n", (long long)json_integer_value(json_object_get(guest, "domid")),
               cv_text_cleaned(called != NULL ? called : "", name, sizeof name), state_words(guest));
    }
    json_decref(all);
    if (here == 0)
        puts("    here: no domain of this guest");
}

static void tell_ways_out(struct telling *t, const convoy_settled *s)
{
    bool source = s->role == CONVOY_SOURCE;
    char guest[160], peer[300];

    cv_text_cleaned(s->guest, guest, sizeof guest);
    cv_text_cleaned(s->peer, peer, sizeof peer);
    tell_domains(t, s);
    printf("    if recover does not settle it: look on the other host (%s) with 'convoy list' and 'convoy recover', "
           "then here\n"
           "        convoy recover --assume running %s    %s\n"
           "        convoy recover --assume aborted %s    %s\n",
           *peer ? peer : "?", guest,
           source ? "it runs there, or ran and is to be lost: what is left here is destroyed"
                  : "it is to stay here, and does not run there",
           guest,
           source ? "it does not run there, and nothing of it is left there: it goes on here"
                  : "it is to go on there: what is here is destroyed, even if it has run");
}

static void settled(void *user, const convoy_settled *s)
{
    struct telling *t = user;

    if (t->c->json_events)
        print_json(s);
    else
        print_outcome(stdout, s);
    if (!t->c->json_events && is_open(s))
        tell_ways_out(t, s);
    fflush(stdout);
}

/* ---- a watcher's log: of all guests, for months ---- */

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
static void log_settled(void *user, const convoy_settled *s)
{
    (void)user;
    if (is_open(s))
        return;
    print_date();
    print_outcome(stderr, s);
}

struct recover_args {
    convoy_recover_options opt;
    const char *who;
    bool watch, all;
};

static int parse_arguments(struct cli *c, int argc, char **argv, struct recover_args *a)
{
    static const struct option options[] = { { "assume", required_argument, NULL, 'a' },
                                             { "watch", required_argument, NULL, 'w' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "all", no_argument, NULL, 'A' },
                                             { NULL, 0, NULL, 0 } };
    int opt;

    *a = (struct recover_args){ .opt = { .size = sizeof a->opt } };
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'j': c->json_events = true; break;
        case 'A': a->all = true; break;
        case 'w': /* between migrate/watch.c and us only */
            a->watch = true;
            a->opt.role = strcmp(optarg, "source") == 0 ? CONVOY_SOURCE : CONVOY_DESTINATION;
            break;
        case 'a':
            a->opt.assume = strcmp(optarg, "running") == 0   ? CONVOY_ASSUME_RUNNING
                            : strcmp(optarg, "aborted") == 0 ? CONVOY_ASSUME_ABORTED
                                                             : CONVOY_ASSUME_NOTHING;
            if (a->opt.assume == CONVOY_ASSUME_NOTHING)
                return cli_usage(argv, "--assume takes running or aborted");
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + (a->all ? 0 : 1) != argc)
        return cli_usage(argv, a->all ? "--all wants no domain" : "one domain is wanted, or --all");
    if (a->all && a->opt.assume != CONVOY_ASSUME_NOTHING)
        return cli_usage(argv, "--assume is about one guest that you have looked at, not about all");
    a->who = a->all ? NULL : argv[optind];
    return 0;
}

/* The process beside a migration: nothing is opened before there is something to do. */
static int watch(struct cli *c, struct recover_args *a)
{
    convoy_error err;
    int status = 0;

    if (a->who == NULL || !convoy_watch_wait(STDIN_FILENO))
        return 0;
    c->sink.message = log_message;
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    a->opt.settled = log_settled;
    a->opt.cancel = c->stop;
    a->opt.persist = 1;
    if (convoy_recover(h, a->who, &a->opt, NULL, &err) < 0)
        status = cli_failed(&err);
    cli_host_close(c, h);
    return status;
}

int cmd_recover(struct cli *c, int argc, char **argv)
{
    struct recover_args a;
    unsigned count = 0;
    convoy_error err;
    int status = parse_arguments(c, argc, argv, &a);

    if (status != 0)
        return status;
    if (a.watch)
        return watch(c, &a);
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    struct telling telling = { .c = c, .host = h };
    a.opt.cancel = c->stop;
    a.opt.settled = settled;
    a.opt.user = &telling;
    if (convoy_recover(h, a.who, &a.opt, &count, &err) < 0)
        status = cli_failed(&err);
    else if (count == 0)
        printf("%s%severy migration that is known here is settled\n", a.who ? a.who : "", a.who ? ": " : "");
    cli_host_close(c, h);
    return status;
}
