/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uuid/uuid.h>

#include "base/fd.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "guest/guest.h"

struct listing {
    struct cv_host *host;
    json_t *all;   /* NULL: a table */
    uint32_t only; /* one domain, 0: all */
};

static char *node(struct cv_host *h, uint32_t domid, unsigned dmid, const char *leaf)
{
    char path[128], *value = NULL;

    snprintf(path, sizeof path, "/local/domain/0/dms/%u/%u/%s", domid, dmid, leaf);
    return h->ops->xs_read(h, path, &value, NULL) == 0 ? value : NULL;
}

static json_t *emulators_of(struct cv_host *h, uint32_t domid)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        CV_AUTO_FREE char *name = node(h, domid, i, "name"), *role = node(h, domid, i, "role");
        CV_AUTO_FREE char *pid = node(h, domid, i, "pid"), *version = node(h, domid, i, "version");
        CV_AUTO_FREE char *model = node(h, domid, i, "model");

        if (name == NULL)
            break;
        json_array_append_new(list, json_pack("{s:i,s:s,s:s,s:i,s:s,s:s}", "dmid", (int)i, "name", name, "role",
                                              role ? role : "", "pid", pid ? atoi(pid) : 0, "version",
                                              version ? version : "", "model", model ? model : ""));
    }
    return list;
}

/* Of a guest that xl or libvirt made: libxl's QEMU.  NULL if there is none. */
static json_t *libxl_emulator(struct cv_host *h, uint32_t domid)
{
    CV_AUTO_FREE char *pid = NULL;
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u/image/device-model-pid", domid);
    if (h->ops->xs_read(h, path, &pid, NULL) < 0 || pid == NULL)
        return NULL;
    return json_pack("{s:i,s:s,s:s,s:i,s:s,s:s}", "dmid", 0, "name", "libxl", "role", "default", "pid", atoi(pid),
                     "version", "", "model", "");
}

static const char *state_of(const struct cv_domain_info *d)
{
    if (d->dying)
        return "dying";
    if (d->shutdown)
        return d->shutdown_reason == CV_SHUTDOWN_SUSPEND ? "suspended"
               : d->shutdown_reason == CV_SHUTDOWN_CRASH ? "crashed"
                                                         : "shutdown";
    return d->paused ? "paused" : "running";
}

static int show(void *user, const struct cv_domain_info *d)
{
    struct listing *l = user;
    char uuid[37], name[CV_NAME_MAX], names[256] = "";
    json_t *emus;

    if (l->only != 0 && l->only != d->domid)
        return 0;
    bool ours = cv_guest_is_ours(l->host, d->domid);
    emus = emulators_of(l->host, d->domid);
    if (!ours && json_array_size(emus) == 0)
        json_array_append_new(emus, libxl_emulator(l->host, d->domid));
    uuid_unparse_lower(d->uuid, uuid);
    cv_text_cleaned(d->name, name, sizeof name);
    if (l->all != NULL) {
        json_array_append_new(l->all, json_pack("{s:o,s:i,s:s,s:I,s:i,s:s,s:f,s:s,s:o}", "name", cli_json_text(d->name),
                                                "domid", (int)d->domid, "uuid", uuid, "memory_kib",
                                                (json_int_t)d->pages * 4, "vcpus", (int)d->vcpus, "state", state_of(d),
                                                "cpu_seconds", (double)d->cpu_time_ns / 1e9, "made_by",
                                                ours ? "convoy" : "libxl", "emulators", emus));
        return 0;
    }
    for (size_t i = 0; i < json_array_size(emus); i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", n ? "," : "",
                 json_string_value(json_object_get(json_array_get(emus, i), "name")));
    }
    json_decref(emus);
    cv_text_clean(names);
    printf("%-24s %5u %7llu %5u  %-9s %9.1f  %s\n", name, d->domid, (unsigned long long)d->pages / 256, d->vcpus,
           state_of(d), (double)d->cpu_time_ns / 1e9, names[0] ? names : "-");
    return 0;
}

int cmd_list(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    struct cv_error err = CV_ERROR_INIT;
    struct listing l = { 0 };
    bool json = false;
    int opt, status = 0;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'j')
            return cli_usage(argv, NULL);
        json = true;
    }
    if (argc - optind > 1)
        return cli_usage(argv, "at most one domain is wanted");
    l.host = cli_host(c, &status);
    if (l.host == NULL)
        return status;
    struct cv_domain_info d;
    int rc = argv[optind] == NULL ? 0 : l.host->ops->find(l.host, argv[optind], &d, &err);
    if (rc < 0) {
        l.host->ops->close(l.host);
        return cli_error(&err);
    }
    l.only = argv[optind] == NULL ? 0 : d.domid;
    if (json)
        l.all = json_array();
    else
        printf("%-24s %5s %7s %5s  %-9s %9s  %s\n", "Name", "ID", "Mem/MiB", "VCPUs", "State", "Time/s", "Emulators");
    if (l.host->ops->list(l.host, show, &l, &err) < 0)
        status = cli_error(&err);
    else if (json) {
        json_dumpf(l.all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
    }
    json_decref(l.all);
    l.host->ops->close(l.host);
    return status;
}
