/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration: what is understood, and the exact words about what is not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "config/config.h"
#include "config_text.h"

#define PVH "type=\"pvh\"\nname=\"g\"\nmemory=256\nkernel=\"/k\"\n"

START_TEST(defaults_are_xls)
{
    struct cv_guest_config c = good(HEAD);

    ck_assert_str_eq(c.name, "g");
    ck_assert(c.uuid_generated);
    ck_assert_uint_eq(c.memory_kib, 256 << 10);
    ck_assert_uint_eq(c.maxmem_kib, 256 << 10);
    ck_assert_uint_eq(c.vcpus, 1);
    ck_assert_uint_eq(c.maxvcpus, 1);
    ck_assert_int_eq(c.vga, CV_VGA_CIRRUS);
    ck_assert_uint_eq(c.videoram_mib, 8);
    ck_assert(c.vnc && c.vncunused && c.acpi && c.apic && c.pae && c.hap && c.xen_platform_pci && !c.nomigrate);
    ck_assert_int_eq(c.on_reboot, CV_ACTION_RESTART);
    ck_assert_uint_eq(c.viridian, 0);
    ck_assert_uint_eq(c.dm_count, 1);
    ck_assert_str_eq(c.dms[0].name, "default");
    ck_assert_uint_eq(c.dms[0].caps, CV_CAP_ALL);
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(a_full_configuration)
{
    struct cv_guest_config c =
        good("# comment = 1\n"
             "builder = 'hvm'; name = \"a.b-c_d\"\n"
             "uuid = \"11111111-2222-3333-4444-555555555555\"\n"
             "memory = 512\nmaxmem = 1024\nvcpus = 2\nmaxvcpus = 4\n"
             "kernel = \"/k\"\nramdisk = \"/r\"\nroot = \"/dev/sda\"\nextra = \"quiet\"\nboot = \"dc\"\n"
             "disk = [ '/a,raw,hda,w', 'format=qcow2, vdev=hdb, access=rw, model=ahci, target=/b,c=model=nvme',\n"
             "         ',,hdc:cdrom', 'model=nvme,/n,raw,xvdd,ro',\n"
             "       ]\n"
             "vif = [ 'mac=00:16:3e:01:02:03, model=e1000, bridge=br7, vifname=lan0', '' ]\n"
             "vga = \"stdvga\"\nvideoram = 32\nserial = [ 'pty', 'null' ]\nsoundhw = \"hda\"\nusbdevice = 'tablet'\n"
             "vnc = 1\nvnclisten = \"0.0.0.0\"\nvncdisplay = 3\nvncpasswd = \"secret\"\n"
             "tsc_mode = \"native\"\nviridian = 1\nacpi = 0\non_crash = \"preserve\"\nrtc_timeoffset = \"-3600\"\n"
             "device_model_override = \"/q\"\ndevice_model_args = [ '-trace', 'x' ]\n");

    ck_assert_uint_eq(c.uuid[0], 0x11);
    ck_assert(!c.uuid_generated);
    ck_assert_str_eq(c.cmdline, "root=/dev/sda quiet");
    ck_assert_uint_eq(c.maxvcpus, 4);
    ck_assert_uint_eq(c.disk_count, 4);
    ck_assert_str_eq(c.disks[0].path, "/a");
    ck_assert_int_eq(c.disks[0].model, CV_DISK_IDE);
    ck_assert(c.disks[0].discard && !c.disks[0].readonly);
    ck_assert_str_eq(c.disks[1].path, "/b,c=model=nvme");
    ck_assert_int_eq(c.disks[1].model, CV_DISK_AHCI);
    ck_assert_str_eq(c.disks[1].format, "qcow2");
    ck_assert(c.disks[2].cdrom);
    ck_assert_str_eq(c.disks[2].path, "");
    ck_assert(c.disks[3].readonly && !c.disks[3].discard);
    ck_assert_uint_eq(c.vif_count, 2);
    ck_assert_uint_eq(c.vifs[0].mac[5], 3);
    ck_assert_str_eq(c.vifs[0].bridge, "br7");
    ck_assert_str_eq(c.vifs[1].model, "rtl8139");
    ck_assert_uint_eq(c.vifs[1].mac[2], 0x3e);
    ck_assert_uint_eq(c.videoram_mib, 32);
    ck_assert_uint_eq(c.serials.count, 2);
    ck_assert_str_eq(c.usbdevices.items[0], "usb-tablet");
    ck_assert(c.usb);
    ck_assert_int_eq(c.tsc_mode, CV_TSC_NATIVE);
    ck_assert_uint_eq(c.viridian, 1 | 4 | 32 | 64);
    ck_assert_int_eq(c.on_crash, CV_ACTION_PRESERVE);
    ck_assert_int_eq(c.rtc_timeoffset, -3600);
    ck_assert_str_eq(c.dms[0].model, "/q");
    ck_assert_uint_eq(c.dms[0].args.count, 2);
    cv_guest_config_dispose(&c);
}
END_TEST

/* Which halves a disk or a card has: E emulated, P PV. */
static const struct {
    const char *lines, *disks, *vifs;
} halves[] = {
    { "disk=['/a,raw,hda,w','/b,raw,xvdb,w','/c,raw,xvde,w',',,hdd,cdrom','/e,qcow2,hdc,w']", "EP EP P E EP", "" },
    { "disk=['/a,raw,hda,w,pv=0','/b,raw,xvdb,w,model=virtio-blk','/c,raw,xvdc,w,model=nvme,pv=1']", "E E EP", "" },
    { "disk=['/a,raw,hda,w','/b,raw,xvdb,w']\ndevice_models=['name=s,disks=xvdb']", "EP E", "" },
    { "hdtype='ahci'\ndisk=['/a,raw,xvdf,w','/b,raw,xvdg,ro']", "EP P", "" },
    { "xen_platform_pci=0\ndisk=['/a,raw,hda,w','/b,raw,xvde,w']\nvif=['','type=vif']", "E P", "E P" },
    { "disk=['/a,raw,xvde,w','/b,qcow2,hda,w,pv=0']\ndevice_models=['name=own,qmp=/s']", "P E", "" },
    { "disk=['vg/a,raw,hda,w,backend=store','drbd:r0,xvdb,w']", "P P", "" },
    { "vif=['','type=ioemu','type=vif,rate=1Mb/s,ip=10.0.0.1','pv=0','backend=net']", "", "EP EP P E P" },
    { "vif=['type=ioemu','script=vif-route']\ndevice_models=['name=n,vifs=0']", "", "E EP" },
};

static void add_halves(char *text, bool emulated, bool pv)
{
    sprintf(text + strlen(text), "%s%s%s", *text ? " " : "", emulated ? "E" : "", pv ? "P" : "");
}

START_TEST(halves_are_xls)
{
    char text[400], disks[64] = "", vifs[64] = "";

    snprintf(text, sizeof text, HEAD "%s\n", halves[_i].lines);
    struct cv_guest_config c = good(text);
    for (unsigned i = 0; i < c.disk_count; i++)
        add_halves(disks, c.disks[i].emulated, c.disks[i].pv);
    for (unsigned i = 0; i < c.vif_count; i++)
        add_halves(vifs, c.vifs[i].emulated, c.vifs[i].pv);
    ck_assert_str_eq(disks, halves[_i].disks);
    ck_assert_str_eq(vifs, halves[_i].vifs);
    cv_guest_config_dispose(&c);
}
END_TEST

START_TEST(several_emulators)
{
    struct cv_guest_config c = good(
        HEAD "disk=['/a,raw,hda,w','/b,raw,xvdb,w','/"
             "c,raw,hdc,w,model=ahci']\nvif=['','mac=00:16:3e:00:00:09,vifname=wan']\nsoundhw='hda'\n"
             "device_models = [\n"
             "  'name=net, model=/opt/qemu, version=7.2, vifs=0+wan, caps=audio, rank=5, arg=-d, args=[-trace foo]',\n"
             "  [ 'name=disk', 'disks=xvdb+2', 'device=edu,dma_mask=0xff,id=e', 'arg=-x a,b', 'reserve=4' ],\n"
             "  'name=main, caps=ui+serial',\n"
             "  'name=far, qmp=/run/far-@{domid}.sock, pid=4711', ]\n");

    ck_assert_uint_eq(c.dm_count, 4);
    ck_assert_str_eq(c.dms[0].name, "main");
    ck_assert(c.dms[0].is_default);
    ck_assert_uint_eq(c.dms[0].caps, CV_CAP_ALL & ~CV_CAP_AUDIO);
    ck_assert_str_eq(c.dms[1].name, "net");
    ck_assert_str_eq(c.dms[1].version, "7.2");
    ck_assert_uint_eq(c.dms[1].args.count, 3);
    ck_assert_int_eq(c.vifs[0].owner, 1);
    ck_assert_int_eq(c.vifs[1].owner, 1);
    ck_assert_str_eq(c.dms[2].name, "disk");
    ck_assert_int_eq(c.disks[0].owner, 0);
    ck_assert_int_eq(c.disks[1].owner, 2);
    ck_assert_int_eq(c.disks[1].model, CV_DISK_VIRTIO_BLK);
    ck_assert_int_eq(c.disks[2].owner, 2);
    ck_assert_str_eq(c.dms[2].devices[0].properties, "dma_mask=0xff");
    ck_assert_str_eq(c.dms[2].devices[0].id, "e");
    ck_assert_str_eq(c.dms[2].args.items[0], "-x a,b");
    ck_assert(c.dms[3].attach);
    ck_assert_int_eq(c.dms[3].pid, 4711);
    ck_assert_int_gt(c.dms[0].rank, c.dms[1].rank);
    ck_assert_int_gt(c.dms[0].rank, c.dms[3].rank);
    cv_guest_config_dispose(&c);
}
END_TEST

/* Every refusal: code and words. */
static const struct {
    enum cv_code code;
    const char *text, *words;
} bad[] = {
    { CV_E_INVALID, HEAD "vcpus=[\n", "x.cfg:4: config parsing error" },
    { CV_E_INVALID, HEAD "vcpus = two\n", "x.cfg:4: config parsing error" },
    { CV_E_UNSUPPORTED, HEAD "pci=['01:00.0']\n", "x.cfg:4: pci: a guest with passed-through devices" },
    { CV_E_UNSUPPORTED, HEAD "vnuma=[['pnode=0']]\n", "x.cfg:4: vnuma: Xen cannot save" },
    { CV_E_UNSUPPORTED, HEAD "nestedhvm=1\n", "x.cfg:4: nestedhvm: nested virtualisation" },
    { CV_E_UNSUPPORTED, "type='pvh'\nname='g'\nmemory=64\ncpuid='host,tm=0'\nkernel='/k'\n",
      "x.cfg:4: cpuid: cannot be chosen" },
    { CV_E_INVALID, HEAD "smbios=['colour=red']\n", "x.cfg:4: smbios: 'colour=red' is none" },
    { CV_E_INVALID, HEAD "smbios=['bios_vendor']\n", "x.cfg:4: smbios: 'bios_vendor' is none" },
    { CV_E_INVALID, HEAD "ms_vm_genid='new'\n", "x.cfg:4: ms_vm_genid: 'new': it is generate or none" },
    { CV_E_UNSUPPORTED, HEAD "nx=0\n", "x.cfg:4: nx: cannot be hidden" },
    { CV_E_INVALID, HEAD "cpus='1-0'\n", "x.cfg:4: cpus: '1-0' is no list of CPUs" },
    { CV_E_INVALID, HEAD "cpus='0,^0'\n", "x.cfg:4: cpus: '0,^0' leaves no CPU" },
    { CV_E_INVALID, HEAD "cpus=['0','']\n", "x.cfg:4: cpus: '' is no list of CPUs" },
    { CV_E_UNSUPPORTED, HEAD "cpus='nodes:0'\n", "x.cfg:4: cpus: 'nodes:0': NUMA nodes are not supported" },
    { CV_E_INVALID, HEAD "timer_mode='late'\n", "x.cfg:4: timer_mode: 'late' must be delay_for_missed_ticks" },
    { CV_E_INVALID, "type='hvm'\nname='42'\nmemory=256\n", "x.cfg:2: name: '42': a name of digits alone" },
    { CV_E_INVALID, "type='hvm'\nname=''\nmemory=256\n", "x.cfg:2: name: '': a guest needs a name" },
    { CV_E_UNSUPPORTED, HEAD "on_reboot='rename-restart'\n", "x.cfg:4: on_reboot: rename-restart would" },
    { CV_E_UNSUPPORTED, HEAD "on_soft_reset='soft-reset'\n", "x.cfg:4: on_soft_reset: soft-reset is not supported" },
    { CV_E_UNSUPPORTED, HEAD "on_poweroff='soft-reset'\n", "x.cfg:4: on_poweroff: soft-reset is not supported" },
    { CV_E_INVALID, HEAD "nographic=1\nvnc=1\n", "x.cfg:4: nographic: cannot be given together with vnc" },
    { CV_E_INVALID, HEAD "nographic=1\nvga='stdvga'\n", "x.cfg:4: nographic: cannot be given together with vga" },
    { CV_E_INVALID, HEAD "vnclisten='::1'\n", "x.cfg:4: vnclisten: '::1' must be ADDRESS or ADDRESS:DISPLAY" },
    { CV_E_INVALID, HEAD "vnclisten='[::1'\n", "x.cfg:4: vnclisten: '[::1' must be" },
    { CV_E_INVALID, HEAD "vnclisten='0.0.0.0:x'\n", "x.cfg:4: vnclisten:" },
    { CV_E_INVALID, HEAD "vnclisten='0.0.0.0:1'\nvncdisplay=2\n",
      "x.cfg:5: vncdisplay: vnclisten has a display already" },
    { CV_E_INVALID, HEAD "keymap='../x'\n", "x.cfg:4: keymap: '../x' is no name of a keymap" },
    { CV_E_INVALID, HEAD "hdtype='mfm'\n", "x.cfg:4: hdtype: 'mfm' must be ide or ahci" },
    { CV_E_INVALID, HEAD "device_model_args='-d foo'\n", "x.cfg:4: device_model_args: must be a list" },
    { CV_E_INVALID, HEAD "vcpus=8\nmax_event_channels=19\ndevice_models=['name=a,device=edu']\n",
      "x.cfg:5: max_event_channels: 19 are too few: the emulators alone need 20" },
    { CV_E_INVALID, HEAD "usb=1\nusbversion=2\n", "x.cfg:5: usbversion: cannot be given together" },
    { CV_E_UNSUPPORTED, "name='g'\nmemory=256\n", "x.cfg: type: not given, which means a PV guest" },
    { CV_E_UNSUPPORTED, "type='pv'\nname='g'\nmemory=256\n", "x.cfg:1: type: 'pv': convoy serves HVM and PVH" },
    { CV_E_INVALID, "type='pvh'\nname='g'\nmemory=256\n", "x.cfg: kernel: a PVH guest needs one" },
    { CV_E_UNSUPPORTED, PVH "device_models=['name=a']\n", "x.cfg:5: device_models: a PVH guest has no emulated" },
    { CV_E_UNSUPPORTED, PVH "bootloader='pygrub'\n", "x.cfg:5: bootloader: is not supported" },
    { CV_E_UNSUPPORTED, PVH "pvshim=1\n", "x.cfg:5: pvshim: is not supported" },
    { CV_E_UNSUPPORTED, PVH "usbctrl=['type=devicemodel']\n", "x.cfg:5: usbctrl: a PVH guest has no" },
    { CV_E_UNSUPPORTED, PVH "disk=['/c,raw,hdc,cdrom']\n", "x.cfg:5: disk: entry 1 'hdc': a PVH guest has no CD-ROM" },
    { CV_E_UNSUPPORTED, PVH "disk=['model=ahci,/c,raw,xvda,w']\n",
      "x.cfg:5: disk: entry 1 'xvda': a PVH guest has no emulated controller" },
    { CV_E_UNSUPPORTED, PVH "vif=['type=ioemu']\n",
      "x.cfg:5: vif: entry 1: 'vif 0': a PVH guest has no emulated card" },
    { CV_E_INVALID, "type='hvm'\nmemory=256\n", "x.cfg: name: '': a guest needs a name" },
    { CV_E_INVALID, "type='hvm'\nname='a/b'\nmemory=256\n", "x.cfg:2: name: 'a/b': a name has letters" },
    { CV_E_INVALID, "type='hvm'\nname='g'\n", "x.cfg: memory: a guest needs memory" },
    { CV_E_INVALID, "type='hvm'\nname='g'\nmemory=8\n", "x.cfg:3: memory: 8 MB leaves no RAM" },
    { CV_E_INVALID, HEAD "maxmem=128\n", "x.cfg:4: maxmem: 128 is less than memory = 256" },
    { CV_E_INVALID, HEAD "vcpus=129\n", "x.cfg:4: vcpus: must be a number from 1 to 128" },
    { CV_E_INVALID, HEAD "vcpus='1x'\n", "x.cfg:4: vcpus: must be a number" },
    { CV_E_INVALID, HEAD "maxvcpus=1\nvcpus=2\n", "x.cfg:4: maxvcpus: 1 is less than vcpus = 2" },
    { CV_E_INVALID, HEAD "uuid='zz'\n", "x.cfg:4: uuid: 'zz' is not a UUID" },
    { CV_E_INVALID, HEAD "acpi=['1']\n", "x.cfg:4: acpi: must be 0 or 1" },
    { CV_E_INVALID, HEAD "ramdisk='/r'\n", "x.cfg:4: ramdisk: is of no use without kernel" },
    { CV_E_INVALID, HEAD "boot='cc'\n", "x.cfg:4: boot:" },
    { CV_E_UNSUPPORTED, HEAD "bios='ovmf'\n", "x.cfg:4: bios: 'ovmf': only seabios" },
    { CV_E_INVALID, HEAD "tsc_mode='fast'\n", "x.cfg:4: tsc_mode:" },
    { CV_E_INVALID, HEAD "viridian=['wings']\n", "x.cfg:4: viridian: unknown group 'wings'" },
    { CV_E_INVALID, HEAD "on_crash='cry'\n", "x.cfg:4: on_crash: unknown action 'cry'" },
    { CV_E_UNSUPPORTED, HEAD "vga='qxl'\n", "x.cfg:4: vga: 'qxl'" },
    { CV_E_INVALID, HEAD "vga='stdvga'\nvideoram=8\n", "x.cfg:5: videoram: 8 must be a power of two, at least 16" },
    { CV_E_UNSUPPORTED, HEAD "sdl=1\n", "x.cfg:4: sdl: only vnc" },
    { CV_E_UNSUPPORTED, HEAD "usbdevice=['host:1.2']\n", "x.cfg:4: usbdevice: 'host:1.2'" },
    { CV_E_UNSUPPORTED, HEAD "soundhw='sb16'\n", "x.cfg:4: soundhw: 'sb16'" },
    { CV_E_INVALID, HEAD "serial=['a','b','c','d','e']\n", "x.cfg:4: serial: more than 4" },
    /* disks */
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,xvde,w,pv=0']\n", "x.cfg:4: disk: entry 1 'xvde': pv=0 leaves nothing" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hdc,cdrom,pv=1']\n", "x.cfg:4: disk: entry 1 'hdc': a CD-ROM drive has" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w,pv=2']\n", "x.cfg:4: disk: entry 1 '/a,raw,hda,w,pv=2': model must be" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w','/b,raw,xvda,w']\n",
      "x.cfg:4: disk: entry 2 'xvda': another disk has the same place on the chipset's IDE" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,xvde,w','/a,raw,xvdb,w']\ndevice_models=['name=s,disks=xvdb']\n",
      "x.cfg:4: disk: entry 2 'xvdb': another disk of this guest has the same image" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,xvdb,w,pv=1']\ndevice_models=['name=s,disks=xvdb']\n",
      "x.cfg:4: disk: entry 1 'xvdb': a secondary emulator's disk has no PV half" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,xvdb,w,backendtype=phy']\ndevice_models=['name=s,disks=xvdb']\n",
      "x.cfg:4: disk: entry 1 'xvdb': a secondary emulator's disk has no PV half" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,qcow2,xvde,w']\ndevice_models=['name=own,qmp=/s']\n",
      "x.cfg:4: disk: entry 1 'xvde': its PV half is served by a QEMU, and an emulator that is attached" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hda,w,backendtype=qdisk']\ndevice_models=['name=own,qmp=/s']\n",
      "x.cfg:4: disk: entry 1 'hda': its PV half is served by a QEMU, and an emulator that is attached" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,sda,w']\n", "x.cfg:4: disk: entry 1 'sda': emulated SCSI" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hde,w']\n", "x.cfg:4: disk: entry 1 'hde': the chipset's IDE has room" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hda,r']\n",
      "x.cfg:4: disk: entry 1 'hda': IDE and AHCI disks cannot be read-only" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w','/b,raw,hda,w']\n",
      "x.cfg:4: disk: entry 2 '/b,raw,hda,w': another disk has the same vdev" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w,model=mfm']\n",
      "x.cfg:4: disk: entry 1 '/a,raw,hda,w,model=mfm': model must be" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w,model=ide,model=ide']\n", "x.cfg:4: disk: entry 1" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,hda,w,colour=red']\n", "x.cfg:4: disk: entry 1" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,disk1,w']\n", "x.cfg:4: disk: entry 1 '/a,raw,disk1,w': vdev must be" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hda,w,model=ahci,backend=d1']\n",
      "x.cfg:4: disk: entry 1 'hda': what is in another domain or behind a script" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hda,w,backendtype=tap']\n",
      "x.cfg:4: disk: entry 1 '/a,raw,hda,w,backendtype=tap': backendtype is phy or qdisk" },
    { CV_E_UNSUPPORTED, HEAD "disk=[',,hda']\n", "x.cfg:4: disk: entry 1 'hda': only a CD-ROM drive can be empty" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,xvdb,cdrom,model=nvme']\n",
      "x.cfg:4: disk: entry 1 'xvdb': a CD-ROM drive is on ide or ahci" },
    { CV_E_INVALID, HEAD "disk=[['/a']]\n", "x.cfg:4: disk: entry 1 is not a string" },
    /* vifs */
    { CV_E_INVALID, HEAD "vif=['type=pv']\n", "x.cfg:4: vif: entry 1: 'type=pv': type is ioemu" },
    { CV_E_UNSUPPORTED, HEAD "vif=['type=vif,pv=0']\n",
      "x.cfg:4: vif: entry 1: 'vif 0': type=vif is PV only, and pv=0" },
    { CV_E_UNSUPPORTED, HEAD "vif=['type=vif']\ndevice_models=['name=n,vifs=0']\n",
      "x.cfg:4: vif: entry 1: 'vif 0': type=vif is PV only, and an emulator claims it" },
    { CV_E_UNSUPPORTED, HEAD "vif=['rate=1Mb/s']\ndevice_models=['name=n,vifs=0']\n",
      "x.cfg:4: vif: entry 1: 'vif 0': a secondary emulator's card has no PV half" },
    { CV_E_INVALID, HEAD "vif=['rate=fast']\n", "x.cfg:4: vif: entry 1: 'rate=fast': " },
    { CV_E_INVALID, HEAD "vif=['mtu=9']\n", "x.cfg:4: vif: entry 1: 'mtu=9': is no size" },
    { CV_E_INVALID, HEAD "vif=['model=ne9000']\n", "x.cfg:4: vif: entry 1: 'model=ne9000': unknown model" },
    { CV_E_INVALID, HEAD "vif=['mac=01:00:00:00:00:00']\n",
      "x.cfg:4: vif: entry 1: 'mac=01:00:00:00:00:00': is no unicast" },
    { CV_E_INVALID, HEAD "vif=['colour=red']\n", "x.cfg:4: vif: entry 1: 'colour=red': unknown key" },
    { CV_E_INVALID, HEAD "vif=['bridge=a b']\n", "x.cfg:4: vif: entry 1: 'bridge=a b': is no interface name" },
    { CV_E_INVALID, HEAD "vif=['mac=00:16:3e:0:0:1','mac=00:16:3e:0:0:1']\n",
      "x.cfg:4: vif: entry 2: 'mac=00:16:3e:0:0:1': another card has the same MAC" },
    { CV_E_INVALID, HEAD "vif=['mac=00:00:00:00:00:00']\n",
      "x.cfg:4: vif: entry 1: 'mac=00:00:00:00:00:00': is no unicast" },
    { CV_E_INVALID, HEAD "vif=['mac=00:16:3e:0x:0:1']\n",
      "x.cfg:4: vif: entry 1: 'mac=00:16:3e:0x:0:1': is no unicast" },
    { CV_E_INVALID, HEAD "vif=['mac=00:16:3e:00:00:01:']\n",
      "x.cfg:4: vif: entry 1: 'mac=00:16:3e:00:00:01:': is no unicast" },
    { CV_E_INVALID, HEAD "vif=['bridge=a, bridge=b']\n", "x.cfg:4: vif: entry 1: 'bridge=b': given twice" },
    { CV_E_INVALID, HEAD "vif=['vifname=abcdefghijkl']\n",
      "x.cfg:4: vif: entry 1: 'vifname=abcdefghijkl': must be 1 to 11" },
    { CV_E_INVALID, HEAD "vif=['bridge=abcdefghijklmnop']\n",
      "x.cfg:4: vif: entry 1: 'bridge=abcdefghijklmnop': is no interface name" },
    /* emulators */
    { CV_E_INVALID, HEAD "device_models='name=a'\n", "x.cfg:4: device_models: must be a list" },
    { CV_E_INVALID, HEAD "device_models=['caps=usb']\n",
      "x.cfg:4: device_models: entry 1: 'name=': an emulator needs a name" },
    { CV_E_INVALID, HEAD "device_models=['name=a b']\n", "x.cfg:4: device_models: entry 1: 'name=a b': a name has" },
    { CV_E_INVALID, HEAD "device_models=['name=a,name=b']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'name=b': given twice" },
    { CV_E_INVALID, HEAD "device_models=['name=a,rank=1,rank=2']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'rank=2': given twice" },
    { CV_E_INVALID, HEAD "device_models=['name=a,version=new']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'version=new': must be numbers" },
    { CV_E_INVALID, HEAD "vif=['']\ndevice_models=['name=a,vifs=1']\n",
      "x.cfg:5: device_models: emulator 'a' claims vif '1', and there is no such vif" },
    { CV_E_INVALID, HEAD "device_models=['name=a,disks=xvdb']\n",
      "x.cfg:4: device_models: emulator 'a' claims disk 'xvdb', and there is no such disk" },
    { CV_E_INVALID, HEAD "device_models=['name=a,colour=red']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'colour=red': unknown key" },
    { CV_E_INVALID, HEAD "device_models=['name=a,caps=flight']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'caps=flight': capabilities are" },
    { CV_E_INVALID, HEAD "device_models=['name=a,model=qemu']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'model=qemu': must be an absolute path" },
    { CV_E_INVALID, HEAD "device_models=['name=a,devices=[edu']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'devices=[edu': must be [device]" },
    { CV_E_INVALID, HEAD "device_models=['name=a,device=']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'device=': a device is" },
    { CV_E_INVALID, HEAD "device_models=['name=a,devices=[edu,addr=5]']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'devices=[edu,addr=5]': the PCI address" },
    { CV_E_INVALID, HEAD "device_models=['name=a,devices=[edu,fast]']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'devices=[edu,fast]': a device is" },
    { CV_E_INVALID, HEAD "device_models=[['name=a',['b']]]\n",
      "x.cfg:4: device_models: entry 1 ('a'): '...': lists are not nested deeper" },
    { CV_E_INVALID, HEAD "device_models=['name=a,pid=7']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'pid=': an emulator to attach needs its QMP socket" },
    { CV_E_INVALID, HEAD "device_models=['name=a,qmp=/s,model=/q']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'qmp=': an emulator to attach has no model" },
    { CV_E_INVALID, HEAD "device_models=['name=a,qmp=/s,caps=usb']\n",
      "x.cfg:4: device_models: entry 1 ('a'): 'qmp=': an emulator to attach brings" },
    { CV_E_UNSUPPORTED, HEAD "device_models=['name=a,qmp=/s,default=1']\n",
      "x.cfg:4: device_models: the default emulator cannot be attached" },
    { CV_E_INVALID, HEAD "device_models=['name=a,caps=usb','name=a,caps=audio']\n",
      "x.cfg:4: device_models: entries 1 and 2 have the same name 'a'" },
    { CV_E_INVALID, HEAD "device_models=['name=default,caps=usb']\n", "x.cfg:4: device_models: 'default' is the name" },
    { CV_E_INVALID, HEAD "device_models=['name=a,caps=usb','name=b,caps=usb']\n",
      "x.cfg:4: device_models: emulators 'a' and 'b' both claim the capability usb" },
    { CV_E_INVALID, HEAD "vif=['']\ndevice_models=['name=a,vifs=0','name=b,vifs=nic0']\n",
      "x.cfg:5: device_models: emulators 'a' and 'b' both claim vif 'nic0'" },
    { CV_E_INVALID, HEAD "disk=['/a,raw,xvda,w']\ndevice_models=['name=a,disks=xvda','name=b,disks=0']\n",
      "x.cfg:5: device_models: emulators 'a' and 'b' both claim disk '0'" },
    { CV_E_INVALID, HEAD "device_models=['name=a,vifs=0']\n",
      "x.cfg:4: device_models: emulator 'a' claims vif '0', and there is no such vif" },
    { CV_E_UNSUPPORTED, HEAD "disk=['/a,raw,hda,w']\ndevice_models=['name=a,disks=hda']\n",
      "x.cfg:4: disk: entry 1 'hda': the chipset's IDE stays with the default emulator" },
    { CV_E_UNSUPPORTED, HEAD "device_models=['name=a,caps=ui','name=b,caps=ide']\n",
      "x.cfg:4: device_models: 'a' is the default emulator, but 'b' claims a capability that stock QEMU cannot" },
    { CV_E_UNSUPPORTED, HEAD "device_models=['name=a,default=1','name=b,caps=ui']\n",
      "x.cfg:4: device_models: 'a' is the default emulator, but 'b' claims" },
    { CV_E_INVALID, HEAD "device_models=['name=a,default=1','name=b,default=1']\n",
      "x.cfg:4: device_models: emulators 'a' and 'b' are both default=1" },
    { CV_E_INVALID, HEAD "device_models=['name=a','name=b']\n",
      "x.cfg:4: device_models: 'a' is the default emulator, and 'b' claims nothing" },
    { CV_E_INVALID, HEAD "device_models=['name=a,rank=1,default=1','name=b,rank=2,caps=usb']\n",
      "x.cfg:4: device_models: the default emulator 'a' must have the highest rank" },
    { CV_E_INVALID, HEAD "device_models=['name=a,rank=1,caps=audio','name=b,rank=1,caps=usb']\n",
      "x.cfg:4: device_models: emulators 'a' and 'b' have the same rank 1" },
    { CV_E_INVALID, HEAD "device_models=['name=m,default=1,model=/x']\ndevice_model_override='/q'\n",
      "x.cfg:5: device_model_override: the default emulator 'm' has a model already" },
};

START_TEST(refusals)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;

    int rc = cv_guest_config_parse(bad[_i].text, strlen(bad[_i].text), "x.cfg", &c, &err);
    ck_assert_msg(rc == -1, "accepted: %s", bad[_i].text);
    ck_assert_msg(strncmp(err.text, bad[_i].words, strlen(bad[_i].words)) == 0, "'%s' is not '%s'", err.text,
                  bad[_i].words);
    ck_assert_msg(err.code == bad[_i].code, "code %d: %s", err.code, err.text);
}
END_TEST

/* Warnings: text, and the words of each, in the file's order. */
static const struct {
    const char *text, *words[3];
} odd[] = {
    { "colour=1\n", { "x.cfg:4: colour: unknown key, ignored (as by xl)" } },
    { "  x.y_2 = [ 'a',\n 'b' ]\n", { "x.cfg:4: x.y_2: unknown key" } },
    { "disk=[ # it is = here\n '/a,raw,hda,w' ]; colour=1\n", { "x.cfg:5: colour: unknown key" } },
    { "maxcpus=2\n", { "x.cfg:4: maxcpus: unknown key, ignored (as by xl): did you mean maxvcpus?" } },
    { "on_xend_start='ignore'\nvpcus=2\n",
      { "x.cfg:4: on_xend_start: unknown", "x.cfg:5: vpcus: unknown key, ignored "
                                           "(as by xl): did you mean vcpus?" } },
    { "arch='x86_64'\naudio=1\n", { "x.cfg:4: arch: unknown key, ignored (as by xl)", "x.cfg:5: audio: unknown key" } },
    { "memory=512\n", { "x.cfg:4: memory: assigned on line 3 already; this later value counts" } },
    { "vfb=['type=vnc,keymap=fr']\n", { "x.cfg:4: vfb: has no effect: xl gives it to other guests only" } },
    { "altp2m='mixed'\n", { "x.cfg:4: altp2m: has no effect: " } },
    { "kernel='/usr/lib/xen/boot/hvmloader'\n", { "x.cfg:4: kernel: has no effect, as under xl: hvmloader" } },
    { "vncpasswd='123456789'\n",
      { "x.cfg:4: vncpasswd: VNC looks at the first 8 characters only, and this password has 9" } },
    { "vga='cirrus'\nstdvga=1\n", { "x.cfg:5: stdvga: has no effect, as under xl: vga='cirrus' says it" } },
    { "kernel='/k'\ncmdline='a'\nextra='b'\n", { "x.cfg:6: extra: has no effect, as under xl" } },
    { "vga='stdvga'\nstdvga=1\nacpi=2\nspiceport=6000\noos=1\n", { NULL } },
};

START_TEST(warnings)
{
    struct cv_findings found = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    char text[400];
    size_t n = 0;

    snprintf(text, sizeof text, HEAD "%s", odd[_i].text);
    ck_assert_msg(cv_guest_config_examine(text, strlen(text), "x.cfg", &c, &found, &err) == 0, "%s", text_of(&err));
    for (; odd[_i].words[n] != NULL; n++) {
        ck_assert_uint_lt(n, found.count);
        ck_assert_int_eq(found.items[n].code, CV_OK);
        ck_assert_msg(strncmp(found.items[n].text, odd[_i].words[n], strlen(odd[_i].words[n])) == 0, "'%s' is not '%s'",
                      found.items[n].text, odd[_i].words[n]);
    }
    ck_assert_msg(found.count == n, "%s", found.count > n ? found.items[n].text : "");
    cv_findings_dispose(&found);
    cv_guest_config_dispose(&c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");

    tcase_add_test(t, defaults_are_xls);
    tcase_add_test(t, a_full_configuration);
    tcase_add_loop_test(t, halves_are_xls, 0, sizeof halves / sizeof *halves);
    tcase_add_test(t, several_emulators);
    tcase_add_loop_test(t, refusals, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(t, warnings, 0, sizeof odd / sizeof *odd);
    suite_add_tcase(s, t);
    return run_suite(s);
}
