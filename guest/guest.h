/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest as convoy knows it: its domain, its layout and its emulators together; and what of it is kept in xenstore,
 * the one truth about a running guest (nothing is kept in files):
 *
 *   /local/domain/0/dms/<domid>/schema              1
 *                              /spec/<n>            the domain's facts, JSON in pieces (vm/spec.h)
 *                              /layout/<n>          the layout, JSON in pieces (layout/layout.h)
 *                              /config/<n>          the xl.cfg text it was created from
 *                              /<dmid>/{name,role,rank,model,version,pid,qmp,caps,window}, device/<n>
 *   /local/domain/<domid>/image/dms/<dmid>-pid      and image/device-model-pid for the default one, as xl expects */
#ifndef CONVOY_GUEST_GUEST_H
#define CONVOY_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/findings.h"
#include "base/log.h"
#include "config/config.h"
#include "layout/layout.h"
#include "emulators/now.h"
#include "emulators/set.h"
#include "emulators/spawn.h"
#include "handover/gate.h"
#include "host/host.h"

#define CV_GUEST_LATE_SUSPEND "/local/domain/0/dms/%u/late-suspend"
/* Its value: when it is forgotten, in ms of the host's monotonic clock: somebody else's later suspension is not ours.
 */
#define CV_GUEST_LATE_MS 30000
/* The guest stands still because an emulator did not answer when it was to go on: its monitor keeps trying. */
#define CV_GUEST_GO_ON "/local/domain/0/dms/%u/go-on"
/* The guest is paused by whoever has stopped its emulators, once, beside the pauses that it may have from others. */
#define CV_GUEST_HELD "/local/domain/%u/convoy-held"
#define CV_GUEST_CONFIG_MAX (64 * 1024)

/* { 0 } is the empty guest; cv_guest_dispose is safe on it and twice. */
struct cv_guest {
    struct cv_host *host; /* borrowed */
    struct cv_sink *sink; /* borrowed, may be NULL */
    uint32_t domid;       /* 0 = there is no domain (yet) */
    struct cv_domain_spec spec;
    char made_as[CV_NAME_MAX]; /* the name that it had then, and that its emulators' logs have; "" = not known */
    struct cv_layout layout;
    bool has_layout;
    bool adopted;       /* libxl made it: it carries none of our nodes (adopt.h) */
    char *config_text;  /* never NULL once open; owned */
    char *devices;      /* its PV devices, in libxl's words (devices.h); NULL = not known (yet); owned */
    char *devices_list; /* adopted: what the host's devices_list said just before devices was read; owned */
    struct cv_emuset set;
    bool has_set;
    struct cv_now now; /* what cv_guest_look saw of the emulators */
};

/* Finds a running guest and takes hold of its emulators' processes (no QMP yet: cv_emuset_connect).
 * who: name or domid.  Errors: CV_E_NOT_FOUND; CV_E_UNSUPPORTED: a domain that neither convoy nor libxl made, or one of
 * libxl's that convoy cannot serve; CV_E_EMULATOR: an emulator is dead. */
int cv_guest_open(struct cv_guest *g, struct cv_host *host, const char *who, struct cv_sink *sink,
                  struct cv_error *err) CV_CHECKED;
/* The same with dead emulators, and everything that stands in the way of opening it is added to found (may be NULL). */
int cv_guest_open_to_check(struct cv_guest *g, struct cv_host *host, const char *who, struct cv_sink *sink,
                           struct cv_findings *found, struct cv_error *err) CV_CHECKED;
/* Likewise, of a domain that is known: a name of digits is never taken for it. */
int cv_guest_open_domain(struct cv_guest *g, struct cv_host *host, uint32_t domid, struct cv_sink *sink,
                         struct cv_error *err) CV_CHECKED;
/* Forgets: domain and processes live on. */
void cv_guest_dispose(struct cv_guest *g);

/* Writes and removes what is kept in xenstore.  write: after the emulators have started. */
int cv_guest_nodes_write(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
int cv_guest_nodes_read(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* Terminals of the serial ports and the VNC port, as xl console and xl vncviewer look for them. */
int cv_guest_consoles_write(struct cv_guest *g, int64_t deadline_ms, struct cv_cancel *cancel,
                            struct cv_error *err) CV_CHECKED;
/* Does the domain carry our nodes? */
bool cv_guest_is_ours(struct cv_host *host, uint32_t domid);

/* on: a suspend request was given up after the guest may have taken it; should it suspend now, with nobody waiting, its
 * monitor resumes it.  off: before the next request. */
int cv_guest_expect_late_suspend(struct cv_guest *g, bool on, struct cv_error *err) CV_CHECKED;

/* Makes a guest from its configuration, running, or paused.  On failure nothing is left. */
struct cv_create_options {
    bool paused;
    struct cv_cancel *cancel;
};
int cv_guest_create(struct cv_guest *g, struct cv_host *host, const char *config_path,
                    const struct cv_create_options *opt, struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* The same guest anew, after its end: name, uuid, addresses and layout are what they were.  old: its facts, layout and
 * configuration (no domain, no emulators). */
int cv_guest_create_again(struct cv_guest *g, const struct cv_guest *old, const struct cv_create_options *opt,
                          struct cv_error *err) CV_CHECKED;
/* Reads and plans only, on any machine: g has facts, layout and configuration, and nothing is made.  g->host may be
 * NULL: then this host is not asked for what the guest needs.
 * found: all that is in the way in the configuration, and warnings; NULL: they go to g->sink. */
int cv_guest_plan(struct cv_guest *g, const char *config_path, struct cv_findings *found,
                  struct cv_error *err) CV_CHECKED;

/* What the guest is now, asked of its emulators and xenstore, comes into g's layout and facts: vCPUs that were plugged,
 * discs that were changed, the balloon's target.  Nothing changes in the guest.  The set is connected.
 * CV_E_UNSUPPORTED names what was changed at run time and cannot be restored. */
int cv_guest_look(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* Again, when the guest stands still: CV_E_BUSY names what has changed since. */
int cv_guest_look_again(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* The part of it that xenstore knows. */
int cv_guest_look_store(struct cv_guest *g, struct cv_error *err) CV_CHECKED;

/* What this host lets emulators be (emulators/rules.h). */
int cv_guest_rules(const struct cv_host *host, struct cv_emu_rules *rules, struct cv_error *err) CV_CHECKED;
/* The layout came from elsewhere: does this host start its programs?  trusted: more programs, NULL-terminated; or NULL.
 * CV_E_UNSUPPORTED. */
int cv_guest_check_trusted(const struct cv_guest *g, const char *const *trusted, struct cv_error *err) CV_CHECKED;
/* Before anything is made: are the programs, images, bridges and users of the layout there? */
int cv_guest_check_host(const struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* The files that a guest boots from.  c NULL: those in its facts only. */
int cv_guest_check_boot(const struct cv_guest *g, const struct cv_guest_config *c, struct cv_error *err) CV_CHECKED;
/* The one question of every verb that lets a guest's vcpus run, or that takes hold of a domain: is there another domain
 * of this uuid (d->domid 0: it is not made yet), and what do the journals of migrations say?  handover/gate.h decides.
 */
int cv_guest_may(struct cv_host *host, enum cv_gate_verb verb, const struct cv_domain_info *d, struct cv_sink *sink,
                 struct cv_error *err) CV_CHECKED;
/* And is it one of ours, or could it be?  CV_E_UNSUPPORTED: somebody else's, who may be building or moving it; xl_verb
 * does it.  A migration's copy has not all its nodes from the beginning: the journals are asked first. */
int cv_guest_may_touch(struct cv_host *host, enum cv_gate_verb verb, const struct cv_domain_info *d,
                       const char *xl_verb, struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* The same of g, whose domain need not be there yet. */
int cv_guest_may_run(const struct cv_guest *g, enum cv_gate_verb verb, struct cv_error *err) CV_CHECKED;
/* CV_E_INVALID: no name for a guest. */
int cv_guest_check_name(const char *name, struct cv_error *err) CV_CHECKED;
/* CV_E_BUSY: another domain has the name. */
int cv_guest_check_unique(const struct cv_guest *g, struct cv_error *err) CV_CHECKED;

/* Before the emulators of a suspended guest are stopped: it does not run, whoever resumes it. */
int cv_guest_hold(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
int cv_guest_is_held(struct cv_host *host, uint32_t domid, bool *held_out, struct cv_error *err) CV_CHECKED;
/* Takes cv_guest_hold back, whoever it was that held it; of one that is not held: nothing. */
int cv_guest_release(struct cv_guest *g, struct cv_error *err) CV_CHECKED;

/* A guest that was stopped goes on: emulators take their disks back and run, dirty logs off, guest resumed and
 * released.  An emulator that has died is named and passed over: it would be missing without us, too.  Connected
 * already. -1: an emulator that lives did not answer; the guest stands still, and this may be called again. */
int cv_guest_go_on(struct cv_guest *g, int64_t deadline_ms, struct cv_error *err) CV_CHECKED;
/* cv_guest_open_domain, and connected to every emulator that lives. */
int cv_guest_open_living(struct cv_guest *g, struct cv_host *host, uint32_t domid, int64_t deadline_ms,
                         struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* What a person means by unpause: one pause of a paused guest is taken back; one that was left suspended (a save was
 * killed) goes on: emulators first.  *ran_out: it runs already, and nothing was done.  CV_E_UNSUPPORTED: it has ended;
 * the errors of cv_guest_may_touch. */
int cv_guest_unpause(struct cv_host *host, const struct cv_domain_info *d, bool *ran_out, struct cv_sink *sink,
                     struct cv_error *err) CV_CHECKED;
/* The guest's monitor is to call cv_guest_go_on until it succeeds. */
int cv_guest_leave_to_monitor(struct cv_guest *g, struct cv_error *err) CV_CHECKED;

/* Ends the domain and its emulators, and removes all that belonged to them.  Works on half-built guests too. */
int cv_guest_destroy(struct cv_guest *g, struct cv_error *err) CV_CHECKED;

/* Starts the layout's emulators for g->domid , surveys their RAM blocks and checks them
 * against the layout. On failure none is left. */
int cv_guest_start_emulators(struct cv_guest *g, enum cv_spawn_mode mode, int64_t deadline_ms, struct cv_cancel *cancel,
                             struct cv_error *err) CV_CHECKED;
/* Takes the digests of the ROMs that the emulators have put into the new guest's memory into the layout. */
int cv_guest_digest_roms(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* Ends the emulators: asked, then told, then killed; an attached one is asked only. */
int cv_guest_quit_emulators(struct cv_guest *g, struct cv_error *err) CV_CHECKED;
/* Kills what cv_guest_start_emulators started. */
int cv_guest_kill_emulators(struct cv_guest *g, struct cv_error *err) CV_CHECKED;

#endif
