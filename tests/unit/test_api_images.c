/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of include/convoy/convoy.h that look at images, and need no Xen. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "../support/run_suite.h"
#include "convoy/convoy.h"
#include "host/host.h"
#include "tests/support/guest_image.h"

int cv_host_open_xen(struct cv_host **h_out, struct cv_sink *log, struct cv_error *err)
{
    (void)h_out, (void)log;
    return cv_fail(err, CV_E_HYPERVISOR, 0, "no Xen here");
}

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.text)

static convoy_error err;
static struct cv_buf image;

static void setup(void)
{
    memset(&err, 0, sizeof err);
    guest_image(&image, &(struct guest_image_options){ .passes = 2 });
}

static void teardown(void) { cv_buf_dispose(&image); }

static int fd_of(size_t len) { return guest_image_fd(image.data, len); }

START_TEST(a_whole_image_is_good_and_shown)
{
    convoy_image_options o = { .size = sizeof o, .threads = 2 };
    char *text = NULL;

    int fd = fd_of(image.len);
    OK(convoy_verify_fd(fd, _i ? &o : NULL, &err));
    lseek(fd, 0, SEEK_SET);
    OK(convoy_inspect_fd(fd, _i ? &o : NULL, &text, &err));
    json_t *shown = json_loads(text, 0, NULL);
    ck_assert(json_is_object(shown) && json_object_size(shown) > 5);
    json_decref(shown);
    convoy_free(text);
    close(fd);
}
END_TEST

START_TEST(a_damaged_one_is_not_and_what_can_be_read_is_shown)
{
    char *text = NULL;

    int fd = fd_of(image.len - 20);
    ck_assert_int_eq(convoy_verify_fd(fd, NULL, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_STREAM);
    lseek(fd, 0, SEEK_SET);
    ck_assert_int_eq(convoy_inspect_fd(fd, NULL, &text, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_STREAM);
    ck_assert_ptr_nonnull(text);
    convoy_free(text);
    close(fd);
    fd = guest_image_fd("no image at all", 15);
    ck_assert_int_eq(convoy_inspect_fd(fd, NULL, &text, &err), -1);
    ck_assert_ptr_null(text);
    close(fd);
    /* Every page is looked at: one bit, anywhere. */
    image.data[image.len / 2] ^= 4;
    fd = fd_of(image.len);
    ck_assert_int_eq(convoy_verify_fd(fd, NULL, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_STREAM);
    close(fd);
}
END_TEST

START_TEST(to_xl_and_back)
{
    convoy_convert_options o = { .size = sizeof o, .to = CONVOY_XL_SAVE, .compress = "none" };
    int fd = fd_of(image.len), xl = memfd_create("xl", MFD_CLOEXEC), back = memfd_create("back", MFD_CLOEXEC);

    OK(convoy_convert_fd(fd, xl, &o, &err));
    ck_assert_int_eq(lseek(xl, 0, SEEK_SET), 0);
    o.to = CONVOY_IMAGE;
    o.model = "/usr/bin/qemu-system-i386";
    OK(convoy_convert_fd(xl, back, &o, &err));
    ck_assert_int_eq(lseek(back, 0, SEEK_SET), 0);
    OK(convoy_verify_fd(back, NULL, &err));
    o.to = (convoy_kind)5;
    ck_assert_int_eq(convoy_convert_fd(fd, xl, &o, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_INVALID);
    close(fd);
    close(xl);
    close(back);
}
END_TEST

START_TEST(to_xenopsd_and_back)
{
    convoy_convert_options o = { .size = sizeof o, .to = CONVOY_XENOPSD_IMAGE };
    int fd = fd_of(image.len), suspend = memfd_create("s", MFD_CLOEXEC), back = memfd_create("back", MFD_CLOEXEC);

    OK(convoy_convert_fd(fd, suspend, &o, &err));
    ck_assert_int_eq(lseek(suspend, 0, SEEK_SET), 0);
    o.from = CONVOY_XENOPSD_IMAGE;
    ck_assert_int_eq(convoy_convert_fd(suspend, back, &o, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_INVALID);
    o.to = CONVOY_IMAGE;
    OK(convoy_convert_fd(suspend, back, &o, &err));
    ck_assert_int_eq(lseek(back, 0, SEEK_SET), 0);
    OK(convoy_verify_fd(back, NULL, &err));
    close(fd);
    close(suspend);
    close(back);
}
END_TEST

START_TEST(a_cancelled_look_ends)
{
    convoy_image_options o = { .size = sizeof o, .cancel = convoy_cancel_new(&err) };
    convoy_convert_options c = { .size = sizeof c, .to = CONVOY_XL_SAVE, .cancel = o.cancel };
    int fd = fd_of(image.len), out = memfd_create("out", MFD_CLOEXEC);

    convoy_cancel_request(o.cancel);
    ck_assert_int_eq(convoy_verify_fd(fd, &o, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_CANCELLED);
    lseek(fd, 0, SEEK_SET);
    ck_assert_int_eq(convoy_convert_fd(fd, out, &c, &err), -1);
    ck_assert_int_eq(err.code, CONVOY_CANCELLED);
    convoy_cancel_free(o.cancel);
    close(fd);
    close(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_images");
    TCase *t = tcase_create("images");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_whole_image_is_good_and_shown, 0, 2);
    tcase_add_test(t, a_damaged_one_is_not_and_what_can_be_read_is_shown);
    tcase_add_test(t, to_xl_and_back);
    tcase_add_test(t, to_xenopsd_and_back);
    tcase_add_test(t, a_cancelled_look_ends);
    suite_add_tcase(s, t);
    return run_suite(s);
}
