/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

#define PIPE_BYTES (1 << 20)
#define END_MS 3000

/* A line that is cut shows within half a minute; compression is convoy's own business. */
#define SSH "exec ssh -o ServerAliveInterval=5 -o ServerAliveCountMax=5 -o Compression=no "

static void run_command(const char *command, int in, int out)
{
    /* An interrupt at the terminal is for us: we end the conversation in order. */
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (!cv_fd_standard(in, out, -1))
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int cv_peer_start(struct cv_peer *p, const char *command, struct cv_error *err)
{
    int to[2] = { -1, -1 }, from[2] = { -1, -1 };

    *p = (struct cv_peer)CV_PEER_INIT;
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
        cv_fail(err, CV_E_IO, errno, "pipe");
        cv_fd_dispose(&to[0]);
        cv_fd_dispose(&to[1]);
        return -1;
    }
    /* More than the usual 64 KiB, where we may: fewer turns of both processes. */
    fcntl(to[1], F_SETPIPE_SZ, PIPE_BYTES);
    p->pid = fork();
    if (p->pid == 0)
        run_command(command, to[0], from[1]);
    int why = errno;
    close(to[0]);
    close(from[1]);
    p->in = from[0];
    p->out = to[1];
    if (p->pid > 0)
        return 0;
    p->pid = 0;
    cv_peer_hang_up(p);
    return cv_fail(err, CV_E_NOMEM, why, "start '%s'", command);
}

void cv_peer_hang_up(struct cv_peer *p)
{
    if (p->out != p->in)
        cv_fd_dispose(&p->out);
    cv_fd_dispose(&p->in);
    p->out = -1;
}

static bool reap(struct cv_peer *p, int64_t until_ms)
{
    for (;;) {
        pid_t n = waitpid(p->pid, NULL, WNOHANG);
        if (n == p->pid || (n < 0 && errno != EINTR))
            return true;
        if (cv_now_ms() >= until_ms)
            return false;
        usleep(5000);
    }
}

void cv_peer_end(struct cv_peer *p, int64_t wait_ms)
{
    cv_peer_hang_up(p);
    if (p->pid > 0 && !reap(p, cv_after_ms(wait_ms))) {
        kill(p->pid, SIGTERM);
        if (!reap(p, cv_after_ms(END_MS))) {
            kill(p->pid, SIGKILL);
            reap(p, cv_after_ms(END_MS));
        }
    }
    p->pid = 0;
}

int cv_peer_ssh_command(const char *host, char *buf, size_t size, struct cv_error *err)
{
    size_t n = strlen(SSH);

    if (!cv_text_is_host(host))
        return cv_fail(err, CV_E_INVALID, 0, "'%s' is not [USER@]HOST", host);
    if (4 * strlen(host) + n + 64 > size)
        return cv_fail(err, CV_E_INVALID, 0, "the host's name is too long");
    n = (size_t)snprintf(buf, size, SSH "-- '");
    for (; *host; host++)
        n += (size_t)snprintf(buf + n, size - n, *host == '\'' ? "'\\''" : "%c", *host);
    snprintf(buf + n, size - n, "' convoy migrate-receive");
    return 0;
}

/* ---- two of them ---- */

static int dial(struct cv_link *l, const char *command, struct cv_peer *out, struct cv_error *err)
{
    return l->dial != NULL ? l->dial(l->dial_user, command, out, err) : cv_peer_start(out, command, err);
}

static int ask_connect(void *user, const struct cv_journal_record *rec, int *in_out, int *out_out, int64_t deadline_ms,
                       struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_link *l = user;

    (void)deadline_ms, (void)cancel; /* starting a command does not wait */
    if (dial(l, rec->command, &l->ask, err) < 0)
        return -1;
    *in_out = l->ask.in;
    *out_out = l->ask.out;
    return 0;
}

static void ask_disconnect(void *user) { cv_peer_end(&((struct cv_link *)user)->ask, END_MS); }

static void hang_up(void *user) { cv_peer_hang_up(&((struct cv_link *)user)->main); }

void cv_link_init(struct cv_link *l, cv_dial *dial_fn, void *user)
{
    *l = (struct cv_link){ .dial = dial_fn, .dial_user = user, .main = CV_PEER_INIT, .ask = CV_PEER_INIT };
    l->port =
        (struct cv_connect_port){ .user = l, .connect = ask_connect, .disconnect = ask_disconnect, .hang_up = hang_up };
}

int cv_link_open(struct cv_link *l, const char *command, struct cv_error *err)
{
    return dial(l, command, &l->main, err);
}

void cv_link_dispose(struct cv_link *l)
{
    cv_peer_end(&l->main, END_MS);
    cv_peer_end(&l->ask, END_MS);
}
