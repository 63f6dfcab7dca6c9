/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From convoy's configuration of a guest to what libxl calls a domain's configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uuid/uuid.h>

#include "libxl-json/config.h"

struct build {
    const struct cv_guest_config *c;
    const struct cv_domain_spec *spec;
    uint32_t xen_minor;
    enum cv_libxl_devices which;
    bool failed; /* no memory */
};

static void set_member(struct build *b, json_t *o, const char *key, json_t *v)
{
    if (json_object_set_new(o, key, v) != 0)
        b->failed = true;
}

static void add_item(struct build *b, json_t *list, json_t *v)
{
    if (json_array_append_new(list, v) != 0)
        b->failed = true;
}

static void set_text(struct build *b, json_t *o, const char *key, const char *text)
{
    if (*text)
        set_member(b, o, key, json_string(text));
}

static void set_flag(struct build *b, json_t *o, const char *key, bool flag)
{
    set_member(b, o, key, json_string(flag ? "True" : "False"));
}

static json_t *text_list(struct build *b, const struct cv_strings *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->count; i++)
        add_item(b, list, json_string(s->items[i]));
    return list;
}

static json_t *create_info(struct build *b)
{
    json_t *o = json_object();
    char uuid[37];

    uuid_unparse_lower(b->c->uuid, uuid);
    set_member(b, o, "type", json_string(b->c->pvh ? "pvh" : "hvm"));
    set_flag(b, o, "hap", b->spec->hap);
    set_member(b, o, "name", json_string(b->spec->name));
    set_member(b, o, "uuid", json_string(uuid));
    set_flag(b, o, "run_hotplug_scripts", true);
    return o;
}

static json_t *vnc_info(struct build *b)
{
    json_t *o = json_object();

    set_flag(b, o, "enable", b->c->vnc);
    set_text(b, o, "listen", b->c->vnclisten);
    set_text(b, o, "passwd", b->c->vncpasswd);
    if (b->c->vncdisplay != 0)
        set_member(b, o, "display", json_integer(b->c->vncdisplay));
    set_flag(b, o, "findunused", b->c->vncunused);
    return o;
}

/* Bit numbers of libxl_viridian_enlightenment from the bits of HVM_PARAM_VIRIDIAN. */
static void set_viridian(struct build *b, json_t *h)
{
    static const struct {
        uint64_t mask, wanted;
        int number;
    } bits[] = { { 1, 1, 0 },        { 2, 0, 1 },        { 4, 4, 2 },       { 8, 8, 3 },     { 16, 16, 4 },
                 { 32, 32, 5 },      { 64, 64, 6 },      { 128, 128, 7 },   { 256, 256, 8 }, { 512, 512, 9 },
                 { 1024, 1024, 10 }, { 2048, 2048, 11 }, { 4096, 4096, 12 } };
    json_t *on = json_array();

    if (b->spec->viridian == 0) {
        json_decref(on);
        return;
    }
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if ((b->spec->viridian & bits[i].mask) == bits[i].wanted)
            add_item(b, on, json_integer(bits[i].number));
    set_member(b, h, "viridian_enable", on);
}

static bool any_ahci(const struct cv_guest_config *c)
{
    for (unsigned i = 0; i < c->disk_count; i++)
        if (c->disks[i].model == CV_DISK_AHCI)
            return true;
    return false;
}

static void set_usb(struct build *b, json_t *h)
{
    static const char *const words[][2] = { { "usb-tablet", "tablet" },
                                            { "usb-mouse", "mouse" },
                                            { "usb-kbd", "keyboard" } };
    const struct cv_guest_config *c = b->c;
    json_t *list = json_array();

    if (c->usb)
        set_flag(b, h, "usb", true);
    if (c->usbversion != 0)
        set_member(b, h, "usbversion", json_integer(c->usbversion));
    for (size_t i = 0; i < c->usbdevices.count; i++)
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (strcmp(c->usbdevices.items[i], words[w][0]) == 0)
                add_item(b, list, json_string(words[w][1]));
    if (json_array_size(list) > 0)
        set_member(b, h, "usbdevice_list", list);
    else
        json_decref(list);
}

/* xl makes a new one at a restore where there is one. */
static void set_genid(struct build *b, json_t *o)
{
    uint8_t bytes[CV_GENID_BYTES];
    json_t *list;

    if (cv_genid_parse(b->spec->genid, bytes, NULL) < 0)
        return;
    list = json_array();
    for (size_t i = 0; i < sizeof bytes; i++)
        add_item(b, list, json_integer(bytes[i]));
    set_member(b, o, "ms_vm_genid", list);
}

static json_t *hvm_info(struct build *b)
{
    static const char *const vga[] = { [CV_VGA_CIRRUS] = "cirrus", [CV_VGA_STD] = "std", [CV_VGA_NONE] = "none" };
    const struct cv_guest_config *c = b->c;
    json_t *o = json_object();

    set_text(b, o, "firmware", c->firmware);
    set_member(b, o, "bios", json_string("seabios"));
    set_flag(b, o, "pae", c->pae);
    set_flag(b, o, "nx", c->nx);
    set_flag(b, o, "acpi_s3", c->acpi_s3);
    set_flag(b, o, "acpi_s4", c->acpi_s4);
    if (c->acpi_laptop_slate)
        set_flag(b, o, "acpi_laptop_slate", true);
    set_flag(b, o, "hpet", c->hpet);
    if (!c->vpt_align)
        set_flag(b, o, "vpt_align", false);
    set_viridian(b, o);
    set_text(b, o, "system_firmware", c->bios_path);
    set_genid(b, o);
    set_member(b, o, "hdtype", json_string(any_ahci(c) ? "ahci" : "ide"));
    set_flag(b, o, "nographic", c->nographic);
    set_member(b, o, "vga", json_pack("{s:s}", "kind", vga[c->vga]));
    set_member(b, o, "vnc", vnc_info(b));
    set_text(b, o, "keymap", c->keymap);
    if (c->serials.count > 0)
        set_member(b, o, "serial_list", text_list(b, &c->serials));
    set_text(b, o, "boot", c->boot);
    set_usb(b, o);
    set_text(b, o, "soundhw", c->soundhw);
    set_flag(b, o, "xen_platform_pci", c->xen_platform_pci);
    if (b->xen_minor >= 19)
        set_flag(b, o, "pirq", (b->spec->emulation_flags >> 9 & 1) != 0);
    return o;
}

/* Cards without a boot ROM: libxl always gives its cards one, and QEMU would look for pages that the guest does not
 * have. */
static void set_rom_args(struct build *b, json_t *o, const struct cv_layout_dm *dm)
{
    json_t *args = json_array();

    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *d = &dm->devices[i];
        char text[80];
        bool again = false;
        if (d->kind != CV_DEV_VIF || strstr(d->arg, "romfile=") == NULL)
            continue;
        for (unsigned k = 0; k < i; k++)
            again = again || (dm->devices[k].kind == CV_DEV_VIF && strcmp(dm->devices[k].driver, d->driver) == 0);
        if (again)
            continue;
        snprintf(text, sizeof text, "%.60s.romfile=", d->driver);
        add_item(b, args, json_string("-global"));
        add_item(b, args, json_string(text));
    }
    if (json_array_size(args) > 0)
        set_member(b, o, "extra_hvm", args);
    else
        json_decref(args);
}

static json_t *build_info(struct build *b, const struct cv_layout_dm *dm)
{
    static const char *const tsc[] = { "default", "always_emulate", "native" };
    static const char *const timer[] = { "delay_for_missed_ticks", "no_delay_for_missed_ticks",
                                         "no_missed_ticks_pending", "one_missed_tick_pending" };
    const struct cv_guest_config *c = b->c;
    const struct cv_domain_spec *s = b->spec;
    json_t *o = json_object(), *online = json_array();

    for (uint32_t i = 0; i < s->vcpus_online; i++)
        add_item(b, online, json_integer(i));
    set_member(b, o, "max_vcpus", json_integer(s->vcpus));
    set_member(b, o, "avail_vcpus", online);
    set_member(b, o, "tsc_mode", json_string(tsc[c->tsc_mode]));
    set_member(b, o, "max_memkb", json_integer((json_int_t)s->max_kib));
    set_member(b, o, "target_memkb", json_integer((json_int_t)s->target_kib));
    set_member(b, o, "video_memkb", json_integer((json_int_t)s->video_kib));
    if (s->paging_pool_kib != 0)
        set_member(b, o, "shadow_memkb", json_integer((json_int_t)s->paging_pool_kib));
    if (s->rtc_offset_s != 0)
        set_member(b, o, "rtc_timeoffset", json_integer((json_int_t)(uint32_t)s->rtc_offset_s));
    set_flag(b, o, "localtime", c->localtime);
    set_flag(b, o, "disable_migrate", c->nomigrate);
    if (s->max_grant_frames != 0)
        set_member(b, o, "max_grant_frames", json_integer(s->max_grant_frames));
    if (s->max_maptrack_frames != 0)
        set_member(b, o, "max_maptrack_frames", json_integer(s->max_maptrack_frames));
    if (s->max_evtchn_port != 0)
        set_member(b, o, "event_channels", json_integer(s->max_evtchn_port));
    set_member(b, o, "device_model_version", json_string("qemu_xen"));
    if (!b->c->pvh)
        set_rom_args(b, o, dm);
    set_text(b, o, "kernel", c->kernel);
    set_text(b, o, "cmdline", c->cmdline);
    set_text(b, o, "ramdisk", c->ramdisk);
    set_flag(b, o, "acpi", c->acpi);
    set_member(b, o, "timer_mode", json_string(timer[s->timer_mode & 3]));
    set_flag(b, o, "apic", c->apic);
    if (b->c->pvh && dm != NULL)
        set_text(b, o, "device_model", dm->model);
    if (b->c->pvh)
        set_member(b, o, "type.pvh", json_object());
    else
        set_member(b, o, "type.hvm", hvm_info(b));
    return o;
}

static json_t *disk(struct build *b, const struct cv_config_disk *d)
{
    json_t *o = json_object();

    set_text(b, o, "backend_domname", d->backend_domain);
    set_text(b, o, "pdev_path", d->path);
    set_member(b, o, "vdev", json_string(d->vdev));
    set_text(b, o, "backend", d->backend);
    set_member(b, o, "format",
               json_string(*d->path == '\0'                ? "empty"
                           : strcmp(d->format, "vpc") == 0 ? "vhd"
                                                           : d->format));
    set_text(b, o, "script", d->script);
    set_member(b, o, "removable", json_integer(d->cdrom || d->removable));
    set_member(b, o, "readwrite", json_integer(!d->readonly));
    set_member(b, o, "is_cdrom", json_integer(d->cdrom));
    if (d->direct_io_safe)
        set_member(b, o, "direct_io_safe", json_true());
    if (!d->readonly)
        set_flag(b, o, "discard_enable", d->discard);
    set_flag(b, o, "colo_enable", false);
    set_flag(b, o, "colo_restore_enable", false);
    return o;
}

static json_t *nic(struct build *b, unsigned i)
{
    const struct cv_config_vif *v = &b->c->vifs[i];
    json_t *o = json_object();
    char mac[24];

    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4],
             v->mac[5]);
    set_text(b, o, "backend_domname", v->backend_domain);
    set_member(b, o, "devid", json_integer(i));
    if (v->mtu != 0)
        set_member(b, o, "mtu", json_integer(v->mtu));
    set_member(b, o, "model", json_string(v->model));
    set_member(b, o, "mac", json_string(mac));
    set_text(b, o, "ip", v->ip);
    set_member(b, o, "bridge", json_string(v->bridge));
    set_text(b, o, "ifname", v->ifname);
    set_text(b, o, "script", v->script);
    set_member(b, o, "nictype", json_string(v->emulated ? "vif_ioemu" : "vif"));
    if (v->rate_bytes_per_interval != 0) {
        set_member(b, o, "rate_bytes_per_interval", json_integer((json_int_t)v->rate_bytes_per_interval));
        set_member(b, o, "rate_interval_usecs", json_integer(v->rate_interval_us));
    }
    set_text(b, o, "gatewaydev", v->gatewaydev);
    if (v->untrusted)
        set_flag(b, o, "trusted", false);
    return o;
}

/* A drive of the default emulator's: libxl has each as a disk of its own, by which cd-insert and cd-eject find it.  The
 * QEMU that serves it as one is the default emulator; an attached one might do it, too.  An empty one QEMU 7.2 does not
 * serve, and ends when a disc is put into it. */
static bool is_drive_for_libxl(const struct cv_guest_config *c, const struct cv_config_disk *d)
{
    bool attached = false;

    for (unsigned i = 0; i < c->dm_count; i++)
        attached = attached || c->dms[i].attach;
    return d->cdrom && d->owner == 0 && *d->path != '\0' && strncmp(d->vdev, "hd", 2) == 0 && !attached;
}

static json_t *domain_config(struct build *b, const struct cv_layout_dm *dm)
{
    static const char *const actions[] = { "destroy",          "restart",          "restart_rename", "preserve",
                                           "coredump_destroy", "coredump_restart", "soft_reset" };
    const struct cv_guest_config *c = b->c;
    json_t *o = json_object(), *disks = json_array(), *nics = json_array();

    for (unsigned i = 0; i < c->disk_count; i++)
        if (b->which == CV_LIBXL_ALL || c->disks[i].pv || is_drive_for_libxl(c, &c->disks[i]))
            add_item(b, disks, disk(b, &c->disks[i]));
    for (unsigned i = 0; i < c->vif_count; i++)
        if (b->which == CV_LIBXL_ALL || c->vifs[i].pv)
            add_item(b, nics, nic(b, i));
    set_member(b, o, "c_info", create_info(b));
    set_member(b, o, "b_info", build_info(b, dm));
    set_member(b, o, "disks", disks);
    set_member(b, o, "nics", nics);
    set_member(b, o, "on_poweroff", json_string(actions[c->on_poweroff]));
    set_member(b, o, "on_reboot", json_string(actions[c->on_reboot]));
    set_member(b, o, "on_watchdog", json_string(actions[c->on_watchdog]));
    set_member(b, o, "on_crash", json_string(actions[c->on_crash]));
    set_member(b, o, "on_soft_reset", json_string(actions[c->on_soft_reset]));
    return o;
}

int cv_libxl_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                    uint32_t xen_minor, enum cv_libxl_devices which, char **json_out, struct cv_error *err)
{
    struct build b = { .c = c, .spec = spec, .xen_minor = xen_minor, .which = which };
    json_t *o = domain_config(&b, l->count > 0 ? &l->dms[0] : NULL);
    char *text = b.failed ? NULL : json_dumps(o, JSON_INDENT(4));

    json_decref(o);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for libxl's configuration (or text that is not UTF-8)");
    *json_out = text;
    return 0;
}
