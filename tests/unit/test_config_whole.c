/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations as a whole: all that is in the way at once, how many emulators, what is odd and taken all the same. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "config/config.h"
#include "config_text.h"

/* One round for the user, not one for each line. */
START_TEST(all_at_once)
{
    static const char text[] = "name='a/b'\ntype='hvm'\nmemory='lots'\nvcpus=0\npci=['01:00.0']\nspice=1\nacpi=[]\n"
                               "disk=['/a,raw,hda,w,colour=red','/b,raw,hdb,w','/c']\nvif=['model=x','colour=red']\n"
                               "tsc_mode='fast'\non_crash='cry'\non_reboot='cry'\nusbdevice=['host:1','host:2']\n"
                               "bios='ovmf'\nvideoram=3\n";
    static const char *const keys[] = { "name",      "memory",    "vcpus",     "pci",  "spice",    "acpi",
                                        "disk",      "disk",      "vif",       "vif",  "tsc_mode", "on_crash",
                                        "on_reboot", "usbdevice", "usbdevice", "bios", "videoram" };
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    size_t n = sizeof keys / sizeof *keys;

    ck_assert_int_lt(cv_guest_config_examine(text, strlen(text), "x.cfg", &c, &found, &err), 0);
    for (size_t i = 0; i < found.count && i < n; i++)
        ck_assert_msg(strcmp(found.items[i].check, keys[i]) == 0, "%s is not about %s", found.items[i].text, keys[i]);
    ck_assert_uint_eq(found.count, n);
    ck_assert_int_eq(err.code, CV_E_INVALID);
    ck_assert_msg(strstr(err.text, "(and 16 more)") != NULL, "%s", err.text);
    cv_findings_dispose(&found);
}
END_TEST

START_TEST(every_line_that_is_no_syntax)
{
    static const char text[] = "vcpus = two\nname='g'\nmemory = = 4\ndisk = [ 'a' 'b' ]\n";
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;

    ck_assert_int_lt(cv_guest_config_examine(text, strlen(text), "x.cfg", &c, &found, &err), 0);
    ck_assert_uint_eq(found.count, 3);
    for (size_t i = 0; i < 3; i++) {
        char start[40];
        snprintf(start, sizeof start, "x.cfg:%d: config parsing error", i == 0 ? 1 : i == 1 ? 3 : 4);
        ck_assert_msg(strncmp(found.items[i].text, start, strlen(start)) == 0, "%s", found.items[i].text);
    }
    cv_findings_dispose(&found);
}
END_TEST

static void emulators(char *text, size_t len, int n, bool with_default)
{
    size_t at = (size_t)snprintf(text, len, "%sdevice_models=[", HEAD);

    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, len - at, "'name=e%d%s',", i, i == 0 && with_default ? "" : ",device=edu");
    snprintf(text + at, len - at, "]\n");
}

START_TEST(one_to_eight_and_no_ninth)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    char text[1024];

    for (int n = 1; n <= 8; n++) {
        emulators(text, sizeof text, n, true);
        c = good(text);
        ck_assert_uint_eq(c.dm_count, n);
        cv_guest_config_dispose(&c);
    }
    for (int n = 8; n <= 20; n++) {
        emulators(text, sizeof text, n, n > 8);
        ck_assert_int_eq(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err), -1);
        ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, "Xen has 8 ioreq servers for a domain") != NULL, "%s", err.text);
    }
}
END_TEST

/* What stands in the files of real guests and asks for nothing that convoy has not. */
START_TEST(what_is_off_is_harmless)
{
    struct cv_guest_config c = good(
        "builder='hvm'\nname='3com'\nmemory=256\nsdl=0\nopengl=0\nspice=0\nnestedhvm=0\npci=[]\nusbctrl=[]\nvfb=[]\n"
        "gfx_passthru=0\naltp2m='disabled'\nms_vm_genid='none'\ndevice_model_stubdomain_override=0\ndm_restrict=0\n"
        "xen_platform_pci=1\nbios='seabios'\ndevice_model_version='qemu-xen'\nbootloader=''\ncap=0\n"
        "passthrough='disabled'\non_poweroff='destroy'\non_reboot='coredump-restart'\non_watchdog='preserve'\n"
        "timer_mode=2\nvpt_align=0\nacpi_s3=0\nmax_event_channels=4096\ncpus=['0-3,^1','5']\n"
        "disk=['file:/a,hda,w','phy:/dev/null,ioemu:hdb,w','/c.iso,,hdc,cdrom','tap:aio:/d,hdd,w']\n");

    ck_assert_str_eq(c.name, "3com");
    ck_assert_uint_eq(c.timer_mode, 2);
    ck_assert(!c.vpt_align && !c.acpi_s3 && c.acpi_s4);
    ck_assert_uint_eq(c.max_event_channels, 4096);
    ck_assert_str_eq(c.cpus, "0-3,^1;5;");
    ck_assert_int_eq(c.on_watchdog, CV_ACTION_PRESERVE);
    ck_assert_int_eq(c.on_reboot, CV_ACTION_COREDUMP_RESTART);
    ck_assert_int_eq(c.on_soft_reset, CV_ACTION_SOFT_RESET);
    ck_assert_str_eq(c.disks[0].path, "/a");
    ck_assert_str_eq(c.disks[1].path, "/dev/null");
    ck_assert(c.disks[2].cdrom && c.disks[2].readonly);
    ck_assert_str_eq(c.disks[3].path, "/d");
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(paths_are_absolute)
{
    char cwd[4096], path[5000];
    struct cv_guest_config c = good(HEAD "kernel='k'\nramdisk='r'\nserial='file:log'\nbios_path_override='b'\n"
                                         "disk=['no-such-image,raw,hda,w','null,raw,hdb,w']\n");

    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    snprintf(path, sizeof path, "%s/k", cwd);
    ck_assert_str_eq(c.kernel, path);
    snprintf(path, sizeof path, "%s/r", cwd);
    ck_assert_str_eq(c.ramdisk, path);
    snprintf(path, sizeof path, "%s/b", cwd);
    ck_assert_str_eq(c.bios_path, path);
    snprintf(path, sizeof path, "file:%s/log", cwd);
    ck_assert_str_eq(c.serials.items[0], path);
    snprintf(path, sizeof path, "%s/no-such-image", cwd);
    ck_assert_str_eq(c.disks[0].path, path);
    ck_assert_str_eq(c.disks[1].path, "/dev/null"); /* xl's rule: a name without '/' is a device */
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(display_words)
{
    struct cv_guest_config c = good(HEAD "nographic=1\n");

    ck_assert(!c.vnc && c.vga == CV_VGA_NONE && c.videoram_mib == 0);
    cv_guest_config_dispose(&c);
    c = good(HEAD "vnclisten='[::1]:7'\n");
    ck_assert_str_eq(c.vnclisten, "[::1]");
    ck_assert_uint_eq(c.vncdisplay, 7);
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(odd_texts)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;

    ck_assert_int_eq(cv_guest_config_parse("a\0b", 3, "x.cfg", &c, &err), -1);
    ck_assert_str_eq(err.text, "x.cfg: contains a zero byte: not a configuration file");
    ck_assert_int_eq(cv_guest_config_parse("", 0, "x.cfg", &c, &err), -1);
    c = good(HEAD "serial=['pty']\nserial+=['null']\n");
    cv_guest_config_dispose(&c);
    cv_guest_config_dispose(&c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config-whole");
    TCase *t = tcase_create("config");

    tcase_add_test(t, all_at_once);
    tcase_add_test(t, every_line_that_is_no_syntax);
    tcase_add_test(t, one_to_eight_and_no_ninth);
    tcase_add_test(t, what_is_off_is_harmless);
    tcase_add_test(t, paths_are_absolute);
    tcase_add_test(t, display_words);
    tcase_add_test(t, odd_texts);
    suite_add_tcase(s, t);
    return run_suite(s);
}
