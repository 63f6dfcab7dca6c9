/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm: what a toolstack starts in the place of QEMU (docs/man/convoy-dm.8.md). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "dm/check.h"
#include "dm/keeper.h"
#include "dm/states.h"
#include "dm/supervisor.h"

static struct cv_cancel cancel = { .fd = -1 }; /* for the signal handler */

static void on_signal(int sig)
{
    (void)sig;
    cv_cancel_request(&cancel);
}

static void print_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };

    (void)s;
    fprintf(stderr, "convoy-dm: %s: %s\n", names[level], text);
}

static struct cv_sink sink = { .message = print_message, .level = CV_LOG_INFO };

static int complain(const struct cv_error *err)
{
    char text[800];

    fprintf(stderr, "convoy-dm: %s\n", cv_error_string(err, text, sizeof text));
    return 1;
}

static int usage(FILE *f)
{
    fprintf(f, "usage: convoy-dm --adopt DOMID [--resume]\n"
               "           take over the emulators of a guest whose convoy-dm has died (and let it go on, if it is "
               "suspended)\n"
               "       convoy-dm --check-emulator PROGRAM [ARGUMENT...]\n"
               "           does it keep to docs/emulator-protocol.md?\n"
               "       convoy-dm --version\n"
               "       convoy-dm QEMU-ARGUMENT...   (as a toolstack says it: see convoy-dm(8))\n");
    return f == stdout ? 0 : 2;
}

/* One QEMU with the very command line, in our place. */
static int become_qemu(struct cv_dm_args *a)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout_host host;
    struct cv_strings argv;

    cv_layout_host_probe(&host);
    if (cv_dm_args_plain(a, host.default_model, &argv, &err) < 0)
        return complain(&err);
    execv(argv.items[0], (char *const *)argv.items);
    cv_fail(&err, CV_E_EMULATOR, errno, "start %s", argv.items[0]);
    return complain(&err);
}

static void nothing(int sig) { (void)sig; }

static int catch_signals(struct cv_error *err)
{
    static const int stop[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction sa = { .sa_handler = on_signal }, wake = { .sa_handler = nothing };

    if (cv_cancel_init(&cancel, err) < 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof stop / sizeof stop[0]; i++)
        sigaction(stop[i], &sa, NULL);
    return sigaction(SIGUSR1, &wake, NULL); /* the keeper has died */
}

struct job {
    struct cv_dm_args *args; /* NULL: take over domid's */
    uint32_t domid;
    int keeper;
    bool resume;
    struct cv_dm_doors doors; /* the keeper's: every worker has them */
};

/* A guest that stands still for a save which nobody will end. */
static int see_to_suspended(struct cv_dm *dm, const struct job *job, bool again, struct cv_error *err)
{
    struct cv_domain_info info;

    if (job->args != NULL || again)
        return 0; /* the toolstack resumes it */
    if (job->resume)
        return cv_dm_resume(dm, err);
    if (dm->host->ops->info(dm->host, dm->domid, &info, NULL) == 0 && info.shutdown &&
        info.shutdown_reason == CV_SHUTDOWN_SUSPEND)
        cv_log(&sink, CV_LOG_WARN,
               "domain %u is suspended, as a save or a migration that failed may leave it: if it runs nowhere else, "
               "end this, and convoy-dm --adopt %u --resume lets it go on",
               dm->domid, dm->domid);
    return 0;
}

/* A worker (keeper.h). */
static int supervise(void *user, bool again)
{
    const struct job *job = user;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_host *host;
    struct cv_dm dm;

    cv_process_own();
    if (catch_signals(&err) < 0 || cv_host_open_xen(&host, &sink, &err) < 0)
        return complain(&err);
    cv_dm_init(&dm, host, &sink, &cancel);
    dm.keeper = job->keeper;
    dm.doors = job->doors;
    int rc = job->args != NULL && !again ? cv_dm_start(&dm, job->args, &err) : cv_dm_adopt(&dm, job->domid, &err);
    bool none = rc < 0 && again && err.code == CV_E_NOT_FOUND;
    if (rc == 0 && see_to_suspended(&dm, job, again, &err) < 0)
        complain(&err); /* its emulators have a supervisor */
    if (rc == 0)
        rc = cv_dm_serve(&dm, &err);
    cv_dm_dispose(&dm);
    host->ops->close(host);
    int status = rc < 0 ? complain(&err) : 0;
    return none ? CV_DM_NOTHING_THERE : status;
}

static int keep(struct cv_dm_args *a, uint32_t domid, bool resume)
{
    struct job job = { .args = a, .domid = domid, .keeper = (int)getpid(), .resume = resume };
    struct cv_error err = CV_ERROR_INIT;

    cv_dm_doors_init(&job.doors);
    if (a != NULL && (cv_dm_doors_lock(&job.doors, NULL, domid, &err) < 0 ||
                      cv_dm_doors_open(&job.doors, NULL, domid, a, &err) < 0)) {
        cv_dm_doors_remove(&job.doors, NULL, domid);
        return complain(&err);
    }
    int status = cv_dm_keep(supervise, &job);
    if (status != CV_DM_NOTHING_THERE) {
        cv_dm_doors_close(&job.doors);
        return status;
    }
    if (a != NULL) /* we have the lock: these names are ours */
        cv_dm_doors_forget_emulators(NULL, domid);
    cv_dm_doors_remove(&job.doors, NULL, domid);
    return 1;
}

/* Which of the three ways a command line goes. */
static int as_device_model(int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    enum cv_dm_states_kind kind = CV_DM_STATES_STOCK;
    struct cv_dm_args a;

    if (cv_dm_args_parse(&a, argc, argv, &err) < 0)
        return complain(&err);
    bool guest = a.has_domid && !a.attach;
    int rc = guest ? cv_dm_args_file(&a, CV_DM_GUESTS_DIR, &err) : 0;
    if (rc == 0 && guest && a.incoming_fd >= 0)
        rc = cv_dm_states_look(a.incoming_fd, &kind, &err);
    int status;
    if (rc < 0)
        status = complain(&err);
    else if (guest && a.incoming_at != 0 ? kind == CV_DM_STATES_OURS : guest && a.list.count > 0)
        status = keep(&a, a.domid, false);
    else
        status = become_qemu(&a);
    cv_dm_args_dispose(&a);
    return status;
}

static void print_point(void *user, const char *point, const struct cv_error *failure)
{
    char text[800];
    unsigned *count = user;

    ++*count;
    if (failure == NULL)
        printf("ok      %2u  %s\n", *count, point);
    else
        printf("FAILED  %2u  %s: %s\n", *count, point, cv_error_string(failure, text, sizeof text));
    fflush(stdout); /* a point may take its time */
}

/* argv: program and arguments, NULL-terminated. */
static int check_emulator(char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    unsigned count = 0;
    char *program = realpath(argv[0], NULL);

    if (program == NULL || access(program, X_OK) < 0) {
        cv_fail(&err, CV_E_NOT_FOUND, errno, "%s", argv[0]);
        free(program);
        return complain(&err);
    }
    argv[0] = program;
    unsigned failed = cv_dm_check((const char *const *)argv, CV_DM_CHECK_MS, print_point, &count);
    printf("%u points, %u failed\n", count, failed);
    free(program);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0)
        return usage(argc < 2 ? stderr : stdout);
    if (strcmp(argv[1], "--version") == 0) {
        printf("convoy-dm %s\n", CONVOY_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--check-emulator") == 0)
        return argc > 2 ? check_emulator(argv + 2) : usage(stderr);
    if (strcmp(argv[1], "--adopt") != 0)
        return as_device_model(argc, argv);
    char *end;
    bool resume = argc == 4 && strcmp(argv[3], "--resume") == 0;
    unsigned long domid = argc == 3 || resume ? strtoul(argv[2], &end, 10) : 0;
    if (domid == 0 || domid > 0x7ff0 || *end != '\0')
        return usage(stderr);
    return keep(NULL, (uint32_t)domid, resume);
}
