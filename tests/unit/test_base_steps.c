/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/phases.h: every step of a table fails, is cancelled, or fails to be taken back; base/output.h: a file is whole
 * or as it was before. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/output.h"
#include "base/phases.h"

/* ---- steps ---- */

#define STEPS 4

struct work {
    struct cv_sink sink;                /* first: what is heard */
    int fail_run, fail_undo, cancel_in; /* the step; -1 = none */
    struct cv_cancel *cancel;
    char done[2 * STEPS + 1]; /* "abcd", then capital letters for what was taken back */
    int warnings, events;
};

static void note(struct work *w, char c)
{
    size_t n = strlen(w->done);
    w->done[n] = c;
    w->done[n + 1] = '\0';
}

static int run(struct work *w, int i, int64_t deadline_ms, struct cv_error *err)
{
    ck_assert_int_eq(deadline_ms == CV_NEVER, i == 1);
    note(w, (char)('a' + i));
    if (i == w->cancel_in)
        cv_cancel_request(w->cancel);
    return i == w->fail_run ? cv_fail(err, CV_E_HYPERVISOR, 0, "no") : 0;
}

static int undo(struct work *w, int i, int64_t deadline_ms, struct cv_error *err)
{
    ck_assert(deadline_ms != CV_NEVER);
    note(w, (char)('A' + i));
    return i == w->fail_undo ? cv_fail(err, CV_E_IO, 0, "cannot") : 0;
}

#define STEP(n)                                                                                                      \
    static int run_##n(void *op, int64_t deadline_ms, struct cv_error *err) { return run(op, n, deadline_ms, err); } \
    static int undo_##n(void *op, int64_t deadline_ms, struct cv_error *err) { return undo(op, n, deadline_ms, err); }
STEP(0)
STEP(1)
STEP(3)
static int run_2(void *op, int64_t deadline_ms, struct cv_error *err) { return run(op, 2, deadline_ms, err); }

/* The third is the commit point and leaves nothing to take back. */
static const struct cv_step table[STEPS] = {
    { "first", run_0, undo_0, 1000, false },
    { "second", run_1, undo_1, CV_NEVER, false },
    { "third", run_2, NULL, 1000, true },
    { "after", run_3, undo_3, 1000, false },
};

static void on_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    ck_assert_int_eq(level, CV_LOG_WARN);
    ck_assert_ptr_nonnull(strstr(text, "taking back step '"));
    ck_assert_ptr_nonnull(strstr(text, "cannot"));
    ((struct work *)s)->warnings++;
}

static void on_event(struct cv_sink *s, const char *json)
{
    ck_assert_ptr_nonnull(strstr(json, "\"event\":\"phase\""));
    ((struct work *)s)->events++;
}

static int walk(struct work *w, struct cv_phases *p, struct cv_error *err)
{
    w->sink = (struct cv_sink){ on_message, on_event, CV_LOG_WARN };
    *p = (struct cv_phases){ .steps = table, .count = STEPS, .sink = &w->sink, .cancel = w->cancel };
    return cv_phases_run(p, w, err);
}

START_TEST(all_steps_in_their_order)
{
    struct work w = { .fail_run = -1, .fail_undo = -1, .cancel_in = -1 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_phases p;

    ck_assert_int_eq(walk(&w, &p, &err), 0);
    ck_assert_str_eq(w.done, "abcd");
    ck_assert(p.committed && p.at == STEPS && w.events == STEPS);
    ck_assert_int_eq(err.code, CV_OK);
    for (int i = 0; i < STEPS; i++)
        ck_assert_int_gt(p.step_ns[i], 0);
}
END_TEST

/* From the step that failed, which may be half done, back to the first; nothing behind the commit point. */
static const struct {
    int fail;
    const char *done, *text;
} failures[] = {
    { 0, "aA", "step 'first': no" },
    { 1, "abBA", "step 'second': no" },
    { 2, "abcBA", "step 'third': no" },
    { 3, "abcd", "step 'after': no" },
};

START_TEST(a_step_that_fails_is_taken_back_with_all_before_it)
{
    for (int fail_undo = -1; fail_undo < 2; fail_undo++) {
        struct work w = { .fail_run = failures[_i].fail, .fail_undo = fail_undo, .cancel_in = -1 };
        struct cv_error err = CV_ERROR_INIT;
        struct cv_phases p;

        ck_assert_int_eq(walk(&w, &p, &err), -1);
        ck_assert_str_eq(w.done, failures[_i].done); /* an undo that fails does not end the walk */
        ck_assert_str_eq(err.text, failures[_i].text);
        ck_assert_int_eq(err.code, CV_E_HYPERVISOR);
        ck_assert_int_eq(w.warnings, fail_undo >= 0 && strchr(w.done, 'A' + fail_undo) != NULL);
        ck_assert_int_eq(p.at, failures[_i].fail);
        ck_assert(p.committed == (failures[_i].fail == 3));
    }
}
END_TEST

START_TEST(a_request_to_stop_is_heard_between_steps)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cancel cancel;
    struct cv_phases p;

    ck_assert_int_eq(cv_cancel_init(&cancel, &err), 0);
    struct work w = { .fail_run = -1, .fail_undo = -1, .cancel_in = 0, .cancel = &cancel };
    ck_assert_int_eq(walk(&w, &p, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    ck_assert_str_eq(w.done, "aBA"); /* the second had not begun: its undo has to bear that */
    cv_cancel_dispose(&cancel);
}
END_TEST

START_TEST(nobody_has_to_want_its_error_either)
{
    struct work w = { .fail_run = 1, .fail_undo = -1, .cancel_in = -1 };
    struct cv_phases p;

    ck_assert_int_eq(walk(&w, &p, NULL), -1);
    ck_assert_str_eq(w.done, "abBA");
}
END_TEST

/* ---- files ---- */

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/convoy-test-output.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void file_is(const char *name, const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FREE char *data = NULL;

    ck_assert_msg(cv_file_read(path_of(name), 1000, &data, NULL, &err) == 0, "%s", err.text);
    ck_assert_str_eq(data, text);
}

static unsigned files_in_dir(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void remove_dir(void)
{
    DIR *d = opendir(dir);

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

static void write_new(struct cv_output *o)
{
    struct cv_error err = CV_ERROR_INIT;
    ck_assert_int_eq(cv_write_full(o->fd, "new", 3, CV_NEVER, NULL, &err), 0);
}

START_TEST(a_file_is_as_it_was_until_it_is_whole)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_output o;

    put_file("web1.img", "old");
    ck_assert_int_eq(cv_output_open(&o, path_of("web1.img"), &err), 0);
    write_new(&o);
    file_is("web1.img", "old");
    ck_assert_uint_eq(files_in_dir(), 2);
    ck_assert_int_eq(cv_output_commit(&o, &err), 0);
    file_is("web1.img", "new");
    ck_assert_int_eq(cv_output_abandon(&o, &err), 0);
    file_is("web1.img", "new");
    ck_assert_uint_eq(files_in_dir(), 1);
    ck_assert_int_eq(err.code, CV_OK);
}
END_TEST

START_TEST(what_is_abandoned_leaves_nothing)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_output o;

    put_file("web1.img", "old");
    ck_assert_int_eq(cv_output_open(&o, path_of("web1.img"), &err), 0);
    write_new(&o);
    ck_assert_int_eq(cv_output_abandon(&o, &err), 0);
    ck_assert_int_eq(cv_output_abandon(&o, &err), 0);
    file_is("web1.img", "old");
    ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(a_link_is_followed_and_stays_one)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_output o;
    struct stat st;

    put_file("2026.img", "old");
    ck_assert_int_eq(symlink("2026.img", path_of("latest")), 0);
    ck_assert_int_eq(cv_output_open(&o, path_of("latest"), &err), 0);
    write_new(&o);
    ck_assert_int_eq(cv_output_commit(&o, &err), 0);
    ck_assert_int_eq(cv_output_abandon(&o, &err), 0);
    file_is("2026.img", "new");
    ck_assert(lstat(path_of("latest"), &st) == 0 && S_ISLNK(st.st_mode));
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    static const char *const paths[] = { "/dev/null", "/tmp", "/tmp/", "", "/nonexistent/web1.img" };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_output o;
        ck_assert_msg(cv_output_open(&o, paths[i], &err) == -1, "'%s'", paths[i]);
        ck_assert_msg(err.code == CV_E_INVALID || (err.code == CV_E_IO && i == 4), "'%s': %s", paths[i], err.text);
        ck_assert_int_eq(cv_output_abandon(&o, &err), 0);
        ck_assert_int_eq(cv_output_open(&o, paths[i], NULL), -1);
    }
    struct stat st;
    ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base_steps");
    TCase *t = tcase_create("steps"), *f = tcase_create("files");

    tcase_add_test(t, all_steps_in_their_order);
    tcase_add_loop_test(t, a_step_that_fails_is_taken_back_with_all_before_it, 0, sizeof failures / sizeof failures[0]);
    tcase_add_test(t, a_request_to_stop_is_heard_between_steps);
    tcase_add_test(t, nobody_has_to_want_its_error_either);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(f, make_dir, remove_dir);
    tcase_add_test(f, a_file_is_as_it_was_until_it_is_whole);
    tcase_add_test(f, what_is_abandoned_leaves_nothing);
    tcase_add_test(f, a_link_is_followed_and_stays_one);
    tcase_add_test(f, what_is_no_file_is_refused);
    suite_add_tcase(s, f);
    return run_suite(s);
}
