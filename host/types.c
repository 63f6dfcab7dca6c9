/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

const struct cv_host_dirs cv_host_dirs_usual = { 0 };

int cv_host_tap(void *host, const char *ifname, const char *bridge, struct cv_error *err)
{
    struct cv_host *h = host;

    return h->ops->tap(h, ifname, bridge, err);
}

bool cv_host_gives_pirqs(const struct cv_host_facts *f)
{
    return f->version_major < 4 || (f->version_major == 4 && f->version_minor < 19);
}
