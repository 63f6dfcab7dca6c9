/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host port: everything that convoy asks of a hypervisor, its xenstore and the host's network, in terms of
 * domains, pages, bitmaps and blobs.  host/xen/ is the only implementation that includes Xen's headers;
 * tests/support/fake_host.c is a model of one for fault sweeps.
 *
 * Every member is required.  A backend that cannot do something fails (CV_E_UNSUPPORTED) rather than leaving NULL.
 * Errors are CV_E_HYPERVISOR unless said otherwise.  One thread at a time calls the host: the coordinator, or the
 * thread of a restore that it waits for (docs/architecture.md, Threads); only the page source and sink that it gives
 * out are called from workers, beside it. */
#ifndef CONVOY_HOST_HOST_H
#define CONVOY_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"
#include "memory/pages.h"
#include "vm/policy.h"
#include "vm/spec.h"
#include "vm/state.h"

struct cv_domain_info {
    uint32_t domid;
    char name[CV_NAME_MAX]; /* empty when xenstore has none */
    uint8_t uuid[16];
    bool hvm, paused, dying, shutdown; /* shutdown: shutdown_reason says why (CV_SHUTDOWN_*) */
    int shutdown_reason;
    uint32_t vcpus; /* max vcpu id + 1 */
    uint32_t vcpus_online;
    uint64_t pages, max_pages; /* 4 KiB; now and at most */
    uint64_t cpu_time_ns;
};

/* As in xen/sched.h SHUTDOWN_*. */
/* clang-format off */
enum { CV_SHUTDOWN_POWEROFF = 0, CV_SHUTDOWN_REBOOT = 1, CV_SHUTDOWN_SUSPEND = 2, CV_SHUTDOWN_CRASH = 3,
       CV_SHUTDOWN_WATCHDOG = 4, CV_SHUTDOWN_SOFT_RESET = 5 };
/* clang-format on */

struct cv_host_facts {
    char hypervisor[64]; /* "Xen 4.17.5" */
    uint32_t version_major, version_minor;
    char capabilities[256]; /* xen_caps */
    char hostname[65];
    uint64_t free_pages, total_pages;
    uint32_t cpus;
};

/* Does this Xen give every HVM guest pirqs?  Later ones give them where they are asked for (vm/spec.h, pirq). */
bool cv_host_gives_pirqs(const struct cv_host_facts *f);

struct cv_dirty_stats {
    uint64_t dirty_pages, fault_pages;
    uint64_t pages; /* the domain's, as info() counts them: a guest that waits needs no second question */
};

struct cv_host;
struct cv_host_ops {
    const char *name;
    void (*close)(struct cv_host *h);
    int (*facts)(struct cv_host *h, struct cv_host_facts *out, struct cv_error *err);

    /* ---- finding ---- */
    /* who: a domid in decimal or a name.  CV_E_NOT_FOUND. */
    int (*find)(struct cv_host *h, const char *who, struct cv_domain_info *out, struct cv_error *err);
    int (*info)(struct cv_host *h, uint32_t domid, struct cv_domain_info *out, struct cv_error *err);
    /* Calls each(user, info) for every domain but dom0; stops at the first result that is not 0. */
    int (*list)(struct cv_host *h, int (*each)(void *user, const struct cv_domain_info *d), void *user,
                struct cv_error *err);

    /* The same without names (empty): one hypercall for 64 domains and no question to xenstore, while a guest waits. */
    int (*peek)(struct cv_host *h, int (*each)(void *user, const struct cv_domain_info *d), void *user,
                struct cv_error *err);

    /* ---- making and unmaking ---- */
    /* An empty, paused domain with vcpus, maxmem, paging pool, event channels and its xenstore skeleton.
     * spec->emulation_flags is filled in.  On failure nothing is left. CV_E_BUSY: the name is taken. */
    int (*create)(struct cv_host *h, struct cv_domain_spec *spec, uint32_t *domid_out, struct cv_error *err);
    /* A whole PVH guest, paused: with its RAM, its kernel, its PV devices and the QEMU that serves its qdisks, if it
     * has any.  config: as devices_add has it.  On failure nothing is left. */
    int (*make)(struct cv_host *h, const struct cv_domain_spec *spec, const char *config, struct cv_cancel *cancel,
                uint32_t *domid_out, struct cv_error *err);
    /* Firmware and RAM of a new HVM guest, then introduced to xenstored. */
    int (*build)(struct cv_host *h, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err);
    /* After set_state: store and console rings, grant table seeds, introduced to xenstored. */
    int (*introduce)(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err);
    /* Ends the domain: its PV devices are taken down with their hotplug scripts, then it is destroyed and its xenstore
     * nodes and userdata are removed; waits until it is gone or only its dying shell is left.  Its emulators are gone
     * already: a device that one of them serves is only forgotten. */
    int (*destroy)(struct cv_host *h, uint32_t domid, struct cv_error *err);
    /* How many 4 KiB pages it may own from now on; what it owns already stays. */
    int (*set_max_pages)(struct cv_host *h, uint32_t domid, uint64_t pages, struct cv_error *err);
    int (*rename)(struct cv_host *h, uint32_t domid, const char *name, struct cv_error *err);
    /* Counted: a domain that was paused n times runs after n unpauses.  unpause fails where nothing is paused. */
    int (*pause)(struct cv_host *h, uint32_t domid, struct cv_error *err);
    int (*unpause)(struct cv_host *h, uint32_t domid, struct cv_error *err);
    /* The domain stops, as soon as no vCPU of it waits for an emulator's answer (a crash: at once), as if it had asked
     * for that itself (CV_SHUTDOWN_*): whoever watches over it does what its configuration says. */
    int (*shutdown)(struct cv_host *h, uint32_t domid, int reason, struct cv_error *err);
    /* Emulators that have died: the domain's accesses to their devices find nobody from now on (ones are read), and a
     * vCPU that waits for the answer of one goes on, which a shutdown of the domain waits for as well.  Those that
     * live, stand still or are stopped keep theirs.  None may be starting meanwhile.  *count_out (may be NULL): how
     * many there are, those of earlier calls too. */
    int (*release_orphans)(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err);

    /* ---- PV devices ----
     * config: a whole domain in libxl's words (libxl_domain_config in JSON); its disks and network cards are the PV
     * devices.  Hotplug scripts run in these calls: seconds; each has 40 s. */
    /* Makes libxl know the domain, then adds the devices of config one after the other: when this returns, every back
     * end waits for the guest.  After the emulators have started (the default one serves what qdisk back ends are
     * needed), before the guest runs.  On failure none is left.  CV_E_UNSUPPORTED: a kind of device. */
    int (*devices_add)(struct cv_host *h, uint32_t domid, const char *config, struct cv_cancel *cancel,
                       struct cv_error *err);
    /* The same text as it is now, with what was attached and without what was detached.  *config_out: caller frees;
     * NULL: libxl does not know the domain. */
    int (*devices_now)(struct cv_host *h, uint32_t domid, char **config_out, struct cv_error *err);
    /* A short text that changes when a device is attached or detached; quick.  *list_out: caller frees. */
    int (*devices_list)(struct cv_host *h, uint32_t domid, char **list_out, struct cv_error *err);

    /* The guest has suspended and may go on elsewhere: waits until nothing of its PV disks is under way on this host
     * any more, and has it written out.  Milliseconds, when nothing is.  CV_E_TIMEOUT. */
    int (*devices_settle)(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_error *err);

    /* Writes the memory of a domain that has stopped to path, as an ELF core. */
    int (*dump)(struct cv_host *h, uint32_t domid, const char *path, struct cv_error *err);

    /* Limits the processor time of the guest to percent of one CPU (200: two CPUs' worth); 0 = no limit.
     * *before_out (may be NULL): what it was.  CV_E_UNSUPPORTED: this scheduler knows no such limit. */
    int (*sched_cap)(struct cv_host *h, uint32_t domid, unsigned percent, unsigned *before_out, struct cv_error *err);

    /* ---- suspend ---- */
    /* Why this domain can't be saved (CV_E_UNSUPPORTED: no HVM guest, passed-through device, vNUMA, nomigrate, ...). */
    int (*check_saveable)(struct cv_host *h, uint32_t domid, struct cv_error *err);
    /* How many MSIs of emulated devices the guest takes over event channels: Linux with PV drivers does, in a domain
     * with pirqs.  Changes nothing. */
    int (*event_msis)(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err);
    /* Asks the guest to suspend (event channel, control/shutdown, or xc_domain_shutdown without PV drivers) and waits
     * until it has.  On a failure the request is withdrawn: the guest goes on, or, if it suspended in that very
     * moment, resume() is to be called (it is safe in both cases). */
    int (*suspend)(struct cv_host *h, uint32_t domid, int64_t deadline_ms, struct cv_cancel *cancel,
                   struct cv_error *err);
    /* Undo of suspend. No error when the domain is not suspended. */
    int (*resume)(struct cv_host *h, uint32_t domid, struct cv_error *err);

    /* ---- memory ---- */
    /* pfns are in [0, *count_out). */
    int (*pfn_count)(struct cv_host *h, uint32_t domid, uint64_t *count_out, struct cv_error *err);
    /* Which pfns hold a page now: bit i of bitmap (at least ceil(count/64) words) = pfn i.
     * *pages_out: how many pages the domain had when the search began, as info() counts them.  It takes time for each
     * page: CV_E_CANCELLED, CV_E_TIMEOUT.  cancel may be NULL. */
    int (*populated)(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, uint64_t *pages_out,
                     int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err);
    int (*dirty_log)(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err);
    /* Reads and clears.  bitmap: at least ceil(count/64) words; bit i = pfn i.  One domain's log at a time.
     * CV_E_BUSY: somebody else has read it or switched it off, so that what was written is not known.
     * final: the guest and all emulators are stopped; pages that Xen itself holds are counted as dirty too. */
    int (*dirty_take)(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, bool final,
                      struct cv_dirty_stats *stats, struct cv_error *err);
    /* Volatile source over the domain's memory; freed with page_source_free. */
    int (*page_source)(struct cv_host *h, uint32_t domid, struct cv_page_source **out, struct cv_error *err);
    void (*page_source_free)(struct cv_host *h, struct cv_page_source *s);
    int (*page_sink)(struct cv_host *h, uint32_t domid, struct cv_page_sink **out, struct cv_error *err);
    void (*page_sink_free)(struct cv_host *h, struct cv_page_sink *s);

    /* Writes len bytes at a guest physical address, within one page that the domain has. CV_E_INVALID: across two;
     * CV_E_HYPERVISOR: there is no page. */
    int (*write_memory)(struct cv_host *h, uint32_t domid, uint64_t address, const void *data, size_t len,
                        struct cv_error *err);

    /* ---- state ---- */
    int (*get_cpu_policy)(struct cv_host *h, uint32_t domid, struct cv_cpu_policy *out, struct cv_error *err);
    /* Before memory.  CV_E_UNSUPPORTED: this host's CPU or Xen cannot give the guest this policy. */
    int (*set_cpu_policy)(struct cv_host *h, uint32_t domid, const struct cv_cpu_policy *policy, struct cv_error *err);
    /* Could a domain of this host have it?  Asked before anything is made; only leaves are looked at. CV_E_UNSUPPORTED.
     */
    int (*check_cpu_policy)(struct cv_host *h, const struct cv_cpu_policy *policy, struct cv_error *err);
    int (*get_state)(struct cv_host *h, uint32_t domid, struct cv_guest_state *out, struct cv_error *err);
    /* After memory: TSC, HVM params (rings cleared), HVM context. */
    int (*set_state)(struct cv_host *h, uint32_t domid, const struct cv_guest_state *state, struct cv_error *err);

    /* ---- xenstore ---- */
    /* *value_out: caller frees, NULL when the node does not exist (no error). */
    int (*xs_read)(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
    int (*xs_write)(struct cv_host *h, const char *path, const char *value, struct cv_error *err);
    int (*xs_remove)(struct cv_host *h, const char *path, struct cv_error *err);
    /* Reads and removes as one step: of several who try, one gets the value.  NULL when there is no such node. */
    int (*xs_take)(struct cv_host *h, const char *path, char **value_out, struct cv_error *err);
    /* Names of the children, 0-terminated, one after the other in names (cv_buf); count says how many. */
    int (*xs_list)(struct cv_host *h, const char *path, struct cv_buf *names, size_t *count, struct cv_error *err);
    /* A descriptor that becomes readable when a domain has shut down or gone (@releaseDomain); borrowed.
     * watch_drain swallows what is pending. */
    int (*watch_fd)(struct cv_host *h, int *fd_out, struct cv_error *err);
    void (*watch_drain)(struct cv_host *h);
    /* From now on watch_fd becomes readable when path or what is below it changes, too. Asking twice for one
     * path is the same as asking once. */
    int (*watch_path)(struct cv_host *h, const char *path, struct cv_error *err);

    /* ---- the network and the processes of this host ---- */
    /* Makes TAP ifname for an emulated card, attaches it to bridge, brings it up; bridge "": makes it only, the rest is
     * somebody else's script's.  Not persistent: it is gone with its last descriptor.  Returns its descriptor, the
     * caller's, or -1: CV_E_IO, CV_E_BUSY (the name is taken), CV_E_NOT_FOUND (no such bridge). */
    int (*tap)(struct cv_host *h, const char *ifname, const char *bridge, struct cv_error *err);
    /* CV_E_NOT_FOUND: there is none of that name; CV_E_INVALID: it is another kind of interface. */
    int (*bridge)(struct cv_host *h, const char *name, struct cv_error *err);
    /* Each process that may be an emulator of this host's guests, by its pid, until one call does not give 0; that is
     * an error (-1, which each has reported) or an end (1).  CV_E_IO: they cannot be listed. */
    int (*processes)(struct cv_host *h, int (*each)(void *user, int pid), void *user, struct cv_error *err);
};

/* Where a guest's files lie on this host; members NULL = the usual places (emulators/paths.h). */
struct cv_host_dirs {
    const char *run, *log, *lib;
    const char *rules; /* emulators/rules.h */
};

struct cv_sink;
struct cv_gate;

struct cv_host {
    const struct cv_host_ops *ops;
    const struct cv_host_dirs *dirs; /* never NULL */
    const struct cv_gate *gate;      /* handover/gate.h; borrowed; NULL: no journals are asked */
};
extern const struct cv_host_dirs cv_host_dirs_usual;

/* The host's tap, for who takes it as a callback (emulators/spawn.h). */
int cv_host_tap(void *host, const char *ifname, const char *bridge, struct cv_error *err) CV_CHECKED;

/* The real one; defined in host/xen.  log: NULL or where Xen's libraries' own messages go, as debug messages; those
 * of workers do not. */
int cv_host_open_xen(struct cv_host **h_out, struct cv_sink *log, struct cv_error *err) CV_CHECKED;

#endif
