/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest configuration: xl.cfg(5) syntax (libxlutil parses it) with device_models, see docs/man/convoy.cfg.5.md.
 * The one invariant: what means something to xl is done, or is an error; what means nothing to xl either is a warning.
 * All strings belong to the configuration's pool and are never NULL ("" = not given). */
#ifndef CONVOY_CONFIG_CONFIG_H
#define CONVOY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/findings.h"
#include "config/pool.h"

#define CV_DM_MAX 8 /* Xen: MAX_NR_IOREQ_SERVERS */
#define CV_DM_NAME_MAX 32
#define CV_CONFIG_NAME_MAX 60u /* of a guest: it becomes part of file names */
#define CV_CONFIG_VIFS_MAX 16
#define CV_CONFIG_DISKS_MAX 32
#define CV_CONFIG_DEVICES_MAX 24  /* raw devices of one emulator */
#define CV_CONFIG_SMBIOS_MAX 1024 /* bytes of all lines of smbios */
#define CV_CONFIG_CPUID_MAX 1024  /* bytes of all words of cpuid */
#define CV_CONFIG_TEXT_MAX 256    /* bytes of a text that becomes one of the domain's facts */

/* Classes of built-in devices; each belongs to exactly one emulator. */
enum cv_cap {
    CV_CAP_UI = 1 << 0,     /* VGA, keyboard, mouse, vnc */
    CV_CAP_IDE = 1 << 1,    /* the chipset's IDE channels */
    CV_CAP_SERIAL = 1 << 2, /* serial =; as pci-serial on a secondary */
    CV_CAP_PARALLEL = 1 << 3,
    CV_CAP_AUDIO = 1 << 4,    /* soundhw = */
    CV_CAP_USB = 1 << 5,      /* usb =, usbversion =, usbdevice = */
    CV_CAP_ACPI = 1 << 6,     /* power management of the chipset */
    CV_CAP_PLATFORM = 1 << 7, /* Xen platform device */
    CV_CAP_ALL = (1 << 8) - 1,
};
const char *cv_cap_name(enum cv_cap one);
/* "ui+serial"; buf of 80 bytes is always enough.  Returns buf. */
const char *cv_caps_string(unsigned caps, char *buf, size_t len);

/* "" or why this cannot be a guest's name. */
const char *cv_config_name_refusal(const char *name);

enum cv_vga { CV_VGA_CIRRUS, CV_VGA_STD, CV_VGA_NONE };
enum cv_tsc_mode { CV_TSC_DEFAULT = 0, CV_TSC_ALWAYS_EMULATE = 1, CV_TSC_NATIVE = 2 }; /* numbers of Xen's interface */
/* clang-format off */
enum cv_action { CV_ACTION_DESTROY, CV_ACTION_RESTART, CV_ACTION_RENAME_RESTART, CV_ACTION_PRESERVE,
                 CV_ACTION_COREDUMP_DESTROY, CV_ACTION_COREDUMP_RESTART, CV_ACTION_SOFT_RESET };
/* clang-format on */
/* clang-format off */
enum cv_disk_model { CV_DISK_IDE, CV_DISK_AHCI, CV_DISK_VIRTIO_BLK, CV_DISK_NVME,
                     CV_DISK_UNDECIDED /* while reading only */ };
/* clang-format on */
const char *cv_disk_model_name(enum cv_disk_model m);

struct cv_config_disk {
    const char *vdev;   /* hda, xvdb, ...; unique */
    const char *path;   /* "" = empty CD-ROM drive */
    const char *format; /* raw, qcow2, qed, vhd ("vpc" for QEMU) */
    bool readonly, cdrom;
    bool discard;             /* TRIM reaches the image; default yes if writable */
    bool emulated, pv;        /* its halves, at least one: a controller of an emulator, a PV back end */
    enum cv_disk_model model; /* of the emulated half */
    int owner;                /* index into dms[] */
    /* of the PV half, as xl has them; "" = libxl's choice */
    const char *backend; /* phy, qdisk */
    const char *script, *backend_domain;
    bool removable, direct_io_safe;
};

struct cv_config_vif {
    uint8_t mac[6];     /* generated (00:16:3e:...) when absent */
    const char *bridge; /* xenbr0 when absent */
    const char *model;  /* QEMU driver: rtl8139 when absent */
    const char *ifname; /* "" = vif<domid>.<n>, and its TAP vif<domid>.<n>-emu */
    bool emulated, pv;  /* its halves, at least one */
    int owner;
    /* of the PV half; "" = libxl's choice */
    const char *script, *ip, *gatewaydev, *backend_domain;
    unsigned mtu;                     /* 0 = libxl's choice */
    uint64_t rate_bytes_per_interval; /* 0 = no limit */
    uint32_t rate_interval_us;
    bool untrusted;
};

struct cv_config_device { /* a raw QEMU device of device_models' device= */
    const char *driver;
    const char *properties; /* "prop=value,prop=value" or ""; without id, bus, addr */
    const char *id;         /* "" = chosen by the layout */
};

enum cv_choice { CV_CHOICE_OPEN, CV_CHOICE_NO, CV_CHOICE_YES };

struct cv_config_dm {
    const char *name;
    const char *model;      /* program; "" = the host's default */
    const char *version;    /* "" = any; else what QMP must report, by prefix */
    const char *machine;    /* QEMU -machine; "" = the layout's choice */
    struct cv_strings args; /* further arguments, verbatim */
    unsigned caps;          /* enum cv_cap bits that it owns */
    bool is_default;
    bool protocol;        /* the program is no QEMU: it speaks docs/emulator-protocol.md */
    bool attach;          /* pid/qmp in place of a program */
    int pid;              /* 0 = whoever listens on qmp */
    const char *qmp;      /* may contain "@{domid}" */
    unsigned reserve_mib; /* guest-physical space for ROM and VRAM of its raw devices; 0 = 1 MiB for each */
    int rank;             /* creation order of ioreq servers: lower first; default emulator last */
    enum cv_choice msi;   /* its devices have MSIs; open: the layout's choice */
    struct cv_config_device devices[CV_CONFIG_DEVICES_MAX];
    unsigned device_count;
};

struct cv_guest_config {
    struct cv_pool pool;
    const char *source; /* file name for messages */
    const char *name;
    uint8_t uuid[16];
    bool uuid_generated;
    bool pvh; /* a PVH guest: no emulated devices, dms[0] is the QEMU that serves its qdisks, if there are any */

    uint64_t memory_kib, maxmem_kib; /* as xl means them: video RAM included */
    uint64_t shadow_memory_kib;      /* 0 = let the host compute it */
    unsigned vcpus, maxvcpus;        /* online at start, at most */
    const char *cpus;                /* hard affinity: one base/cpuset.h text for all vCPUs, or one for each, every
                                             one ended by ';'; "" = any CPU */
    const char *cpus_soft;           /* soft affinity, in the same form */
    const char *cpupool;             /* name or number, "" = dom0's */
    unsigned cpu_weight, cpu_cap; /* credit schedulers: weight (0 = the usual 256), percent of one CPU (0 = no limit) */

    const char *kernel, *ramdisk, *cmdline; /* cmdline: from cmdline=, else root= and extra= */
    const char *boot;                       /* "cdn"... or "" */
    const char *firmware;                   /* hvmloader file, "" = the host's */
    const char *bios_path;                  /* "" = the host's SeaBIOS */
    const char *acpi_firmware;              /* further ACPI tables, "" = none */
    const char *smbios;                     /* lines "node=value" for the firmware (xenstore's bios-strings) */
    const char *cpuid;                      /* words of libxl's with ';' between them, "" = none */
    uint8_t genid[16];                      /* a VM generation ID made now; all 0 = none */

    struct cv_config_disk disks[CV_CONFIG_DISKS_MAX];
    unsigned disk_count;
    struct cv_config_vif vifs[CV_CONFIG_VIFS_MAX];
    unsigned vif_count;

    enum cv_vga vga;
    unsigned videoram_mib;     /* resolved: xl's defaults when absent */
    struct cv_strings serials; /* QEMU -serial arguments; at most 4 */
    const char *soundhw;       /* "hda", "ac97", "es1370" or "" = none */
    bool usb;
    unsigned usbversion;          /* 0 = as usb= says, else 1..3 */
    struct cv_strings usbdevices; /* QEMU drivers: usb-tablet, usb-mouse, usb-kbd */
    bool vnc, vncunused;
    const char *vnclisten, *vncpasswd, *keymap;
    unsigned vncdisplay;
    bool nographic;

    enum cv_tsc_mode tsc_mode;
    bool acpi, apic, pae, nx, hap, hpet, acpi_s3, acpi_s4, acpi_laptop_slate, xen_platform_pci, hvm_pirq, vpt_align;
    unsigned timer_mode; /* Xen's numbers */
    bool nomigrate, localtime;
    uint64_t viridian; /* HVM_PARAM_VIRIDIAN bits, 0 = off */
    int64_t rtc_timeoffset;
    unsigned max_grant_frames, max_maptrack_frames, max_event_channels; /* 0 = the usual */
    /* on_soft_reset: CV_ACTION_SOFT_RESET is the default and cannot be asked for; it is carried out as a restart */
    enum cv_action on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset;

    struct cv_config_dm dms[CV_DM_MAX]; /* dms[0] is the default emulator, the rest in the file's order */
    unsigned dm_count;                  /* 1..8 */
};

/* Reads and checks a whole configuration.  source: name for messages.
 * *out: initialised by the call; dispose it after success only.
 * Errors: CV_E_INVALID (syntax, unknown or wrong key; "<source>:<line>: ..." where a line is known),
 * CV_E_UNSUPPORTED (understood, but convoy cannot do it), CV_E_NOMEM.
 * Everything that is in the way, and every warning, is added to found (in the text's order; check is the key).  A
 * configuration that is only warned of is taken. */
int cv_guest_config_examine(const char *text, size_t len, const char *source, struct cv_guest_config *out,
                            struct cv_findings *found, struct cv_error *err) CV_CHECKED;
/* The same; warnings are forgotten, and err has the first error. */
int cv_guest_config_parse(const char *text, size_t len, const char *source, struct cv_guest_config *out,
                          struct cv_error *err) CV_CHECKED;
void cv_guest_config_dispose(struct cv_guest_config *c);

#endif
