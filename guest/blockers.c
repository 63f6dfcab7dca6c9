/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/blockers.h"

#include <string.h>

/* 0: nothing in the way, or all of it added already.  -1: err is what is in the way. */
typedef int check_fn(struct cv_blockers *b, struct cv_error *err);

static int check_domain(struct cv_blockers *b, struct cv_error *err)
{
    return b->g->host->ops->info(b->g->host, b->g->domid, &b->info, err);
}

static int check_hypervisor(struct cv_blockers *b, struct cv_error *err)
{
    return b->g->host->ops->check_saveable(b->g->host, b->g->domid, err);
}

static int check_nomigrate(struct cv_blockers *b, struct cv_error *err)
{
    if (!b->g->spec.nomigrate)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest's configuration says nomigrate = 1");
}

static int check_paused(struct cv_blockers *b, struct cv_error *err)
{
    if (!b->info.paused)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "domain %u '%s' is paused and cannot suspend itself", b->info.domid,
                   b->info.name);
}

static int check_suspended(struct cv_blockers *b, struct cv_error *err)
{
    if (!b->info.shutdown || b->info.shutdown_reason != CV_SHUTDOWN_SUSPEND)
        return 0;
    return cv_fail(err, CV_E_BUSY, 0, "domain %u '%s' is suspended already: is another save under way?", b->info.domid,
                   b->info.name);
}

/* One finding for each emulator that failed. */
static void add_emulators(const struct cv_guest *g, struct cv_findings *found, const char *check,
                          const struct cv_emu_results *r, const char *advice)
{
    for (unsigned i = 0; i < g->layout.count; i++) {
        struct cv_error e = r->emu[i].err;
        if (r->emu[i].state == CV_EMU_DONE)
            continue;
        if (e.code == CV_OK)
            cv_fail(&e, CV_E_EMULATOR, 0, "was not asked");
        cv_context(&e, "emulator %u '%s'", i, g->layout.dms[i].name);
        cv_findings_add(found, check, &e, advice);
    }
}

static const char without_emulator[] = "a guest without one of its emulators cannot be saved: restart it";

static int check_emulators(struct cv_blockers *b, struct cv_error *err)
{
    cv_emu_status status[CV_DM_MAX];
    struct cv_emu_results r = { 0 };

    if (cv_emuset_status(&b->g->set, b->wait, status, &r, err) < 0) {
        add_emulators(b->g, b->found, "emulators", &r, without_emulator);
        return 0;
    }
    for (unsigned i = 0; i < b->g->layout.count; i++)
        if (strcmp(status[i], "running") != 0) {
            cv_fail(err, CV_E_EMULATOR, 0, "emulator %u '%s' is not running but '%s'", i, b->g->layout.dms[i].name,
                    status[i]);
            cv_findings_add(b->found, "emulators", err, "convoy unpause lets it go on");
        }
    return 0;
}

static int check_devices(struct cv_blockers *b, struct cv_error *err)
{
    struct cv_emu_results r = { 0 };

    if (cv_emuset_check_migratable(&b->g->set, b->wait, &r, err) < 0)
        add_emulators(b->g, b->found, "devices", &r, "give the guest another device in its place");
    return 0;
}

/* What the guest is now comes into its layout and facts, too: what is saved is that. */
static int check_changes(struct cv_blockers *b, struct cv_error *err) { return cv_guest_look(b->g, b->wait, err); }

/* In order.  needs: the check before it that has to have found nothing, as this one would only say the same again. */
static const struct {
    const char *name;
    check_fn *run;
    const char *needs, *advice;
} checks[] = {
    { "domain", check_domain, NULL, NULL },
    { "hypervisor", check_hypervisor, "domain", NULL },
    { "nomigrate", check_nomigrate, NULL, "start it anew with nomigrate = 0" },
    { "paused", check_paused, "domain", "unpause it first" },
    { "suspended", check_suspended, "domain", "convoy recover settles a migration; convoy unpause lets it go on" },
    { "emulators", check_emulators, NULL, NULL },
    { "devices", check_devices, "emulators", NULL },
    { "changes", check_changes, "emulators", NULL },
};

static bool found_by(const struct cv_findings *f, const char *check)
{
    for (size_t i = 0; check != NULL && i < f->count; i++)
        if (f->items[i].code != CV_OK && strcmp(f->items[i].check, check) == 0)
            return true;
    return false;
}

void cv_guest_find_blockers(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_findings *found)
{
    struct cv_blockers b = { .g = g, .wait = w, .found = found };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct cv_error err = CV_ERROR_INIT;
        if (!found_by(found, checks[i].name) && !found_by(found, checks[i].needs) && checks[i].run(&b, &err) < 0)
            cv_findings_add(found, checks[i].name, &err, checks[i].advice);
    }
}

int cv_guest_refuse_blocked(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_findings found = { 0 };

    cv_guest_find_blockers(g, w, &found);
    int rc = cv_findings_tell(&found, g->sink, err);
    cv_findings_dispose(&found);
    return rc;
}

void cv_guest_check(struct cv_host *host, const char *who, const struct cv_emu_wait *w, struct cv_sink *sink,
                    struct cv_guest *g, struct cv_findings *found)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results r = { 0 };

    size_t before = found->count;
    if (cv_guest_open_to_check(g, host, who, sink, found, &err) < 0) {
        if (found->count == before)
            cv_findings_add(found, "domain", &err, NULL);
        return;
    }
    if (cv_emuset_connect(&g->set, w, &r, &err) < 0)
        add_emulators(g, found, "emulators", &r, without_emulator);
    cv_guest_find_blockers(g, w, found);
}
