/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command line of any words (one a line): refused with an error, or planned as a layout that holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dm/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(struct cv_dm_args *a)
{
    const struct cv_layout_host host = { .default_model = "/q" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_strings argv;
    enum cv_dm_died died;
    struct cv_layout l;

    if (cv_dm_args_plain(a, "/q", &argv, &err) < 0)
        abort();
    if (cv_dm_plan_died(a, &died, &err) < 0 && err.text[0] == '\0')
        abort();
    err = (struct cv_error)CV_ERROR_INIT;
    if (cv_dm_plan(a, &host, &l, &err) < 0) {
        if (err.code == CV_OK || err.text[0] == '\0')
            abort();
        return;
    }
    /* The same guest again, from its own layout. */
    if (cv_layout_check(&l, &err) < 0 || cv_dm_plan_again(a, &l, &err) < 0)
        abort();
    cv_layout_dispose(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[CV_DM_ARGS_MAX + 2], *text = malloc(size + 1);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_dm_args a;
    int argc = 0;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *p = text, *end; argc <= CV_DM_ARGS_MAX && p <= text + size; p = end + 1) {
        end = p + strcspn(p, "\n");
        argv[argc++] = p;
        if (*end == '\0')
            break;
        *end = '\0';
    }
    argv[argc] = NULL;
    if (cv_dm_args_parse(&a, argc, argv, &err) == 0) {
        plan(&a);
        cv_dm_args_dispose(&a);
    } else if (err.code == CV_OK || err.text[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
