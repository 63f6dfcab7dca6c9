/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations as people write them (tests/configs), and what becomes of each: taken or refused, what is in the way
 * and what is warned of, on which line, and what the taken ones make of QEMU's command line and of the domain. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/run_suite.h"
#include "base/auto.h"
#include "base/fd.h"
#include "config/config.h"
#include "layout/decide.h"
#include "layout/spec.h"

static char *names[200];
static int name_count;

struct outcome {
    const char *name;
    bool taken;
    struct cv_findings found;
    unsigned seen; /* findings that were expected */
    char *argv;    /* of the default emulator, joined by blanks */
    char *spec;
};

static char *read_part(const char *name, const char *ext, size_t *len)
{
    struct cv_error err = CV_ERROR_INIT;
    char path[400], *text;

    snprintf(path, sizeof path, "%s/%s.%s", CONFIGS_DIR, name, ext);
    ck_assert_msg(cv_file_read(path, 1 << 20, &text, len, &err) == 0, "%s", err.text);
    return text;
}

static char *join(const struct cv_strings *s)
{
    size_t len = 1;

    for (size_t i = 0; i < s->count; i++)
        len += strlen(s->items[i]) + 1;
    char *all = calloc(1, len);
    ck_assert_ptr_nonnull(all);
    for (size_t i = 0; i < s->count; i++) {
        strcat(all, s->items[i]);
        strcat(all, " ");
    }
    return all;
}

static void examine(struct outcome *o, const char *name)
{
    const struct cv_layout_host host = { .default_model = "/usr/libexec/xen-qemu-system-i386" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout layout;
    struct cv_domain_spec spec;
    size_t len;
    CV_AUTO_FREE char *text = read_part(name, "cfg", &len);

    *o = (struct outcome){ .name = name };
    if (cv_guest_config_examine(text, len, "x", &c, &o->found, &err) < 0)
        return;
    ck_assert_msg(cv_layout_decide(&c, &host, &layout, &err) == 0, "%s: %s", name, err.text);
    cv_spec_from_config(&spec, &c, &layout);
    ck_assert_msg(cv_spec_encode(&spec, &o->spec, &err) == 0, "%s: %s", name, err.text);
    o->argv = layout.count > 0 ? join(&layout.dms[0].argv) : strdup("");
    o->taken = true;
    cv_layout_dispose(&layout);
    cv_guest_config_dispose(&c);
}

/* "error 6 pci some words": the next one of that kind. */
static void expect_finding(struct outcome *o, bool error, const char *rest)
{
    char key[40], start[80];
    unsigned line;
    int words;

    ck_assert_int_eq(sscanf(rest, "%u %39s %n", &line, key, &words), 2);
    if (line == 0)
        snprintf(start, sizeof start, "x: %s: ", key);
    else
        snprintf(start, sizeof start, "x:%u: %s: ", line, key);
    for (size_t i = 0; i < o->found.count; i++) {
        const struct cv_finding *f = &o->found.items[i];
        if ((f->code != CV_OK) != error || strncmp(f->text, start, strlen(start)) != 0)
            continue;
        if (strstr(f->text, rest + words) == NULL && strstr(f->advice, rest + words) == NULL)
            continue;
        o->seen++;
        return;
    }
    ck_abort_msg("%s: not found: %s %s", o->name, error ? "error" : "warning", rest);
}

static void expect(struct outcome *o, const char *line)
{
    if (strcmp(line, "taken") == 0)
        ck_assert_msg(o->taken, "%s: refused: %s", o->name, o->found.count ? o->found.items[0].text : "?");
    else if (strcmp(line, "refused") == 0)
        ck_assert_msg(!o->taken, "%s: taken", o->name);
    else if (strncmp(line, "error ", 6) == 0)
        expect_finding(o, true, line + 6);
    else if (strncmp(line, "warning ", 8) == 0)
        expect_finding(o, false, line + 8);
    else if (strncmp(line, "argv ", 5) == 0)
        ck_assert_msg(strstr(o->argv, line + 5) != NULL, "%s: '%s' is not in %s", o->name, line + 5, o->argv);
    else if (strncmp(line, "no-argv ", 8) == 0)
        ck_assert_msg(strstr(o->argv, line + 8) == NULL, "%s: '%s' is in %s", o->name, line + 8, o->argv);
    else if (strncmp(line, "spec ", 5) == 0)
        ck_assert_msg(strstr(o->spec, line + 5) != NULL, "%s: '%s' is not in %s", o->name, line + 5, o->spec);
    else
        ck_abort_msg("%s: what is '%s'?", o->name, line);
}

START_TEST(as_expected)
{
    struct outcome o;
    size_t len;
    CV_AUTO_FREE char *text = read_part(names[_i], "expect", &len);
    char *rest = text, *line;

    examine(&o, names[_i]);
    while ((line = strsep(&rest, "\n")) != NULL)
        if (*line != '\0')
            expect(&o, line);
    /* Nothing beside what is expected. */
    for (size_t i = 0; i < o.found.count && o.seen != o.found.count; i++)
        fprintf(stderr, "%s: %s\n", o.name, o.found.items[i].text);
    ck_assert_msg(o.seen == o.found.count, "%s: %zu findings, and %u are expected", o.name, o.found.count, o.seen);
    cv_findings_dispose(&o.found);
    free(o.argv);
    free(o.spec);
}
END_TEST

static void find_names(void)
{
    DIR *d = opendir(CONFIGS_DIR);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len > 4 && strcmp(e->d_name + len - 4, ".cfg") == 0 && name_count < (int)(sizeof names / sizeof *names))
            names[name_count++] = strndup(e->d_name, len - 4);
    }
    if (d != NULL)
        closedir(d);
}

int main(void)
{
    Suite *s = suite_create("configs");
    TCase *t = tcase_create("configs");

    find_names();
    tcase_add_loop_test(t, as_expected, 0, name_count);
    suite_add_tcase(s, t);
    int rc = name_count < 40 ? EXIT_FAILURE : run_suite(s);
    for (int i = 0; i < name_count; i++)
        free(names[i]);
    return rc;
}
