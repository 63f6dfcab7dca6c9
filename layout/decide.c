/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decision: roles and ranks, then every emulator's devices and arguments, then the windows for ROM and VRAM. */
#include "layout/cmdline.h"
#include "layout/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm/physmap.h"

#define MIB 1024ULL /* in KiB */

/* Slots 0 and 1 are the chipset's, 2 the platform device's, 3 the VGA card's, in every emulator's machine. */
#define SLOTS_FIXED 0x0000000fu
/* Left to emulators that are attached, when there are any: they choose their own addresses. */
#define SLOTS_ATTACHED 0xff000000u

/* "pc" itself means another machine in each release of QEMU; this one is the same from 7.2 on.  Of its chipset the
 * default emulator alone is asked, so that a secondary one goes without what it can go without: each device costs time
 * when its state is loaded, and the guest waits for that. */
#define MACHINE_SECONDARY "pc-i440fx-7.2,accel=xen,acpi=off,hpet=off,i8042=off,suppress-vmdesc=on"
#define MACHINE_DEFAULT "xenfv,suppress-vmdesc=on"
#define MACHINE_DEFAULT_NO_PLATFORM "pc-i440fx-3.1,accel=xen,suppress-vmdesc=on" /* as xenfv, without the device */

void cv_layout_host_probe(struct cv_layout_host *host)
{
    static const char *const models[] = { "/usr/libexec/xen-qemu-system-i386", "/usr/lib/xen/bin/qemu-system-i386",
                                          "/usr/libexec/xen/bin/qemu-system-i386", "/usr/bin/qemu-system-i386" };
    static const char *const roms[] = { "/usr/lib/ipxe/qemu/efi-e1000.rom", "/usr/share/qemu/efi-e1000.rom",
                                        "/usr/share/qemu-xen/qemu/efi-e1000.rom" };

    *host = (struct cv_layout_host){ .default_model = models[0] };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (access(models[i], X_OK) == 0) {
            host->default_model = models[i];
            break;
        }
    for (size_t i = 0; i < sizeof roms / sizeof *roms; i++)
        host->nic_roms = host->nic_roms || access(roms[i], R_OK) == 0;
}

void cv_decide_fail(struct cv_decide *d, enum cv_code code, const char *fmt, ...)
{
    va_list ap;

    if (d->failed)
        return;
    va_start(ap, fmt);
    cv_vfail(d->err, code, 0, fmt, ap);
    va_end(ap);
    cv_context(d->err, "layout");
    d->failed = true;
}

void cv_decide_arg(struct cv_decide *d, struct cv_layout_dm *dm, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof text)
        cv_decide_fail(d, CV_E_UNSUPPORTED, "an argument of emulator '%s' is too long", dm->name);
    else if (dm->argv.count >= CV_LAYOUT_ARGS_MAX)
        cv_decide_fail(d, CV_E_UNSUPPORTED, "emulator '%s' needs more than %d arguments", dm->name, CV_LAYOUT_ARGS_MAX);
    else
        cv_strings_add(&d->l->pool, &dm->argv, cv_pool_string(&d->l->pool, text));
}

void cv_decide_pair(struct cv_decide *d, struct cv_layout_dm *dm, const char *option, const char *value)
{
    cv_decide_arg(d, dm, "%s", option);
    cv_decide_arg(d, dm, "%s", value);
}

const char *cv_decide_quote(struct cv_decide *d, const char *text)
{
    const char *out = "";

    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        out = cv_pool_printf(&d->l->pool, "%s%.*s%s", out, (int)n, p, p[n] ? ",," : "");
        p += n + (p[n] == ',');
    }
    return out;
}

uint16_t cv_decide_slot(struct cv_decide *d, const char *what)
{
    for (unsigned slot = 0; slot < 32; slot++)
        if (!(d->slots & 1u << slot)) {
            d->slots |= 1u << slot;
            return (uint16_t)(slot << 3);
        }
    cv_decide_fail(d, CV_E_UNSUPPORTED, "no PCI slot is left for %s: the guest's one bus has 32", what);
    return CV_BDF_NONE;
}

struct cv_layout_device *cv_decide_device(struct cv_decide *d, struct cv_layout_dm *dm, enum cv_device_kind kind)
{
    if (dm->device_count == CV_LAYOUT_DEVICES_MAX) {
        cv_decide_fail(d, CV_E_UNSUPPORTED, "emulator '%s' has more than %d devices", dm->name, CV_LAYOUT_DEVICES_MAX);
        return NULL;
    }
    struct cv_layout_device *dev = &dm->devices[dm->device_count++];
    *dev = cv_layout_device_of(kind);
    return dev;
}

/* --- command lines ------------------------------------------------------------------------------------------------ */

static void decide_start(struct cv_decide *d, struct cv_layout_dm *dm)
{
    cv_decide_arg(d, dm, "%s", dm->model);
    cv_decide_pair(d, dm, "-xen-domid", "@{domid}");
    cv_decide_arg(d, dm, "-S");
    cv_decide_arg(d, dm, "-no-shutdown");
    cv_decide_pair(d, dm, "-chardev", "socket,id=convoy,fd=@{qmp-fd},server=on,wait=off");
    cv_decide_pair(d, dm, "-mon", "chardev=convoy,mode=control");
    if (dm->role == CV_DM_DEFAULT) {
        /* xl's own commands look for this one */
        cv_decide_pair(d, dm, "-chardev", "socket,id=libxl-cmd,fd=@{xl-qmp-fd},server=on,wait=off");
        cv_decide_pair(d, dm, "-mon", "chardev=libxl-cmd,mode=control");
    }
    cv_decide_arg(d, dm, "-nodefaults");
    cv_decide_arg(d, dm, "-no-user-config");
    cv_decide_pair(d, dm, "-name", d->c->name);
}

static void decide_display(struct cv_decide *d, struct cv_layout_dm *dm)
{
    const struct cv_guest_config *c = d->c;
    const char *listen = *c->vnclisten ? c->vnclisten : "127.0.0.1";
    unsigned last = c->vncdisplay > 99 ? c->vncdisplay + 99 : 99; /* libxl's, but never below the first */

    if (!(dm->caps & CV_CAP_UI) || !c->vnc || c->vga == CV_VGA_NONE) {
        cv_decide_pair(d, dm, "-vnc", "none");
    } else {
        cv_decide_arg(d, dm, "-vnc");
        const char *to = c->vncunused ? cv_pool_printf(&d->l->pool, ",to=%u", last) : "";
        cv_decide_arg(d, dm, "%s:%u%s%s", listen, c->vncdisplay, *c->vncpasswd ? ",password=on" : "", to);
    }
    cv_decide_pair(d, dm, "-display", "none");
    if ((dm->caps & CV_CAP_UI) && *c->keymap)
        cv_decide_pair(d, dm, "-k", c->keymap);
}

static void decide_boot(struct cv_decide *d, struct cv_layout_dm *dm)
{
    const struct cv_guest_config *c = d->c;

    if (dm->role != CV_DM_DEFAULT)
        return;
    if (*c->kernel)
        cv_decide_pair(d, dm, "-kernel", c->kernel);
    if (*c->ramdisk)
        cv_decide_pair(d, dm, "-initrd", c->ramdisk);
    if (*c->cmdline)
        cv_decide_pair(d, dm, "-append", c->cmdline);
    cv_decide_arg(d, dm, "-boot");
    cv_decide_arg(d, dm, "order=%s", *c->boot ? c->boot : "cda");
}

static void decide_machine(struct cv_decide *d, struct cv_layout_dm *dm, const char *wanted)
{
    const struct cv_guest_config *c = d->c;
    const char *machine = *wanted                       ? wanted
                          : dm->role == CV_DM_SECONDARY ? MACHINE_SECONDARY
                          : c->xen_platform_pci         ? MACHINE_DEFAULT
                                                        : MACHINE_DEFAULT_NO_PLATFORM;

    dm->machine =
        cv_pool_printf(&d->l->pool, "%s%s", machine, !c->acpi && dm->role == CV_DM_DEFAULT ? ",acpi=off" : "");
    cv_decide_pair(d, dm, "-machine", dm->machine);
    bool msi = cv_decide_offers_msi(d, dm);
    if (!msi)
        cv_decide_pair(d, dm, "-cpu", "qemu64,-apic");
    /* Every emulator serves I/O of every vCPU: one that knows fewer would leave the others waiting for ever. */
    if (c->maxvcpus > 1) {
        cv_decide_arg(d, dm, "-smp");
        /* The maximum is what it serves. */
        cv_decide_arg(d, dm, "%u,maxcpus=%u", msi ? c->vcpus : 1, c->maxvcpus);
    }
}

/* ---- the QEMU of a PVH guest ------------------------------------------------------------------------------------- */

/* As libxl decides who serves a disk that says nothing: blkback what is raw, a QEMU the rest. */
static bool needs_backend(const struct cv_guest_config *c)
{
    for (unsigned i = 0; i < c->disk_count; i++) {
        const struct cv_config_disk *d = &c->disks[i];
        bool qdisk = strcmp(d->backend, "qdisk") == 0 || (*d->backend == '\0' && strcmp(d->format, "raw") != 0);
        if (qdisk && *d->script == '\0' && *d->backend_domain == '\0')
            return true;
    }
    return false;
}

static void decide_backend(struct cv_decide *d, struct cv_layout_dm *dm)
{
    dm->name = "qdisk";
    dm->caps = 0;
    dm->machine = CV_MACHINE_BACKEND;
    decide_start(d, dm);
    cv_decide_arg(d, dm, "-xen-attach");
    cv_decide_pair(d, dm, "-vnc", "none");
    cv_decide_pair(d, dm, "-display", "none");
    cv_decide_arg(d, dm, "-nographic");
    cv_decide_pair(d, dm, "-machine", dm->machine);
}

/* ---- a program that is no QEMU ------------------------------------------------------------------------------------
 */

/* docs/emulator-protocol.md 2, in its order.  Its devices are arguments as QEMU's: the place on the bus is ours. */
static void decide_protocol(struct cv_decide *d, struct cv_layout_dm *dm)
{
    dm->machine = CV_MACHINE_PROTOCOL;
    cv_decide_arg(d, dm, "%s", dm->model);
    cv_decide_pair(d, dm, "-xen-domid", "@{domid}");
    cv_decide_arg(d, dm, "-S");
    cv_decide_pair(d, dm, "-chardev", "socket,id=convoy,fd=@{qmp-fd},server=on,wait=off");
    cv_decide_pair(d, dm, "-mon", "chardev=convoy,mode=control");
    cv_decide_pair(d, dm, "-name", d->c->name);
    cv_decide_arg(d, dm, "-smp");
    cv_decide_arg(d, dm, "%u", d->c->maxvcpus);
    cv_decide_raw(d, dm);
}

static void decide_emulator(struct cv_decide *d, unsigned dmid)
{
    const struct cv_config_dm *from = &d->c->dms[dmid];
    struct cv_layout_dm *dm = &d->l->dms[dmid];
    struct cv_pool *pool = &d->l->pool;

    dm->dmid = dmid;
    dm->name = cv_pool_string(pool, from->name);
    dm->role = dmid == 0 ? CV_DM_DEFAULT : from->attach ? CV_DM_ATTACHED : CV_DM_SECONDARY;
    dm->model = cv_pool_string(pool, *from->model ? from->model : d->host->default_model);
    dm->wanted_version = cv_pool_string(pool, from->version);
    dm->version = dm->machine = dm->qmp = "";
    dm->caps = from->caps;
    if (dm->role == CV_DM_ATTACHED) {
        dm->model = "";
        dm->qmp = cv_pool_string(pool, from->qmp);
        dm->pid = from->pid;
        return;
    }
    if (d->c->pvh) {
        decide_backend(d, dm);
        return;
    }
    if (from->protocol) {
        decide_protocol(d, dm);
        for (size_t i = 0; i < from->args.count; i++)
            cv_decide_arg(d, dm, "%s", from->args.items[i]);
        return;
    }
    decide_start(d, dm);
    decide_display(d, dm);
    decide_boot(d, dm);
    cv_decide_vga(d, dm);
    cv_decide_serial(d, dm);
    cv_decide_usb(d, dm);
    cv_decide_audio(d, dm);
    cv_decide_vifs(d, dm);
    cv_decide_disks(d, dm);
    cv_decide_raw(d, dm);
    for (size_t i = 0; i < from->args.count; i++)
        cv_decide_arg(d, dm, "%s", from->args.items[i]);
    decide_machine(d, dm, from->machine);
}

/* --- order and space ---------------------------------------------------------------------------------------------- */

static void decide_ranks(struct cv_decide *d)
{
    for (unsigned i = 0; i < d->l->count; i++)
        for (unsigned k = 0; k < d->l->count; k++)
            d->l->dms[i].rank += d->c->dms[k].rank < d->c->dms[i].rank;
}

/* QEMU 7.2 allocates each block at the next multiple of 256 KiB; a ROM takes its file size rounded up to a power of two
 * (VGA 64 KiB, network boot 256 KiB).  A window costs address space only, so these are upper bounds, not sizes. */
static uint64_t window_kib(const struct cv_decide *d, const struct cv_layout_dm *dm)
{
    uint64_t kib = MIB, raw = 0;

    if (cv_layout_is_backend(dm) || !cv_layout_is_qemu(dm))
        return 0;
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        if (dev->kind == CV_DEV_VGA)
            kib += d->c->videoram_mib * MIB + MIB;
        else if (dev->kind == CV_DEV_RAW)
            raw += MIB;
        else if (dev->kind == CV_DEV_VIF)
            kib += 512;
    }
    unsigned reserve = d->c->dms[dm->dmid].reserve_mib;
    if (dm->role == CV_DM_ATTACHED && reserve == 0)
        reserve = 16;
    kib += reserve ? reserve * MIB : raw;
    return (kib + MIB - 1) / MIB * MIB;
}

/* Where QEMU puts its first block when told -m: xen_ram_init() leaves out the PCI hole when RAM reaches beyond it, and
 * only then. */
static uint64_t block_start(const struct cv_layout *l, uint64_t m_bytes)
{
    struct cv_physmap map = cv_physmap(m_bytes, l->mmio_start);

    return cv_physmap_end(&map);
}

static void decide_windows(struct cv_decide *d)
{
    struct cv_layout *l = d->l;
    uint64_t total = 0, m = l->max_kib << 10;

    for (unsigned i = 0; i < l->count; i++)
        total += window_kib(d, &l->dms[i]) << 10;
    /* A window that reached into the hole would lie where the guest's BARs are: then all go above 4 GiB. */
    if (m + total > l->mmio_start && m <= l->mmio_start)
        m = l->mmio_start + (MIB << 10);
    for (unsigned i = 0; i < l->count; i++) {
        struct cv_layout_dm *dm = &l->dms[i];
        uint64_t bytes = window_kib(d, dm) << 10;
        dm->m_kib = m >> 10;
        dm->window_gfn = block_start(l, m) >> 12;
        dm->window_pages = bytes >> 12;
        l->extra_pages += dm->window_pages;
        m += bytes;
        if (dm->role != CV_DM_ATTACHED && cv_layout_is_qemu(dm)) {
            cv_decide_arg(d, dm, "-m");
            cv_decide_arg(d, dm, "%llu", (unsigned long long)(dm->m_kib / MIB));
        }
    }
}

int cv_layout_decide(const struct cv_guest_config *c, const struct cv_layout_host *host, struct cv_layout *out,
                     struct cv_error *err)
{
    struct cv_decide d = { .c = c, .host = host, .l = out, .slots = SLOTS_FIXED, .err = err };
    uint64_t video_kib = c->videoram_mib * MIB;

    memset(out, 0, sizeof *out);
    out->schema = CV_LAYOUT_SCHEMA;
    out->ram_kib = c->memory_kib - video_kib;
    out->max_kib = c->maxmem_kib - video_kib;
    out->mmio_start = c->pvh ? CV_HOLE_START_PVH : CV_HOLE_START;
    out->vcpus = c->vcpus;
    out->maxvcpus = c->maxvcpus;
    out->vncpasswd = cv_pool_string(&out->pool, c->vncpasswd);
    out->count = c->pvh ? needs_backend(c) : c->dm_count;
    for (unsigned i = 0; i < out->count; i++)
        d.slots |= c->dms[i].attach ? SLOTS_ATTACHED : 0;
    for (unsigned i = 0; i < out->count && !d.failed; i++) {
        d.slots |= i > 0 ? host->default_slots : 0;
        decide_emulator(&d, i);
    }
    decide_ranks(&d);
    if (!d.failed)
        decide_windows(&d);
    if (!d.failed && cv_pool_check(&out->pool, err) == 0 && cv_layout_check(out, err) == 0 &&
        cv_cmdline_check(out, err) == 0)
        return 0;
    cv_layout_dispose(out);
    return -1;
}
