/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout: who owns which PCI address, where ROM and VRAM lie, in which order the ioreq servers are made, and every
 * emulator's whole command line.  Decided once for each guest by a pure function of its configuration, kept in xenstore
 * and in the stream, and imposed again at restore whatever a newer allocator would say.
 *
 * dmid 0 is the default emulator.  Guest-physical space behind the RAM, one window an emulator, none touching another:
 *
 *      0            ram_kib                                           (or from 4 GiB on, when they would reach the
 *      |--- RAM ----|-- dmid 0: VRAM, ROMs --|-- dmid 1 --|-- ...      PCI hole at mmio_start)
 *                   ^ -m of dmid 0           ^ -m of dmid 1
 *
 * QEMU puts its first ROM or VRAM block exactly at the RAM size that it was told, so -m IS the place (H-10). */
#ifndef CONVOY_LAYOUT_LAYOUT_H
#define CONVOY_LAYOUT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "config/pool.h"

#define CV_LAYOUT_SCHEMA 1
#define CV_LAYOUT_JSON_MAX (256 * 1024) /* encoded bytes that decode accepts */
#define CV_LAYOUT_DEVICES_MAX 48        /* of one emulator */
#define CV_LAYOUT_ARGS_MAX 256
#define CV_LAYOUT_REGIONS_MAX 32
#define CV_BDF_NONE 0xffff /* not a PCI device of its own (USB device, ISA) */

enum cv_dm_role { CV_DM_DEFAULT, CV_DM_SECONDARY, CV_DM_ATTACHED };

/* clang-format off */
enum cv_device_kind { CV_DEV_VGA, CV_DEV_DISK, CV_DEV_CONTROLLER, CV_DEV_VIF, CV_DEV_SERIAL, CV_DEV_AUDIO, CV_DEV_USB,
                      CV_DEV_RAW, CV_DEV_FOREIGN /* seen on an attached emulator */ };
/* clang-format on */

struct cv_layout_device {
    enum cv_device_kind kind;
    const char *id; /* QEMU id; "" for what an attached emulator brings along */
    const char *driver;
    const char *arg; /* whole -device argument, or "" */
    uint16_t bdf;    /* bus << 8 | slot << 3 | function */
    /* disk */
    const char *vdev, *path, *format;
    bool readonly, cdrom, discard;
    /* vif */
    uint8_t mac[6];
    const char *bridge;
    const char *ifname; /* "@{domid}" is replaced at start */
    unsigned vif_index;
};

/* A block of guest-physical pages that an emulator allocates at create and expects at restore. */
struct cv_layout_region {
    const char *what; /* QEMU's RAM block name, "0000:00:03.0/vga.vram" */
    uint64_t gfn, pages;
    const char
        *digest; /* a ROM's contents when the guest was created: XXH3-128, 32 hexadecimal digits; "" = not known */
};

struct cv_layout_dm {
    unsigned dmid;
    const char *name;
    enum cv_dm_role role;
    unsigned rank;       /* 0 to count - 1, unique; the default emulator's is the highest */
    const char *model;   /* program */
    const char *version; /* "7.2.22" as QMP query-version reports; "" until first started */
    const char *wanted_version;
    const char *machine;               /* "xenfv", "pc,accel=xen,suppress-vmdesc=on" */
    uint64_t m_kib;                    /* QEMU's -m */
    uint64_t window_gfn, window_pages; /* reserved for its blocks */
    unsigned caps;                     /* enum cv_cap bits */
    struct cv_layout_device devices[CV_LAYOUT_DEVICES_MAX];
    unsigned device_count;
    struct cv_layout_region regions[CV_LAYOUT_REGIONS_MAX];
    unsigned region_count;  /* 0 until seen on the running emulator (cv_emuset_survey) */
    struct cv_strings argv; /* template: [0] is the program; placeholders see cmdline.h */
    const char *qmp;        /* attached: its socket, may contain "@{domid}" */
    int pid;                /* attached: 0 = whoever listens */
};

struct cv_layout {
    struct cv_pool pool;
    unsigned schema;
    uint64_t ram_kib;     /* RAM that the guest is built with (xl: memory less video RAM) */
    uint64_t max_kib;     /* the same of maxmem; RAM may grow up to here, so windows lie behind it */
    uint64_t mmio_start;  /* first byte of the PCI hole below 4 GiB: no window touches [mmio_start, 4 GiB) */
    uint64_t extra_pages; /* sum of all windows: the domain's maximum memory makes room for max_kib plus these */
    unsigned vcpus, maxvcpus;
    const char *vncpasswd;              /* given to the default emulator over QMP after each start; "" = none */
    struct cv_layout_dm dms[CV_DM_MAX]; /* indexed by dmid */
    unsigned count;                     /* 0..8; of a PVH guest 0 or 1 */
};

/* What the decision needs to know of the host. */
struct cv_layout_host {
    const char *default_model; /* program for emulators that name none */
    bool nic_roms;             /* network boot ROMs are installed; else cards get none */
    uint32_t default_slots;    /* PCI slots that no secondary gets: a default emulator that takes its own; bit = slot */
    bool pirqs;                /* Xen will give the guest pirqs (interrupts.h) */
};
/* Looks at this host.  Strings are literals. */
void cv_layout_host_probe(struct cv_layout_host *host);

/* Decides.  Pure: same configuration and host, same layout; no static variables.
 * *out: initialised by the call; dispose after success only.
 * Errors: CV_E_INVALID, CV_E_UNSUPPORTED (no free PCI slot, ...), CV_E_NOMEM. */
int cv_layout_decide(const struct cv_guest_config *config, const struct cv_layout_host *host, struct cv_layout *out,
                     struct cv_error *err) CV_CHECKED;
void cv_layout_dispose(struct cv_layout *l);

/* Consistency within a layout, wherever it came from: dmids, names, ranks, BDFs, windows and regions.
 * A conflict names both dmids and the thing: "emulators 1 'net' and 2 'disk' both claim 00:06.0".  CV_E_INVALID. */
int cv_layout_check(const struct cv_layout *l, struct cv_error *err) CV_CHECKED;

/* The guest-physical pages that the layout explains: one beyond the last of RAM (grown to its maximum), the PCI hole
 * and the windows. */
uint64_t cv_layout_pfns(const struct cv_layout *l);
/* What a guest may have beyond that (its own drivers map things behind its RAM): 64 GiB of addresses.  For each page
 * below its highest one, a save holds two bits and asks Xen once. */
#define CV_LAYOUT_PFNS_BEYOND (UINT64_C(1) << 24)

/* One JSON object, UTF-8, without newline (*json_out: caller frees with free()). */
int cv_layout_encode(const struct cv_layout *l, char **json_out, struct cv_error *err) CV_CHECKED;
/* Strict: unknown members, wrong types, sizes out of bounds and what cv_layout_check refuses fail.
 * Errors: CV_E_STREAM (damaged), CV_E_STREAM_VERSION (newer schema), CV_E_NOMEM. *out as for decide. */
int cv_layout_decode(const char *json, size_t len, struct cv_layout *out, struct cv_error *err) CV_CHECKED;

/* dmids in the order in which their ioreq servers are to be created: by rank, default last. */
void cv_layout_rank_order(const struct cv_layout *l, unsigned order_out[CV_DM_MAX]);
/* A device of this kind with nothing in it yet: no place, empty texts. */
struct cv_layout_device cv_layout_device_of(enum cv_device_kind kind);
/* dm's device at this address; NULL = none. */
const struct cv_layout_device *cv_layout_device_at(const struct cv_layout_dm *dm, uint16_t bdf);
/* A guest with PV drivers takes its emulated disks and network cards away when it starts (the platform device's
 * unplug), and does so again when it has been restored. */
bool cv_layout_may_unplug(const struct cv_layout_dm *dm, const struct cv_layout_device *dev);
/* The machine of a QEMU that serves a PVH guest's qdisks and nothing else: no devices, no RAM blocks, no vCPUs, and no
 * ioreq server.  It is its guest's default emulator in all else. */
#define CV_MACHINE_BACKEND "xenpv"
bool cv_layout_is_backend(const struct cv_layout_dm *dm);
/* The machine of a secondary whose program is no QEMU: it speaks docs/emulator-protocol.md, version 1.  It has PCI
 * devices and nothing else: no memory in the guest, no window. */
#define CV_MACHINE_PROTOCOL "emulator-protocol-1"
bool cv_layout_is_qemu(const struct cv_layout_dm *dm);
/* Is it a layout that this type of guest can have?  CV_E_INVALID. */
int cv_layout_check_type(const struct cv_layout *l, bool pvh, struct cv_error *err) CV_CHECKED;
/* "00:06.0"; buf of 12 bytes.  Returns buf. */
const char *cv_bdf_string(uint16_t bdf, char *buf, size_t len);

#endif
