/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emu_fixture.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "emulators/state_memory.h"

unsigned emu_open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

unsigned emu_children(void)
{
    siginfo_t info = { 0 };

    /* any child, ended or not, is one too many */
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

const char *emu_text(const struct cv_error *err)
{
    static char buf[800];

    return cv_error_string(err, buf, sizeof buf);
}

struct cv_emu_wait emu_wait(int timeout_ms) { return (struct cv_emu_wait){ .deadline_ms = cv_after_ms(timeout_ms) }; }

static const char *program(void)
{
    const char *path = getenv("FAKE_QEMU");

    ck_assert_msg(path != NULL, "FAKE_QEMU must be the fake-qemu program (ctest sets it)");
    return path;
}

static void write_config(char *text, size_t len, unsigned n, const char *const faults[CV_DM_MAX])
{
    size_t at =
        (size_t)snprintf(text, len, "type=\"hvm\"\nname=\"g\"\nmemory=64\nvnc=0\nserial=\"null\"\ndevice_models=[");

    for (unsigned i = 0; i < n; i++) {
        const char *more = faults != NULL && faults[i] != NULL ? faults[i] : "";
        at += (size_t)snprintf(text + at, len - at, "\"name=%s%u,model=%s,%s%s,args=[--tag tag%u %s]\",\n",
                               i ? "dm" : "main", i, program(), i ? "device=edu" : "default=1", "", i, more);
    }
    snprintf(text + at, len - at, "]\n");
}

void emu_write_rules(char *path, size_t len, const char *dir)
{
    snprintf(path, len, "%s/emulators.conf", dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fchmod(fileno(f), 0600), 0);
    fprintf(f, "program = %s\nsecondaries_as_root = 1\n", program());
    ck_assert_int_eq(fclose(f), 0);
}

static int open_null(void *user, const char *ifname, const char *bridge, struct cv_error *err)
{
    (void)user, (void)ifname, (void)bridge;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : cv_fail(err, CV_E_IO, errno, "open /dev/null");
}

void emu_fixture_begin(struct emu_fixture *f, unsigned n, const char *const faults[CV_DM_MAX])
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout_host host = { .default_model = "/nonexistent" };
    char text[8192];

    memset(f, 0, sizeof *f);
    f->fds_before = emu_open_fds();
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        f->states[i] = -1;
    strcpy(f->dir, "/tmp/convoy-emu-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    write_config(text, sizeof text, n, faults);
    ck_assert_msg(cv_guest_config_parse(text, strlen(text), "test.cfg", &f->config, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_layout_decide(&f->config, &host, &f->layout, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(f->layout.count, n);
    ck_assert_int_eq(cv_emuset_init(&f->set, &f->layout, 7, NULL, &err), 0);
}

int emu_fixture_start(struct emu_fixture *f, enum cv_spawn_mode mode, int timeout_ms, struct cv_error *err)
{
    static const struct cv_emu_rules rules = { .as_root = true };
    struct cv_spawn_options opt = {
        .mode = mode, .guest_name = "g", .run_dir = f->dir, .log_dir = f->dir, .rules = &rules, .tap = open_null
    };
    struct cv_emu_wait w = emu_wait(timeout_ms);

    return cv_emuset_start(&f->set, &f->layout, &opt, &w, err);
}

void emu_fixture_states(struct emu_fixture *f, bool create)
{
    struct cv_error err = CV_ERROR_INIT;

    for (unsigned i = 0; i < f->layout.count; i++) {
        if (!create) {
            ck_assert_int_eq(lseek(f->states[i], 0, SEEK_SET), 0);
            continue;
        }
        cv_fd_dispose(&f->states[i]);
        f->states[i] = cv_state_memory(i, &err);
        ck_assert_int_ge(f->states[i], 0);
    }
}

static void check_no_sockets(const struct emu_fixture *f)
{
    char path[320];
    struct dirent *e;
    DIR *d = opendir(f->dir);

    while ((e = readdir(d)) != NULL) {
        ck_assert_msg(strncmp(e->d_name, "qmp-", 4) != 0, "%s is left", e->d_name);
        ck_assert_msg(strncmp(e->d_name, "convoy-", 7) != 0, "%s is left", e->d_name);
        snprintf(path, sizeof path, "%s/%s", f->dir, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(f->dir);
}

void emu_fixture_must_start(struct emu_fixture *f, enum cv_spawn_mode mode)
{
    struct cv_error err = CV_ERROR_INIT;

    EMU_OK(emu_fixture_start(f, mode, 10000, &err));
}

void emu_fixture_end(struct emu_fixture *f)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(cv_emuset_kill(&f->set, &err) == 0, "%s", emu_text(&err));
    check_no_sockets(f);
    cv_emuset_dispose(&f->set);
    cv_layout_dispose(&f->layout);
    cv_guest_config_dispose(&f->config);
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&f->states[i]);
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), f->fds_before);
}
