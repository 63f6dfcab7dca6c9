/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations as text, for the tests of config/. */
#ifndef CONVOY_TESTS_UNIT_CONFIG_TEXT_H
#define CONVOY_TESTS_UNIT_CONFIG_TEXT_H

#include <check.h>
#include <string.h>

#include "config/config.h"

#define HEAD "type=\"hvm\"\nname=\"g\"\nmemory=256\n"

static inline const char *text_of(const struct cv_error *err)
{
    static char buf[800];

    return cv_error_string(err, buf, sizeof buf);
}

/* Taken, or the test has failed. */
static inline struct cv_guest_config good(const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;

    ck_assert_msg(cv_guest_config_parse(text, strlen(text), "x.cfg", &c, &err) == 0, "%s", text_of(&err));
    return c;
}

#endif
