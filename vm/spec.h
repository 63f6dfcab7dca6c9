/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain's facts: what creating it again takes; and their JSON (xenstore, GUEST record). */
#ifndef CONVOY_VM_SPEC_H
#define CONVOY_VM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vm/genid.h"

#define CV_NAME_MAX 128
#define CV_VCPU_WORDS 2 /* Xen takes 128 vCPUs of an HVM guest */

/* What a domain is made of.  The part of the guest's identity that only the hypervisor needs;
 * it travels in the stream (JSON in the GUEST record) and is imposed again at restore. */
struct cv_domain_spec {
    char name[CV_NAME_MAX];
    uint8_t uuid[16];
    uint64_t ram_kib;                   /* what the guest's firmware sees as RAM: maxmem less video memory */
    uint64_t ram_target_kib;            /* populated at boot; less than ram_kib: populate on demand */
    uint64_t target_kib, max_kib;       /* xenstore memory/target (+video), memory/static-max */
    uint64_t video_kib;                 /* xenstore memory/videoram */
    uint64_t extra_pages;               /* ROM, VRAM and the like that emulators add behind the RAM */
    uint64_t max_pages;                 /* what the domain may own; 0 = target, extra pages and a little slack */
    uint32_t vcpus;                     /* at most */
    uint32_t vcpus_online;              /* that the guest may use: at boot; of a guest that was saved: then */
    uint64_t online_map[CV_VCPU_WORDS]; /* which they are, bit i % 64 of word i / 64; all 0: the first ones */
    uint32_t tsc_mode;                  /* Xen's numbers: 0 default, 1 always emulate, 2 native */
    bool pvh;                           /* not HVM: no emulated hardware but the local APICs */
    bool hap, acpi, apic, nested_hvm, pae, hpet;
    bool pirq;                   /* emulated interrupts over event channels: asked for, else avoided where Xen can */
    bool nomigrate;              /* never to be saved or migrated */
    bool acpi_laptop_slate;      /* the firmware's tables have a switch of laptops */
    bool no_acpi_s3, no_acpi_s4; /* sleep states that the firmware's tables leave out */
    bool no_vpt_align;           /* do not let the timers of all vcpus fire together */
    uint32_t viridian;           /* HVM_PARAM_VIRIDIAN value, 0 = none */
    uint32_t timer_mode;
    uint32_t max_evtchn_port, max_grant_frames, max_maptrack_frames;
    uint32_t emulation_flags; /* XEN_X86_EMU_*; 0 = the best that this Xen takes; filled in by create */
    uint64_t mmio_hole_kib;   /* 0 = default */
    uint64_t paging_pool_kib; /* HAP/shadow pool; 0 = as libxl computes it */
    int64_t rtc_offset_s;
    char firmware[256];       /* system firmware file; "" = SeaBIOS */
    char loader[256];         /* hvmloader; "" = default */
    char acpi_table[256];     /* acpi_firmware; "" = none */
    char genid[CV_GENID_MAX]; /* VM generation ID, as the firmware reads it (vm/genid.h); "" = none */
    char smbios[1024];        /* lines "node=value": strings that the firmware shows */
    char cpuid[1024];         /* CPU features chosen for it: words of libxl's, of both its forms, with ';' between */
    char cpus[256];           /* hard affinity: a base/cpuset.h text for all vcpus, or one for each from the first
                                              on, every one ended by ';'; "" = any CPU */
    char cpus_soft[256];      /* soft affinity, in the same form */
    char cpupool[32];         /* "" = dom0's */
    uint32_t cpu_weight;      /* of the credit schedulers; 0 = the usual */
    uint32_t cpu_cap;         /* percent of one CPU; 0 = no limit */
};

/* Is vCPU i one that the guest may use? */
bool cv_spec_vcpu_online(const struct cv_domain_spec *spec, uint32_t i);

/* *json_out: caller frees. */
int cv_spec_encode(const struct cv_domain_spec *spec, char **json_out, struct cv_error *err) CV_CHECKED;
/* Strict: every member there, none unknown, strings within bounds.  CV_E_STREAM. */
int cv_spec_decode(const char *json, size_t len, struct cv_domain_spec *spec, struct cv_error *err) CV_CHECKED;

#endif
