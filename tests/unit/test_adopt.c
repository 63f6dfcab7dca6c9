/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that xl made, on the model of a host: adopted without a trace, saved, restored as convoy's, refused by name.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "guest/blockers.h"
#include "restore/restore.h"
#include "save/save.h"

/* What convoy made becomes what libxl would have made: the nodes are gone, the monitor is at libxl's place. */
static struct fake_domain *xl_guest(struct one_host *w)
{
    char from[128], to[128], lines[400];
    const char *path;
    json_t *v;
    void *tmp;

    snprintf(lines, sizeof lines, "disk=[\"%s,raw,xvde,w\"]\nvga=\"stdvga\"\n", w->pv_disk);
    one_host_lines(w, lines);
    struct fake_domain *d = one_host_guest(w);
    json_object_foreach_safe(w->host->store, tmp, path, v)
    {
        if (strncmp(path, "/local/domain/0/dms/", 20) == 0 || strstr(path, "/image/dms/") != NULL)
            json_object_del(w->host->store, path);
    }
    json_object_set_new(w->host->store, "/local/domain/0/device-model/1/state", json_string("running"));
    snprintf(from, sizeof from, "%s/qmp-libxl-1-0", w->dir);
    snprintf(to, sizeof to, "%s/qmp-libxl-1", w->dir);
    ck_assert_int_eq(rename(from, to), 0);
    return d;
}

static int save(struct one_host *w, enum cv_save_after after, struct cv_error *err)
{
    struct cv_save_options o = { .emulator_timeout_ms = 5000, .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };

    return cv_save_to(&w->host->base, "g", w->image, -1, after, &o, NULL, NULL, err);
}

START_TEST(a_look_leaves_no_trace)
{
    struct cv_findings found;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = xl_guest(&w);
    json_t *before = json_deep_copy(w.host->store);
    one_host_check(&w, "g", &found);
    ck_assert_msg(found.count == 0, "%s", found.count ? found.items[0].text : "");
    ck_assert(json_equal(before, w.host->store));
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    json_decref(before);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A fault in every call: the guest is xl's as before, or the image is there. */
START_TEST(a_failed_save_leaves_it_as_it_was)
{
    struct one_host w;
    unsigned survived = 0;

    one_host_begin(&w, NULL);
    struct fake_domain *d = xl_guest(&w);
    json_t *before = json_deep_copy(w.host->store);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        one_host_faults(&w, n, 0);
        int rc = save(&w, CV_SAVE_CONTINUE, &err);
        bool tripped = w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        if (rc == 0 && !tripped)
            break;
        ck_assert_msg(json_equal(before, w.host->store), "nodes after a fault in %s", w.host->failed_in);
        ck_assert(d->exists && !d->paused && !d->logging);
        ck_assert_msg(!d->suspended || access(w.image, F_OK) == 0, "suspended after a fault in %s", w.host->failed_in);
        d->suspended = false;
        survived++;
        unlink(w.image);
    }
    ck_assert_uint_gt(survived, 10);
    json_decref(before);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(restored_it_is_a_guest_of_convoys)
{
    struct cv_restore_options o = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    uint32_t domid;

    one_host_begin(&w, NULL);
    xl_guest(&w);
    ck_assert_msg(save(&w, CV_SAVE_DESTROY, &err) == 0, "%s", emu_text(&err));
    reap();
    one_host_is_bare(&w);
    FILE *f = fopen(w.image, "r");
    ck_assert_msg(cv_restore_from(&w.host->base, fileno(f), &o, NULL, &domid, NULL, &err) == 0, "%s", emu_text(&err));
    fclose(f);
    ck_assert(cv_guest_is_ours(&w.host->base, domid));
    ck_assert_uint_eq(fake_host_devices(w.host), 1);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* value, a JSON object, is put into the domain's record at top or in b_info. */
static void record(struct fake_domain *d, const char *in, const char *name, const char *value)
{
    json_t *o = json_loads(d->devices, 0, NULL), *place = in != NULL ? json_object_get(o, in) : o;

    json_object_set_new(place, name, json_loads(value, JSON_DECODE_ANY, NULL));
    free(d->devices);
    d->devices = json_dumps(o, 0);
    json_decref(o);
}

START_TEST(what_cannot_be_served_is_named_all_at_once)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = xl_guest(&w);
    char *whole = strdup(d->devices);
    json_t *pid = json_incref(json_object_get(w.host->store, "/local/domain/1/image/device-model-pid"));
    record(d, NULL, "pcidevs", "[{\"dev\":3}]");
    record(d, NULL, "disks", "[{\"vdev\":\"sda\",\"pdev_path\":\"/d\",\"format\":\"raw\",\"readwrite\":1}]");
    record(d, NULL, "vtpms", "[{\"devid\":0}]");
    record(d, "b_info", "vnuma_nodes", "[{\"memkb\":1}]");
    record(d, "b_info", "nested_hvm", "\"True\"");
    record(d, "b_info", "device_model_stubdomain", "\"True\"");
    json_object_del(w.host->store, "/local/domain/1/image/device-model-pid");
    one_host_check(&w, "g", &found);
    one_host_found(&found, 0, "emulators", "image/device-model-pid");
    const char *names[] = { "vnuma_nodes", "nested", "service domains", "pcidevs", "vtpms", "SCSI" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool any = false;
        for (size_t k = 0; k < found.count; k++)
            any = any || strstr(found.items[k].text, names[i]) != NULL;
        ck_assert_msg(any, "%s is not named", names[i]);
    }
    ck_assert_uint_eq(found.count, 7);
    cv_findings_dispose(&found);
    ck_assert_int_lt(save(&w, CV_SAVE_DESTROY, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "and 6 more") != NULL, "%s", err.text);

    free(d->devices);
    d->devices = whole;
    err = (struct cv_error)CV_ERROR_INIT;
    json_object_set_new(w.host->store, "/local/domain/0/device-model/1/state", json_string("paused"));
    ck_assert_int_lt(save(&w, CV_SAVE_DESTROY, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    json_object_set_new(w.host->store, "/local/domain/0/device-model/1/state", json_string("running"));
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_lt(save(&w, CV_SAVE_DESTROY, &err), 0);
    ck_assert_msg(strstr(err.text, "device-model-pid") != NULL, "%s", err.text);
    json_object_set_new(w.host->store, "/local/domain/1/image/device-model-pid", pid);
    d->pv = true;
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_lt(save(&w, CV_SAVE_DESTROY, &err), 0);
    ck_assert_msg(strstr(err.text, "PV guest") != NULL && strstr(err.text, "xl save") != NULL, "%s", err.text);
    d->pv = false;
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("adopt");
    TCase *t = tcase_create("adopt");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_look_leaves_no_trace);
    tcase_add_test(t, a_failed_save_leaves_it_as_it_was);
    tcase_add_test(t, restored_it_is_a_guest_of_convoys);
    tcase_add_test(t, what_cannot_be_served_is_named_all_at_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}
