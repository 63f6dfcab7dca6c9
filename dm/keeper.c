/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define DEATHS_MAX 5   /* one soon after the other */
#define LIVED_MS 10000 /* a worker that lived so long begins a new count */

struct keeper {
    int (*work)(void *user, bool again);
    void *user;
    sigset_t mine, before;
    pid_t worker;
    int64_t since_ms;
    unsigned deaths;
    bool again;         /* the worker is not the first one */
    int64_t stopped_ms; /* since when it stands still; 0 = it does not */
    bool told;          /* to end */
};

static _Noreturn void be_worker(struct keeper *k, pid_t keeper, bool again)
{
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    sigprocmask(SIG_SETMASK, &k->before, NULL);
    int status = getppid() == keeper ? k->work(k->user, again) : 1;
    fflush(stderr);
    exit(status);
}

static bool start_worker(struct keeper *k, bool again)
{
    pid_t self = getpid();

    fflush(stderr);
    k->since_ms = cv_now_ms();
    k->again = again;
    k->stopped_ms = 0;
    k->worker = fork();
    if (k->worker == 0)
        be_worker(k, self, again);
    return k->worker > 0;
}

/* What a worker had begun when it was killed has come to us. */
static void kill_children(void)
{
    char path[64];
    int pid;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "re");
    while (f != NULL && fscanf(f, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    if (f != NULL)
        fclose(f);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

/* The worker has ended.  True: another one has begun. */
static bool follow(struct keeper *k, int how, int *status_out)
{
    char what[40];

    *status_out = WIFEXITED(how) ? WEXITSTATUS(how) : 1;
    bool in_vain = k->again && WIFEXITED(how) && *status_out == 1; /* an emulator did not answer it */
    if ((WIFEXITED(how) && !in_vain) || k->told) {
        if (!WIFEXITED(how))
            *status_out = CV_DM_NOTHING_THERE; /* any more */
        if (*status_out == CV_DM_NOTHING_THERE)
            kill_children();
        return false;
    }
    k->deaths = cv_now_ms() - k->since_ms > LIVED_MS ? 1 : k->deaths + 1;
    snprintf(what, sizeof what, in_vain ? "failed" : "was ended by signal %d", WTERMSIG(how));
    fprintf(stderr, "convoy-dm: error: the supervisor %s%s\n", what,
            k->deaths > DEATHS_MAX ? ", again and again: convoy-dm --adopt takes its emulators over"
                                   : ": another one takes over");
    return k->deaths <= DEATHS_MAX && start_worker(k, true);
}

/* True: it goes on. */
static bool reap(struct keeper *k, int *status_out)
{
    int how;
    pid_t pid;

    while ((pid = waitpid(-1, &how, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
        if (pid == k->worker && (WIFSTOPPED(how) || WIFCONTINUED(how)))
            k->stopped_ms = WIFSTOPPED(how) ? cv_now_ms() : 0;
        else if (pid == k->worker && !follow(k, how, status_out))
            return false;
    return true;
}

static void look_whether_it_stands(struct keeper *k)
{
    if (k->stopped_ms == 0 || cv_now_ms() - k->stopped_ms < CV_DM_STANDS_MS)
        return;
    fprintf(stderr, "convoy-dm: error: the supervisor was stopped, and is killed\n");
    k->stopped_ms = 0;
    kill(k->worker, SIGKILL);
}

/* The next signal, or 0 after a while in which the worker stood still. */
static int next_signal(const struct keeper *k)
{
    const struct timespec while_ = { .tv_nsec = 100 * 1000 * 1000 };
    int sig = k->stopped_ms != 0 ? sigtimedwait(&k->mine, NULL, &while_) : sigwaitinfo(&k->mine, NULL);

    return sig > 0 ? sig : 0;
}

int cv_dm_keep(int (*work)(void *user, bool again), void *user)
{
    struct keeper k = { .work = work, .user = user };
    static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGCHLD };
    int status = 1, sig;

    sigemptyset(&k.mine);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&k.mine, signals[i]);
    sigprocmask(SIG_BLOCK, &k.mine, &k.before);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it, and then nobody is told */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!start_worker(&k, false)) {
        fprintf(stderr, "convoy-dm: error: cannot make a process\n");
        return 1;
    }
    for (;;) {
        sig = next_signal(&k);
        if (sig == SIGCHLD && !reap(&k, &status))
            break;
        if (sig != 0 && sig != SIGCHLD) {
            k.told = true;
            kill(k.worker, SIGTERM);
        }
        look_whether_it_stands(&k);
    }
    return status;
}
