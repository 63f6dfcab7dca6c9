/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line that libxl writes for one QEMU, read: what there is to move to other emulators, the sockets that
 * libxl means to speak at, and what is for convoy-dm itself (-convoy TEXT, see docs/man/convoy-dm.8.md).
 * Strings are the pool's or argv's, which must outlive the structure. */
#ifndef CONVOY_DM_ARGS_H
#define CONVOY_DM_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

#define CV_DM_SOCKETS_MAX 2
#define CV_DM_ARGS_MAX 512

/* An emulated card: "-device MODEL,id=nicN,netdev=netN,mac=" and "-netdev type=tap,id=netN,ifname=,br=". */
struct cv_dm_vif {
    unsigned index; /* N */
    const char *model, *mac, *ifname, *bridge;
    size_t device_at, netdev_at; /* of the values in argv; 0 = not seen */
};

/* "-drive file=,if=ide,index=N,media=,format=" */
struct cv_dm_disk {
    unsigned index; /* N: 0 is hda, xvda */
    const char *path, *format;
    bool readonly, cdrom;
    size_t drive_at;
};

struct cv_dm_socket {
    const char *chardev; /* its id */
    const char *path;    /* "" = fd */
    int fd;              /* listens already; -1 = path */
    size_t chardev_at, mon_at;
};

struct cv_dm_args {
    struct cv_pool pool;
    int argc;
    char **argv;
    bool has_domid, attach, restricted, stopped; /* -xen-domid, -xen-attach, -xen-domid-restrict, -S */
    uint32_t domid;
    const char *name;         /* -name, "" = none */
    unsigned long memory_mib; /* -m */
    unsigned vcpus, maxvcpus;
    const char *vga; /* "stdvga", "cirrus" or "none" */
    unsigned videoram_mib;
    size_t memory_at, incoming_at;
    int incoming_fd; /* -1 = none */
    struct cv_dm_socket sockets[CV_DM_SOCKETS_MAX];
    unsigned socket_count;
    struct cv_dm_vif vifs[CV_CONFIG_VIFS_MAX];
    unsigned vif_count;
    struct cv_dm_disk disks[CV_CONFIG_DISKS_MAX];
    unsigned disk_count;
    struct cv_strings list; /* -convoy's values, or the file's lines */
};

/* *out: initialised by the call; dispose after success only.  CV_E_INVALID names the argument. */
int cv_dm_args_parse(struct cv_dm_args *out, int argc, char **argv, struct cv_error *err) CV_CHECKED;
void cv_dm_args_dispose(struct cv_dm_args *a);
/* argv without -convoy, program in the place of [0]: what is executed where there is nothing to supervise.
 * NULL-terminated, in a's pool. */
int cv_dm_args_plain(struct cv_dm_args *a, const char *program, struct cv_strings *argv_out,
                     struct cv_error *err) CV_CHECKED;
/* Where the command line has no -convoy: a's list becomes the lines of dir/NAME.cfg, if there is such a file (one
 * -convoy TEXT a line; # begins a comment).  CV_E_INVALID: others than root may write it. */
int cv_dm_args_file(struct cv_dm_args *a, const char *dir, struct cv_error *err) CV_CHECKED;
/* The value of key in "a=b,key=value,..." with doubled commas made single; NULL = it is not there. */
const char *cv_dm_option(struct cv_pool *pool, const char *text, const char *key);

#endif
