/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All emulators of a layout are executed at once.  The default one waits at its gate, a socket chardev with wait=on, at
 * which QEMU stops before it makes its machine; it is let in when every secondary has answered, so that its ioreq
 * server gets the highest id although its process was loaded side by side with the others. */
#include "emulators/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "layout/cmdline.h"
#include "emulators/image_lock.h"
#include "emulators/paths.h"
#include "emulators/process.h"
#include "emulators/qmp.h"

struct start {
    struct cv_emuset *set;
    const struct cv_layout *l;
    const struct cv_spawn_options *opt;
    const struct cv_emu_wait *w;
    char gate[32];    /* how we reach the gate; "" = none */
    int gate_path_fd; /* its socket's file, which has no name any more */
    int gate_fd;      /* our end, open until the default emulator has answered */
};

/* ---- sockets ---- */

static int listen_at(const char *path, struct cv_error *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof sa.sun_path)
        return cv_fail(err, CV_E_INVALID, 0, "socket path '%s' is too long", path);
    strcpy(sa.sun_path, path);
    CV_AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "socket");
    unlink(path); /* of an emulator that died; the domain id is ours now */
    /* Linux gives the file the rights that the socket has; the umask is the whole process's. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        return cv_fail(err, CV_E_IO, errno, "socket %s", path);
    if (listen(fd, 1) < 0)
        return cv_fail(err, CV_E_IO, errno, "listen at %s", path);
    return cv_fd_take(&fd);
}

/* The gate's socket is a file that only we may connect to: whoever opens the gate early spoils the order.  Its name is
 * gone before anybody is started, so that nothing stays behind if we are killed: a descriptor of the file leads there,
 * too. */
static int make_gate(struct start *s, struct cv_error *err)
{
    char path[108];

    cv_path_gate(s->opt->run_dir, s->set->domid, path, sizeof path);
    CV_AUTO_FD fd = listen_at(path, err);
    if (fd < 0)
        return -1;
    s->gate_path_fd = open(path, O_PATH | O_CLOEXEC);
    int why = errno;
    unlink(path);
    if (s->gate_path_fd < 0)
        return cv_fail(err, CV_E_IO, why, "open %s", path);
    snprintf(s->gate, sizeof s->gate, "/proc/self/fd/%d", s->gate_path_fd);
    return cv_fd_take(&fd);
}

static int open_gate(struct start *s, struct cv_error *err)
{
    struct cv_qmp visitor;

    if (*s->gate == '\0')
        return 0;
    cv_qmp_init(&visitor, -1);
    int rc = cv_qmp_dial(&visitor, s->gate, err); /* QEMU goes on as soon as it can accept */
    s->gate_fd = visitor.fd;
    return rc < 0 ? cv_context(err, "gate of the default emulator") : 0;
}

/* ---- one emulator ---- */

static int open_log(struct start *s, const char *name, struct cv_error *err)
{
    char path[512], old[520];

    cv_path_log(s->opt->log_dir, name, s->opt->guest_name, path, sizeof path);
    snprintf(old, sizeof old, "%s.1", path);
    rename(path, old);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "log %s", path);
    return fd;
}

/* Is the program linked with seccomp?  Asking it costs a start; its dynamic section says it as well. */
static bool has_seccomp(const char *program)
{
    struct stat st;
    bool found = false;

    CV_AUTO_FD fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        return false;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return false;
    found = memmem(map, (size_t)st.st_size, "libseccomp.so", 13) != NULL;
    munmap(map, (size_t)st.st_size);
    return found;
}

static int give_fd(struct cv_process *p, int fd, struct cv_error *err)
{
    if (p->fd_count == CV_PROCESS_FDS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "needs more than %d descriptors", CV_PROCESS_FDS_MAX);
    p->fds[p->fd_count] = fd;
    return 3 + (int)p->fd_count++;
}

static void close_given(struct cv_process *p)
{
    for (unsigned i = 0; i < p->fd_count; i++)
        cv_fd_dispose(&p->fds[i]);
}

static int give_socket(struct cv_process *p, int fd, int *number, struct cv_error *err)
{
    if (fd < 0)
        return -1;
    *number = give_fd(p, fd, err);
    if (*number >= 0)
        return 0;
    close(fd);
    return -1;
}

static int give_taps(struct start *s, const struct cv_layout_dm *dm, struct cv_process *p, struct cv_cmdline *c,
                     struct cv_pool *pool, struct cv_error *err)
{
    for (unsigned i = 0; i < CV_CONFIG_VIFS_MAX; i++)
        c->tap_fds[i] = -1;
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        if (dev->kind != CV_DEV_VIF)
            continue;
        const char *ifname = cv_cmdline_expand(dev->ifname, c, pool, err);
        if (ifname == NULL)
            return -1;
        int fd = s->opt->tap(s->opt->tap_user, ifname, dev->bridge, err);
        if (give_socket(p, fd, &c->tap_fds[dev->vif_index], err) < 0)
            return -1;
    }
    return 0;
}

static int give_image(struct cv_process *p, const char *path, int mode, int *number, struct cv_error *err)
{
    int fd = open(path, mode | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "open %s", path);
    return give_socket(p, fd, number, err);
}

/* Our second descriptor of the same description: what it locks, the emulator holds. */
static int lock_or_keep(struct start *s, const char *path, int fd, struct cv_error *err)
{
    struct cv_emuset *set = s->set;

    if (s->opt->mode != CV_SPAWN_INCOMING_LATE)
        return cv_image_lock(fd, path, err);
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (kept < 0 || set->image_count == CV_CONFIG_DISKS_MAX)
        return cv_fail(err, CV_E_IO, errno, "keep a descriptor");
    set->image_fds[set->image_count] = kept;
    set->image_paths[set->image_count++] = path;
    return 0;
}

static int give_disks(struct start *s, const struct cv_layout_dm *dm, struct cv_process *p, struct cv_cmdline *c,
                      struct cv_error *err)
{
    for (unsigned i = 0; i < dm->device_count; i++) {
        const struct cv_layout_device *dev = &dm->devices[i];
        if (dev->kind != CV_DEV_DISK || *dev->path == '\0')
            continue;
        if (c->disk_count == CV_CONFIG_DISKS_MAX)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "has more than %d disks", CV_CONFIG_DISKS_MAX);
        struct cv_cmdline_disk *disk = &c->disks[c->disk_count++];
        struct stat st;
        *disk = (struct cv_cmdline_disk){ dev->vdev, -1, -1, stat(dev->path, &st) == 0 && S_ISBLK(st.st_mode) };
        /* QEMU picks the descriptor of exactly the mode that it wants; before it is active it wants to read only */
        if (give_image(p, dev->path, O_RDONLY, &disk->read_fd, err) < 0 ||
            (!dev->readonly && (give_image(p, dev->path, O_RDWR, &disk->write_fd, err) < 0 ||
                                lock_or_keep(s, dev->path, p->fds[disk->write_fd - 3], err) < 0)))
            return cv_context(err, "disk %s", dev->vdev);
    }
    return 0;
}

/* All descriptors of one emulator, and its arguments with their numbers. */
static int prepare(struct start *s, const struct cv_layout_dm *dm, struct cv_process *p, struct cv_pool *pool,
                   struct cv_error *err)
{
    struct cv_emu *emu = &s->set->emus[dm->dmid];
    struct cv_cmdline c = { .domid = s->set->domid,
                            .qmp_fd = -1,
                            .xl_qmp_fd = -1,
                            .gate_fd = -1,
                            .incoming = s->opt->mode != CV_SPAWN_CREATE,
                            .run_as = "" };
    struct cv_strings argv;
    char user[32];

    emu->owns_sockets = true;
    cv_path_qmp(s->opt->run_dir, s->set->domid, dm->dmid, emu->qmp_path, sizeof emu->qmp_path);
    if (give_socket(p, listen_at(emu->qmp_path, err), &c.qmp_fd, err) < 0)
        return -1;
    if (dm->role == CV_DM_DEFAULT) {
        if (!s->opt->no_xl_socket)
            cv_path_qmp_xl(s->opt->run_dir, s->set->domid, emu->xl_path, sizeof emu->xl_path);
        if (!s->opt->no_xl_socket && give_socket(p, listen_at(emu->xl_path, err), &c.xl_qmp_fd, err) < 0)
            return -1;
        if (s->l->count > 1 && give_socket(p, make_gate(s, err), &c.gate_fd, err) < 0)
            return -1;
    } else {
        if (cv_emu_rules_user(s->opt->rules, s->set->domid, dm->dmid, user, sizeof user, err) < 0)
            return -1;
        c.run_as = user;
        c.sandbox = cv_layout_is_qemu(dm) && has_seccomp(dm->model);
        p->no_new_privs = true;
    }
    if (give_taps(s, dm, p, &c, pool, err) < 0 || give_disks(s, dm, p, &c, err) < 0 ||
        cv_cmdline_build(dm, &c, pool, &argv, err) < 0)
        return -1;
    p->argv = argv.items;
    return 0;
}

static int start_one(struct start *s, const struct cv_layout_dm *dm, struct cv_error *err)
{
    struct cv_emu *emu = &s->set->emus[dm->dmid];
    struct cv_process p = { .log_fd = -1 };
    struct cv_pool pool = { 0 };

    cv_fd_dispose(&emu->log_fd);
    emu->log_fd = p.log_fd = open_log(s, dm->name, err);
    int rc = emu->log_fd < 0 ? -1 : prepare(s, dm, &p, &pool, err);
    if (rc == 0)
        rc = cv_process_start(&p, &emu->pid, &emu->pidfd, err);
    if (rc == 0) {
        emu->child = true;
        /* the socket listens already, so this cannot be too early */
        rc = cv_qmp_dial(emu->qmp, emu->qmp_path, err);
    }
    close_given(&p);
    cv_pool_dispose(&pool);
    return rc;
}

static int start_attached(struct start *s, const struct cv_layout_dm *dm, struct cv_error *err)
{
    struct cv_cmdline c = { .domid = s->set->domid, .qmp_fd = -1, .xl_qmp_fd = -1, .run_as = "" };
    struct cv_pool pool = { 0 };
    const char *path = cv_cmdline_expand(dm->qmp, &c, &pool, err);
    int rc = path == NULL ? -1 : cv_emuset_attach(s->set, dm->dmid, dm->pid, path, err);

    s->set->emus[dm->dmid].await = true;
    cv_pool_dispose(&pool);
    return rc;
}

/* Whoever listens on an attached emulator's socket is the emulator. */
static int learn_pid(struct cv_emuset *set, struct cv_emu *emu, struct cv_error *err)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    emu->await = false;
    if (getsockopt(emu->qmp->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
        return 0; /* of another pid namespace: it stays unknown */
    if (emu->pid != 0 && emu->pid != peer.pid)
        return cv_fail(err, CV_E_INVALID, 0, "process %d listens on %s, not %d", (int)peer.pid, emu->qmp_path,
                       (int)emu->pid);
    return emu->pid != 0 ? 0 : cv_emuset_attach(set, emu->dmid, peer.pid, strdupa(emu->qmp_path), err);
}

/* Restricting itself is the program's doing (it opens what needs rights first); that it was done is looked at. */
static int check_user(const struct start *s, const struct cv_layout_dm *dm, struct cv_error *err)
{
    char path[40], user[32], line[128];
    unsigned real = 0, effective = 0, saved = 0, wanted;

    if (dm->role != CV_DM_SECONDARY)
        return 0;
    if (cv_emu_rules_user(s->opt->rules, s->set->domid, dm->dmid, user, sizeof user, err) < 0)
        return -1;
    if (sscanf(user, "%u:", &wanted) != 1)
        return 0; /* as root, which the rules allow */
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->set->emus[dm->dmid].pid);
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
        found = sscanf(line, "Uid: %u %u %u", &real, &effective, &saved) == 3;
    if (f != NULL)
        fclose(f);
    if (found && real == wanted && effective == wanted && saved == wanted)
        return 0;
    return cv_fail(err, CV_E_EMULATOR, 0, "it was told to run as user %u (-runas %s) and does not", wanted, user);
}

/* ---- all of them ---- */

static int start_all(struct start *s, struct cv_error *err)
{
    unsigned order[CV_DM_MAX];

    cv_layout_rank_order(s->l, order);
    for (unsigned i = 0; i < s->l->count; i++) {
        const struct cv_layout_dm *dm = &s->l->dms[order[i]];
        int rc = dm->role == CV_DM_ATTACHED ? start_attached(s, dm, err) : start_one(s, dm, err);
        if (rc < 0)
            return cv_context(err, "emulator %u '%s'", dm->dmid, dm->name);
    }
    return 0;
}

static int let_in(struct start *s, struct cv_error *err)
{
    struct cv_emu_wait secondaries = *s->w, last = *s->w;

    secondaries.mask = ((1u << s->set->count) - 1) & ~1u;
    last.mask = 1;
    if (secondaries.mask != 0 && cv_emuset_connect(s->set, &secondaries, NULL, err) < 0)
        return -1;
    for (unsigned i = 1; i < s->set->count; i++)
        if (s->l->dms[i].role == CV_DM_ATTACHED && learn_pid(s->set, &s->set->emus[i], err) < 0)
            return cv_context(err, "emulator %u '%s'", i, s->l->dms[i].name);
    for (unsigned i = 1; i < s->set->count; i++)
        if (check_user(s, &s->l->dms[i], err) < 0)
            return cv_context(err, "emulator %u '%s'", i, s->l->dms[i].name);
    /* a gate that does not open belongs to a process that died: connect says how */
    int gate = open_gate(s, err);
    if (gate < 0)
        last.deadline_ms = cv_after_ms(200) < last.deadline_ms ? cv_after_ms(200) : last.deadline_ms;
    if (cv_emuset_connect(s->set, &last, NULL, err) < 0 || gate < 0)
        return -1;
    if (*s->l->vncpasswd)
        return cv_emuset_vnc_password(s->set, s->l->vncpasswd, s->w, err);
    return 0;
}

int cv_emuset_start(struct cv_emuset *set, const struct cv_layout *l, const struct cv_spawn_options *opt,
                    const struct cv_emu_wait *w, struct cv_error *err)
{
    struct start s = { .set = set, .l = l, .opt = opt, .w = w, .gate_path_fd = -1, .gate_fd = -1 };
    int rc = start_all(&s, err);

    if (rc == 0)
        rc = let_in(&s, err);
    cv_fd_dispose(&s.gate_fd);
    cv_fd_dispose(&s.gate_path_fd);
    if (rc < 0) {
        struct cv_error again;
        if (cv_emuset_kill(set, &again) < 0)
            cv_log(set->sink, CV_LOG_ERROR, "%s", again.text);
    }
    return rc;
}
