/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and network cards of libxl's JSON as xl.cfg text. */
#include <stdio.h>
#include <string.h>

#include "libxl-json/walk.h"

#define DISKS_MAX 32
#define VIFS_MAX 16
#define LIBXL_MTU 1492 /* libxl's choice where nothing is said */

/* A value inside of a disk's or a card's text, which a comma would end. */
static void put_word(struct cv_walk *w, const char *name, const char *key, const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if ((uint8_t)*p <= 0x20 || *p == 0x7f || strchr(",\"\\", *p) != NULL) {
            cv_walk_refuse(w, name, "has characters that it cannot have");
            return;
        }
    if (*value != '\0')
        cv_walk_put(w, "%s=%s,", key, value);
}

/* The other domain that a device's back end is in: its name, or else its number. */
static void put_backend(struct cv_walk *w, json_t *o)
{
    json_int_t domid = json_integer_value(json_object_get(o, "backend_domid"));
    const char *name = cv_walk_string_or(o, "backend_domname", "");

    put_word(w, "backend_domname", "backend", name);
    if (*name == '\0' && domid != 0)
        cv_walk_put(w, "backend=%lld,", (long long)domid);
}

static void put_path(struct cv_walk *w, const char *path)
{
    for (const char *p = path; *p != '\0'; p++)
        if ((uint8_t)*p < 0x20 || *p == 0x7f) {
            cv_walk_refuse(w, "pdev_path", "has control characters");
            return;
        }
    cv_walk_put(w, "target=");
    for (const char *p = path; *p != '\0'; p++)
        cv_walk_put(w, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
}

/* Which half a disk has follows from its name, in xl as in convoy.cfg(5); CD-ROM drives are on IDE always. */
static void put_disk(struct cv_walk *w, json_t *d, size_t i)
{
    const char *format = cv_walk_string_or(d, "format", "raw"), *path = cv_walk_string_or(d, "pdev_path", "");
    const char *backend = cv_walk_string_or(d, "backend", "unknown");
    json_t *discard = json_object_get(d, "discard_enable");
    bool cdrom = cv_walk_truth(d, "is_cdrom"), empty = strcmp(format, "empty") == 0 || *path == '\0';

    (void)i;
    if (strcmp(backend, "phy") != 0 && strcmp(backend, "qdisk") != 0 && strcmp(backend, "unknown") != 0)
        cv_walk_refuse(w, "backend", "is neither phy nor qdisk");
    if (strcmp(cv_walk_string_or(d, "specification", "xen"), "virtio") == 0)
        cv_walk_refuse(w, "specification", cv_libxl_pv_device);
    cv_walk_put(w, "  \"%s", cdrom ? "model=ide,devtype=cdrom," : "");
    put_word(w, "vdev", "vdev", cv_walk_string_or(d, "vdev", ""));
    cv_walk_put(w, "access=%s,", cv_walk_truth(d, "readwrite") && !cdrom ? "rw" : "ro");
    if (!cdrom && strcmp(backend, "unknown") != 0)
        put_word(w, "backend", "backendtype", backend);
    put_word(w, "script", "script", cv_walk_string_or(d, "script", ""));
    put_backend(w, d);
    if (cv_walk_truth(d, "direct_io_safe"))
        cv_walk_put(w, "direct-io-safe,");
    if (discard != NULL && cv_walk_defbool(w, "discard_enable", discard) == 0)
        cv_walk_put(w, "no-discard,");
    if (!empty)
        put_word(w, "format", "format", strcmp(format, "unknown") == 0 ? "raw" : format);
    put_path(w, empty ? "" : path);
    cv_walk_put(w, "\",\n");
}

/* libxl keeps bytes in each interval; xl.cfg has a rate and the interval. */
static void put_rate(struct cv_walk *w, json_t *n)
{
    json_t *bytes = json_object_get(n, "rate_bytes_per_interval"), *us = json_object_get(n, "rate_interval_usecs");
    uint64_t b = (uint64_t)json_integer_value(bytes), interval = (uint64_t)json_integer_value(us);

    if (b == 0 || interval == 0)
        return;
    if (b > UINT32_MAX * UINT64_C(1000) || interval > UINT32_MAX)
        cv_walk_refuse(w, "rate_bytes_per_interval", "is no rate");
    cv_walk_put(w, "rate=%lluB/s@%lluus,", (unsigned long long)(b * 1000000 / interval), (unsigned long long)interval);
}

static void put_nic(struct cv_walk *w, json_t *n, size_t i)
{
    const char *type = cv_walk_string_or(n, "nictype", "");
    json_int_t mtu = json_integer_value(json_object_get(n, "mtu"));
    json_t *trusted = json_object_get(n, "trusted");

    if (json_integer_value(json_object_get(n, "devid")) != (json_int_t)i)
        cv_walk_refuse(w, "devid", "network cards are not numbered in their order");
    if (strcmp(type, "vif_ioemu") != 0 && strcmp(type, "vif") != 0)
        cv_walk_refuse(w, "nictype", "is neither vif nor vif_ioemu");
    if (json_object_get(n, "mac") == NULL)
        cv_walk_refuse(w, "mac", "is missing");
    cv_walk_put(w, "  \"type=%s,", strcmp(type, "vif") == 0 ? "vif" : "ioemu");
    put_word(w, "mac", "mac", cv_walk_string_or(n, "mac", ""));
    put_word(w, "model", "model", cv_walk_string_or(n, "model", "rtl8139"));
    put_word(w, "script", "script", cv_walk_string_or(n, "script", ""));
    put_word(w, "ip", "ip", cv_walk_string_or(n, "ip", ""));
    put_word(w, "gatewaydev", "gatewaydev", cv_walk_string_or(n, "gatewaydev", ""));
    put_backend(w, n);
    put_rate(w, n);
    if (mtu != 0 && mtu != LIBXL_MTU)
        cv_walk_put(w, "mtu=%d,", (int)mtu);
    if (trusted != NULL && cv_walk_defbool(w, "trusted", trusted) == 0)
        cv_walk_put(w, "untrusted,");
    put_word(w, "ifname", "vifname", cv_walk_string_or(n, "ifname", ""));
    cv_walk_put(w, "bridge=%s\",\n", cv_walk_string_or(n, "bridge", "xenbr0"));
}

/* key = [...] of xl.cfg, from libxl's list of that name. */
static void put_list(struct cv_walk *w, const char *key, const char *name, json_t *list, size_t most,
                     const struct cv_libxl_member *members, void (*put)(struct cv_walk *w, json_t *o, size_t i))
{
    char at[32];
    size_t i;
    json_t *o;

    if (json_array_size(list) > most)
        cv_walk_refuse(w, name, "too many");
    if (json_array_size(list) == 0)
        return;
    cv_walk_put(w, "%s = [\n", key);
    json_array_foreach(list, i, o)
    {
        snprintf(at, sizeof at, "%s[%zu]", name, i);
        cv_walk_object(w, at, o, members);
        w->at = at;
        put(w, o, i);
        w->at = "";
    }
    cv_walk_put(w, "]\n");
}

void cv_walk_disks(struct cv_walk *w, json_t *list)
{
    put_list(w, "disk", "disks", list, DISKS_MAX, cv_libxl_disk_members, put_disk);
}

void cv_walk_nics(struct cv_walk *w, json_t *list)
{
    put_list(w, "vif", "nics", list, VIFS_MAX, cv_libxl_nic_members, put_nic);
}
