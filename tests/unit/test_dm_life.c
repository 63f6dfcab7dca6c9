/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm's life over models of QEMU, with a toolstack's side of the conversation. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/fake_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "dm/supervisor.h"

#define ARGS_MAX 64

struct world {
    struct fake_host *host;
    struct cv_host_dirs dirs;
    char dir[64], state[96], socket[108], stat[108];
    uint32_t domid;
    unsigned fds;
    struct cv_cancel cancel;
    struct cv_dm dm;
    struct cv_dm_args args;
    char *argv[ARGS_MAX], text[8192];
    size_t text_at;
    int argc;
    pthread_t thread;
    bool serving;
    int rc;
    struct cv_error err; /* of cv_dm_serve */
    int client;
};

static void arg(struct world *w, const char *fmt, ...) CV_PRINTF(2, 3);
static void arg(struct world *w, const char *fmt, ...)
{
    va_list ap;

    w->argv[w->argc++] = w->text + w->text_at;
    va_start(ap, fmt);
    w->text_at += (size_t)vsnprintf(w->text + w->text_at, sizeof w->text - w->text_at, fmt, ap) + 1;
    va_end(ap);
    ck_assert_uint_lt(w->text_at, sizeof w->text);
    ck_assert_int_lt(w->argc, ARGS_MAX);
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->fds = emu_open_fds();
    strcpy(w->dir, "/tmp/convoy-dm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->dir));
    w->dirs = (struct cv_host_dirs){ w->dir, w->dir, w->dir, true, NULL };
    w->host = fake_host_new();
    w->host->base.dirs = &w->dirs;
    w->host->watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->domid = fake_host_add_guest(w->host, "g");
    snprintf(w->state, sizeof w->state, "%s/state", w->dir);
    snprintf(w->socket, sizeof w->socket, "%s/qmp-libxl-%u", w->dir, w->domid);
    snprintf(w->stat, sizeof w->stat, "%s/qmp-libxenstat-%u", w->dir, w->domid);
    w->client = -1;
    ck_assert_int_eq(cv_cancel_init(&w->cancel, NULL), 0);
}

static void end(struct world *w)
{
    char cmd[128];

    ck_assert(!w->serving);
    cv_fd_dispose(&w->client);
    close(w->host->watch_fd);
    fake_host_free(w->host);
    cv_cancel_dispose(&w->cancel);
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
    ck_assert_int_eq(system(cmd), 0);
    ck_assert_uint_eq(emu_open_fds(), w->fds);
    ck_assert_uint_eq(emu_children(), 0);
}

/* libxl's command line for a guest with a card; faults[i]: options of emulator i. */
static void command_line(struct world *w, const char *const faults[3], int incoming)
{
    const char *program = getenv("FAKE_QEMU");

    ck_assert_ptr_nonnull(program);
    w->argc = 0;
    w->text_at = 0;
    arg(w, "convoy-dm");
    arg(w, "-xen-domid");
    arg(w, "%u", w->domid);
    arg(w, "-chardev");
    arg(w, "socket,id=libxl-cmd,path=%s,server=on,wait=off", w->socket);
    arg(w, "-mon");
    arg(w, "chardev=libxl-cmd,mode=control");
    arg(w, "-chardev");
    arg(w, "socket,id=libxenstat-cmd,path=%s,server=on,wait=off", w->stat);
    arg(w, "-mon");
    arg(w, "chardev=libxenstat-cmd,mode=control");
    arg(w, "-name");
    arg(w, "g");
    arg(w, "-device");
    arg(w, "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:05");
    arg(w, "-netdev");
    arg(w, "type=tap,id=net0,ifname=vif%u.0-emu,br=xenbr0,script=no,downscript=no", w->domid);
    arg(w, "-machine");
    arg(w, "xenfv");
    arg(w, "-convoy");
    arg(w, "name=main,default=1,model=%s,args=[--x y]", program);
    arg(w, "-convoy");
    arg(w, "name=net,vifs=0,model=%s,args=[--tag net %s]", program, faults != NULL && faults[1] ? faults[1] : "");
    arg(w, "-convoy");
    arg(w, "name=edu,device=edu,model=%s,args=[--tag edu %s]", program, faults != NULL && faults[2] ? faults[2] : "");
    arg(w, "--tag");
    arg(w, "main");
    for (const char *p = faults != NULL && faults[0] ? faults[0] : ""; *p != '\0'; p += strspn(p, " ")) {
        int n = (int)strcspn(p, " ");
        arg(w, "%.*s", n, p);
        p += n;
    }
    arg(w, "-m");
    arg(w, "64");
    if (incoming >= 0) {
        arg(w, "-incoming");
        arg(w, "fd:%d", incoming);
    }
    w->argv[w->argc] = NULL;
}

static int try(struct world *w, const char *const faults[3], int incoming, struct cv_error *err)
{
    command_line(w, faults, incoming);
    ck_assert_msg(cv_dm_args_parse(&w->args, w->argc, w->argv, err) == 0, "%s", emu_text(err));
    cv_dm_init(&w->dm, &w->host->base, NULL, &w->cancel);
    int rc = cv_dm_start(&w->dm, &w->args, err);
    if (rc < 0) {
        cv_dm_dispose(&w->dm);
        cv_dm_args_dispose(&w->args);
    }
    return rc;
}

static void *serve(void *arg_)
{
    struct world *w = arg_;

    w->rc = cv_dm_serve(&w->dm, &w->err);
    return NULL;
}

static void go(struct world *w)
{
    w->serving = true;
    ck_assert_int_eq(pthread_create(&w->thread, NULL, serve, w), 0);
}

static void start(struct world *w, const char *const faults[3], int incoming)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(try(w, faults, incoming, &err) == 0, "%s", emu_text(&err));
    go(w);
}

/* The supervisor has ended, and nothing of its emulators is left. */
static void ended(struct world *w)
{
    char path[128];

    pthread_join(w->thread, NULL);
    w->serving = false;
    ck_assert_msg(w->rc == 0, "%s", w->err.text);
    cv_dm_dispose(&w->dm);
    cv_dm_args_dispose(&w->args);
    cv_fd_dispose(&w->client);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s-%u", w->socket, i);
        ck_assert_int_lt(access(path, F_OK), 0);
    }
    ck_assert_int_lt(access(w->socket, F_OK), 0);
    ck_assert_int_lt(access(w->stat, F_OK), 0);
    ck_assert_uint_eq(emu_children(), 0);
}

static void told_to_end(struct world *w)
{
    cv_cancel_request(&w->cancel);
    ended(w);
    cv_cancel_dispose(&w->cancel);
    ck_assert_int_eq(cv_cancel_init(&w->cancel, NULL), 0);
}

/* --- a toolstack ---------------------------------------------------------------------------------------------------
 */

static json_t *read_line(int fd)
{
    static char line[70000];
    size_t n = 0;

    do {
        ck_assert_uint_lt(n, sizeof line - 1);
        ck_assert_int_eq(read(fd, line + n, 1), 1);
    } while (line[n++] != '\n');
    json_t *o = json_loadb(line, n, 0, NULL);
    ck_assert_msg(json_is_object(o), "%.*s", (int)n, line);
    return o;
}

static int dial(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), major = 0;

    strcpy(sa.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    json_t *o = read_line(fd);
    ck_assert_int_eq(json_unpack(o, "{s:{s:{s:{s:i}}}}", "QMP", "version", "qemu", "major", &major), 0);
    ck_assert_int_eq(major, 7);
    json_decref(o);
    return fd;
}

static json_t *ask_with(struct world *w, int fd, const char *text)
{
    struct iovec iov = { (char *)text, strlen(text) };
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (w->client < 0)
        w->client = dial(w->socket);
    if (fd >= 0) {
        msg.msg_control = control;
        msg.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ck_assert_int_eq(sendmsg(w->client, &msg, 0), (ssize_t)iov.iov_len);
    ck_assert_int_eq(write(w->client, "\r\n", 2), 2);
    return read_line(w->client);
}

/* What is under "return", a new reference. */
static json_t *ask(struct world *w, const char *text)
{
    json_t *o = ask_with(w, -1, text), *value = json_incref(json_object_get(o, "return"));
    CV_AUTO_FREE char *shown = json_dumps(o, 0);

    ck_assert_msg(value != NULL, "%s: %s", text, shown);
    json_decref(o);
    return value;
}

static void tell(struct world *w, const char *text) { json_decref(ask(w, text)); }

static void refused(struct world *w, const char *text, const char *why)
{
    json_t *o = ask_with(w, -1, text);
    const char *desc = "", *class = "";

    json_unpack(o, "{s:{s:s, s:s}}", "error", "class", &class, "desc", &desc);
    ck_assert_msg(strstr(desc, why) != NULL, "%s: '%s', not '%s'", text, desc, why);
    ck_assert_str_eq(class, "GenericError");
    json_decref(o);
}

static void status_is(struct world *w, const char *want)
{
    json_t *o = ask(w, "{\"execute\": \"query-status\"}");

    ck_assert_str_eq(json_string_value(json_object_get(o, "status")), want);
    json_decref(o);
}

static void save(struct world *w)
{
    char text[200];

    snprintf(text, sizeof text,
             "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\", \"live\": true}}",
             w->state);
    tell(w, text);
}

static const char *node(struct world *w, const char *leaf)
{
    char path[128];

    snprintf(path, sizeof path, CV_DM_NODES "/%s", w->domid, leaf);
    return json_string_value(json_object_get(w->host->store, path));
}

/* --- tests ---------------------------------------------------------------------------------------------------------
 */

/* As xl create, xl save, xl restore speak to it. */
START_TEST(a_guests_life)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    begin(&w);
    start(&w, NULL, -1);
    ck_assert_str_eq(node(&w, "schema"), "1");
    ck_assert_str_eq(node(&w, "1/name"), "net");
    ck_assert_str_eq(node(&w, "2/state"), "running");
    json_t *o = ask_with(&w, -1, "{\"execute\": \"qmp_capabilities\", \"id\": 42}");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "id")), 42);
    json_decref(o);
    status_is(&w, "running");
    o = ask(&w, "{\"execute\": \"query-chardev\"}");
    ck_assert_uint_eq(json_array_size(o), 3);
    json_decref(o);
    tell(&w, "{\"execute\": \"query-vnc\"}");
    tell(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": true}}");
    tell(&w, "{\"execute\": \"stop\"}");
    status_is(&w, "paused");
    save(&w);
    tell(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": false}}");
    tell(&w, "{\"execute\": \"cont\"}");
    status_is(&w, "running"); /* a checkpoint */
    int other = dial(w.stat); /* xentop's */
    close(other);
    told_to_end(&w);
    ck_assert_ptr_null(node(&w, "")); /* the model removes the node itself only */

    int fd = open(w.state, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 3);
    start(&w, NULL, fd);
    close(fd);
    status_is(&w, "running");
    tell(&w, "{\"execute\": \"stop\"}");
    save(&w);
    tell(&w, "{\"execute\": \"quit\"}");
    ended(&w);
    (void)err;
    end(&w);
}
END_TEST

START_TEST(states_go_to_a_given_descriptor)
{
    struct world w;
    char text[160];
    struct stat st;
    long long id;

    begin(&w);
    start(&w, NULL, -1);
    tell(&w, "{\"execute\": \"stop\"}");
    int fd = open(w.state, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    json_t *o = ask_with(&w, fd, "{\"execute\": \"add-fd\"}");
    close(fd);
    ck_assert_int_eq(json_unpack(o, "{s:{s:I}}", "return", "fdset-id", &id), 0);
    json_decref(o);
    refused(&w, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/dev/fdset/77\"}}",
            "no descriptor was given");
    snprintf(text, sizeof text,
             "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/dev/fdset/%lld\"}}", id);
    tell(&w, text);
    snprintf(text, sizeof text, "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": %lld}}", id);
    tell(&w, text);
    ck_assert_uint_eq(w.dm.desk.fdset_count, 0);
    ck_assert_int_eq(stat(w.state, &st), 0);
    ck_assert_int_gt(st.st_size, 1000);
    told_to_end(&w);
    end(&w);
}
END_TEST

START_TEST(commands_go_where_they_belong)
{
    struct world w;

    begin(&w);
    start(&w, NULL, -1);
    refused(&w, "{\"execute\": \"nonsense\"}", "The command has not been found");
    refused(&w, "[1]", "must be a JSON object");
    refused(&w, "{\"execute\": 7}", "lacks member 'execute'");
    refused(&w, "{\"execute\": \"stop\", \"arguments\": 1}", "must be an object");
    refused(&w, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"fd:1\"}}", "does not pass this on");
    refused(&w, "{\"execute\": \"xen-save-devices-state\"}", "'filename' is missing");
    refused(&w, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"/nowhere/x\"}}",
            "No such file");
    refused(&w, "{\"execute\": \"xen-set-global-dirty-log\"}", "'enable' is missing");
    /* while it runs a state cannot be saved: the emulators refuse, and the file is not left behind */
    char text[200];
    struct stat st;
    snprintf(text, sizeof text, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\"}}",
             w.state);
    refused(&w, text, "saved while running");
    ck_assert_int_lt(stat(w.state, &st), 0);
    status_is(&w, "running");
    told_to_end(&w);
    end(&w);
}
END_TEST

/* One that fails is named; the dirty log is not left on in the others. */
START_TEST(one_refuses)
{
    const char *const faults[3] = { NULL, "--fail xen-set-global-dirty-log --unmigratable nvme", "--fail stop" };
    struct world w;

    begin(&w);
    start(&w, faults, -1);
    refused(&w, "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": true}}", "emulator 1 'net'");
    refused(&w, "{\"execute\": \"stop\"}", "emulator 2 'edu'");
    char text[200];
    snprintf(text, sizeof text, "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\"}}",
             w.state);
    refused(&w, text, "cannot be saved: State blocked by non-migratable device 'nvme'");
    tell(&w, "{\"execute\": \"cont\"}");
    status_is(&w, "running");
    told_to_end(&w);
    end(&w);
}
END_TEST

START_TEST(one_dies)
{
    struct world w;

    for (unsigned i = 0; i < 3; i++) {
        begin(&w);
        start(&w, NULL, -1);
        status_is(&w, "running");
        kill(w.dm.set.emus[i].pid, SIGKILL);
        /* its own turn of the loop, or this question's answer: whichever sees it first */
        refused(&w, "{\"execute\": \"query-status\"}", "emulator");
        told_to_end(&w);
        struct fake_domain *d = w.host->dom[w.domid];
        ck_assert_msg(d->paused && !d->ended, "emulator %u died, and its guest is not held", i);
        end(&w);
    }
}
END_TEST

START_TEST(a_policy_for_death)
{
    static const struct {
        const char *word;
        int reason;
    } policies[] = { { "destroy", CV_SHUTDOWN_POWEROFF }, { "restart", CV_SHUTDOWN_REBOOT } };
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    char item[64];

    for (size_t k = 0; k < 2; k++) {
        begin(&w);
        command_line(&w, NULL, -1);
        snprintf(item, sizeof item, "emulator_died=%s", policies[k].word);
        arg(&w, "-convoy");
        arg(&w, "%s", item);
        ck_assert_int_eq(cv_dm_args_parse(&w.args, w.argc, w.argv, &err), 0);
        cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
        ck_assert_msg(cv_dm_start(&w.dm, &w.args, &err) == 0, "%s", emu_text(&err));
        go(&w);
        kill(w.dm.set.emus[1].pid, SIGKILL);
        refused(&w, "{\"execute\": \"stop\"}", "emulator 1 'net'");
        told_to_end(&w);
        ck_assert(w.host->dom[w.domid]->ended);
        ck_assert_int_eq(w.host->dom[w.domid]->end_reason, policies[k].reason);
        end(&w);
    }
}
END_TEST

START_TEST(the_domain_is_gone)
{
    uint64_t one = 1;
    struct world w;

    begin(&w);
    start(&w, NULL, -1);
    status_is(&w, "running");
    w.host->dom[w.domid]->exists = false;
    ck_assert_int_eq(write(w.host->watch_fd, &one, sizeof one), sizeof one);
    ended(&w);
    end(&w);
}
END_TEST

/* The supervisor's memory is gone; another one takes the emulators over, and the guest can be saved. */
START_TEST(another_supervisor_takes_over)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    begin(&w);
    ck_assert_int_eq(try(&w, NULL, -1, &err), 0);
    struct cv_dm second;
    cv_dm_init(&second, &w.host->base, NULL, &w.cancel);
    ck_assert_int_lt(cv_dm_adopt(&second, w.domid, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    cv_dm_dispose(&second);
    cv_dm_dispose(&w.dm); /* as if killed: sockets, lock and nodes stay */
    err = (struct cv_error)CV_ERROR_INIT;
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    ck_assert_msg(cv_dm_adopt(&w.dm, w.domid, &err) == 0, "%s", emu_text(&err));
    go(&w);
    status_is(&w, "running");
    tell(&w, "{\"execute\": \"stop\"}");
    save(&w);
    cv_cancel_request(&w.cancel);
    pthread_join(w.thread, NULL);
    w.serving = false;
    ck_assert_msg(w.rc == 0, "%s", w.err.text);
    cv_dm_dispose(&w.dm);
    cv_dm_args_dispose(&w.args);
    while (waitpid(-1, NULL, 0) > 0) /* ours, and not the second supervisor's */
        ;
    end(&w);
}
END_TEST

START_TEST(nobody_to_take_over)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    begin(&w);
    cv_dm_init(&w.dm, &w.host->base, NULL, &w.cancel);
    ck_assert_int_lt(cv_dm_adopt(&w.dm, w.domid, &err), 0);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    cv_dm_dispose(&w.dm);
    end(&w);
}
END_TEST

/* Each way in which a start fails: an error that names the emulator, and nothing is left. */
START_TEST(starts_that_fail)
{
    static const struct {
        const char *faults[3], *text;
    } bad[] = {
        { { "--die-at start" }, "emulator 0 'main'" },
        { { NULL, "--die-at start" }, "emulator 1 'net'" },
        { { NULL, NULL, "--die-at cont" }, "emulator 2 'edu'" },
        { { "--fail cont" }, "emulator 0 'main'" },
        { { NULL, "--garbage-at greeting" }, "emulator 1 'net'" },
        { { NULL, "--block 0000:00:10.0/e1000.rom@0x4100000:0x40000" }, "emulator 1 'net': has memory of its own" },
        { { "--pci 16" }, "both have a device at 00:10.0" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct world w;
        begin(&w);
        ck_assert_msg(try(&w, bad[i].faults, -1, &err) < 0, "%zu started", i);
        ck_assert_msg(strstr(err.text, bad[i].text) != NULL, "%zu: %s", i, emu_text(&err));
        ck_assert_int_lt(access(w.socket, F_OK), 0);
        end(&w);
    }
}
END_TEST

START_TEST(nobody_serves_a_disk_twice)
{
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    begin(&w);
    ck_assert_int_eq(w.host->base.ops->xs_write(&w.host->base, "/local/domain/0/backend/qdisk/1/5632/state", "1", &err),
                     0);
    ck_assert_uint_eq(w.domid, 1);
    ck_assert_int_lt(try(&w, NULL, -1, &err), 0);
    ck_assert_msg(strstr(err.text, "1 of the guest's disks have QEMU as their PV back end") != NULL, "%s", err.text);
    end(&w);
}
END_TEST

START_TEST(states_that_do_not_load)
{
    const char *const faults[3] = { NULL, NULL, "--die-at load" };
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    begin(&w);
    start(&w, faults, -1);
    tell(&w, "{\"execute\": \"stop\"}");
    save(&w);
    told_to_end(&w);
    int fd = open(w.state, O_RDWR | O_CLOEXEC);
    ck_assert_int_lt(try(&w, NULL, fd, &err), 0); /* the layout's command lines count: it dies again */
    ck_assert_msg(strstr(err.text, "emulator 2 'edu'") != NULL, "%s", emu_text(&err));
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_eq(pwrite(fd, "x", 1, 5000), 1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_lt(try(&w, NULL, fd, &err), 0);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    close(fd);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dm-life");
    TCase *tc = tcase_create("life");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_guests_life);
    tcase_add_test(tc, states_go_to_a_given_descriptor);
    tcase_add_test(tc, commands_go_where_they_belong);
    tcase_add_test(tc, one_refuses);
    tcase_add_test(tc, one_dies);
    tcase_add_test(tc, a_policy_for_death);
    tcase_add_test(tc, the_domain_is_gone);
    tcase_add_test(tc, another_supervisor_takes_over);
    tcase_add_test(tc, nobody_to_take_over);
    tcase_add_test(tc, starts_that_fail);
    tcase_add_test(tc, nobody_serves_a_disk_twice);
    tcase_add_test(tc, states_that_do_not_load);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
