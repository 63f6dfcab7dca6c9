/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy create -n: what a guest would be, for people and for programs. */
#ifndef CONVOY_CLI_PLAN_H
#define CONVOY_CLI_PLAN_H

#include "cli/cli.h"

/* Reads the configuration only, on any machine, and prints it on standard output; errors go to standard error (json:
 * into the object as well).  Returns an exit status. */
int cli_plan(struct cli *c, const char *path, bool json);

#endif
