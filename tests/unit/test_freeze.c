/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command that runs while guest and emulators stand still: what it sees, how it fails, and what is left then. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/clock.h"
#include "restore/restore.h"
#include "save/save.h"
#include "stream-format/bodies.h"

static struct cv_hook hook(const char *command)
{
    return (struct cv_hook){ .command = command, .timeout_ms = 20000, .output_max = 100 };
}

START_TEST(output_and_environment)
{
    static const char *const more[] = { "CONVOY_X=it's", NULL };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_hook_result r;
    struct cv_hook h = hook("cat; printf '%s|' \"$CONVOY_X\" \"${PATH:+path}\"; echo to stderr >&2");

    h.more = more;
    ck_assert_msg(cv_hook_run(&h, &r, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.output.len, strlen("it's|path|"));
    ck_assert_int_eq(memcmp(r.output.data, "it's|path|", r.output.len), 0);
    ck_assert(!r.cut && r.ns > 0);
    cv_buf_dispose(&r.output);
    ck_assert_uint_eq(emu_children(), 0);
}
END_TEST

/* More than a pipe holds, and more than is kept; and a shell that ends while something else has its output open (but
 * not the error output: whoever runs this test waits until nobody has that). */
START_TEST(much_output_and_what_goes_on_in_the_background)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_hook_result r;
    struct cv_hook h = hook("head -c 300000 /dev/zero | tr '\\0' x; sleep 20 2>/dev/null & echo $!");
    unsigned fds = emu_open_fds();
    int64_t begin = cv_now_ms();

    ck_assert_msg(cv_hook_run(&h, &r, &err) == 0, "%s", err.text);
    ck_assert_int_lt(cv_now_ms() - begin, 15000);
    ck_assert_uint_eq(r.output.len, 100);
    ck_assert(r.cut);
    cv_buf_dispose(&r.output);
    h = hook("sleep 1000 2>/dev/null & echo $!");
    ck_assert_msg(cv_hook_run(&h, &r, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_buf_append(&r.output, "", 1, NULL), 0);
    ck_assert_msg(kill(atoi((char *)r.output.data), SIGKILL) == 0, "what it left in the background was ended");
    cv_buf_dispose(&r.output);
    ck_assert_uint_eq(emu_open_fds(), fds);
}
END_TEST

static void fails(struct cv_hook h, enum cv_code code, const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_hook_result r;
    unsigned fds = emu_open_fds();

    ck_assert_int_lt(cv_hook_run(&h, &r, &err), 0);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    cv_buf_dispose(&r.output);
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), fds);
}

static void *cancel_soon(void *arg)
{
    char byte;
    int *pipe_fd = arg;

    /* The command says that it runs. */
    ck_assert_int_eq(read(pipe_fd[0], &byte, 1), 1);
    cv_cancel_request((struct cv_cancel *)(uintptr_t)((uintptr_t *)arg)[1]);
    return NULL;
}

START_TEST(ways_to_fail)
{
    struct cv_hook h = hook("echo doomed; exit 3");
    struct cv_cancel cancel;
    struct cv_error err = CV_ERROR_INIT;
    pthread_t thread;
    int ends[2];
    char command[100];

    fails(h, CV_E_IO, "it ended with status 3");
    fails(hook("kill -9 $$"), CV_E_IO, "it was killed by signal 9");
    fails(hook("/no/such/program"), CV_E_IO, "it ended with status 127");
    /* It and what it started are killed: the process group. */
    h = hook("sleep 1000 & sleep 1000");
    h.timeout_ms = 1000;
    fails(h, CV_E_TIMEOUT, "it took longer than 1 s and was killed");
    /* One that ignores every signal that can be ignored. */
    h = hook("trap '' TERM INT HUP; while :; do sleep 1000; done");
    h.timeout_ms = 1000;
    fails(h, CV_E_TIMEOUT, "killed");
    ck_assert_int_eq(cv_cancel_init(&cancel, &err), 0);
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(command, sizeof command, "echo >&%d; sleep 1000", ends[1]);
    uintptr_t arg[2] = { 0, (uintptr_t)&cancel };
    memcpy(arg, &ends[0], sizeof ends[0]);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, arg), 0);
    h = hook(command);
    h.cancel = &cancel;
    fails(h, CV_E_CANCELLED, "");
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
    cv_cancel_dispose(&cancel);
}
END_TEST

static struct cv_save_options options(bool live, const char *command)
{
    return (struct cv_save_options){ .live = live,
                                     .at_freeze = command,
                                     .freeze_timeout_ms = 1000,
                                     .emulator_timeout_ms = 5000,
                                     .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
}

static void guest_runs(struct one_host *w, const struct fake_domain *d)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_wait wait = emu_wait(5000);
    cv_emu_status status[CV_DM_MAX];
    struct cv_guest g;

    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_emuset_connect(&g.set, &wait, NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(cv_emuset_status(&g.set, &wait, status, NULL, &err), 0);
    for (unsigned i = 0; i < g.layout.count; i++)
        ck_assert_str_eq(status[i], "running");
    cv_guest_dispose(&g);
}

/* row: bit 0 live, bit 1: it hangs. */
START_TEST(a_command_that_fails_costs_no_guest)
{
    struct cv_save_options o = options(_i & 1, _i & 2 ? "sleep 1000" : "exit 9");
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_lt(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    ck_assert_int_eq(err.code, _i & 2 ? CV_E_TIMEOUT : CV_E_IO);
    ck_assert_msg(strstr(err.text, "step 'freeze': command '") != NULL, "%s", err.text);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    ck_assert_uint_eq(one_host_leftovers(&w), 0);
    guest_runs(&w, d);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* The record FREEZE of an image. */
static void read_freeze(const char *path, char *command, char *output, size_t size)
{
    struct cv_reader_options ro = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_RECORD rec = { 0 };
    struct cv_rec_freeze f;
    struct cv_reader *r;
    int fd = open(path, O_RDONLY | O_CLOEXEC), n, found = 0;

    ck_assert_int_eq(cv_reader_new(&r, fd, &ro, &err), 0);
    while ((n = cv_reader_next(r, &rec, &err)) > 0) {
        if (rec.raw_type != CV_REC_FREEZE)
            continue;
        ck_assert_int_eq(cv_rec_freeze_decode(&f, rec.body.data, rec.body.len, &err), 0);
        snprintf(command, size, "%.*s", (int)f.command_len, f.command);
        snprintf(output, size, "%.*s", (int)f.output_len, f.output);
        found++;
    }
    ck_assert_msg(n == 0, "%s", err.text);
    ck_assert_int_eq(found, 1);
    cv_reader_free(r);
    close(fd);
}

START_TEST(what_it_printed_is_in_the_image)
{
    const char *command = "printf '%s %s %s\n%s\n\\377' $CONVOY_DOMID $CONVOY_NAME $CONVOY_UUID \"$CONVOY_DISKS\"";
    struct cv_save_options o = options(true, command);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_save_report report;
    char ran[4096], printed[4096], line[512], path[160];
    struct one_host w;

    one_host_begin(&w, NULL);
    snprintf(path, sizeof path, "%s/disk", w.dir);
    /* hda: an emulator's, and PV beside it; xvde: PV alone. */
    snprintf(line, sizeof line, "disk=[\"format=raw,vdev=hda,access=rw,target=%s\",\"%s2,raw,xvde,w\"]", path, path);
    for (int i = 0; i < 2; i++) {
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
        close(fd);
        strcat(path, i == 0 ? "2" : "");
    }
    path[strlen(path) - 1] = '\0';
    one_host_lines(&w, line);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_msg(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &o, NULL, &report, &err) == 0, "%s",
                  emu_text(&err));
    ck_assert_int_gt(report.freeze_ns, 0);
    guest_runs(&w, d);
    read_freeze(w.image, ran, printed, sizeof ran);
    ck_assert_str_eq(ran, command);
    snprintf(line, sizeof line, "%u g ", d->domid);
    ck_assert_msg(strncmp(printed, line, strlen(line)) == 0, "%s", printed);
    snprintf(line, sizeof line, "\"path\":\"%s\"", path);
    ck_assert_msg(strstr(printed, line) != NULL, "%s", printed);
    const char *hda = strstr(printed, "\"vdev\":\"hda\""), *xvde = strstr(printed, "\"vdev\":\"xvde\"");
    ck_assert_ptr_nonnull(hda);
    ck_assert_ptr_null(strstr(hda + 1, "\"vdev\":\"hda\""));
    ck_assert_ptr_nonnull(xvde);
    ck_assert_ptr_nonnull(strstr(xvde, "\"dmid\":null,\"emulator\":null"));
    ck_assert_ptr_nonnull(strstr(printed, "\"format\":\"raw\""));
    ck_assert_int_eq(printed[strlen(printed) - 1], '?');
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* Every call of the host fails once; then none does. */
START_TEST(quiesce_sweep)
{
    struct cv_save_options o = options(false, "echo snap");
    struct one_host w;
    unsigned failures = 0;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_save_report report;
        struct cv_buf out;

        one_host_faults(&w, n, 0);
        int rc = cv_save_quiesce(&w.host->base, "g", &o, NULL, &report, &out, &err);
        bool tripped = w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        if (rc < 0)
            failures++;
        else
            ck_assert(out.len == 5 && memcmp(out.data, "snap\n", 5) == 0);
        cv_buf_dispose(&out);
        guest_runs(&w, d);
        ck_assert_uint_eq(one_host_leftovers(&w), 0);
        ck_assert_uint_eq(emu_open_fds(), w.fds);
        if (!tripped)
            break;
    }
    ck_assert_uint_gt(failures, 3);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static int restore_with(struct one_host *w, const struct cv_restore_disk *disks, unsigned count, struct cv_error *err)
{
    struct cv_restore_options o = { .disks = disks, .disk_count = count, .mem = { .threads = 1 } };
    uint32_t domid;
    int fd = open(w->image, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    int rc = cv_restore_from(&w->host->base, fd, &o, NULL, &domid, NULL, err);
    close(fd);
    return rc;
}

static void write_disk(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
    close(fd);
}

START_TEST(restored_on_other_disks)
{
    struct cv_save_options o = options(false, NULL);
    struct cv_error err = CV_ERROR_INIT;
    char disk[160], copy[160], line[300];
    struct cv_guest g;
    struct one_host w;

    one_host_begin(&w, NULL);
    snprintf(disk, sizeof disk, "%s/disk", w.dir);
    snprintf(copy, sizeof copy, "%s/copy", w.dir);
    write_disk(disk);
    snprintf(line, sizeof line, "disk=[\"format=raw,vdev=hda,access=rw,target=%s\"]", disk);
    one_host_lines(&w, line);
    one_host_guest(&w);
    ck_assert_msg(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_DESTROY, &o, NULL, NULL, &err) == 0, "%s",
                  emu_text(&err));
    reap();
    const struct cv_restore_disk wrong = { "xvdz", copy }, right = { "hda", copy };
    const struct cv_restore_disk twice[] = { { "hda", copy }, { "hda", disk } };
    ck_assert_int_lt(restore_with(&w, &wrong, 1, &err), 0);
    ck_assert_msg(strstr(err.text, "no disk 'xvdz' (it has: hda)") != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    ck_assert_int_lt(restore_with(&w, twice, 2, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INVALID);
    ck_assert_int_lt(restore_with(&w, &right, 1, &err), 0); /* the copy is not there */
    ck_assert_msg(strstr(err.text, copy) != NULL, "%s", err.text);
    one_host_is_bare(&w);
    write_disk(copy);
    unlink(disk);
    ck_assert_msg(restore_with(&w, &right, 1, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "g", NULL, &err), 0);
    unsigned found = 0;
    for (unsigned i = 0; i < g.layout.dms[0].device_count; i++)
        found += strcmp(g.layout.dms[0].devices[i].path, copy) == 0;
    ck_assert_uint_eq(found, 1);
    cv_guest_dispose(&g);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A cancel that comes when the image is complete: the guest goes on all the same. */
static struct cv_cancel late;

static void cancel_at_durable(struct cv_sink *sink, const char *text)
{
    (void)sink;
    if (strstr(text, "\"durable\"") != NULL)
        cv_cancel_request(&late);
}

START_TEST(cancelled_when_it_is_too_late)
{
    struct cv_save_options o = options(false, NULL);
    struct cv_sink sink = { .event = cancel_at_durable };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_eq(cv_cancel_init(&late, &err), 0);
    o.cancel = &late;
    ck_assert_msg(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &o, &sink, NULL, &err) == 0, "%s",
                  emu_text(&err));
    guest_runs(&w, d);
    cv_cancel_dispose(&late);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("freeze");
    TCase *t = tcase_create("freeze");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, output_and_environment);
    tcase_add_test(t, much_output_and_what_goes_on_in_the_background);
    tcase_add_test(t, ways_to_fail);
    tcase_add_loop_test(t, a_command_that_fails_costs_no_guest, 0, 4);
    tcase_add_test(t, what_it_printed_is_in_the_image);
    tcase_add_test(t, quiesce_sweep);
    tcase_add_test(t, restored_on_other_disks);
    tcase_add_test(t, cancelled_when_it_is_too_late);
    suite_add_tcase(s, t);
    return run_suite(s);
}
