/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "emu_fixture.h"

void dm_world_arg(struct dm_world *w, const char *fmt, ...)
{
    va_list ap;

    w->argv[w->argc++] = w->text + w->text_at;
    va_start(ap, fmt);
    w->text_at += (size_t)vsnprintf(w->text + w->text_at, sizeof w->text - w->text_at, fmt, ap) + 1;
    va_end(ap);
    ck_assert_uint_lt(w->text_at, sizeof w->text);
    ck_assert_int_lt(w->argc, DM_WORLD_ARGS_MAX);
}

void dm_world_begin(struct dm_world *w)
{
    memset(w, 0, sizeof *w);
    w->fds = emu_open_fds();
    strcpy(w->dir, "/tmp/convoy-dm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->dir));
    emu_write_rules(w->rules, sizeof w->rules, w->dir);
    w->dirs = (struct cv_host_dirs){ w->dir, w->dir, w->dir, w->rules };
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

void dm_world_end(struct dm_world *w)
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
void dm_world_command_line(struct dm_world *w, const char *const faults[3], int incoming)
{
    const char *program = getenv("FAKE_QEMU");

    ck_assert_ptr_nonnull(program);
    w->argc = 0;
    w->text_at = 0;
    dm_world_arg(w, "convoy-dm");
    dm_world_arg(w, "-xen-domid");
    dm_world_arg(w, "%u", w->domid);
    dm_world_arg(w, "-chardev");
    dm_world_arg(w, "socket,id=libxl-cmd,path=%s,server=on,wait=off", w->socket);
    dm_world_arg(w, "-mon");
    dm_world_arg(w, "chardev=libxl-cmd,mode=control");
    dm_world_arg(w, "-chardev");
    dm_world_arg(w, "socket,id=libxenstat-cmd,path=%s,server=on,wait=off", w->stat);
    dm_world_arg(w, "-mon");
    dm_world_arg(w, "chardev=libxenstat-cmd,mode=control");
    dm_world_arg(w, "-name");
    dm_world_arg(w, "g");
    dm_world_arg(w, "-device");
    dm_world_arg(w, "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:05");
    dm_world_arg(w, "-netdev");
    dm_world_arg(w, "type=tap,id=net0,ifname=vif%u.0-emu,br=xenbr0,script=no,downscript=no", w->domid);
    dm_world_arg(w, "-machine");
    dm_world_arg(w, "xenfv");
    dm_world_arg(w, "-convoy");
    dm_world_arg(w, "name=main,default=1,model=%s,args=[--x y]", program);
    dm_world_arg(w, "-convoy");
    dm_world_arg(w, "name=net,vifs=0,model=%s,args=[--tag net %s]", program,
                 faults != NULL && faults[1] ? faults[1] : "");
    dm_world_arg(w, "-convoy");
    dm_world_arg(w, "name=edu,device=edu,model=%s,args=[--tag edu %s]", program,
                 faults != NULL && faults[2] ? faults[2] : "");
    dm_world_arg(w, "--tag");
    dm_world_arg(w, "main");
    for (const char *p = faults != NULL && faults[0] ? faults[0] : ""; *p != '\0'; p += strspn(p, " ")) {
        int n = (int)strcspn(p, " ");
        dm_world_arg(w, "%.*s", n, p);
        p += n;
    }
    dm_world_arg(w, "-m");
    dm_world_arg(w, "64");
    if (incoming >= 0) {
        dm_world_arg(w, "-incoming");
        dm_world_arg(w, "fd:%d", incoming);
    }
    w->argv[w->argc] = NULL;
}

int dm_world_try(struct dm_world *w, const char *const faults[3], int incoming, struct cv_error *err)
{
    dm_world_command_line(w, faults, incoming);
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
    struct dm_world *w = arg_;

    w->rc = cv_dm_serve(&w->dm, &w->err);
    return NULL;
}

void dm_world_go(struct dm_world *w)
{
    w->serving = true;
    ck_assert_int_eq(pthread_create(&w->thread, NULL, serve, w), 0);
}

void dm_world_start(struct dm_world *w, const char *const faults[3], int incoming)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(dm_world_try(w, faults, incoming, &err) == 0, "%s", emu_text(&err));
    dm_world_go(w);
}

/* The supervisor has ended, and nothing of its emulators is left. */
void dm_world_ended(struct dm_world *w)
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

void dm_world_told_to_end(struct dm_world *w)
{
    cv_cancel_request(&w->cancel);
    dm_world_ended(w);
    cv_cancel_dispose(&w->cancel);
    ck_assert_int_eq(cv_cancel_init(&w->cancel, NULL), 0);
}

/* ---- a toolstack ---- */

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

int dm_world_dial(const char *path)
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

json_t *dm_world_ask_with(struct dm_world *w, int fd, const char *text)
{
    struct iovec iov = { (char *)text, strlen(text) };
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (w->client < 0)
        w->client = dm_world_dial(w->socket);
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
json_t *dm_world_ask(struct dm_world *w, const char *text)
{
    json_t *o = dm_world_ask_with(w, -1, text), *value = json_incref(json_object_get(o, "return"));
    CV_AUTO_FREE char *shown = json_dumps(o, 0);

    ck_assert_msg(value != NULL, "%s: %s", text, shown);
    json_decref(o);
    return value;
}

void dm_world_tell(struct dm_world *w, const char *text) { json_decref(dm_world_ask(w, text)); }

void dm_world_refused(struct dm_world *w, const char *text, const char *why)
{
    json_t *o = dm_world_ask_with(w, -1, text);
    const char *desc = "", *class = "";

    json_unpack(o, "{s:{s:s, s:s}}", "error", "class", &class, "desc", &desc);
    ck_assert_msg(strstr(desc, why) != NULL, "%s: '%s', not '%s'", text, desc, why);
    ck_assert_str_eq(class, "GenericError");
    json_decref(o);
}

void dm_world_status_is(struct dm_world *w, const char *want)
{
    json_t *o = dm_world_ask(w, "{\"execute\": \"query-status\"}");

    ck_assert_str_eq(json_string_value(json_object_get(o, "status")), want);
    json_decref(o);
}

void dm_world_save(struct dm_world *w)
{
    char text[200];

    snprintf(text, sizeof text,
             "{\"execute\": \"xen-save-devices-state\", \"arguments\": {\"filename\": \"%s\", \"live\": true}}",
             w->state);
    dm_world_tell(w, text);
}

const char *dm_world_node(struct dm_world *w, const char *leaf)
{
    char path[128];

    snprintf(path, sizeof path, CV_DM_NODES "/%s", w->domid, leaf);
    return json_string_value(json_object_get(w->host->store, path));
}
