/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/text.h"

#define FILE_BYTES_MAX (64u << 10)

/* The end of the part that begins at p: a single comma or the end of the text. */
static const char *part_end(const char *p)
{
    while (*p != '\0' && (*p != ',' || p[1] == ','))
        p += *p == ',' ? 2 : 1;
    return p;
}

static const char *single_commas(struct cv_pool *pool, const char *p, size_t len)
{
    char *out = cv_pool_zalloc(pool, 1, len + 1);
    size_t n = 0;

    if (out == NULL)
        return "";
    for (size_t i = 0; i < len; i++) {
        out[n++] = p[i];
        i += p[i] == ',' && i + 1 < len && p[i + 1] == ',';
    }
    return out;
}

const char *cv_dm_option(struct cv_pool *pool, const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = text; *p != '\0';) {
        const char *end = part_end(p);
        if ((size_t)(end - p) > n && strncmp(p, key, n) == 0 && p[n] == '=')
            return single_commas(pool, p + n + 1, (size_t)(end - p) - n - 1);
        p = *end == ',' ? end + 1 : end;
    }
    return NULL;
}

static int bad(struct cv_error *err, const char *option, const char *value, const char *why)
{
    return cv_fail(err, CV_E_INVALID, 0, "%s %.200s: %s", option, value, why);
}

/* ---- what libxl says of devices ---- */

static struct cv_dm_vif *vif_of(struct cv_dm_args *a, const char *digits)
{
    long long n;

    if (digits == NULL || !cv_text_number(digits, 0, CV_CONFIG_VIFS_MAX - 1, &n))
        return NULL;
    for (unsigned i = 0; i < a->vif_count; i++)
        if (a->vifs[i].index == (unsigned)n)
            return &a->vifs[i];
    if (a->vif_count == CV_CONFIG_VIFS_MAX)
        return NULL;
    struct cv_dm_vif *v = &a->vifs[a->vif_count++];
    *v = (struct cv_dm_vif){ .index = (unsigned)n, .model = "", .mac = "", .ifname = "", .bridge = "" };
    return v;
}

static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return text != NULL && strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static int take_vga(struct cv_dm_args *a, const char *value, const char *kind, struct cv_error *err)
{
    const char *mib = cv_dm_option(&a->pool, value, "vgamem_mb");
    long long n = 16;

    if (mib != NULL && !cv_text_number(mib, 1, 256, &n))
        return bad(err, "-device", value, "vgamem_mb is no number in range");
    a->vga = kind;
    a->videoram_mib = (unsigned)n;
    return 0;
}

static int take_device(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    if (strncmp(value, "VGA,", 4) == 0)
        return take_vga(a, value, "stdvga", err);
    if (strncmp(value, "cirrus-vga,", 11) == 0)
        return take_vga(a, value, "cirrus", err);
    const char *mac = cv_dm_option(&a->pool, value, "mac");
    struct cv_dm_vif *v = mac == NULL ? NULL : vif_of(a, after(cv_dm_option(&a->pool, value, "id"), "nic"));
    if (v == NULL)
        return 0;
    if (v->device_at != 0)
        return bad(err, "-device", value, "its id is given twice");
    v->device_at = at;
    v->mac = mac;
    v->model = cv_pool_stringn(&a->pool, value, strcspn(value, ","));
    return 0;
}

static int take_netdev(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    const char *ifname = cv_dm_option(&a->pool, value, "ifname"), *bridge = cv_dm_option(&a->pool, value, "br");
    struct cv_dm_vif *v = ifname == NULL ? NULL : vif_of(a, after(cv_dm_option(&a->pool, value, "id"), "net"));

    if (v == NULL)
        return 0;
    if (v->netdev_at != 0)
        return bad(err, "-netdev", value, "its id is given twice");
    v->netdev_at = at;
    v->ifname = ifname;
    v->bridge = bridge != NULL ? bridge : "";
    return 0;
}

static int take_drive(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    const char *kind = cv_dm_option(&a->pool, value, "if"), *index = cv_dm_option(&a->pool, value, "index");
    const char *media = cv_dm_option(&a->pool, value, "media"), *readonly = cv_dm_option(&a->pool, value, "readonly");
    const char *path = cv_dm_option(&a->pool, value, "file"), *format = cv_dm_option(&a->pool, value, "format");
    long long n;

    if (kind == NULL || strcmp(kind, "ide") != 0 || index == NULL)
        return 0;
    if (!cv_text_number(index, 0, 25, &n))
        return bad(err, "-drive", value, "index is no number in range");
    if (a->disk_count == CV_CONFIG_DISKS_MAX)
        return bad(err, "-drive", value, "too many disks");
    a->disks[a->disk_count++] = (struct cv_dm_disk){ .index = (unsigned)n,
                                                     .path = path != NULL ? path : "",
                                                     .format = format != NULL ? format : "raw",
                                                     .readonly = readonly != NULL && strcmp(readonly, "on") == 0,
                                                     .cdrom = media != NULL && strcmp(media, "cdrom") == 0,
                                                     .drive_at = at };
    return 0;
}

/* ---- everything else ---- */

/* libxl's own: "socket,id=libxl-cmd,path=..." or ",fd=N", always servers. */
static int take_chardev(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    const char *id = cv_dm_option(&a->pool, value, "id"), *fd = cv_dm_option(&a->pool, value, "fd");
    const char *path = cv_dm_option(&a->pool, value, "path");
    long long n = -1;

    if (after(value, "socket,") == NULL || after(id, "libx") == NULL || (fd == NULL && path == NULL))
        return 0;
    if (fd != NULL && !cv_text_number(fd, 3, 1 << 20, &n))
        return bad(err, "-chardev", value, "fd is no number in range");
    if (a->socket_count == CV_DM_SOCKETS_MAX)
        return bad(err, "-chardev", value, "more monitors than libxl has");
    a->sockets[a->socket_count++] =
        (struct cv_dm_socket){ .chardev = id, .path = fd != NULL ? "" : path, .fd = (int)n, .chardev_at = at };
    return 0;
}

static int take_mon(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    const char *chardev = cv_dm_option(&a->pool, value, "chardev");

    (void)err;
    for (unsigned i = 0; chardev != NULL && i < a->socket_count; i++)
        if (strcmp(a->sockets[i].chardev, chardev) == 0)
            a->sockets[i].mon_at = at;
    return 0;
}

static int take_smp(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    char now[16];
    long long n, max;
    const char *most = cv_dm_option(&a->pool, value, "maxcpus");

    (void)at;
    snprintf(now, sizeof now, "%.*s", (int)strcspn(value, ","), value);
    if (!cv_text_number(now, 1, 4096, &n) || !cv_text_number(most != NULL ? most : now, n, 4096, &max))
        return bad(err, "-smp", value, "is not N or N,maxcpus=M");
    a->vcpus = (unsigned)n;
    a->maxvcpus = (unsigned)max;
    return 0;
}

static int take_memory(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    long long n;

    if (!cv_text_number(value, 1, 1 << 30, &n))
        return bad(err, "-m", value, "is no number in range");
    a->memory_mib = (unsigned long)n;
    a->memory_at = at;
    return 0;
}

static int take_domid(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    long long n;

    (void)at;
    if (!cv_text_number(value, 1, 0x7ff0, &n))
        return bad(err, "-xen-domid", value, "is no domain's number");
    a->domid = (uint32_t)n;
    a->has_domid = true;
    return 0;
}

static int take_name(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    (void)at;
    (void)err;
    a->name = value;
    return 0;
}

static int take_incoming(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    long long n = -1;

    if (after(value, "fd:") != NULL && !cv_text_number(value + 3, 3, 1 << 20, &n))
        return bad(err, "-incoming", value, "is no descriptor");
    a->incoming_fd = (int)n;
    a->incoming_at = at;
    return 0;
}

static int take_convoy(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err)
{
    (void)at;
    (void)err;
    cv_strings_add(&a->pool, &a->list, value);
    return 0;
}

static const struct {
    const char *option;
    int (*take)(struct cv_dm_args *a, const char *value, size_t at, struct cv_error *err);
} with_value[] = {
    { "-device", take_device },     { "-netdev", take_netdev },   { "-drive", take_drive },
    { "-chardev", take_chardev },   { "-mon", take_mon },         { "-smp", take_smp },
    { "-m", take_memory },          { "-xen-domid", take_domid }, { "-name", take_name },
    { "-incoming", take_incoming }, { "-convoy", take_convoy },
};

static int take_one(struct cv_dm_args *a, int *i, struct cv_error *err)
{
    const char *option = a->argv[*i];

    a->attach = a->attach || strcmp(option, "-xen-attach") == 0;
    a->restricted = a->restricted || strcmp(option, "-xen-domid-restrict") == 0;
    a->stopped = a->stopped || strcmp(option, "-S") == 0;
    for (size_t k = 0; k < sizeof with_value / sizeof with_value[0]; k++) {
        if (strcmp(option, with_value[k].option) != 0)
            continue;
        if (*i + 1 >= a->argc)
            return cv_fail(err, CV_E_INVALID, 0, "%s: its value is missing", option);
        *i += 1;
        return with_value[k].take(a, a->argv[*i], (size_t)*i, err);
    }
    return 0;
}

int cv_dm_args_parse(struct cv_dm_args *out, int argc, char **argv, struct cv_error *err)
{
    *out = (struct cv_dm_args){
        .argc = argc, .argv = argv, .name = "", .vcpus = 1, .maxvcpus = 1, .vga = "none", .incoming_fd = -1
    };
    int rc = argc > CV_DM_ARGS_MAX ? cv_fail(err, CV_E_INVALID, 0, "%d arguments", argc) : 0;
    for (int i = 1; i < argc && rc == 0; i++)
        rc = take_one(out, &i, err);
    if (rc == 0)
        rc = cv_pool_check(&out->pool, err);
    if (rc < 0)
        cv_dm_args_dispose(out);
    return rc;
}

void cv_dm_args_dispose(struct cv_dm_args *a)
{
    struct cv_pool pool = a->pool;

    memset(a, 0, sizeof *a);
    cv_pool_dispose(&pool);
}

int cv_dm_args_plain(struct cv_dm_args *a, const char *program, struct cv_strings *argv_out, struct cv_error *err)
{
    *argv_out = (struct cv_strings){ 0 };
    cv_strings_add(&a->pool, argv_out, cv_pool_string(&a->pool, program));
    for (int i = 1; i < a->argc; i++) {
        if (strcmp(a->argv[i], "-convoy") == 0)
            i++;
        else
            cv_strings_add(&a->pool, argv_out, a->argv[i]);
    }
    cv_strings_add(&a->pool, argv_out, NULL);
    return cv_pool_check(&a->pool, err);
}

static int check_owner(const char *path, struct cv_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return cv_fail(err, CV_E_IO, errno, "%s", path);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
        return cv_fail(err, CV_E_INVALID, 0, "%s: others than its owner may write it, and it says what root starts",
                       path);
    return 0;
}

int cv_dm_args_file(struct cv_dm_args *a, const char *dir, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    CV_AUTO_FREE char *text = NULL;
    char path[300];
    size_t len;

    if (a->list.count > 0 || *a->name == '\0' || strchr(a->name, '/') != NULL)
        return 0;
    snprintf(path, sizeof path, "%s/%.128s.cfg", dir, a->name);
    if (cv_file_read(path, FILE_BYTES_MAX, &text, &len, &why) < 0)
        return why.sys == ENOENT || why.code == CV_E_NOT_FOUND ? 0 : cv_fail_as(err, &why);
    if (check_owner(path, err) < 0)
        return -1;
    for (const char *p = text; p < text + len; p += strcspn(p, "\n") + 1) {
        size_t n = strcspn(p, "\n");
        while (n > 0 && (p[0] == ' ' || p[0] == '\t'))
            p++, n--;
        while (n > 0 && strchr(" \t\r", p[n - 1]) != NULL)
            n--;
        if (n > 0 && *p != '#')
            cv_strings_add(&a->pool, &a->list, cv_pool_stringn(&a->pool, p, n));
    }
    return cv_pool_check(&a->pool, err);
}
