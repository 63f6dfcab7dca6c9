/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image says what its guest is called and which one it is: neither is taken on trust. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "base/fd.h"
#include "restore/restore.h"
#include "save/save.h"

static struct world w;

static int save_and_restore(const char *name, bool end, struct cv_error *err)
{
    struct cv_save_options so = { .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_restore_options ro = { .mem = { .threads = 1 }, .name = name };
    struct cv_host *h = &w.src.host->base;
    uint32_t domid;

    ck_assert_msg(cv_save_to(h, guest_of(&w.src)->spec.name, w.src.image, -1, end ? CV_SAVE_DESTROY : CV_SAVE_CONTINUE,
                             &so, NULL, NULL, err) == 0,
                  "%s", emu_text(err));
    reap();
    CV_AUTO_FD fd = open(w.src.image, O_RDONLY | O_CLOEXEC);
    int rc = cv_restore_from(h, fd, &ro, NULL, &domid, NULL, err);
    reap();
    return rc;
}

START_TEST(an_image_is_not_restored_beside_its_guest)
{
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    ck_assert_int_lt(save_and_restore("g2", false, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_uint_eq(fake_host_domains(w.src.host), 1);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* xl knows no rule for names: an image may have come to one that means something else. */
START_TEST(a_name_from_an_image_is_checked)
{
    static const char *const names[] = { "2", "a\nb\x1b[31m" };
    struct cv_error err = CV_ERROR_INIT;

    world_begin(&w);
    make_guest(&w.src, NULL);
    snprintf(guest_of(&w.src)->spec.name, CV_NAME_MAX, "%s", "g");
    snprintf(w.src.host->dom[1]->spec.name, CV_NAME_MAX, "%s", names[_i]);
    struct cv_save_options so = { .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_restore_options ro = { .mem = { .threads = 1 } };
    ck_assert_msg(cv_save_to(&w.src.host->base, names[_i], w.src.image, -1, CV_SAVE_DESTROY, &so, NULL, NULL, &err) ==
                      0,
                  "%s", emu_text(&err));
    reap();
    int fd = open(w.src.image, O_RDONLY | O_CLOEXEC);
    ck_assert_int_lt(cv_restore_from(&w.src.host->base, fd, &ro, NULL, NULL, NULL, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INVALID);
    close(fd);
    ck_assert_uint_eq(fake_host_domains(w.src.host), 0);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("names");
    TCase *t = tcase_create("names");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_image_is_not_restored_beside_its_guest);
    tcase_add_loop_test(t, a_name_from_an_image_is_checked, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
