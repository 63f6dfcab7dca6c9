/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM generation IDs (ms_vm_genid) through a save and a restore, on a model of a host. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "restore/restore.h"
#include "save/save.h"
#include "vm/genid.h"

/* A guest that goes back in time has another VM generation ID, where its firmware has put it and where that reads it;
 * nothing else of its memory is another.  One that somebody has handed over keeps it. */
START_TEST(a_restored_guest_has_another_generation_id)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    const bool handed_over = _i == 1, straddles = _i == 2;
    struct cv_restore_options o = { .mem = { .threads = 2 }, .handed_over = handed_over };
    struct cv_save_options so = { .emulator_timeout_ms = 5000,
                                  .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_error err = CV_ERROR_INIT;
    uint8_t old[CV_GENID_BYTES], new[CV_GENID_BYTES];
    struct cv_guest g = { 0 };
    struct one_host w;
    uint32_t domid = 0;

    one_host_begin(&w, NULL);
    one_host_lines(&w, "ms_vm_genid = 'generate'\n");
    ck_assert_msg(one_host_create(&w, &g, &err) == 0, "%s", err.text);
    struct fake_domain *d = w.host->dom[g.domid];
    ck_assert_int_eq(cv_genid_parse(d->spec.genid, old, &err), 0);
    const uint64_t pfn = 7;
    memset(d->there, true, 16); /* as if its firmware had run */
    memset(d->ram[pfn], 0xa5, sizeof d->ram[pfn]);
    d->genid_at = pfn * CV_PAGE_SIZE + (straddles ? 4090 : 0x120);
    cv_guest_dispose(&g);
    ck_assert_msg(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_DESTROY, &so, NULL, NULL, &err) == 0, "%s",
                  emu_text(&err));
    memcpy(ram, d->ram, sizeof ram);
    uint64_t at = d->genid_at;
    reap();

    int fd = open(w.image, O_RDONLY | O_CLOEXEC);
    int rc = cv_restore_from(&w.host->base, fd, &o, NULL, &domid, NULL, &err);
    close(fd);
    if (straddles) {
        ck_assert_int_lt(rc, 0);
        ck_assert_msg(strstr(err.text, "VM generation ID") != NULL, "%s", err.text);
    } else {
        ck_assert_msg(rc == 0, "%s", err.text);
        d = w.host->dom[domid];
        ck_assert_int_eq(cv_genid_parse(d->spec.genid, new, &err), 0);
        ck_assert_int_eq(memcmp(old, new, sizeof new) == 0, handed_over);
        if (!handed_over)
            memcpy(ram[pfn] + at % CV_PAGE_SIZE, new, sizeof new);
        ck_assert_mem_eq(ram[pfn], d->ram[pfn], CV_PAGE_SIZE);
        one_host_destroy(&w);
    }
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("genid");
    TCase *t = tcase_create("genid");

    tcase_add_loop_test(t, a_restored_guest_has_another_generation_id, 0, 3);
    suite_add_tcase(s, t);
    return run_suite(s);
}
