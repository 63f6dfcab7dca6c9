/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's rules: which programs an image may start, and as whom emulators run. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "emulators/rules.h"

static const char *rules_file(const char *text)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/convoy-rules-%d", (int)getpid());
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static const struct {
    const char *text, *error;
} rules_texts[] = { { "", NULL },
                    { "# none\n\n  \n", NULL },
                    { "program = /opt/q\nusers = 1000000\n", NULL },
                    { "secondaries_as_root = 1", NULL },
                    { "program = q", "line 1: a program is an absolute path" },
                    { "\nprogram /opt/q", "line 2: 'program /opt/q' is no 'key = value'" },
                    { "program = /opt/q more", "is no 'key = value'" },
                    { "users = 1000", "the first must be at least 65536" },
                    { "users = 2147483647", "and at most" },
                    { "users = 1e6", "takes a number" },
                    { "users = -1", "takes a number" },
                    { "secondaries_as_root = 2", "is 0 or 1" },
                    { "secondaries_as_rot = 1", "unknown key" } };

START_TEST(rules_are_read_strictly)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_rules r;
    const char *path = rules_file(rules_texts[_i].text);
    int rc = cv_emu_rules_load(&r, path, &err);

    if (rules_texts[_i].error == NULL) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_int_eq(chmod(path, 0666), 0);
        ck_assert_int_eq(cv_emu_rules_load(&r, path, &err), -1);
        ck_assert_msg(strstr(err.text, "others than root may write it") != NULL, "%s", err.text);
    } else {
        ck_assert_int_eq(rc, -1);
        ck_assert_msg(strstr(err.text, rules_texts[_i].error) && strstr(err.text, path), "%s", err.text);
    }
    unlink(path);
}
END_TEST

START_TEST(programs_of_this_host_only)
{
    static const char *const refused[] = { "/bin/sh",
                                           "/opt/qemu",
                                           "/usr/bin/../../bin/sh",
                                           "/usr/lib/xen/../bin/qemu-system-i386",
                                           "/usr/lib/xen-4.17/x/bin/qemu-system-i386",
                                           "usr/bin/qemu-system-i386" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_rules r = { 0 };

    ck_assert_int_eq(cv_emu_rules_program(&r, "/usr/libexec/xen-qemu-system-i386", &err), 0);
    ck_assert_int_eq(cv_emu_rules_program(&r, "/usr/lib/xen-4.17/bin/qemu-system-i386", &err), 0);
    ck_assert_int_eq(cv_emu_rules_program(&r, "/usr/bin/qemu-system-x86_64", &err), 0);
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_int_eq(cv_emu_rules_program(&r, refused[i], &err), -1);
        ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, refused[i]) != NULL, "%s", err.text);
    }
    ck_assert_int_eq(cv_emu_rules_trust(&r, "/opt/qemu", &err), 0);
    ck_assert_int_eq(cv_emu_rules_program(&r, "/opt/qemu", &err), 0);
    ck_assert_int_eq(cv_emu_rules_program(&r, "/bin/sh", &err), -1);
}
END_TEST

START_TEST(each_emulator_has_a_user_of_its_own)
{
    struct cv_emu_rules r = { .has_users = true, .users = 1879048192, .group = 99 };
    struct cv_error err = CV_ERROR_INIT;
    char user[32];

    ck_assert_int_eq(cv_emu_rules_user(&r, 1, 1, user, sizeof user, &err), 0);
    ck_assert_str_eq(user, "1879048201:99");
    ck_assert_int_eq(cv_emu_rules_user(&r, 0x7fef, 7, user, sizeof user, &err), 0);
    ck_assert_str_eq(user, "1879310207:99"); /* the last of the range */
    ck_assert_int_eq(cv_emu_rules_user(&r, 0x7ff0, 0, user, sizeof user, &err), -1);
    /* somebody's: uid 65534 is nobody's own */
    r.users = 65534 - 8 - 1;
    ck_assert_int_eq(cv_emu_rules_user(&r, 1, 1, user, sizeof user, &err), -1);
    ck_assert_msg(strstr(err.text, "is the user nobody's") != NULL, "%s", err.text);
    /* as root only where the host says so */
    r = (struct cv_emu_rules){ 0 };
    ck_assert_int_eq(cv_emu_rules_user(&r, 1, 1, user, sizeof user, &err), -1);
    ck_assert_msg(strstr(err.text, "would run as root") != NULL, "%s", err.text);
    r.as_root = true;
    ck_assert_int_eq(cv_emu_rules_user(&r, 1, 1, user, sizeof user, &err), 0);
    ck_assert_str_eq(user, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rules");
    TCase *t = tcase_create("rules");

    tcase_add_loop_test(t, rules_are_read_strictly, 0, sizeof rules_texts / sizeof *rules_texts);
    tcase_add_test(t, programs_of_this_host_only);
    tcase_add_test(t, each_emulator_has_a_user_of_its_own);
    suite_add_tcase(s, t);
    return run_suite(s);
}
