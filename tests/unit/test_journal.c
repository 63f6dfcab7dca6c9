/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "handover/journal.h"
#include "handover/unsettled.h"
#include "tests/support/journal_find.h"

static char store[64];
static struct cv_error err;

static void set_up(void)
{
    strcpy(store, "/tmp/convoy-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(store));
    err = (struct cv_error)CV_ERROR_INIT;
}

static void tear_down(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", store);
    ck_assert_int_eq(system(cmd), 0);
}

static struct cv_journal_record record(enum cv_journal_role role)
{
    struct cv_journal_record r = { .role = role,
                                   .state = CV_J_OPEN,
                                   .domid = 12,
                                   .name = "db 100%\n\xc3\xa4",
                                   .peer = "root@host2",
                                   .command = "ssh host2 convoy migrate-receive" };
    memset(r.migration, 0xab, 16);
    memset(r.guest, 0x01, 16);
    r.boot[15] = 9;
    return r;
}

static struct cv_journal made(enum cv_journal_role role)
{
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_journal_record r = record(role);
    ck_assert_msg(cv_journal_create(&j, store, &r, &err) == 0, "%s", err.text);
    return j;
}

static enum cv_journal_state on_disk(enum cv_journal_role role)
{
    struct cv_journal_record got, r = record(role);
    ck_assert_msg(cv_journal_read(store, r.migration, role, &got, &err) == 0, "%s", err.text);
    return got.state;
}

START_TEST(text_round_trip)
{
    struct cv_journal_record r = record(CV_ROLE_DESTINATION), got;
    char text[CV_JOURNAL_MAX + 64];
    r.generation = UINT64_MAX;
    r.acknowledged = true;
    int n = cv_journal_encode(&r, text, sizeof text, &err);
    ck_assert_int_gt(n, 0);
    ck_assert_msg(cv_journal_decode(text, (size_t)n, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got.name, r.name);
    ck_assert_mem_eq(got.migration, r.migration, 16);
    ck_assert_uint_eq(got.generation, r.generation);
    ck_assert(got.acknowledged);
    ck_assert_ptr_nonnull(strstr(text, "name db 100%25%0a"));
}
END_TEST

START_TEST(no_damage_passes)
{
    struct cv_journal_record r = record(CV_ROLE_SOURCE), got;
    char text[CV_JOURNAL_MAX + 64];
    int n = cv_journal_encode(&r, text, sizeof text, &err);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(cv_journal_decode(text, (size_t)i, &got, &err), -1);
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= (char)(1 << bit);
            ck_assert_msg(cv_journal_decode(text, (size_t)n, &got, &err) == -1, "byte %d bit %d", i, bit);
            ck_assert_int_eq(err.code, CV_E_STREAM);
            text[i] ^= (char)(1 << bit);
        }
    }
}
END_TEST

START_TEST(too_long_is_refused)
{
    struct cv_journal_record r = record(CV_ROLE_SOURCE);
    char small[100];
    ck_assert_int_eq(cv_journal_encode(&r, small, sizeof small, &err), -1);
    memset(r.command, '\n', sizeof r.command - 1); /* the longest that can be: all fits */
    memset(r.note, '\n', sizeof r.note - 1);
    memset(r.peer, '\n', sizeof r.peer - 1);
    memset(r.name, '\n', sizeof r.name - 1);
    char text[CV_JOURNAL_MAX + 64];
    ck_assert_int_gt(cv_journal_encode(&r, text, sizeof text, &err), 0);
}
END_TEST

START_TEST(transitions)
{
    static const enum cv_journal_state way[] = { CV_J_COMMITTING, CV_J_TAKEN, CV_J_TAKEN_SETTLED };
    struct cv_journal j = made(CV_ROLE_SOURCE);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(cv_journal_set(&j, way[i], NULL, &err), 0);
        ck_assert_int_eq(on_disk(CV_ROLE_SOURCE), way[i]);
    }
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
    cv_journal_close(&j);
    cv_journal_close(&j);
    /* Nothing leads from settled or never to anywhere else, and only the source knows COMMITTING. */
    for (int role = 0; role < 2; role++)
        for (enum cv_journal_state a = CV_J_OPEN; a < CV_J_STATES; a++)
            for (enum cv_journal_state b = CV_J_NONE; b < CV_J_STATES; b++)
                if (cv_journal_settled(a) && a != b)
                    ck_assert(!cv_journal_legal((enum cv_journal_role)role, a, b));
    ck_assert(!cv_journal_legal(CV_ROLE_DESTINATION, CV_J_OPEN, CV_J_COMMITTING));
    ck_assert(!cv_journal_legal(CV_ROLE_DESTINATION, CV_J_ABORTED_SETTLED, CV_J_RUNNING));
    ck_assert(!cv_journal_legal(CV_ROLE_SOURCE, CV_J_TAKEN, CV_J_ABORTED));
    ck_assert(!cv_journal_legal(CV_ROLE_SOURCE, CV_J_COMMITTING, CV_J_OPEN));
    /* A record that is older than what has happened: the other side has the guest. */
    ck_assert(cv_journal_legal(CV_ROLE_SOURCE, CV_J_OPEN, CV_J_TAKEN));
    ck_assert(cv_journal_legal(CV_ROLE_SOURCE, CV_J_ABORTED, CV_J_TAKEN));
}
END_TEST

/* The step that fails, or at which the process dies; each with the two writers. */
struct fault {
    const char *step;
    bool die;
    unsigned seen;
};

static int at_step(void *user, const char *step)
{
    struct fault *f = user;
    if (f->step == NULL || strcmp(step, f->step) != 0)
        return 0;
    f->seen++;
    if (f->die)
        _exit(0);
    return EIO;
}

static const char *const steps[] = { "open", "write", "fsync", "rename", "fsync-dir" };

START_TEST(a_failed_step_leaves_old_or_new)
{
    struct fault f = { .step = steps[_i] };
    struct cv_journal_fault fault = { at_step, &f };
    struct cv_journal j = made(CV_ROLE_DESTINATION);
    j.fault = &fault;
    ck_assert_int_eq(cv_journal_set(&j, CV_J_RUNNING, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_uint_eq(f.seen, 1);
    ck_assert_int_eq(j.rec.state, CV_J_OPEN);
    enum cv_journal_state seen = on_disk(CV_ROLE_DESTINATION);
    ck_assert_int_eq(seen, _i == 4 ? CV_J_RUNNING : CV_J_OPEN);
    /* Take it back, as the hand-over does. */
    j.fault = NULL;
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED, "why", &err), 0);
    ck_assert_int_eq(on_disk(CV_ROLE_DESTINATION), CV_J_ABORTED);
    cv_journal_close(&j);
}
END_TEST

START_TEST(a_dead_writer_leaves_old_or_new_and_no_lock)
{
    bool prepared = _i >= 5;
    struct fault f = { .step = steps[_i % 5], .die = true };
    pid_t pid = fork();
    if (pid == 0) {
        struct cv_journal_fault fault = { at_step, &f };
        struct cv_journal j = made(CV_ROLE_DESTINATION);
        if (prepared && cv_journal_prepare(&j, CV_J_RUNNING, &err) < 0)
            _exit(2);
        j.fault = &fault;
        int rc = cv_journal_set(&j, CV_J_RUNNING, NULL, &err);
        _exit(rc == 0 ? 0 : 3);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_journal_record r = record(CV_ROLE_DESTINATION);
    ck_assert_msg(cv_journal_open(&j, store, r.migration, CV_ROLE_DESTINATION, &err) == 0, "%s", err.text);
    bool published = _i % 5 == 4 || prepared; /* with it prepared only the last two steps are left to die at */
    if (prepared && _i % 5 == 3)
        published = false;
    ck_assert_int_eq(j.rec.state, published ? CV_J_RUNNING : CV_J_OPEN);
    cv_journal_close(&j);
}
END_TEST

START_TEST(one_at_a_time)
{
    struct cv_journal j = made(CV_ROLE_SOURCE), other = CV_JOURNAL_INIT;
    struct cv_journal_record r = record(CV_ROLE_SOURCE);
    ck_assert_int_eq(cv_journal_open(&other, store, r.migration, CV_ROLE_SOURCE, &err), -1);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_int_eq(other.lock_fd, -1);
    /* The other role on the same host is another journal. */
    r.role = CV_ROLE_DESTINATION;
    ck_assert_int_eq(cv_journal_create(&other, store, &r, &err), 0);
    cv_journal_close(&other);
    cv_journal_close(&j);
    ck_assert_int_eq(cv_journal_open(&other, store, r.migration, CV_ROLE_SOURCE, &err), 0);
    cv_journal_close(&other);
    r.role = CV_ROLE_SOURCE;
    ck_assert_int_eq(cv_journal_create(&other, store, &r, &err), -1);
    ck_assert_int_eq(err.code, CV_E_INVALID);
}
END_TEST

/* A first record that cannot be written leaves nothing, whichever step fails: it would stand in the way later. */
START_TEST(a_failed_beginning_leaves_nothing)
{
    static const char *const first[] = { "open", "write", "fsync", "rename", "fsync-dir" };
    struct fault f = { .step = first[_i] };
    struct cv_journal_fault fault = { at_step, &f };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_journal_record r = record(CV_ROLE_SOURCE);

    j.fault = &fault;
    ck_assert_int_eq(cv_journal_create(&j, store, &r, &err), -1);
    ck_assert_uint_eq(f.seen, 1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_lt(j.lock_fd, 0);
    ck_assert_int_eq(cv_journal_read(store, r.migration, CV_ROLE_SOURCE, &r, &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    ck_assert_int_eq(rmdir(store), 0); /* not even a directory */
    j.fault = NULL;
    ck_assert_int_eq(cv_journal_create(&j, store, &r, &err), 0);
    cv_journal_close(&j);
}
END_TEST

/* The guest's unsettled record is named in the refusal; another guest's, and a settled one, are no hindrance. */
START_TEST(one_migration_of_a_guest)
{
    struct cv_journal j = made(CV_ROLE_SOURCE), other = CV_JOURNAL_INIT;
    struct cv_journal_record next = record(CV_ROLE_SOURCE);

    next.migration[0] ^= 1;
    ck_assert_int_eq(cv_unsettled_begin(&other, store, &next, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "still open here: convoy recover first"));
    ck_assert_int_eq(cv_journal_read(store, next.migration, CV_ROLE_SOURCE, &next, &err), -1);
    next = record(CV_ROLE_SOURCE);
    next.migration[0] ^= 1;
    next.guest[0] ^= 1;
    ck_assert_int_eq(cv_unsettled_begin(&other, store, &next, NULL, &err), 0);
    cv_journal_close(&other);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED_SETTLED, NULL, &err), 0);
    cv_journal_close(&j);
    next = record(CV_ROLE_DESTINATION);
    next.migration[0] ^= 2;
    ck_assert_int_eq(cv_unsettled_begin(&other, store, &next, NULL, &err), 0);
    cv_journal_close(&other);
}
END_TEST

/* Many at once: one begins, the others are told. */
START_TEST(of_many_one_begins)
{
    unsigned begun = 0;
    int go[2];
    uint8_t id[16];

    ck_assert_int_eq(cv_journal_store_id(store, id, &err), 0);
    ck_assert_int_eq(pipe(go), 0);
    for (int i = 0; i < 8; i++) {
        if (fork() != 0)
            continue;
        struct cv_journal j = CV_JOURNAL_INIT;
        struct cv_journal_record r = record(CV_ROLE_DESTINATION);
        char c;
        r.migration[0] = (uint8_t)(16 + i);
        close(go[1]);
        if (read(go[0], &c, 1) < 0)
            _exit(9);
        _exit(cv_unsettled_begin(&j, store, &r, NULL, &err) == 0 ? 0 : err.code == CV_E_BUSY ? 1 : 2);
    }
    close(go[0]);
    close(go[1]);
    for (int status, i = 0; i < 8; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        begun += WEXITSTATUS(status) == 0;
    }
    ck_assert_uint_eq(begun, 1);
}
END_TEST

START_TEST(missing_leaves_nothing)
{
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_journal_record r = record(CV_ROLE_SOURCE);
    char path[128];
    ck_assert_int_eq(cv_journal_open(&j, store, r.migration, CV_ROLE_SOURCE, &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/abababababababababababababababab", store);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(cv_journal_read("/nonexistent/convoy", r.migration, CV_ROLE_SOURCE, &r, &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
}
END_TEST

START_TEST(find_and_damaged)
{
    struct cv_journal j = made(CV_ROLE_SOURCE);
    struct cv_journal_record r = record(CV_ROLE_SOURCE), got;
    ck_assert_int_eq(journal_find(store, r.guest, -1, &got, &err), 0);
    ck_assert_int_eq(got.state, CV_J_OPEN);
    ck_assert_int_eq(journal_find(store, r.guest, CV_ROLE_DESTINATION, &got, &err), -1);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_ABORTED_SETTLED, NULL, &err), 0);
    ck_assert_int_eq(journal_find(store, r.guest, -1, &got, &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    cv_journal_close(&j);
    char path[128];
    snprintf(path, sizeof path, "%s/abababababababababababababababab/source", store);
    ck_assert_int_eq(truncate(path, 50), 0);
    ck_assert_int_eq(journal_find(store, r.guest, -1, &got, &err), -1);
    ck_assert_int_eq(err.code, CV_E_STREAM);
}
END_TEST

/* A damaged record may be of any guest, so nobody begins beside it; nor where there is no store to hold. */
START_TEST(nothing_begins_where_nobody_can_tell)
{
    struct cv_journal j = made(CV_ROLE_SOURCE);
    struct cv_journal_record r = record(CV_ROLE_SOURCE);
    char path[128];

    cv_journal_close(&j);
    snprintf(path, sizeof path, "%s/abababababababababababababababab/source", store);
    ck_assert_int_eq(truncate(path, 50), 0);
    r.guest[3] = r.migration[3] = 7; /* somebody else's, as far as anybody knows */
    ck_assert_int_eq(cv_unsettled_begin(&j, store, &r, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    ck_assert_msg(strstr(err.text, "may be this guest's: look where it runs, then remove the record") != NULL, "%s",
                  err.text);
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_eq(cv_unsettled_begin(&j, "/nonexistent/convoy", &r, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_eq(j.lock_fd, -1);
    /* When it is gone, the migration begins. */
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(cv_unsettled_begin(&j, store, &r, NULL, &err), 0);
    cv_journal_close(&j);
}
END_TEST

/* Whoever settles says so to others; the migration itself does not. */
START_TEST(in_whose_hand_it_is)
{
    struct cv_journal j = made(CV_ROLE_SOURCE);
    struct cv_journal_record r = record(CV_ROLE_SOURCE);

    ck_assert(!cv_journal_in_hand(store, r.migration, CV_ROLE_SOURCE));
    cv_journal_close(&j);
    ck_assert_int_eq(cv_journal_open(&j, store, r.migration, CV_ROLE_SOURCE, &err), 0);
    ck_assert(cv_journal_in_hand(store, r.migration, CV_ROLE_SOURCE));
    ck_assert(!cv_journal_in_hand(store, r.migration, CV_ROLE_DESTINATION));
    cv_journal_close(&j);
}
END_TEST

START_TEST(prune_only_what_nobody_asks_for)
{
    struct cv_journal j = made(CV_ROLE_DESTINATION);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_RUNNING, NULL, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_RUNNING_SETTLED, NULL, &err), 0);
    cv_journal_close(&j);
    ck_assert_int_eq(cv_journal_prune(store, UINT64_MAX, 0, &err), 0);
    struct cv_journal_record r = record(CV_ROLE_DESTINATION);
    ck_assert_int_eq(cv_journal_open(&j, store, r.migration, CV_ROLE_DESTINATION, &err), 0);
    ck_assert_int_eq(cv_journal_acknowledge(&j, &err), 0);
    ck_assert_int_eq(cv_journal_prune(store, UINT64_MAX, 0, &err), 0); /* locked */
    cv_journal_close(&j);
    ck_assert_int_eq(cv_journal_prune(store, 0, 0, &err), 0); /* from the future */
    ck_assert_int_eq(cv_journal_prune(store, UINT64_MAX, 0, &err), 1);
    ck_assert_int_eq(cv_journal_read(store, r.migration, CV_ROLE_DESTINATION, &r, &err), -1);
}
END_TEST

START_TEST(identities)
{
    uint8_t a[16], b[16];
    ck_assert_int_eq(cv_journal_store_id(store, a, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(store, b, &err), 0);
    ck_assert_mem_eq(a, b, 16);
    char path[128];
    snprintf(path, sizeof path, "%s/store-id", store);
    ck_assert_int_eq(truncate(path, 3), 0);
    ck_assert_int_eq(cv_journal_store_id(store, b, &err), -1); /* never a new one in its place */
    ck_assert_int_eq(err.code, CV_E_STREAM);
    ck_assert_int_eq(cv_journal_boot_id(a, &err), 0);
    ck_assert_int_eq(cv_id_parse("abc", a), -1);
    ck_assert_int_eq(cv_id_parse("ABababababababababababababababab", a), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, text_round_trip);
    tcase_add_test(t, no_damage_passes);
    tcase_add_test(t, too_long_is_refused);
    tcase_add_test(t, transitions);
    tcase_add_loop_test(t, a_failed_step_leaves_old_or_new, 0, 5);
    tcase_add_loop_test(t, a_dead_writer_leaves_old_or_new_and_no_lock, 0, 10);
    tcase_add_test(t, one_at_a_time);
    tcase_add_loop_test(t, a_failed_beginning_leaves_nothing, 0, 5);
    tcase_add_test(t, one_migration_of_a_guest);
    tcase_add_test(t, of_many_one_begins);
    tcase_add_test(t, missing_leaves_nothing);
    tcase_add_test(t, find_and_damaged);
    tcase_add_test(t, prune_only_what_nobody_asks_for);
    tcase_add_test(t, nothing_begins_where_nobody_can_tell);
    tcase_add_test(t, in_whose_hand_it_is);
    tcase_add_test(t, identities);
    suite_add_tcase(s, t);
    return run_suite(s);
}
