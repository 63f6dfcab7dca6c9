/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The digests of emulators' ROMs (guest/roms.c), on a model of a host. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "../support/run_suite.h"
#include "guest/guest.h"
#include "tests/support/fake_host.h"

struct scene {
    struct fake_host *h;
    struct cv_guest g;
};

/* Two emulators; of their blocks two are ROMs, one of which is longer than what is mapped at once. */
static void begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->h = fake_host_new();
    s->g.host = &s->h->base;
    s->g.domid = fake_host_add_guest(s->h, "g");
    s->h->dom[s->g.domid]->paused = true;
    s->g.layout.count = 2;
    struct cv_layout_dm *a = &s->g.layout.dms[0], *b = &s->g.layout.dms[1];
    a->regions[0] = (struct cv_layout_region){ .what = "vga.vram", .gfn = 1, .pages = 20, .digest = "" };
    a->regions[1] = (struct cv_layout_region){ .what = "0000:00:02.0/cirrus_vga.rom", .gfn = 30, .pages = 9 };
    a->region_count = 2;
    b->regions[0] = (struct cv_layout_region){ .what = "0000:00:04.0/e1000.rom", .gfn = 100, .pages = 130 };
    b->regions[1] = (struct cv_layout_region){ .what = ".rom", .gfn = 5, .pages = 1, .digest = "" };
    b->region_count = 2;
}

static void end(struct scene *s)
{
    cv_pool_dispose(&s->g.layout.pool);
    fake_host_free(s->h);
}

/* Worked out over the whole, in one piece; a page that is not there reads as zeros. */
static void is_digest_of(const struct scene *s, const struct cv_layout_region *r)
{
    const struct fake_domain *d = s->h->dom[s->g.domid];
    char *all = calloc(r->pages, CV_PAGE_SIZE), want[33];
    XXH128_canonical_t c;

    for (uint64_t i = 0; i < r->pages; i++)
        if (d->there[r->gfn + i])
            memcpy(all + i * CV_PAGE_SIZE, d->ram[r->gfn + i], CV_PAGE_SIZE);
    XXH128_canonicalFromHash(&c, XXH3_128bits(all, r->pages * CV_PAGE_SIZE));
    for (size_t i = 0; i < sizeof c.digest; i++)
        snprintf(want + 2 * i, 3, "%02x", c.digest[i]);
    ck_assert_str_eq(r->digest, want);
    free(all);
}

START_TEST(roms_and_nothing_else)
{
    struct cv_error err = CV_ERROR_INIT;
    struct scene s;

    begin(&s);
    ck_assert_msg(cv_guest_digest_roms(&s.g, &err) == 0, "%s", err.text);
    is_digest_of(&s, &s.g.layout.dms[0].regions[1]);
    is_digest_of(&s, &s.g.layout.dms[1].regions[0]);
    ck_assert_str_eq(s.g.layout.dms[0].regions[0].digest, "");
    ck_assert_str_eq(s.g.layout.dms[1].regions[1].digest, "");
    const char *before = s.g.layout.dms[1].regions[0].digest;
    s.h->dom[s.g.domid]->ram[229][4095] ^= 1; /* the last byte of the last page */
    ck_assert_int_eq(cv_guest_digest_roms(&s.g, &err), 0);
    ck_assert_str_ne(s.g.layout.dms[1].regions[0].digest, before);
    is_digest_of(&s, &s.g.layout.dms[1].regions[0]);
    end(&s);
}
END_TEST

/* Every call of the host once: the source, and each map. */
START_TEST(whatever_fails_is_said)
{
    unsigned calls;
    struct scene s;

    begin(&s);
    s.h->calls = 0;
    ck_assert_int_eq(cv_guest_digest_roms(&s.g, NULL), 0);
    calls = s.h->calls;
    ck_assert_uint_ge(calls, 1 + 1 + 3);
    for (unsigned n = 1; n <= calls; n++) {
        struct cv_error err = CV_ERROR_INIT;
        s.h->calls = 0;
        s.h->fail_at = n;
        ck_assert_int_eq(cv_guest_digest_roms(&s.g, &err), -1);
        ck_assert_int_eq(err.code, CV_E_HYPERVISOR);
        ck_assert_msg(n == 1 || strstr(err.text, ".rom: ") != NULL, "%s", err.text);
    }
    end(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("roms");
    TCase *t = tcase_create("roms");

    tcase_add_test(t, roms_and_nothing_else);
    tcase_add_test(t, whatever_fails_is_said);
    suite_add_tcase(s, t);
    return run_suite(s);
}
