/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/keys.h"

#include <ctype.h>
#include <string.h>

#define KEYS_MAX 512

static const char *const known[] = {
    "acpi", "acpi_s3", "acpi_s4", "apic", "bios", "bios_path_override", "boot", "builder", "cmdline", "device_model_args",
    "device_model_args_hvm", "device_model_override", "device_model_version", "device_models", "disk", "extra",
    "firmware", "firmware_override", "hap", "hdtype", "hpet", "hvm_pirq", "kernel", "keymap", "localtime",
    "max_grant_frames", "max_maptrack_frames", "maxmem", "maxvcpus", "memory", "name", "nographic", "nomigrate", "nx",
    "on_crash", "on_poweroff", "on_reboot", "on_soft_reset", "on_watchdog", "pae", "ramdisk", "root", "rtc_timeoffset",
    "sdl", "serial", "shadow_memory", "soundhw", "spice", "stdvga", "tsc_mode", "type", "usb", "usbdevice", "usbversion",
    "uuid", "vcpus", "vga", "videoram", "vif", "viridian", "vnc", "vncdisplay", "vnclisten", "vncpasswd", "vncunused",
    "xen_platform_pci",
};

/* xl.cfg(5) keys that are understood and refused; reason NULL: simply not supported. */
static const struct {
    const char *name, *reason;
} refused[] = {
    { "pci", "a guest with passed-through devices can be neither saved nor migrated" },
    { "gfx_passthru", "a guest with passed-through devices can be neither saved nor migrated" },
    { "dtdev", "a guest with passed-through devices can be neither saved nor migrated" },
    { "rdm", "a guest with passed-through devices can be neither saved nor migrated" },
    { "usbdev", "a guest with passed-through devices can be neither saved nor migrated" },
    { "ioports", "a guest with passed-through devices can be neither saved nor migrated" },
    { "iomem", "a guest with passed-through devices can be neither saved nor migrated" },
    { "irqs", "a guest with passed-through devices can be neither saved nor migrated" },
    { "vnuma", "Xen cannot save a guest with virtual NUMA" },
    { "nestedhvm", "nested virtualisation state cannot be saved" },
    { "vtpm", "PV devices are not supported yet" },
    { "vfb", "PV devices are not supported yet" },
    { "vkb", "PV devices are not supported yet" },
    { "vkb_device", "PV devices are not supported yet" },
    { "vsnd", "PV devices are not supported yet" },
    { "vdispl", "PV devices are not supported yet" },
    { "p9", "PV devices are not supported yet" },
    { "pvcalls", "PV devices are not supported yet" },
    { "channel", "PV devices are not supported yet" },
    { "usbctrl", "PV devices are not supported yet" },
    { "bootloader", "it is for PV guests" },
    { "device_model_stubdomain_override", "emulators in service domains are not supported yet" },
    { "dm_restrict", "secondaries are always restricted, the default emulator never" },
    { "altp2m", NULL }, { "altp2mhvm", NULL }, { "cap", NULL }, { "claim_mode", NULL }, { "cpu_weight", NULL },
    { "cpuid", NULL }, { "cpus", NULL }, { "cpus_soft", NULL }, { "driver_domain", NULL }, { "mmio_hole", NULL },
    { "ms_vm_genid", NULL }, { "oos", NULL }, { "passthrough", NULL }, { "pool", NULL }, { "seclabel", NULL },
    { "smbios", NULL }, { "smbios_firmware", NULL }, { "acpi_firmware", NULL }, { "acpi_laptop_slate", NULL },
    { "timer_mode", NULL }, { "vendor_device", NULL }, { "vpt_align", NULL }, { "vpmu", NULL },
    { "max_event_channels", NULL }, { "max_grant_version", NULL }, { "device_model_user", NULL }, { "msr_relaxed", NULL },
    { "device_model_args_pv", NULL }, { "tsc_khz", NULL }, { "description", NULL },
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
        while (s.p < s.end && (islower((unsigned char)*s.p) || isdigit((unsigned char)*s.p) || *s.p == '_' || *s.p == '.'))
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

static int check_key(const struct cv_key *key, const char *source, struct cv_error *err)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key->name, known[i]) == 0)
            return 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (strcmp(key->name, refused[i].name) != 0)
            continue;
        const char *why = refused[i].reason != NULL ? refused[i].reason : "xl knows this key, convoy does not support it";
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "%s:%u: %s: %s", source, key->line, key->name, why);
    }
    return cv_fail(err, CV_E_INVALID, 0, "%s:%u: %s: unknown key", source, key->line, key->name);
}

int cv_keys_check(const struct cv_keys *keys, const char *source, struct cv_error *err)
{
    for (size_t i = 0; i < keys->count; i++)
        if (check_key(&keys->items[i], source, err) < 0)
            return -1;
    return 0;
}
