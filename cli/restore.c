/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "restore/restore.h"

/* VDEV=PATH. */
static int take_disk(struct cv_restore_options *o, struct cv_restore_disk *disks, char *text, struct cv_error *err)
{
    char *sign = strchr(text, '=');

    if (sign == NULL || sign == text || sign[1] == '\0')
        return cv_fail(err, CV_E_INVALID, 0, "--disk takes VDEV=PATH, not '%s'", text);
    if (o->disk_count == CV_CONFIG_DISKS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "more than %d disks", CV_CONFIG_DISKS_MAX);
    *sign = '\0';
    disks[o->disk_count++] = (struct cv_restore_disk){ .vdev = text, .path = sign + 1 };
    o->disks = disks;
    return 0;
}

#define TRUST_MAX CV_EMU_PROGRAMS_MAX

static int parse(struct cli *c, int argc, char **argv, struct cv_restore_options *o, const char *trust[TRUST_MAX + 1],
                 const char **path)
{
    static struct cv_chain_places parents;
    static char folder[PATH_MAX];
    static struct cv_restore_disk disks[CV_CONFIG_DISKS_MAX];
    static const struct option options[] = { { "name", required_argument, NULL, 'n' },
                                             { "parents", required_argument, NULL, 'P' },
                                             { "disk", required_argument, NULL, 'd' },
                                             { "threads", required_argument, NULL, 'T' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "trust", required_argument, NULL, 't' },
                                             { "emulator-timeout", required_argument, NULL, 'E' },
                                             { NULL, 0, NULL, 0 } };
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    unsigned trusted = 0;

    *o = (struct cv_restore_options){ .cancel = &c->cancel, .trust = trust };
    cli_mem_defaults(&o->mem);
    while ((opt = getopt_long(argc, argv, "p", options, NULL)) != -1) {
        switch (opt) {
        case 'p': o->paused = true; break;
        case 'n': o->name = optarg; break;
        case 'P':
            if (cli_parents_add(&parents, optarg, &err) < 0)
                return cli_error(&err);
            break;
        case 'd':
            if (take_disk(o, disks, optarg, &err) < 0)
                return cli_error(&err);
            break;
        case 'j': c->json_events = true; break;
        case 't':
            if (trusted == TRUST_MAX)
                return cli_usage(argv, "too many programs");
            trust[trusted++] = optarg;
            break;
        case 'E':
            if (cli_seconds(optarg, "--emulator-timeout", &o->emulator_timeout_ms, &err) < 0)
                return cli_error(&err);
            break;
        case 'T':
            if (cli_mem_option(&o->mem, opt, optarg, &err) < 0)
                return cli_error(&err);
            break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one image is wanted");
    *path = argv[optind];
    cli_parents_beside(&parents, *path, folder);
    o->parents = &parents;
    o->incremental = true;
    return 0;
}

static void print_report(uint32_t domid, const struct cv_restore_report *r)
{
    printf("domain %u: %llu bytes, %.2f s (check %.2f, domain %.2f, memory %.2f beside emulators %.2f and PV devices "
           "%.2f, "
           "from the last page to running %.2f, of it device states %.2f)\n",
           domid, (unsigned long long)r->bytes, (double)r->total_ns / 1e9, (double)r->verify_ns / 1e9,
           (double)r->domain_ns / 1e9, (double)r->fill_ns / 1e9, (double)r->emulators_ns / 1e9,
           (double)r->devices_ns / 1e9, (double)r->down_ns / 1e9, (double)r->load_ns / 1e9);
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
    struct cv_restore_report report = { 0 };
    struct cv_restore_options o;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_domain_info d = { 0 };
    const char *trust[TRUST_MAX + 1] = { NULL }, *path = NULL;
    uint32_t domid = 0;
    int status = parse(c, argc, argv, &o, trust, &path);

    if (status != 0)
        return status;
    CV_AUTO_FD fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cv_fail(&err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "restore: open %s", path);
        return cli_error(&err);
    }
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (cv_restore_from(h, fd, &o, &c->sink, &domid, &report, &err) < 0) {
        status = cli_error(&err);
    } else {
        if (h->ops->info(h, domid, &d, &err) == 0)
            status = cli_monitor(c, domid, d.name) < 0;
        print_report(domid, &report);
    }
    h->ops->close(h);
    return status;
}
