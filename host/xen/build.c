/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware and RAM of a new guest (what libxl__build_hvm does), and its introduction to xenstored. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "host/xen/paths.h"
#include "host/xen/cpuid.h"
#include "host/xen/xen.h"
#include "vm/physmap.h"

/* Xen's public headers want xenctrl.h before them. */
#include <xen/hvm/e820.h>
#include <xen/hvm/hvm_info_table.h>
#include <xen/hvm/params.h>

#define MIB (UINT64_C(1) << 20)
#define VGA_HOLE_PAGES 0x20 /* 0xa0000 to 0xbffff belongs to the emulator */
#define FIRMWARE_MAX (16 * MIB)

struct build {
    struct xen_host *x;
    uint32_t domid;
    const struct cv_domain_spec *spec;
    struct xc_dom_image *dom;
    char *firmware, *acpi; /* file contents, borrowed by dom until it is released */
};

static int load_file(const char *path, struct xc_hvm_firmware_module *m, char **data_out, struct cv_error *err)
{
    size_t len;

    if (cv_file_read(path, FIRMWARE_MAX, data_out, &len, err) < 0)
        return cv_context(err, "firmware");
    if (len == 0)
        return cv_fail(err, CV_E_INVALID, 0, "firmware file %s is empty", path);
    m->data = (uint8_t *)*data_out;
    m->length = (uint32_t)len;
    return 0;
}

static int describe(struct build *b, struct cv_error *err)
{
    const struct cv_domain_spec *s = b->spec;
    struct xc_dom_image *dom = b->dom;
    struct cv_physmap map = cv_physmap(s->ram_kib << 10, cv_hole_start(s->mmio_hole_kib << 10));

    dom->container_type = XC_DOM_HVM_CONTAINER;
    dom->target_pages = s->ram_target_kib >> 2;
    dom->mmio_size = CV_FOUR_GIB - map.hole_start;
    dom->mmio_start = map.hole_start;
    dom->lowmem_end = map.low_end;
    dom->highmem_end = map.high_end > CV_FOUR_GIB ? map.high_end : 0;
    dom->vga_hole_size = VGA_HOLE_PAGES;
    dom->device_model = true;
    dom->max_vcpus = s->vcpus;
    if (xen_ports(b->x, b->domid, &dom->xenstore_evtchn, &dom->console_evtchn, err) < 0)
        return -1;
    const char *loader = s->loader[0] ? s->loader : CONVOY_HVMLOADER;
    if (xc_dom_kernel_file(dom, loader) != 0)
        return xen_fail(b->x, err, "cannot load %s", loader);
    if (load_file(s->firmware[0] ? s->firmware : CONVOY_SEABIOS, &dom->system_firmware_module, &b->firmware, err) < 0)
        return -1;
    if (s->acpi_table[0] && load_file(s->acpi_table, &dom->acpi_modules[0], &b->acpi, err) < 0)
        return -1;
    return 0;
}

/* hvmloader stops ("Get guest memory maps failed") without it. */
static int set_memory_map(struct build *b, struct cv_error *err)
{
    const struct cv_domain_spec *s = b->spec;
    struct cv_physmap map = cv_physmap(s->ram_kib << 10, cv_hole_start(s->mmio_hole_kib << 10));
    struct e820entry entries[2];
    struct cv_ram_range ram[2];
    unsigned n = cv_physmap_ram(&map, ram);

    for (unsigned i = 0; i < n; i++)
        entries[i] = (struct e820entry){ .addr = ram[i].start, .size = ram[i].size, .type = CV_E820_RAM };
    if (xc_domain_set_memory_map(b->x->xc, b->domid, entries, n) != 0)
        return xen_fail(b->x, err, "cannot set the memory map");
    return 0;
}

static int place(struct build *b, struct cv_error *err)
{
    struct xc_dom_image *dom = b->dom;

    if (xc_dom_boot_xen_init(dom, b->x->xc, b->domid) != 0)
        return xen_fail(b->x, err, "cannot start building");
    if (xc_dom_parse_image(dom) != 0)
        return xen_fail(b->x, err, "cannot parse hvmloader");
    if (xc_dom_mem_init(dom, (unsigned)(b->spec->ram_kib / 1024)) != 0)
        return xen_fail(b->x, err, "cannot lay out the memory");
    if (xc_dom_boot_mem_init(dom) != 0)
        return xen_fail_as(b->x, errno == ENOMEM ? CV_E_NOMEM : CV_E_HYPERVISOR, errno, err,
                           "cannot populate %llu MiB of memory", (unsigned long long)b->spec->ram_kib / 1024);
    if (set_memory_map(b, err) < 0)
        return -1;
    if (xc_dom_build_image(dom) != 0)
        return xen_fail(b->x, err, "cannot build the image");
    if (xc_dom_boot_image(dom) != 0)
        return xen_fail(b->x, err, "cannot start the image");
    if (xc_dom_gnttab_init(dom) != 0)
        return xen_fail(b->x, err, "cannot set up the grant table");
    return 0;
}

/* The firmware learns of the vCPUs from a table in guest memory that ends in a checksum. */
static int set_info_table(struct build *b, struct cv_error *err)
{
    const xen_pfn_t gfn = HVM_INFO_PFN;
    void *page = xenforeignmemory_map(b->x->fmem, b->domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);

    if (page == NULL)
        return xen_fail(b->x, err, "cannot map the HVM info table");
    struct hvm_info_table *t = (struct hvm_info_table *)((char *)page + HVM_INFO_OFFSET);
    t->apic_mode = b->spec->apic;
    t->nr_vcpus = b->spec->vcpus;
    memset(t->vcpu_online, 0, sizeof t->vcpu_online);
    for (uint32_t i = 0; i < b->spec->vcpus_online; i++)
        t->vcpu_online[i / 8] |= (uint8_t)(1u << (i % 8));
    uint8_t sum = 0;
    for (uint32_t i = 0; i < t->length; i++)
        sum = (uint8_t)(sum + ((uint8_t *)t)[i]);
    t->checksum = (uint8_t)(t->checksum - sum);
    xenforeignmemory_unmap(b->x->fmem, page, 1);
    return 0;
}

static int put_modules(struct build *b, struct cv_error *err)
{
    char path[XEN_XS_PATH_MAX];

    if (b->dom->acpi_modules[0].guest_addr_out == 0)
        return 0;
    snprintf(path, sizeof path, "/local/domain/%u/hvmloader/acpi/address", b->domid);
    if (xen_xs_printf(b->x, XBT_NULL, err, path, "0x%llx", (unsigned long long)b->dom->acpi_modules[0].guest_addr_out) <
        0)
        return -1;
    snprintf(path, sizeof path, "/local/domain/%u/hvmloader/acpi/length", b->domid);
    return xen_xs_printf(b->x, XBT_NULL, err, path, "0x%x", b->dom->acpi_modules[0].length);
}

static int apply_policy(struct build *b, struct cv_error *err)
{
    const struct cv_domain_spec *s = b->spec;
    struct xen_cpuid chosen;

    if (xen_cpuid_read(b->x, s->cpuid, &chosen, err) < 0)
        return -1;
    int rc =
        xc_cpuid_apply_policy(b->x->xc, b->domid, false, NULL, 0, s->pae,
                              s->tsc_mode == 1 /* always emulate: invariant */, s->nested_hvm, chosen.leaves, NULL);
    if (rc != 0)
        xen_fail(b->x, err, "cannot give the domain its CPU policy%s", *s->cpuid ? " (cpuid)" : "");
    xen_cpuid_dispose(&chosen);
    return rc != 0 ? -1 : 0;
}

static int build(struct build *b, struct cv_error *err)
{
    const struct cv_domain_spec *s = b->spec;

    if (apply_policy(b, err) < 0)
        return -1;
    if (s->viridian != 0 && xc_hvm_param_set(b->x->xc, b->domid, HVM_PARAM_VIRIDIAN, s->viridian) != 0)
        return xen_fail(b->x, err, "cannot set the viridian features");
    /* Of a new guest only: one that is restored may have set its clock, and Xen's context of it says so (RTC), but
     * heeds that only where nobody has set an offset before. */
    if (s->rtc_offset_s != 0 && xc_domain_set_time_offset(b->x->xc, b->domid, (int32_t)s->rtc_offset_s) != 0)
        return xen_fail(b->x, err, "cannot set the time offset");
    if (describe(b, err) < 0 || place(b, err) < 0 || set_info_table(b, err) < 0 || put_modules(b, err) < 0)
        return -1;
    return xen_introduce_rings(b->x, b->domid, b->dom->xenstore_pfn, b->dom->console_pfn, err);
}

int xen_build(struct cv_host *h, uint32_t domid, const struct cv_domain_spec *spec, struct cv_error *err)
{
    struct build b = { .x = xen_host(h), .domid = domid, .spec = spec };

    xc_dom_loginit(b.x->xc);
    b.dom = xc_dom_allocate(b.x->xc, NULL, NULL);
    if (b.dom == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory to build domain %u", domid);
    int rc = build(&b, err);
    xc_dom_release(b.dom);
    free(b.firmware);
    free(b.acpi);
    return rc < 0 ? cv_context(err, "build domain %u", domid) : 0;
}
