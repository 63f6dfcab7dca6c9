/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout/spec.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vm/physmap.h"

#define EMULATION_PVH 1u /* XEN_X86_EMU_LAPIC: nothing else */

/* Xen's usual 1023 are meant for a guest with one emulator: each further one takes a channel for each vcpu, and one
 * more. QEMU crashes when it gets none. */
static uint32_t event_channels(const struct cv_guest_config *c, const struct cv_layout *l)
{
    if (c->max_event_channels != 0 || l->count == 1)
        return c->max_event_channels;
    return 1023 + (l->count - 1) * (c->maxvcpus + 1);
}

void cv_spec_from_config(struct cv_domain_spec *s, const struct cv_guest_config *c, const struct cv_layout *l)
{
    *s = (struct cv_domain_spec){
        .ram_kib = l->max_kib,
        .ram_target_kib = l->ram_kib,
        .target_kib = c->memory_kib,
        .max_kib = c->maxmem_kib,
        .video_kib = (uint64_t)c->videoram_mib * 1024,
        .extra_pages = l->extra_pages,
        .vcpus = c->maxvcpus,
        .vcpus_online = c->vcpus,
        .tsc_mode = c->tsc_mode,
        .pvh = c->pvh,
        .mmio_hole_kib = c->pvh ? (CV_FOUR_GIB - CV_HOLE_START_PVH) >> 10 : 0,
        .emulation_flags = c->pvh ? EMULATION_PVH : 0,
        .hap = c->hap,
        .acpi = c->acpi,
        .apic = c->apic,
        .pae = c->pae,
        .hpet = c->hpet && !c->pvh,
        .pirq = c->hvm_pirq,
        .nomigrate = c->nomigrate,
        .viridian = (uint32_t)c->viridian,
        .timer_mode = c->timer_mode,
        .acpi_laptop_slate = c->acpi_laptop_slate && !c->pvh,
        .no_acpi_s3 = !c->acpi_s3,
        .no_acpi_s4 = !c->acpi_s4,
        .no_vpt_align = !c->vpt_align,
        .max_evtchn_port = event_channels(c, l),
        .max_grant_frames = c->max_grant_frames,
        .max_maptrack_frames = c->max_maptrack_frames,
        .paging_pool_kib = c->shadow_memory_kib,
        .rtc_offset_s = c->rtc_timeoffset,
        .cpu_weight = c->cpu_weight,
        .cpu_cap = c->cpu_cap,
    };
    if (c->localtime) {
        time_t now = time(NULL);
        struct tm tm;
        s->rtc_offset_s += localtime_r(&now, &tm) != NULL ? tm.tm_gmtoff : 0;
    }
    snprintf(s->name, sizeof s->name, "%s", c->name);
    memcpy(s->uuid, c->uuid, sizeof s->uuid);
    snprintf(s->firmware, sizeof s->firmware, "%s", c->bios_path);
    snprintf(s->loader, sizeof s->loader, "%s", c->firmware);
    snprintf(s->acpi_table, sizeof s->acpi_table, "%s", c->acpi_firmware);
    cv_genid_text(c->genid, s->genid);
    snprintf(s->smbios, sizeof s->smbios, "%s", c->smbios);
    snprintf(s->cpuid, sizeof s->cpuid, "%s", c->cpuid);
    snprintf(s->cpus, sizeof s->cpus, "%s", c->cpus);
    snprintf(s->cpus_soft, sizeof s->cpus_soft, "%s", c->cpus_soft);
    snprintf(s->cpupool, sizeof s->cpupool, "%s", c->cpupool);
}
