/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: one file for each subcommand, which parses options, makes one call, prints, and returns an exit
 * status.  What works on guests goes through include/convoy, as any program could; what looks at images, which is in
 * builds without Xen as well, uses image/ and convert/.  Errors are printed once, here, as one line. */
#ifndef CONVOY_CLI_CLI_H
#define CONVOY_CLI_CLI_H

#include <stdbool.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "convoy/convoy.h"
#include "memory/pipeline.h"

/* Exit statuses: 0 done, 1 failed, 2 the command line is wrong, and those of cli_exit_status. */
#define CLI_USAGE 2

struct cli {
    struct cv_sink sink;     /* stderr; level by -v/-q */
    bool json_events;        /* --json on save, restore, migrate: events as JSON lines on stderr */
    struct cv_cancel cancel; /* set by SIGINT, SIGTERM, SIGHUP */
    convoy_cancel *stop;     /* the same for the library's calls; made by cli_host */
    void (*request_stop)(convoy_cancel *stop);
    const char *program; /* of this process: what runs as a guest's monitor */
};

struct cli_command {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv); /* argv[0] is "convoy COMMAND" */
    const char *arguments, *summary;
};

/* Prints "convoy: <text>" and gives the exit status of its code. */
int cli_error(const struct cv_error *err);
int cli_failed(const convoy_error *err);
int cli_exit_status(enum cv_code code);
/* Prints the usage line of argv[0]'s command (and why, if not NULL); returns CLI_USAGE. */
int cli_usage(char **argv, const char *why);
/* NULL after having printed the error.  cli_host_close. */
convoy_host *cli_host(struct cli *c, int *status_out);
void cli_host_close(struct cli *c, convoy_host *h);
/* Where messages and events of the library's calls go: to c's own. */
convoy_sink cli_sink(struct cli *c);
/* --threads N, --compress X into m (default: all CPUs, zstd level 1). */
void cli_mem_defaults(struct cv_mem_options *m);
int cli_mem_option(struct cv_mem_options *m, int opt, const char *arg, struct cv_error *err);
/* The same for a call of the library: how many workers, and what is asked for by name. */
struct cli_work {
    const char *compress; /* NULL: the default */
    unsigned threads;
    bool compresses; /* not "none" */
};
int cli_work_option(struct cli_work *w, int opt, const char *arg, struct cv_error *err);
/* A number of seconds from 1 to 86400. */
int cli_seconds(const char *arg, const char *option, unsigned *s_out, struct cv_error *err);
/* A folder in which the images below an incremental one are looked for (--parents). */
struct cv_chain_places;
int cli_parents_add(struct cv_chain_places *places, const char *dir, struct cv_error *err);
/* And the folder of the image itself; "-" has none.  folder: of PATH_MAX bytes, lives as long as places. */
void cli_parents_beside(struct cv_chain_places *places, const char *path, char *folder);
/* Its folders, ended by NULL, into list, which has room for CLI_PARENTS_LIST. */
#define CLI_PARENTS_LIST 17
const char *const *cli_parents_list(const struct cv_chain_places *places, const char *list[CLI_PARENTS_LIST]);

int cmd_create(struct cli *c, int argc, char **argv);
int cmd_check(struct cli *c, int argc, char **argv);
int cmd_list(struct cli *c, int argc, char **argv);
int cmd_destroy(struct cli *c, int argc, char **argv);
int cmd_pause(struct cli *c, int argc, char **argv);
int cmd_unpause(struct cli *c, int argc, char **argv);
int cmd_save(struct cli *c, int argc, char **argv);
int cmd_restore(struct cli *c, int argc, char **argv);
int cmd_monitor(struct cli *c, int argc, char **argv);
int cmd_migrate(struct cli *c, int argc, char **argv);
int cmd_migrate_receive(struct cli *c, int argc, char **argv);
int cmd_recover(struct cli *c, int argc, char **argv);
/* These need no host and are in every build. */
int cmd_inspect(struct cli *c, int argc, char **argv);
int cmd_verify(struct cli *c, int argc, char **argv);
int cmd_extract(struct cli *c, int argc, char **argv);
int cmd_convert(struct cli *c, int argc, char **argv);
int cmd_merge(struct cli *c, int argc, char **argv);

#endif
