/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a destination finds wrong with an OFFER: one refusal each, with its code and a text that says what and where. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/fake_host.h"
#include "../support/run_suite.h"
#include "config/config.h"
#include "migrate/offer.h"
#include "migrate/watch.h"

#define CONFIG "type='hvm'\nname='g'\nmemory=64\ndevice_models=['name=net']\n"
#define DISK "/tmp/convoy-offer-disk"
#define RULES "/tmp/convoy-offer-rules"

struct offer {
    struct cv_msg_offer msg;
    struct cv_buf disks, facts, bridges, emulators;
    char *layout;
};

static void add(struct cv_buf *b, struct cv_strs *s, const char *text)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_strs_append(b, s, text, &err), 0);
}

static void add_emulator(struct offer *o, const char *const words[5])
{
    for (unsigned i = 0; i < 5; i++)
        add(&o->emulators, &o->msg.emulators, words[i]);
}

/* A guest that this host can take. */
static void offer_begin(struct offer *o)
{
    static const struct cv_layout_host host = { .default_model = "/bin/true" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    memset(o, 0, sizeof *o);
    ck_assert_msg(cv_guest_config_parse(CONFIG, strlen(CONFIG), "x.cfg", &c, &err) == 0, "%s", err.text);
    ck_assert_msg(cv_layout_decide(&c, &host, &l, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_layout_encode(&l, &o->layout, &err), 0);
    cv_layout_dispose(&l);
    cv_guest_config_dispose(&c);
    o->msg.name = "g";
    o->msg.xen_major = 1;
    o->msg.memory_bytes = 64 << 20;
    o->msg.layout = (struct cv_blob){ o->layout, strlen(o->layout) };
    add_emulator(o, (const char *const[]){ "0", "default", "/bin/true", "", "xenfv" });
}

static void offer_end(struct offer *o)
{
    cv_buf_dispose(&o->disks);
    cv_buf_dispose(&o->facts);
    cv_buf_dispose(&o->bridges);
    cv_buf_dispose(&o->emulators);
    free(o->layout);
}

/* Bytes on a disk that is offered as holding "disk-bytes=FACT DISK". */
static void offer_disk(struct offer *o, long long bytes, const char *fact)
{
    char text[128];
    int fd = open(DISK, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    close(fd);
    add(&o->disks, &o->msg.disks, "rw " DISK);
    snprintf(text, sizeof text, "disk-bytes=%s " DISK, fact);
    add(&o->facts, &o->msg.facts, text);
}

enum wrong {
    NOTHING,
    DISK_AS_IT_WAS,
    FACT_OF_A_LATER_VERSION,
    NAME,
    INCOMING_NAME,
    MEMORY,
    XEN,
    FACT,
    PROGRAM,
    STRANGER,
    EMULATORS_CUT,
    LAYOUT,
    NO_DISK,
    DISK_FOLDER,
    SHORTER,
    LONGER,
    DISK_FACT,
    BRIDGE,
    WRONGS
};

static const struct {
    uint32_t refusal;
    const char *text;
} expected[WRONGS] = {
    [NAME] = { CV_REFUSE_NAME_TAKEN, "has the name 'g'" },
    [INCOMING_NAME] = { CV_REFUSE_NAME_TAKEN, "has the name 'g--incoming'" },
    [MEMORY] = { CV_REFUSE_MEMORY, "MiB are free" },
    [XEN] = { CV_REFUSE_XEN_VERSION, "comes from 99.0" },
    [FACT] = { CV_REFUSE_FEATURE, "'numa=2' is not known" },
    [PROGRAM] = { CV_REFUSE_NO_EMULATOR, "emulator 1 'net': /nowhere/qemu" },
    [STRANGER] = { CV_REFUSE_NO_EMULATOR, "it would start /bin/false" },
    [EMULATORS_CUT] = { CV_REFUSE_CONFIG, "cut short" },
    [LAYOUT] = { CV_REFUSE_CONFIG, "" },
    [NO_DISK] = { CV_REFUSE_NO_DISK, "disk /nowhere/disk" },
    [DISK_FOLDER] = { CV_REFUSE_NO_DISK, "disk /tmp is neither" },
    [SHORTER] = { CV_REFUSE_NO_DISK, "disk " DISK " has 4096 bytes there, and 8192 here" },
    [LONGER] = { CV_REFUSE_NO_DISK, "disk " DISK " has 4096 bytes there, and 512 here" },
    [DISK_FACT] = { CV_REFUSE_CONFIG, "disk-bytes" },
    [BRIDGE] = { CV_REFUSE_NO_BRIDGE, "'br7' is not a bridge there: there is no bridge br7" },
};

static void make_wrong(struct offer *o, struct fake_host *h, enum wrong what)
{
    switch (what) {
    case NAME: fake_host_add_guest(h, "g"); break;
    case INCOMING_NAME: fake_host_add_guest(h, "g--incoming"); break;
    case MEMORY: o->msg.memory_bytes = 1ull << 40; break;
    case XEN: o->msg.xen_major = 99; break;
    case FACT: add(&o->facts, &o->msg.facts, "!numa=2"); break;
    case FACT_OF_A_LATER_VERSION: add(&o->facts, &o->msg.facts, "numa=2"); break;
    case PROGRAM: add_emulator(o, (const char *const[]){ "1", "net", "/nowhere/qemu", "", "pc" }); break;
    case STRANGER: add_emulator(o, (const char *const[]){ "1", "net", "/bin/false", "", "pc" }); break;
    case EMULATORS_CUT: add(&o->emulators, &o->msg.emulators, "1"); break;
    case LAYOUT: o->msg.layout.len /= 2; break;
    case NO_DISK: add(&o->disks, &o->msg.disks, "ro /nowhere/disk"); break;
    case DISK_FOLDER: add(&o->disks, &o->msg.disks, "rw /tmp"); break;
    case SHORTER: offer_disk(o, 4096, "8192"); break;
    case LONGER: offer_disk(o, 4096, "512"); break;
    case DISK_AS_IT_WAS: offer_disk(o, 4096, "4096"); break;
    case DISK_FACT: offer_disk(o, 4096, "4k"); break;
    case BRIDGE: add(&o->bridges, &o->msg.bridges, h->no_bridge = "br7"); break;
    default: break;
    }
}

START_TEST(one_thing_is_wrong)
{
    struct cv_host_dirs dirs = { "/tmp", "/tmp", "/tmp", RULES };
    struct fake_host *h = fake_host_new();
    struct cv_offer_check c = { .host = &h->base, .guest = { 7 } };
    struct cv_error err = CV_ERROR_INIT;
    uint32_t refusal = 0;
    struct offer o;

    h->base.dirs = &dirs;
    FILE *rules = fopen(RULES, "w");
    fputs("program = /bin/true\nprogram = /nowhere/qemu\nusers = 1000000\n", rules);
    fclose(rules);
    ck_assert_int_eq(chmod(RULES, 0600), 0);
    offer_begin(&o);
    make_wrong(&o, h, (enum wrong)_i);
    int rc = cv_offer_check(&c, &o.msg, &refusal, &err);
    ck_assert_msg(refusal == expected[_i].refusal, "refusal %u: %s", refusal, err.text);
    ck_assert_int_eq(rc, expected[_i].text == NULL ? 0 : -1);
    if (rc < 0)
        ck_assert_msg(strstr(err.text, expected[_i].text) != NULL, "%s", err.text);
    cv_offer_check_dispose(&c);
    offer_end(&o);
    unlink(DISK);
    unlink(RULES);
    fake_host_free(h);
}
END_TEST

START_TEST(a_watcher_that_does_not_start_is_an_error)
{
    static const uint8_t id[16] = { 1 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_watch w = CV_WATCH_INIT;

    ck_assert_int_eq(cv_watch_start(&w, "/no/such/program", id, CV_ROLE_SOURCE, &err), -1);
    ck_assert_str_eq(err.text, "the migration's watcher: start /no/such/program");
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_int_eq(w.fd, -1);
    ck_assert_int_eq(cv_watch_start(&w, "/bin/true", id, CV_ROLE_SOURCE, &err), 0);
    ck_assert_int_ge(w.fd, 0);
    cv_watch_end(&w, true);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("offer");
    TCase *t = tcase_create("offer");

    tcase_add_test(t, a_watcher_that_does_not_start_is_an_error);
    tcase_add_loop_test(t, one_thing_is_wrong, 0, WRONGS);
    suite_add_tcase(s, t);
    return run_suite(s);
}
