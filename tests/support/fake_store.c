/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake host's xenstore: a path and a text for each node that was written.  As in xenstored a node goes with what is
 * below it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_host_internal.h"

int fake_xs_read(struct cv_host *h, const char *path, char **value_out, struct cv_error *err)
{
    TRIP(h, err);
    json_t *v = json_object_get(fake(h)->store, path);
    *value_out = v ? strdup(json_string_value(v)) : NULL;
    return 0;
}

int fake_xs_write(struct cv_host *h, const char *path, const char *value, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(strlen(value) <= 4096, "a xenstore value of more than 4096 bytes");
    json_object_set_new(fake(h)->store, path, json_string(value));
    return 0;
}

int fake_xs_remove(struct cv_host *h, const char *path, struct cv_error *err)
{
    size_t len = strlen(path);
    const char *key;
    json_t *v;
    void *next;

    TRIP(h, err);
    json_object_foreach_safe(fake(h)->store, next, key,
                             v) if (strncmp(key, path, len) == 0 && (key[len] == '/' || key[len] == '\0'))
        json_object_del(fake(h)->store, key);
    return 0;
}

int fake_xs_take(struct cv_host *h, const char *path, char **value_out, struct cv_error *err)
{
    TRIP(h, err);
    json_t *v = json_object_get(fake(h)->store, path);
    *value_out = v ? strdup(json_string_value(v)) : NULL;
    json_object_del(fake(h)->store, path);
    return 0;
}

int fake_xs_list(struct cv_host *h, const char *path, struct cv_buf *names, size_t *count, struct cv_error *err)
{
    size_t len = strlen(path);
    const char *key;
    json_t *v;

    TRIP(h, err);
    *count = 0;
    json_object_foreach(fake(h)->store, key, v)
    {
        char name[64];
        if (strncmp(key, path, len) != 0 || key[len] != '/')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(key + len + 1, "/"), key + len + 1);
        size_t n = strlen(name) + 1;
        if (names->len > 0 && memmem(names->data, names->len, name, n) != NULL)
            continue;
        if (cv_buf_append(names, name, n, err) < 0)
            return -1;
        ++*count;
    }
    return 0;
}
