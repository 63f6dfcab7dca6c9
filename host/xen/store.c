/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenstore, in the shape of the port. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "host/xen/xen.h"

int xen_xs_read(struct cv_host *h, const char *path, char **value_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    unsigned int len;
    char *value = xs_read(x->xs, XBT_NULL, path, &len);

    if (value == NULL && errno != ENOENT)
        return xen_fail(x, err, "xenstore: read %s", path);
    *value_out = value;
    return 0;
}

int xen_xs_write(struct cv_host *h, const char *path, const char *value, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (!xs_write(x->xs, XBT_NULL, path, value, (unsigned)strlen(value)))
        return xen_fail(x, err, "xenstore: write %s", path);
    return 0;
}

int xen_xs_remove(struct cv_host *h, const char *path, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    if (!xs_rm(x->xs, XBT_NULL, path) && errno != ENOENT)
        return xen_fail(x, err, "xenstore: remove %s", path);
    return 0;
}

/* xenstored says "removed" of a node that was not there, too: only a transaction tells who was first. */
int xen_xs_take(struct cv_host *h, const char *path, char **value_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);

    for (;;) {
        unsigned int len;
        xs_transaction_t t = xs_transaction_start(x->xs);
        if (t == XBT_NULL)
            return xen_fail(x, err, "xenstore: begin a transaction for %s", path);
        CV_AUTO_FREE char *value = xs_read(x->xs, t, path, &len);
        bool there = value != NULL, broken = (!there && errno != ENOENT) || (there && !xs_rm(x->xs, t, path));
        if (broken) {
            xen_fail(x, err, "xenstore: take %s", path);
            xs_transaction_end(x->xs, t, true);
            return -1;
        }
        if (xs_transaction_end(x->xs, t, !there)) {
            *value_out = value;
            value = NULL;
            return 0;
        }
        if (errno != EAGAIN)
            return xen_fail(x, err, "xenstore: take %s", path);
    }
}

int xen_xs_list(struct cv_host *h, const char *path, struct cv_buf *names, size_t *count, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    unsigned int n = 0;
    char **dir = xs_directory(x->xs, XBT_NULL, path, &n);

    if (dir == NULL && errno != ENOENT)
        return xen_fail(x, err, "xenstore: list %s", path);
    int rc = 0;
    for (unsigned int i = 0; dir != NULL && i < n && rc == 0; i++)
        rc = cv_buf_append(names, dir[i], strlen(dir[i]) + 1, err);
    free(dir);
    *count = dir != NULL ? n : 0;
    return rc;
}

int xen_xs_printf(struct xen_host *x, xs_transaction_t t, struct cv_error *err, const char *path, const char *fmt, ...)
{
    char value[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof value)
        return cv_fail(err, CV_E_INTERNAL, 0, "xenstore: value for %s is too long", path);
    if (!xs_write(x->xs, t, path, value, (unsigned)n))
        return xen_fail(x, err, "xenstore: write %s", path);
    return 0;
}
