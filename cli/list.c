/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "cli/cli.h"

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text != NULL ? text : "";
}

static void show(const json_t *guest)
{
    const json_t *emus = json_object_get(guest, "emulators");
    char name[160], names[256] = "";
    unsigned long long kib = (unsigned long long)json_integer_value(json_object_get(guest, "memory_kib"));

    for (size_t i = 0; i < json_array_size(emus); i++) {
        size_t n = strlen(names);
        const json_t *emu = json_array_get(emus, i);
        bool runs = strcmp(text_of(emu, "state"), "running") == 0;
        snprintf(names + n, sizeof names - n, "%s%s%s", n ? "," : "", text_of(emu, "name"), runs ? "" : "(died)");
    }
    cv_text_cleaned(text_of(guest, "name"), name, sizeof name);
    cv_text_clean(names);
    printf("%-24s %5lld %7llu %5lld  %-9s %9.1f  %s\n", name,
           (long long)json_integer_value(json_object_get(guest, "domid")), kib / 1024,
           (long long)json_integer_value(json_object_get(guest, "vcpus")), text_of(guest, "state"),
           json_number_value(json_object_get(guest, "cpu_seconds")), names[0] ? names : "-");
}

static void show_all(const char *text)
{
    json_t *all = json_loads(text, 0, NULL);

    printf("%-24s %5s %7s %5s  %-9s %9s  %s\n", "Name", "ID", "Mem/MiB", "VCPUs", "State", "Time/s", "Emulators");
    for (size_t i = 0; i < json_array_size(all); i++)
        show(json_array_get(all, i));
    json_decref(all);
}

int cmd_list(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    convoy_error err;
    bool json = false;
    char *text = NULL;
    int opt, status = 0;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'j')
            return cli_usage(argv, NULL);
        json = true;
    }
    if (argc - optind > 1)
        return cli_usage(argv, "at most one domain is wanted");
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (convoy_list(h, argv[optind], &text, &err) < 0)
        status = cli_failed(&err);
    else if (json)
        fputs(text, stdout);
    else
        show_all(text);
    convoy_free(text);
    cli_host_close(c, h);
    return status;
}
