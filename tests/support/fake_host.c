/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/fake_host_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void fake_contract(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fake host: contract broken: %s\n", what);
    abort();
}

/* Destroyed behind convoy's back.  What does not ask for a domain by its number goes on working. */
static bool vanished(struct fake_host *f, const char *name)
{
    static const char *const others[] = { "fake_info", "fake_find",  "fake_list", "fake_peek",   "fake_facts",
                                          "fake_xs",   "fake_watch", "fake_tap",  "fake_bridge", "fake_processes" };

    if (f->vanish_at == 0 || f->calls < f->vanish_at || f->dom[1] == NULL)
        return false;
    f->dom[1]->exists = false;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

int fake_trip(struct fake_host *f, const char *name, struct cv_error *err)
{
    pthread_mutex_lock(&f->lock);
    f->calls++;
    if (vanished(f, name)) {
        pthread_mutex_unlock(&f->lock);
        return cv_fail(err, CV_E_HYPERVISOR, ESRCH, "%s: there is no such domain", name);
    }
    bool fail = f->fail_at != 0 && f->calls >= f->fail_at && f->calls <= f->fail_at + f->fail_next_too;
    if (fail && f->calls == f->fail_at)
        f->failed_in = name;
    pthread_mutex_unlock(&f->lock);
    return fail ? cv_fail(err, CV_E_HYPERVISOR, EIO, "injected fault in %s", name) : 0;
}

struct fake_domain *fake_domain_of(struct cv_host *h, uint32_t domid)
{
    struct fake_domain *d = domid < 8 ? fake(h)->dom[domid] : NULL;
    fake_contract(d != NULL && d->exists, "a call on a domain that does not exist");
    return d;
}

static void forget_devices(struct fake_domain *d)
{
    free(d->devices);
    d->devices = NULL;
    d->device_count = 0;
}

static void fake_close(struct cv_host *h) { (void)h; }

static int fake_facts(struct cv_host *h, struct cv_host_facts *out, struct cv_error *err)
{
    TRIP(h, err);
    *out = (struct cv_host_facts){ .hypervisor = "Model 1.0",
                                   .version_major = 1,
                                   .version_minor = fake(h)->xen_minor,
                                   .capabilities = "model",
                                   .hostname = "model",
                                   .free_pages = 1 << 20,
                                   .total_pages = 1 << 21,
                                   .cpus = 2 };
    return 0;
}

static void fill(const struct fake_domain *d, struct cv_domain_info *out)
{
    *out = (struct cv_domain_info){ .domid = d->domid,
                                    .hvm = !d->pv,
                                    .paused = d->paused,
                                    .shutdown = d->suspended || d->ended,
                                    .shutdown_reason = d->ended       ? d->end_reason
                                                       : d->suspended ? CV_SHUTDOWN_SUSPEND
                                                                      : 0,
                                    .cpu_time_ns = d->cpu_time_ns,
                                    .vcpus = 1,
                                    .vcpus_online = 1,
                                    .max_pages = d->max_pages };
    snprintf(out->name, sizeof out->name, "%s", d->spec.name);
    memcpy(out->uuid, d->spec.uuid, sizeof out->uuid);
    for (unsigned i = 0; i < FAKE_PFNS; i++)
        out->pages += d->there[i];
}

static int fake_info(struct cv_host *h, uint32_t domid, struct cv_domain_info *out, struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = domid < 8 ? fake(h)->dom[domid] : NULL;
    if (d == NULL || !d->exists)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no domain %u", domid);
    fill(d, out);
    return 0;
}

static int fake_find(struct cv_host *h, const char *who, struct cv_domain_info *out, struct cv_error *err)
{
    TRIP(h, err);
    for (unsigned i = 1; i < 8; i++) {
        struct fake_domain *d = fake(h)->dom[i];
        if (d != NULL && d->exists && strcmp(d->spec.name, who) == 0) {
            fill(d, out);
            return 0;
        }
    }
    unsigned domid = (unsigned)atoi(who); /* a name wins over a number */
    if (domid < 8 && fake(h)->dom[domid] != NULL && fake(h)->dom[domid]->exists) {
        fill(fake(h)->dom[domid], out);
        return 0;
    }
    return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no domain '%s'", who);
}

static int fake_list(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user,
                     struct cv_error *err)
{
    TRIP(h, err);
    for (unsigned i = 1; i < 8; i++) {
        struct cv_domain_info info;
        if (fake(h)->dom[i] == NULL || !fake(h)->dom[i]->exists)
            continue;
        fill(fake(h)->dom[i], &info);
        if (each(user, &info) != 0)
            break;
    }
    return 0;
}

static int fake_peek(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user,
                     struct cv_error *err)
{
    TRIP(h, err);
    for (unsigned i = 1; i < 8; i++) {
        struct cv_domain_info info;
        if (fake(h)->dom[i] == NULL || !fake(h)->dom[i]->exists)
            continue;
        fill(fake(h)->dom[i], &info);
        info.name[0] = '\0';
        if (each(user, &info) != 0)
            break;
    }
    return 0;
}

/* The nodes that toolstacks change while the guest runs, as host/xen/skeleton.c makes them. */
static void put_skeleton(struct fake_host *f, const struct fake_domain *d)
{
    char path[80], value[32];

    for (uint32_t i = 0; i < d->spec.vcpus; i++) {
        snprintf(path, sizeof path, "/local/domain/%u/cpu/%u/availability", d->domid, i);
        json_object_set_new(f->store, path, json_string(cv_spec_vcpu_online(&d->spec, i) ? "online" : "offline"));
    }
    snprintf(path, sizeof path, "/local/domain/%u/memory/target", d->domid);
    snprintf(value, sizeof value, "%llu", (unsigned long long)(d->spec.target_kib - d->spec.video_kib));
    json_object_set_new(f->store, path, json_string(value));
    snprintf(path, sizeof path, "/local/domain/%u/memory/static-max", d->domid);
    snprintf(value, sizeof value, "%llu", (unsigned long long)d->spec.max_kib);
    json_object_set_new(f->store, path, json_string(value));
}

static int fake_create(struct cv_host *h, struct cv_domain_spec *spec, uint32_t *domid_out, struct cv_error *err)
{
    TRIP(h, err);
    for (unsigned i = 1; i < 8; i++) {
        struct fake_domain *d = fake(h)->dom[i];
        if (d != NULL && d->exists)
            continue;
        if (d != NULL)
            forget_devices(d);
        free(d);
        d = fake(h)->dom[i] = calloc(1, sizeof *d);
        d->exists = d->paused = true;
        d->domid = i;
        d->spec = *spec;
        d->max_pages = FAKE_PFNS + 64;
        put_skeleton(fake(h), d);
        char path[64];
        snprintf(path, sizeof path, "/local/domain/%u/name", i);
        json_object_set_new(fake(h)->store, path, json_string(spec->name));
        *domid_out = i;
        return 0;
    }
    return cv_fail(err, CV_E_NOMEM, 0, "the model holds 7 domains");
}

static int fake_build(struct cv_host *h, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err)
{
    (void)spec;
    TRIP(h, err);
    fake_domain_of(h, domid)->introduced = true;
    return 0;
}

static int fake_introduce(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err)
{
    (void)state;
    TRIP(h, err);
    fake_contract(fake_domain_of(h, domid)->has_state, "introduced before its state was set");
    fake_domain_of(h, domid)->introduced = true;
    return 0;
}

static void forget_domain(struct cv_host *h, uint32_t domid)
{
    char trees[3][64];
    const char *key;
    json_t *value;
    void *tmp;

    forget_devices(fake_domain_of(h, domid));
    fake_domain_of(h, domid)->exists = false;
    snprintf(trees[0], sizeof trees[0], "/local/domain/%u/", domid);
    snprintf(trees[1], sizeof trees[1], "/local/domain/0/dms/%u/", domid);
    snprintf(trees[2], sizeof trees[2], "/local/domain/0/device-model/%u/", domid);
    json_object_foreach_safe(fake(h)->store, tmp, key, value) for (size_t i = 0; i < 3; i++)
    {
        if (strncmp(key, trees[i], strlen(trees[i])) == 0) {
            json_object_del(fake(h)->store, key);
            break;
        }
    }
}

static int fake_destroy(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    TRIP(h, err);
    forget_domain(h, domid);
    return 0;
}

static int fake_make(struct cv_host *h, const struct cv_domain_spec *spec, const char *config, struct cv_cancel *cancel,
                     uint32_t *domid_out, struct cv_error *err)
{
    struct cv_domain_spec s = *spec;
    uint32_t domid;

    fake_contract(spec->pvh, "libxl makes PVH guests only");
    if (fake_create(h, &s, &domid, err) < 0)
        return -1;
    if (fake_devices_add(h, domid, config, cancel, err) < 0) {
        forget_domain(h, domid);
        return -1;
    }
    fake_domain_of(h, domid)->introduced = true;
    *domid_out = domid;
    return 0;
}

static int fake_rename(struct cv_host *h, uint32_t domid, const char *name, struct cv_error *err)
{
    TRIP(h, err);
    snprintf(fake_domain_of(h, domid)->spec.name, CV_NAME_MAX, "%s", name);
    return 0;
}

static int fake_set_max_pages(struct cv_host *h, uint32_t domid, uint64_t pages, struct cv_error *err)
{
    TRIP(h, err);
    fake_domain_of(h, domid)->max_pages = pages;
    return 0;
}

static int fake_pause(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);
    d->held += d->paused;
    d->paused = true;
    return 0;
}

/* Xen counts what a vcpu has used: of one that has never run it is 0, of one that stands still it does not grow. */
static void runs_now(struct fake_domain *d)
{
    if (!d->paused && !d->suspended && !d->ended)
        d->cpu_time_ns += 1000000;
}

static int fake_unpause(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(fake_domain_of(h, domid)->introduced, "unpaused before it was introduced");
    if (!fake_domain_of(h, domid)->paused) /* as Xen */
        return cv_fail(err, CV_E_HYPERVISOR, EINVAL, "cannot unpause domain %u", domid);
    struct fake_domain *d = fake_domain_of(h, domid);
    if (d->held > 0) {
        d->held--;
        return 0;
    }
    d->paused = false;
    runs_now(d);
    return 0;
}

static int fake_shutdown(struct cv_host *h, uint32_t domid, int reason, struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);
    d->end_reason = reason;
    d->ending = d->waits_for_dead || d->waits_for_silent; /* as Xen: it is put off */
    d->ended = !d->ending;
    return 0;
}

static int fake_release_orphans(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);
    d->waits_for_dead = false;
    d->released = true;
    if (d->ending && !d->waits_for_silent) {
        d->ending = false;
        d->ended = true;
    }
    if (count_out != NULL)
        *count_out = 1;
    return 0;
}

static int fake_sched_cap(struct cv_host *h, uint32_t domid, unsigned percent, unsigned *before_out,
                          struct cv_error *err)
{
    TRIP(h, err);
    if (before_out != NULL)
        *before_out = fake_domain_of(h, domid)->cap;
    fake_domain_of(h, domid)->cap = percent;
    return 0;
}

static int fake_check_saveable(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    TRIP(h, err);
    if (fake_domain_of(h, domid)->pod_missing > 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "model: memory that was never populated");
    return 0;
}

static int fake_event_msis(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err)
{
    TRIP(h, err);
    *count_out = fake_domain_of(h, domid)->event_msis;
    return 0;
}

static int fake_suspend(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_cancel *cancel,
                        struct cv_error *err)
{
    (void)deadline_ms, (void)cancel;
    TRIP(h, err);
    fake_contract(!fake_domain_of(h, domid)->suspended, "suspended twice");
    if (fake(h)->suspends_late)
        return cv_fail(err, CV_E_TIMEOUT, 0, "the guest did not suspend in time");
    fake_domain_of(h, domid)->suspended = true;
    fake_domain_of(h, domid)->device_count += fake(h)->attaches;
    return 0;
}

static int fake_resume(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    TRIP(h, err);
    fake_domain_of(h, domid)->suspended = false;
    runs_now(fake_domain_of(h, domid));
    return 0;
}

static int fake_get_cpu_policy(struct cv_host *h, uint32_t domid, struct cv_cpu_policy *out, struct cv_error *err)
{
    TRIP(h, err);
    (void)fake_domain_of(h, domid);
    *out = (struct cv_cpu_policy){
        .leaves = calloc(2, sizeof *out->leaves), .leaf_count = 2, .msrs = calloc(1, sizeof *out->msrs), .msr_count = 1
    };
    out->leaves[0] = (struct cv_policy_leaf){ 0, UINT32_MAX, 1, 2, 3, 4 };
    out->leaves[1] = (struct cv_policy_leaf){ 1, UINT32_MAX, 5, 6, 7, 8 };
    out->msrs[0] = (struct cv_policy_msr){ 0xce, 0, 42 };
    return 0;
}

static int fake_set_cpu_policy(struct cv_host *h, uint32_t domid, const struct cv_cpu_policy *p, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(p->leaf_count == 2 && p->msrs[0].value == 42, "another CPU policy than was saved");
    fake_domain_of(h, domid)->has_policy = true;
    return 0;
}

static int fake_check_cpu_policy(struct cv_host *h, const struct cv_cpu_policy *policy, struct cv_error *err)
{
    (void)policy;
    TRIP(h, err);
    return 0;
}

static int fake_get_state(struct cv_host *h, uint32_t domid, struct cv_guest_state *out, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(fake_domain_of(h, domid)->suspended, "state read from a guest that runs");
    *out = (struct cv_guest_state){
        .tsc = { 2, 1000, 3, 4 },
        .params = { { 1, 0xfeff }, { 17, 0xfefe }, { CV_PARAM_GENID_ADDRESS, fake_domain_of(h, domid)->genid_at } },
        .param_count = 3
    };
    return cv_buf_append(&out->hvm_context, "0123456789abcdef", 16, err);
}

static int fake_set_state(struct cv_host *h, uint32_t domid, const struct cv_guest_state *s, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(s->param_count == 3 && s->hvm_context.len == 16 && s->tsc.khz == 1000,
                  "another state than was saved");
    fake_domain_of(h, domid)->has_state = true;
    fake_domain_of(h, domid)->genid_at = s->params[2].value;
    return 0;
}

static int fake_watch_fd(struct cv_host *h, int *fd_out, struct cv_error *err)
{
    TRIP(h, err);
    *fd_out = fake(h)->watch_fd;
    return 0;
}

static void fake_watch_drain(struct cv_host *h)
{
    struct fake_host *f = fake(h);

    if (f->gone_at_drain == 0 || --f->gone_at_drain != 0)
        return;
    for (unsigned i = 0; i < 8; i++)
        if (f->dom[i] != NULL)
            f->dom[i]->exists = false;
}

static int fake_dump(struct cv_host *h, uint32_t domid, const char *path, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(fake_domain_of(h, domid)->ended, "dumped while it runs");
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return cv_fail(err, CV_E_IO, errno, "%s", path);
    fclose(f);
    fake(h)->dumps++;
    return 0;
}

static int fake_watch_path(struct cv_host *h, const char *path, struct cv_error *err)
{
    (void)path;
    TRIP(h, err);
    return 0;
}

static const struct cv_host_ops fake_ops = {
    .name = "model",
    .close = fake_close,
    .facts = fake_facts,
    .find = fake_find,
    .info = fake_info,
    .list = fake_list,
    .peek = fake_peek,
    .create = fake_create,
    .build = fake_build,
    .introduce = fake_introduce,
    .destroy = fake_destroy,
    .set_max_pages = fake_set_max_pages,
    .rename = fake_rename,
    .pause = fake_pause,
    .unpause = fake_unpause,
    .shutdown = fake_shutdown,
    .release_orphans = fake_release_orphans,
    .dump = fake_dump,
    .sched_cap = fake_sched_cap,
    .make = fake_make,
    .devices_add = fake_devices_add,
    .devices_now = fake_devices_now,
    .devices_list = fake_devices_list,
    .devices_settle = fake_devices_settle,
    .check_saveable = fake_check_saveable,
    .event_msis = fake_event_msis,
    .suspend = fake_suspend,
    .resume = fake_resume,
    .pfn_count = fake_pfn_count,
    .populated = fake_populated,
    .dirty_log = fake_dirty_log,
    .dirty_take = fake_dirty_take,
    .page_source = fake_page_source,
    .page_source_free = fake_page_source_free,
    .page_sink = fake_page_sink,
    .write_memory = fake_write_memory,
    .page_sink_free = fake_page_sink_free,
    .get_cpu_policy = fake_get_cpu_policy,
    .set_cpu_policy = fake_set_cpu_policy,
    .check_cpu_policy = fake_check_cpu_policy,
    .get_state = fake_get_state,
    .set_state = fake_set_state,
    .xs_read = fake_xs_read,
    .xs_write = fake_xs_write,
    .xs_remove = fake_xs_remove,
    .xs_take = fake_xs_take,
    .xs_list = fake_xs_list,
    .watch_fd = fake_watch_fd,
    .watch_drain = fake_watch_drain,
    .watch_path = fake_watch_path,
    .tap = fake_tap,
    .bridge = fake_bridge,
    .processes = fake_processes,
};

struct fake_host *fake_host_new(void)
{
    struct fake_host *f = calloc(1, sizeof *f);
    f->base.ops = &fake_ops;
    f->base.dirs = &cv_host_dirs_usual;
    f->store = json_object();
    f->watch_fd = -1;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void fake_host_free(struct fake_host *f)
{
    for (unsigned i = 0; i < 8; i++) {
        if (f->dom[i] != NULL)
            forget_devices(f->dom[i]);
        free(f->dom[i]);
    }
    json_decref(f->store);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

uint32_t fake_host_add_guest(struct fake_host *f, const char *name)
{
    struct cv_domain_spec spec = { .uuid = { 1, 2, 3 },
                                   .ram_kib = 1024,
                                   .ram_target_kib = 1024,
                                   .target_kib = 1024,
                                   .max_kib = 1024,
                                   .vcpus = 1,
                                   .vcpus_online = 1,
                                   .emulation_flags = 1 };
    uint32_t domid = 0;

    snprintf(spec.name, sizeof spec.name, "%s", name);
    if (fake_create(&f->base, &spec, &domid, NULL) < 0)
        abort();
    struct fake_domain *d = f->dom[domid];
    d->paused = false;
    d->introduced = true;
    d->cpu_time_ns = 1000000;
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        if (i % 3 != 0)
            memset(d->ram[i], (int)i, CV_PAGE_SIZE);
    }
    return domid;
}

unsigned fake_host_devices(const struct fake_host *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++)
        n += f->dom[i] != NULL && f->dom[i]->exists ? f->dom[i]->device_count : 0;
    return n;
}

unsigned fake_host_domains(const struct fake_host *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++)
        n += f->dom[i] != NULL && f->dom[i]->exists;
    return n;
}

size_t fake_host_nodes(const struct fake_host *f) { return json_object_size(f->store); }
