/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/libxl_members.h"

#include <stddef.h>

static const char *const tsc_words[] = { "default", "default", "always_emulate", "always_emulate", "native", "native", NULL };
static const char *const vga_words[] = { "std", "stdvga", "cirrus", "cirrus", NULL };
static const char *const hd_words[] = { "ide", "ide", "ahci", "ahci", NULL };
static const char *const bios_words[] = { "unknown", "", "seabios", "seabios", NULL };
static const char *const dm_words[] = { "unknown", "", "qemu_xen", "", NULL };
static const char *const hvm_words[] = { "hvm", "hvm", NULL };

const char cv_libxl_passed_through[] = "a guest with passed-through devices can be neither saved nor migrated";
const char cv_libxl_pv_device[] = "PV devices are not supported yet";

const struct cv_libxl_member cv_libxl_create_members[] = {
    { "type", WORD, "type", hvm_words }, { "hap", BOOLEAN, "hap", NULL }, { "oos", IGNORE, NULL, NULL },
    { "ssidref", REFUSE, NULL, NULL }, { "ssid_label", REFUSE, NULL, NULL }, { "name", TEXT, "name", NULL },
    { "domid", IGNORE, NULL, NULL }, { "uuid", TEXT, "uuid", NULL }, { "xsdata", REFUSE, NULL, NULL },
    { "platformdata", REFUSE, NULL, NULL }, { "poolid", IGNORE, NULL, NULL }, { "pool_name", IGNORE, NULL, NULL },
    { "run_hotplug_scripts", IGNORE, NULL, NULL }, { "driver_domain", REFUSE, NULL, NULL },
    { "passthrough", REFUSE, cv_libxl_passed_through, NULL }, { "xend_suspend_evtchn_compat", IGNORE, NULL, NULL },
    { NULL, IGNORE, NULL, NULL },
};

const struct cv_libxl_member cv_libxl_build_members[] = {
    { "max_vcpus", NUMBER, "maxvcpus", NULL }, { "avail_vcpus", ELSEWHERE, NULL, NULL }, { "cpumap", IGNORE, NULL, NULL },
    { "nodemap", IGNORE, NULL, NULL }, { "vcpu_hard_affinity", IGNORE, NULL, NULL }, { "vcpu_soft_affinity", IGNORE, NULL, NULL },
    { "numa_placement", IGNORE, NULL, NULL }, { "tsc_mode", WORD, "tsc_mode", tsc_words }, { "max_memkb", ELSEWHERE, NULL, NULL },
    { "target_memkb", ELSEWHERE, NULL, NULL }, { "video_memkb", ELSEWHERE, NULL, NULL }, { "shadow_memkb", ELSEWHERE, NULL, NULL },
    { "iommu_memkb", IGNORE, NULL, NULL }, { "rtc_timeoffset", ELSEWHERE, NULL, NULL }, { "localtime", BOOLEAN, "localtime", NULL },
    { "exec_ssidref", REFUSE, NULL, NULL }, { "exec_ssid_label", REFUSE, NULL, NULL },
    { "disable_migrate", BOOLEAN, "nomigrate", NULL }, { "cpuid", IGNORE /* the stream has the policy */, NULL, NULL },
    { "blkdev_start", IGNORE, NULL, NULL }, { "vnuma_nodes", REFUSE, "Xen cannot save a guest with virtual NUMA", NULL },
    { "max_grant_frames", NUMBER, "max_grant_frames", NULL }, { "max_maptrack_frames", NUMBER, "max_maptrack_frames", NULL },
    { "max_grant_version", ELSEWHERE, NULL, NULL }, { "device_model_version", WORD, "device_model_version", dm_words },
    { "device_model_stubdomain", REFUSE, "emulators in service domains are not supported yet", NULL },
    { "stubdomain_memkb", IGNORE, NULL, NULL }, { "stubdomain_kernel", IGNORE, NULL, NULL },
    { "stubdomain_cmdline", IGNORE, NULL, NULL }, { "stubdomain_ramdisk", IGNORE, NULL, NULL },
    { "device_model", TEXT, "device_model_override", NULL }, { "device_model_ssidref", REFUSE, NULL, NULL },
    { "device_model_ssid_label", REFUSE, NULL, NULL },
    { "device_model_user", REFUSE, "convoy runs the default emulator as root", NULL },
    { "extra", REFUSE, "arguments of its own for QEMU", NULL }, { "extra_pv", IGNORE, NULL, NULL },
    { "extra_hvm", ELSEWHERE, NULL, NULL }, { "sched_params", IGNORE, NULL, NULL },
    { "ioports", REFUSE, cv_libxl_passed_through, NULL }, { "irqs", REFUSE, cv_libxl_passed_through, NULL }, { "iomem", REFUSE, cv_libxl_passed_through, NULL },
    { "claim_mode", IGNORE, NULL, NULL }, { "event_channels", ELSEWHERE, NULL, NULL }, { "kernel", TEXT, "kernel", NULL },
    { "cmdline", TEXT, "cmdline", NULL }, { "ramdisk", TEXT, "ramdisk", NULL }, { "device_tree", REFUSE, NULL, NULL },
    { "acpi", BOOLEAN, "acpi", NULL }, { "bootloader", REFUSE, NULL, NULL }, { "bootloader_args", REFUSE, NULL, NULL },
    { "bootloader_restrict", IGNORE, NULL, NULL }, { "bootloader_user", IGNORE, NULL, NULL }, { "timer_mode", ELSEWHERE, NULL, NULL },
    { "nested_hvm", REFUSE, "nested virtualisation state cannot be saved", NULL }, { "apic", BOOLEAN, "apic", NULL },
    { "dm_restrict", REFUSE, "its emulator has no privileges; convoy's default emulator has", NULL },
    { "tee", REFUSE, NULL, NULL }, { "type.hvm", ELSEWHERE, NULL, NULL }, { "arch_arm", REFUSE, NULL, NULL },
    { "arch_x86", REFUSE, NULL, NULL }, { "altp2m", REFUSE, NULL, NULL }, { "vmtrace_buf_kb", REFUSE, NULL, NULL },
    { "vpmu", REFUSE, NULL, NULL }, { NULL, IGNORE, NULL, NULL },
};

const struct cv_libxl_member cv_libxl_hvm_members[] = {
    { "firmware", TEXT, "firmware_override", NULL }, { "bios", WORD, "bios", bios_words }, { "pae", BOOLEAN, "pae", NULL },
    { "apic", BOOLEAN, "apic", NULL }, { "acpi", BOOLEAN, "acpi", NULL }, { "acpi_s3", BOOLEAN, "acpi_s3", NULL },
    { "acpi_s4", BOOLEAN, "acpi_s4", NULL }, { "acpi_laptop_slate", REFUSE, NULL, NULL }, { "nx", BOOLEAN, "nx", NULL },
    { "viridian", ELSEWHERE, NULL, NULL }, { "viridian_enable", ELSEWHERE, NULL, NULL },
    { "viridian_disable", ELSEWHERE, NULL, NULL }, { "timeoffset", REFUSE, NULL, NULL }, { "hpet", BOOLEAN, "hpet", NULL },
    { "vpt_align", ELSEWHERE, NULL, NULL }, { "mmio_hole_memkb", REFUSE, NULL, NULL }, { "timer_mode", ELSEWHERE, NULL, NULL },
    { "nested_hvm", REFUSE, "nested virtualisation state cannot be saved", NULL }, { "altp2m", REFUSE, NULL, NULL },
    { "system_firmware", TEXT, "bios_path_override", NULL }, { "smbios_firmware", REFUSE, NULL, NULL },
    { "acpi_firmware", REFUSE, NULL, NULL }, { "smbios", REFUSE, NULL, NULL }, { "hdtype", WORD, "hdtype", hd_words },
    { "nographic", BOOLEAN, "nographic", NULL }, { "vga", ELSEWHERE, NULL, NULL }, { "vnc", ELSEWHERE, NULL, NULL },
    { "keymap", TEXT, "keymap", NULL }, { "sdl", ELSEWHERE, NULL, NULL },
    { "spice", ELSEWHERE, NULL, NULL }, { "gfx_passthru", REFUSE, cv_libxl_passed_through, NULL },
    { "gfx_passthru_kind", IGNORE, NULL, NULL }, { "serial", ELSEWHERE, NULL, NULL }, { "serial_list", ELSEWHERE, NULL, NULL },
    { "boot", TEXT, "boot", NULL }, { "usb", BOOLEAN, "usb", NULL }, { "usbversion", ELSEWHERE, NULL, NULL },
    { "usbdevice", ELSEWHERE, NULL, NULL }, { "usbdevice_list", ELSEWHERE, NULL, NULL }, { "vkb_device", IGNORE, NULL, NULL },
    { "soundhw", TEXT, "soundhw", NULL }, { "xen_platform_pci", ELSEWHERE, NULL, NULL }, { "vendor_device", REFUSE, NULL, NULL },
    { "ms_vm_genid", IGNORE, NULL, NULL }, { "rdm", IGNORE, NULL, NULL },
    { "rdm_mem_boundary_memkb", IGNORE, NULL, NULL }, { "mca_caps", IGNORE /* an HVM parameter of the stream */, NULL, NULL },
    { "pirq", ELSEWHERE, NULL, NULL }, { NULL, IGNORE, NULL, NULL },
};

const struct cv_libxl_member cv_libxl_vnc_members[] = {
    { "enable", BOOLEAN, "vnc", NULL }, { "listen", TEXT, "vnclisten", NULL }, { "passwd", TEXT, "vncpasswd", NULL },
    { "display", NUMBER, "vncdisplay", NULL }, { "findunused", BOOLEAN, "vncunused", NULL }, { NULL, IGNORE, NULL, NULL },
};

const struct cv_libxl_member cv_libxl_vga_members[] = { { "kind", WORD, "vga", vga_words }, { NULL, IGNORE, NULL, NULL } };

const struct cv_libxl_member cv_libxl_disk_members[] = {
    { "backend_domid", REFUSE, "disks of driver domains are not supported", NULL }, { "backend_domname", REFUSE, NULL, NULL },
    { "pdev_path", ELSEWHERE, NULL, NULL }, { "vdev", ELSEWHERE, NULL, NULL }, { "backend", ELSEWHERE, NULL, NULL },
    { "format", ELSEWHERE, NULL, NULL }, { "script", REFUSE, "block scripts belong to PV disks", NULL },
    { "removable", IGNORE, NULL, NULL }, { "readwrite", ELSEWHERE, NULL, NULL }, { "is_cdrom", ELSEWHERE, NULL, NULL },
    { "direct_io_safe", IGNORE, NULL, NULL }, { "discard_enable", ELSEWHERE, NULL, NULL },
    { "specification", ELSEWHERE, NULL, NULL }, { "transport", REFUSE, NULL, NULL }, { "irq", IGNORE, NULL, NULL },
    { "base", IGNORE, NULL, NULL }, { "trusted", IGNORE, NULL, NULL }, { "grant_usage", IGNORE, NULL, NULL },
    { NULL, IGNORE, NULL, NULL },
};

const struct cv_libxl_member cv_libxl_nic_members[] = {
    { "backend_domid", REFUSE, "network cards of driver domains are not supported", NULL },
    { "backend_domname", REFUSE, NULL, NULL }, { "devid", ELSEWHERE, NULL, NULL }, { "mtu", IGNORE, NULL, NULL },
    { "model", ELSEWHERE, NULL, NULL }, { "mac", ELSEWHERE, NULL, NULL }, { "ip", IGNORE, NULL, NULL },
    { "bridge", ELSEWHERE, NULL, NULL }, { "ifname", ELSEWHERE, NULL, NULL }, { "script", ELSEWHERE, NULL, NULL },
    { "nictype", ELSEWHERE, NULL, NULL }, { "trusted", IGNORE, NULL, NULL }, { NULL, IGNORE, NULL, NULL },
};

static const char *const action_words[] = { "destroy", "destroy", "restart", "restart", "restart_rename", "rename-restart",
                                            "preserve", "preserve", "coredump_destroy", "coredump-destroy", "coredump_restart",
                                            "coredump-restart", "soft_reset", "soft-reset", NULL };

/* "": the key is left out */
static const char *const soft_reset_words[] = { "destroy", "destroy", "restart", "restart", "restart_rename", "rename-restart",
                                                "preserve", "preserve", "coredump_destroy", "coredump-destroy",
                                                "coredump_restart", "coredump-restart", "soft_reset", "", NULL };

const struct cv_libxl_member cv_libxl_top_members[] = {
    { "c_info", ELSEWHERE, NULL, NULL }, { "b_info", ELSEWHERE, NULL, NULL }, { "disks", ELSEWHERE, NULL, NULL },
    { "nics", ELSEWHERE, NULL, NULL }, { "pcidevs", REFUSE, cv_libxl_passed_through, NULL }, { "rdms", REFUSE, cv_libxl_passed_through, NULL },
    { "dtdevs", REFUSE, cv_libxl_passed_through, NULL }, { "vfbs", REFUSE, cv_libxl_pv_device, NULL }, { "vkbs", IGNORE, NULL, NULL },
    { "vtpms", REFUSE, cv_libxl_pv_device, NULL }, { "p9s", REFUSE, cv_libxl_pv_device, NULL }, { "pvcallsifs", REFUSE, cv_libxl_pv_device, NULL },
    { "vdispls", REFUSE, cv_libxl_pv_device, NULL }, { "vsnds", REFUSE, cv_libxl_pv_device, NULL }, { "channels", REFUSE, cv_libxl_pv_device, NULL },
    { "usbctrls", REFUSE, cv_libxl_passed_through, NULL }, { "usbdevs", REFUSE, cv_libxl_passed_through, NULL },
    { "on_poweroff", WORD, "on_poweroff", action_words }, { "on_reboot", WORD, "on_reboot", action_words },
    { "on_watchdog", WORD, "on_watchdog", action_words }, { "on_crash", WORD, "on_crash", action_words },
    { "on_soft_reset", WORD, "on_soft_reset", soft_reset_words }, { NULL, IGNORE, NULL, NULL },
};
