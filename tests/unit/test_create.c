/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Create, and a guest's own end, against a model of a host and models of QEMU: every call fails once; what is missing
 * on the host; what the monitor does.  What they do on a real host is seen in tests/e2e. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "guest/logs.h"
#include "guest/monitor.h"
#include "guest/sweep.h"
#include "host/local.h"

START_TEST(create_leaves_nothing_behind)
{
    struct one_host w;

    one_host_begin(&w, NULL);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest g;

        one_host_faults(&w, n, 0);
        int rc = one_host_create(&w, &g, &err);
        one_host_faults(&w, 0, 0);
        if (rc == 0) {
            ck_assert_uint_lt(w.host->calls, n);
            cv_guest_dispose(&g);
            one_host_destroy(&w);
            break;
        }
        ck_assert_msg(strstr(err.text, "injected fault") != NULL || err.code != CV_OK, "%s", err.text);
        one_host_is_bare(&w);
    }
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static const struct {
    const char *lines, *words;
} unfit[] = {
    { "disk=['/nonexistent/i,raw,xvde,w']", "PV disk xvde: image /nonexistent/i" },
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
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_lines(&w, unfit[_i].lines);
    ck_assert_int_lt(one_host_create(&w, &g, &err), 0);
    ck_assert_msg(strstr(err.text, unfit[_i].words) != NULL, "'%s' is not '%s'", err.text, unfit[_i].words);
    ck_assert_ptr_null(w.host->dom[1]);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_bridge_is_told_from_other_interfaces)
{
    static const struct {
        const char *name, *text;
        enum cv_code code;
    } others[] = { { "nobridge0", "there is no bridge nobridge0", CV_E_NOT_FOUND },
                   { "", "there is no bridge ", CV_E_NOT_FOUND },
                   { "../net/lo", "there is no bridge ../net/lo", CV_E_NOT_FOUND },
                   { "a-name-of-more-than-15-bytes", "there is no bridge a-name-of-more-than-15-bytes",
                     CV_E_NOT_FOUND },
                   { "lo", "lo is a network interface, but no bridge", CV_E_INVALID } };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct cv_error err = CV_ERROR_INIT;

        ck_assert_int_eq(cv_local_bridge(NULL, others[i].name, &err), -1);
        ck_assert_int_eq(err.code, others[i].code);
        ck_assert_str_eq(err.text, others[i].text);
    }
}
END_TEST

static int count_me(void *user, int pid)
{
    unsigned *seen = user;

    *seen += pid == (int)getpid();
    return 0;
}

static int stop_at_once(void *user, int pid)
{
    (void)pid;
    return ++*(unsigned *)user, 1;
}

START_TEST(this_hosts_processes)
{
    struct cv_error err = CV_ERROR_INIT;
    unsigned me = 0, calls = 0;

    EMU_OK(cv_local_processes(NULL, count_me, &me, &err));
    ck_assert_uint_eq(me, 1);
    EMU_OK(cv_local_processes(NULL, stop_at_once, &calls, &err));
    ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(bridges_are_looked_for)
{
    static const char *const lacking[][2] = {
        { "vif=['bridge=br7']", "emulator 0 'default': nic0: there is no bridge br7" },
        { "vif=['type=vif,bridge=br7']", "a PV network card: there is no bridge br7" },
    };
    struct one_host w;

    one_host_begin(&w, NULL);
    w.host->no_bridge = "br7";
    for (int i = 0; i < 2; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest g;

        one_host_lines(&w, lacking[i][0]);
        ck_assert_int_lt(one_host_create(&w, &g, &err), 0);
        ck_assert_msg(strstr(err.text, lacking[i][1]) != NULL, "%s", err.text);
    }
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_uuid_is_had_once)
{
    static const char uuid[] = "uuid='11111111-2222-3333-4444-555555555555'";
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_lines(&w, uuid);
    one_host_guest(&w);
    ck_assert_int_lt(one_host_create(&w, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "domain 1 'g' has the same uuid") != NULL, "%s", err.text);
    snprintf(w.host->dom[1]->spec.name, CV_NAME_MAX, "other");
    ck_assert_int_lt(one_host_create(&w, &g, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "domain 1 'other' has the same uuid") != NULL, "%s", err.text);
    snprintf(w.host->dom[1]->spec.name, CV_NAME_MAX, "g");
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(every_emulator_has_its_event_channels)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g = { 0 };
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_lines(&w, "vcpus=128\ndevice_models=['name=a,device=edu','name=b,device=edu']");
    ck_assert_msg(cv_guest_plan(&g, w.config, NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(g.spec.max_evtchn_port, 1023 + 2 * 129);
    cv_guest_dispose(&g);
    one_host_is_bare(&w);
    one_host_end(&w);
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
    struct one_host w;
    char *before, *after;

    one_host_begin(&w, NULL);
    char lines[200];
    snprintf(lines, sizeof lines, "vif=['','model=e1000']\n%s", ends[_i].lines);
    one_host_lines(&w, lines);
    struct fake_domain *d = one_host_guest(&w);
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
        one_host_destroy(&w);
    }
    free(before);
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_preserved_guest_is_watched_until_it_is_gone)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_lines(&w, "on_crash='preserve'");
    struct fake_domain *d = one_host_guest(&w);
    d->ended = true;
    d->end_reason = CV_SHUTDOWN_CRASH;
    w.host->watch_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    w.host->gone_at_drain = 3;
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(next, 0);
    ck_assert_uint_eq(w.host->gone_at_drain, 0);
    close(w.host->watch_fd);
    reap();
    ck_assert_uint_eq(emu_children(), 0); /* its emulators, though xl ended the domain */
    json_object_clear(w.host->store);     /* the model's domain leaves its nodes; Xen's toolstack does not */
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static off_t log_size(const struct one_host *w, const char *dm, off_t grow)
{
    char path[200];
    struct stat st;

    snprintf(path, sizeof path, "%s/qemu-%s-g.log", w->dirs.log, dm);
    if (grow > 0)
        ck_assert_int_eq(truncate(path, grow), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

/* An emulator that says too much, of a guest that has another name by now. */
START_TEST(a_log_does_not_grow_for_ever)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    struct one_host w;
    char link[200];

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    snprintf(d->spec.name, CV_NAME_MAX, "renamed");
    log_size(&w, "dm0", (off_t)CV_GUEST_LOG_MAX + 1);
    log_size(&w, "dm1", (off_t)CV_GUEST_LOG_MAX);
    /* What is no log is not touched. */
    snprintf(link, sizeof link, "%s/qemu-dm2-g.log", w.dirs.log);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink(w.pv_disk, link), 0);
    ck_assert_int_eq(truncate(w.pv_disk, (off_t)CV_GUEST_LOG_MAX + 1), 0);
    w.host->watch_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    w.host->gone_at_drain = 2;
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    off_t size = log_size(&w, "dm0", 0);
    ck_assert(size > 0 && size < 200);
    ck_assert_int_eq(log_size(&w, "dm1", 0), (off_t)CV_GUEST_LOG_MAX);
    ck_assert_int_eq(log_size(&w, "dm2", 0), (off_t)CV_GUEST_LOG_MAX + 1);
    close(w.host->watch_fd);
    reap();
    json_object_clear(w.host->store);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static void touch(const struct one_host *w, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
}

static bool is_there(const struct one_host *w, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return access(path, F_OK) == 0;
}

/* Domain 1 lives, 5 is gone, and somebody still watches over what is left of 6. */
START_TEST(what_killed_processes_left_is_swept)
{
    static const char *const stay[] = { "qmp-libxl-1-0",     "convoy-gate-1",         "convoy-monitor-1.lock",
                                        "qmp-libxl-6-0",     "convoy-monitor-6.lock", "qmp-libxl-5",
                                        "convoy-gate-5.old", "convoy-monitor-5",      "other" };
    static const char *const go[] = { "qmp-libxl-5-0", "qmp-libxl-5-7", "convoy-gate-5", "convoy-monitor-5.lock",
                                      "convoy-monitor-7.lock" };
    char path[200];
    struct one_host w;

    one_host_begin(&w, NULL);
    fake_host_add_guest(w.host, "one");
    for (unsigned i = 0; i < sizeof stay / sizeof *stay; i++)
        touch(&w, stay[i]);
    for (unsigned i = 0; i < sizeof go / sizeof *go; i++)
        touch(&w, go[i]);
    snprintf(path, sizeof path, "%s/convoy-monitor-6.lock", w.dir);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    cv_guest_sweep_stale(&w.host->base);
    for (unsigned i = 0; i < sizeof stay / sizeof *stay; i++)
        ck_assert_msg(is_there(&w, stay[i]), "%s is gone", stay[i]);
    for (unsigned i = 0; i < sizeof go / sizeof *go; i++)
        ck_assert_msg(!is_there(&w, go[i]), "%s is left", go[i]);
    close(lock);
    w.others = 1;
    one_host_end(&w);
}
END_TEST

/* A monitor that was killed leaves its lock; the next one, of whatever guest, takes it away, and its own. */
START_TEST(a_monitor_sweeps_and_leaves_nothing)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    d->ended = true;
    d->end_reason = CV_SHUTDOWN_POWEROFF;
    w.host->watch_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    touch(&w, "convoy-monitor-5.lock");
    touch(&w, "convoy-gate-5");
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    close(w.host->watch_fd);
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A killed monitor's lock goes with its guest; one that somebody holds is his to take away. */
START_TEST(the_lock_of_a_killed_monitor_goes_with_its_guest)
{
    char path[200];
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_guest(&w);
    touch(&w, "convoy-monitor-1.lock");
    snprintf(path, sizeof path, "%s/convoy-monitor-1.lock", w.dir);
    CV_AUTO_FD lock = _i ? open(path, O_RDWR | O_CLOEXEC) : -1;
    ck_assert(!_i || flock(lock, LOCK_EX) == 0);
    one_host_destroy(&w);
    ck_assert_int_eq(is_there(&w, "convoy-monitor-1.lock"), _i);
    unlink(path);
    cv_fd_dispose(&lock);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* ---- unpause ----------------------------------------------------------------------------------------------------- */

static struct cv_host_ops unpause_hooks;
static int (*real_unpause)(struct cv_host *, uint32_t, struct cv_error *);

/* Somebody else is faster: ours finds nothing that is paused. */
static int unpaused_meanwhile(struct cv_host *h, uint32_t domid, struct cv_error *err)
{
    ck_assert_int_eq(real_unpause(h, domid, err), 0);
    return real_unpause(h, domid, err);
}

static int unpause(struct one_host *w, bool *ran_out, struct cv_error *err)
{
    struct cv_domain_info d;

    *ran_out = false;
    ck_assert_int_eq(w->host->base.ops->find(&w->host->base, "g", &d, err), 0);
    return cv_guest_unpause(&w->host->base, &d, ran_out, NULL, err);
}

/* "Invalid argument" is what Xen says of one that runs, and of one that has ended. */
START_TEST(unpause_says_what_the_guest_does)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    bool ran;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_eq(unpause(&w, &ran, &err), 0);
    ck_assert(ran);
    d->paused = true;
    ck_assert_int_eq(unpause(&w, &ran, &err), 0);
    ck_assert(!ran && !d->paused);
    const struct cv_host_ops *plain = w.host->base.ops;
    unpause_hooks = *plain;
    real_unpause = plain->unpause;
    unpause_hooks.unpause = unpaused_meanwhile;
    w.host->base.ops = &unpause_hooks;
    d->paused = true;
    ck_assert_int_eq(unpause(&w, &ran, &err), 0);
    ck_assert(ran && !d->paused);
    w.host->base.ops = plain;
    d->ended = true;
    d->end_reason = CV_SHUTDOWN_CRASH;
    ck_assert_int_lt(unpause(&w, &ran, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_str_eq(err.text, "domain 1 has ended (it crashed): it does not go on, and can be destroyed");
    one_host_destroy(&w);
    one_host_end(&w);
}
END_TEST

/* A save was killed: the guest is suspended, and its monitor may have been asked to go on trying. */
START_TEST(unpause_lets_a_suspended_guest_go_on)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    struct cv_guest g;
    char *value = NULL;
    bool ran;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    struct cv_host *h = &w.host->base;
    d->suspended = true;
    d->paused = _i == 1;
    ck_assert_int_eq(cv_guest_open_domain(&g, h, d->domid, NULL, &err), 0);
    ck_assert_int_eq(cv_guest_leave_to_monitor(&g, &err), 0);
    cv_guest_dispose(&g);
    ck_assert_msg(unpause(&w, &ran, &err) == 0, "%s", emu_text(&err));
    ck_assert(!ran && !d->suspended && !d->paused);
    ck_assert_int_eq(h->ops->xs_read(h, "/local/domain/0/dms/1/go-on", &value, &err), 0);
    ck_assert_ptr_null(value);
    one_host_emulators_run(&w);
    one_host_destroy(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_monitor_that_does_not_start_is_an_error)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_monitor_spawn("/no/such/program", 1, "g", &err), -1);
    ck_assert_str_eq(emu_text(&err), "the guest's monitor: start /no/such/program: No such file or directory");
    ck_assert_int_eq(cv_monitor_spawn("/bin/true", 1, "g", &err), 0);
}
END_TEST

/* A disk in the model's words, as if it had been attached. */
static void attach(struct fake_domain *d)
{
    json_t *o = json_loads(d->devices, 0, NULL);

    json_array_append_new(json_object_get(o, "disks"), json_pack("{s:s,s:s,s:s,s:i}", "pdev_path", "/dev/null", "vdev",
                                                                 "xvdz", "script", "x", "readwrite", 1));
    free(d->devices);
    d->devices = json_dumps(o, 0);
    d->device_count++;
    json_decref(o);
}

START_TEST(what_was_attached_is_there_after_a_reboot)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t next = 0;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_uint_eq(d->device_count, 2);
    ck_assert_ptr_nonnull(strstr(d->devices, "\"xvde\""));
    attach(d);
    d->ended = true;
    d->end_reason = CV_SHUTDOWN_REBOOT;
    w.host->watch_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ck_assert_msg(cv_monitor_run(&w.host->base, d->domid, NULL, NULL, &next, &err) == 0, "%s", emu_text(&err));
    close(w.host->watch_fd);
    ck_assert_uint_ne(next, 0);
    ck_assert_uint_eq(w.host->dom[next]->device_count, 3);
    ck_assert_ptr_nonnull(strstr(w.host->dom[next]->devices, "\"xvdz\""));
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("create");
    TCase *t = tcase_create("create");

    tcase_set_timeout(t, 200);
    tcase_add_test(t, create_leaves_nothing_behind);
    tcase_add_loop_test(t, what_is_missing_is_said_before_there_is_a_domain, 0, sizeof unfit / sizeof *unfit);
    tcase_add_test(t, a_bridge_is_told_from_other_interfaces);
    tcase_add_test(t, this_hosts_processes);
    tcase_add_test(t, bridges_are_looked_for);
    tcase_add_test(t, every_emulator_has_its_event_channels);
    tcase_add_test(t, a_uuid_is_had_once);
    tcase_add_loop_test(t, the_monitor_carries_out_the_end, 0, sizeof ends / sizeof *ends);
    tcase_add_test(t, a_log_does_not_grow_for_ever);
    tcase_add_test(t, a_preserved_guest_is_watched_until_it_is_gone);
    tcase_add_test(t, what_killed_processes_left_is_swept);
    tcase_add_test(t, a_monitor_sweeps_and_leaves_nothing);
    tcase_add_loop_test(t, the_lock_of_a_killed_monitor_goes_with_its_guest, 0, 2);
    tcase_add_test(t, unpause_says_what_the_guest_does);
    tcase_add_loop_test(t, unpause_lets_a_suspended_guest_go_on, 0, 2);
    tcase_add_test(t, a_monitor_that_does_not_start_is_an_error);
    tcase_add_test(t, what_was_attached_is_there_after_a_reboot);
    suite_add_tcase(s, t);
    return run_suite(s);
}
