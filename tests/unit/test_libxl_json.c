/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's configuration to xl.cfg: what is taken, what is refused, and that convoy's own parser reads the text. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/run_suite.h"
#include "libxl-json/json.h"

static struct cv_error err;

static void setup(void) { err = (struct cv_error)CV_ERROR_INIT; }

/* A configuration with members put in: %s in c_info, b_info, type.hvm and at the top. */
static char *json_of(const char *c, const char *b, const char *h, const char *top)
{
    char *text = NULL;

    if (asprintf(&text,
                 "{\"c_info\":{\"type\":\"hvm\",\"name\":\"g\",\"domid\":4294967295,\"uuid\":\"63b46dc0-23f1-4965-a9f1-"
                 "592fab9c049f\"%s},"
                 "\"b_info\":{\"max_vcpus\":2,\"avail_vcpus\":[0],\"max_memkb\":262144,\"target_memkb\":262144%s,"
                 "\"type.hvm\":{\"rdm\":{}%s},\"arch_arm\":{},\"arch_x86\":{\"msr_relaxed\":\"False\"}}%s}",
                 c, b, h, top) < 0)
        abort();
    return text;
}

struct row {
    const char *c, *b, *h, *top, *expected;
};

/* expected: a line of the text. */
static const struct row taken[] = {
    { "", "", "", "", "name = \"g\"\n" },
    { "", "", "", "", "maxmem = 256\nmemory = 256\n" },
    { "", "", "", "", "maxvcpus = 2\n" },
    { "", "", "", "", "vcpus = 1\n" },
    { "", "", "", "", "on_reboot = \"destroy\"\n" },
    { "", "", "", ",\"on_reboot\":\"preserve\"", "on_reboot = \"preserve\"\n" },
    { ",\"hap\":\"False\"", "", "", "", "hap = 0\n" },
    { "", ",\"tsc_mode\":\"always_emulate\"", "", "", "tsc_mode = \"always_emulate\"\n" },
    { "", ",\"cmdline\":\"a \\\"b\\\" c\\\\d\",\"kernel\":\"/k\"", "", "", "cmdline = \"a \\\"b\\\" c\\\\d\"\n" },
    { "", ",\"rtc_timeoffset\":4294963696", "", "", "rtc_timeoffset = \"-3600\"\n" },
    { "", ",\"video_memkb\":8192", "", "", "videoram = 8\n" },
    { "", ",\"cpuid\":[{\"leaf\":1}],\"sched_params\":{\"weight\":256},\"claim_mode\":\"True\"", "", "",
      "name = \"g\"\n" },
    { "",
      ",\"cpuid\":[{\"leaf\":1,\"ecx\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\"},{\"leaf\":7,\"subleaf\":0,\"ebx\":"
      "\"\\\"\"}]",
      "", "", "cpuid = [ \"0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\" ]\n" },
    { "", ",\"extra_hvm\":[\"-global\",\"e1000.romfile=\"]", "", "", "name = \"g\"\n" },
    { "", "", ",\"vga\":{\"kind\":\"std\"}", "", "vga = \"stdvga\"\n" },
    { "", "", ",\"smbios\":[{\"key\":\"bios_vendor\",\"value\":\"a \\\"b\\\"\"}]", "",
      "smbios = [\"bios_vendor=a \\\"b\\\"\",]\n" },
    { "", "", ",\"serial\":\"pty\"", "", "serial = [\"pty\"]\n" },
    { "", "", ",\"serial_list\":[\"pty\",\"null\"]", "", "serial = [\"pty\",\"null\",]\n" },
    { "", "", ",\"usbdevice_list\":[\"tablet\"]", "", "usbdevice = [\"tablet\",]\n" },
    { "", "", ",\"vnc\":{\"enable\":\"True\",\"listen\":\"0.0.0.0\",\"passwd\":\"x\",\"display\":3}", "",
      "vnclisten = \"0.0.0.0\"\n" },
    { "", "", ",\"viridian\":\"True\",\"viridian_disable\":[2]", "",
      "viridian = [\"defaults\",\"!time_ref_count\",]\n" },
    { "", "", ",\"spice\":{\"enable\":\"False\",\"usbredirection\":4}", "", "name = \"g\"\n" },
    { "", "", "",
      ",\"disks\":[{\"pdev_path\":\"/"
      "d\",\"vdev\":\"xvda\",\"backend\":\"qdisk\",\"format\":\"qcow2\",\"readwrite\":1}]",
      "\"vdev=xvda,access=rw,backendtype=qdisk,format=qcow2,target=/d\"" },
    { "", "", "", ",\"disks\":[{\"vdev\":\"hdc\",\"format\":\"empty\",\"removable\":1,\"is_cdrom\":1}]",
      "\"model=ide,devtype=cdrom,vdev=hdc,access=ro,target=\"" },
    { "", "", ",\"hdtype\":\"ahci\"",
      ",\"disks\":[{\"pdev_path\":\"/"
      "d\",\"vdev\":\"hda\",\"format\":\"raw\",\"readwrite\":1,\"discard_enable\":\"False\"}]",
      "\"vdev=hda,access=rw,no-discard,format=raw,target=/d\"" },
    { "", "", "",
      ",\"nics\":[{\"devid\":0,\"mtu\":1492,\"model\":\"e1000\",\"mac\":\"00:16:3e:01:02:03\",\"bridge\":\"br7\","
      "\"script\":\"/etc/xen/scripts/vif-bridge\",\"nictype\":\"vif_ioemu\"}]",
      "\"type=ioemu,mac=00:16:3e:01:02:03,model=e1000,script=/etc/xen/scripts/vif-bridge,bridge=br7\"" },
    { "", "", "",
      ",\"disks\":[{\"pdev_path\":\"/dev/vg/"
      "e\",\"vdev\":\"xvde\",\"backend\":\"phy\",\"format\":\"raw\",\"readwrite\":1,\"removable\":1}]",
      "\"vdev=xvde,access=rw,backendtype=phy,format=raw,target=/dev/vg/e\"" },
    { "", "", "",
      ",\"disks\":[{\"pdev_path\":\"pool/v\",\"vdev\":\"xvda\",\"format\":\"raw\",\"readwrite\":1,"
      "\"script\":\"block-drbd\",\"backend_domid\":3}]",
      "\"vdev=xvda,access=rw,script=block-drbd,backend=3,format=raw,target=pool/v\"" },
    { "", "", "",
      ",\"nics\":[{\"devid\":0,\"mac\":\"00:16:3e:01:02:03\",\"nictype\":\"vif\",\"bridge\":\"br7\","
      "\"rate_bytes_per_interval\":625000,\"rate_interval_usecs\":50000,\"ip\":\"10.0.0.7\"}]",
      "\"type=vif,mac=00:16:3e:01:02:03,model=rtl8139,ip=10.0.0.7,rate=12500000B/s@50000us,bridge=br7\"" },
    { "", "", ",\"sdl\":{},\"spice\":{}", ",\"vkbs\":[{\"devid\":0}],\"pcidevs\":[],\"on_watchdog\":null",
      "name = \"g\"\n" },
    /* of libvirt: its display is here twice */
    { "", "", ",\"vnc\":{\"enable\":\"True\",\"listen\":\"0.0.0.0\"}",
      ",\"vfbs\":[{\"vnc\":{\"enable\":\"True\",\"listen\":\"127.0.0.1\"},\"sdl\":{\"enable\":\"False\"}}],\"vkbs\":[{}"
      "]",
      "vnclisten = \"0.0.0.0\"\n" },
};

/* Carried over as it is; it is the configuration that does not have it, and says so. */
START_TEST(rename_restart_is_carried_over_and_refused)
{
    char *json = json_of("", "", "", ",\"on_reboot\":\"restart_rename\"");
    struct cv_libxl_facts facts;
    struct cv_guest_config config;
    CV_AUTO_BUF cfg = { 0 };

    ck_assert_msg(cv_libxl_to_cfg(json, strlen(json), &facts, &cfg, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_buf_put_u8(&cfg, 0, &err), 0);
    ck_assert_ptr_nonnull(strstr((char *)cfg.data, "on_reboot = \"rename-restart\"\n"));
    ck_assert_int_lt(cv_guest_config_parse((char *)cfg.data, cfg.len - 1, "test", &config, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "rename-restart"));
    free(json);
}
END_TEST

START_TEST(known_members_are_taken)
{
    const struct row *r = &taken[_i];
    char *json = json_of(r->c, r->b, r->h, r->top);
    struct cv_libxl_facts facts;
    struct cv_guest_config config;
    CV_AUTO_BUF cfg = { 0 };

    ck_assert_msg(cv_libxl_to_cfg(json, strlen(json), &facts, &cfg, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_buf_put_u8(&cfg, 0, &err), 0);
    ck_assert_msg(strstr((char *)cfg.data, r->expected) != NULL, "no '%s' in\n%s", r->expected, (char *)cfg.data);
    ck_assert_msg(cv_guest_config_parse((char *)cfg.data, cfg.len - 1, "test", &config, &err) == 0, "%s\n%s", err.text,
                  (char *)cfg.data);
    ck_assert_str_eq(config.name, "g");
    cv_guest_config_dispose(&config);
    free(json);
}
END_TEST

/* expected: in the error. */
static const struct row refused[] = {
    { ",\"type2\":\"x\"", "", "", "", "c_info.type2: is unknown here" },
    { ",\"ssid_label\":\"system_u:x\"", "", "", "", "c_info.ssid_label" },
    { ",\"passthrough\":\"sync_pt\"", "", "", "", "passed-through" },
    { "", ",\"max_vcpus2\":1", "", "", "b_info.max_vcpus2: is unknown here" },
    { "", ",\"vnuma_nodes\":[{}]", "", "", "b_info.vnuma_nodes: Xen cannot save" },
    { "", ",\"device_model_stubdomain\":\"True\"", "", "", "service domains" },
    { "", ",\"device_model_version\":\"qemu_xen_traditional\"", "", "", "device_model_version" },
    { "", ",\"dm_restrict\":\"True\"", "", "", "dm_restrict" },
    { "", ",\"nested_hvm\":\"True\"", "", "", "nested virtualisation" },
    { "", ",\"extra_hvm\":[\"-device\",\"edu\"]", "", "", "arguments of its own" },
    { "", ",\"iomem\":[{\"start\":1}]", "", "", "passed-through" },
    { "", ",\"max_grant_version\":1", "", "", "max_grant_version" },
    { "", ",\"shadow_memkb\":-1", "", "", "is no size of a guest" },
    { "", ",\"cmdline\":\"a\\u001bb\"", "", "", "control characters" },
    { "", ",\"kernel\":7", "", "", "is no string" },
    { "", ",\"acpi\":\"Maybe\"", "", "", "neither True nor False" },
    { "", ",\"altp2m\":\"mixed\"", "", "", "b_info.altp2m" },
    { "", "", ",\"bios\":\"ovmf\"", "", "bios" },
    { "", "", ",\"vga\":{\"kind\":\"qxl\"}", "", "b_info.type.hvm.vga.kind" },
    { "", "", ",\"vga\":{\"kind\":\"none\"}", "", "without a VGA card" },
    { "", "", ",\"sdl\":{\"enable\":\"True\"}", "", "only vnc" },
    { "", "", ",\"xen_platform_pci\":\"False\"", "", "xen_platform_pci" },
    { "", "", ",\"mmio_hole_memkb\":1048576", "", "mmio_hole_memkb" },
    { "", "", ",\"viridian_enable\":[40]", "", "unknown here" },
    { "", "", "", ",\"pcidevs\":[{\"dev\":3}]", "passed-through" },
    { "", "", "", ",\"p9s\":[{}, 1]", "PV devices" },
    { "", "", "", ",\"on_crash\":\"explode\"", "on_crash" },
    { "", "", "", ",\"disks\":[{\"pdev_path\":\"/d\",\"vdev\":\"xvda,x\"}]", "disks[0].vdev: has characters" },
    { "", "", "", ",\"disks\":[{\"pdev_path\":\"/d\",\"vdev\":\"xvda\",\"backend\":\"tap\"}]", "disks[0].backend" },
    { "", "", "", ",\"disks\":[{\"pdev_path\":\"/d\\n\",\"vdev\":\"hda\"}]", "control characters" },
    { "", "", "", ",\"nics\":[{\"devid\":1,\"mac\":\"00:16:3e:01:02:03\",\"nictype\":\"vif_ioemu\"}]",
      "nics[0].devid" },
    { "", "", "", ",\"nics\":[{\"devid\":0,\"mac\":\"00:16:3e:01:02:03,x\",\"nictype\":\"vif_ioemu\"}]",
      "nics[0].mac" },
};

START_TEST(what_cannot_be_served_is_refused_by_name)
{
    const struct row *r = &refused[_i];
    char *json = json_of(r->c, r->b, r->h, r->top);
    struct cv_libxl_facts facts;
    CV_AUTO_BUF cfg = { 0 };

    ck_assert_int_eq(cv_libxl_to_cfg(json, strlen(json), &facts, &cfg, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, r->expected) != NULL, "'%s', not '%s'", err.text, r->expected);
    free(json);
}
END_TEST

/* libxl makes a frame buffer of a PVH guest's list, and none of an HVM guest's. */
START_TEST(frame_buffer_of_a_pvh_guest_is_refused)
{
    char *json = json_of("", "", "", ",\"vfbs\":[{\"vnc\":{\"enable\":\"True\"}}]");
    struct cv_libxl_facts f;
    CV_AUTO_BUF cfg = { 0 };

    memcpy(strstr(json, "\"hvm\""), "\"pvh\"", 5);
    ck_assert_int_eq(cv_libxl_to_cfg(json, strlen(json), &f, &cfg, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "vfbs: PV devices") != NULL, "%s", err.text);
    free(json);
}
END_TEST

START_TEST(relaxed_msrs_are_refused)
{
    char *json = json_of("", "", "", "");
    struct cv_libxl_facts f;
    CV_AUTO_BUF cfg = { 0 };

    memcpy(strstr(json, "\"False\""), "\"True\" ", 7);
    ck_assert_int_eq(cv_libxl_to_cfg(json, strlen(json), &f, &cfg, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "b_info.arch_x86: relaxed MSRs") != NULL, "%s", err.text);
    free(json);
}
END_TEST

START_TEST(facts_without_a_key)
{
    char *json = json_of("",
                         ",\"timer_mode\":\"one_missed_tick_pending\",\"shadow_memkb\":5120,\"event_channels\":2047,"
                         "\"extra_hvm\":[\"-global\",\"e1000.romfile=\"]",
                         ",\"pirq\":\"False\"", "");
    struct cv_libxl_facts f;
    CV_AUTO_BUF cfg = { 0 };

    ck_assert_msg(cv_libxl_to_cfg(json, strlen(json), &f, &cfg, NULL, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(f.timer_mode, 3);
    ck_assert_uint_eq(f.shadow_kib, 5120);
    ck_assert_uint_eq(f.target_kib, 262144);
    ck_assert_uint_eq(f.event_channels, 2047);
    ck_assert(f.has_pirq && !f.pirq && f.no_nic_roms);
    free(json);
}
END_TEST

START_TEST(no_json_at_all)
{
    static const char *const texts[] = { "", "[]", "{", "{\"a\":1,\"a\":2}", "\xff", "nul" };
    struct cv_libxl_facts f;
    CV_AUTO_BUF cfg = { 0 };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_int_eq(cv_libxl_to_cfg(texts[i], strlen(texts[i]), &f, &cfg, NULL, &err), -1);
        ck_assert_int_eq(err.code, CV_E_STREAM);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("libxl_json");
    TCase *t = tcase_create("libxl_json");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, rename_restart_is_carried_over_and_refused);
    tcase_add_loop_test(t, known_members_are_taken, 0, (int)(sizeof taken / sizeof *taken));
    tcase_add_loop_test(t, what_cannot_be_served_is_refused_by_name, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, frame_buffer_of_a_pvh_guest_is_refused);
    tcase_add_test(t, relaxed_msrs_are_refused);
    tcase_add_test(t, facts_without_a_key);
    tcase_add_test(t, no_json_at_all);
    suite_add_tcase(s, t);
    return run_suite(s);
}
