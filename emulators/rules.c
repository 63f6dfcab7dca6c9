/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"

/* Where Xen's and the distributions' packages put QEMU. */
static const char *const usual[] = { "/usr/libexec/xen-qemu-system-i386",          "/usr/lib/xen*/bin/qemu-system-i386",
                                     "/usr/libexec/xen/bin/qemu-system-i386",      "/usr/bin/qemu-system-i386",
                                     "/usr/local/lib/xen/bin/qemu-system-i386",    "/usr/bin/qemu-system-x86_64",
                                     "/usr/local/libexec/xen/bin/qemu-system-i386" };

int cv_emu_rules_trust(struct cv_emu_rules *r, const char *program, struct cv_error *err)
{
    if (program[0] != '/' || strlen(program) >= sizeof r->programs[0])
        return cv_fail(err, CV_E_INVALID, 0, "a program is an absolute path of at most %zu bytes, not '%.80s'",
                       sizeof r->programs[0] - 1, program);
    if (r->program_count == CV_EMU_PROGRAMS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "more than %d programs", CV_EMU_PROGRAMS_MAX);
    snprintf(r->programs[r->program_count++], sizeof r->programs[0], "%s", program);
    return 0;
}

static int set_users(struct cv_emu_rules *r, uint64_t first, uint64_t group, struct cv_error *err)
{
    if (first < CV_EMU_USERS_LEAST || first > INT32_MAX - CV_EMU_USERS)
        return cv_fail(
            err, CV_E_INVALID, 0,
            "%u users from %llu on: the first must be at least %u and at most %u, so that they are nobody else's",
            CV_EMU_USERS, (unsigned long long)first, CV_EMU_USERS_LEAST, INT32_MAX - CV_EMU_USERS);
    r->has_users = true;
    r->users = (uint32_t)first;
    r->group = (uint32_t)group;
    return 0;
}

static int set_number(struct cv_emu_rules *r, const char *key, const char *value, struct cv_error *err)
{
    char *end;

    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0' || end == value || *value == '-')
        return cv_fail(err, CV_E_INVALID, 0, "%s takes a number, not '%.80s'", key, value);
    if (strcmp(key, "users") == 0)
        return set_users(r, n, n, err);
    if (n > 1)
        return cv_fail(err, CV_E_INVALID, 0, "%s is 0 or 1", key);
    r->as_root = n == 1;
    return 0;
}

static int take_line(struct cv_emu_rules *r, char *line, struct cv_error *err)
{
    char key[32] = "", value[300] = "", rest;

    if (line[strspn(line, " \t\r")] == '\0' || line[strspn(line, " \t")] == '#')
        return 0;
    if (sscanf(line, " %31[a-z_] = %299s %c", key, value, &rest) != 2)
        return cv_fail(err, CV_E_INVALID, 0, "'%.80s' is no 'key = value'", line);
    if (strcmp(key, "program") == 0)
        return cv_emu_rules_trust(r, value, err);
    if (strcmp(key, "users") == 0 || strcmp(key, "secondaries_as_root") == 0)
        return set_number(r, key, value, err);
    return cv_fail(err, CV_E_INVALID, 0, "unknown key '%s'", key);
}

static int take_text(struct cv_emu_rules *r, char *text, struct cv_error *err)
{
    unsigned number = 1;

    for (char *line = text; line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        if (take_line(r, line, err) < 0)
            return cv_context(err, "line %u", number);
        line = end != NULL ? end + 1 : NULL;
    }
    return 0;
}

/* Whoever may write the file may become root by it. */
static int read_file(const char *path, char **text_out, struct cv_error *err)
{
    struct stat st;
    size_t len;

    *text_out = NULL;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : cv_fail(err, CV_E_IO, errno, "look at it");
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return cv_fail(err, CV_E_INVALID, 0, "others than root may write it");
    return cv_file_read(path, CV_EMU_RULES_MAX, text_out, &len, err);
}

static int look_up_user(struct cv_emu_rules *r, struct cv_error *err)
{
    const struct passwd *p = getpwnam(CV_EMU_USER);

    if (p == NULL || set_users(r, p->pw_uid, p->pw_gid, err) == 0)
        return 0;
    return cv_context(err, "user " CV_EMU_USER);
}

int cv_emu_rules_load(struct cv_emu_rules *r, const char *path, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;

    memset(r, 0, sizeof *r);
    if (path == NULL)
        path = CV_EMU_RULES_FILE;
    if (read_file(path, &text, err) < 0 || (text != NULL && take_text(r, text, err) < 0))
        return cv_context(err, "%s", path);
    return r->has_users || r->as_root ? 0 : look_up_user(r, err);
}

int cv_emu_rules_program(const struct cv_emu_rules *r, const char *program, struct cv_error *err)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (fnmatch(usual[i], program, FNM_PATHNAME | FNM_PERIOD) == 0)
            return 0;
    for (unsigned i = 0; i < r->program_count; i++)
        if (strcmp(r->programs[i], program) == 0)
            return 0;
    return cv_fail(
        err, CV_E_UNSUPPORTED, 0,
        "it would start %s, which is none of this host's QEMUs; if that is wanted: a line 'program = %s' in %s",
        program, program, CV_EMU_RULES_FILE);
}

int cv_emu_rules_user(const struct cv_emu_rules *r, unsigned domid, unsigned dmid, char *buf, size_t len,
                      struct cv_error *err)
{
    uint32_t uid = r->users + domid * CV_DM_MAX + dmid;

    buf[0] = '\0';
    if (!r->has_users && r->as_root)
        return 0;
    if (!r->has_users)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "there is no user " CV_EMU_USER
                       ", and it would run as root: make that user (convoy(1), USERS), or "
                       "allow it by 'secondaries_as_root = 1' in %s",
                       CV_EMU_RULES_FILE);
    if (domid >= CV_EMU_DOMIDS || dmid >= CV_DM_MAX)
        return cv_fail(err, CV_E_INTERNAL, 0, "no user for emulator %u of domain %u", dmid, domid);
    const struct passwd *p = getpwuid(uid);
    if (p != NULL && strcmp(p->pw_name, CV_EMU_USER) != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "its user id %u, of the range from %u on, is the user %s's", uid,
                       r->users, p->pw_name);
    snprintf(buf, len, "%u:%u", uid, r->group);
    return 0;
}

int cv_emu_rules_check(const struct cv_emu_rules *r, const struct cv_layout *l, bool from_elsewhere,
                       struct cv_error *err)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct cv_layout_dm *dm = &l->dms[i];
        char user[32];
        int rc = 0;
        if (from_elsewhere && dm->role != CV_DM_ATTACHED)
            rc = cv_emu_rules_program(r, dm->model, err);
        if (rc == 0 && dm->role == CV_DM_SECONDARY)
            rc = cv_emu_rules_user(r, 1, i, user, sizeof user, err);
        if (rc < 0)
            return cv_context(err, "emulator %u '%s'", i, dm->name);
    }
    return 0;
}
