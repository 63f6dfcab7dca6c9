/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings as programs read them. */
#ifndef CONVOY_CLI_FINDINGS_H
#define CONVOY_CLI_FINDINGS_H

#include <jansson.h>

#include "base/findings.h"

/* [{"check":...,"blocks":true,"code":"unsupported","text":...,"advice":...}]; "code" and "advice" only where there is
 * one. */
json_t *cli_findings_json(const struct cv_findings *f);
/* What is no UTF-8 gets question marks: JSON has nothing else for it. */
json_t *cli_json_text(const char *text);

#endif
