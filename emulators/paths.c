/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/paths.h"

#include <stdio.h>

static const char *or_standard(const char *dir, const char *standard) { return dir != NULL ? dir : standard; }

const char *cv_path_qmp(const char *dir, unsigned domid, unsigned dmid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qmp-libxl-%u-%u", or_standard(dir, CV_RUN_DIR), domid, dmid);
    return buf;
}

const char *cv_path_qmp_xl(const char *dir, unsigned domid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qmp-libxl-%u", or_standard(dir, CV_RUN_DIR), domid);
    return buf;
}

const char *cv_path_qmp_stat(const char *dir, unsigned domid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qmp-libxenstat-%u", or_standard(dir, CV_RUN_DIR), domid);
    return buf;
}

const char *cv_path_gate(const char *dir, unsigned domid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/convoy-gate-%u", or_standard(dir, CV_RUN_DIR), domid);
    return buf;
}

const char *cv_path_monitor_lock(const char *dir, unsigned domid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/convoy-monitor-%u.lock", or_standard(dir, CV_RUN_DIR), domid);
    return buf;
}

const char *cv_path_state(const char *dir, unsigned domid, unsigned dmid, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qemu-save.%u.%u", or_standard(dir, CV_LIB_DIR), domid, dmid);
    return buf;
}

const char *cv_path_log(const char *dir, const char *dm, const char *guest, char *buf, size_t len)
{
    snprintf(buf, len, "%s/qemu-%s-%s.log", or_standard(dir, CV_LOG_DIR), dm, guest);
    return buf;
}
