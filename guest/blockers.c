/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/blockers.h"

#include <stdlib.h>
#include <string.h>

#include "layout/interrupts.h"

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

/* One whose interrupts would not survive, if it takes MSIs over event channels, and that it has not unplugged; NULL. */
static const struct cv_layout_device *dying_device(const struct cv_guest *g, unsigned dmid)
{
    const struct cv_layout_dm *dm = &g->layout.dms[dmid];

    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        if (cv_layout_msi_dies(dm, dev) &&
            (!cv_layout_may_unplug(dm, dev) || cv_now_has_device(&g->now, dmid, dev->id)))
            return dev;
    }
    return NULL;
}

/* The guest is Linux with PV drivers when it takes MSIs over event channels; whose they are Xen does not know. */
static int check_interrupts(struct cv_blockers *b, struct cv_error *err)
{
    const struct cv_layout_device *dev[CV_DM_MAX];
    unsigned found = 0, msis;

    for (unsigned i = 0; i < b->g->layout.count; i++)
        found += (dev[i] = dying_device(b->g, i)) != NULL;
    if (found == 0)
        return 0;
    if (b->g->host->ops->event_msis(b->g->host, b->g->domid, &msis, err) < 0)
        return -1;
    for (unsigned i = 0; msis > 0 && i < b->g->layout.count; i++) {
        struct cv_error e = CV_ERROR_INIT;
        if (dev[i] == NULL)
            continue;
        cv_fail(&e, CV_E_UNSUPPORTED, 0,
                "emulator %u '%s': %s (%s) may be dead after a restore: the guest takes MSIs of emulated devices over "
                "event channels, which no restore brings back",
                i, b->g->layout.dms[i].name, dev[i]->id, dev[i]->driver);
        if (b->force)
            cv_findings_warn(b->found, "interrupts", "%s", e.text);
        else
            cv_findings_add(b->found, "interrupts", &e,
                            "boot it with pci=nomsi, or give the device to an emulator other than the default one (msi "
                            "in convoy.cfg(5)); --force saves it as it is");
    }
    return 0;
}

/* Devices whose state a QEMU saves and loads, and which do not work afterwards, by what was seen in the lab. */
static const struct {
    const char *driver;
    int before; /* not seen with QEMUs of this major version and later ones */
    const char *what;
} known_faults[] = {
    { "e1000e", 8, "receives nothing more after a restore" },
};

static const char *fault_of(const struct cv_layout_dm *dm, const struct cv_layout_device *dev)
{
    for (size_t i = 0; i < sizeof known_faults / sizeof *known_faults; i++)
        if (strcmp(dev->driver, known_faults[i].driver) == 0 && *dm->version &&
            strtol(dm->version, NULL, 10) < known_faults[i].before)
            return known_faults[i].what;
    return NULL;
}

/* One that the guest has unplugged is none of its devices any more. */
static int check_faults(struct cv_blockers *b, struct cv_error *err)
{
    (void)err;
    for (unsigned i = 0; i < b->g->layout.count; i++) {
        const struct cv_layout_dm *dm = &b->g->layout.dms[i];
        for (unsigned k = 0; k < dm->device_count; k++) {
            const struct cv_layout_device *dev = &dm->devices[k];
            const char *what = fault_of(dm, dev);
            struct cv_error e = CV_ERROR_INIT;
            if (what == NULL || (cv_layout_may_unplug(dm, dev) && !cv_now_has_device(&b->g->now, i, dev->id)))
                continue;
            cv_fail(&e, CV_E_UNSUPPORTED, 0, "emulator %u '%s': %s (%s): QEMU %s's %s", i, dm->name, dev->id,
                    dev->driver, dm->version, what);
            if (b->force)
                cv_findings_warn(b->found, "faults", "%s", e.text);
            else
                cv_findings_add(b->found, "faults", &e,
                                "give the guest another model (e1000, virtio-net, vmxnet3); --force saves it as it is");
        }
    }
    return 0;
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
    { "interrupts", check_interrupts, "changes", NULL },
    { "faults", check_faults, "changes", NULL },
};

static bool found_by(const struct cv_findings *f, const char *check)
{
    for (size_t i = 0; check != NULL && i < f->count; i++)
        if (f->items[i].code != CV_OK && strcmp(f->items[i].check, check) == 0)
            return true;
    return false;
}

void cv_guest_find_blockers(struct cv_guest *g, const struct cv_emu_wait *w, bool force, struct cv_findings *found)
{
    struct cv_blockers b = { .g = g, .wait = w, .force = force, .found = found };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct cv_error err = CV_ERROR_INIT;
        if (!found_by(found, checks[i].name) && !found_by(found, checks[i].needs) && checks[i].run(&b, &err) < 0)
            cv_findings_add(found, checks[i].name, &err, checks[i].advice);
    }
}

int cv_guest_refuse_blocked(struct cv_guest *g, const struct cv_emu_wait *w, bool force, struct cv_error *err)
{
    struct cv_findings found = { 0 };

    cv_guest_find_blockers(g, w, force, &found);
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
    cv_guest_find_blockers(g, w, false, found);
}
