/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Emulators that are no QEMU: the check of the protocol, for good and for broken ones; the example's device; what
 * convoy makes of one in a configuration, and in a set beside QEMUs. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/config.h"
#include "dm/check.h"
#include "emulators/protocol.h"
#include "emulators/set.h"
#include "emulators/spawn.h"
#include "emulators/state_memory.h"
#include "examples/emulator/emulator.h"
#include "tests/support/run_suite.h"

static const char *example(void) { return getenv("EXAMPLE_EMULATOR"); }
static const char *fake(void) { return getenv("FAKE_QEMU"); }

/* ---- the check ---- */

#define SHORT_MS 2000

struct seen {
    char failed[2000]; /* "point: text\n"... */
    unsigned points;
};

static void see(void *user, const char *point, const struct cv_error *failure)
{
    struct seen *s = user;
    size_t at = strlen(s->failed);

    s->points++;
    if (failure != NULL)
        snprintf(s->failed + at, sizeof s->failed - at, "%s: %s\n", point, failure->text);
}

START_TEST(the_example_keeps_to_it)
{
    const char *command[] = { example(), "-no-xen", "-device", "checksum,id=dev0,bus=pci.0,addr=10.0", NULL };
    struct seen s = { "", 0 };

    ck_assert_uint_eq(cv_dm_check(command, SHORT_MS, see, &s), 0);
    ck_assert_str_eq(s.failed, "");
    ck_assert_uint_eq(s.points, 20);
}
END_TEST

START_TEST(what_stands_for_qemu_does)
{
    const char *command[] = { fake(), NULL };
    struct seen s = { "", 0 };

    ck_assert_msg(cv_dm_check(command, SHORT_MS, see, &s) == 0, "%s", s.failed);
}
END_TEST

/* A fault, and what fails by name; wanted ends with NULL. */
static const struct broken {
    const char *args[4];
    const char *wanted[5];
} broken[] = {
    { { "--version", "7.2.1" }, { "query-version, and --version: --version says '7.2.0'" } },
    { { "--fail", "cont" },
      { "stop and cont: after cont: cont: refused", "xen-save-devices-state: cont: refused",
        "saved, loaded, saved: the same: cont: refused" } },
    { { "--fail", "xen-set-global-dirty-log" }, { "xen-set-global-dirty-log: " } },
    { { "--silent-at", "query-migrate" },
      { "every command with nonsense: query-migrate: no answer within 2 s",
        "query-migrate: query-migrate: no answer within 2 s" } },
    { { "--blocked", "a device" }, { "query-migrate: query-migrate: cannot be saved: a device" } },
    { { "--garbage-at", "query-pci" },
      { "every command with nonsense: query-pci: no JSON object", "query-pci: query-pci: no JSON object" } },
    { { "--die-at", "stop" },
      { "every command with nonsense: stop: it has ended, status 3",
        "stop and cont: after stop: stop: it has ended, status 3" } },
    { { "--no-eof" },
      { "xen-save-devices-state: its state of ", "saved, loaded, saved: the same: its state of ",
        "a state that is cut: its state of " } },
    { { "--delay", "load:3000" },
      { "saved, loaded, saved: the same: ", "a state that is cut: ", "a state of another emulator: " } },
    { { "--leak-fdset" },
      { "add-fd, remove-fd, getfd: remove-fd: refused", "xen-save-devices-state: remove-fd: refused",
        "saved, loaded, saved: the same: remove-fd", "a state that is cut: remove-fd" } },
    { { "--silent-at", "quit" }, { "quit: quit: no answer within 2 s" } },
    { { "--half-at", "remove-fd" },
      { "every command with nonsense: remove-fd: no answer", "add-fd, remove-fd, getfd: remove-fd: no",
        "xen-save-devices-state: remove-fd: no", "saved, loaded, saved: the same: remove",
        "a state that is cut: remove-fd: no" } },
};

START_TEST(a_broken_one_fails_by_name)
{
    const struct broken *b = &broken[_i];
    const char *command[] = { fake(), b->args[0], b->args[1], b->args[2], b->args[3], NULL };
    struct seen s = { "", 0 };
    unsigned wanted = 0;

    unsigned failed = cv_dm_check(command, SHORT_MS, see, &s);
    for (; wanted < 5 && b->wanted[wanted] != NULL; wanted++) {
        const char *at = strstr(s.failed, b->wanted[wanted]);
        ck_assert_msg(at != NULL && (at == s.failed || at[-1] == '\n'), "%s %s: no '%s' in\n%s", b->args[0],
                      b->args[1] != NULL ? b->args[1] : "", b->wanted[wanted], s.failed);
    }
    ck_assert_msg(failed == wanted, "%s: %u, not %u:\n%s", b->args[0], failed, wanted, s.failed);
}
END_TEST

START_TEST(what_is_no_emulator_fails_everywhere)
{
    static const char *const programs[] = { "/bin/true", "/nonexistent" };

    for (size_t i = 0; i < 2; i++) {
        const char *command[] = { programs[i], NULL };
        struct seen s = { "", 0 };
        ck_assert_uint_eq(cv_dm_check(command, SHORT_MS, see, &s), 20);
        ck_assert_msg(strstr(s.failed, i == 0 ? "it has ended, status 0" : "start /nonexistent") != NULL, "%s",
                      s.failed);
    }
}
END_TEST

/* The rows of its table are the commands that convoy may send, in that order. */
START_TEST(the_document_lists_the_commands)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FREE char *text = NULL;
    size_t len, n = 0;

    ck_assert(cv_file_read("docs/emulator-protocol.md", 1 << 20, &text, &len, &err) == 0);
    const char *at = strstr(text, "| command | arguments |");
    ck_assert_ptr_nonnull(at);
    for (at = strstr(at, "\n| `"); at != NULL && strncmp(at, "\n| `", 4) == 0; at = strchr(at + 1, '\n'), n++) {
        ck_assert_ptr_nonnull(cv_protocol_commands[n]);
        size_t name = strlen(cv_protocol_commands[n]);
        ck_assert_msg(strncmp(at + 4, cv_protocol_commands[n], name) == 0 && at[4 + name] == '`', "%.40s, not %s",
                      at + 1, cv_protocol_commands[n]);
    }
    ck_assert_ptr_null(cv_protocol_commands[n]);
}
END_TEST

/* ---- the device (examples/emulator/checksum.c, over this memory) ---- */

static uint8_t guest[16384];
static uint64_t bar_at;

bool guest_copy(uint64_t address, void *buf, size_t len, bool to_guest)
{
    if (address > sizeof guest || len > sizeof guest - address)
        return false;
    memcpy(to_guest ? guest + address : buf, to_guest ? buf : guest + address, len);
    return true;
}

void bar_moves(uint64_t address) { bar_at = address; }

static uint32_t fnv(uint32_t sum, const uint8_t *p, size_t n)
{
    while (n-- > 0)
        sum = (sum ^ *p++) * 16777619u;
    return sum;
}

static void ask(uint32_t from, uint32_t len, uint32_t to)
{
    device_write(0x08, from);
    device_write(0x10, len);
    device_write(0x14, to);
    device_write(0x1c, 1);
}

START_TEST(the_device_sums_and_comes_back)
{
    uint8_t state[DEVICE_STATE_BYTES], again[DEVICE_STATE_BYTES];
    uint32_t record[2];

    for (size_t i = 0; i < sizeof guest; i++)
        guest[i] = (uint8_t)(i * 7 + i / 256);
    device_init();
    ck_assert_uint_eq(device_config_read(0, 4), 0x73751234);
    device_config_write(0x10, 4, 0xffffffff);
    ck_assert_uint_eq(device_config_read(0x10, 4), 0xfffff000);
    device_config_write(0x10, 4, 0xf3001000);
    ck_assert_uint_eq(bar_at, 0);
    ask(0, 8192, 12288);
    ck_assert_uint_eq(device_read(0x04), 1); /* no bus master */
    device_config_write(4, 2, 6);
    ck_assert_uint_eq(bar_at, 0xf3001000);
    ask(100, 5000, 12288);
    ask(5, 7, 12288);
    uint32_t sum = fnv(fnv(2166136261u, guest + 100, 5000), guest + 5, 7);
    memcpy(record, guest + 12288, 8);
    ck_assert_uint_eq(record[0], 2);
    ck_assert_uint_eq(record[1], sum);
    device_save(state);
    device_init();
    bar_at = 0;
    ck_assert(device_load(state));
    ck_assert_uint_eq(bar_at, 0xf3001000);
    device_save(again);
    ck_assert_mem_eq(state, again, sizeof state);
    ask(5, 7, 12288);
    ck_assert_uint_eq(device_read(0x20), fnv(sum, guest + 5, 7));
    ask(16380, 8, 0);
    ck_assert_uint_eq(device_read(0x04), 1); /* beyond the memory: nothing has changed */
    ck_assert_uint_eq(device_read(0x24), 3);
    static const unsigned fixed[] = { 0, 2, 5, 0x0b, 0x10, 0x11, 64, 68 + 3 };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        memcpy(again, state, sizeof again);
        again[fixed[i]] ^= 1;
        ck_assert_msg(!device_load(again), "byte %u", fixed[i]);
    }
}
END_TEST

/* ---- in a configuration ---- */

static int decide(const char *entry, struct cv_layout *l, struct cv_error *err)
{
    struct cv_layout_host host = { .default_model = "/usr/bin/qemu", .pirqs = true };
    struct cv_guest_config c;
    char text[1000];

    snprintf(text, sizeof text, "type=\"hvm\"\nname=\"g\"\nmemory=64\nvcpus=2\nvnc=0\ndevice_models=[ \"%s\" ]\n",
             entry);
    if (cv_guest_config_parse(text, strlen(text), "test.cfg", &c, err) < 0)
        return -1;
    int rc = cv_layout_decide(&c, &host, l, err);
    cv_guest_config_dispose(&c);
    return rc;
}

START_TEST(its_arguments_are_the_documents)
{
    static const char *const argv[] = { "/x/y",     "-xen-domid",
                                        "@{domid}", "-S",
                                        "-chardev", "socket,id=convoy,fd=@{qmp-fd},server=on,wait=off",
                                        "-mon",     "chardev=convoy,mode=control",
                                        "-name",    "g",
                                        "-smp",     "2",
                                        "-device",  "sum,id=dev0,a=1,bus=pci.0,addr=04.0",
                                        "-v" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l, again;
    char *json;

    ck_assert_msg(decide("name=s,protocol=1,model=/x/y,device=[sum,a=1],args=-v", &l, &err) == 0, "%s", err.text);
    const struct cv_layout_dm *dm = &l.dms[1];
    ck_assert(!cv_layout_is_qemu(dm) && cv_layout_is_qemu(&l.dms[0]));
    ck_assert_uint_eq(dm->window_pages, 0);
    ck_assert_uint_eq(dm->argv.count, sizeof argv / sizeof argv[0]);
    for (size_t i = 0; i < dm->argv.count; i++)
        ck_assert_str_eq(dm->argv.items[i], argv[i]);
    /* and comes through an image unchanged; one that lays claim to memory does not */
    ck_assert(cv_layout_encode(&l, &json, &err) == 0);
    ck_assert(cv_layout_decode(json, strlen(json), &again, &err) == 0);
    ck_assert(!cv_layout_is_qemu(&again.dms[1]));
    again.dms[1].window_pages = 1;
    ck_assert(cv_layout_check(&again, &err) < 0);
    ck_assert_msg(strstr(err.text, "a secondary that has PCI devices only") != NULL, "%s", err.text);
    free(json);
    cv_layout_dispose(&again);
    cv_layout_dispose(&l);
}
END_TEST

START_TEST(what_it_cannot_be_is_refused)
{
    static const char *const bad[][2] = {
        { "name=s,protocol=2,model=/x,device=d", "is no number in range" },
        { "name=s,protocol=1,device=d", "needs its program (model=)" },
        { "name=s,protocol=1,model=/x", "has devices of its own (device=)" },
        { "name=s,protocol=1,model=/x,device=d,caps=usb", "no disks, cards or capabilities" },
        { "name=s,protocol=1,model=/x,device=d,default=1", "beside the default one" },
        { "name=s,protocol=1,model=/x,device=d,machine=pc", "has no machine" },
        { "name=s,protocol=1,model=/x,device=d,reserve=4", "no memory in the guest" },
        { "name=s,protocol=1,model=/x,device=d,msi=0", "and no msi" },
        { "name=s,protocol=1,protocol=1,model=/x,device=d", "given twice" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_layout l;
        ck_assert_msg(decide(bad[i][0], &l, &err) < 0, "%s", bad[i][0]);
        ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s: %s", bad[i][0], err.text);
    }
}
END_TEST

/* ---- beside a QEMU, by the set's own operations ---- */

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.text)

static void life(struct cv_emuset *set, struct cv_layout *l, const int fds[CV_DM_MAX], bool again, const char *dir)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(20000) };
    struct cv_emu_rules rules = { .as_root = true };
    struct cv_spawn_options opt = { .mode = again ? CV_SPAWN_INCOMING : CV_SPAWN_CREATE,
                                    .guest_name = "g",
                                    .run_dir = dir,
                                    .log_dir = dir,
                                    .rules = &rules };
    uint64_t sizes[CV_DM_MAX];

    OK(cv_emuset_init(set, l, 7, NULL, &err));
    OK(cv_emuset_start(set, l, &opt, &w, &err));
    OK(cv_emuset_survey(set, l, &w, &err));
    if (again) {
        OK(cv_emuset_prepare_load(set, true, NULL, &w, &err));
        OK(cv_emuset_load_state(set, fds, &w, NULL, &err));
    }
    OK(cv_emuset_cont(set, &w, NULL, &err));
    cv_emu_tty tty[4];
    OK(cv_emuset_serial_ttys(set, &w, tty, &err));
    OK(cv_emuset_check_migratable(set, &w, NULL, &err));
    OK(cv_emuset_dirty_log(set, true, &w, NULL, &err));
    OK(cv_emuset_stop(set, &w, NULL, &err));
    if (!again)
        OK(cv_emuset_save_state(set, fds, true, sizes, &w, NULL, &err));
    OK(cv_emuset_dirty_log(set, false, &w, NULL, &err));
    struct cv_emu_wait end = { .deadline_ms = cv_after_ms(20000) };
    OK(cv_emuset_quit(set, &end, &err));
    cv_emuset_dispose(set);
}

START_TEST(it_lives_in_a_set)
{
    struct cv_error err = CV_ERROR_INIT;
    char dir[] = "/tmp/convoy-example-XXXXXX", entry[800], text[900];
    struct cv_emuset set;
    struct cv_layout l;
    int fds[CV_DM_MAX];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(entry, sizeof entry,
             "name=main,default=1,model=%s,args=[--tag x]\", \"name=s,protocol=1,model=%s,device=checksum,args=-no-xen",
             fake(), example());
    OK(decide(entry, &l, &err));
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_ge(fds[i] = cv_state_memory(i, &err), 0);
    life(&set, &l, fds, false, dir);
    for (unsigned i = 0; i < 2; i++)
        lseek(fds[i], 0, SEEK_SET);
    life(&set, &l, fds, true, dir);
    ck_assert_str_eq(l.dms[1].version, EMULATOR_VERSION);
    for (unsigned i = 0; i < 2; i++)
        close(fds[i]);
    cv_layout_dispose(&l);
    snprintf(text, sizeof text, "rm -r %s", dir);
    ck_assert_int_eq(system(text), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("check_emulator");
    TCase *check = tcase_create("check"), *in_convoy = tcase_create("convoy");

    tcase_set_timeout(check, 120);
    tcase_add_test(check, the_example_keeps_to_it);
    tcase_add_test(check, what_stands_for_qemu_does);
    tcase_add_loop_test(check, a_broken_one_fails_by_name, 0, (int)(sizeof broken / sizeof broken[0]));
    tcase_add_test(check, what_is_no_emulator_fails_everywhere);
    tcase_add_test(check, the_document_lists_the_commands);
    suite_add_tcase(s, check);
    tcase_set_timeout(in_convoy, 120);
    tcase_add_test(in_convoy, the_device_sums_and_comes_back);
    tcase_add_test(in_convoy, its_arguments_are_the_documents);
    tcase_add_test(in_convoy, what_it_cannot_be_is_refused);
    tcase_add_test(in_convoy, it_lives_in_a_set);
    suite_add_tcase(s, in_convoy);
    return run_suite(s);
}
