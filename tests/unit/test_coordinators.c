/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Create, save and restore against a model of a host and models of QEMU: every call fails once, and after each failure
 * the world is as the operation promises.  What they do on a real host is seen in tests/e2e. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/fake_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "guest/guest.h"
#include "guest/monitor.h"
#include "restore/restore.h"
#include "save/save.h"

#define EMULATORS 3

struct world {
    struct fake_host *host;
    struct cv_host_dirs dirs;
    char dir[64], config[96], image[96];
    unsigned fds;
};

static void write_config(const char *path, const char *const faults[EMULATORS])
{
    const char *program = getenv("FAKE_QEMU");
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(program);
    fprintf(f, "type=\"hvm\"\nname=\"g\"\nmemory=64\nvnc=0\nserial=\"null\"\ndevice_models=[");
    for (unsigned i = 0; i < EMULATORS; i++)
        fprintf(f, "\"name=dm%u,model=%s,%s,args=[--tag t%u %s]\",\n", i, program, i ? "device=edu" : "default=1", i,
                faults != NULL && faults[i] != NULL ? faults[i] : "");
    fprintf(f, "]\n");
    fclose(f);
}

static void world_begin(struct world *w, const char *const faults[EMULATORS])
{
    memset(w, 0, sizeof *w);
    w->fds = emu_open_fds();
    strcpy(w->dir, "/tmp/convoy-co-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->dir));
    snprintf(w->config, sizeof w->config, "%s/cfg", w->dir);
    snprintf(w->image, sizeof w->image, "%s/image", w->dir);
    w->dirs = (struct cv_host_dirs){ w->dir, w->dir, w->dir, true };
    w->host = fake_host_new();
    w->host->base.dirs = &w->dirs;
    write_config(w->config, faults);
}

/* Names in the folder that begin with one of these belong to nobody after an operation. */
static unsigned leftovers(const struct world *w)
{
    char cmd[256];
    unsigned n = 0;

    snprintf(cmd, sizeof cmd, "ls -A %s | grep -cE '^(qemu-save|qemu-resume|convoy-|\\..*part)'", w->dir);
    FILE *f = popen(cmd, "r");
    ck_assert_int_eq(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static unsigned sockets(const struct world *w)
{
    char cmd[256];
    unsigned n = 0;

    snprintf(cmd, sizeof cmd, "ls -A %s | grep -c '^qmp-'", w->dir);
    FILE *f = popen(cmd, "r");
    ck_assert_int_eq(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static void nothing_is_left(struct world *w)
{
    ck_assert_uint_eq(fake_host_domains(w->host), 0);
    ck_assert_uint_eq(fake_host_nodes(w->host), 0);
    ck_assert_uint_eq(leftovers(w), 0);
    ck_assert_uint_eq(sockets(w), 0);
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), w->fds);
}

static void world_end(struct world *w)
{
    char cmd[128];

    nothing_is_left(w);
    fake_host_free(w->host);
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
    ck_assert_int_eq(system(cmd), 0);
}

static int create(struct world *w, struct cv_guest *g, struct cv_error *err)
{
    struct cv_create_options o = { 0 };
    return cv_guest_create(g, &w->host->base, w->config, &o, NULL, err);
}

static struct fake_domain *make_guest(struct world *w)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(create(w, &g, &err) == 0, "%s", emu_text(&err));
    struct fake_domain *d = w->host->dom[g.domid];
    /* Our children, not the guest's: the set forgets them, the test reaps them in end_guest. */
    cv_guest_dispose(&g);
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        memset(d->ram[i], i % 3 ? (int)i : 0, CV_PAGE_SIZE);
    }
    return d;
}

static void end_guest(struct world *w)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open_to_end(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_guest_destroy(&g, &err) == 0, "%s", emu_text(&err));
    cv_guest_dispose(&g);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void emulators_run(struct world *w)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_wait wait = emu_wait(5000);
    cv_emu_status status[CV_DM_MAX];
    struct cv_guest g;

    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_emuset_connect(&g.set, &wait, NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_emuset_status(&g.set, &wait, status, NULL, &err) == 0, "%s", emu_text(&err));
    for (unsigned i = 0; i < g.layout.count; i++)
        ck_assert_str_eq(status[i], "running");
    cv_guest_dispose(&g);
}

static void start_faults(struct world *w, unsigned n, unsigned more)
{
    w->host->calls = 0;
    w->host->fail_at = n;
    w->host->fail_next_too = more;
    w->host->failed_in = "(none)";
}

static void stop_faults(struct world *w) { w->host->fail_at = 0; }

START_TEST(create_leaves_nothing_behind)
{
    struct world w;

    world_begin(&w, NULL);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest g;

        start_faults(&w, n, 0);
        int rc = create(&w, &g, &err);
        stop_faults(&w);
        if (rc == 0) {
            ck_assert_uint_lt(w.host->calls, n);
            cv_guest_dispose(&g);
            end_guest(&w);
            break;
        }
        ck_assert_msg(strstr(err.text, "injected fault") != NULL || err.code != CV_OK, "%s", err.text);
        nothing_is_left(&w);
    }
    world_end(&w);
}
END_TEST

/* A configuration of one emulator (the model) with these lines. */
static void write_lines(struct world *w, const char *lines)
{
    FILE *f = fopen(w->config, "w");

    fprintf(f, "type=\"hvm\"\nname=\"g\"\nmemory=64\nvnc=0\nserial=\"null\"\n%s\n", lines);
    if (strstr(lines, "device_model") == NULL)
        fprintf(f, "device_model_override=\"%s\"\n", getenv("FAKE_QEMU"));
    fclose(f);
}

static const struct {
    const char *lines, *words;
} unfit[] = {
    { "disk=['/nonexistent/i,raw,hda,w']", "emulator 0 'default': disk hda: image /nonexistent/i" },
    { "disk=['/tmp,raw,hda,w']", "disk hda: image /tmp is neither a file nor a block device" },
    { "disk=['/nonexistent.iso,raw,hdc,cdrom']", "disk hdc: image /nonexistent.iso" },
    { "kernel='/nonexistent/k'", "kernel /nonexistent/k" },
    { "kernel='/bin/sh'\nramdisk='/tmp'", "ramdisk /tmp is neither" },
    { "bios_path_override='/nonexistent/b'", "bios_path_override /nonexistent/b" },
    { "firmware_override='/nonexistent/l'", "firmware_override /nonexistent/l" },
    { "acpi_firmware='/nonexistent/a'", "acpi_firmware /nonexistent/a" },
    { "device_model_override='/nonexistent/q'", "emulator 0 'default': its program /nonexistent/q" },
    { "device_models=['name=n,model=/etc/passwd,device=edu']", "emulator 1 'n': its program /etc/passwd" },
    { "device_models=['name=n,qmp=/s,pid=2147483646']", "emulator 1 'n': there is no process 2147483646 to attach" },
    { "device_model_args=['@{frob}']", "unknown placeholder in '@{frob}'" },
};

START_TEST(what_is_missing_is_said_before_there_is_a_domain)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    struct world w;

    world_begin(&w, NULL);
    write_lines(&w, unfit[_i].lines);
    ck_assert_int_lt(create(&w, &g, &err), 0);
    ck_assert_msg(strstr(err.text, unfit[_i].words) != NULL, "'%s' is not '%s'", err.text, unfit[_i].words);
    ck_assert_ptr_null(w.host->dom[1]);
    world_end(&w);
}
END_TEST

START_TEST(bridges_are_looked_for)
{
    static const char *const bridges[][2] = { { "nobridge0", "there is no bridge nobridge0" },
                                              { "lo", "lo is a network interface, but no bridge" } };
    struct world w;

    world_begin(&w, NULL);
    for (int i = 0; i < 2; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest g = { 0 };
        char line[80];

        snprintf(line, sizeof line, "vif=['bridge=%s']", bridges[i][0]);
        write_lines(&w, line);
        ck_assert_msg(cv_guest_plan(&g, w.config, &err) == 0, "%s", emu_text(&err));
        w.host->base.dirs = &cv_host_dirs_usual;
        g.host = &w.host->base;
        ck_assert_int_lt(cv_guest_check_host(&g, &err), 0);
        ck_assert_msg(strstr(err.text, bridges[i][1]) != NULL, "%s", err.text);
        cv_guest_dispose(&g);
    }
    world_end(&w);
}
END_TEST

START_TEST(a_uuid_is_had_once)
{
    static const char uuid[] = "uuid='11111111-2222-3333-4444-555555555555'";
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    struct world w;

    world_begin(&w, NULL);
    write_lines(&w, uuid);
    make_guest(&w);
    ck_assert_int_lt(create(&w, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "named 'g' exists already (domain 1)") != NULL, "%s", err.text);
    snprintf(w.host->dom[1]->spec.name, CV_NAME_MAX, "other");
    ck_assert_int_lt(create(&w, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "domain 1 'other' has the same uuid") != NULL, "%s", err.text);
    snprintf(w.host->dom[1]->spec.name, CV_NAME_MAX, "g");
    end_guest(&w);
    world_end(&w);
}
END_TEST

START_TEST(every_emulator_has_its_event_channels)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g = { 0 };
    struct world w;

    world_begin(&w, NULL);
    write_lines(&w, "vcpus=128\ndevice_models=['name=a,device=edu','name=b,device=edu']");
    ck_assert_msg(cv_guest_plan(&g, w.config, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(g.spec.max_evtchn_port, 1023 + 2 * 129);
    cv_guest_dispose(&g);
    world_end(&w);
}
END_TEST

static const struct {
    const char *lines;
    int reason;
    bool again;
    unsigned dumps;
} ends[] = {
    { "", CV_SHUTDOWN_POWEROFF, false, 0 },
    { "on_poweroff='restart'", CV_SHUTDOWN_POWEROFF, true, 0 },
    { "", CV_SHUTDOWN_REBOOT, true, 0 },
    { "on_reboot='destroy'", CV_SHUTDOWN_REBOOT, false, 0 },
    { "on_reboot='coredump-restart'", CV_SHUTDOWN_REBOOT, true, 1 },
    { "", CV_SHUTDOWN_CRASH, false, 0 },
    { "on_crash='coredump-destroy'", CV_SHUTDOWN_CRASH, false, 1 },
    { "on_crash='restart'\non_watchdog='destroy'", CV_SHUTDOWN_WATCHDOG, false, 0 },
    { "on_poweroff='destroy'\non_watchdog='restart'", CV_SHUTDOWN_WATCHDOG, true, 0 },
    { "", CV_SHUTDOWN_SOFT_RESET, true, 0 },
    { "on_soft_reset='destroy'", CV_SHUTDOWN_SOFT_RESET, false, 0 },
};

/* Without uuid= and mac= in the configuration: both are the old guest's afterwards, and so is a name given since. */
START_TEST(the_monitor_carries_out_the_end)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    uint8_t uuid[16];
    struct cv_guest g;
    struct world w;
    char *before, *after;

    world_begin(&w, NULL);
    char lines[200];
    snprintf(lines, sizeof lines, "vif=['','model=e1000']\n%s", ends[_i].lines);
    write_lines(&w, lines);
    struct fake_domain *d = make_guest(&w);
    memcpy(uuid, d->spec.uuid, sizeof uuid);
    snprintf(d->spec.name, CV_NAME_MAX, "renamed");
    ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "renamed", NULL, &err), 0);
    ck_assert_int_eq(cv_layout_encode(&g.layout, &before, &err), 0);
    cv_guest_dispose(&g);
    unlink(w.config);
    d->ended = true;
    d->end_reason = ends[_i].reason;
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(next != 0, ends[_i].again);
    ck_assert_uint_eq(w.host->dumps, ends[_i].dumps);
    ck_assert_uint_eq(fake_host_domains(w.host), ends[_i].again);
    if (next != 0) {
        ck_assert_mem_eq(w.host->dom[next]->spec.uuid, uuid, sizeof uuid);
        ck_assert_str_eq(w.host->dom[next]->spec.name, "renamed");
        ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "renamed", NULL, &err), 0);
        ck_assert_int_eq(cv_layout_encode(&g.layout, &after, &err), 0);
        ck_assert_str_eq(after, before);
        free(after);
        cv_guest_dispose(&g);
        snprintf(w.host->dom[next]->spec.name, CV_NAME_MAX, "g");
        end_guest(&w);
    }
    free(before);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    world_end(&w);
}
END_TEST

START_TEST(a_preserved_guest_is_watched_until_it_is_gone)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    struct world w;

    world_begin(&w, NULL);
    write_lines(&w, "on_crash='preserve'");
    struct fake_domain *d = make_guest(&w);
    d->ended = true;
    d->end_reason = CV_SHUTDOWN_CRASH;
    w.host->watch_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    w.host->gone_at_drain = 3;
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(next, 0);
    ck_assert_uint_eq(w.host->gone_at_drain, 0);
    close(w.host->watch_fd);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    ck_assert_uint_eq(emu_children(), 0);      /* its emulators, though xl ended the domain */
    json_object_clear(w.host->store);          /* the model's domain leaves its nodes; Xen's toolstack does not */
    world_end(&w);
}
END_TEST

static int save(struct world *w, bool live, enum cv_save_after after, unsigned threads, struct cv_error *err)
{
    struct cv_save_options o = { .live = live, .mem = { .threads = threads, .codec = CV_CODEC_ZSTD, .level = 1 } };
    return cv_save_to(&w->host->base, "g", w->image, -1, after, &o, NULL, NULL, err);
}

/* row: bit 0 live, bit 1 the guest goes on, bit 2 the call after the failing one (in the undo) fails too. */
START_TEST(save_leaves_the_guest_running)
{
    bool live = _i & 1;
    enum cv_save_after after = _i & 2 ? CV_SAVE_CONTINUE : CV_SAVE_DESTROY;
    static const char older[] = "an older image";
    struct world w;

    world_begin(&w, NULL);
    struct fake_domain *d = make_guest(&w);
    unsigned survived = 0;
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        char text[32] = "";
        size_t len = 0;
        int fd = open(w.image, O_CREAT | O_TRUNC | O_RDWR, 0600);

        ck_assert_int_eq(write(fd, older, sizeof older), sizeof older);
        close(fd);
        start_faults(&w, n, _i & 4 ? 1 : 0);
        int rc = save(&w, live, after, (unsigned)_i % 3, &err);
        bool tripped = w.host->calls >= n;
        stop_faults(&w);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (rc == 0 && !tripped)
            break;
        fd = open(w.image, O_RDONLY);
        len = (size_t)read(fd, text, sizeof text);
        close(fd);
        if (len == sizeof older && memcmp(text, older, sizeof older) == 0) {
            survived++;
            ck_assert_int_lt(rc, 0);
            ck_assert_int_ne(err.code, CV_OK);
            ck_assert(d->exists && !d->paused);
            /* With a fault in the undo as well, the guest may stand still or the log stay on; nothing else is lost. */
            if (!(_i & 4)) {
                ck_assert_msg(!d->suspended, "suspended after a fault in %s", w.host->failed_in);
                ck_assert_msg(!d->logging, "log on after a fault in %s", w.host->failed_in);
                emulators_run(&w);
            } else {
                d->suspended = false;
                d->logging = false;
            }
            ck_assert_uint_eq(leftovers(&w), 0);
            ck_assert_uint_eq(emu_open_fds(), w.fds);
            continue;
        }
        /* Past the commit point the image is there: a fault costs the tidying up at most. */
        ck_assert_uint_gt(len, 0);
        ck_assert_uint_eq(leftovers(&w), 0);
        if (!d->exists) {
            /* ended, though not everything could be removed */
            json_object_clear(w.host->store);
            d = make_guest(&w);
        } else if (_i & 2) {
            d->suspended = d->paused = d->logging = false;
        } else {
            end_guest(&w);
            d = make_guest(&w);
        }
    }
    ck_assert_uint_gt(survived, 20);
    if (after == CV_SAVE_DESTROY)
        ck_assert(!d->exists);
    else
        end_guest(&w);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    world_end(&w);
}
END_TEST

static int restore(struct world *w, const char *path, uint32_t *domid, struct cv_error *err)
{
    struct cv_restore_options o = { .mem = { .threads = 2 } };
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    int rc = cv_restore_from(&w->host->base, fd, &o, NULL, domid, NULL, err);
    close(fd);
    return rc;
}

static void save_one(struct world *w, uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE], bool there[FAKE_PFNS])
{
    struct cv_error err = CV_ERROR_INIT;
    struct fake_domain *d = make_guest(w);

    ck_assert_msg(save(w, true, CV_SAVE_DESTROY, 2, &err) == 0, "%s", emu_text(&err));
    memcpy(ram, d->ram, sizeof d->ram);
    memcpy(there, d->there, sizeof d->there);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

START_TEST(restore_leaves_nothing_behind)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
    struct world w;

    world_begin(&w, NULL);
    save_one(&w, ram, there);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        uint32_t domid = 0;

        start_faults(&w, n, 0);
        int rc = restore(&w, w.image, &domid, &err);
        bool tripped = w.host->calls >= n;
        stop_faults(&w);
        if (rc == 0 && tripped) {
            /* Only what comes after the guest runs may fail and be passed over. */
            end_guest(&w);
            continue;
        }
        if (rc == 0) {
            struct fake_domain *d = w.host->dom[domid];
            ck_assert(d->has_policy && d->has_state && d->introduced && !d->paused);
            for (unsigned i = 0; i < FAKE_PFNS; i++) {
                ck_assert_msg(d->there[i] == there[i], "page %u", i);
                ck_assert_msg(!there[i] || memcmp(d->ram[i], ram[i], CV_PAGE_SIZE) == 0, "page %u differs", i);
            }
            emulators_run(&w);
            end_guest(&w);
            break;
        }
        ck_assert_int_ne(err.code, CV_OK);
        nothing_is_left(&w);
    }
    world_end(&w);
}
END_TEST

/* A damaged image is refused before there is a domain. */
START_TEST(damaged_images_make_no_domain)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
    struct world w;
    char bad[96];
    char *data;
    size_t len;
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w, NULL);
    save_one(&w, ram, there);
    snprintf(bad, sizeof bad, "%s/bad", w.dir);
    ck_assert_int_eq(cv_file_read(w.image, 1 << 24, &data, &len, &err), 0);
    for (unsigned i = 0; i < 120; i++) {
        size_t at = len * i / 120, size = i % 2 ? len : at;
        int fd = open(bad, O_CREAT | O_TRUNC | O_WRONLY, 0600);

        data[at] ^= (char)(1 << (i % 8));
        ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
        close(fd);
        data[at] ^= (char)(1 << (i % 8));
        w.host->calls = 0;
        err = (struct cv_error)CV_ERROR_INIT;
        ck_assert_int_lt(restore(&w, bad, NULL, &err), 0);
        ck_assert_msg(err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION, "%s", err.text);
        ck_assert_msg(w.host->calls == 0, "the host was asked for something: %s", err.text);
        nothing_is_left(&w);
    }
    free(data);
    world_end(&w);
}
END_TEST

/* One emulator fails or dies at one command of a save: the guest goes on with the others, the error names it. */
static const struct { const char *fault; const char *step; bool dies; } emulator_faults[] = {
    { "--fail query-status", "connect", false },
    { "--fail stop", "stop", false },
    { "--fail xen-save-devices-state", "states", false },
    { "--fail xen-set-global-dirty-log", "track", false },
    { "--die-at stop", "stop", true },
    { "--die-at xen-save-devices-state", "states", true },
    { "--garbage-at stop", "stop", false },
};

START_TEST(an_emulator_fails_while_saving)
{
    unsigned dmid = (unsigned)_i % EMULATORS, row = (unsigned)_i / EMULATORS;
    const char *faults[EMULATORS] = { NULL };
    struct cv_error err = CV_ERROR_INIT;
    char name[32];
    struct world w;

    faults[dmid] = emulator_faults[row].fault;
    world_begin(&w, faults);
    struct fake_domain *d = make_guest(&w);
    ck_assert_int_lt(save(&w, true, CV_SAVE_DESTROY, 1, &err), 0);
    snprintf(name, sizeof name, "emulator %u 'dm%u'", dmid, dmid);
    ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, emulator_faults[row].step) != NULL, "%s", err.text);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    ck_assert_uint_eq(leftovers(&w), 0);
    end_guest(&w);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("coordinators");
    TCase *t = tcase_create("faults"), *ends_case = tcase_create("ends");

    tcase_set_timeout(t, 200);
    tcase_set_timeout(ends_case, 200);
    tcase_add_test(t, create_leaves_nothing_behind);
    tcase_add_loop_test(ends_case, what_is_missing_is_said_before_there_is_a_domain, 0, sizeof unfit / sizeof *unfit);
    tcase_add_test(ends_case, bridges_are_looked_for);
    tcase_add_test(ends_case, every_emulator_has_its_event_channels);
    tcase_add_test(ends_case, a_uuid_is_had_once);
    tcase_add_loop_test(ends_case, the_monitor_carries_out_the_end, 0, sizeof ends / sizeof *ends);
    tcase_add_test(ends_case, a_preserved_guest_is_watched_until_it_is_gone);
    tcase_add_loop_test(t, save_leaves_the_guest_running, 0, 8);
    tcase_add_test(t, restore_leaves_nothing_behind);
    tcase_add_test(t, damaged_images_make_no_domain);
    tcase_add_loop_test(t, an_emulator_fails_while_saving, 0,
                        (int)(sizeof emulator_faults / sizeof emulator_faults[0]) * EMULATORS);
    suite_add_tcase(s, ends_case);
    suite_add_tcase(s, t);
    return run_suite(s);
}
