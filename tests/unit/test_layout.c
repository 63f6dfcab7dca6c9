/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout: decided once, without conflicts, and the same after any journey. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/auto.h"
#include "layout/cmdline.h"
#include "layout/layout.h"

#define HEAD "type='hvm'\nname='g'\n"
static const struct cv_layout_host host = { .default_model = "/usr/bin/qemu", .nic_roms = true };

static const char *text_of(const struct cv_error *err)
{
    static char buf[800];

    return cv_error_string(err, buf, sizeof buf);
}

static struct cv_layout decide(const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    ck_assert_msg(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err) == 0, "%s", text_of(&err));
    ck_assert_msg(cv_layout_decide(&c, &host, &l, &err) == 0, "%s", text_of(&err));
    cv_guest_config_dispose(&c);
    return l;
}

static char *encode(const struct cv_layout *l)
{
    struct cv_error err = CV_ERROR_INIT;
    char *json;

    ck_assert_msg(cv_layout_encode(l, &json, &err) == 0, "%s", text_of(&err));
    return json;
}

static bool has_arg(const struct cv_layout_dm *dm, const char *arg)
{
    for (size_t i = 0; i < dm->argv.count; i++)
        if (strcmp(dm->argv.items[i], arg) == 0)
            return true;
    return false;
}

static const char *device_arg(const struct cv_layout_dm *dm, const char *id)
{
    for (unsigned i = 0; i < dm->device_count; i++)
        if (strcmp(dm->devices[i].id, id) == 0)
            return dm->devices[i].arg;
    return "";
}

START_TEST(command_lines)
{
    struct cv_layout l =
        decide(HEAD "memory=256\nvcpus=2\nmaxvcpus=4\nvga='stdvga'\nserial='pty'\nsoundhw='hda'\nusb=1\n"
                    "usbdevice='tablet'\nkernel='/k'\nramdisk='/r'\ncmdline='console=ttyS0'\n"
                    "disk=['/a,raw,hda,w','/b,raw,xvdb,w','model=ahci,/c,raw,xvdc,w']\n"
                    "vif=['mac=00:16:3e:00:00:01,model=e1000','mac=00:16:3e:00:00:02,model=virtio-net']\n"
                    "device_models=['name=net,vifs=0','name=disk,disks=xvdb+xvdc,devices=[edu,id=e]']\n");
    const struct cv_layout_dm *def = &l.dms[0], *net = &l.dms[1], *disk = &l.dms[2];

    ck_assert_uint_eq(l.ram_kib, 240 << 10);
    ck_assert_uint_eq(def->rank, 2);
    ck_assert(has_arg(def, "xenfv,suppress-vmdesc=on") && has_arg(def, "/k") && has_arg(def, "-usb") &&
              has_arg(def, "240"));
    ck_assert(!has_arg(def, "-xen-domid-restrict") && !has_arg(net, "-xen-domid-restrict")); /* convoy gives it */
    ck_assert(has_arg(def, "2,maxcpus=4") && has_arg(net, "2,maxcpus=4") && has_arg(disk, "2,maxcpus=4"));
    ck_assert(!has_arg(net, "-kernel") && !has_arg(net, "-serial"));
    ck_assert_str_eq(device_arg(def, "vga"), "VGA,id=vga,vgamem_mb=16,bus=pci.0,addr=03.0");
    ck_assert_str_eq(device_arg(def, "sound"), "intel-hda,id=sound,bus=pci.0,addr=04.0");
    ck_assert_str_eq(device_arg(def, "nic1"),
                     "virtio-net-pci,id=nic1,netdev=net1,mac=00:16:3e:00:00:02,bus=pci.0,addr=05.0");
    ck_assert_str_eq(device_arg(net, "nic0"),
                     "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:01,romfile=,bus=pci.0,addr=06.0");
    ck_assert(has_arg(net, "tap,id=net0,fd=@{tap-fd:0}"));
    ck_assert_str_eq(device_arg(def, "disk-hda"), "ide-hd,id=disk-hda,drive=drive-hda,bus=ide.0,unit=0");
    ck_assert_str_eq(device_arg(disk, "disk-xvdb"),
                     "virtio-blk-pci,id=disk-xvdb,drive=drive-xvdb,serial=xvdb,bus=pci.0,addr=07.0");
    ck_assert_str_eq(device_arg(disk, "ahci0"), "ich9-ahci,id=ahci0,bus=pci.0,addr=08.0");
    ck_assert_str_eq(device_arg(disk, "disk-xvdc"), "ide-hd,id=disk-xvdc,drive=drive-xvdc,bus=ahci0.0,unit=0");
    ck_assert_str_eq(device_arg(disk, "e"), "edu,id=e,bus=pci.0,addr=09.0");
    cv_layout_dispose(&l);
}
END_TEST

/* The word after an option, "" if it is not there. */
static const char *after(const struct cv_layout_dm *dm, const char *option)
{
    for (size_t i = 0; i + 1 < dm->argv.count; i++)
        if (strcmp(dm->argv.items[i], option) == 0)
            return dm->argv.items[i + 1];
    return "";
}

static const struct {
    const char *lines, *vnc;
} displays[] = {
    { "", "127.0.0.1:0,to=99" },
    { "vnc=0\n", "none" },
    { "nographic=1\n", "none" },
    { "vga='none'\n", "none" },
    { "vncunused=0\nvncdisplay=5\n", "127.0.0.1:5" },
    { "vnclisten='0.0.0.0:3'\n", "0.0.0.0:3,to=99" },
    { "vnclisten='[::1]'\nvncdisplay=200\nvncpasswd='secret'\n", "[::1]:200,password=on,to=299" },
};

START_TEST(vnc_options)
{
    char text[400];

    snprintf(text, sizeof text, HEAD "memory=256\n%sdevice_models=['name=a,caps=audio']\n", displays[_i].lines);
    struct cv_layout l = decide(text);
    ck_assert_str_eq(after(&l.dms[0], "-vnc"), displays[_i].vnc);
    ck_assert_str_eq(after(&l.dms[1], "-vnc"), "none");
    for (size_t i = 0; i < l.dms[0].argv.count; i++)
        ck_assert_msg(strstr(l.dms[0].argv.items[i], "secret") == NULL, "the password is visible in ps");
    cv_layout_dispose(&l);
}
END_TEST

START_TEST(a_text_that_looks_like_a_placeholder)
{
    static const char text[] = HEAD "memory=256\nkernel='/k'\ncmdline='a=@{b}'\n";
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    ck_assert_int_eq(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err), 0);
    ck_assert_int_eq(cv_layout_decide(&c, &host, &l, &err), -1);
    ck_assert_msg(strstr(err.text, "emulator 0 'default'") != NULL && strstr(err.text, "'a=@{b}'") != NULL, "%s",
                  err.text);
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(serial_audio_and_usb_can_move)
{
    struct cv_layout l =
        decide(HEAD "memory=256\nserial=['pty','file:/x,y']\nsoundhw='ac97'\nusbversion=2\nusbdevice=[]\n"
                    "device_models=['name=a,caps=serial+audio+usb']\n");
    const struct cv_layout_dm *def = &l.dms[0], *a = &l.dms[1];

    ck_assert(!has_arg(def, "-serial") && !has_arg(def, "-usb"));
    ck_assert(has_arg(a, "pty,id=char-serial0") && has_arg(a, "file,id=char-serial1,path=/x,,y,append=on"));
    ck_assert_str_eq(device_arg(a, "serial1"), "pci-serial,id=serial1,chardev=char-serial1,bus=pci.0,addr=05.0");
    ck_assert_str_eq(device_arg(a, "usb"), "ich9-usb-ehci1,id=usb,multifunction=on,bus=pci.0,addr=06.7");
    ck_assert_str_eq(device_arg(a, "uhci2"),
                     "ich9-usb-uhci2,id=uhci2,masterbus=usb.0,firstport=2,multifunction=on,bus=pci.0,addr=06.1");
    ck_assert_str_eq(device_arg(a, "sound"), "AC97,id=sound,audiodev=audio,bus=pci.0,addr=07.0");
    cv_layout_dispose(&l);
}
END_TEST

/* Windows: behind the RAM, out of the PCI hole, apart from each other, and where QEMU's -m puts them. */
static const unsigned memories[] = { 32,   256,  2048, 3072, 3830, 3835, 3840, 3848,
                                     3850, 3856, 3860, 3900, 4096, 5000, 65536 };

START_TEST(windows_for_every_size)
{
    char text[700];
    const uint64_t hole = 0xf0000000ULL, gib4 = 0x100000000ULL;

    snprintf(text, sizeof text,
             HEAD
             "memory=%u\nvif=['model=e1000','model=e1000','model=e1000','model=e1000']\n"
             "device_models=['name=a,vifs=0','name=b,vifs=1','name=c,vifs=2','name=d,device=edu','name=e,device=edu',"
             "'name=f,device=edu','name=g,device=edu,reserve=300']\n",
             memories[_i]);
    struct cv_layout l = decide(text);
    uint64_t sum = 0;
    ck_assert_uint_eq(l.count, 8);
    for (unsigned i = 0; i < l.count; i++) {
        const struct cv_layout_dm *dm = &l.dms[i];
        uint64_t m = dm->m_kib << 10, start = dm->window_gfn << 12, end = start + (dm->window_pages << 12);
        /* xen_ram_init(): the first block comes right behind the RAM, which leaves the hole out if it reaches it */
        ck_assert_uint_eq(start, m > hole ? gib4 + (m - hole) : m);
        ck_assert_uint_ge(m, l.max_kib << 10);
        ck_assert(end <= hole || start >= gib4);
        uint64_t ram_end = (l.max_kib << 10) > hole ? gib4 + (l.max_kib << 10) - hole : l.max_kib << 10;
        ck_assert_uint_ge(start, ram_end);
        for (unsigned k = 0; k < i; k++) {
            uint64_t other = l.dms[k].window_gfn << 12, other_end = other + (l.dms[k].window_pages << 12);
            ck_assert(end <= other || start >= other_end);
        }
        sum += dm->window_pages;
    }
    ck_assert_uint_eq(l.extra_pages, sum);
    cv_layout_dispose(&l);
}
END_TEST

START_TEST(decided_the_same_each_time)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout a, b;
    const char *text = HEAD "memory=256\nvif=['','']\ndevice_models=['name=a,vifs=1']\n";

    ck_assert_int_eq(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err), 0);
    ck_assert_int_eq(cv_layout_decide(&c, &host, &a, &err), 0);
    ck_assert_int_eq(cv_layout_decide(&c, &host, &b, &err), 0);
    char *one = encode(&a), *two = encode(&b);
    ck_assert_str_eq(one, two);
    free(one);
    free(two);
    cv_layout_dispose(&a);
    cv_layout_dispose(&b);
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(too_many_devices_for_one_bus)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;
    char text[4000];
    size_t at = (size_t)snprintf(text, sizeof text, HEAD "memory=256\ndevice_models=['name=a");

    for (int i = 0; i < 24; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",device=edu");
    at += (size_t)snprintf(text + at, sizeof text - at, "','name=b");
    for (int i = 0; i < 5; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",device=edu");
    snprintf(text + at, sizeof text - at, "']\n");
    ck_assert_msg(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_layout_decide(&c, &host, &l, &err), -1);
    ck_assert_msg(strstr(err.text, "layout: no PCI slot is left for dev4") != NULL, "%s", err.text);
    cv_guest_config_dispose(&c);
}
END_TEST

#define PVH "type='pvh'\nname='g'\nkernel='/k'\ncmdline='console=hvc0'\nmemory=256\nvcpus=2\n"

/* A PVH guest has no emulator, and a QEMU only where a disk needs one. */
START_TEST(pvh_guests)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout m, l = decide(PVH "disk=['/a,raw,xvda,w']\nvif=['bridge=b']\n");

    ck_assert_uint_eq(l.count, 0);
    ck_assert_uint_eq(l.ram_kib, 256 << 10);
    ck_assert_uint_eq(l.mmio_start, 0xfc000000);
    ck_assert_uint_eq(l.extra_pages, 0);
    ck_assert(cv_layout_check_type(&l, true, &err) == 0 && cv_layout_check_type(&l, false, &err) < 0);
    CV_AUTO_FREE char *json = NULL;
    ck_assert_int_eq(cv_layout_encode(&l, &json, &err), 0);
    ck_assert_int_eq(cv_layout_decode(json, strlen(json), &m, &err), 0);
    ck_assert_uint_eq(m.count, 0);
    cv_layout_dispose(&m);
    cv_layout_dispose(&l);

    l = decide(PVH "disk=['/a,raw,xvda,w','/b,qcow2,xvdb,w']\n");
    ck_assert_uint_eq(l.count, 1);
    ck_assert(cv_layout_is_backend(&l.dms[0]) && has_arg(&l.dms[0], "-xen-attach") && has_arg(&l.dms[0], "256"));
    ck_assert(!has_arg(&l.dms[0], "-kernel") && !has_arg(&l.dms[0], "-smp"));
    ck_assert_uint_eq(l.dms[0].device_count, 0);
    ck_assert_uint_eq(l.dms[0].window_pages, 0);
    ck_assert(cv_layout_check_type(&l, true, &err) == 0);
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert(cv_layout_check_type(&l, false, &err) < 0);
    ck_assert_msg(strstr(err.text, "an HVM guest has an emulator") != NULL, "%s", err.text);
    cv_layout_dispose(&l);

    l = decide(PVH "disk=['/a,raw,xvda,w,backendtype=qdisk']\n");
    ck_assert_uint_eq(l.count, 1);
    cv_layout_dispose(&l);
    l = decide(PVH "disk=['/a,qcow2,xvda,w,backend=storage']\n"); /* its QEMU is there, too */
    ck_assert_uint_eq(l.count, 0);
    cv_layout_dispose(&l);

    l = decide(HEAD "memory=256\n");
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert(cv_layout_check_type(&l, true, &err) < 0);
    ck_assert_msg(strstr(err.text, "a PVH guest has one emulator at most") != NULL, "%s", err.text);
    cv_layout_dispose(&l);
}
END_TEST

/* ---- conflicts ---- */

#define SOME                                                                       \
    HEAD "memory=256\nvif=['model=e1000','model=e1000']\ndisk=['/a,raw,xvda,w']\n" \
         "device_models=['name=net,vifs=0','name=disk,disks=xvda']\n"

static void same_bdf(struct cv_layout *l) { l->dms[2].devices[0].bdf = l->dms[1].devices[0].bdf; }
static void same_rank(struct cv_layout *l) { l->dms[1].rank = l->dms[2].rank; }
static void default_not_last(struct cv_layout *l)
{
    l->dms[0].rank = 0;
    l->dms[1].rank = 2;
}
static void same_name(struct cv_layout *l) { l->dms[1].name = l->dms[2].name; }
static void same_cap(struct cv_layout *l) { l->dms[1].caps = CV_CAP_AUDIO; }
static void same_disk(struct cv_layout *l) { l->dms[1].devices[0].vdev = "xvda"; }
static void same_id(struct cv_layout *l) { l->dms[0].devices[1].id = "vga"; }
static void windows(struct cv_layout *l) { l->dms[1].window_gfn = l->dms[2].window_gfn - 1; }
static void in_ram(struct cv_layout *l) { l->dms[1].window_gfn = 16; }
static void in_hole(struct cv_layout *l) { l->dms[2].window_gfn = 0xfffff; }
static void huge(struct cv_layout *l) { l->dms[2].window_pages = 1ULL << 50; }
static void wrap(struct cv_layout *l) { l->dms[2].window_gfn = ~0ULL - 3; }
static void region_out(struct cv_layout *l)
{
    l->dms[1].regions[0] = (struct cv_layout_region){ "rom", l->dms[1].window_gfn + l->dms[1].window_pages - 1, 2, "" };
    l->dms[1].region_count = 1;
}
static void region_wraps(struct cv_layout *l)
{
    l->dms[1].regions[0] = (struct cv_layout_region){ "rom", l->dms[1].window_gfn, ~0ULL, "" };
    l->dms[1].region_count = 1;
}
static void second_default(struct cv_layout *l) { l->dms[1].role = CV_DM_DEFAULT; }
static void none(struct cv_layout *l) { l->count = 9; }
static void backend(struct cv_layout *l) { l->dms[0].machine = "xenpv"; }
static void no_program(struct cv_layout *l) { l->dms[1].model = "qemu"; }
static void bad_hole(struct cv_layout *l) { l->mmio_start = 5; }

static const struct {
    void (*spoil)(struct cv_layout *l);
    const char *words;
} conflicts[] = {
    { same_bdf, "layout: emulators 1 'net' and 2 'disk': both have a device at 00:05.0: e1000 and virtio-blk-pci" },
    { same_rank, "layout: emulators 1 'net' and 2 'disk': have the same rank 1" },
    { default_not_last, "layout: emulator 0 'default': dmid 0, rank 0 and role 0 do not fit" },
    { same_name, "layout: emulators 1 'disk' and 2 'disk': have the same name" },
    { same_cap, "layout: emulators 0 'default' and 1 'net': both have the capability audio" },
    { same_disk, "layout: emulators 1 'net' and 2 'disk': both have the disk xvda" },
    { same_id, "layout: emulator 0 'default': " },
    { windows, "layout: emulators 1 'net' and 2 'disk': windows overlap: gfn 0x" },
    { in_ram, "layout: emulator 1 'net': window at gfn 0x10+0x" },
    { in_hole, "layout: emulator 2 'disk': window at gfn 0xfffff lies in the PCI hole" },
    { huge, "layout: emulator 2 'disk': window at gfn" },
    { wrap, "layout: emulator 2 'disk': window at gfn" },
    { region_out, "layout: emulator 1 'net': rom at gfn" },
    { region_wraps, "layout: emulator 1 'net': rom at gfn" },
    { second_default, "layout: emulator 1 'net': dmid 1, rank 0 and role 0 do not fit" },
    { none, "layout: 9 emulators" },
    { backend, "layout: emulator 0 'default': is of machine xenpv" },
    { no_program, "layout: emulator 1 'net': has no program" },
    { bad_hole, "layout: bad start of the PCI hole" },
};

START_TEST(conflicts_are_named)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l = decide(SOME);
    unsigned count = l.count;

    conflicts[_i].spoil(&l);
    int rc = cv_layout_check(&l, &err);
    if (conflicts[_i].spoil == same_id) /* names the one emulator twice otherwise */
        ck_assert_msg(strstr(err.text, "two devices have the id 'vga'") != NULL, "%s", err.text);
    else
        ck_assert_msg(strncmp(err.text, conflicts[_i].words, strlen(conflicts[_i].words)) == 0, "%s", err.text);
    ck_assert_int_eq(rc, -1);
    l.count = count;
    cv_layout_dispose(&l);
}
END_TEST

/* ---- JSON ---- */

START_TEST(json_and_back)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l = decide(SOME), m;

    l.dms[1].version = "7.2.0";
    l.dms[1].regions[0] = (struct cv_layout_region){ "0000:00:04.0/e1000.rom", l.dms[1].window_gfn, 64,
                                                     "0123456789abcdef0123456789abcdef" };
    l.dms[1].region_count = 1;
    char *json = encode(&l);
    ck_assert_msg(cv_layout_decode(json, strlen(json), &m, &err) == 0, "%s", text_of(&err));
    char *again = encode(&m);
    ck_assert_str_eq(json, again);
    free(json);
    free(again);
    cv_layout_dispose(&l);
    cv_layout_dispose(&m);
}
END_TEST

static void refused(const char *json, size_t len, enum cv_code code)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout m;

    int rc = cv_layout_decode(json, len, &m, &err);
    ck_assert_msg(rc == -1, "accepted: %.200s", json);
    ck_assert_msg(err.code == code, "code %d: %s", err.code, err.text);
}

/* Every member removed, of a wrong type, or joined by an unknown one is refused. */
static void spoil_members(json_t *root, json_t *object)
{
    const char *key;
    json_t *value, *copy = json_copy(object);

    json_object_foreach(copy, key, value)
    {
        json_t *saved = json_incref(value);
        json_object_del(object, key);
        char *text = json_dumps(root, JSON_COMPACT);
        if (strcmp(key, "digest") != 0) /* came later: may be missing */
            refused(text, strlen(text), CV_E_STREAM);
        free(text);
        json_object_set_new(object, key, json_pack("{s:i}", "x", 1));
        text = json_dumps(root, JSON_COMPACT);
        refused(text, strlen(text), CV_E_STREAM);
        free(text);
        json_object_set_new(object, key, saved);
    }
    json_decref(copy);
    json_object_set_new(object, "unknown", json_true());
    char *text = json_dumps(root, JSON_COMPACT);
    refused(text, strlen(text), CV_E_STREAM);
    free(text);
    json_object_del(object, "unknown");
}

START_TEST(json_is_taken_strictly)
{
    struct cv_layout l = decide(SOME);
    l.dms[1].regions[0] = (struct cv_layout_region){ "rom", l.dms[1].window_gfn, 64, "" };
    l.dms[1].region_count = 1;
    char *json = encode(&l);
    json_t *root = json_loads(json, 0, NULL), *dm = json_array_get(json_object_get(root, "emulators"), 1);

    for (size_t len = 0; len < strlen(json); len += 7)
        refused(json, len, CV_E_STREAM);
    spoil_members(root, root);
    spoil_members(root, dm);
    spoil_members(root, json_array_get(json_object_get(dm, "devices"), 0));
    spoil_members(root, json_array_get(json_object_get(dm, "regions"), 0));
    json_array_append_new(json_object_get(dm, "argv"), json_string("@{home}"));
    char *text = json_dumps(root, JSON_COMPACT);
    refused(text, strlen(text), CV_E_STREAM);
    free(text);
    json_object_set_new(root, "schema", json_integer(CV_LAYOUT_SCHEMA + 1));
    text = json_dumps(root, JSON_COMPACT);
    refused(text, strlen(text), CV_E_STREAM_VERSION);
    free(text);
    json_decref(root);
    free(json);
    cv_layout_dispose(&l);
}
END_TEST

/* ---- command line ---- */

START_TEST(placeholders)
{
    struct cv_cmdline c = { .domid = 12,
                            .qmp_fd = 3,
                            .xl_qmp_fd = -1,
                            .gate_fd = -1,
                            .tap_fds = { 7, 8 },
                            .run_as = "",
                            .disks = { { "xvda", 5, 6, false }, { "hda", 7, 8, true } },
                            .disk_count = 2 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_pool pool = { 0 };
    static const char *const wrong[] = { "@{xl-qmp-fd}", "@{",
                                         "@{}",          "@{domid",
                                         "@{tap-fd:}",   "@{tap-fd:2x}",
                                         "@{tap-fd:99}", "@{disk-set:xvdb}",
                                         "@{disk-set:}", "@{disk-driver:xvdb}",
                                         "@{tap-fd:100}" };

    ck_assert_str_eq(cv_cmdline_expand("vif@{domid}.@{domid}-@{tap-fd:1}@{disk-set:xvda}", &c, &pool, &err),
                     "vif12.12-80");
    ck_assert_str_eq(cv_cmdline_expand("@{disk-driver:xvda} @{disk-driver:hda}", &c, &pool, &err), "file host_device");
    ck_assert_str_eq(cv_cmdline_expand("a@b", &c, &pool, &err), "a@b");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(cv_cmdline_expand(wrong[i], &c, &pool, &err) == NULL, "%s", wrong[i]);
    cv_pool_dispose(&pool);
}
END_TEST

static bool in(const struct cv_strings *argv, const char *arg)
{
    for (size_t i = 0; i < argv->count; i++)
        if (argv->items[i] != NULL && strcmp(argv->items[i], arg) == 0)
            return true;
    return false;
}

/* A secondary is restricted, whatever its template says, and no template can take that back. */
START_TEST(rights_are_not_for_a_layout_to_give)
{
    static const char *const ours[] = { "-runas",     "--runas",   "-sandbox",   "-chroot",
                                        "-daemonize", "-incoming", "--incoming", "-add-fd" };
    struct cv_cmdline c = {
        .domid = 12, .qmp_fd = 3, .xl_qmp_fd = 4, .gate_fd = -1, .run_as = "1879048289:1879048192", .sandbox = true
    };
    struct cv_layout l = decide(HEAD "memory=64\ndevice_models=['name=a,device=edu']\n");
    struct cv_error err = CV_ERROR_INIT;
    struct cv_pool pool = { 0 };
    struct cv_strings argv;

    for (unsigned i = 0; i < 2; i++) {
        cv_strings_add(&l.pool, &l.dms[i].argv, "--xen-domid-restrict"); /* as earlier versions wrote it */
        ck_assert_int_eq(cv_cmdline_check(&l, &err), 0);
        ck_assert_int_eq(cv_cmdline_build(&l.dms[i], &c, &pool, &argv, &err), 0);
        ck_assert_int_eq(in(&argv, "-xen-domid-restrict"), i == 1);
        ck_assert_int_eq(in(&argv, "-runas"), i == 1);
        ck_assert_int_eq(in(&argv, "1879048289:1879048192"), i == 1);
        ck_assert(!in(&argv, "--xen-domid-restrict"));
    }
    size_t last = l.dms[1].argv.count - 1;
    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++) {
        l.dms[1].argv.items[last] = ours[i];
        ck_assert_int_eq(cv_cmdline_check(&l, &err), -1);
        ck_assert_msg(strstr(err.text, "emulator 1 'a'") && strstr(err.text, ours[i]), "%s", err.text);
    }
    /* the program that was checked is the one that runs */
    l.dms[1].argv.items[last] = "-S";
    ck_assert_int_eq(cv_layout_check(&l, &err), 0);
    l.dms[1].argv.items[0] = "/bin/sh";
    ck_assert_int_eq(cv_layout_check(&l, &err), -1);
    ck_assert_msg(strstr(err.text, "starts /bin/sh") != NULL, "%s", err.text);
    cv_pool_dispose(&pool);
    cv_layout_dispose(&l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("layout");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, command_lines);
    tcase_add_test(t, pvh_guests);
    tcase_add_test(t, rights_are_not_for_a_layout_to_give);
    tcase_add_loop_test(t, vnc_options, 0, sizeof displays / sizeof *displays);
    tcase_add_test(t, a_text_that_looks_like_a_placeholder);
    tcase_add_test(t, serial_audio_and_usb_can_move);
    tcase_add_loop_test(t, windows_for_every_size, 0, sizeof memories / sizeof *memories);
    tcase_add_test(t, decided_the_same_each_time);
    tcase_add_test(t, too_many_devices_for_one_bus);
    tcase_add_loop_test(t, conflicts_are_named, 0, sizeof conflicts / sizeof *conflicts);
    tcase_add_test(t, json_and_back);
    tcase_add_test(t, json_is_taken_strictly);
    tcase_add_test(t, placeholders);
    suite_add_tcase(s, t);
    return run_suite(s);
}
