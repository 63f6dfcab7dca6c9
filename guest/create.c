/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new guest, step by step; each step says what takes it back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/phases.h"
#include "guest/adopt.h"
#include "guest/devices.h"
#include "guest/guest.h"
#include "guest/sweep.h"
#include "layout/spec.h"

#define CONFIG_FILE_MAX CV_GUEST_CONFIG_MAX

struct create {
    struct cv_guest *g;
    const char *path; /* the configuration, or NULL: as old was */
    const struct cv_guest *old;
    enum cv_gate_verb verb;
    const struct cv_create_options *opt;
};

static int examine(struct cv_guest *g, size_t len, const char *path, struct cv_guest_config *config,
                   struct cv_findings *found, struct cv_error *err)
{
    struct cv_findings own = { 0 };

    if (found != NULL)
        return cv_guest_config_examine(g->config_text, len, path, config, found, err);
    int rc = cv_guest_config_examine(g->config_text, len, path, config, &own, err);
    if (cv_findings_tell(&own, g->sink, rc < 0 ? err : NULL) < 0)
        rc = -1;
    cv_findings_dispose(&own);
    return rc;
}

/* Will Xen give a new guest pirqs (layout/interrupts.h)? */
static int has_pirqs(struct cv_host *host, const struct cv_guest_config *c, bool *out, struct cv_error *err)
{
    struct cv_host_facts f;

    *out = true; /* where there is no Xen to ask: what is right on each */
    if (host == NULL)
        return 0;
    if (host->ops->facts(host, &f, err) < 0)
        return -1;
    *out = c->hvm_pirq || cv_host_gives_pirqs(&f);
    return 0;
}

int cv_guest_plan(struct cv_guest *g, const char *config_path, struct cv_findings *found, struct cv_error *err)
{
    struct cv_guest_config config;
    struct cv_layout_host host;
    size_t len;

    if (cv_file_read(config_path, CONFIG_FILE_MAX, &g->config_text, &len, err) < 0)
        return -1;
    if (examine(g, len, config_path, &config, found, err) < 0)
        return -1;
    cv_layout_host_probe(&host);
    int rc = has_pirqs(g->host, &config, &host.pirqs, err);
    if (rc == 0)
        rc = cv_layout_decide(&config, &host, &g->layout, err);
    if (rc == 0) {
        g->has_layout = true;
        cv_spec_from_config(&g->spec, &config, &g->layout);
        if (g->host != NULL)
            rc = cv_guest_devices_plan(g, &config, err) < 0 ? -1 : cv_guest_check_boot(g, &config, err);
    }
    cv_guest_config_dispose(&config);
    return rc;
}

/* What the emulators brought along is found again when they have started: other versions may have other ROMs. */
static void forget_survey(struct cv_layout *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct cv_layout_dm *dm = &l->dms[i];
        unsigned kept = 0;

        dm->version = "";
        dm->region_count = 0;
        dm->pid = 0;
        for (unsigned k = 0; k < dm->device_count; k++)
            if (dm->devices[k].kind != CV_DEV_FOREIGN)
                dm->devices[kept++] = dm->devices[k];
        dm->device_count = kept;
    }
}

static int plan_again(struct cv_guest *g, const struct cv_guest *old, struct cv_error *err)
{
    CV_AUTO_FREE char *layout = NULL;

    g->spec = old->spec;
    if (!g->spec.pvh)
        g->spec.emulation_flags = 0; /* the best that this Xen takes, */
    g->spec.max_pages = 0;           /* and what the layout needs: old may have come from elsewhere */
    g->config_text = strdup(old->config_text);
    if (g->config_text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the configuration");
    if (cv_layout_encode(&old->layout, &layout, err) < 0 ||
        cv_layout_decode(layout, strlen(layout), &g->layout, err) < 0)
        return -1;
    g->has_layout = true;
    forget_survey(&g->layout);
    if (g->spec.pvh && cv_guest_devices_again(g, old->devices, err) < 0)
        return -1;
    if (!g->spec.pvh && old->devices != NULL && (g->devices = strdup(old->devices)) == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the devices");
    return cv_guest_check_boot(g, NULL, err);
}

static int plan_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;

    (void)deadline_ms;
    if (c->path != NULL ? cv_guest_plan(c->g, c->path, NULL, err) < 0 : plan_again(c->g, c->old, err) < 0)
        return -1;
    /* The journals first: where a migration has left the domain of this name, they say what to do. */
    if (cv_guest_may_run(c->g, c->verb, err) < 0 || cv_guest_check_unique(c->g, err) < 0)
        return -1;
    return cv_guest_check_host(c->g, err);
}

static int domain_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_guest *g = ((struct create *)op)->g;

    (void)deadline_ms;
    return g->host->ops->create(g->host, &g->spec, &g->domid, err);
}

static int domain_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_guest *g = ((struct create *)op)->g;

    (void)deadline_ms;
    if (g->domid == 0)
        return 0;
    int rc = g->host->ops->destroy(g->host, g->domid, err);
    g->domid = 0;
    return rc;
}

static int build_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_guest *g = ((struct create *)op)->g;

    (void)deadline_ms;
    return g->host->ops->build(g->host, g->domid, &g->spec, err);
}

static int emulators_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;

    if (cv_guest_start_emulators(c->g, CV_SPAWN_CREATE, deadline_ms, c->opt->cancel, err) < 0)
        return -1;
    if (cv_guest_digest_roms(c->g, err) == 0)
        return 0;
    struct cv_error e = CV_ERROR_INIT;
    if (cv_guest_kill_emulators(c->g, &e) < 0)
        cv_log(c->g->sink, CV_LOG_WARN, "%s", e.text);
    return -1;
}

static int emulators_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    (void)deadline_ms;
    return cv_guest_kill_emulators(((struct create *)op)->g, err);
}

/* Undone with the domain: its tree is removed as a whole. */
static int nodes_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;

    if (cv_guest_nodes_write(c->g, err) < 0)
        return -1;
    return cv_guest_consoles_write(c->g, deadline_ms, c->opt->cancel, err);
}

/* Undone with the domain, too. */
static int devices_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;

    (void)deadline_ms;
    return cv_guest_devices_add(c->g, c->opt->cancel, err);
}

static int make_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;
    struct cv_guest *g = c->g;

    (void)deadline_ms;
    return g->host->ops->make(g->host, &g->spec, g->devices, c->opt->cancel, &g->domid, err);
}

/* Nobody may have taken hold of its QEMU yet. */
static int make_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_guest *g = ((struct create *)op)->g;

    if (g->domid != 0 && cv_guest_sweep(g->host, g->domid, err) < 0)
        return -1;
    return domain_undo(op, deadline_ms, err);
}

static int take_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;

    return cv_guest_take_qemu(c->g, deadline_ms, c->opt->cancel, err);
}

static int run_run(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct create *c = op;
    struct cv_emu_wait wait = { .deadline_ms = deadline_ms, .cancel = c->opt->cancel };

    /* Again: it has taken its time, and a migration may have begun, or somebody else have made this guest. */
    if (cv_guest_may_run(c->g, c->verb, err) < 0 || cv_emuset_cont(&c->g->set, &wait, NULL, err) < 0)
        return -1;
    if (!c->opt->paused && c->g->host->ops->unpause(c->g->host, c->g->domid, err) < 0)
        return -1;
    cv_emuset_disconnect(&c->g->set);
    return 0;
}

/* What it is to be decides how it is made. */
static const struct cv_step first[] = { { "plan", plan_run, NULL, CV_NEVER, false } };

static const struct cv_step of_hvm[] = {
    { "domain", domain_run, domain_undo, CV_NEVER, false },
    { "build", build_run, NULL, CV_NEVER, false },
    { "emulators", emulators_run, emulators_undo, 60 * 1000, false },
    { "nodes", nodes_run, NULL, 20 * 1000, false },
    { "devices", devices_run, NULL, CV_NEVER, false },
    { "run", run_run, NULL, 20 * 1000, true },
};

/* A PVH guest is made as a whole, with its devices and the QEMU of its qdisks (host/host.h). */
static const struct cv_step of_pvh[] = {
    { "domain", make_run, make_undo, CV_NEVER, false },
    { "emulators", take_run, emulators_undo, 60 * 1000, false },
    { "nodes", nodes_run, NULL, 20 * 1000, false },
    { "run", run_run, NULL, 20 * 1000, true },
};

#define COUNT(steps) ((int)(sizeof(steps) / sizeof(steps)[0]))

static int create(struct create *c, struct cv_error *err)
{
    struct cv_phases p = { .steps = first, .count = COUNT(first), .sink = c->g->sink, .cancel = c->opt->cancel };
    int rc = cv_phases_run(&p, c, err);

    if (rc == 0) {
        bool pvh = c->g->spec.pvh;
        p.steps = pvh ? of_pvh : of_hvm;
        p.count = pvh ? COUNT(of_pvh) : COUNT(of_hvm);
        rc = cv_phases_run(&p, c, err);
    }
    if (rc == 0)
        return 0;
    cv_guest_dispose(c->g);
    return cv_context(err, "create");
}

int cv_guest_create(struct cv_guest *g, struct cv_host *host, const char *config_path,
                    const struct cv_create_options *opt, struct cv_sink *sink, struct cv_error *err)
{
    *g = (struct cv_guest){ .host = host, .sink = sink };
    struct create c = { .g = g, .path = config_path, .verb = CV_GATE_NEW, .opt = opt };

    return create(&c, err);
}

int cv_guest_create_again(struct cv_guest *g, const struct cv_guest *old, const struct cv_create_options *opt,
                          struct cv_error *err)
{
    *g = (struct cv_guest){ .host = old->host, .sink = old->sink };
    struct create c = { .g = g, .old = old, .verb = CV_GATE_RESTART, .opt = opt };

    return create(&c, err);
}
