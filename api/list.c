/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

#include "api/internal.h"
#include "base/auto.h"
#include "guest/guest.h"

struct listing {
    struct cv_host *host;
    json_t *all;
    uint32_t only; /* one domain, 0: all */
};

/* Where a guest's emulators are written down: by convoy itself, by convoy-dm under a toolstack. */
static const char *const places[][2] = { { "dms", "" }, { "device-model", "/convoy" } };

static char *node(struct cv_host *h, const char *const place[2], uint32_t domid, unsigned dmid, const char *leaf)
{
    char path[128], *value = NULL;

    snprintf(path, sizeof path, "/local/domain/0/%s/%u%s/%u/%s", place[0], domid, place[1], dmid, leaf);
    return h->ops->xs_read(h, path, &value, NULL) == 0 ? value : NULL;
}

/* state: how it died, if its supervisor has said so. */
static json_t *emulator(unsigned dmid, const char *name, const char *role, const char *pid, const char *state)
{
    json_t *o = json_object();
    bool gone = pid != NULL && atoi(pid) > 0 && kill(atoi(pid), 0) < 0 && errno == ESRCH;

    json_object_set_new(o, "dmid", json_integer(dmid));
    json_object_set_new(o, "name", api_json_text(name));
    json_object_set_new(o, "role", api_json_text(role ? role : ""));
    json_object_set_new(o, "pid", json_integer(pid ? atoi(pid) : 0));
    json_object_set_new(o, "state",
                        api_json_text(state != NULL && strcmp(state, "running") != 0 ? state
                                      : gone                                         ? "its process has ended"
                                                                                     : "running"));
    return o;
}

static json_t *recorded(struct cv_host *h, const char *const place[2], uint32_t domid, unsigned dmid)
{
    CV_AUTO_FREE char *name = node(h, place, domid, dmid, "name"), *role = node(h, place, domid, dmid, "role");
    CV_AUTO_FREE char *pid = node(h, place, domid, dmid, "pid"), *version = node(h, place, domid, dmid, "version");
    CV_AUTO_FREE char *model = node(h, place, domid, dmid, "model"), *state = node(h, place, domid, dmid, "state");

    if (name == NULL)
        return NULL;
    json_t *o = emulator(dmid, name, role, pid, state);
    json_object_set_new(o, "version", api_json_text(version ? version : ""));
    json_object_set_new(o, "model", api_json_text(model ? model : ""));
    return o;
}

static json_t *emulators_of(struct cv_host *h, uint32_t domid)
{
    json_t *list = json_array(), *o;

    for (size_t k = 0; k < sizeof places / sizeof places[0] && json_array_size(list) == 0; k++)
        for (unsigned i = 0; i < CV_DM_MAX && (o = recorded(h, places[k], domid, i)) != NULL; i++)
            json_array_append_new(list, o);
    return list;
}

/* Of a guest that xl or libvirt made: libxl's QEMU.  NULL if there is none. */
static json_t *libxl_emulator(struct cv_host *h, uint32_t domid)
{
    CV_AUTO_FREE char *pid = NULL;
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u/image/device-model-pid", domid);
    if (h->ops->xs_read(h, path, &pid, NULL) < 0 || pid == NULL)
        return NULL;
    json_t *o = emulator(0, "libxl", "default", pid, NULL);
    json_object_set_new(o, "version", json_string(""));
    json_object_set_new(o, "model", json_string(""));
    return o;
}

static const char *state_of(const struct cv_domain_info *d)
{
    if (d->dying)
        return "dying";
    if (d->shutdown)
        return d->shutdown_reason == CV_SHUTDOWN_SUSPEND ? "suspended"
               : d->shutdown_reason == CV_SHUTDOWN_CRASH ? "crashed"
                                                         : "shutdown";
    return d->paused ? "paused" : "running";
}

static int add_domain(void *user, const struct cv_domain_info *d)
{
    struct listing *l = user;
    char uuid[37];

    if (l->only != 0 && l->only != d->domid)
        return 0;
    bool ours = cv_guest_is_ours(l->host, d->domid);
    json_t *emus = emulators_of(l->host, d->domid), *o = json_object();
    if (!ours && json_array_size(emus) == 0)
        json_array_append_new(emus, libxl_emulator(l->host, d->domid));
    uuid_unparse_lower(d->uuid, uuid);
    json_object_set_new(o, "name", api_json_text(d->name));
    json_object_set_new(o, "domid", json_integer(d->domid));
    json_object_set_new(o, "uuid", json_string(uuid));
    json_object_set_new(o, "memory_kib", json_integer((json_int_t)d->pages * 4));
    json_object_set_new(o, "vcpus", json_integer(d->vcpus));
    json_object_set_new(o, "state", json_string(state_of(d)));
    json_object_set_new(o, "cpu_seconds", json_real((double)d->cpu_time_ns / 1e9));
    json_object_set_new(o, "made_by", json_string(ours ? "convoy" : "libxl"));
    json_object_set_new(o, "emulators", emus);
    json_array_append_new(l->all, o);
    return 0;
}

int convoy_list(convoy_host *h, const char *who, char **json_out, convoy_error *err)
{
    struct listing l = { .host = h->host };
    struct cv_error e = CV_ERROR_INIT;
    struct cv_domain_info d;

    if (who != NULL && h->host->ops->find(h->host, who, &d, &e) < 0)
        return api_fail(&e, err);
    l.only = who != NULL ? d.domid : 0;
    l.all = json_array();
    if (h->host->ops->list(h->host, add_domain, &l, &e) < 0) {
        json_decref(l.all);
        return api_fail(&e, err);
    }
    char *text = api_json_dump(l.all);
    if (text == NULL) {
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a list of guests");
        return api_fail(&e, err);
    }
    *json_out = text;
    return 0;
}
