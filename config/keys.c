/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/keys.h"

#include <ctype.h>
#include <string.h>

#define KEYS_MAX 512

static const char *const known[] = {
    "acpi",
    "acpi_firmware",
    "acpi_s3",
    "acpi_s4",
    "apic",
    "bios",
    "bios_path_override",
    "boot",
    "builder",
    "cmdline",
    "cpus",
    "device_model_args",
    "device_model_args_hvm",
    "device_model_override",
    "device_model_version",
    "device_models",
    "disk",
    "extra",
    "firmware",
    "firmware_override",
    "hap",
    "hdtype",
    "hpet",
    "hvm_pirq",
    "kernel",
    "keymap",
    "localtime",
    "max_event_channels",
    "max_grant_frames",
    "max_maptrack_frames",
    "maxmem",
    "maxvcpus",
    "memory",
    "name",
    "nographic",
    "nomigrate",
    "nx",
    "on_crash",
    "on_poweroff",
    "on_reboot",
    "on_soft_reset",
    "on_watchdog",
    "pae",
    "ramdisk",
    "root",
    "rtc_timeoffset",
    "sdl",
    "serial",
    "shadow_memory",
    "soundhw",
    "spice",
    "stdvga",
    "timer_mode",
    "tsc_mode",
    "type",
    "usb",
    "usbdevice",
    "usbversion",
    "uuid",
    "vcpus",
    "vga",
    "videoram",
    "vif",
    "viridian",
    "vnc",
    "vncdisplay",
    "vnclisten",
    "vncpasswd",
    "vncunused",
    "vpt_align",
    "xen_platform_pci",
};

static const char passed_through[] = "a guest with passed-through devices can be neither saved nor migrated";
static const char pv_device[] = "PV devices are not supported yet";
static const char pv_guest[] = "it is for PV or PVH guests";
static const char service_domain[] = "emulators in service domains are not supported yet";
static const char no_spice[] = "only vnc is supported";

/* xl.cfg(5) keys that are understood and refused.  reason NULL: simply not supported.  off: words that switch off what
 * is refused, so that they are harmless; an empty string or list is harmless, too. */
static const struct {
    const char *name, *reason, *off;
} refused[] = {
    { "pci", passed_through, "" },
    { "pci_permissive", passed_through, "0" },
    { "pci_msitranslate", passed_through, "0" },
    { "pci_seize", passed_through, "0" },
    { "pci_power_mgmt", passed_through, "0" },
    { "gfx_passthru", passed_through, "0" },
    { "dtdev", passed_through, "" },
    { "rdm", passed_through, "" },
    { "rdm_mem_boundary", passed_through, "" },
    { "usbdev", passed_through, "" },
    { "usbctrl", passed_through, "" },
    { "ioports", passed_through, "" },
    { "iomem", passed_through, "" },
    { "irqs", passed_through, "" },
    { "passthrough", passed_through, "disabled" },
    { "vnuma", "Xen cannot save a guest with virtual NUMA", "" },
    { "nestedhvm", "nested virtualisation state cannot be saved", "0" },
    { "vtpm", pv_device, "" },
    { "vfb", pv_device, "" },
    { "vkb", pv_device, "" },
    { "vkb_device", pv_device, "0" },
    { "vsnd", pv_device, "" },
    { "vdispl", pv_device, "" },
    { "virtio", pv_device, "" },
    { "p9", pv_device, "" },
    { "pvcalls", pv_device, "" },
    { "channel", pv_device, "" },
    { "bootloader", pv_guest, "" },
    { "bootloader_args", pv_guest, "" },
    { "e820_host", pv_guest, "0" },
    { "device_model_args_pv", pv_guest, "" },
    { "pvh", pv_guest, "0" },
    { "pvshim", pv_guest, "0" },
    { "pvshim_path", pv_guest, "" },
    { "pvshim_cmdline", pv_guest, "" },
    { "pvshim_extra", pv_guest, "" },
    { "device_model_stubdomain_override", service_domain, "0" },
    { "device_model_stubdomain_seclabel", service_domain, "" },
    { "stubdomain_kernel", service_domain, "" },
    { "stubdomain_cmdline", service_domain, "" },
    { "stubdomain_ramdisk", service_domain, "" },
    { "stubdomain_memory", service_domain, "" },
    { "dm_restrict", "secondaries are always restricted, the default emulator never", "0" },
    { "opengl", no_spice, "0" },
    { "display", no_spice, "" },
    { "xauthority", no_spice, "" },
    { "spicehost", no_spice, "" },
    { "spiceport", no_spice, "0" },
    { "spicetls_port", no_spice, "0" },
    { "spicepasswd", no_spice, "" },
    { "spicedisable_ticketing", no_spice, "0" },
    { "spiceagent_mouse", no_spice, "0" },
    { "spicevdagent", no_spice, "0" },
    { "spice_clipboard_sharing", no_spice, "0" },
    { "spiceusbredirection", no_spice, "0" },
    { "spice_image_compression", no_spice, "" },
    { "spice_streaming_video", no_spice, "" },
    { "altp2m", NULL, "0 disabled" },
    { "altp2mhvm", NULL, "0" },
    { "cap", NULL, "0" },
    { "claim_mode", NULL, "" },
    { "cpu_weight", NULL, "" },
    { "cpuid", NULL, "" },
    { "cpus_soft", NULL, "all" },
    { "driver_domain", NULL, "0" },
    { "mmio_hole", NULL, "" },
    { "ms_vm_genid", NULL, "none" },
    { "oos", NULL, "0" },
    { "pool", NULL, "" },
    { "seclabel", NULL, "" },
    { "init_seclabel", NULL, "" },
    { "smbios", NULL, "" },
    { "smbios_firmware", NULL, "" },
    { "acpi_laptop_slate", NULL, "0" },
    { "vendor_device", NULL, "none" },
    { "vpmu", NULL, "0" },
    { "max_grant_version", NULL, "2" },
    { "device_model_user", NULL, "" },
    { "msr_relaxed", NULL, "0" },
    { "tsc_khz", NULL, "" },
    { "description", NULL, "" },
    { "mca_caps", NULL, "" },
    { "vmtrace_buf_kb", NULL, "0" },
    { "xend_suspend_evtchn_compat", NULL, "0" },
    { "device_tree", NULL, "" },
    { "tee", NULL, "none" },
    { "gic_version", NULL, "" },
    { "vuart", NULL, "" },
};

struct scan {
    const char *p, *end;
    unsigned line;
};

static void skip_string(struct scan *s)
{
    char quote = *s->p++;

    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        s->p++;
    }
    if (s->p < s->end)
        s->p++;
}

/* To the end of a statement: a newline or ';' outside of brackets and strings. */
static void skip_statement(struct scan *s)
{
    unsigned depth = 0;

    while (s->p < s->end) {
        char ch = *s->p;
        if (ch == '\'' || ch == '"') {
            skip_string(s);
            continue;
        }
        if (ch == '#') {
            while (s->p < s->end && *s->p != '\n')
                s->p++;
            continue;
        }
        s->p++;
        if (ch == '\n')
            s->line++;
        if (ch == '[')
            depth++;
        else if (ch == ']' && depth > 0)
            depth--;
        else if (depth == 0 && (ch == '\n' || ch == ';'))
            return;
    }
}

static int add_key(struct cv_pool *pool, struct cv_keys *keys, const char *name, unsigned line, bool again,
                   const char *source, struct cv_error *err)
{
    unsigned before = cv_keys_line(keys, name);

    if (before != 0 && !again)
        return cv_fail(err, CV_E_INVALID, 0, "%s:%u: %s: already assigned on line %u", source, line, name, before);
    if (before != 0)
        return 0;
    if (keys->count == KEYS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "%s:%u: more than %d keys", source, line, KEYS_MAX);
    keys->items[keys->count++] = (struct cv_key){ name, line };
    return cv_pool_check(pool, err);
}

int cv_keys_scan(struct cv_pool *pool, const char *text, size_t len, const char *source, struct cv_keys *out,
                 struct cv_error *err)
{
    struct scan s = { text, text + len, 1 };

    *out = (struct cv_keys){ .items = cv_pool_zalloc(pool, KEYS_MAX, sizeof *out->items) };
    if (out->items == NULL)
        return cv_pool_check(pool, err);
    while (s.p < s.end) {
        if (!islower((unsigned char)*s.p)) {
            if (strchr(" \t\r", *s.p) != NULL && *s.p != '\0')
                s.p++;
            else
                skip_statement(&s);
            continue;
        }
        const char *start = s.p;
        while (s.p < s.end &&
               (islower((unsigned char)*s.p) || isdigit((unsigned char)*s.p) || *s.p == '_' || *s.p == '.'))
            s.p++;
        const char *name = cv_pool_stringn(pool, start, (size_t)(s.p - start));
        unsigned line = s.line;
        while (s.p < s.end && (*s.p == ' ' || *s.p == '\t'))
            s.p++;
        bool add = s.p < s.end && *s.p == '+';
        skip_statement(&s);
        if (add_key(pool, out, name, line, add, source, err) < 0)
            return -1;
    }
    return 0;
}

unsigned cv_keys_line(const struct cv_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].name, name) == 0)
            return keys->items[i].line;
    return 0;
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = words; (p = strstr(p, word)) != NULL; p++)
        if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

/* Is the key's value one that switches off what is refused? */
static bool is_off(XLU_Config *cfg, const char *name, const char *off)
{
    XLU_ConfigList *list;
    const char *value;
    int count;

    if (xlu_cfg_get_list(cfg, name, &list, &count, 1) == 0)
        return count == 0;
    return xlu_cfg_get_string(cfg, name, &value, 1) == 0 && (*value == '\0' || has_word(off, value));
}

static int check_key(const struct cv_key *key, XLU_Config *cfg, const char *source, struct cv_error *err)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key->name, known[i]) == 0)
            return 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (strcmp(key->name, refused[i].name) != 0)
            continue;
        if (is_off(cfg, key->name, refused[i].off))
            return 0;
        const char *why =
            refused[i].reason != NULL ? refused[i].reason : "xl knows this key, convoy does not support it";
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "%s:%u: %s: %s", source, key->line, key->name, why);
    }
    return cv_fail(err, CV_E_INVALID, 0, "%s:%u: %s: unknown key", source, key->line, key->name);
}

int cv_keys_check(const struct cv_keys *keys, XLU_Config *cfg, const char *source, struct cv_error *err)
{
    for (size_t i = 0; i < keys->count; i++)
        if (check_key(&keys->items[i], cfg, source, err) < 0)
            return -1;
    return 0;
}
