/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PV devices of the model's guests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_host_internal.h"

/* Like libxl: a call for each device, any of which may fail; those before it are taken down again. */
int fake_devices_add(struct cv_host *h, uint32_t domid, const char *config, struct cv_cancel *cancel,
                     struct cv_error *err)
{
    (void)cancel;
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);
    fake_contract(d->devices == NULL, "devices added twice");
    fake_contract(d->paused && !d->suspended, "devices added to a guest that runs");
    json_t *o = json_loads(config, 0, NULL);
    fake_contract(o != NULL && json_is_object(json_object_get(o, "c_info")), "no configuration in libxl's words");
    size_t n = json_array_size(json_object_get(o, "disks")) + json_array_size(json_object_get(o, "nics"));
    json_decref(o);
    for (size_t i = 0; i < n; i++)
        TRIP(h, err);
    d->devices = strdup(config);
    d->device_count = (unsigned)n;
    return 0;
}

int fake_devices_now(struct cv_host *h, uint32_t domid, char **config_out, struct cv_error *err)
{
    TRIP(h, err);
    *config_out = NULL;
    struct fake_domain *d = fake_domain_of(h, domid);
    if (d->devices != NULL && asprintf(config_out, "%s\n", d->devices) < 0) /* as libxl does */
        abort();
    return 0;
}

int fake_devices_list(struct cv_host *h, uint32_t domid, char **list_out, struct cv_error *err)
{
    TRIP(h, err);
    *list_out = calloc(1, 16);
    snprintf(*list_out, 16, "%u", fake_domain_of(h, domid)->device_count);
    return 0;
}

int fake_devices_settle(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_error *err)
{
    /* As the real one: it looks at back ends.  Somebody may have let the guest go on, or ended it, meanwhile. */
    (void)domid, (void)deadline_ms;
    TRIP(h, err);
    return 0;
}
