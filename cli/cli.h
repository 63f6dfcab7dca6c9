/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: one file for each subcommand, which parses options, calls inward, prints, and returns an exit
 * status.  Errors are printed once, here, as one line. */
#ifndef CONVOY_CLI_CLI_H
#define CONVOY_CLI_CLI_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "host/host.h"
#include "memory/pipeline.h"
#include "handover/gate.h"

/* Exit statuses: 0 done, 1 failed, 2 the command line is wrong, and those of cli_exit_status. */
#define CLI_USAGE 2

struct cli {
    struct cv_sink sink;     /* stderr; level by -v/-q */
    bool json_events;        /* --json on save, restore, migrate: events as JSON lines on stderr */
    struct cv_cancel cancel; /* set by SIGINT, SIGTERM, SIGHUP */
    struct cv_gate gate;     /* of the host that cli_host opens */
    const char *program;     /* of this process, to start the monitor */
};

struct cli_command {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv); /* argv[0] is "convoy COMMAND" */
    const char *arguments, *summary;
};

/* Prints "convoy: <text>" and gives the exit status of its code. */
int cli_error(const struct cv_error *err);
int cli_exit_status(enum cv_code code);
/* Prints the usage line of argv[0]'s command (and why, if not NULL); returns CLI_USAGE. */
int cli_usage(char **argv, const char *why);
/* NULL after having printed the error. */
struct cv_host *cli_host(struct cli *c, int *status_out);
/* --threads N, --compress X into m (default: all CPUs, zstd level 1). */
void cli_mem_defaults(struct cv_mem_options *m);
int cli_mem_option(struct cv_mem_options *m, int opt, const char *arg, struct cv_error *err);
/* Where journals of migrations lie: CONVOY_JOURNAL_DIR in the environment, or the usual place. */
const char *cli_journal_dir(void);
/* A number of seconds from 1 to 86400, in ms. */
int cli_seconds(const char *arg, const char *option, int64_t *ms_out, struct cv_error *err);
/* A folder in which the images below an incremental one are looked for (--parents). */
struct cv_chain_places;
int cli_parents_add(struct cv_chain_places *places, const char *dir, struct cv_error *err);
/* And the folder of the image itself; "-" has none.  folder: of PATH_MAX bytes, lives as long as places. */
void cli_parents_beside(struct cv_chain_places *places, const char *path, char *folder);
/* Starts the guest's monitor.  -1 after having printed why nobody watches over this guest, which runs. */
int cli_monitor(struct cli *c, uint32_t domid, const char *name);

int cmd_create(struct cli *c, int argc, char **argv);
int cmd_check(struct cli *c, int argc, char **argv);
int cmd_list(struct cli *c, int argc, char **argv);
int cmd_destroy(struct cli *c, int argc, char **argv);
int cmd_pause(struct cli *c, int argc, char **argv);
int cmd_unpause(struct cli *c, int argc, char **argv);
int cmd_save(struct cli *c, int argc, char **argv);
int cmd_restore(struct cli *c, int argc, char **argv);
int cmd_monitor(struct cli *c, int argc, char **argv);
int cmd_cycle(struct cli *c, int argc, char **argv);
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
