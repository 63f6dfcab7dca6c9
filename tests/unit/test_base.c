/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are whole or not there, writes that kill nobody, processes that were started or not, text of strangers. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/detach.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/output.h"
#include "base/quiet.h"
#include "base/text.h"

static char dir[64];
static bool folders_fail; /* fsync of a folder does */

/* In the place of libc's. */
int fsync(int fd)
{
    struct stat st;

    if (folders_fail && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void begin(void)
{
    strcpy(dir, "/tmp/convoy-base-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    folders_fail = false;
}

static void end(void)
{
    char command[100];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void holds(const char *path, const char *text)
{
    char *now;
    size_t len;

    ck_assert_int_eq(cv_file_read(path, 1000, &now, &len, NULL), 0);
    ck_assert_str_eq(now, text);
    free(now);
}

static unsigned files_here(void)
{
    unsigned n = 0;
    DIR *d = opendir(".");

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

/* -1 with the error, or what was written is in its place. */
static int output(const char *path, struct cv_error *err)
{
    struct cv_output o;
    int rc = cv_output_open(&o, path, err);

    if (rc == 0)
        rc = cv_write_full(o.fd, "new", 3, CV_NEVER, NULL, err);
    if (rc == 0)
        rc = cv_output_commit(&o, err);
    cv_output_abandon(&o, NULL);
    return rc;
}

START_TEST(links_are_followed_where_the_kernel_follows_them)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("d/file", "old");
    ck_assert_int_eq(symlink("d/file", "link"), 0);
    ck_assert_int_eq(output("link", &err), 0);
    holds("d/file", "new");
    ck_assert_int_eq(output("plain", &err), 0);
    holds("plain", "new");
    ck_assert_int_eq(symlink("d/none", "dangling"), 0);
    ck_assert_int_lt(output("dangling", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "leads nowhere"));
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    ck_assert_int_lt(output("loop", &err), 0);
    ck_assert_int_eq(err.sys, ELOOP);
    ck_assert_int_lt(output("d", &err), 0);
    ck_assert_int_lt(output("d/", &err), 0);
    ck_assert_int_lt(output("", &err), 0);
    ck_assert_int_lt(output("/dev/null", &err), 0);
    ck_assert_uint_eq(files_here(), 5);
}
END_TEST

/* The rule for sticky folders is a setting of the whole machine; a file system mounted so is the same to us. */
START_TEST(a_link_that_the_kernel_refuses_is_not_followed)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(mkdir("m", 0700), 0);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "m", "tmpfs", MS_NOSYMFOLLOW, "") < 0)
        return; /* only root may */
    put("m/victim", "old");
    ck_assert_int_eq(symlink("victim", "m/link"), 0);
    ck_assert_int_lt(open("m/link", O_RDONLY | O_CLOEXEC), 0);
    int rc = output("m/link", &err);
    holds("m/victim", "old");
    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(err.sys, ELOOP);
    ck_assert_int_eq(umount("m"), 0);
}
END_TEST

START_TEST(a_folder_that_cannot_be_synced_is_told_as_it_is)
{
    struct cv_error err = CV_ERROR_INIT;

    put("image", "old");
    folders_fail = true;
    ck_assert_int_lt(output("image", &err), 0);
    holds("image", "new");
    ck_assert_int_eq(err.sys, EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "is in its place"));
    ck_assert_ptr_nonnull(strstr(err.text, "what was there before is gone"));
    ck_assert_uint_eq(files_here(), 1);
}
END_TEST

/* Runs f in a process whose signals do what they do by default; its wait status. */
static int as_anybody(int (*f)(void))
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
        _exit(f());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static int write_to_nobody(void)
{
    struct cv_error err = CV_ERROR_INIT;
    sigset_t pending;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return 1;
    close(fds[0]);
    if (cv_write_full(fds[1], "x", 1, CV_NEVER, NULL, &err) == 0 || err.sys != EPIPE)
        return 2;
    if (cv_quiet_write(fds[1], "x", 1) >= 0 || errno != EPIPE)
        return 3;
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE))
        return 4;
    raise(SIGPIPE); /* is what it was */
    return 5;
}

static int write_beyond_the_limit(void)
{
    struct rlimit limit = { 4096, 4096 };
    struct cv_error err = CV_ERROR_INIT;
    static const char page[8192];
    sigset_t pending;
    int fd = open("big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 1;
    if (cv_write_full(fd, page, sizeof page, CV_NEVER, NULL, &err) == 0 || err.sys != EFBIG)
        return 2;
    if (cv_quiet_pwrite(fd, page, 1, 8192) >= 0 || errno != EFBIG)
        return 3;
    if (cv_quiet_ftruncate(fd, 8192) >= 0 || errno != EFBIG)
        return 4;
    sigpending(&pending);
    return sigismember(&pending, SIGXFSZ) ? 5 : 0;
}

START_TEST(a_write_kills_nobody)
{
    int status = as_anybody(write_to_nobody);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE, "status %#x", (unsigned)status);
    ck_assert_int_eq(as_anybody(write_beyond_the_limit), 0);
}
END_TEST

static int a_signal_of_others_stays(void)
{
    sigset_t set;
    int fds[2];

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return 1;
    close(fds[0]);
    if (cv_quiet_write(fds[1], "x", 1) >= 0)
        return 2;
    sigpending(&set);
    return sigismember(&set, SIGPIPE) ? 0 : 3;
}

START_TEST(what_was_pending_before_stays) { ck_assert_int_eq(as_anybody(a_signal_of_others_stays), 0); }
END_TEST

START_TEST(a_process_that_was_not_started_is_an_error)
{
    const char *argv[] = { "sh", "-c", "cat >out; pwd >>out; echo $PPID >/dev/null; mv out done", NULL };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_detach d = { .program = "/no/such/program", .argv = argv, .in_fd = -1, .out_fd = -1 };
    char script[200];
    int fds[2];

    ck_assert_int_lt(cv_detach(&d, &err), 0);
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/no/such/program"));
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    snprintf(script, sizeof script, "pwd; cat >&2; exec 1>&- 2>&-");
    argv[2] = script;
    d = (struct cv_detach){ .program = "/bin/sh", .argv = argv, .in_fd = -1, .out_fd = fds[1] };
    ck_assert_int_eq(cv_detach(&d, &err), 0);
    close(fds[1]);
    char said[10];
    size_t got;
    ck_assert_int_eq(cv_read_full(fds[0], said, sizeof said, &got, cv_after_ms(20000), NULL, &err), 0);
    ck_assert_int_eq((int)got, 2); /* "/" and a newline, and nothing from standard input */
    ck_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    close(fds[0]);
}
END_TEST

static void cleaned(const char *text, const char *want)
{
    char buf[100];

    ck_assert_str_eq(cv_text_cleaned(text, buf, sizeof buf), want);
}

START_TEST(text_of_strangers_is_one_line)
{
    char tiny[5];

    cleaned("plain, \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", "plain, \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7");
    cleaned("\x1b]0;owned\a\x1b[2J\x7f", "?]0;owned??[2J?");
    cleaned("a\nb\rc\td", "a?b?c d");
    cleaned("\xc2\x9b"
            "31m",
            "?31m"); /* C1's CSI */
    cleaned("\x9b"
            "31m \xff \xc0\x80 \xed\xa0\x80",
            "?31m ? ?? ???"); /* no UTF-8: alone, overlong, surrogate */
    cleaned("\xe2\x80\xae"
            "gpj",
            "?gpj"); /* right to left */
    cleaned("cut \xe2\x82", "cut ??");
    ck_assert_str_eq(cv_text_cleaned("abc\xc3\xa4", tiny, sizeof tiny), "abc?");
}
END_TEST

static char last[200];
static void take(struct cv_sink *s, enum cv_level level, const char *text)
{
    (void)s, (void)level;
    snprintf(last, sizeof last, "%s", text);
}

START_TEST(errors_and_messages_are_printed_clean)
{
    struct cv_sink sink = { .message = take, .level = CV_LOG_DEBUG };
    struct cv_error err = CV_ERROR_INIT;
    char text[100];

    cv_fail(&err, CV_E_PEER, 0, "it says '%s'", "\x1b[31mall is good");
    ck_assert_str_eq(cv_error_string(&err, text, sizeof text), "it says '?[31mall is good'");
    cv_log(&sink, CV_LOG_WARN, "name %s", "a\nb\x1b[2J");
    ck_assert_str_eq(last, "name a?b?[2J");
}
END_TEST

/* What a child executes has its standard descriptors, also where the ones that it is given are such themselves: of a
 * process that was started with all three closed.  _i: the number that the pipe gets. */
static _Noreturn void say_hello(int pipe_end, int number)
{
    char *argv[] = { "sh", "-c", "cat; echo hello", NULL };

    pipe_end = fcntl(pipe_end, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        close(i);
    for (int i = 0; i < number; i++)
        if (open("/dev/null", O_RDWR | O_CLOEXEC) != i)
            _exit(1);
    int out = fcntl(pipe_end, F_DUPFD_CLOEXEC, 0), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (out == number && cv_fd_standard(null, out, -1))
        execv("/bin/sh", argv);
    _exit(1);
}

START_TEST(standard_descriptors_of_a_child)
{
    int fds[2], status;
    char text[16] = "";
    size_t got;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        say_hello(fds[1], _i);
    close(fds[1]);
    ck_assert_int_eq(cv_read_full(fds[0], text, sizeof text - 1, &got, cv_after_ms(5000), NULL, NULL), 0);
    close(fds[0]);
    ck_assert_str_eq(text, "hello\n");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, links_are_followed_where_the_kernel_follows_them);
    tcase_add_test(t, a_link_that_the_kernel_refuses_is_not_followed);
    tcase_add_test(t, a_folder_that_cannot_be_synced_is_told_as_it_is);
    tcase_add_test(t, a_write_kills_nobody);
    tcase_add_test(t, what_was_pending_before_stays);
    tcase_add_test(t, a_process_that_was_not_started_is_an_error);
    tcase_add_loop_test(t, standard_descriptors_of_a_child, 0, 3);
    tcase_add_test(t, text_of_strangers_is_one_line);
    tcase_add_test(t, errors_and_messages_are_printed_clean);
    suite_add_tcase(s, t);
    return run_suite(s);
}
