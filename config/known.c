/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key that xl 4.17 to 4.21 reads (tools/xl/xl_parse.c and xl.cfg(5)), and what becomes of it here. */
#include <stdio.h>
#include <string.h>

#include "config/keys.h"

/* Read by guest.c, builtin.c, disk.c, vif.c, owners.c. */
/* clang-format off */
static const char *const known[] = {
    "acpi", "acpi_firmware", "acpi_laptop_slate", "acpi_s3", "acpi_s4", "apic", "bios", "bios_path_override",
    "boot", "builder", "cap", "cmdline", "cpu_weight", "cpuid", "cpus", "cpus_soft", "device_model_args",
    "device_model_args_hvm", "device_model_override", "device_model_version", "device_models", "disk",
    "extra", "firmware", "firmware_override", "hap", "hdtype", "hpet", "hvm_pirq", "kernel", "keymap",
    "localtime", "max_event_channels", "max_grant_frames", "max_maptrack_frames", "maxmem", "maxvcpus",
    "memory", "ms_vm_genid", "name", "nographic", "nomigrate", "nx", "on_crash", "on_poweroff", "on_reboot",
    "on_soft_reset", "on_watchdog", "pae", "pool", "ramdisk", "root", "rtc_timeoffset", "sdl", "serial",
    "shadow_memory", "smbios", "soundhw", "spice", "stdvga", "timer_mode", "tsc_mode", "type", "usb",
    "usbctrl", "usbdevice", "usbversion", "uuid", "vcpus", "vga", "videoram", "vif", "viridian", "vnc",
    "vncdisplay", "vnclisten", "vncpasswd", "vncunused", "vpt_align", "xen_platform_pci"
};
/* clang-format on */

/* Of these nothing is asked: what they tune is not there, or xl itself makes nothing of them. text NULL: no word about
 * it (docs/man/convoy.cfg.5.md lists them), as they say nothing without another key that is refused or off. */
static const struct {
    const char *name, *text, *off;
} idle[] = {
    { "altp2m", "the guest runs, but without alternate page tables: they are no part of a saved guest", "0 disabled" },
    { "altp2mhvm", "the guest runs, but without alternate page tables: they are no part of a saved guest", "0" },
    { "altp2m_count", NULL, "" },
    { "device_model", "xl ignores it, too; device_model_override names another program", "" },
    { "extratime", "it belongs to a scheduler that Xen no longer has", "0" },
    { "latency", "it belongs to a scheduler that Xen no longer has", "0" },
    { "oos", NULL, "" },
    { "vkb_device", "there is no PV keyboard and pointer yet: the guest has the emulated ones", "0" },
    { "vif2", "xl ignores it, too", "" },
    { "vncviewer", "xl ignores it, too: xl vncviewer shows the guest", "0" },
    { "xend_suspend_evtchn_compat", NULL, "" },
    /* say how pci = is done */
    { "pci_permissive", NULL, "" },
    { "pci_msitranslate", NULL, "" },
    { "pci_seize", NULL, "" },
    { "pci_power_mgmt", NULL, "" },
    { "rdm_mem_boundary", NULL, "" },
    /* say how spice = is done */
    { "spicehost", NULL, "" },
    { "spiceport", NULL, "" },
    { "spicetls_port", NULL, "" },
    { "spicepasswd", NULL, "" },
    { "spicedisable_ticketing", NULL, "" },
    { "spiceagent_mouse", NULL, "" },
    { "spicevdagent", NULL, "" },
    { "spice_clipboard_sharing", NULL, "" },
    { "spiceusbredirection", NULL, "" },
    { "spice_image_compression", NULL, "" },
    { "spice_streaming_video", NULL, "" },
    /* say how sdl = is done */
    { "opengl", NULL, "" },
    { "display", NULL, "" },
    { "xauthority", NULL, "" },
    /* say how a guest of another type is built */
    { "bootloader", "an HVM guest boots from its own disk", "" },
    { "bootloader_args", NULL, "" },
    { "bootloader_restrict", NULL, "" },
    { "bootloader_user", NULL, "" },
    { "e820_host", "it is for PV guests", "0" },
    { "device_model_args_pv", NULL, "" },
    { "pvshim", "it is for PVH guests", "0" },
    { "pvshim_path", NULL, "" },
    { "pvshim_cmdline", NULL, "" },
    { "pvshim_extra", NULL, "" },
    /* for Arm */
    { "arm_sci", NULL, "" },
    { "device_tree", NULL, "" },
    { "gic_version", NULL, "" },
    { "llc_colors", NULL, "" },
    { "nr_spis", NULL, "" },
    { "sve", NULL, "" },
    { "tee", NULL, "" },
    { "trap_unmapped_accesses", NULL, "" },
    { "vuart", NULL, "" },
    /* say how device_model_stubdomain_override = is done */
    { "device_model_stubdomain_seclabel", NULL, "" },
    { "stubdomain_kernel", NULL, "" },
    { "stubdomain_cmdline", NULL, "" },
    { "stubdomain_ramdisk", NULL, "" },
    { "stubdomain_memory", NULL, "" },
    { "device_model_user", NULL, "" },
};

static const char passed_through[] = "a guest with passed-through devices can be neither saved nor migrated";
static const char not_yet[] = "PV devices of this kind are not supported yet";
static const char leave_out[] = "leave it out, or keep the guest under xl";
static const char emulated[] = "give the guest an emulated device in its place, or keep it under xl";

/* xl.cfg(5) keys that are understood and refused.  reason NULL: simply not supported.  off: words that switch off what
 * is refused, so that they are harmless; an empty string or list is harmless, too. */
static const struct {
    const char *name, *off, *reason, *advice;
} refused[] = {
    { "pci", "", passed_through, emulated },
    { "gfx_passthru", "0", passed_through, emulated },
    { "dtdev", "", passed_through, emulated },
    { "usbdev", "", passed_through, emulated },
    { "ioports", "", passed_through, emulated },
    { "iomem", "", passed_through, emulated },
    { "irqs", "", passed_through, emulated },
    { "rdm", "strategy=none", "reserved memory is for passed-through devices, and they cannot be saved", leave_out },
    { "passthrough", "disabled", passed_through, "passthrough=\"disabled\" is the default" },
    { "vnuma", "", "Xen cannot save a guest with virtual NUMA", "vcpus, memory and cpus alone give it one node" },
    { "nestedhvm", "0", "nested virtualisation state cannot be saved", "nestedhvm = 0" },
    { "vtpm", "", not_yet, leave_out },
    { "vfb", "", not_yet, "the guest has a console: xl console" },
    { "vkb", "", not_yet, "usbdevice = \"tablet\" is an emulated pointer" },
    { "vsnd", "", not_yet, "soundhw is an emulated card" },
    { "vdispl", "", not_yet, leave_out },
    { "virtio", "", not_yet, leave_out },
    { "p9", "", not_yet, "share the files over the network, or on a disk" },
    { "pvcalls", "", not_yet, leave_out },
    { "channel", "", not_yet, "serial = [ ... ] is an emulated port" },
    { "device_model_stubdomain_override", "0", "emulators in service domains are not supported yet",
      "device_models separates emulators by processes" },
    { "dm_restrict", "0", "secondaries are always restricted, the default emulator never",
      "give its devices to a secondary (device_models)" },
    { "driver_domain", "0", NULL, leave_out },
    { "mmio_hole", "", NULL, leave_out },
    { "seclabel", "", "security labels are not supported", leave_out },
    { "init_seclabel", "", "security labels are not supported", leave_out },
    { "smbios_firmware", "", NULL, leave_out },
    { "vendor_device", "none", NULL, leave_out },
    { "vpmu", "0", NULL, leave_out },
    { "max_grant_version", "2", NULL, leave_out },
    { "msr_relaxed", "0", NULL, leave_out },
    { "mca_caps", "", NULL, leave_out },
    { "period", "0", "the RTDS scheduler's parameters are not supported", "cpu_weight and cap are" },
    { "slice", "0", "the RTDS scheduler's parameters are not supported", "cpu_weight and cap are" },
    { "vmtrace_buf_kb", "0", NULL, leave_out },
    { "xen_platform_pci_bar_uc", "1", NULL, leave_out },
    { "xenstore_feature_mask", "", NULL, leave_out },
    { "xenstore_quota", "", NULL, leave_out },
};

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = words; len > 0 && (p = strstr(p, word)) != NULL; p++)
        if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

/* Is the key's value one that switches off what it would ask for? */
static bool is_off(XLU_Config *cfg, const char *name, const char *off)
{
    XLU_ConfigList *list;
    const char *value;
    int count;

    if (xlu_cfg_get_list(cfg, name, &list, &count, 1) == 0)
        return count == 0;
    return xlu_cfg_get_string(cfg, name, &value, 1) == 0 && (*value == '\0' || has_word(off, value));
}

/* ---- what was meant ---- */

#define NAME_MAX_LEN 40

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Insertions, deletions and changes from a to b; two neighbours that changed places count once. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][NAME_MAX_LEN + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    size_t n = strlen(b);

    if (n > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (unsigned k = 0; k <= n; k++)
        last[k] = k;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        now[0] = i;
        for (unsigned k = 1; k <= n; k++) {
            now[k] = least(least(last[k], now[k - 1]) + 1, last[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], before[k - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n];
}

struct nearest {
    const char *wanted, *name;
    unsigned distance;
};

static void try_name(struct nearest *n, const char *name)
{
    unsigned d = distance(n->wanted, name);

    if (d < n->distance) {
        n->distance = d;
        n->name = name;
    }
}

/* The key of xl's that is most like it; NULL if none is like it: a third of its letters may be wrong. */
static const char *nearest_key(const char *wanted)
{
    struct nearest n = { .wanted = wanted, .distance = (unsigned)strlen(wanted) / 3 + 1 };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        try_name(&n, known[i]);
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        try_name(&n, idle[i].name);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        try_name(&n, refused[i].name);
    return n.name;
}

/* ---- one key ---- */

static bool is_pvh(XLU_Config *cfg)
{
    const char *type;

    return xlu_cfg_get_string(cfg, "type", &type, 1) == 0 && strcmp(type, "pvh") == 0;
}

static void warn_idle(const struct cv_key *key, const char *why, const char *source, struct cv_findings *found)
{
    cv_findings_warn(found, key->name, "%s:%u: %s: has no effect: %s", source, key->line, key->name, why);
}

static void warn_unknown(const struct cv_key *key, const char *source, struct cv_findings *found)
{
    const char *like = nearest_key(key->name);

    cv_findings_warn(found, key->name, "%s:%u: %s: unknown key, ignored (as by xl)%s%s%s", source, key->line, key->name,
                     like != NULL ? ": did you mean " : "", like != NULL ? like : "", like != NULL ? "?" : "");
}

static void refuse(const struct cv_key *key, size_t i, const char *source, struct cv_findings *found)
{
    struct cv_error err = CV_ERROR_INIT;
    const char *why = refused[i].reason != NULL ? refused[i].reason : "xl knows this key, convoy does not support it";

    cv_fail(&err, CV_E_UNSUPPORTED, 0, "%s:%u: %s: %s", source, key->line, key->name, why);
    cv_findings_add(found, key->name, &err, refused[i].advice);
}

static void check_key(const struct cv_key *key, XLU_Config *cfg, const char *source, struct cv_findings *found)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key->name, known[i]) == 0)
            return;
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        if (strcmp(key->name, idle[i].name) != 0)
            continue;
        if (idle[i].text != NULL && !is_off(cfg, key->name, idle[i].off))
            warn_idle(key, idle[i].text, source, found);
        return;
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (strcmp(key->name, refused[i].name) != 0)
            continue;
        if (is_off(cfg, key->name, refused[i].off))
            return;
        if (strcmp(key->name, "vfb") == 0 && !is_pvh(cfg))
            warn_idle(key, "xl gives it to other guests only: vnc = 1 shows the emulated card", source, found);
        else
            refuse(key, i, source, found);
        return;
    }
    warn_unknown(key, source, found);
}

void cv_keys_check(const struct cv_keys *keys, XLU_Config *cfg, const char *source, struct cv_findings *found)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct cv_key *key = &keys->items[i];
        if (key->before != 0)
            cv_findings_warn(found, key->name, "%s:%u: %s: assigned on line %u already; this later value counts",
                             source, key->line, key->name, key->before);
        check_key(key, cfg, source, found);
    }
}
