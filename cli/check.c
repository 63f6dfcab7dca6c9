/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check: what stands in the way of a save or a migration, all of it, without touching the guest. */
#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

#include "cli/cli.h"

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text != NULL ? text : "";
}

static bool blocks(const json_t *finding) { return json_is_true(json_object_get(finding, "blocks")); }

static void show_text(const char *who, const char *there, const char *text)
{
    json_t *o = json_loads(text, 0, NULL), *found = json_object_get(o, "findings"), *f;
    size_t n = 0, i;

    json_array_foreach(found, i, f) n += blocks(f);
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
    json_array_foreach(found, i, f)
    {
        printf("  %s%s: %s\n", blocks(f) ? "" : "warning: ", text_of(f, "check"), text_of(f, "text"));
        if (*text_of(f, "advice") != '\0')
            printf("      -> %s\n", text_of(f, "advice"));
    }
    json_decref(o);
}

struct args {
    const char *who, *there, *command; /* there: the other host, or NULL */
    bool json;
};

/* The findings are what is read; the first of them is not repeated as an error. */
static int check_guest(struct cli *c, convoy_host *h, const struct args *a)
{
    convoy_check_options o = { .size = sizeof o, .peer = a->there, .command = a->command, .cancel = c->stop };
    convoy_error err;
    char *text = NULL;

    int rc = convoy_check(h, a->who, &o, &text, &err);
    if (text == NULL)
        return rc < 0 ? cli_failed(&err) : 1;
    if (a->json)
        fputs(text, stdout);
    else
        show_text(a->who, a->there, text);
    convoy_free(text);
    return rc < 0 ? cli_exit_status((enum cv_code)err.code) : 0;
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
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    status = check_guest(c, h, &a);
    cli_host_close(c, h);
    return status;
}
