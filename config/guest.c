/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain itself is: name, memory, vCPUs, kernel, platform switches, actions. */
#include <ctype.h>
#include <string.h>
#include <uuid/uuid.h>

#include "config/reader.h"

#define HVM_VCPUS_MAX 128     /* Xen: HVM_MAX_VCPUS */
#define MEMORY_MIB_MAX (16LL * 1024 * 1024)

static int read_name(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;

    c->name = "";
    if (cv_reader_string(r, "name", &c->name, err) < 0)
        return -1;
    if (c->name[0] == '\0')
        return cv_reader_fail(r, "name", CV_E_INVALID, err, "a guest needs a name");
    if (strlen(c->name) > 60 || isdigit((unsigned char)c->name[0]))
        return cv_reader_fail(r, "name", CV_E_INVALID, err, "must begin with no digit and have at most 60 characters");
    for (const char *p = c->name; *p; p++)
        if (!isalnum((unsigned char)*p) && strchr("+-._", *p) == NULL)
            return cv_reader_fail(r, "name", CV_E_INVALID, err, "the character '%c' is not allowed in a name", *p);
    return 0;
}

static int read_uuid(struct cv_reader *r, struct cv_error *err)
{
    const char *text = NULL;

    if (cv_reader_string(r, "uuid", &text, err) < 0)
        return -1;
    if (text == NULL) {
        uuid_generate(r->c->uuid);
        r->c->uuid_generated = true;
        return 0;
    }
    if (uuid_parse(text, r->c->uuid) != 0)
        return cv_reader_fail(r, "uuid", CV_E_INVALID, err, "'%s' is not a UUID", text);
    return 0;
}

static int read_type(struct cv_reader *r, struct cv_error *err)
{
    const char *type = "", *builder = "";

    if (cv_reader_string(r, "type", &type, err) < 0 || cv_reader_string(r, "builder", &builder, err) < 0)
        return -1;
    if (*type && strcmp(type, "hvm") != 0)
        return cv_reader_fail(r, "type", CV_E_UNSUPPORTED, err, "'%s': convoy serves HVM guests only (type=\"hvm\")", type);
    if (*builder && strcmp(builder, "hvm") != 0)
        return cv_reader_fail(r, "builder", CV_E_UNSUPPORTED, err, "'%s': convoy serves HVM guests only", builder);
    if (!*type && !*builder)
        return cv_reader_fail(r, "type", CV_E_UNSUPPORTED, err,
                              "not given, which means a PV guest: convoy serves HVM guests only (type=\"hvm\")");
    return 0;
}

static int read_sizes(struct cv_reader *r, struct cv_error *err)
{
    long long memory = 0, maxmem = 0, vcpus = 1, maxvcpus = 0, shadow = 0, grants = 0, maptrack = 0;

    if (cv_reader_number(r, "memory", 4, MEMORY_MIB_MAX, &memory, err) < 0 ||
        cv_reader_number(r, "maxmem", 4, MEMORY_MIB_MAX, &maxmem, err) < 0 ||
        cv_reader_number(r, "vcpus", 1, HVM_VCPUS_MAX, &vcpus, err) < 0 ||
        cv_reader_number(r, "maxvcpus", 1, HVM_VCPUS_MAX, &maxvcpus, err) < 0 ||
        cv_reader_number(r, "shadow_memory", 1, MEMORY_MIB_MAX, &shadow, err) < 0 ||
        cv_reader_number(r, "max_grant_frames", 1, 1 << 20, &grants, err) < 0 ||
        cv_reader_number(r, "max_maptrack_frames", 1, 1 << 20, &maptrack, err) < 0)
        return -1;
    if (memory == 0 && maxmem == 0)
        return cv_reader_fail(r, "memory", CV_E_INVALID, err, "a guest needs memory");
    if (memory == 0)
        memory = maxmem;
    if (maxmem == 0)
        maxmem = memory;
    if (maxmem < memory)
        return cv_reader_fail(r, "maxmem", CV_E_INVALID, err, "%lld is less than memory = %lld", maxmem, memory);
    if (maxvcpus == 0)
        maxvcpus = vcpus;
    if (maxvcpus < vcpus)
        return cv_reader_fail(r, "maxvcpus", CV_E_INVALID, err, "%lld is less than vcpus = %lld", maxvcpus, vcpus);
    r->c->memory_kib = (uint64_t)memory << 10;
    r->c->maxmem_kib = (uint64_t)maxmem << 10;
    r->c->shadow_memory_kib = (uint64_t)shadow << 10;
    r->c->vcpus = (unsigned)vcpus;
    r->c->maxvcpus = (unsigned)maxvcpus;
    r->c->max_grant_frames = (unsigned)grants;
    r->c->max_maptrack_frames = (unsigned)maptrack;
    return 0;
}

static int read_boot(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const char *root = "", *extra = "";

    c->kernel = c->ramdisk = c->cmdline = c->boot = "";
    if (cv_reader_string(r, "kernel", &c->kernel, err) < 0 || cv_reader_string(r, "ramdisk", &c->ramdisk, err) < 0 ||
        cv_reader_string(r, "cmdline", &c->cmdline, err) < 0 || cv_reader_string(r, "root", &root, err) < 0 ||
        cv_reader_string(r, "extra", &extra, err) < 0 || cv_reader_string(r, "boot", &c->boot, err) < 0)
        return -1;
    c->kernel = cv_reader_absolute(r, c->kernel);
    c->ramdisk = cv_reader_absolute(r, c->ramdisk);
    if (*c->cmdline && (*root || *extra))
        return cv_reader_fail(r, *root ? "root" : "extra", CV_E_INVALID, err, "cannot be given together with cmdline");
    if (*root || *extra)
        c->cmdline = cv_pool_printf(&c->pool, "%s%s%s%s", *root ? "root=" : "", root, *root && *extra ? " " : "", extra);
    if (!*c->kernel && *c->ramdisk)
        return cv_reader_fail(r, "ramdisk", CV_E_INVALID, err, "is of no use without kernel");
    if (!*c->kernel && *c->cmdline)
        return cv_reader_fail(r, *root ? "root" : *extra ? "extra" : "cmdline", CV_E_INVALID, err,
                              "is of no use without kernel");
    for (const char *p = c->boot; *p; p++)
        if (strchr("acdn", *p) == NULL || strchr(p + 1, *p) != NULL)
            return cv_reader_fail(r, "boot", CV_E_INVALID, err, "'%s' must have each of a, c, d, n at most once", c->boot);
    return 0;
}

static int read_firmware(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const char *bios = "", *firmware = "", *version = "";

    c->firmware = c->bios_path = "";
    if (cv_reader_string(r, "bios", &bios, err) < 0 || cv_reader_string(r, "firmware", &firmware, err) < 0 ||
        cv_reader_string(r, "bios_path_override", &c->bios_path, err) < 0 ||
        cv_reader_string(r, "firmware_override", &c->firmware, err) < 0 ||
        cv_reader_string(r, "device_model_version", &version, err) < 0)
        return -1;
    c->firmware = cv_reader_absolute(r, c->firmware);
    c->bios_path = cv_reader_absolute(r, c->bios_path);
    if (*bios && strcmp(bios, "seabios") != 0)
        return cv_reader_fail(r, "bios", CV_E_UNSUPPORTED, err, "'%s': only seabios is supported", bios);
    if (*firmware && strcmp(firmware, "seabios") != 0 && strcmp(firmware, "bios") != 0)
        return cv_reader_fail(r, "firmware", CV_E_UNSUPPORTED, err, "'%s': only seabios is supported", firmware);
    if (*version && strcmp(version, "qemu-xen") != 0)
        return cv_reader_fail(r, "device_model_version", CV_E_UNSUPPORTED, err, "'%s': only qemu-xen is supported", version);
    return 0;
}

static int read_switches(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const struct {
        const char *key;
        bool *value;
        bool standard;        /* libxl's defaults */
    } switches[] = {
        { "acpi", &c->acpi, true }, { "apic", &c->apic, true }, { "pae", &c->pae, true }, { "nx", &c->nx, true },
        { "hap", &c->hap, true }, { "hpet", &c->hpet, true }, { "acpi_s3", &c->acpi_s3, true },
        { "acpi_s4", &c->acpi_s4, true }, { "xen_platform_pci", &c->xen_platform_pci, true },
        { "hvm_pirq", &c->hvm_pirq, false }, { "nomigrate", &c->nomigrate, false }, { "localtime", &c->localtime, false },
    };

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        *switches[i].value = switches[i].standard;
        if (cv_reader_bool(r, switches[i].key, switches[i].value, err) < 0)
            return -1;
    }
    long long offset = 0;
    if (cv_reader_number(r, "rtc_timeoffset", -0x7fffffffLL, 0x7fffffffLL, &offset, err) < 0)
        return -1;
    c->rtc_timeoffset = offset;
    return 0;
}

static int read_tsc_mode(struct cv_reader *r, struct cv_error *err)
{
    static const char *const words[] = { "default", "always_emulate", "native" };
    const char *text = "default";

    if (cv_reader_string(r, "tsc_mode", &text, err) < 0)
        return -1;
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0 || (text[0] == (char)('0' + i) && text[1] == '\0')) {
            r->c->tsc_mode = (enum cv_tsc_mode)i;
            return 0;
        }
    return cv_reader_fail(r, "tsc_mode", CV_E_INVALID, err, "'%s' must be default, always_emulate or native", text);
}

/* Bits of HVM_PARAM_VIRIDIAN; groups and the boolean's meaning as in libxl. */
static int read_viridian(struct cv_reader *r, struct cv_error *err)
{
    enum { BASE = 1, NO_FREQ = 2, FREQ = 1 << 30 };
    static const struct {
        const char *name;
        uint64_t bits;
    } groups[] = {
        { "base", BASE }, { "freq", FREQ }, { "time_ref_count", 4 }, { "reference_tsc", 8 },
        { "hcall_remote_tlb_flush", 16 }, { "apic_assist", 32 }, { "crash_ctl", 64 }, { "synic", 128 },
        { "stimer", 256 | 4 | 128 }, { "hcall_ipi", 512 }, { "ex_processor_masks", 1024 }, { "no_vp_limit", 2048 },
        { "cpu_hotplug", 4096 }, { "defaults", BASE | FREQ | 4 | 32 | 64 }, { "1", BASE | FREQ | 4 | 32 | 64 }, { "0", 0 },
    };
    struct cv_strings words = { 0 };
    uint64_t bits = 0;

    if (cv_reader_strings(r, "viridian", &words, err) < 0)
        return -1;
    for (size_t w = 0; w < words.count; w++) {
        const char *word = words.items[w];
        bool drop = word[0] == '!', found = false;
        for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
            if (strcmp(word + drop, groups[i].name) == 0) {
                bits = drop ? bits & ~groups[i].bits : bits | groups[i].bits;
                found = true;
            }
        if (!found)
            return cv_reader_fail(r, "viridian", CV_E_INVALID, err, "unknown group '%s'", word);
    }
    if (bits != 0 && !(bits & BASE))
        return cv_reader_fail(r, "viridian", CV_E_INVALID, err, "group base is needed by the others");
    r->c->viridian = bits == 0 ? 0 : (bits & FREQ) ? bits & ~(uint64_t)FREQ : bits | NO_FREQ;
    return 0;
}

static int read_action(struct cv_reader *r, const char *key, enum cv_action standard, enum cv_action *out,
                       struct cv_error *err)
{
    static const char *const words[] = { "destroy", "restart", "rename-restart", "preserve", "coredump-destroy",
                                         "coredump-restart", "soft-reset" };
    const char *text = words[standard];

    if (cv_reader_string(r, key, &text, err) < 0)
        return -1;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum cv_action)i;
            return 0;
        }
    return cv_reader_fail(r, key, CV_E_INVALID, err, "unknown action '%s'", text);
}

int cv_config_read_guest(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;

    if (read_type(r, err) < 0 || read_name(r, err) < 0 || read_uuid(r, err) < 0 || read_sizes(r, err) < 0 ||
        read_boot(r, err) < 0 || read_firmware(r, err) < 0 || read_switches(r, err) < 0 || read_tsc_mode(r, err) < 0 ||
        read_viridian(r, err) < 0)
        return -1;
    if (read_action(r, "on_poweroff", CV_ACTION_DESTROY, &c->on_poweroff, err) < 0 ||
        read_action(r, "on_reboot", CV_ACTION_RESTART, &c->on_reboot, err) < 0 ||
        read_action(r, "on_crash", CV_ACTION_DESTROY, &c->on_crash, err) < 0 ||
        read_action(r, "on_watchdog", CV_ACTION_DESTROY, &c->on_watchdog, err) < 0 ||
        read_action(r, "on_soft_reset", CV_ACTION_SOFT_RESET, &c->on_soft_reset, err) < 0)
        return -1;
    return 0;
}
