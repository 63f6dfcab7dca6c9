/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is when it is saved, not what it was made from, is what is restored: vCPUs, discs, balloon; and what
 * cannot be restored is refused before the guest is touched.  Models; on a real host: tests/e2e/as-it-is. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "restore/restore.h"
#include "save/save.h"

/* A guest of one emulator: 1 of 4 vCPUs, a disk, a CD drive with disc a and an empty one; acts: of
 * tests/support/fake_machine.h, an @ in them is the folder. */
static struct fake_domain *begin(struct one_host *w, const char *acts)
{
    char lines[2000], args[300];

    one_host_begin(w, NULL);
    for (const char *name = "abd"; *name; name++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%c", w->dir, *name);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        ck_assert_int_eq(ftruncate(fd, 4096), 0);
        close(fd);
    }
    int plain = (int)strcspn(acts, "@");
    snprintf(args, sizeof args, "%.*s%s%s", plain, acts, acts[plain] ? w->dir : "",
             acts[plain] ? acts + plain + 1 : "");
    snprintf(lines, sizeof lines,
             "uuid=\"11112222-3333-4444-5555-666677778888\"\nvcpus=1\nmaxvcpus=4\n"
             "disk=['%s/d,raw,hda,w','%s/a,raw,hdc,cdrom',',raw,hdd,cdrom']\n"
             "device_models=[\"name=main,model=%s,default=1,args=[--tag t %s]\"]",
             w->dir, w->dir, getenv("FAKE_QEMU"), args);
    one_host_lines(w, lines);
    return one_host_guest(w);
}

static void end(struct one_host *w)
{
    one_host_destroy(w);
    one_host_is_bare(w);
    one_host_end(w);
}

static int save(struct one_host *w, struct cv_save_options *o, struct cv_error *err)
{
    o->mem = (struct cv_mem_options){ .threads = 1, .codec = CV_CODEC_NONE };
    o->emulator_timeout_ms = 5000;
    int rc = cv_save_to(&w->host->base, "g", w->image, -1, CV_SAVE_DESTROY, o, NULL, NULL, err);
    reap();
    return rc;
}

static struct fake_domain *restore(struct one_host *w)
{
    struct cv_restore_options o = { .mem = { .threads = 1 } };
    struct cv_error err = CV_ERROR_INIT;
    uint32_t domid = 0;
    int fd = open(w->image, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(cv_restore_from(&w->host->base, fd, &o, NULL, &domid, NULL, &err) == 0, "%s", emu_text(&err));
    close(fd);
    return w->host->dom[domid];
}

static struct fake_domain *save_and_restore(struct one_host *w)
{
    struct cv_save_options o = { 0 };
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(save(w, &o, &err) == 0, "%s", emu_text(&err));
    return restore(w);
}

static void goes_on(struct one_host *w, const struct fake_domain *d)
{
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    ck_assert_int_ne(access(w->image, F_OK), 0);
    ck_assert_uint_eq(one_host_leftovers(w), 0);
}

static const char *node(struct one_host *w, uint32_t domid, const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "/local/domain/%u/%s", domid, name);
    const char *v = json_string_value(json_object_get(w->host->store, path));
    return v ? v : "(none)";
}

static void set_node(struct one_host *w, uint32_t domid, const char *name, const char *value)
{
    char path[96];

    snprintf(path, sizeof path, "/local/domain/%u/%s", domid, name);
    json_object_set_new(w->host->store, path, json_string(value));
}

/* Does the guest's emulator have this argument? */
static bool has_argument(struct one_host *w, const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    bool any = false;

    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    for (size_t i = 0; i < g.layout.dms[0].argv.count; i++)
        any = any || strcmp(g.layout.dms[0].argv.items[i], text) == 0;
    cv_guest_dispose(&g);
    return any;
}

/* clang-format off */
static const struct { const char *acts, *arguments[2]; } plugged[] = {
    { "", { "1,maxcpus=4" } },
    { "--plug-cpu 1", { "2,maxcpus=4" } },
    { "--plug-cpu 2 --plug-cpu 1", { "3,maxcpus=4" } },
    { "--plug-cpu 3 --plug-cpu 1", { "2,maxcpus=4", "qemu32-i386-cpu,core-id=0,thread-id=0,socket-id=3" } },
};
/* clang-format on */

/* A second time, too: what was plugged is not plugged twice. */
START_TEST(vcpus_that_were_plugged)
{
    struct one_host w;

    begin(&w, plugged[_i].acts);
    save_and_restore(&w);
    save_and_restore(&w);
    for (unsigned i = 0; i < 2 && plugged[_i].arguments[i] != NULL; i++)
        ck_assert_msg(has_argument(&w, plugged[_i].arguments[i]), "no %s", plugged[_i].arguments[i]);
    end(&w);
}
END_TEST

static void disc_is(struct one_host *w, const char *vdev, const char *path)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    const struct cv_layout_dm *dm = &g.layout.dms[0];
    for (unsigned i = 0; i < dm->device_count; i++)
        if (strcmp(dm->devices[i].vdev, vdev) == 0) {
            ck_assert_str_eq(dm->devices[i].path, path);
            /* what libxl calls it, with a disc or without */
            ck_assert_str_eq(dm->devices[i].id, vdev[2] == 'c' ? "ide-5632" : "ide-5696");
            ck_assert_int_eq(strstr(dm->devices[i].arg, ",drive=ide-56") != NULL, *path != '\0');
        }
    cv_guest_dispose(&g);
}

/* What libxl is told of the drive: xl's cd-insert and cd-eject go by it. */
static void libxl_has(struct one_host *w, const struct fake_domain *d, const char *vdev, const char *path)
{
    json_t *o = json_loads(w->host->dom[d->domid]->devices, 0, NULL), *disk;
    bool found = false;
    size_t i;

    json_array_foreach(json_object_get(o, "disks"), i, disk)
    {
        if (strcmp(json_string_value(json_object_get(disk, "vdev")), vdev) != 0)
            continue;
        const char *has = json_string_value(json_object_get(disk, "pdev_path"));
        found = true;
        ck_assert_int_eq(json_integer_value(json_object_get(disk, "is_cdrom")), 1);
        ck_assert_str_eq(has != NULL ? has : "", path);
        ck_assert_str_eq(json_string_value(json_object_get(disk, "format")), *path ? "raw" : "empty");
    }
    json_decref(o);
    ck_assert(found);
}

static void unlink_in(struct one_host *w, const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(an_ejected_disc_stays_out)
{
    struct one_host w;

    begin(&w, "--eject ide-5632");
    unlink_in(&w, "a");
    libxl_has(&w, save_and_restore(&w), "hdc", "");
    disc_is(&w, "hdc", "");
    ck_assert(has_argument(&w, "ide-cd,id=ide-5632,bus=ide.1,unit=0"));
    save_and_restore(&w);
    disc_is(&w, "hdc", "");
    end(&w);
}
END_TEST

/* In the drive that had one, and in the one that was empty. */
START_TEST(another_disc)
{
    const char *drive = _i ? "hdd" : "hdc";
    char path[96];
    struct one_host w;

    begin(&w, _i ? "--disc ide-5696=@/b" : "--disc ide-5632=@/b");
    snprintf(path, sizeof path, "%s/b", w.dir);
    struct fake_domain *d = save_and_restore(&w);
    if (_i == 0) /* it is not told of a drive that was empty */
        libxl_has(&w, d, drive, path);
    disc_is(&w, drive, path);
    save_and_restore(&w);
    disc_is(&w, drive, path);
    end(&w);
}
END_TEST

/* xl.cfg may name a disc as seen from a folder, and xl tells its emulator no more than that. */
START_TEST(a_disc_that_is_named_from_a_folder)
{
    char path[96];
    struct one_host w;

    begin(&w, "--disc ide-5632=.@/b"); /* the emulator's folder is the root */
    snprintf(path, sizeof path, "/.%s/b", w.dir);
    libxl_has(&w, save_and_restore(&w), "hdc", path);
    disc_is(&w, "hdc", path);
    end(&w);
}
END_TEST

START_TEST(a_disc_whose_file_is_gone)
{
    struct cv_save_options o = { .live = _i };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    struct fake_domain *d = begin(&w, "");
    unlink_in(&w, "a");
    ck_assert_int_lt(save(&w, &o, &err), 0);
    ck_assert_msg(err.code == CV_E_UNSUPPORTED && strstr(err.text, "emulator 0 'main': disk hdc: the file") != NULL,
                  "%s", emu_text(&err));
    goes_on(&w, d);
    end(&w);
}
END_TEST

/* clang-format off */
static const struct { const char *acts, *text; } refused[] = {
    { "--plug stick:usb-storage", "emulator 0 'main': device 'stick' (usb-storage) was plugged at run time" },
    { "--unplug ide-5696", "emulator 0 'main': device 'ide-5696' (ide-cd) was unplugged at run time" },
    { "--disc disk-hda=@/b", "emulator 0 'main': disk hda: its image is " },
};
/* clang-format on */

START_TEST(what_cannot_be_restored_is_refused_by_name)
{
    struct cv_save_options o = { .live = true };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    struct fake_domain *d = begin(&w, refused[_i].acts);
    ck_assert_int_lt(save(&w, &o, &err), 0);
    ck_assert_msg(err.code == CV_E_UNSUPPORTED && strstr(err.text, refused[_i].text) != NULL, "%s", emu_text(&err));
    ck_assert_ptr_nonnull(strstr(err.text, "preflight"));
    goes_on(&w, d);
    end(&w);
}
END_TEST

/* A guest's PV drivers do that, and do it again after a restore. */
START_TEST(disks_that_the_guest_took_away)
{
    struct one_host w;

    begin(&w, "--unplug disk-hda");
    save_and_restore(&w);
    ck_assert(has_argument(&w, "ide-hd,id=disk-hda,drive=drive-hda,bus=ide.0,unit=0"));
    end(&w);
}
END_TEST

START_TEST(changed_after_the_head_was_written)
{
    struct cv_save_options o = { .live = _i };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    struct fake_domain *d = begin(&w, "--plug-cpu-at-stop 1");
    ck_assert_int_lt(save(&w, &o, &err), 0);
    ck_assert_msg(err.code == CV_E_BUSY && strstr(err.text, "step 'stop': emulator 0 'main': its vCPUs") != NULL, "%s",
                  emu_text(&err));
    goes_on(&w, d);
    end(&w);
}
END_TEST

START_TEST(balloon_and_availability)
{
    struct one_host w;

    struct fake_domain *d = begin(&w, "");
    set_node(&w, d->domid, "memory/target", "40000");
    set_node(&w, d->domid, "memory/static-max", "131072");
    set_node(&w, d->domid, "cpu/2/availability", "online");
    d->max_pages = FAKE_PFNS + 11;
    d = save_and_restore(&w);
    ck_assert_str_eq(node(&w, d->domid, "memory/target"), "40000");
    ck_assert_str_eq(node(&w, d->domid, "memory/static-max"), "131072");
    ck_assert_str_eq(node(&w, d->domid, "cpu/0/availability"), "online");
    ck_assert_str_eq(node(&w, d->domid, "cpu/1/availability"), "offline");
    ck_assert_str_eq(node(&w, d->domid, "cpu/2/availability"), "online");
    ck_assert_uint_eq(d->max_pages, FAKE_PFNS + 11);
    end(&w);
}
END_TEST

/* Where a toolstack has noted that the guest has set its clock, the note goes along. */
START_TEST(clock_that_was_set)
{
    static const char *const notes[] = { "-3600", "", "tomorrow", "99999999999" };
    struct one_host w;

    struct fake_domain *d = begin(&w, "");
    set_node(&w, d->domid, "vm", "/vm/u");
    json_object_set_new(w.host->store, "/vm/u/rtc/timeoffset", json_string(notes[_i]));
    d = save_and_restore(&w);
    ck_assert_int_eq(d->spec.rtc_offset_s, _i == 0 ? -3600 : 0);
    json_object_del(w.host->store, "/vm/u/rtc/timeoffset");
    end(&w);
}
END_TEST

/* xl mem-set and vcpu-set while the guest is being saved. */
static int change(void *user, const struct cv_pass_stats *p, enum cv_pass_verdict *out, struct cv_error *err)
{
    struct one_host *w = user;

    (void)p, (void)err;
    set_node(w, 1, "memory/target", "65000");
    set_node(w, 1, "cpu/3/availability", "online");
    w->host->dom[1]->max_pages = FAKE_PFNS + 77;
    w->host->dom[1]->there[6] = true;
    *out = CV_PASS_STOP_NOW;
    return 0;
}

START_TEST(changed_while_it_is_saved_live)
{
    struct one_host w;
    struct cv_save_options o = { .live = true, .decide = change, .decide_user = &w };
    struct cv_error err = CV_ERROR_INIT;

    struct fake_domain *d = begin(&w, "");
    ck_assert_uint_eq(d->domid, 1);
    ck_assert(!d->there[6]);
    ck_assert_msg(save(&w, &o, &err) == 0, "%s", emu_text(&err));
    d = restore(&w);
    ck_assert_str_eq(node(&w, d->domid, "memory/target"), "65000");
    ck_assert_str_eq(node(&w, d->domid, "cpu/0/availability"), "online");
    ck_assert_str_eq(node(&w, d->domid, "cpu/1/availability"), "offline");
    ck_assert_str_eq(node(&w, d->domid, "cpu/3/availability"), "online");
    ck_assert_uint_eq(d->max_pages, FAKE_PFNS + 77);
    ck_assert(d->there[6]);
    end(&w);
}
END_TEST

START_TEST(memory_that_was_never_populated)
{
    struct cv_save_options o = { .live = _i };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    struct fake_domain *d = begin(&w, "");
    d->pod_missing = 100;
    ck_assert_int_lt(save(&w, &o, &err), 0);
    ck_assert_msg(err.code == CV_E_UNSUPPORTED && strstr(err.text, "preflight") != NULL, "%s", emu_text(&err));
    goes_on(&w, d);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("as-it-is");
    TCase *t = tcase_create("as-it-is");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, vcpus_that_were_plugged, 0, (int)(sizeof plugged / sizeof plugged[0]));
    tcase_add_test(t, an_ejected_disc_stays_out);
    tcase_add_test(t, a_disc_that_is_named_from_a_folder);
    tcase_add_loop_test(t, another_disc, 0, 2);
    tcase_add_loop_test(t, a_disc_whose_file_is_gone, 0, 2);
    tcase_add_loop_test(t, what_cannot_be_restored_is_refused_by_name, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(t, disks_that_the_guest_took_away);
    tcase_add_loop_test(t, changed_after_the_head_was_written, 0, 2);
    tcase_add_test(t, balloon_and_availability);
    tcase_add_loop_test(t, clock_that_was_set, 0, 4);
    tcase_add_test(t, changed_while_it_is_saved_live);
    tcase_add_loop_test(t, memory_that_was_never_populated, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
