/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of every test's main. */
#ifndef CONVOY_TESTS_RUN_SUITE_H
#define CONVOY_TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs it as CK_RUN_CASE and the like say; takes it.  Returns main's status. */
static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);

    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
