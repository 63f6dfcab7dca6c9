/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on two emulators that say anything, over sockets: connect, survey, status, stop, ..., in any order, each
 * with the connection as the one before left it.  A thread plays both emulators. Input: how many operations (1 to 8;
 * bit 7: they are connected already), their numbers, the size of the pieces in which is sent (0: whole lines), then
 * lines: each is the answer to an emulator's next command (its id is put in, if there is none); "!w..." writes a whole
 * device state to the descriptor that it was given last, "!r..." what follows.  Both say the same, each in its own
 * time; when nobody is asked, the next lines come by themselves. */
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/qmp.h"
#include "emulators/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libxlutil forgets some memory of files that it refuses; that is not ours to mend. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void) { return "leak:libxlutil"; }

#define EMUS 2
#define OPS_MAX 8
#define SCRIPT_MAX 60000u
#define OP_MS 60
#define IDLE_MS 10

/* ---- the emulators' side ---------------------------------------------------------------------------------------- */

struct peer {
    int fd[EMUS];
    int state_fd[EMUS]; /* came last; -1 = none */
    struct cv_buf in[EMUS];
    const uint8_t *script[EMUS]; /* what is left of it */
    size_t left[EMUS], piece;
};

static bool put(int fd, const char *text, size_t len, size_t piece)
{
    while (len > 0) {
        size_t n = piece > 0 && piece < len ? piece : len;
        ssize_t done = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done <= 0)
            return false;
        text += done, len -= (size_t)done;
    }
    return true;
}

static void write_state(int fd, const char *text, size_t len)
{
    static const char magic[8] = { 'Q', 'E', 'V', 'M', 0, 0, 0, 3 };
    bool whole = len > 0 && text[0] == 'w';

    if (fd < 0 || len == 0)
        return;
    if (whole)
        (void)!write(fd, magic, sizeof magic);
    (void)!write(fd, text + 1, len - 1);
    if (whole)
        (void)!write(fd, "", 1);
}

static bool answer(struct peer *p, unsigned i, const char *line, size_t len, json_int_t id)
{
    json_t *o = json_loadb(line, len, 0, NULL);
    bool named = json_object_get(o, "return") != NULL || json_object_get(o, "error") != NULL;
    char *text = NULL;

    if (named && json_object_get(o, "id") == NULL && json_object_set_new(o, "id", json_integer(id)) == 0)
        text = json_dumps(o, JSON_COMPACT);
    bool ok = text != NULL ? put(p->fd[i], text, strlen(text), p->piece) : put(p->fd[i], line, len, p->piece);
    free(text);
    json_decref(o);
    return ok && put(p->fd[i], "\n", 1, p->piece);
}

/* The script's next lines, up to one that is said; false when there is none, or nobody listens. */
static bool say_next(struct peer *p, unsigned i, json_int_t id)
{
    while (p->left[i] > 0) {
        const char *line = (const char *)p->script[i], *end = memchr(line, '\n', p->left[i]);
        size_t len = end == NULL ? p->left[i] : (size_t)(end - line);
        size_t step = len < p->left[i] ? len + 1 : len;
        p->script[i] += step, p->left[i] -= step;
        if (len == 0 || line[0] != '!')
            return answer(p, i, line, len, id);
        write_state(p->state_fd[i], line + 1, len - 1);
    }
    return false;
}

static bool take_bytes(struct peer *p, unsigned i)
{
    struct cv_error err;
    char bytes[4096];
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { bytes, sizeof bytes };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t n = recvmsg(p->fd[i], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n <= 0)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_type == SCM_RIGHTS) {
            cv_fd_dispose(&p->state_fd[i]);
            memcpy(&p->state_fd[i], CMSG_DATA(c), sizeof p->state_fd[i]);
        }
    return cv_buf_append(&p->in[i], bytes, (size_t)n, &err) == 0;
}

/* Every whole command is answered. */
static bool serve(struct peer *p, unsigned i)
{
    uint8_t *end;

    if (!take_bytes(p, i))
        return false;
    while ((end = memchr(p->in[i].data, '\n', p->in[i].len)) != NULL) {
        size_t len = (size_t)(end - p->in[i].data);
        json_t *o = json_loadb((char *)p->in[i].data, len, 0, NULL);
        json_int_t id = json_integer_value(json_object_get(o, "id"));
        if (o == NULL || json_object_get(o, "execute") == NULL)
            abort(); /* what convoy says is always a command */
        json_decref(o);
        memmove(p->in[i].data, end + 1, p->in[i].len - len - 1);
        p->in[i].len -= len + 1;
        if (!say_next(p, i, id))
            return false;
    }
    return true;
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    bool more = true;

    while (more) {
        struct pollfd f[EMUS] = { { p->fd[0], POLLIN, 0 }, { p->fd[1], POLLIN, 0 } };
        int n = poll(f, EMUS, IDLE_MS);
        for (unsigned i = 0; i < EMUS && more; i++) {
            if (n == 0)
                more = say_next(p, i, 0);
            else if (f[i].revents != 0)
                more = serve(p, i);
        }
    }
    for (unsigned i = 0; i < EMUS; i++)
        shutdown(p->fd[i], SHUT_RDWR);
    return NULL;
}

/* ---- convoy's side ---------------------------------------------------------------------------------------------- */

static const char config[] = "type='hvm'\nname='g'\nmemory=64\nvnc=0\nserial='null'\n"
                             "device_models=['name=main,model=/q,default=1','name=net,model=/q,device=edu']\n";

static void make_layout(struct cv_layout *l)
{
    static const struct cv_layout_host host = { .default_model = "/q" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;

    if (cv_guest_config_parse(config, strlen(config), "fuzz.cfg", &c, &err) < 0 ||
        cv_layout_decide(&c, &host, l, &err) < 0 || l->count != EMUS)
        abort();
    cv_guest_config_dispose(&c);
}

struct convoy {
    struct cv_layout layout;
    struct cv_emuset set;
    int states[CV_DM_MAX];
};

static int perform(struct convoy *c, unsigned op, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(OP_MS) };
    uint64_t sizes[CV_DM_MAX];
    cv_emu_status status[CV_DM_MAX];
    cv_emu_tty ttys[4];
    unsigned port;

    switch (op) {
    case 0: return cv_emuset_survey(&c->set, &c->layout, &w, err);
    case 1: return cv_emuset_status(&c->set, &w, status, NULL, err);
    case 2: return cv_emuset_stop(&c->set, &w, NULL, err);
    case 3: return cv_emuset_cont(&c->set, &w, NULL, err);
    case 4: return cv_emuset_dirty_log(&c->set, true, &w, NULL, err);
    case 5: return cv_emuset_dirty_log(&c->set, false, &w, NULL, err);
    case 6: return cv_emuset_check_migratable(&c->set, &w, NULL, err);
    case 7: return cv_emuset_prepare_save(&c->set, c->states, &w, err);
    case 8: return cv_emuset_unprepare_save(&c->set, &w, err);
    case 9: return cv_emuset_save_state(&c->set, c->states, true, sizes, &w, NULL, err);
    case 10: return cv_emuset_prepare_load(&c->set, true, c->states, &w, err);
    case 11: return cv_emuset_load_state(&c->set, c->states, &w, NULL, err);
    case 12: return cv_emuset_serial_ttys(&c->set, &w, ttys, err);
    case 13: return cv_emuset_vnc_port(&c->set, &w, &port, err);
    case 14: return cv_emuset_vnc_password(&c->set, "p", &w, err);
    default: return cv_emuset_announce(&c->set, &w, err);
    }
}

static void begin(struct convoy *c, struct peer *p)
{
    struct cv_error err = CV_ERROR_INIT;

    memset(c, 0, sizeof *c);
    make_layout(&c->layout);
    if (cv_emuset_init(&c->set, &c->layout, 7, NULL, &err) < 0)
        abort();
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        c->states[i] = i < EMUS ? memfd_create("state", MFD_CLOEXEC) : -1;
    for (unsigned i = 0; i < EMUS; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
            abort();
        cv_qmp_init(c->set.emus[i].qmp, fds[0]);
        p->fd[i] = fds[1];
    }
}

static void end(struct convoy *c, struct peer *p)
{
    cv_emuset_dispose(&c->set);
    cv_layout_dispose(&c->layout);
    for (unsigned i = 0; i < EMUS; i++) {
        cv_fd_dispose(&c->states[i]);
        cv_fd_dispose(&p->fd[i]);
        cv_fd_dispose(&p->state_fd[i]);
        cv_buf_dispose(&p->in[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer p = { .state_fd = { -1, -1 } };
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(OP_MS) };
    struct cv_error err = CV_ERROR_INIT;
    struct convoy c;
    pthread_t thread;

    size_t ops = size == 0 ? 0 : 1 + data[0] % OPS_MAX;
    if (size < ops + 2 || size > SCRIPT_MAX)
        return 0;
    p.piece = data[ops + 1];
    for (unsigned i = 0; i < EMUS; i++) {
        p.script[i] = data + ops + 2;
        p.left[i] = size - ops - 2;
    }
    begin(&c, &p);
    for (unsigned i = 0; i < EMUS && data[0] & 128; i++)
        c.set.emus[i].qmp->state = CV_QMP_READY;
    if (pthread_create(&thread, NULL, peer_main, &p) != 0)
        abort();
    int rc = data[0] & 128 ? 0 : cv_emuset_connect(&c.set, &w, NULL, &err);
    /* Also after a failure, as undo does; but nobody goes on with those that never greeted. */
    for (size_t i = 0; i < ops && cv_emuset_unconnected(&c.set) == 0; i++) {
        if (rc < 0 && (err.code == CV_OK || err.text[0] == '\0'))
            abort();
        err = (struct cv_error)CV_ERROR_INIT;
        rc = perform(&c, data[1 + i] % 16, &err);
    }
    cv_emuset_disconnect(&c.set);
    pthread_join(thread, NULL);
    end(&c, &p);
    return 0;
}
