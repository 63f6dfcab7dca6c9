/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PVH guests, on the model of a host: no emulator at any time.  Made, saved, restored; xl's, adopted without a trace.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <uuid/uuid.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "restore/restore.h"
#include "save/save.h"

static void begin(struct one_host *w, const char *more)
{
    char lines[500];

    one_host_begin(w, NULL);
    snprintf(lines, sizeof lines, "type=\"pvh\"\nvcpus=2\nkernel=\"%s\"\ndisk=[\"%s,raw,xvda,w\"%s]\n", w->pv_disk,
             w->pv_disk, more);
    one_host_lines(w, lines);
}

/* What convoy made becomes what libxl would have made: the nodes are gone. */
static struct fake_domain *xl_guest(struct one_host *w)
{
    struct fake_domain *d = one_host_guest(w);
    const char *path;
    json_t *v;
    void *tmp;

    json_object_foreach_safe(w->host->store, tmp, path, v)
    {
        if (strncmp(path, "/local/domain/0/dms/", 20) == 0)
            json_object_del(w->host->store, path);
    }
    return d;
}

static int save(struct one_host *w, enum cv_save_after after, struct cv_error *err)
{
    struct cv_save_options o = { .live = after == CV_SAVE_DESTROY, .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };

    return cv_save_to(&w->host->base, "g", w->image, -1, after, &o, NULL, NULL, err);
}

static int restore(struct one_host *w, struct cv_error *err)
{
    struct cv_restore_options o = { 0 };
    uint32_t domid;
    FILE *f = fopen(w->image, "r");

    ck_assert_ptr_nonnull(f);
    int rc = cv_restore_from(&w->host->base, fileno(f), &o, NULL, &domid, NULL, err);
    fclose(f);
    return rc;
}

static void is_whole(struct one_host *w)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", err.text);
    ck_assert(g.spec.pvh);
    ck_assert_uint_eq(g.layout.count, 0);
    ck_assert_uint_eq(g.set.count, 0);
    ck_assert_uint_eq(w->host->dom[g.domid]->spec.emulation_flags, 1);
    ck_assert(!w->host->dom[g.domid]->paused && w->host->dom[g.domid]->introduced);
    ck_assert_uint_eq(fake_host_devices(w->host), 1);
    cv_guest_dispose(&g);
}

START_TEST(made_saved_and_restored)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    begin(&w, "");
    struct fake_domain *d = one_host_guest(&w);
    ck_assert(cv_guest_is_ours(&w.host->base, d->domid));
    is_whole(&w);
    ck_assert_msg(save(&w, CV_SAVE_CONTINUE, &err) == 0, "%s", err.text);
    is_whole(&w);
    unlink(w.image);
    ck_assert_msg(save(&w, CV_SAVE_DESTROY, &err) == 0, "%s", err.text);
    one_host_is_bare(&w);
    ck_assert_msg(restore(&w, &err) == 0, "%s", err.text);
    is_whole(&w);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* The same guest anew, as after a reboot: with the devices that it had. */
START_TEST(made_again)
{
    struct cv_create_options o = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest old, g;
    struct one_host w;

    begin(&w, "");
    one_host_guest(&w);
    ck_assert_int_eq(cv_guest_open(&old, &w.host->base, "g", NULL, &err), 0);
    ck_assert_int_eq(w.host->base.ops->devices_now(&w.host->base, old.domid, &old.devices, &err), 0);
    /* A disk was attached; and whoever made the image would have a program run. */
    json_t *text = json_loads(old.devices, 0, NULL);
    json_array_append_new(json_object_get(text, "disks"),
                          json_pack("{s:s,s:s}", "vdev", "xvdf", "pdev_path", w.pv_disk));
    json_object_set_new(json_object_get(text, "b_info"), "bootloader", json_string("/evil"));
    free(old.devices);
    old.devices = json_dumps(text, 0);
    json_decref(text);
    ck_assert_msg(cv_guest_destroy(&old, &err) == 0, "%s", err.text);
    ck_assert_msg(cv_guest_create_again(&g, &old, &o, &err) == 0, "%s", err.text);
    const char *made = w.host->dom[g.domid]->devices;
    char uuid[37];
    uuid_unparse_lower(g.spec.uuid, uuid);
    ck_assert_msg(strstr(made, uuid) != NULL, "not %s: %s", uuid, made); /* the configuration names none */
    ck_assert_msg(strstr(made, "xvdf") != NULL && strstr(made, "evil") == NULL, "%s", made);
    cv_guest_dispose(&old);
    cv_guest_dispose(&g);
    ck_assert_uint_eq(fake_host_devices(w.host), 2);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A fault in every call of a creation: nothing is left. */
START_TEST(a_failed_creation_leaves_nothing)
{
    struct one_host w;
    unsigned survived = 0;

    begin(&w, "");
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_guest g;
        one_host_faults(&w, n, 0);
        int rc = one_host_create(&w, &g, &err);
        one_host_faults(&w, 0, 0);
        if (rc == 0) {
            cv_guest_dispose(&g);
            break;
        }
        ck_assert_msg(fake_host_domains(w.host) == 0, "a domain is left after a fault in %s", w.host->failed_in);
        one_host_is_bare(&w);
        survived++;
    }
    ck_assert_uint_gt(survived, 5);
    one_host_destroy(&w);
    one_host_end(&w);
}
END_TEST

/* And of a save and of a restore. */
START_TEST(a_failed_save_or_restore_is_taken_back)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    unsigned survived = 0;
    bool there = true;

    begin(&w, "");
    struct fake_domain *d = one_host_guest(&w);
    for (unsigned n = 1; there; n++) {
        err = (struct cv_error)CV_ERROR_INIT;
        one_host_faults(&w, n, 0);
        int rc = save(&w, CV_SAVE_CONTINUE, &err);
        there = rc != 0 || w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        ck_assert_msg(d->exists && !d->paused && !d->logging, "after a fault in %s", w.host->failed_in);
        d->suspended = false;
        survived++;
        if (there)
            unlink(w.image);
    }
    ck_assert_uint_gt(survived, 10);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    for (unsigned n = survived = 0;; survived++) {
        err = (struct cv_error)CV_ERROR_INIT;
        one_host_faults(&w, ++n, 0);
        int rc = restore(&w, &err);
        bool tripped = w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        if (rc == 0 && !tripped)
            break;
        if (rc == 0) /* in what is not needed */
            one_host_destroy(&w);
        one_host_is_bare(&w);
    }
    ck_assert_uint_gt(survived, 10);
    is_whole(&w);
    one_host_destroy(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(xls_is_adopted_without_a_trace)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct one_host w;

    begin(&w, "");
    xl_guest(&w);
    json_t *before = json_deep_copy(w.host->store);
    one_host_check(&w, "g", &found);
    ck_assert_msg(found.count == 0, "%s", found.count ? found.items[0].text : "");
    ck_assert(json_equal(before, w.host->store));
    json_decref(before);
    is_whole(&w);
    ck_assert_msg(save(&w, CV_SAVE_DESTROY, &err) == 0, "%s", err.text);
    one_host_is_bare(&w);
    ck_assert_msg(restore(&w, &err) == 0, "%s", err.text);
    is_whole(&w);
    ck_assert(cv_guest_is_ours(&w.host->base, 1));
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* Its record and what runs have to agree on whether it has a QEMU. */
START_TEST(a_qemu_too_few_or_too_many)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    begin(&w, "");
    struct fake_domain *d = xl_guest(&w);
    char *whole = d->devices;
    json_t *o = json_loads(whole, 0, NULL);
    json_object_set_new(json_array_get(json_object_get(o, "disks"), 0), "format", json_string("qcow2"));
    d->devices = json_dumps(o, 0);
    json_decref(o);
    ck_assert_int_lt(save(&w, CV_SAVE_DESTROY, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "a QEMU has to serve its qdisks") != NULL, "%s", err.text);
    free(d->devices);
    d->devices = whole;
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pvh");
    TCase *t = tcase_create("pvh");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, made_saved_and_restored);
    tcase_add_test(t, made_again);
    tcase_add_test(t, a_failed_creation_leaves_nothing);
    tcase_add_test(t, a_failed_save_or_restore_is_taken_back);
    tcase_add_test(t, xls_is_adopted_without_a_trace);
    tcase_add_test(t, a_qemu_too_few_or_too_many);
    suite_add_tcase(s, t);
    return run_suite(s);
}
