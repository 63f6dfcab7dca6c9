/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which emulators offer their devices MSIs, and whose would be dead after a restore (layout/interrupts.h). */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../support/run_suite.h"
#include "layout/interrupts.h"

#define HEAD "type='hvm'\nname='g'\n"
static const struct cv_layout_host host = { .default_model = "/usr/bin/qemu", .nic_roms = true };

static bool has_arg(const struct cv_layout_dm *dm, const char *arg)
{
    for (size_t i = 0; i < dm->argv.count; i++)
        if (strcmp(dm->argv.items[i], arg) == 0)
            return true;
    return false;
}

static const struct {
    const char *entry; /* of the second emulator */
    bool pirqs, msi, dies;
} interrupts[] = {
    { "disks=xvdb", true, true, false },
    { "disks=xvdc", true, false, false },
    { "disks=xvdc", false, true, true },
    { "disks=xvdb+xvdc", true, false, false },
    { "disks=xvdc,msi=1", true, true, true },
    { "disks=xvdb,msi=0", true, false, false },
    { "disks=xvdb,msi=0", false, false, false },
    { "vifs=0", true, true, false },
    { "device=edu", true, true, true },
    { "disks=xvdc,device=edu", true, true, true },
    { "device=megasas", true, false, false },
    { "disks=xvdc,args=[-cpu host]", true, true, true },
    { "disks=xvdc,msi=1,args=[-cpu qemu64,-apic]", true, true, true },
};

/* What a restore would leave without interrupts offers no MSI, where the guest has pirqs. */
START_TEST(interrupts_that_die)
{
    struct cv_layout_host where = host;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    where.pirqs = interrupts[_i].pirqs;
    for (unsigned vcpus = 1; vcpus <= 4; vcpus += 3) {
        char text[600];
        snprintf(text, sizeof text,
                 HEAD "memory=256\nvcpus=%u\nvif=['model=virtio-net,pv=0']\n"
                      "disk=['format=raw,vdev=xvdb,pv=0,model=virtio-blk,target=/b',"
                      "'format=raw,vdev=xvdc,pv=0,model=ahci,target=/c']\ndevice_models=['name=a,%s']\n",
                 vcpus, interrupts[_i].entry);
        ck_assert_msg(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err) == 0, "%s", err.text);
        ck_assert_msg(cv_layout_decide(&c, &where, &l, &err) == 0, "%s", err.text);
        bool several = vcpus > 1 && strstr(interrupts[_i].entry, "-cpu") != NULL; /* an APIC all the same */
        if (strstr(interrupts[_i].entry, "-cpu qemu64") == NULL || several) {
            ck_assert_int_eq(cv_layout_offers_msi(&l.dms[1]), interrupts[_i].msi);
            bool dies = false;
            for (unsigned i = 0; i < l.dms[1].device_count; i++)
                dies = dies || cv_layout_msi_dies(&l.dms[1], &l.dms[1].devices[i]);
            ck_assert_int_eq(dies, interrupts[_i].dies);
        }
        if (!interrupts[_i].msi)
            ck_assert(has_arg(&l.dms[1], "qemu64,-apic") && (vcpus == 1 || has_arg(&l.dms[1], "1,maxcpus=4")));
        ck_assert(cv_layout_offers_msi(&l.dms[0]));
        cv_layout_dispose(&l);
        cv_guest_config_dispose(&c);
    }
}
END_TEST

START_TEST(no_msi_where_it_cannot_be)
{
    static const char *const texts[][2] = {
        { "device_models=['name=a,default=1,msi=0']\n", "layout: emulator 'a': msi=0 is for emulators other than" },
        { "device_models=['name=a,device=edu,msi=0']\n", "layout: emulator 'a': msi=0: QEMU makes no edu without MSI" },
    };

    for (unsigned i = 0; i < 2; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest_config c;
        struct cv_layout l;
        char text[300];
        snprintf(text, sizeof text, HEAD "memory=256\n%s", texts[i][0]);
        ck_assert_msg(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err) == 0, "%s", err.text);
        ck_assert_int_eq(cv_layout_decide(&c, &host, &l, &err), -1);
        ck_assert_msg(strncmp(err.text, texts[i][1], strlen(texts[i][1])) == 0, "%s", err.text);
        cv_guest_config_dispose(&c);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("interrupts");
    TCase *t = tcase_create("msi");

    tcase_add_loop_test(t, interrupts_that_die, 0, sizeof interrupts / sizeof *interrupts);
    tcase_add_test(t, no_msi_where_it_cannot_be);
    suite_add_tcase(s, t);
    return run_suite(s);
}
