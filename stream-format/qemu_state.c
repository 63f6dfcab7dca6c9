/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/qemu_state.h"

#include <stdlib.h>
#include <string.h>

enum { QEMU_EOF = 0x00, QEMU_FULL = 0x04, QEMU_CONFIGURATION = 0x07, QEMU_FOOTER = 0x7e };

#define PRELUDE 8u /* magic and version */
#define FOOTER_SIZE 5u
#define SECTION_ID_MAX 0xffffu /* QEMU counts from 0 */
#define VERSION_MAX 0xffffu    /* of a device's format */

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A name as QEMU builds it: "<device path>/<name>" or "<name>", ASCII. */
static bool name_good(const uint8_t *name, size_t len)
{
    if (len == 0 || !((name[0] >= '0' && name[0] <= '9') || (name[0] >= 'A' && name[0] <= 'Z') ||
                      (name[0] >= 'a' && name[0] <= 'z') || name[0] == '/'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            return false;
    return true;
}

/* Is there a section header at `at`?  Fills s (data_len 0) if so. */
static bool parse_header(const uint8_t *d, size_t len, size_t at, struct cv_qemu_section *s)
{
    if (len - at < 14 || d[at] != QEMU_FULL)
        return false;
    size_t n = d[at + 5];
    if (len - at < 14 + n || !name_good(d + at + 6, n))
        return false;
    s->section = load_be32(d + at + 1);
    s->instance = load_be32(d + at + 6 + n);
    s->version = load_be32(d + at + 10 + n);
    if (s->section > SECTION_ID_MAX || s->version > VERSION_MAX)
        return false;
    memcpy(s->name, d + at + 6, n);
    s->name[n] = '\0';
    s->offset = at;
    s->data_offset = at + 14 + n;
    s->data_len = 0;
    return true;
}

/* The configuration section that whole migrations have: its name is the machine's, and what follows in it (optional
 * subsections) is passed over by looking for the first section.  Returns where to look, 0 if malformed. */
static size_t parse_configuration(const uint8_t *d, size_t len, char *machine)
{
    size_t at = PRELUDE;

    if (d[at] != QEMU_CONFIGURATION)
        return at;
    if (len - at < 5)
        return 0;
    size_t n = load_be32(d + at + 1);
    if (n > 255 || len - at - 5 < n || !name_good(d + at + 5, n))
        return 0;
    memcpy(machine, d + at + 5, n);
    machine[n] = '\0';
    return at + 5 + n;
}

int cv_qemu_state_check(const void *data, size_t len, struct cv_error *err)
{
    const uint8_t *d = data;
    struct cv_qemu_section first;
    char machine[256];

    if (len < PRELUDE + 1)
        return cv_fail(err, CV_E_EMULATOR, 0, "device state of %zu bytes", len);
    if (memcmp(d, "QEVM", 4) != 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "device state does not begin as QEMU's do");
    if (load_be32(d + 4) != 3)
        return cv_fail(err, CV_E_EMULATOR, 0, "device state of version %u, not 3", load_be32(d + 4));
    if (d[len - 1] != QEMU_EOF)
        return cv_fail(err, CV_E_EMULATOR, 0, "device state of %zu bytes does not end with an end mark", len);
    if (parse_configuration(d, len, machine) == 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "device state with a malformed configuration section");
    if (d[PRELUDE] != QEMU_CONFIGURATION && len > PRELUDE + 1 && !parse_header(d, len, PRELUDE, &first))
        return cv_fail(err, CV_E_EMULATOR, 0, "device state with a malformed first section");
    return 0;
}

/* The next place at or behind `at` where a header stands, or len. */
static size_t find_header(const uint8_t *d, size_t len, size_t at, struct cv_qemu_section *s)
{
    while (at < len) {
        const uint8_t *p = memchr(d + at, QEMU_FULL, len - at);
        if (p == NULL)
            break;
        at = (size_t)(p - d);
        if (parse_header(d, len, at, s))
            return at;
        at++;
    }
    return len;
}

static bool footer_before(const uint8_t *d, size_t at, const struct cv_qemu_section *s)
{
    return at >= s->data_offset + FOOTER_SIZE && d[at - FOOTER_SIZE] == QEMU_FOOTER &&
           load_be32(d + at - FOOTER_SIZE + 1) == s->section;
}

static int append(struct cv_qemu_state *s, const struct cv_qemu_section *section, struct cv_error *err)
{
    if (s->count == CV_QEMU_SECTIONS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "device state with more than %u sections", CV_QEMU_SECTIONS_MAX);
    if ((s->count & (s->count - 1)) == 0) {
        size_t cap = s->count ? s->count * 2 : 1;
        struct cv_qemu_section *grown = realloc(s->sections, cap * sizeof *grown);
        if (grown == NULL)
            return cv_fail(err, CV_E_NOMEM, 0, "list of %zu sections", cap);
        s->sections = grown;
    }
    s->sections[s->count++] = *section;
    return 0;
}

/* Splits [at, end), end being the place of the end mark.  footers: a boundary counts only behind the footer of the
 * section that it closes.  Returns 1 split, 0 not possible this way, -1 error. */
static int split(struct cv_qemu_state *s, const uint8_t *d, size_t at, size_t end, bool footers, struct cv_error *err)
{
    struct cv_qemu_section now, next;

    s->count = 0;
    if (at == end)
        return 1;
    if (!parse_header(d, end, at, &now))
        return 0;
    while (now.offset < end) {
        size_t stop = find_header(d, end, now.data_offset, &next);
        while (footers && stop < end && !footer_before(d, stop, &now))
            stop = find_header(d, end, stop + 1, &next);
        if (footers && !footer_before(d, stop, &now))
            return 0;
        now.data_len = stop - now.data_offset - (footers ? FOOTER_SIZE : 0);
        if (append(s, &now, err) < 0)
            return -1;
        if (stop == end)
            break;
        now = next;
    }
    return 1;
}

static int by_section(const void *a, const void *b)
{
    const struct cv_qemu_section *const *x = a, *const *y = b;
    return (*x)->section < (*y)->section ? -1 : (*x)->section > (*y)->section;
}

/* Section numbers are unique in a real state: a number twice is a header that device data imitates. */
static int check_unique(const struct cv_qemu_state *s, struct cv_error *err)
{
    const struct cv_qemu_section **sorted = calloc(s->count + 1, sizeof *sorted);
    int rc = 0;

    if (sorted == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "list of %zu sections", s->count);
    for (size_t i = 0; i < s->count; i++)
        sorted[i] = &s->sections[i];
    qsort(sorted, s->count, sizeof *sorted, by_section);
    for (size_t i = 1; i < s->count && rc == 0; i++)
        if (sorted[i]->section == sorted[i - 1]->section)
            rc =
                cv_fail(err, CV_E_UNSUPPORTED, 0,
                        "device state cannot be taken apart: section %u appears to be there twice, as '%s' and as '%s'",
                        sorted[i]->section, sorted[i - 1]->name, sorted[i]->name);
    free(sorted);
    return rc;
}

static int decode(struct cv_qemu_state *s, const uint8_t *d, size_t len, struct cv_error *err)
{
    size_t start = parse_configuration(d, len, s->machine), end = len - 1;
    struct cv_qemu_section ignored;

    if (d[PRELUDE] == QEMU_CONFIGURATION)
        start = find_header(d, end, start, &ignored);
    int rc = split(s, d, start, end, true, err);
    s->exact = rc == 1;
    if (rc == 0)
        rc = split(s, d, start, end, false, err);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "device state cannot be taken apart");
    return check_unique(s, err);
}

int cv_qemu_state_decode(struct cv_qemu_state *out, const void *data, size_t len, struct cv_error *err)
{
    struct cv_qemu_state s = { 0 };

    if (cv_qemu_state_check(data, len, err) < 0)
        return -1;
    if (decode(&s, data, len, err) < 0) {
        cv_qemu_state_dispose(&s);
        return -1;
    }
    *out = s;
    return 0;
}

void cv_qemu_state_dispose(struct cv_qemu_state *s)
{
    free(s->sections);
    *s = (struct cv_qemu_state){ 0 };
}
