/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

const struct cv_host_dirs cv_host_dirs_usual = { 0 };

bool cv_host_gives_pirqs(const struct cv_host_facts *f)
{
    return f->version_major < 4 || (f->version_major == 4 && f->version_minor < 19);
}
