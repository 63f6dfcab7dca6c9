/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy check DOMAIN HOST against two models of hosts: everything is said, and nothing is done on either. */
#include <check.h>
#include <string.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "guest/blockers.h"
#include "migrate/check.h"

static int look(struct world *w, struct cv_findings *found, struct cv_error *err)
{
    struct cv_migrate_options o = {
        .command = "there", .peer = "there", .store = w->src.store, .dial = dial_world, .dial_user = w, .live = true
    };
    struct cv_emu_wait wait = emu_wait(5000);
    struct cv_guest g;

    *found = (struct cv_findings){ 0 };
    cv_guest_check(&w->src.host->base, "g", &wait, NULL, &g, found);
    ck_assert_uint_eq(found->count, 0);
    int rc = cv_migrate_check(&g, &o, found, err);
    cv_guest_dispose(&g);
    join_all(w);
    return rc;
}

START_TEST(all_of_it)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    ck_assert_msg(look(&w, &found, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(found.count, 0);
    ck_assert(runs(guest_of(&w.src)));
    ck_assert_ptr_null(guest_of(&w.dst));

    fake_host_add_guest(w.dst.host, "g");
    w.src.host->xen_minor = 7;
    ck_assert_msg(look(&w, &found, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(found.count, 2);
    ck_assert_str_eq(found.items[0].check, "domains");
    ck_assert_msg(strstr(found.items[0].text, "there: domain 2 has the name 'g'") != NULL, "%s", found.items[0].text);
    ck_assert_str_eq(found.items[1].check, "host");
    ck_assert_msg(strstr(found.items[1].text, "and the guest comes from 1.7") != NULL, "%s", found.items[1].text);
    ck_assert(runs(guest_of(&w.src)) && !guest_of(&w.src)->logging);
    cv_findings_dispose(&found);

    guest_of(&w.dst)->exists = false;
    end_guest(&w.src);
    world_end(&w);
}
END_TEST

START_TEST(a_host_that_hangs_up)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    w.cut_back = 40;
    ck_assert_int_lt(look(&w, &found, &err), 0);
    ck_assert_msg(strncmp(err.text, "there: ", 7) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(found.count, 0);
    ck_assert(runs(guest_of(&w.src)));
    end_guest(&w.src);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migrate-check");
    TCase *t = tcase_create("migrate-check");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, all_of_it);
    tcase_add_test(t, a_host_that_hangs_up);
    suite_add_tcase(s, t);
    return run_suite(s);
}
