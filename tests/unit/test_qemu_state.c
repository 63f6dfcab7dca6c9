/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device states as QEMU writes them, with and without section footers; samples in tests/fuzz/seeds/device_state were
 * written by QEMU 7.2 (isapc, xen-save-devices-state). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../support/run_suite.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "stream-format/qemu_state.h"

static void be32(struct cv_buf *b, uint32_t v)
{
    uint8_t d[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    ck_assert_int_eq(cv_buf_append(b, d, 4, NULL), 0);
}

static void bytes(struct cv_buf *b, const char *p, size_t n) { ck_assert_int_eq(cv_buf_append(b, p, n, NULL), 0); }

static void begin(struct cv_buf *b)
{
    bytes(b, "QEVM", 4);
    be32(b, 3);
}

static void section(struct cv_buf *b, uint32_t id, const char *name, const char *data, size_t n, bool footer)
{
    ck_assert_int_eq(cv_buf_put_u8(b, 4, NULL), 0);
    be32(b, id);
    ck_assert_int_eq(cv_buf_put_u8(b, (uint8_t)strlen(name), NULL), 0);
    bytes(b, name, strlen(name));
    be32(b, 0);
    be32(b, 2);
    bytes(b, data, n);
    if (footer) {
        bytes(b, "\x7e", 1);
        be32(b, id);
    }
}

static void decode_sample(const char *path, bool exact)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_qemu_state s;
    char *data;
    size_t len;

    ck_assert_msg(cv_file_read(path, 1 << 20, &data, &len, &err) == 0, "%s", err.text);
    ck_assert_msg(cv_qemu_state_decode(&s, data, len, &err) == 0, "%s", err.text);
    ck_assert_int_eq(s.exact, exact);
    ck_assert_uint_eq(s.count, 20);
    ck_assert_str_eq(s.sections[0].name, "timer");
    ck_assert_uint_eq(s.sections[0].data_len, 24);
    ck_assert_str_eq(s.sections[19].name, "globalstate");
    ck_assert_uint_eq(s.sections[19].data_len, 104);
    size_t end = 8;
    for (size_t i = 0; i < s.count; i++) {
        ck_assert_uint_eq(s.sections[i].offset, end);
        end = s.sections[i].data_offset + s.sections[i].data_len + (exact ? 5 : 0);
    }
    ck_assert_uint_eq(end, len - 1);
    cv_qemu_state_dispose(&s);
    /* Every cut is found, unless it happens to end behind a zero byte: that much the format cannot tell. */
    for (size_t n = 0; n < len; n++)
        if (n == 0 || data[n - 1] != 0)
            ck_assert_int_lt(cv_qemu_state_check(data, n, &err), 0);
    free(data);
}

START_TEST(real_samples)
{
    decode_sample("tests/fuzz/seeds/device_state/qemu-7.2-isapc", false);
    decode_sample("tests/fuzz/seeds/device_state/qemu-7.2-isapc-footers", true);
}
END_TEST

/* With footers, data that imitates a header is no boundary. */
START_TEST(imitation_inside_data)
{
    CV_AUTO_BUF fake = { 0 }, b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_qemu_state s;

    section(&fake, 9, "evil", "x", 1, false);
    begin(&b);
    section(&b, 1, "nic", (char *)fake.data, fake.len, true);
    section(&b, 2, "disk", "y", 1, true);
    bytes(&b, "\0", 1);
    ck_assert_int_eq(cv_qemu_state_decode(&s, b.data, b.len, &err), 0);
    ck_assert(s.exact);
    ck_assert_uint_eq(s.count, 2);
    ck_assert_uint_eq(s.sections[0].data_len, fake.len);
    cv_qemu_state_dispose(&s);
}
END_TEST

/* Without, a number that comes twice gives it away; the check for restoring does not mind. */
START_TEST(contradiction_is_reported)
{
    CV_AUTO_BUF fake = { 0 }, b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_qemu_state s;

    section(&fake, 2, "evil", "x", 1, false);
    begin(&b);
    section(&b, 1, "nic", (char *)fake.data, fake.len, false);
    section(&b, 2, "disk", "y", 1, false);
    bytes(&b, "\0", 1);
    ck_assert_int_eq(cv_qemu_state_check(b.data, b.len, &err), 0);
    ck_assert_int_lt(cv_qemu_state_decode(&s, b.data, b.len, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "cannot be taken apart") != NULL, "%s", err.text);
}
END_TEST

START_TEST(bad_beginnings)
{
    static const struct {
        const char *data;
        size_t len;
    } bad[] = {
        { "", 0 },
        { "QEVM\0\0\0\3", 8 },
        { "QEVN\0\0\0\3\0", 9 },
        { "QEVM\0\0\0\2\0", 9 },
        { "QEVM\0\0\0\3\4", 9 },
        { "QEVM\0\0\0\3\5\0", 10 },
        { "QEVM\0\0\0\3\7\0\0\1\0\0", 14 },
    };
    struct cv_error err = CV_ERROR_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_lt(cv_qemu_state_check(bad[i].data, bad[i].len, &err), 0);
        ck_assert_int_eq(err.code, CV_E_EMULATOR);
    }
    ck_assert_int_eq(cv_qemu_state_check("QEVM\0\0\0\3\0", 9, &err), 0); /* no devices at all */
}
END_TEST

START_TEST(configuration_section)
{
    CV_AUTO_BUF b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_qemu_state s;

    begin(&b);
    bytes(&b, "\7\0\0\0\6pc-7.2", 11);
    section(&b, 0, "timer", "12345", 5, true);
    bytes(&b, "\0", 1);
    ck_assert_int_eq(cv_qemu_state_decode(&s, b.data, b.len, &err), 0);
    ck_assert_str_eq(s.machine, "pc-7.2");
    ck_assert_uint_eq(s.count, 1);
    cv_qemu_state_dispose(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("qemu-state");
    TCase *tc = tcase_create("qemu-state");

    tcase_add_test(tc, real_samples);
    tcase_add_test(tc, imitation_inside_data);
    tcase_add_test(tc, contradiction_is_reported);
    tcase_add_test(tc, bad_beginnings);
    tcase_add_test(tc, configuration_section);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
