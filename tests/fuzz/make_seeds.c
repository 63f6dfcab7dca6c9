/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-fuzz-seeds FOLDER: writes the seeds of fuzz_talk, fuzz_emulators and fuzz_image to
 * FOLDER/{talk,emulators,image}, by hand: what is committed stays.  (Those of fuzz_xl: tests/unit/make_seeds.c.) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "layout/layout.h"
#include "handover/channel.h"
#include "tests/fuzz/make_seeds.h"

static const char *folder;

void write_file(const char *area, const char *name, const void *data, size_t len)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder, area);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", folder, area, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* ---- talk ------------------------------------------------------------------------------------------------------- */

enum who { TO_SOURCE, TO_DESTINATION };

static void talk_begin(struct cv_buf *b, enum who who, enum cv_chan_state state)
{
    const uint8_t head[2] = { (uint8_t)(6 | (who == TO_DESTINATION)), (uint8_t)state };

    b->len = 0;
    must(cv_buf_append(b, head, sizeof head, NULL));
}

static void say(struct cv_buf *b, struct cv_msg m)
{
    struct cv_buf body = { 0 };
    struct cv_error err;

    must(cv_msg_encode(&m, &body, &err));
    const uint8_t head[3] = { (uint8_t)m.type, (uint8_t)body.len, (uint8_t)(body.len >> 8) };
    must(cv_buf_append(b, head, sizeof head, NULL));
    must(cv_buf_append(b, body.data ? body.data : head, body.len, NULL));
    cv_buf_dispose(&body);
}

static struct cv_msg hello(int role)
{
    return (struct cv_msg){ .type = CV_MSG_HELLO,
                            .hello = { .role = (uint16_t)role,
                                       .version_min = 1,
                                       .version_max = 1,
                                       .stream_version = 1,
                                       .keepalive_ms = 2000,
                                       .migration = { { 1, 2, 3 } },
                                       .host = "h",
                                       .software = "convoy" } };
}

static void strings(struct cv_buf *b, struct cv_strs *s, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        must(cv_strs_append(b, s, *texts, NULL));
}

static const char config[] = "type='hvm'\nname='g'\nmemory=64\ndevice_models=['name=net']\nvif=['']\n";

enum { PLAIN, WITH_DISKS, WITH_BRIDGE };

static void say_offer(struct cv_buf *b, int what)
{
    static const struct cv_layout_host host = { .default_model = "/bin/true" };
    struct cv_msg m = { .type = CV_MSG_OFFER,
                        .offer = { .name = "g",
                                   .xen_major = 1,
                                   .memory_bytes = 64 << 20,
                                   .vcpus = 1,
                                   .config = { config, strlen(config) } } };
    struct cv_buf emulators = { 0 }, bridges = { 0 }, disks = { 0 }, facts = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;
    char *layout;

    must(cv_guest_config_parse(config, strlen(config), "x.cfg", &c, &err));
    must(cv_layout_decide(&c, &host, &l, &err));
    must(cv_layout_encode(&l, &layout, &err));
    m.offer.layout = (struct cv_blob){ layout, strlen(layout) };
    strings(&emulators, &m.offer.emulators,
            (const char *const[]){ "0", "default", "/bin/true", "7.2.0", "xenfv", NULL });
    if (what == WITH_BRIDGE)
        strings(&bridges, &m.offer.bridges, (const char *const[]){ "lo", NULL });
    const uint8_t leaves[48] = { 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
    if (what == WITH_DISKS) {
        m.offer.cpu_policy = (struct cv_blob){ leaves, sizeof leaves };
        strings(&disks, &m.offer.disks, (const char *const[]){ "rw /etc/passwd", "ro /etc/group", NULL });
        strings(&facts, &m.offer.facts, (const char *const[]){ "numa=2", "disk-bytes=1 /etc/passwd", NULL });
    }
    say(b, m);
    free(layout);
    cv_layout_dispose(&l);
    cv_guest_config_dispose(&c);
    cv_buf_dispose(&emulators);
    cv_buf_dispose(&bridges);
    cv_buf_dispose(&disks);
    cv_buf_dispose(&facts);
}

static void say_with_list(struct cv_buf *b, enum cv_msg_type type)
{
    struct cv_msg m = { .type = type };
    struct cv_buf list = { 0 };

    strings(&list, type == CV_MSG_ACCEPT ? &m.accept.notes : &m.ready.emulators,
            (const char *const[]){ "0=1200", "1=x", NULL });
    say(b, m);
    cv_buf_dispose(&list);
}

static void talk(void)
{
    static const cv_msg_id id = { { 1, 2, 3 } };
    struct cv_buf b = { 0 };

    talk_begin(&b, TO_DESTINATION, CV_CHAN_START);
    say(&b, hello(CV_PEER_SOURCE));
    say_offer(&b, PLAIN);
    say(&b, (struct cv_msg){ .type = CV_MSG_COMMIT, .commit.migration = id });
    say(&b, (struct cv_msg){ .type = CV_MSG_DONE, .done.migration = id });
    write_file("talk", "destination", b.data, b.len);
    talk_begin(&b, TO_DESTINATION, CV_CHAN_AGREED);
    say_offer(&b, WITH_DISKS);
    write_file("talk", "offer-disks", b.data, b.len);
    talk_begin(&b, TO_DESTINATION, CV_CHAN_AGREED);
    say_offer(&b, WITH_BRIDGE);
    write_file("talk", "offer-bridge", b.data, b.len);
    talk_begin(&b, TO_DESTINATION, CV_CHAN_AGREED);
    say(&b, (struct cv_msg){ .type = CV_MSG_QUERY, .query.migration = id });
    say(&b, (struct cv_msg){ .type = CV_MSG_DONE, .done.migration = id });
    write_file("talk", "query", b.data, b.len);
    talk_begin(&b, TO_DESTINATION, CV_CHAN_READY);
    say(&b, (struct cv_msg){ .type = CV_MSG_COMMIT, .commit.migration = id });
    say(&b, (struct cv_msg){ .type = CV_MSG_DONE, .done.migration = id });
    write_file("talk", "commit", b.data, b.len);
    talk_begin(&b, TO_DESTINATION, CV_CHAN_LOADING);
    say(&b, (struct cv_msg){ .type = CV_MSG_KEEPALIVE });
    say(&b, (struct cv_msg){ .type = CV_MSG_ABORT, .abort.text = "gave up" });
    write_file("talk", "abort", b.data, b.len);

    talk_begin(&b, TO_SOURCE, CV_CHAN_START);
    say(&b, hello(CV_PEER_DESTINATION));
    say_with_list(&b, CV_MSG_ACCEPT);
    say(&b, (struct cv_msg){ .type = CV_MSG_PROGRESS, .progress = { .pages = 3, .bytes = 12288 } });
    say_with_list(&b, CV_MSG_READY);
    say(&b, (struct cv_msg){ .type = CV_MSG_RUNNING, .running = { .domid = 7, .decide_ns = 1, .resume_ns = 2 } });
    write_file("talk", "source", b.data, b.len);
    talk_begin(&b, TO_SOURCE, CV_CHAN_OFFERED);
    say(&b,
        (struct cv_msg){ .type = CV_MSG_REFUSE, .refuse = { .code = CV_REFUSE_NAME_TAKEN, .text = "there is a 'g'" } });
    write_file("talk", "refuse", b.data, b.len);
    talk_begin(&b, TO_SOURCE, CV_CHAN_STREAM);
    say(&b, (struct cv_msg){ .type = CV_MSG_PROGRESS });
    say(&b, (struct cv_msg){ .type = CV_MSG_FAILED, .failed.text = "no memory" });
    write_file("talk", "failed", b.data, b.len);
    talk_begin(&b, TO_SOURCE, CV_CHAN_LOADING);
    say_with_list(&b, CV_MSG_READY);
    say(&b, (struct cv_msg){ .type = CV_MSG_RUNNING, .running.domid = 7 });
    write_file("talk", "ready", b.data, b.len);
    talk_begin(&b, TO_SOURCE, CV_CHAN_ASKED);
    say(&b, (struct cv_msg){ .type = CV_MSG_ANSWER, .answer = { .outcome = CV_ANSWER_RUNNING } });
    write_file("talk", "answer", b.data, b.len);
    cv_buf_dispose(&b);
}

/* ---- emulators -------------------------------------------------------------------------------------------------- */

#define GREET "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7}},\"capabilities\":[]}}\n"
#define DONE "{\"return\":{}}\n"
#define VERSION "{\"return\":{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7},\"package\":\"\"}}\n"
/* Greetings come by themselves, when nobody asks. */
#define CONNECT GREET DONE VERSION
#define RAM                                                                                                           \
    "{\"return\":\"  Block Name PSize Offset Used Total HVA RO\\n xen.ram 4 KiB 0x0 0x0 0x4000000\\n vga.vram 4 KiB " \
    "0x3800000 "                                                                                                      \
    "0x800000 0x800000 0x0\\r\\n\"}\n"
#define PCI                                                                                                            \
    "{\"return\":[{\"bus\":0,\"devices\":[{\"slot\":3,\"function\":0,\"qdev_id\":\"x\"},{\"slot\":4,\"function\":0}]}" \
    "]}\n"
#define STATUS(s) "{\"return\":{\"status\":\"" s "\",\"running\":false}}\n"
#define REFUSED(s) "{\"error\":{\"class\":\"GenericError\",\"desc\":\"" s "\"}}\n"
#define FDSET "{\"return\":{\"fd\":10,\"fdset-id\":1}}\n"
#define MIGRATION(s) "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"" s "\"}}\n"

/* Most begin connected; those in capitals connect first. */
static void emulators_seed(const char *name, const char *ops, uint8_t piece, const char *script)
{
    struct cv_buf b = { 0 };
    bool connects = *ops < 'a';
    uint8_t n = (uint8_t)((strlen(ops) - 1) | (connects ? 0 : 128));

    must(cv_buf_append(&b, &n, 1, NULL));
    for (; *ops != '\0'; ops++) {
        uint8_t op = (uint8_t)((*ops | 32) - 'a');
        must(cv_buf_append(&b, &op, 1, NULL));
    }
    must(cv_buf_append(&b, &piece, 1, NULL));
    must(cv_buf_append(&b, script, strlen(script), NULL));
    write_file("emulators", name, b.data, b.len);
    cv_buf_dispose(&b);
}

/* a: survey, b: status, c: stop, d: cont, e, f: log on, off, g: check, h, i: prepare, unprepare save, j: save, k:
 * prepare load, l: load, m: ttys, n: VNC port, o: password, p: announce. */
static void emulators(void)
{
    emulators_seed("survey", "AA", 0, CONNECT RAM PCI RAM PCI);
    emulators_seed("odd-survey", "a", 0, "{\"return\":\"xen.ram\\n a 4 KiB 0xffffffffffffffff 0x1 0x2\"}\n" PCI);
    emulators_seed("simple", "BCDPO", 5, CONNECT STATUS("running") DONE DONE DONE DONE);
    emulators_seed("log", "ef", 0, DONE DONE DONE);
    emulators_seed("check", "g", 0, DONE REFUSED("fd:convoy-nowhere: no such"));
    emulators_seed("blocked", "gg", 0,
                   "{\"return\":{\"blocked-reasons\":[\"vvfat\"]}}\n" DONE REFUSED("State blocked by device 'nvme'"));
    emulators_seed("save", "cjd", 0, DONE FDSET "!wstate\n" DONE DONE DONE);
    emulators_seed("save-prepared", "hji", 3, FDSET "!wx\n" DONE DONE DONE);
    emulators_seed("save-short", "jd", 0, FDSET "!rQEVM\n" REFUSED("no space") DONE DONE);
    emulators_seed("load", "lb", 0, DONE DONE DONE MIGRATION("setup") MIGRATION("completed") STATUS("paused"));
    emulators_seed("load-asked", "kl", 0, DONE DONE DONE STATUS("inmigrate") MIGRATION("failed"));
    emulators_seed("toolstack", "mn", 0,
                   "{\"return\":[{\"label\":\"serial0\",\"filename\":\"pty:/dev/pts/3\"},{\"label\":\"char-serial1\","
                   "\"filename\":\"pty:/dev/pts/4\"}]}\n{\"return\":{\"enabled\":true,\"service\":\"5900\"}}\n");
    emulators_seed("nonsense", "B", 1, GREET "{\"return\":{}}\n{\"event\":\"STOP\"}\nnot JSON\n[1]\n{}\n");
    emulators_seed("late", "BCB", 0,
                   CONNECT "{\"return\":{},\"id\":77}\n" STATUS("running") "{\"event\":\"RESET\"}\n" DONE);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    talk();
    emulators();
    images();
    return 0;
}
