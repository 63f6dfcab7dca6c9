/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain itself is: name, memory, vCPUs, kernel, platform switches, actions. */
#include <libxl.h>
#include <string.h>
#include <uuid/uuid.h>

#include "base/cpuset.h"
#include "config/reader.h"

#define HVM_VCPUS_MAX 128 /* Xen: HVM_MAX_VCPUS */
#define SMBIOS_OEM_MAX 99 /* hvmloader looks at so many */
#define MEMORY_MIB_MAX (16LL * 1024 * 1024)

static int read_name(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;

    c->name = "";
    if (cv_reader_string(r, "name", &c->name, err) < 0)
        return -1;
    const char *why = cv_config_name_refusal(c->name);
    if (*why)
        return cv_reader_fail(r, "name", CV_E_INVALID, err, "'%.80s': %s", c->name, why);
    return 0;
}

static int read_uuid(struct cv_config_reader *r, struct cv_error *err)
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

static int read_type(struct cv_config_reader *r, struct cv_error *err)
{
    const char *type = "", *builder = "";

    if (cv_reader_string(r, "type", &type, err) < 0 || cv_reader_string(r, "builder", &builder, err) < 0)
        return -1;
    r->c->pvh = strcmp(type, "pvh") == 0;
    if (*type && strcmp(type, "hvm") != 0 && !r->c->pvh)
        return cv_reader_fail(r, "type", CV_E_UNSUPPORTED, err, "'%s': convoy serves HVM and PVH guests only", type);
    if (*builder && strcmp(builder, "hvm") != 0)
        return cv_reader_fail(r, "builder", CV_E_UNSUPPORTED, err, "'%s': convoy serves HVM guests only", builder);
    if (!*type && !*builder)
        return cv_reader_fail(r, "type", CV_E_UNSUPPORTED, err,
                              "not given, which means a PV guest: convoy serves HVM and PVH guests only");
    return 0;
}

static int read_memory(struct cv_config_reader *r, struct cv_error *err)
{
    long long memory = 0, maxmem = 0, shadow = 0;

    if (cv_reader_number(r, "memory", 4, MEMORY_MIB_MAX, &memory, err) < 0 ||
        cv_reader_number(r, "maxmem", 4, MEMORY_MIB_MAX, &maxmem, err) < 0 ||
        cv_reader_number(r, "shadow_memory", 1, MEMORY_MIB_MAX, &shadow, err) < 0)
        return -1;
    if (memory == 0 && maxmem == 0)
        return cv_reader_fail(r, "memory", CV_E_INVALID, err, "a guest needs memory");
    if (memory == 0)
        memory = maxmem;
    if (maxmem == 0)
        maxmem = memory;
    r->c->memory_kib = (uint64_t)memory << 10;
    r->c->maxmem_kib = (uint64_t)maxmem << 10;
    r->c->shadow_memory_kib = (uint64_t)shadow << 10;
    if (maxmem < memory)
        return cv_reader_fail(r, "maxmem", CV_E_INVALID, err, "%lld is less than memory = %lld", maxmem, memory);
    return 0;
}

static int read_vcpus(struct cv_config_reader *r, struct cv_error *err)
{
    long long vcpus = 1, maxvcpus = 0;

    if (cv_reader_number(r, "vcpus", 1, HVM_VCPUS_MAX, &vcpus, err) < 0 ||
        cv_reader_number(r, "maxvcpus", 1, HVM_VCPUS_MAX, &maxvcpus, err) < 0)
        return -1;
    if (maxvcpus == 0)
        maxvcpus = vcpus;
    r->c->vcpus = (unsigned)vcpus;
    r->c->maxvcpus = (unsigned)maxvcpus;
    if (maxvcpus < vcpus)
        return cv_reader_fail(r, "maxvcpus", CV_E_INVALID, err, "%lld is less than vcpus = %lld", maxvcpus, vcpus);
    return 0;
}

static int read_limits(struct cv_config_reader *r, struct cv_error *err)
{
    long long grants = 0, maptrack = 0, channels = 0;

    if (cv_reader_number(r, "max_grant_frames", 1, 1 << 20, &grants, err) < 0 ||
        cv_reader_number(r, "max_maptrack_frames", 1, 1 << 20, &maptrack, err) < 0 ||
        cv_reader_number(r, "max_event_channels", 1, 0x7fffffff, &channels, err) < 0)
        return -1;
    r->c->max_grant_frames = (unsigned)grants;
    r->c->max_maptrack_frames = (unsigned)maptrack;
    r->c->max_event_channels = (unsigned)channels;
    return 0;
}

/* Set on the domain's vCPUs by the host (base/cpuset.h); which CPUs there are is known there only. */
static int read_affinity(struct cv_config_reader *r, const char *key, const char **out, struct cv_error *err)
{
    struct cv_strings words = { 0 };
    XLU_ConfigList *list;
    struct cv_cpuset set;
    int count = -1;

    *out = "";
    if (xlu_cfg_get_list(r->cfg, key, &list, &count, 1) != 0)
        count = -1;
    if (cv_reader_strings(r, key, &words, err) < 0)
        return -1;
    for (size_t i = 0; i < words.count; i++) {
        if (cv_cpuset_parse(words.items[i], CV_CPUSET_MAX, &set, err) < 0)
            return cv_reader_context(r, key, err);
        *out = cv_pool_printf(&r->c->pool, "%s%s%s", *out, words.items[i], count < 0 ? "" : ";");
    }
    if (strlen(*out) >= CV_CONFIG_TEXT_MAX)
        return cv_reader_fail(r, key, CV_E_UNSUPPORTED, err, "is too long");
    return 0;
}

static int read_cpus(struct cv_config_reader *r, struct cv_error *err)
{
    return read_affinity(r, "cpus", &r->c->cpus, err);
}

static int read_soft_cpus(struct cv_config_reader *r, struct cv_error *err)
{
    return read_affinity(r, "cpus_soft", &r->c->cpus_soft, err);
}

/* Bounds are Xen's (credit and credit2 have the same for the weight). */
static int read_scheduling(struct cv_config_reader *r, struct cv_error *err)
{
    long long weight = 0, cap = 0;

    r->c->cpupool = "";
    if (cv_reader_string(r, "pool", &r->c->cpupool, err) < 0 ||
        cv_reader_number(r, "cpu_weight", 1, 65535, &weight, err) < 0 ||
        cv_reader_number(r, "cap", 0, 65535, &cap, err) < 0)
        return -1;
    r->c->cpu_weight = (unsigned)weight;
    r->c->cpu_cap = (unsigned)cap;
    if (strlen(r->c->cpupool) >= 32)
        return cv_reader_fail(r, "pool", CV_E_INVALID, err, "a cpupool's name has less than 32 characters");
    return 0;
}

static int read_boot(struct cv_config_reader *r, struct cv_error *err)
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
    if (strcmp(*c->kernel ? strrchr(c->kernel, '/') + 1 : "", "hvmloader") == 0) {
        cv_reader_warn(r, "kernel",
                       "has no effect, as under xl: hvmloader is firmware, and used without being named "
                       "(firmware_override names another one)");
        c->kernel = "";
    }
    if (*c->cmdline && (*root || *extra)) {
        cv_reader_warn(r, *root ? "root" : "extra", "has no effect, as under xl: cmdline says it all");
        root = extra = "";
    }
    if (*root || *extra)
        c->cmdline =
            cv_pool_printf(&c->pool, "%s%s%s%s", *root ? "root=" : "", root, *root && *extra ? " " : "", extra);
    if (!*c->kernel && *c->ramdisk)
        return cv_reader_fail(r, "ramdisk", CV_E_INVALID, err, "is of no use without kernel");
    if (!*c->kernel && *c->cmdline)
        return cv_reader_fail(r,
                              *root    ? "root"
                              : *extra ? "extra"
                                       : "cmdline",
                              CV_E_INVALID, err, "is of no use without kernel");
    for (const char *p = c->boot; *p; p++)
        if (strchr("acdn", *p) == NULL || strchr(p + 1, *p) != NULL)
            return cv_reader_fail(r, "boot", CV_E_INVALID, err, "'%s' must have each of a, c, d, n at most once",
                                  c->boot);
    return 0;
}

/* A file whose name travels with the guest. */
static int read_file_name(struct cv_config_reader *r, const char *key, const char **out, struct cv_error *err)
{
    *out = "";
    if (cv_reader_string(r, key, out, err) < 0)
        return -1;
    *out = cv_reader_absolute(r, *out);
    if (strlen(*out) >= CV_CONFIG_TEXT_MAX)
        return cv_reader_fail(r, key, CV_E_UNSUPPORTED, err, "has more than %d characters", CV_CONFIG_TEXT_MAX - 1);
    return 0;
}

#define ONLY_SEABIOS "'%s': only seabios is supported: the guest's disk has to boot without UEFI"

static int read_firmware(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const char *bios = "", *firmware = "", *version = "";

    if (cv_reader_string(r, "bios", &bios, err) < 0 || cv_reader_string(r, "firmware", &firmware, err) < 0 ||
        read_file_name(r, "bios_path_override", &c->bios_path, err) < 0 ||
        read_file_name(r, "firmware_override", &c->firmware, err) < 0 ||
        read_file_name(r, "acpi_firmware", &c->acpi_firmware, err) < 0 ||
        cv_reader_string(r, "device_model_version", &version, err) < 0)
        return -1;
    if (*bios && strcmp(bios, "seabios") != 0)
        cv_reader_keep(r, cv_reader_fail(r, "bios", CV_E_UNSUPPORTED, err, ONLY_SEABIOS, bios), err);
    if (*firmware && strcmp(firmware, "seabios") != 0 && strcmp(firmware, "bios") != 0)
        cv_reader_keep(r, cv_reader_fail(r, "firmware", CV_E_UNSUPPORTED, err, ONLY_SEABIOS, firmware), err);
    if (*version && strcmp(version, "qemu-xen") != 0)
        return cv_reader_fail(r, "device_model_version", CV_E_UNSUPPORTED, err, "'%s': only qemu-xen is supported",
                              version);
    return 0;
}

/* "host" begins it: everything else is as the host has it.  words stays empty where it does not. */
static int split_cpuid(struct cv_config_reader *r, const char *text, struct cv_strings *words, struct cv_error *err)
{
    struct cv_pool *pool = &r->c->pool;
    size_t n = strcspn(text, ",");

    if (n != strlen("host") || strncmp(text, "host", n) != 0) {
        cv_reader_warn(r, "cpuid", "has no effect, as under xl: its first word is not \"host\"");
        return 0;
    }
    for (const char *at = text + n; *at != '\0'; at += n) {
        at++;
        n = strcspn(at, ",");
        cv_strings_add(pool, words, cv_pool_stringn(pool, at, n));
    }
    return cv_pool_check(pool, err);
}

/* Does a word mean anything to libxl?  The two forms are told apart by the colon from here on. */
static bool means_something(const char *word, bool xend)
{
    libxl_cpuid_policy_list policy = NULL;

    int rc = xend ? libxl_cpuid_parse_config_xend(&policy, word) : libxl_cpuid_parse_config(&policy, word);
    libxl_cpuid_dispose(&policy);
    return rc == 0 && strchr(word, ';') == NULL && (strchr(word, ':') != NULL) == xend;
}

static int join_cpuid(struct cv_config_reader *r, const struct cv_strings *words, bool xend, struct cv_error *err)
{
    const char **out = &r->c->cpuid;

    for (size_t i = 0; i < words->count; i++)
        if (means_something(words->items[i], xend))
            *out = cv_pool_printf(&r->c->pool, "%s%s%s", *out, **out ? ";" : "", words->items[i]);
        else
            cv_reader_warn(r, "cpuid", "'%.80s' has no effect, as under xl: it means nothing to libxl",
                           words->items[i]);
    if (strlen(*out) >= CV_CONFIG_CPUID_MAX)
        return cv_reader_fail(r, "cpuid", CV_E_UNSUPPORTED, err, "is longer than %d bytes", CV_CONFIG_CPUID_MAX - 1);
    return 0;
}

/* xl's two forms: "host,word=value,..." and a list of "leaf:register=bits,...". */
static int read_cpuid(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_strings lines = { 0 }, words = { 0 };
    XLU_ConfigList *list;
    int count = -1;

    r->c->cpuid = "";
    if (xlu_cfg_get_list(r->cfg, "cpuid", &list, &count, 1) != 0)
        count = -1;
    if (cv_reader_strings(r, "cpuid", &lines, err) < 0)
        return -1;
    if (count < 0 && lines.count == 1 && split_cpuid(r, lines.items[0], &words, err) < 0)
        return -1;
    return join_cpuid(r, count < 0 ? &words : &lines, count >= 0, err);
}

/* One of the strings: *node_out is where the firmware looks for it; NULL: there is none of this name. */
static const char *smbios_node(struct cv_config_reader *r, const char *name, size_t len, unsigned *oem)
{
    static const char *const nodes[] = {
        "bios-vendor",
        "bios-version",
        "system-manufacturer",
        "system-product-name",
        "system-version",
        "system-serial-number",
        "baseboard-manufacturer",
        "baseboard-product-name",
        "baseboard-version",
        "baseboard-serial-number",
        "baseboard-asset-tag",
        "baseboard-location-in-chassis",
        "enclosure-manufacturer",
        "enclosure-serial-number",
        "enclosure-asset-tag",
        "battery-manufacturer",
        "battery-device-name",
    };

    if (len == 3 && strncmp(name, "oem", len) == 0)
        return *oem < SMBIOS_OEM_MAX ? cv_pool_printf(&r->c->pool, "oem-%u", ++*oem) : NULL;
    char *node = (char *)cv_pool_stringn(&r->c->pool, name, len);
    for (char *p = node; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (strcmp(nodes[i], node) == 0)
            return nodes[i];
    return NULL;
}

/* "name=value", as xl 4.18 and later have it; the firmware of earlier releases reads the same nodes. */
static int read_smbios(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_strings lines = { 0 };
    unsigned oem = 0;

    r->c->smbios = "";
    if (cv_reader_strings(r, "smbios", &lines, err) < 0)
        return -1;
    for (size_t i = 0; i < lines.count; i++) {
        const char *value = strchr(lines.items[i], '='), *node = NULL;
        if (value != NULL)
            node = smbios_node(r, lines.items[i], (size_t)(value - lines.items[i]), &oem);
        if (node == NULL || strpbrk(value, "\n\r") != NULL)
            return cv_reader_fail(r, "smbios", CV_E_INVALID, err, "'%.80s' is none of the strings that xl.cfg(5) lists",
                                  lines.items[i]);
        r->c->smbios = cv_pool_printf(&r->c->pool, "%s%s%s\n", r->c->smbios, node, value);
    }
    if (strlen(r->c->smbios) >= CV_CONFIG_SMBIOS_MAX)
        return cv_reader_fail(r, "smbios", CV_E_UNSUPPORTED, err, "is longer than %d bytes", CV_CONFIG_SMBIOS_MAX - 1);
    return cv_pool_check(&r->c->pool, err);
}

static int read_genid(struct cv_config_reader *r, struct cv_error *err)
{
    const char *word = "none";

    memset(r->c->genid, 0, sizeof r->c->genid);
    if (cv_reader_string(r, "ms_vm_genid", &word, err) < 0)
        return -1;
    if (strcmp(word, "generate") == 0)
        uuid_generate_random(r->c->genid);
    else if (strcmp(word, "none") != 0)
        return cv_reader_fail(r, "ms_vm_genid", CV_E_INVALID, err, "'%s': it is generate or none", word);
    return 0;
}

static int read_switches(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const struct {
        const char *key;
        bool *value;
        bool standard; /* libxl's defaults */
    } switches[] = {
        { "acpi", &c->acpi, true },
        { "apic", &c->apic, true },
        { "pae", &c->pae, true },
        { "nx", &c->nx, true },
        { "hap", &c->hap, true },
        { "hpet", &c->hpet, true },
        { "acpi_s3", &c->acpi_s3, true },
        { "acpi_s4", &c->acpi_s4, true },
        { "acpi_laptop_slate", &c->acpi_laptop_slate, false },
        { "xen_platform_pci", &c->xen_platform_pci, true },
        { "vpt_align", &c->vpt_align, true },
        { "hvm_pirq", &c->hvm_pirq, false },
        { "nomigrate", &c->nomigrate, false },
        { "localtime", &c->localtime, false },
    };

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        *switches[i].value = switches[i].standard;
        if (cv_reader_bool(r, switches[i].key, switches[i].value, err) < 0)
            return -1;
    }
    if (!c->nx)
        return cv_reader_fail(r, "nx", CV_E_UNSUPPORTED, err, "cannot be hidden from an HVM guest");
    long long offset = 0;
    if (cv_reader_number(r, "rtc_timeoffset", -0x7fffffffLL, 0x7fffffffLL, &offset, err) < 0)
        return -1;
    c->rtc_timeoffset = offset;
    return 0;
}

static int read_tsc_mode(struct cv_config_reader *r, struct cv_error *err)
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
    if (strcmp(text, "native_paravirt") == 0)
        return cv_reader_fail(r, "tsc_mode", CV_E_UNSUPPORTED, err,
                              "'native_paravirt' is for PV guests; native is not");
    return cv_reader_fail(r, "tsc_mode", CV_E_INVALID, err, "'%s' must be default, always_emulate or native", text);
}

/* Xen's numbers are the words' positions. */
static int read_timer_mode(struct cv_config_reader *r, struct cv_error *err)
{
    static const char *const words[] = { "delay_for_missed_ticks", "no_delay_for_missed_ticks",
                                         "no_missed_ticks_pending", "one_missed_tick_pending" };
    const char *text = words[1];

    if (cv_reader_string(r, "timer_mode", &text, err) < 0)
        return -1;
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(text, words[i]) == 0 || (text[0] == (char)('0' + i) && text[1] == '\0')) {
            r->c->timer_mode = i;
            return 0;
        }
    return cv_reader_fail(r, "timer_mode", CV_E_INVALID, err, "'%s' must be %s, %s, %s or %s", text, words[0], words[1],
                          words[2], words[3]);
}

/* Bits of HVM_PARAM_VIRIDIAN; groups and the boolean's meaning as in libxl. */
static int read_viridian(struct cv_config_reader *r, struct cv_error *err)
{
    enum { BASE = 1, NO_FREQ = 2, FREQ = 1 << 30 };
    static const struct {
        const char *name;
        uint64_t bits;
    } groups[] = {
        { "base", BASE },
        { "freq", FREQ },
        { "time_ref_count", 4 },
        { "reference_tsc", 8 },
        { "hcall_remote_tlb_flush", 16 },
        { "apic_assist", 32 },
        { "crash_ctl", 64 },
        { "synic", 128 },
        { "stimer", 256 | 4 | 128 },
        { "hcall_ipi", 512 },
        { "ex_processor_masks", 1024 },
        { "no_vp_limit", 2048 },
        { "cpu_hotplug", 4096 },
        { "defaults", BASE | FREQ | 4 | 32 | 64 },
        { "all", BASE | FREQ | 4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 },
        { "1", BASE | FREQ | 4 | 32 | 64 },
        { "0", 0 },
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

static int refuse_action(struct cv_config_reader *r, const char *key, enum cv_action action, struct cv_error *err)
{
    if (!cv_reader_has(r, key))
        return 0;
    if (action == CV_ACTION_RENAME_RESTART)
        return cv_reader_fail(
            r, key, CV_E_UNSUPPORTED, err,
            "rename-restart would leave two guests with the same disks; preserve or restart can be had");
    if (action == CV_ACTION_SOFT_RESET)
        return cv_reader_fail(r, key, CV_E_UNSUPPORTED, err,
                              "soft-reset is not supported; without this line it is a restart");
    return 0;
}

static int read_action(struct cv_config_reader *r, const char *key, enum cv_action standard, enum cv_action *out,
                       struct cv_error *err)
{
    static const char *const words[] = { "destroy",          "restart",          "rename-restart", "preserve",
                                         "coredump-destroy", "coredump-restart", "soft-reset" };
    const char *text = words[standard];

    if (cv_reader_string(r, key, &text, err) < 0)
        return -1;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum cv_action)i;
            return refuse_action(r, key, *out, err);
        }
    return cv_reader_fail(r, key, CV_E_INVALID, err, "unknown action '%s'", text);
}

static int read_actions(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const struct {
        const char *key;
        enum cv_action standard, *out;
    } events[] = { { "on_poweroff", CV_ACTION_DESTROY, &c->on_poweroff },
                   { "on_reboot", CV_ACTION_RESTART, &c->on_reboot },
                   { "on_crash", CV_ACTION_DESTROY, &c->on_crash },
                   { "on_watchdog", CV_ACTION_DESTROY, &c->on_watchdog },
                   { "on_soft_reset", CV_ACTION_SOFT_RESET, &c->on_soft_reset } };

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        cv_reader_keep(r, read_action(r, events[i].key, events[i].standard, events[i].out, err), err);
    return 0;
}

int cv_config_read_guest(struct cv_config_reader *r, struct cv_error *err)
{
    static int (*const parts[])(struct cv_config_reader *, struct cv_error *) = {
        read_type,      read_name,       read_uuid,       read_memory,   read_vcpus,   read_limits, read_cpus,
        read_soft_cpus, read_scheduling, read_boot,       read_firmware, read_genid,   read_cpuid,  read_smbios,
        read_switches,  read_tsc_mode,   read_timer_mode, read_viridian, read_actions,
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cv_reader_keep(r, parts[i](r, err), err);
    return 0;
}
