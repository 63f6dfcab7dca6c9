/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and network cards of libxl's JSON as xl.cfg text. */
#include <stdio.h>
#include <string.h>

#include "convert/libxl_walk.h"

#define DISKS_MAX 32
#define VIFS_MAX 16

/* libxl emulates the first four disks of any name as hda to hdd (six with AHCI). */
static void put_disk(struct cv_walk *w, json_t *d, bool ahci)
{
    const char *vdev = cv_walk_string_or(d, "vdev", ""), *format = cv_walk_string_or(d, "format", "raw"),
               *path = cv_walk_string_or(d, "pdev_path", "");
    const char *backend = cv_walk_string_or(d, "backend", "unknown");
    bool cdrom = cv_walk_truth(d, "is_cdrom"), empty = strcmp(format, "empty") == 0 || *path == '\0';
    size_t prefix = strncmp(vdev, "xvd", 3) == 0 ? 3 : strncmp(vdev, "hd", 2) == 0 ? 2 : 0;
    char letter = prefix ? vdev[prefix] : '\0', last = !cdrom && ahci ? 'f' : 'd';

    if (prefix == 0 || letter < 'a' || letter > last || vdev[prefix + 1] != '\0')
        cv_walk_refuse(
            w, "vdev",
            "the disk is none of the chipset's (hda to hdd; hda to hdf on AHCI): SCSI and PV disks are not supported");
    if (strcmp(backend, "tap") == 0 || strcmp(backend, "standalone") == 0)
        cv_walk_refuse(w, "backend", cv_libxl_pv_device);
    if (strcmp(cv_walk_string_or(d, "specification", "xen"), "virtio") == 0)
        cv_walk_refuse(w, "specification", cv_libxl_pv_device);
    if (strcmp(format, "unknown") == 0)
        format = "raw";
    for (const char *p = path; *p != '\0'; p++)
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            cv_walk_refuse(w, "pdev_path", "has control characters");
    cv_walk_put(w, "  \"model=%s,vdev=hd%c,access=%s%s", cdrom || !ahci ? "ide" : "ahci", letter,
                cv_walk_truth(d, "readwrite") && !cdrom ? "rw" : "ro", cdrom ? ",devtype=cdrom" : "");
    json_t *discard = json_object_get(d, "discard_enable");
    if (discard != NULL && cv_walk_defbool(w, "discard_enable", discard) == 0)
        cv_walk_put(w, ",no-discard");
    if (!empty) {
        cv_walk_put(w, ",format=%s,target=", format);
        for (const char *p = path; *p != '\0'; p++)
            cv_walk_put(w, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    } else {
        cv_walk_put(w, ",target=");
    }
    cv_walk_put(w, "\",\n");
}

void cv_walk_disks(struct cv_walk *w, json_t *list, bool ahci)
{
    char at[32];
    size_t i;
    json_t *d;

    if (json_array_size(list) > DISKS_MAX)
        cv_walk_refuse(w, "disks", "too many");
    if (json_array_size(list) == 0 || w->failed)
        return;
    cv_walk_put(w, "disk = [\n");
    json_array_foreach(list, i, d)
    {
        snprintf(at, sizeof at, "disks[%zu]", i);
        cv_walk_object(w, at, d, cv_libxl_disk_members);
        w->at = at;
        put_disk(w, d, ahci);
        w->at = "";
    }
    cv_walk_put(w, "]\n");
}

static void put_nic(struct cv_walk *w, json_t *n, size_t i)
{
    const char *script = cv_walk_string_or(n, "script", ""),
               *base = strrchr(script, '/') ? strrchr(script, '/') + 1 : script;
    const char *ifname = cv_walk_string_or(n, "ifname", "");
    static const char *const names[] = { "model", "mac", "bridge", "ifname" };

    if (json_integer_value(json_object_get(n, "devid")) != (json_int_t)i)
        cv_walk_refuse(w, "devid", "network cards are not numbered in their order");
    if (strcmp(cv_walk_string_or(n, "nictype", ""), "vif_ioemu") != 0)
        cv_walk_refuse(w, "nictype", cv_libxl_pv_device);
    if (*base && strcmp(base, "vif-bridge") != 0)
        cv_walk_refuse(w, "script", "only vif-bridge is supported");
    if (json_object_get(n, "mac") == NULL)
        cv_walk_refuse(w, "mac", "is missing");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (const char *p = cv_walk_string_or(n, names[k], ""); *p != '\0'; p++)
            if ((uint8_t)*p <= 0x20 || *p == 0x7f || strchr(",\"\\", *p) != NULL)
                cv_walk_refuse(w, names[k], "has characters that it cannot have");
    cv_walk_put(w, "  \"type=ioemu,mac=%s,model=%s,bridge=%s%s%s\",\n", cv_walk_string_or(n, "mac", ""),
                cv_walk_string_or(n, "model", "rtl8139"), cv_walk_string_or(n, "bridge", "xenbr0"),
                *ifname ? ",vifname=" : "", ifname);
}

void cv_walk_nics(struct cv_walk *w, json_t *list)
{
    char at[32];
    size_t i;
    json_t *n;

    if (json_array_size(list) > VIFS_MAX)
        cv_walk_refuse(w, "nics", "too many");
    if (json_array_size(list) == 0 || w->failed)
        return;
    cv_walk_put(w, "vif = [\n");
    json_array_foreach(list, i, n)
    {
        snprintf(at, sizeof at, "nics[%zu]", i);
        cv_walk_object(w, at, n, cv_libxl_nic_members);
        w->at = at;
        put_nic(w, n, i);
        w->at = "";
    }
    cv_walk_put(w, "]\n");
}
