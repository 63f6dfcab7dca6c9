/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From libxl's JSON to xl.cfg text.  One table for each object says what becomes of each member. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libxl-json/walk.h"

/* ---- what needs more than a table ---- */

static uint64_t kib(struct cv_walk *w, json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);

    if (v == NULL)
        return 0;
    int64_t n = cv_walk_number(w, name, v);
    if (n < 0 || n > INT64_C(1) << 34)
        cv_walk_refuse(w, name, "is no size of a guest");
    return n < 0 ? 0 : (uint64_t)n;
}

static void put_memory(struct cv_walk *w, json_t *b)
{
    uint64_t max = kib(w, b, "max_memkb"), target = kib(w, b, "target_memkb"), video = kib(w, b, "video_memkb");
    json_t *rtc = json_object_get(b, "rtc_timeoffset");

    if (max == 0)
        max = target;
    if (target == 0)
        target = max;
    if (max % 1024 != 0 || video % 1024 != 0)
        cv_walk_refuse(w, max % 1024 ? "max_memkb" : "video_memkb",
                       "is no whole number of MiB, which QEMU's -m and vgamem_mb are");
    cv_walk_put(w, "maxmem = %" PRIu64 "\nmemory = %" PRIu64 "\n", max / 1024, target / 1024);
    if (video != 0)
        cv_walk_put(w, "videoram = %" PRIu64 "\n", video / 1024);
    w->facts->target_kib = target;
    w->facts->shadow_kib = kib(w, b, "shadow_memkb");
    w->facts->event_channels = (uint32_t)kib(w, b, "event_channels");
    /* unsigned in libxl, and meant as signed */
    if (rtc != NULL && cv_walk_number(w, "rtc_timeoffset", rtc) != 0)
        cv_walk_put(w, "rtc_timeoffset = \"%d\"\n", (int)(int32_t)(uint32_t)cv_walk_number(w, "rtc_timeoffset", rtc));
    if (kib(w, b, "max_grant_version") == 1)
        cv_walk_refuse(w, "max_grant_version", "convoy gives its guests version 2");
}

/* Bit numbers.  Online vCPUs of a guest come first: QEMU counts them so (-smp), and convoy too. */
static void put_vcpus(struct cv_walk *w, json_t *b)
{
    json_t *list = json_object_get(b, "avail_vcpus"), *v;
    size_t i;

    json_array_foreach(list, i, v) if (json_integer_value(v) != (json_int_t)i || !json_is_integer(v))
        cv_walk_refuse(w, "avail_vcpus", "has gaps, which a restored QEMU would not");
    cv_walk_put(w, "vcpus = %zu\n", json_array_size(list) ? json_array_size(list) : 1);
}

/* -global DRIVER.romfile= alone, in pairs: what our own conversion to xl writes for cards without a boot ROM. */
static void put_extra(struct cv_walk *w, json_t *b)
{
    json_t *list = json_object_get(b, "extra_hvm"), *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        const char *s = cv_walk_text_of(w, "extra_hvm", v);
        size_t n = strlen(s);
        bool good = i % 2 == 0 ? strcmp(s, "-global") == 0 : n > 9 && strcmp(s + n - 9, ".romfile=") == 0;
        if (!good)
            cv_walk_refuse(w, "extra_hvm", "arguments of its own for QEMU");
        w->facts->no_nic_roms = true;
    }
}

static void take_timer_mode(struct cv_walk *w, json_t *o)
{
    static const char *const names[] = { "delay_for_missed_ticks", "no_delay_for_missed_ticks",
                                         "no_missed_ticks_pending", "one_missed_tick_pending" };
    const char *s = json_string_value(json_object_get(o, "timer_mode"));

    for (uint32_t i = 0; s != NULL && i < 4; i++)
        if (strcmp(s, names[i]) == 0)
            w->facts->timer_mode = i;
}

/* A register's bits, or NULL: xend's language, of which nothing else may come into a configuration. */
static const char *bits_of(json_t *leaf, const char *name)
{
    const char *text = json_string_value(json_object_get(leaf, name));

    return text != NULL && strlen(text) == 32 && strspn(text, "01xks") == 32 ? text : NULL;
}

/* What the guest has now is in its CPU policy; this is for its next start.  A libxl that knows MSRs writes an object of
 * both. */
static void put_cpuid(struct cv_walk *w, json_t *b)
{
    static const char *const registers[] = { "eax", "ebx", "ecx", "edx" };
    json_t *v = json_object_get(b, "cpuid"), *leaf, *subleaf;
    bool any = false;
    size_t i;

    json_array_foreach(json_is_object(v) ? json_object_get(v, "cpuid") : v, i, leaf)
    {
        const char *between = ":";
        for (unsigned r = 0; r < 4; r++) {
            if (bits_of(leaf, registers[r]) == NULL)
                continue;
            if (*between == ':') {
                cv_walk_put(w, "%s\"0x%x", any ? ", " : "cpuid = [ ",
                            (unsigned)json_integer_value(json_object_get(leaf, "leaf")));
                if ((subleaf = json_object_get(leaf, "subleaf")) != NULL)
                    cv_walk_put(w, ",0x%x", (unsigned)json_integer_value(subleaf));
            }
            cv_walk_put(w, "%s%s=%s", between, registers[r], bits_of(leaf, registers[r]));
            between = ",";
            any = true;
        }
        if (*between == ',')
            cv_walk_put(w, "\"");
    }
    if (any)
        cv_walk_put(w, " ]\n");
}

static bool any_number(json_t *list)
{
    size_t i;
    json_t *v;

    json_array_foreach(list, i, v) if (json_integer_value(v) != 0) return true;
    return false;
}

static void put_viridian(struct cv_walk *w, json_t *h)
{
    static const char *const names[] = {
        "base",       "freq",  "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush", "apic_assist",
        "crash_ctl",  "synic", "stimer",         "hcall_ipi",     "ex_processor_masks",     "no_vp_limit",
        "cpu_hotplug"
    };
    static const char *const lists[] = { "viridian_enable", "viridian_disable" };
    json_t *flag = json_object_get(h, "viridian"), *v;
    bool on = flag != NULL && cv_walk_defbool(w, "viridian", flag) == 1, any = on;
    size_t i;

    for (unsigned l = 0; l < 2; l++)
        any = any || json_array_size(json_object_get(h, lists[l])) > 0;
    if (!any)
        return;
    cv_walk_put(w, "viridian = [%s", on ? "\"defaults\"," : "");
    for (unsigned l = 0; l < 2; l++)
        json_array_foreach(json_object_get(h, lists[l]), i, v)
        {
            int64_t n = cv_walk_number(w, lists[l], v);
            if (n < 0 || n >= (int64_t)(sizeof names / sizeof *names))
                cv_walk_refuse(w, lists[l], "has an enlightenment that is unknown here");
            else
                cv_walk_put(w, "\"%s%s\",", l ? "!" : "", names[n]);
        }
    cv_walk_put(w, "]\n");
}

/* A string, or a list of them, under two names. */
static void put_strings(struct cv_walk *w, json_t *h, const char *one, const char *many, const char *key)
{
    json_t *s = json_object_get(h, one), *list = json_object_get(h, many), *v;
    size_t i;

    if (json_is_string(s)) {
        cv_walk_put(w, "%s = [", key);
        cv_walk_put_quoted(w, one, json_string_value(s));
        cv_walk_put(w, "]\n");
    } else if (json_array_size(list) > 0) {
        cv_walk_put(w, "%s = [", key);
        json_array_foreach(list, i, v)
        {
            cv_walk_put_quoted(w, many, cv_walk_text_of(w, many, v));
            cv_walk_put(w, ",");
        }
        cv_walk_put(w, "]\n");
    }
}

/* From libxl 4.18 on. */
static void put_smbios(struct cv_walk *w, json_t *h)
{
    json_t *list = json_object_get(h, "smbios"), *v;
    char text[512];
    size_t i;

    if (json_array_size(list) == 0)
        return;
    cv_walk_put(w, "smbios = [");
    json_array_foreach(list, i, v)
    {
        const char *key = json_string_value(json_object_get(v, "key")),
                   *value = json_string_value(json_object_get(v, "value"));
        if (snprintf(text, sizeof text, "%s=%s", key ? key : "", value ? value : "") >= (int)sizeof text)
            cv_walk_refuse(w, "smbios", "has a string that is too long");
        cv_walk_put_quoted(w, "smbios", text);
        cv_walk_put(w, ",");
    }
    cv_walk_put(w, "]\n");
}

static void put_hvm(struct cv_walk *w, json_t *h)
{
    json_t *vga = json_object_get(json_object_get(h, "vga"), "kind"), *v;

    cv_walk_object(w, "b_info.type.hvm", h, cv_libxl_hvm_members);
    cv_walk_object(w, "b_info.type.hvm.vnc", json_object_get(h, "vnc"), cv_libxl_vnc_members);
    w->at = "b_info.type.hvm";
    if (vga != NULL && strcmp(cv_walk_text_of(w, "vga", vga), "none") == 0)
        cv_walk_refuse(w, "vga.kind", "without a VGA card libxl's devices have other PCI slots than convoy's");
    cv_walk_object(w, "b_info.type.hvm.vga", json_object_get(h, "vga"), cv_libxl_vga_members);
    w->at = "b_info.type.hvm";
    if (cv_walk_truth(json_object_get(h, "sdl"), "enable") || cv_walk_truth(json_object_get(h, "spice"), "enable"))
        cv_walk_refuse(w, cv_walk_truth(json_object_get(h, "sdl"), "enable") ? "sdl" : "spice",
                       "only vnc is supported");
    put_viridian(w, h);
    put_smbios(w, h);
    put_strings(w, h, "serial", "serial_list", "serial");
    put_strings(w, h, "usbdevice", "usbdevice_list", "usbdevice");
    take_timer_mode(w, h);
    if ((v = json_object_get(h, "usbversion")) != NULL && cv_walk_number(w, "usbversion", v) != 0)
        cv_walk_put(w, "usbversion = %d\n", (int)cv_walk_number(w, "usbversion", v));
    if ((v = json_object_get(h, "xen_platform_pci")) != NULL && cv_walk_defbool(w, "xen_platform_pci", v) == 0)
        cv_walk_refuse(w, "xen_platform_pci",
                       "without it libxl uses QEMU's machine 'pc', which is another one in each release");
    if ((v = json_object_get(h, "vpt_align")) != NULL && cv_walk_defbool(w, "vpt_align", v) == 0)
        cv_walk_put(w, "vpt_align = 0\n");
    if (any_number(json_object_get(h, "ms_vm_genid")))
        cv_walk_put(w, "ms_vm_genid = \"generate\"\n");
    if ((v = json_object_get(h, "pirq")) != NULL && cv_walk_defbool(w, "pirq", v) >= 0) {
        w->facts->has_pirq = true;
        w->facts->pirq = cv_walk_defbool(w, "pirq", v) == 1;
    }
    w->at = "";
}

/* libxl's default of every action is to destroy; convoy's, as xl's, to restart on a reboot.  A soft reset is what xl
 * always asks for and convoy does not have: without the line it restarts the guest. */
static void put_actions(struct cv_walk *w, json_t *o)
{
    static const char *const names[] = { "on_poweroff", "on_reboot", "on_watchdog", "on_crash", "on_soft_reset" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(o, names[i]) == NULL)
            cv_walk_put(w, "%s = \"destroy\"\n", names[i]);
}

/* libvirt names the display of an HVM guest here too, but libxl makes no frame buffer of it: the emulator's VNC is its.
 */
static void look_at_frame_buffers(struct cv_walk *w, json_t *o)
{
    if (w->facts->pvh && json_array_size(json_object_get(o, "vfbs")) > 0)
        cv_walk_refuse(w, "vfbs", cv_libxl_pv_device);
}

static void walk_all(struct cv_walk *w, json_t *o)
{
    json_t *b = json_object_get(o, "b_info"), *h = json_object_get(b, "type.hvm"), *c = json_object_get(o, "c_info");

    w->facts->pvh = strcmp(cv_walk_string_or(c, "type", ""), "pvh") == 0;
    if (!w->facts->pvh && strcmp(cv_walk_string_or(c, "type", ""), "hvm") != 0) {
        cv_walk_refuse(w, "c_info.type", "the guest is neither an HVM nor a PVH guest");
        return;
    }
    if (json_object_get(c, "uuid") == NULL || json_object_get(c, "name") == NULL)
        cv_walk_refuse(w, "c_info", "name or uuid is missing");
    cv_walk_put(w, "# of a guest that libxl has made\n");
    cv_walk_object(w, "", o, cv_libxl_top_members);
    look_at_frame_buffers(w, o);
    put_actions(w, o);
    cv_walk_object(w, "c_info", c, cv_libxl_create_members);
    cv_walk_object(w, "b_info", b, cv_libxl_build_members);
    w->at = "b_info";
    w->facts->timer_mode = 1;
    take_timer_mode(w, b);
    put_memory(w, b);
    put_vcpus(w, b);
    put_extra(w, b);
    if (!w->facts->pvh)
        put_cpuid(w, b);
    put_hvm(w, h);
    cv_walk_disks(w, json_object_get(o, "disks"));
    cv_walk_nics(w, json_object_get(o, "nics"));
}

int cv_libxl_to_cfg(const char *json, size_t len, struct cv_libxl_facts *facts, struct cv_buf *cfg,
                    struct cv_findings *found, struct cv_error *err)
{
    struct cv_walk w = { .cfg = cfg, .facts = facts, .at = "", .found = found, .err = err };
    json_error_t e;
    json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);

    *facts = (struct cv_libxl_facts){ 0 };
    if (!json_is_object(o)) {
        json_decref(o);
        return cv_fail(err, CV_E_STREAM, 0, "configuration: no JSON object (%s at byte %d)",
                       o ? "another value" : e.text, o ? 0 : e.position);
    }
    walk_all(&w, o);
    json_decref(o);
    return w.failed || w.refused ? -1 : 0;
}
