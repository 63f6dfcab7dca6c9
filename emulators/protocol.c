/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/protocol.h"

#include <stddef.h>
#include <string.h>

const char *const cv_protocol_commands[] = {
    "qmp_capabilities",
    "query-version",
    "query-status",
    "query-pci",
    "query-migrate",
    "stop",
    "cont",
    "xen-set-global-dirty-log",
    "add-fd",
    "remove-fd",
    "xen-save-devices-state",
    "migrate-set-capabilities",
    "getfd",
    "migrate-incoming",
    "quit",
    NULL,
};

bool cv_protocol_has(const char *command)
{
    for (size_t i = 0; cv_protocol_commands[i] != NULL; i++)
        if (strcmp(cv_protocol_commands[i], command) == 0)
            return true;
    return false;
}
