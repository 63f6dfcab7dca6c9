/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations that stay configurations: lines are added, taken away and changed, from words that mean something. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/forge.h"

static const char *const keys[] = {
    "name",
    "uuid",
    "type",
    "builder",
    "memory",
    "maxmem",
    "vcpus",
    "maxvcpus",
    "kernel",
    "ramdisk",
    "cmdline",
    "root",
    "extra",
    "bios",
    "firmware",
    "boot",
    "vga",
    "stdvga",
    "videoram",
    "vnc",
    "vnclisten",
    "vncdisplay",
    "vncunused",
    "vncpasswd",
    "keymap",
    "nographic",
    "sdl",
    "spice",
    "serial",
    "soundhw",
    "usb",
    "usbdevice",
    "usbversion",
    "usbctrl",
    "hdtype",
    "disk",
    "vif",
    "device_models",
    "device_model_override",
    "device_model_args",
    "device_model_args_hvm",
    "device_model_version",
    "device_model_user",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "on_watchdog",
    "on_soft_reset",
    "acpi",
    "apic",
    "hap",
    "pae",
    "hpet",
    "nx",
    "viridian",
    "tsc_mode",
    "timer_mode",
    "localtime",
    "rtc_timeoffset",
    "cpus",
    "cpus_soft",
    "cpu_weight",
    "cap",
    "pool",
    "nestedhvm",
    "altp2m",
    "max_grant_frames",
    "max_maptrack_frames",
    "max_event_channels",
    "mmio_hole",
    "shadow_memory",
    "acpi_firmware",
    "smbios_firmware",
    "ms_vm_genid",
    "pci",
    "gfx_passthru",
    "vtpm",
    "channel",
    "p9",
    "pvusb",
    "vfb",
    "driver_domain",
    "nomigrate",
    "hvm_pirq",
    "xen_platform_pci",
    "vpt_align",
    "acpi_s3",
    "acpi_s4",
    "floppy",
    "rdm",
    "nosuch",
};
static const char *const values[] = {
    "1",
    "0",
    "-1",
    "2",
    "3",
    "8",
    "16",
    "64",
    "256",
    "4096",
    "99999999999",
    "''",
    "'hvm'",
    "'pv'",
    "'x'",
    "'default'",
    "'none'",
    "'std'",
    "'stdvga'",
    "'cirrus'",
    "'qxl'",
    "'seabios'",
    "'ovmf'",
    "'/x/fw'",
    "'pty'",
    "'null'",
    "'stdio'",
    "'file:/tmp/x'",
    "'/dev/ttyS0'",
    "'tcp:1.2.3.4:5'",
    "'unix:/tmp/a,server'",
    "'udp:x'",
    "'127.0.0.1'",
    "'0.0.0.0:5'",
    "'[::1]:3'",
    "'[::1'",
    "'a,b'",
    "'1.2.3.4:x'",
    "'hda'",
    "'sb16'",
    "'ac97'",
    "'es1370'",
    "'hda,sb16'",
    "'all'",
    "'tablet'",
    "'mouse'",
    "'keyboard'",
    "'host:1234:5678'",
    "'ahci'",
    "'ide'",
    "'de'",
    "'en-us'",
    "'ca'",
    "'dc'",
    "'destroy'",
    "'restart'",
    "'preserve'",
    "'coredump-destroy'",
    "'rename-restart'",
    "'soft-reset'",
    "'native'",
    "'always_emulate'",
    "'0-3,^2'",
    "'all,^x'",
    "'12345678'",
    "'123456789'",
    "'00112233-4455-6677-8899-aabbccddeeff'",
    "'sd[ab]'",
    "[]",
    "['']",
    "['pty','null']",
    "['a','b','c','d','e']",
    "['tablet','mouse']",
    "['base','freq','time_ref_count']",
    "['!all']",
    "['type=devicemodel,version=3,ports=4']",
    "['type=pv']",
    "['format=raw,vdev=hda,access=rw,target=/x']",
    "['/x,raw,xvda,w','/y,qcow2,hdb,r','/z,,hdc:cdrom,r']",
    "['phy:/dev/x,hda,w']",
    "['file:/x.iso,hdc:cdrom,r']",
    "['format=raw,vdev=xvdb,model=virtio-blk,target=/x']",
    "['format=raw,vdev=xvdc,model=nvme,target=/x','vdev=xvdd,model=ahci,target=/y,format=raw']",
    "['vdev=hda,target=/a,pv=0','vdev=hdb,target=/b,emulated=0']",
    "['vdev=xvdb,target=/x,backend=dom,discard,direct-io-safe']",
    "['mac=00:16:3e:00:00:01,bridge=br0,model=e1000']",
    "['','model=rtl8139,type=ioemu','type=vif']",
    "['model=virtio-net,script=x,rate=1Mb/s,ip=1.2.3.4']",
    "['mac=zz']",
    "['bridge=b,vifname=v,model=vmxnet3,pv=0','gatewaydev=g']",
    "['name=net,vifs=0']",
    "['name=net,vifs=0','name=st,disks=xvdb']",
    "['name=m,default=1','name=d,default=1']",
    "['name=m,default=1','name=u,caps=ui']",
    "['name=a,default=1','name=b,default=1,caps=ide']",
    "['name=m,default=1','name=n']",
    "['name=a,caps=serial+audio']",
    "['name=a,caps=usb','name=b,caps=usb']",
    "['name=a,caps=all']",
    "['name=u,caps=ui','name=i,caps=ide']",
    "['name=a,device=edu','name=b,device=edu,rank=3']",
    "['name=a,device=edu,rank=2','name=b,device=edu,rank=2']",
    "['name=m,default=1,rank=0','name=a,device=edu,rank=5']",
    "['name=a,vifs=0+1,disks=hda+xvdb']",
    "['name=a,vifs=0','name=b,vifs=0']",
    "['name=a,disks=hda','name=b,disks=hda']",
    "['name=a,vifs=9']",
    "['name=a,disks=nosuch']",
    "['name=default,device=edu']",
    "['model=/usr/bin/q,args=[-x y],name=m,version=7.2']",
    "['name=q,qmp=/tmp/s,pid=7,reserve=16']",
    "['name=q,qmp=/tmp/s,default=1']",
    "['name=m,default=1,model=/q']",
    "['name=a,devices=[edu] [pci-bridge,chassis=1],machine=pc']",
    "['name=a,arg=-x,arg=y,arg=@{domid}']",
    "['name=a,devices=[edu']",
    "['name=a,device=nvme']",
    "['name=a','name=a']",
    "['x=y']",
    "'name=a'",
    "[1,2]",
    "[['name=a',['b']]]",
    "['name=a,device=edu','name=b,device=edu','name=c,device=edu','name=d,device=edu','name=e,device=edu','name=f,"
    "device=edu','name=g,device=edu']",
    "['name=a,device=edu','name=b,device=edu','name=c,device=edu','name=d,device=edu','name=e,device=edu','name=f,"
    "device=edu','name=g,device=edu','name=h,device=edu','name=i,default=1']",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void put(struct cv_buf *out, const char *text)
{
    if (cv_buf_append(out, text, strlen(text), NULL) < 0)
        abort();
}

/* Who serves what has more words than all else. */
static void put_line(struct cv_buf *out, struct rng *r)
{
    put(out, rng_below(r, 4) == 0 ? "device_models" : keys[rng_below(r, COUNT(keys))]);
    put(out, rng_below(r, 20) == 0 ? " += " : " = ");
    put(out, values[rng_below(r, COUNT(values))]);
    put(out, "\n");
}

static void change_line(struct cv_buf *out, const char *line, size_t len, struct rng *r)
{
    const char *is = memchr(line, '=', len);

    switch (rng_below(r, 24)) {
    case 0: return;
    case 1:
        if (is != NULL && cv_buf_append(out, line, (size_t)(is - line) + 1, NULL) == 0) {
            put(out, values[rng_below(r, COUNT(values))]);
            put(out, "\n");
            return;
        }
        break;
    case 2: put_line(out, r); break;
    default: break;
    }
    if (cv_buf_append(out, line, len, NULL) < 0)
        abort();
}

size_t forge_config(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct rng r = rng_seed(seed);
    struct cv_buf out = { 0 };

    if (rng_below(&r, 6) == 0)
        return LLVMFuzzerMutate(data, size, max);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - data) + 1 - at : size - at;
        change_line(&out, (const char *)data + at, len, &r);
        at += len;
    }
    if (rng_below(&r, 2) == 0)
        put_line(&out, &r);
    size_t n = out.len <= max ? out.len : max;
    if (n > 0)
        memcpy(data, out.data, n);
    cv_buf_dispose(&out);
    return n;
}
