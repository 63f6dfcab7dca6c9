/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From libxl's JSON to xl.cfg text.  One table for each object says what becomes of each member. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "convert/libxl_json.h"
#include "convert/libxl_members.h"

#define DISKS_MAX 32
#define VIFS_MAX 16

struct walk {
    struct cv_buf *cfg;
    struct cv_libxl_facts *facts;
    const char *at;                    /* "b_info.type.hvm": for messages */
    bool failed;
    struct cv_error *err;
};

/* ---- failing and writing ---- */

static void refuse(struct walk *w, const char *name, const char *why)
{
    if (!w->failed)
        cv_fail(w->err, CV_E_UNSUPPORTED, 0, "configuration: %s%s%s: %s", w->at, *w->at ? "." : "", name, why);
    w->failed = true;
}

static void put(struct walk *w, const char *fmt, ...) CV_PRINTF(2, 3);
static void put(struct walk *w, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (w->failed)
        return;
    if (n < 0 || (size_t)n >= sizeof text) {
        cv_fail(w->err, CV_E_UNSUPPORTED, 0, "configuration: %s: a value is too long", w->at);
        w->failed = true;
    } else if (cv_buf_append(w->cfg, text, (size_t)n, w->err) < 0) {
        w->failed = true;
    }
}

/* In double quotes, as libxlutil reads them. */
static void put_quoted(struct walk *w, const char *name, const char *text)
{
    put(w, "\"");
    for (const char *p = text; *p != '\0' && !w->failed; p++) {
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            refuse(w, name, "has control characters");
        else
            put(w, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    put(w, "\"");
}

/* ---- values ---- */

/* Says nothing: what libxl leaves at its default, or writes for "none". */
static bool holds_nothing(const json_t *v)
{
    const char *s = json_string_value(v);

    if (s != NULL)
        return *s == '\0' || strcmp(s, "<default>") == 0 || strcmp(s, "False") == 0 || strcmp(s, "unknown") == 0 ||
               strcmp(s, "none") == 0 || strcmp(s, "disabled") == 0 || strcmp(s, "default") == 0;
    if (json_is_object(v)) {
        const char *k;
        json_t *m;
        json_object_foreach((json_t *)v, k, m)
            if (!holds_nothing(m))
                return false;
        return true;
    }
    return json_is_null(v) || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

static const char *text_of(struct walk *w, const char *name, const json_t *v)
{
    const char *s = json_string_value(v);

    if (s == NULL)
        refuse(w, name, "is no string");
    return s != NULL ? s : "";
}

/* -1 default, 0, 1 */
static int defbool(struct walk *w, const char *name, const json_t *v)
{
    const char *s;

    if (json_is_boolean(v))
        return json_is_true(v);
    if (json_is_null(v))
        return -1;
    s = text_of(w, name, v);
    if (strcmp(s, "True") == 0)
        return 1;
    if (strcmp(s, "False") == 0)
        return 0;
    if (strcmp(s, "<default>") != 0)
        refuse(w, name, "is neither True nor False");
    return -1;
}

static int64_t number(struct walk *w, const char *name, const json_t *v)
{
    if (!json_is_integer(v))
        refuse(w, name, "is no number");
    return json_integer_value(v);
}

static void put_member(struct walk *w, const struct cv_libxl_member *m, const json_t *v)
{
    int flag;

    if (json_is_null(v))
        return;
    switch (m->fate) {
    case TEXT:
        put(w, "%s = ", m->key);
        put_quoted(w, m->name, text_of(w, m->name, v));
        put(w, "\n");
        break;
    case NUMBER: put(w, "%s = %" PRId64 "\n", m->key, number(w, m->name, v)); break;
    case BOOLEAN:
        flag = defbool(w, m->name, v);
        if (flag >= 0)
            put(w, "%s = %d\n", m->key, flag);
        break;
    case WORD:
        for (size_t i = 0; m->words[i] != NULL; i += 2)
            if (strcmp(text_of(w, m->name, v), m->words[i]) == 0) {
                if (m->words[i + 1] != NULL && *m->words[i + 1])
                    put(w, "%s = \"%s\"\n", m->key, m->words[i + 1]);
                return;
            }
        refuse(w, m->name, "has a value that convoy does not know");
        break;
    case REFUSE:
        if (!holds_nothing(v))
            refuse(w, m->name, m->key != NULL ? m->key : "convoy cannot serve it");
        break;
    case IGNORE:
    case ELSEWHERE: break;
    }
}

/* Every member of o by its rule. */
static void walk_object(struct walk *w, const char *at, json_t *o, const struct cv_libxl_member *members)
{
    const char *before = w->at, *name;
    json_t *v;

    w->at = at;
    json_object_foreach(o, name, v) {
        const struct cv_libxl_member *m = members;
        while (m->name != NULL && strcmp(m->name, name) != 0)
            m++;
        if (m->name != NULL)
            put_member(w, m, v);
        else if (!holds_nothing(v))
            refuse(w, name, "is unknown here");
    }
    w->at = before;
}

/* ---- what needs more than a table ---- */

static uint64_t kib(struct walk *w, json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);

    if (v == NULL)
        return 0;
    int64_t n = number(w, name, v);
    if (n < 0 || n > INT64_C(1) << 34)
        refuse(w, name, "is no size of a guest");
    return n < 0 ? 0 : (uint64_t)n;
}

static void put_memory(struct walk *w, json_t *b)
{
    uint64_t max = kib(w, b, "max_memkb"), target = kib(w, b, "target_memkb"), video = kib(w, b, "video_memkb");
    json_t *rtc = json_object_get(b, "rtc_timeoffset");

    if (max == 0)
        max = target;
    if (target == 0)
        target = max;
    if (max % 1024 != 0 || video % 1024 != 0)
        refuse(w, max % 1024 ? "max_memkb" : "video_memkb", "is no whole number of MiB, which QEMU's -m and vgamem_mb are");
    put(w, "maxmem = %" PRIu64 "\nmemory = %" PRIu64 "\n", max / 1024, target / 1024);
    if (video != 0)
        put(w, "videoram = %" PRIu64 "\n", video / 1024);
    w->facts->target_kb = target;
    w->facts->shadow_kb = kib(w, b, "shadow_memkb");
    w->facts->event_channels = (uint32_t)kib(w, b, "event_channels");
    /* unsigned in libxl, and meant as signed */
    if (rtc != NULL && number(w, "rtc_timeoffset", rtc) != 0)
        put(w, "rtc_timeoffset = \"%d\"\n", (int)(int32_t)(uint32_t)number(w, "rtc_timeoffset", rtc));
    if (kib(w, b, "max_grant_version") == 1)
        refuse(w, "max_grant_version", "convoy gives its guests version 2");
}

/* Bit numbers.  Online vCPUs of a guest come first: QEMU counts them so (-smp), and convoy too. */
static void put_vcpus(struct walk *w, json_t *b)
{
    json_t *list = json_object_get(b, "avail_vcpus"), *v;
    size_t i;

    json_array_foreach(list, i, v)
        if (json_integer_value(v) != (json_int_t)i || !json_is_integer(v))
            refuse(w, "avail_vcpus", "has gaps, which a restored QEMU would not");
    put(w, "vcpus = %zu\n", json_array_size(list) ? json_array_size(list) : 1);
}

/* -global DRIVER.romfile= alone, in pairs: what our own conversion to xl writes for cards without a boot ROM. */
static void put_extra(struct walk *w, json_t *b)
{
    json_t *list = json_object_get(b, "extra_hvm"), *v;
    size_t i;

    json_array_foreach(list, i, v) {
        const char *s = text_of(w, "extra_hvm", v);
        size_t n = strlen(s);
        bool good = i % 2 == 0 ? strcmp(s, "-global") == 0 : n > 9 && strcmp(s + n - 9, ".romfile=") == 0;
        if (!good)
            refuse(w, "extra_hvm", "arguments of its own for QEMU");
        w->facts->no_nic_roms = true;
    }
}

static void take_timer_mode(struct walk *w, json_t *o)
{
    static const char *const names[] = { "delay_for_missed_ticks", "no_delay_for_missed_ticks", "no_missed_ticks_pending",
                                         "one_missed_tick_pending" };
    const char *s = json_string_value(json_object_get(o, "timer_mode"));

    for (uint32_t i = 0; s != NULL && i < 4; i++)
        if (strcmp(s, names[i]) == 0)
            w->facts->timer_mode = i;
}

static void put_viridian(struct walk *w, json_t *h)
{
    static const char *const names[] = { "base", "freq", "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush", "apic_assist",
                                         "crash_ctl", "synic", "stimer", "hcall_ipi", "ex_processor_masks", "no_vp_limit",
                                         "cpu_hotplug" };
    static const char *const lists[] = { "viridian_enable", "viridian_disable" };
    json_t *flag = json_object_get(h, "viridian"), *v;
    bool on = flag != NULL && defbool(w, "viridian", flag) == 1, any = on;
    size_t i;

    for (unsigned l = 0; l < 2; l++)
        any = any || json_array_size(json_object_get(h, lists[l])) > 0;
    if (!any)
        return;
    put(w, "viridian = [%s", on ? "\"defaults\"," : "");
    for (unsigned l = 0; l < 2; l++)
        json_array_foreach(json_object_get(h, lists[l]), i, v) {
            int64_t n = number(w, lists[l], v);
            if (n < 0 || n >= (int64_t)(sizeof names / sizeof *names))
                refuse(w, lists[l], "has an enlightenment that is unknown here");
            else
                put(w, "\"%s%s\",", l ? "!" : "", names[n]);
        }
    put(w, "]\n");
}

/* A string, or a list of them, under two names. */
static void put_strings(struct walk *w, json_t *h, const char *one, const char *many, const char *key)
{
    json_t *s = json_object_get(h, one), *list = json_object_get(h, many), *v;
    size_t i;

    if (json_is_string(s)) {
        put(w, "%s = [", key);
        put_quoted(w, one, json_string_value(s));
        put(w, "]\n");
    } else if (json_array_size(list) > 0) {
        put(w, "%s = [", key);
        json_array_foreach(list, i, v) {
            put_quoted(w, many, text_of(w, many, v));
            put(w, ",");
        }
        put(w, "]\n");
    }
}

static const char *string_or(json_t *o, const char *name, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s != NULL ? s : otherwise;
}

static bool truth(json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);
    return json_is_true(v) || json_integer_value(v) != 0 || (s != NULL && strcmp(s, "True") == 0);
}

static void put_hvm(struct walk *w, json_t *h)
{
    json_t *vga = json_object_get(json_object_get(h, "vga"), "kind"), *v;

    walk_object(w, "b_info.type.hvm", h, cv_libxl_hvm_members);
    walk_object(w, "b_info.type.hvm.vnc", json_object_get(h, "vnc"), cv_libxl_vnc_members);
    w->at = "b_info.type.hvm";
    if (vga != NULL && strcmp(text_of(w, "vga", vga), "none") == 0)
        refuse(w, "vga.kind", "without a VGA card libxl's devices have other PCI slots than convoy's");
    walk_object(w, "b_info.type.hvm.vga", json_object_get(h, "vga"), cv_libxl_vga_members);
    w->at = "b_info.type.hvm";
    if (truth(json_object_get(h, "sdl"), "enable") || truth(json_object_get(h, "spice"), "enable"))
        refuse(w, truth(json_object_get(h, "sdl"), "enable") ? "sdl" : "spice", "only vnc is supported");
    put_viridian(w, h);
    put_strings(w, h, "serial", "serial_list", "serial");
    put_strings(w, h, "usbdevice", "usbdevice_list", "usbdevice");
    take_timer_mode(w, h);
    if ((v = json_object_get(h, "usbversion")) != NULL && number(w, "usbversion", v) != 0)
        put(w, "usbversion = %d\n", (int)number(w, "usbversion", v));
    if ((v = json_object_get(h, "xen_platform_pci")) != NULL && defbool(w, "xen_platform_pci", v) == 0)
        refuse(w, "xen_platform_pci", "without it libxl uses QEMU's machine 'pc', which is another one in each release");
    if ((v = json_object_get(h, "vpt_align")) != NULL && defbool(w, "vpt_align", v) == 0)
        refuse(w, "vpt_align", "convoy always aligns");
    if ((v = json_object_get(h, "pirq")) != NULL && defbool(w, "pirq", v) >= 0) {
        w->facts->has_pirq = true;
        w->facts->pirq = defbool(w, "pirq", v) == 1;
    }
    w->at = "";
}

/* libxl emulates the first four disks of any name as hda to hdd (six with AHCI). */
static void put_disk(struct walk *w, json_t *d, bool ahci)
{
    const char *vdev = string_or(d, "vdev", ""), *format = string_or(d, "format", "raw"), *path = string_or(d, "pdev_path", "");
    const char *backend = string_or(d, "backend", "unknown");
    bool cdrom = truth(d, "is_cdrom"), empty = strcmp(format, "empty") == 0 || *path == '\0';
    size_t prefix = strncmp(vdev, "xvd", 3) == 0 ? 3 : strncmp(vdev, "hd", 2) == 0 ? 2 : 0;
    char letter = prefix ? vdev[prefix] : '\0', last = !cdrom && ahci ? 'f' : 'd';

    if (prefix == 0 || letter < 'a' || letter > last || vdev[prefix + 1] != '\0')
        refuse(w, "vdev", "the disk is none of the chipset's (hda to hdd; hda to hdf on AHCI): SCSI and PV disks are not supported");
    if (strcmp(backend, "tap") == 0 || strcmp(backend, "standalone") == 0)
        refuse(w, "backend", cv_libxl_pv_device);
    if (strcmp(string_or(d, "specification", "xen"), "virtio") == 0)
        refuse(w, "specification", cv_libxl_pv_device);
    if (strcmp(format, "unknown") == 0)
        format = "raw";
    for (const char *p = path; *p != '\0'; p++)
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            refuse(w, "pdev_path", "has control characters");
    put(w, "  \"model=%s,vdev=hd%c,access=%s%s", cdrom || !ahci ? "ide" : "ahci", letter, truth(d, "readwrite") && !cdrom ? "rw" : "ro",
        cdrom ? ",devtype=cdrom" : "");
    json_t *discard = json_object_get(d, "discard_enable");
    if (discard != NULL && defbool(w, "discard_enable", discard) == 0)
        put(w, ",no-discard");
    if (!empty) {
        put(w, ",format=%s,target=", format);
        for (const char *p = path; *p != '\0'; p++)
            put(w, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    } else {
        put(w, ",target=");
    }
    put(w, "\",\n");
}

static void put_disks(struct walk *w, json_t *list, bool ahci)
{
    char at[32];
    size_t i;
    json_t *d;

    if (json_array_size(list) > DISKS_MAX)
        refuse(w, "disks", "too many");
    if (json_array_size(list) == 0 || w->failed)
        return;
    put(w, "disk = [\n");
    json_array_foreach(list, i, d) {
        snprintf(at, sizeof at, "disks[%zu]", i);
        walk_object(w, at, d, cv_libxl_disk_members);
        w->at = at;
        put_disk(w, d, ahci);
        w->at = "";
    }
    put(w, "]\n");
}

static void put_nic(struct walk *w, json_t *n, size_t i)
{
    const char *script = string_or(n, "script", ""), *base = strrchr(script, '/') ? strrchr(script, '/') + 1 : script;
    const char *ifname = string_or(n, "ifname", "");
    static const char *const names[] = { "model", "mac", "bridge", "ifname" };

    if (json_integer_value(json_object_get(n, "devid")) != (json_int_t)i)
        refuse(w, "devid", "network cards are not numbered in their order");
    if (strcmp(string_or(n, "nictype", ""), "vif_ioemu") != 0)
        refuse(w, "nictype", cv_libxl_pv_device);
    if (*base && strcmp(base, "vif-bridge") != 0)
        refuse(w, "script", "only vif-bridge is supported");
    if (json_object_get(n, "mac") == NULL)
        refuse(w, "mac", "is missing");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (const char *p = string_or(n, names[k], ""); *p != '\0'; p++)
            if ((uint8_t)*p <= 0x20 || *p == 0x7f || strchr(",\"\\", *p) != NULL)
                refuse(w, names[k], "has characters that it cannot have");
    put(w, "  \"type=ioemu,mac=%s,model=%s,bridge=%s%s%s\",\n", string_or(n, "mac", ""), string_or(n, "model", "rtl8139"),
        string_or(n, "bridge", "xenbr0"), *ifname ? ",vifname=" : "", ifname);
}

static void put_nics(struct walk *w, json_t *list)
{
    char at[32];
    size_t i;
    json_t *n;

    if (json_array_size(list) > VIFS_MAX)
        refuse(w, "nics", "too many");
    if (json_array_size(list) == 0 || w->failed)
        return;
    put(w, "vif = [\n");
    json_array_foreach(list, i, n) {
        snprintf(at, sizeof at, "nics[%zu]", i);
        walk_object(w, at, n, cv_libxl_nic_members);
        w->at = at;
        put_nic(w, n, i);
        w->at = "";
    }
    put(w, "]\n");
}

/* libxl's default of every action is to destroy; convoy's, as xl's, to restart on a reboot. */
static void put_actions(struct walk *w, json_t *o)
{
    static const char *const names[] = { "on_poweroff", "on_reboot", "on_watchdog", "on_crash", "on_soft_reset" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(o, names[i]) == NULL)
            put(w, "%s = \"%s\"\n", names[i], i == 4 ? "soft-reset" : "destroy");
}

static void walk_all(struct walk *w, json_t *o)
{
    json_t *b = json_object_get(o, "b_info"), *h = json_object_get(b, "type.hvm"), *c = json_object_get(o, "c_info");

    if (strcmp(string_or(c, "type", ""), "hvm") != 0) {
        refuse(w, "c_info.type", "the guest is no HVM guest");
        return;
    }
    if (json_object_get(c, "uuid") == NULL || json_object_get(c, "name") == NULL)
        refuse(w, "c_info", "name or uuid is missing");
    put(w, "# converted from xl's save file\n");
    walk_object(w, "", o, cv_libxl_top_members);
    put_actions(w, o);
    walk_object(w, "c_info", c, cv_libxl_create_members);
    walk_object(w, "b_info", b, cv_libxl_build_members);
    w->at = "b_info";
    w->facts->timer_mode = 1;
    take_timer_mode(w, b);
    put_memory(w, b);
    put_vcpus(w, b);
    put_extra(w, b);
    put_hvm(w, h);
    put_disks(w, json_object_get(o, "disks"), strcmp(string_or(h, "hdtype", "ide"), "ahci") == 0);
    put_nics(w, json_object_get(o, "nics"));
}

int cv_libxl_to_cfg(const char *json, size_t len, struct cv_libxl_facts *facts, struct cv_buf *cfg, struct cv_error *err)
{
    struct walk w = { .cfg = cfg, .facts = facts, .at = "", .err = err };
    json_error_t e;
    json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);

    *facts = (struct cv_libxl_facts){ 0 };
    if (!json_is_object(o)) {
        json_decref(o);
        return cv_fail(err, CV_E_STREAM, 0, "configuration: no JSON object (%s at byte %d)", o ? "another value" : e.text,
                       o ? 0 : e.position);
    }
    walk_all(&w, o);
    json_decref(o);
    return w.failed ? -1 : 0;
}
