/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm without processes: libxl's command line, the plan, the file of states. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "dm/keeper.h"
#include "dm/plan.h"
#include "dm/states.h"
#include "emulators/state_memory.h"

/* As libxl 4.17 writes it, of a guest with two cards and two disks (what is before and after "LIST" is libxl's). */
#define BEFORE                                                                                                       \
    "/usr/libexec/convoy-dm", "-xen-domid", "5", "-no-shutdown", "-chardev",                                         \
        "socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-5,server=on,wait=off", "-mon",                              \
        "chardev=libxl-cmd,mode=control", "-chardev",                                                                \
        "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-5,server=on,wait=off", "-mon",                    \
        "chardev=libxenstat-cmd,mode=control", "-nodefaults", "-no-user-config", "-name", "g", "-vnc",               \
        "127.0.0.1:0,to=99", "-display", "none", "-serial", "pty", "-device", "VGA,vgamem_mb=16", "-boot",           \
        "order=cda", "-smp", "2,maxcpus=4", "-device", "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:05", "-netdev", \
        "type=tap,id=net0,ifname=vif5.0-emu,br=xenbr0,script=no,downscript=no", "-device",                           \
        "rtl8139,id=nic1,netdev=net1,mac=00:16:3e:00:00:06", "-netdev",                                              \
        "type=tap,id=net1,ifname=vif5.1-emu,br=xenbr0,script=no,downscript=no", "-machine", "xenfv,suppress-vmdesc=on"
#define AFTER                                                                                                        \
    "-m", "184", "-drive", "file=/a,,b,if=ide,index=0,readonly=off,media=disk,format=raw,cache=writeback", "-drive", \
        "file=/dev/loop1,if=ide,index=1,readonly=off,media=disk,format=raw,cache=writeback"

static char *const plain[] = { BEFORE, AFTER, NULL };
static char *const listed[] = {
    BEFORE, "-convoy", "name=net,vifs=0", "-convoy", "name=storage,disks=xvdb", "-convoy", "emulator_died=restart",
    AFTER,  NULL
};

static int count(char *const *argv)
{
    int n = 0;

    while (argv[n] != NULL)
        n++;
    return n;
}

static void parse(struct cv_dm_args *a, char *const *argv)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(cv_dm_args_parse(a, count(argv), (char **)argv, &err) == 0, "%s", err.text);
}

static const struct cv_layout_host host = { .default_model = "/usr/libexec/xen-qemu-system-i386" };

START_TEST(without_a_list_the_command_line_is_libxls)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_strings argv;
    struct cv_dm_args a;

    for (int with = 0; with <= 1; with++) {
        parse(&a, with ? listed : plain);
        ck_assert_uint_eq(a.list.count, with ? 3 : 0);
        ck_assert_int_eq(cv_dm_args_plain(&a, "/qemu", &argv, &err), 0);
        ck_assert_str_eq(argv.items[0], "/qemu");
        for (int i = 1; plain[i] != NULL; i++)
            ck_assert_str_eq(argv.items[i], plain[i]);
        ck_assert_ptr_null(argv.items[count(plain)]);
        cv_dm_args_dispose(&a);
    }
}
END_TEST

START_TEST(what_libxl_says_is_read)
{
    struct cv_dm_args a;

    parse(&a, listed);
    ck_assert_uint_eq(a.domid, 5);
    ck_assert(a.has_domid && !a.attach && !a.restricted && !a.stopped);
    ck_assert_uint_eq(a.memory_mib, 184);
    ck_assert_uint_eq(a.vcpus, 2);
    ck_assert_uint_eq(a.maxvcpus, 4);
    ck_assert_str_eq(a.name, "g");
    ck_assert_uint_eq(a.socket_count, 2);
    ck_assert_str_eq(a.sockets[1].path, "/var/run/xen/qmp-libxenstat-5");
    ck_assert_uint_eq(a.vif_count, 2);
    ck_assert_str_eq(a.vifs[1].model, "rtl8139");
    ck_assert_str_eq(a.vifs[0].mac, "00:16:3e:00:00:05");
    ck_assert_uint_eq(a.disk_count, 2);
    ck_assert_str_eq(a.disks[0].path, "/a,b");
    ck_assert_int_eq(a.incoming_fd, -1);
    cv_dm_args_dispose(&a);
}
END_TEST

static size_t find(const struct cv_strings *argv, const char *text)
{
    for (size_t i = 0; i < argv->count; i++)
        if (strstr(argv->items[i], text) != NULL)
            return i;
    return 0;
}

START_TEST(devices_move_to_their_owners)
{
    struct cv_error err = CV_ERROR_INIT;
    enum cv_dm_died died;
    struct cv_layout l;
    struct cv_dm_args a;

    parse(&a, listed);
    ck_assert_msg(cv_dm_plan(&a, &host, &l, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(l.count, 3);
    ck_assert_uint_eq(l.dms[0].rank, 2);
    ck_assert_uint_eq(l.dms[0].m_kib, 184 << 10);
    const struct cv_strings *d = &l.dms[0].argv;
    ck_assert_str_eq(d->items[0], host.default_model);
    ck_assert_uint_eq(find(d, "nic0"), 0);
    ck_assert_uint_eq(find(d, "net0"), 0);
    ck_assert_uint_eq(find(d, "index=1"), 0);
    ck_assert_uint_eq(find(d, "-convoy"), 0);
    ck_assert_uint_eq(find(d, "qmp-libxl"), 0);
    ck_assert_uint_gt(find(d, "file=/a,,b,if=ide"), 0);
    /* what stays keeps its order: QEMU gives PCI slots in it */
    ck_assert_uint_lt(find(d, "VGA,"), find(d, "id=nic1"));
    ck_assert_str_eq(d->items[find(d, "id=nic1") - 1], "-device");
    ck_assert_uint_lt(find(d, "id=nic1"), find(d, "id=net1"));
    const struct cv_layout_dm *net = &l.dms[1], *storage = &l.dms[2];
    ck_assert_str_eq(net->name, "net");
    ck_assert_uint_eq(net->device_count, 1);
    ck_assert_str_eq(net->devices[0].driver, "e1000");
    ck_assert_uint_eq(net->devices[0].bdf, 16 << 3);
    ck_assert_uint_eq(net->devices[0].mac[5], 5);
    ck_assert_str_eq(net->devices[0].ifname, "vif@{domid}.0-emu");
    ck_assert_str_eq(net->devices[0].bridge, "");
    ck_assert_str_eq(storage->devices[0].driver, "virtio-blk-pci");
    ck_assert_str_eq(storage->devices[0].path, "/dev/loop1");
    ck_assert_uint_eq(storage->devices[0].bdf, 17 << 3);
    ck_assert_uint_gt(find(&storage->argv, "maxcpus=4"), 0);
    ck_assert_uint_ge(net->window_gfn, l.dms[0].window_gfn + l.dms[0].window_pages);
    ck_assert_int_eq(cv_dm_plan_died(&a, &died, &err), 0);
    ck_assert_int_eq(died, CV_DM_DIED_RESTART);
    cv_layout_dispose(&l);
    cv_dm_args_dispose(&a);
}
END_TEST

/* Of a guest that comes back, whatever its list says now, the state's layout counts. */
START_TEST(the_layout_of_a_state_is_imposed)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_dm_args a, b;
    struct cv_layout l;

    parse(&a, listed);
    ck_assert_int_eq(cv_dm_plan(&a, &host, &l, &err), 0);
    parse(&b, plain);
    ck_assert_msg(cv_dm_plan_again(&b, &l, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(find(&l.dms[0].argv, "nic0"), 0);
    ck_assert_uint_eq(find(&l.dms[0].argv, "index=1"), 0);
    b.vif_count = 0;
    ck_assert_int_lt(cv_dm_plan_again(&b, &l, &err), 0);
    ck_assert_msg(strstr(err.text, "emulator 1 'net' owns nic0") != NULL, "%s", err.text);
    err = (struct cv_error)CV_ERROR_INIT;
    b.memory_mib = 200;
    ck_assert_int_lt(cv_dm_plan_again(&b, &l, &err), 0);
    ck_assert_msg(strstr(err.text, "-m 184, this one has -m 200") != NULL, "%s", err.text);
    cv_layout_dispose(&l);
    cv_dm_args_dispose(&a);
    cv_dm_args_dispose(&b);
}
END_TEST

START_TEST(what_cannot_be_done_is_said)
{
    static const struct {
        const char *item, *extra, *text;
    } bad[] = {
        { "name=net,vifs=7", NULL, "claims vif '7', and there is no such vif" },
        { "name=net,disks=xvdc", NULL, "claims disk 'xvdc'" },
        { "vifs=0", NULL, "an emulator needs a name" },
        { "name=net,vifs=0,caps=ui", NULL, "" },
        { "name=x,qmp=/tmp/s", NULL, "attached" },
        { "name=x,disks=hdb", "-xen-domid-restrict", "dm_restrict" },
        { "name=\"x\",vifs=0", NULL, "a name has" },
        { "name=x\nmemory=1,vifs=0", NULL, "control characters" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *argv[] = { BEFORE, AFTER, "-convoy", (char *)bad[i].item, (char *)bad[i].extra, NULL };
        struct cv_error err = CV_ERROR_INIT;
        struct cv_dm_args a;
        struct cv_layout l;
        parse(&a, argv);
        int rc = cv_dm_plan(&a, &host, &l, &err);
        if (rc == 0) {
            ck_assert_msg(*bad[i].text == '\0', "%s was taken", bad[i].item);
            cv_layout_dispose(&l);
        }
        ck_assert_msg(strstr(err.text, bad[i].text) != NULL, "%s: %s", bad[i].item, err.text);
        cv_dm_args_dispose(&a);
    }
}
END_TEST

START_TEST(a_cd_drive_stays)
{
    char *argv[] = { "dm",
                     "-xen-domid",
                     "1",
                     "-m",
                     "100",
                     "-drive",
                     "file=/i.iso,if=ide,index=2,readonly=on,media=cdrom,format=raw",
                     "-convoy",
                     "name=x,disks=hdc",
                     NULL };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_dm_args a;
    struct cv_layout l;

    parse(&a, argv);
    ck_assert_int_lt(cv_dm_plan(&a, &host, &l, &err), 0);
    ck_assert_msg(strstr(err.text, "hdc is a CD-ROM drive") != NULL, "%s", err.text);
    cv_dm_args_dispose(&a);
}
END_TEST

START_TEST(bad_command_lines)
{
    static char *const bad[][4] = {
        { "dm", "-xen-domid", NULL },
        { "dm", "-xen-domid", "0", NULL },
        { "dm", "-xen-domid", "x", NULL },
        { "dm", "-m", "1M", NULL },
        { "dm", "-smp", "2,maxcpus=1", NULL },
        { "dm", "-smp", "", NULL },
        { "dm", "-incoming", "fd:x", NULL },
        { "dm", "-convoy", NULL },
        { "dm", "-chardev", "socket,id=libxl-cmd,fd=no", NULL },
        { "dm", "-drive", "if=ide,index=77,file=x", NULL },
        { "dm", "-device", "VGA,vgamem_mb=0", NULL },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_dm_args a;
        ck_assert_msg(cv_dm_args_parse(&a, count(bad[i]), (char **)bad[i], &err) < 0, "%s", bad[i][1]);
        ck_assert_int_eq(err.code, CV_E_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, bad[i][1]));
    }
}
END_TEST

START_TEST(the_file_of_a_guest)
{
    char dir[] = "/tmp/convoy-dm-XXXXXX", path[64];
    struct cv_error err = CV_ERROR_INIT;
    struct cv_dm_args a;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/g.cfg", dir);
    parse(&a, plain);
    ck_assert_int_eq(cv_dm_args_file(&a, dir, &err), 0);
    ck_assert_uint_eq(a.list.count, 0);
    FILE *f = fopen(path, "w");
    fputs("# of this guest\n\n  name=net,vifs=0 \r\nname=storage,disks=xvdb", f);
    fclose(f);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert_int_lt(cv_dm_args_file(&a, dir, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "others than its owner"));
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(cv_dm_args_file(&a, dir, &err), 0);
    ck_assert_uint_eq(a.list.count, 2);
    ck_assert_str_eq(a.list.items[0], "name=net,vifs=0");
    ck_assert_str_eq(a.list.items[1], "name=storage,disks=xvdb");
    cv_dm_args_dispose(&a);
    parse(&a, listed); /* the command line's list counts */
    ck_assert_int_eq(cv_dm_args_file(&a, dir, &err), 0);
    ck_assert_uint_eq(a.list.count, 3);
    cv_dm_args_dispose(&a);
    unlink(path);
    rmdir(dir);
}
END_TEST

/* ---- the file of states ---- */

static uint8_t *make_states(struct cv_layout *l, size_t *len_out)
{
    static const uint8_t state[] = {
        'Q', 'E', 'V', 'M', 0, 0, 0, 3, 4, 0, 0, 0, 1, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 1, 9, 0
    };
    struct cv_error err = CV_ERROR_INIT;
    int fds[CV_DM_MAX], out = memfd_create("states", MFD_CLOEXEC);
    uint64_t sizes[CV_DM_MAX];
    struct cv_dm_args a;

    parse(&a, listed);
    ck_assert_msg(cv_dm_plan(&a, &host, l, &err) == 0, "%s", err.text);
    cv_dm_args_dispose(&a);
    for (unsigned i = 0; i < l->count; i++) {
        fds[i] = memfd_create("state", MFD_CLOEXEC);
        ck_assert_int_eq(write(fds[i], state, sizeof state), sizeof state);
        sizes[i] = sizeof state;
    }
    ck_assert_msg(cv_dm_states_write(out, l, fds, sizes, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < l->count; i++)
        close(fds[i]);
    *len_out = (size_t)lseek(out, 0, SEEK_CUR);
    uint8_t *data = malloc(*len_out);
    ck_assert_int_eq(pread(out, data, *len_out, 0), (ssize_t)*len_out);
    close(out);
    return data;
}

static int read_states(const uint8_t *data, size_t len, struct cv_layout *l, struct cv_error *err)
{
    int fds[CV_DM_MAX];

    CV_AUTO_FD fd = memfd_create("states", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, data, len, 0), (ssize_t)len);
    if (cv_dm_states_read(fd, l, fds, err) < 0)
        return -1;
    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        ck_assert_int_eq(fds[i] >= 0, i < l->count);
        cv_fd_dispose(&fds[i]);
    }
    return 0;
}

START_TEST(states_come_back)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l, again;
    enum cv_dm_states_kind kind;
    char *one, *two;
    size_t len;
    uint8_t *data = make_states(&l, &len);

    ck_assert_msg(read_states(data, len, &again, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_layout_encode(&l, &one, &err), 0);
    ck_assert_int_eq(cv_layout_encode(&again, &two, &err), 0);
    ck_assert_str_eq(one, two);
    free(one);
    free(two);
    cv_layout_dispose(&again);
    int fd = memfd_create("look", MFD_CLOEXEC);
    ck_assert_int_lt(cv_dm_states_look(fd, &kind, &err), 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    ck_assert_int_eq(cv_dm_states_look(fd, &kind, &err), 0);
    ck_assert_int_eq(kind, CV_DM_STATES_OURS);
    ck_assert_int_eq(pwrite(fd, "QEVM", 4, 0), 4);
    ck_assert_int_eq(cv_dm_states_look(fd, &kind, &err), 0);
    ck_assert_int_eq(kind, CV_DM_STATES_STOCK);
    close(fd);
    free(data);
    cv_layout_dispose(&l);
}
END_TEST

/* Every prefix, and every byte changed: nothing damaged is handed out, and nothing is left open. */
START_TEST(damaged_states_are_refused)
{
    struct cv_layout l, again;
    size_t len;
    uint8_t *data = make_states(&l, &len);
    int before = dup(0);

    close(before);
    for (size_t i = 0; i < len; i++) {
        struct cv_error err = CV_ERROR_INIT;
        ck_assert_msg(read_states(data, i, &again, &err) < 0, "the first %zu bytes were taken", i);
        data[i] ^= 0x41;
        ck_assert_msg(read_states(data, len, &again, &err) < 0, "a change at %zu was taken", i);
        data[i] ^= 0x41;
    }
    int after = dup(0);
    ck_assert_int_eq(before, after);
    close(after);
    free(data);
    cv_layout_dispose(&l);
}
END_TEST

/* ---- the keeper ---- */

struct lives {
    int fd; /* a file: a byte for each worker that has begun */
    off_t deaths;
    int status;
};

static int die_some(void *user, bool again)
{
    struct lives *l = user;
    struct stat st;

    if (fstat(l->fd, &st) < 0 || again != (st.st_size > 0) || write(l->fd, "w", 1) != 1)
        return 99;
    if (st.st_size < l->deaths)
        raise(SIGKILL);
    return l->status;
}

/* A worker that is killed is followed by another one, but not for ever; its status is the keeper's. */
START_TEST(workers_follow_each_other)
{
    static const struct {
        off_t deaths;
        int status, want, workers;
    } lives[] = { { 0, 0, 0, 1 }, { 0, 1, 1, 1 }, { 2, 0, 0, 3 }, { 5, 1, 1, 6 }, { 100, 0, 1, 6 } };

    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        struct lives l = { memfd_create("lives", MFD_CLOEXEC), lives[i].deaths, lives[i].status };
        struct stat st;
        ck_assert_int_eq(cv_dm_keep(die_some, &l), lives[i].want);
        ck_assert_int_eq(fstat(l.fd, &st), 0);
        ck_assert_int_eq(st.st_size, lives[i].workers);
        close(l.fd);
    }
}
END_TEST

static int leave_a_child(void *user, bool again)
{
    const int *fds = user;
    char c;

    if (again)
        return CV_DM_NOTHING_THERE;
    if (fork() == 0) {
        (void)!read(fds[0], &c, 1); /* for ever: it holds the other end itself */
        _exit(0);
    }
    raise(SIGKILL);
    return 0;
}

/* Killed while it started emulators: what it had begun is killed, too. */
START_TEST(what_was_begun_is_killed)
{
    int fds[2];
    char c;

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(cv_dm_keep(leave_a_child, fds), CV_DM_NOTHING_THERE);
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &c, 1), 0); /* nobody has it any more */
    close(fds[0]);
}
END_TEST

static int stand_still(void *user, bool again)
{
    (void)user;
    if (!again)
        raise(SIGSTOP);
    return again ? 7 : 8;
}

/* A toolstack would wait for it without end. */
START_TEST(a_worker_that_stands_still_is_followed) { ck_assert_int_eq(cv_dm_keep(stand_still, NULL), 7); }
END_TEST

static int stand_a_moment(void *user, bool again)
{
    pid_t self = getpid();

    (void)user;
    if (again)
        return 7;
    if (fork() == 0) {
        usleep(300000);
        kill(self, SIGCONT);
        _exit(0);
    }
    raise(SIGSTOP);
    usleep((CV_DM_STANDS_MS + 500) * 1000);
    return 8;
}

START_TEST(a_moment_is_not_held_against_it) { ck_assert_int_eq(cv_dm_keep(stand_a_moment, NULL), 8); }
END_TEST

/* An emulator that does not answer the next one now may do so later. */
static int fail_twice(void *user, bool again)
{
    struct lives *l = user;
    struct stat st;

    if (fstat(l->fd, &st) < 0 || write(l->fd, "w", 1) != 1)
        return 99;
    if (!again)
        raise(SIGKILL);
    return st.st_size < 3 ? 1 : 0;
}

START_TEST(taking_over_is_tried_again)
{
    struct lives l = { memfd_create("lives", MFD_CLOEXEC), 0, 0 };
    struct stat st;

    ck_assert_int_eq(cv_dm_keep(fail_twice, &l), 0);
    ck_assert_int_eq(fstat(l.fd, &st), 0);
    ck_assert_int_eq(st.st_size, 4);
    close(l.fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dm");
    TCase *tc = tcase_create("dm");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, without_a_list_the_command_line_is_libxls);
    tcase_add_test(tc, what_libxl_says_is_read);
    tcase_add_test(tc, devices_move_to_their_owners);
    tcase_add_test(tc, the_layout_of_a_state_is_imposed);
    tcase_add_test(tc, what_cannot_be_done_is_said);
    tcase_add_test(tc, a_cd_drive_stays);
    tcase_add_test(tc, bad_command_lines);
    tcase_add_test(tc, the_file_of_a_guest);
    tcase_add_test(tc, states_come_back);
    tcase_add_test(tc, damaged_states_are_refused);
    tcase_add_test(tc, workers_follow_each_other);
    tcase_add_test(tc, what_was_begun_is_killed);
    tcase_add_test(tc, a_worker_that_stands_still_is_followed);
    tcase_add_test(tc, a_moment_is_not_held_against_it);
    tcase_add_test(tc, taking_over_is_tried_again);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
