/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Xen calls the parts of its own state.  Source: xen/include/public/arch-x86/hvm/save.h, hvm/params.h. */
#include "image/image.h"

#define ENTRY_HEAD 8u /* u16 type, u16 instance, u32 length */

bool cv_hvm_context_next(const struct cv_buf *c, size_t *at, struct cv_hvm_entry *e, bool *bad)
{
    *bad = false;
    if (*at == c->len)
        return false;
    if (c->len - *at < ENTRY_HEAD) {
        *bad = true;
        return false;
    }
    const uint8_t *p = c->data + *at;
    *e = (struct cv_hvm_entry){
        .type = cv_load16(p), .instance = cv_load16(p + 2), .length = cv_load32(p + 4), .offset = *at
    };
    /* The first entry is the header, the entry END is the last, and nothing follows it. */
    if (e->length > c->len - *at - ENTRY_HEAD || (*at == 0) != (e->type == 1) ||
        (e->type == 0) != (*at + ENTRY_HEAD + e->length == c->len)) {
        *bad = true;
        return false;
    }
    *at += ENTRY_HEAD + e->length;
    return true;
}

const char *cv_hvm_entry_name(uint16_t type)
{
    static const char *const names[] = {
        "END",     "HEADER",          "CPU",       "PIC",           "IOAPIC",    "LAPIC",      "LAPIC_REGS",
        "PCI_IRQ", "ISA_IRQ",         "PCI_LINK",  "PIT",           "RTC",       "HPET",       "PMTIMER",
        "MTRR",    "VIRIDIAN_DOMAIN", "CPU_XSAVE", "VIRIDIAN_VCPU", "VMCE_VCPU", "TSC_ADJUST", "CPU_MSR"
    };
    return type < sizeof names / sizeof *names ? names[type] : "?";
}

const char *cv_hvm_param_name(uint64_t index)
{
    static const char *const names[] = {
        [0] = "CALLBACK_IRQ",
        [1] = "STORE_PFN",
        [2] = "STORE_EVTCHN",
        [4] = "PAE_ENABLED",
        [5] = "IOREQ_PFN",
        [6] = "BUFIOREQ_PFN",
        [9] = "VIRIDIAN",
        [10] = "TIMER_MODE",
        [11] = "HPET_ENABLED",
        [12] = "IDENT_PT",
        [13] = "DM_DOMAIN",
        [14] = "ACPI_S_STATE",
        [15] = "VM86_TSS",
        [16] = "VPT_ALIGN",
        [17] = "CONSOLE_PFN",
        [18] = "CONSOLE_EVTCHN",
        [19] = "ACPI_IOPORTS_LOCATION",
        [24] = "NESTEDHVM",
        [26] = "BUFIOREQ_EVTCHN",
        [27] = "PAGING_RING_PFN",
        [28] = "MONITOR_RING_PFN",
        [29] = "SHARING_RING_PFN",
        [31] = "TRIPLE_FAULT_REASON",
        [32] = "IOREQ_SERVER_PFN",
        [33] = "NR_IOREQ_SERVER_PAGES",
        [34] = "VM_GENERATION_ID_ADDR",
        [35] = "ALTP2M",
        [36] = "X87_FIP_WIDTH",
        [37] = "VM86_TSS_SIZED",
        [38] = "MCA_CAP",
    };
    return index < sizeof names / sizeof *names && names[index] != NULL ? names[index] : "?";
}
