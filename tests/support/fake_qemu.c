/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-qemu: a model of QEMU as convoy sees it, for tests without Xen.  It speaks QMP on the sockets of its command
 * line, keeps a run state, saves and loads a device state that carries its name, and breaks where it is told to.
 *
 *   fake-qemu [QEMU's arguments] [--socket PATH] [fault...]
 *     -chardev socket,id=convoy,fd=N,...   its monitor (or --socket PATH: it listens there itself)
 *     -chardev socket,id=convoy-gate,fd=N,...   waits for a visitor before anything else, as QEMU does
 *     -incoming defer                      begins as inmigrate
 *     -name TEXT / --tag TEXT              written into the state; a state with another tag is refused at load
 *   Faults; CMD is a QMP command, "greeting", or "start":
 *     --delay CMD:MS     answers that much later             --fail CMD       answers with an error
 *     --die-at CMD       exits with status 3                 --silent-at CMD[:N]  never answers, from the N-th time on
 *     --garbage-at CMD   answers with what is no JSON        --half-at CMD    answers half a line, then nothing
 *     --close-at CMD     closes the connection               --long-at CMD    a line without an end
 *     --deep-at CMD      JSON nested too deep                --flood CMD:N    N events before the answer
 *     --blocked TEXT     query-migrate names a reason        --unmigratable TEXT   migrate is refused for a device
 *     --block NAME@OFFSET:SIZE (hex)   one more RAM block    --pci SLOT       one more PCI function
 *     --version X.Y.Z    (7.2.0)                             --no-eof         its states lack the last byte
 *     --state-bytes N    its states say that they have so many, whatever it takes
 *     --state-grows      its states have no end
 *     --leak-fdset       remove-fd fails                     --no-events      says nothing of migrations by itself */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/fake_qemu.h"

static void die(const char *text)
{
    fprintf(stderr, "fake-qemu: %s\n", text);
    exit(1);
}

static struct planned *plan(struct fake *f, enum fault fault, const char *command)
{
    for (unsigned i = 0; i < f->fault_count; i++)
        if (f->faults[i].fault == fault && strcmp(f->faults[i].command, command) == 0)
            return &f->faults[i];
    return NULL;
}

static void rest(int ms)
{
    struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static void put(struct fake *f, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(f->client, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void put_json(struct fake *f, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    if (text == NULL)
        die("no JSON");
    put(f, text, strlen(text));
    put(f, "\r\n", 2);
    free(text);
    json_decref(object);
}

static void put_event(struct fake *f, const char *name, json_t *data)
{
    if (f->no_events && strcmp(name, "MIGRATION") == 0) {
        json_decref(data);
        return;
    }
    put_json(f, json_pack("{s:s, s:{s:i, s:i}, s:o*}", "event", name, "timestamp", "seconds", 1, "microseconds", 2,
                          "data", data));
}

/* Ends in the middle of a command: what is held for it is no leak. */
static _Noreturn void end(int status)
{
    fflush(stderr);
    _exit(status);
}

/* Faults in place of an answer.  True: there is none. */
static bool misbehave(struct fake *f, const char *command)
{
    static const char half[] = "{\"return\": ";
    struct planned *p = plan(f, SILENT, command);

    if (p != NULL && p->number > 1) {
        p->number--;
        return false;
    }
    p = plan(f, DELAY, command);

    if (p != NULL)
        rest(p->number);
    if (plan(f, DIE, command) != NULL) {
        fprintf(stderr, "fake-qemu: dies at %s\n", command);
        end(3);
    }
    p = plan(f, FLOOD, command);
    for (int i = 0; p != NULL && i < p->number; i++)
        put_event(f, "RTC_CHANGE", json_pack("{s:i}", "offset", i));
    if (plan(f, GARBAGE, command) != NULL)
        put(f, "\x01\x02 what is this?\n", 18);
    else if (plan(f, HALF, command) != NULL)
        put(f, half, sizeof half - 1);
    else if (plan(f, CLOSE, command) != NULL)
        shutdown(f->client, SHUT_RDWR);
    else if (plan(f, LONG, command) != NULL)
        for (int i = 0; i < 1400; i++)
            put(f,
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                "
                "                                                                                ",
                800);
    else if (plan(f, DEEP, command) != NULL) {
        for (int i = 0; i < 3000; i++)
            put(f, "[", 1);
        put(f, "\n", 1);
    } else if (plan(f, SILENT, command) == NULL) {
        return false;
    }
    return true;
}

/* ---- device state ---- */

static int save_state(struct fake *f, int fd)
{
    unsigned char data[512] = { 'Q', 'E', 'V', 'M', 0, 0, 0, 3, 0x04 };
    size_t n = 9 + 4, tag = strlen(f->tag);

    data[n++] = 4;
    memcpy(data + n, "fake", 4);
    n += 4 + 4 + 3;
    data[n++] = 1; /* version 1 */
    data[n++] = (unsigned char)tag;
    memcpy(data + n, f->tag, tag);
    n += tag;
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        data[n++] = f->machine.cpu[i];
    if (!f->no_eof)
        data[n++] = 0;
    else
        data[n++] = 7;
    if (write(fd, data, n) != (ssize_t)n)
        return -1;
    if (f->state_grows) {
        static const char more[1 << 20];
        while (write(fd, more, sizeof more) > 0)
            rest(1);
        return -1;
    }
    if (f->state_bytes == 0)
        return 0;
    return ftruncate(fd, f->state_bytes) < 0 || lseek(fd, f->state_bytes, SEEK_SET) < 0 ? -1 : 0;
}

static int load_state(struct fake *f, int fd)
{
    unsigned char data[512] = { 0 };
    ssize_t n = read(fd, data, sizeof data);
    size_t tag = strlen(f->tag);

    /* head 8, section 1, id 4, name 1 + 4, instance 4, version 4, then the tag */
    if (n < 27 || memcmp(data, "QEVM\0\0\0\3\4", 9) != 0)
        return -1;
    if (data[26] != tag || memcmp(data + 27, f->tag, tag) != 0)
        return -1;
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        if (data[27 + tag + i] && !f->machine.cpu[i]) {
            fprintf(stderr, "fake-qemu: Unknown savevm section or instance 'cpu_common' %u\n", i);
            return -1;
        }
    return 0;
}

/* ---- commands ---- */

static json_t *refuse(const char *text, char *why, size_t len)
{
    snprintf(why, len, "%s", text);
    return NULL;
}

static json_t *do_add_fd(struct fake *f, char *why, size_t len)
{
    for (int i = 0; i < FAKE_FDS_MAX; i++)
        if (f->fdset[i] < 0 && f->received_fd >= 0) {
            f->fdset[i] = f->received_fd;
            f->received_fd = -1;
            return json_pack("{s:i, s:i}", "fdset-id", i, "fd", f->fdset[i]);
        }
    return refuse("No file descriptor supplied via SCM_RIGHTS", why, len);
}

static json_t *do_remove_fd(struct fake *f, const json_t *args, char *why, size_t len)
{
    long long id = json_integer_value(json_object_get(args, "fdset-id"));

    if (f->leak_fdset || id < 0 || id >= FAKE_FDS_MAX || f->fdset[id] < 0)
        return refuse("File descriptor set not found", why, len);
    close(f->fdset[id]);
    f->fdset[id] = -1;
    return json_object();
}

static json_t *do_save(struct fake *f, const json_t *args, char *why, size_t len)
{
    const char *file = json_string_value(json_object_get(args, "filename"));
    int id;

    if (file == NULL || sscanf(file, "/dev/fdset/%d", &id) != 1 || id < 0 || id >= FAKE_FDS_MAX || f->fdset[id] < 0)
        return refuse("Could not open the file", why, len);
    if ((fcntl(f->fdset[id], F_GETFL) & O_ACCMODE) != O_WRONLY)
        return refuse("Could not open the file: Permission denied", why, len);
    if (strcmp(f->status, "running") == 0)
        return refuse("model: saved while running", why, len);
    if (ftruncate(f->fdset[id], 0) < 0) /* as QEMU does with what stands for a new file */
        return refuse("Could not open the file: Operation not permitted", why, len);
    return save_state(f, f->fdset[id]) < 0 ? refuse("An IO error has occurred", why, len) : json_object();
}

static json_t *do_incoming(struct fake *f, const json_t *args, char *why, size_t len)
{
    const char *uri = json_string_value(json_object_get(args, "uri"));

    if (strcmp(f->status, "inmigrate") != 0)
        return refuse("'-incoming' was not specified on the command line", why, len);
    if (uri == NULL || strcmp(uri, "fd:convoy-state") != 0 || f->named_fd < 0)
        return refuse("File descriptor not found", why, len);
    return json_object(); /* the rest follows after the answer, see after() */
}

static json_t *do_pci(struct fake *f)
{
    json_t *devices = json_array();

    for (unsigned i = 0; i < f->own_count; i++)
        json_array_append_new(devices, json_pack("{s:i, s:i, s:i, s:s}", "bus", 0, "slot", f->own_slot[i] >> 3,
                                                 "function", f->own_slot[i] & 7, "qdev_id", ""));
    for (unsigned i = 0; i < f->pci_count; i++)
        json_array_append_new(
            devices, json_pack("{s:i, s:i, s:i, s:s}", "bus", 0, "slot", f->pci[i], "function", 0, "qdev_id", "extra"));
    return json_pack("[{s:i, s:o}]", "bus", 0, "devices", devices);
}

static json_t *do_blocks(struct fake *f)
{
    char text[1024];

    snprintf(text, sizeof text,
             "              Block Name    PSize              Offset               Used              Total\r\n"
             "                 xen.ram    4 KiB  0x0000000000000000 0x000000000f000000 0x000000000f000000\r\n%s",
             f->blocks);
    return json_string(text);
}

/* As QEMU: ending a log that was not begun is an assertion. */
static void set_dirty_log(struct fake *f, bool on)
{
    if (!on && !f->dirty_log)
        abort();
    f->dirty_log = on;
}

static json_t *execute(struct fake *f, const char *command, const json_t *args, char *why, size_t len)
{
    int major = 7, minor = 2, micro = 0;
    bool of_machine;
    json_t *answer = f->negotiated ? fake_machine_execute(&f->machine, command, args, &of_machine) : NULL;

    if (answer != NULL)
        return answer;

#define IS(name) (strcmp(command, name) == 0)
    if (IS("qmp_capabilities"))
        f->negotiated = true;
    else if (!f->negotiated)
        return refuse("Expecting capabilities negotiation with 'qmp_capabilities'", why, len);
    else if (IS("query-version")) {
        sscanf(f->version, "%d.%d.%d", &major, &minor, &micro);
        return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "major", major, "minor", minor, "micro", micro, "package",
                         "fake");
    } else if (IS("query-status"))
        return json_pack("{s:s, s:b}", "status", f->status, "running", strcmp(f->status, "running") == 0);
    else if (IS("stop"))
        f->status = strcmp(f->status, "running") == 0 ? "paused" : f->status;
    else if (IS("cont"))
        f->status = "running";
    else if (IS("xen-set-global-dirty-log") && !json_is_boolean(json_object_get(args, "enable")))
        return refuse("Invalid parameter type for 'enable', expected: boolean", why, len);
    else if (IS("xen-set-global-dirty-log"))
        set_dirty_log(f, json_is_true(json_object_get(args, "enable")));
    else if (IS("add-fd"))
        return do_add_fd(f, why, len);
    else if (IS("remove-fd"))
        return do_remove_fd(f, args, why, len);
    else if (IS("xen-save-devices-state"))
        return do_save(f, args, why, len);
    else if (IS("getfd") && f->received_fd < 0)
        return refuse("No file descriptor supplied via SCM_RIGHTS", why, len);
    else if (IS("getfd")) {
        f->named_fd = f->received_fd;
        f->received_fd = -1;
    } else if (IS("migrate-incoming"))
        return do_incoming(f, args, why, len);
    else if (IS("query-migrate"))
        return f->blocked ? json_pack("{s:[s]}", "blocked-reasons", f->blocked) : json_object();
    else if (IS("migrate")) {
        char text[200];
        if (f->unmigratable)
            snprintf(text, sizeof text, "State blocked by non-migratable device '%s'", f->unmigratable);
        else
            snprintf(text, sizeof text, "File descriptor named '%s' has not been found",
                     json_string_value(json_object_get(args, "uri")) + 3);
        return refuse(text, why, len);
    } else if (IS("human-monitor-command"))
        return do_blocks(f);
    else if (IS("query-pci"))
        return do_pci(f);
    else if (IS("query-chardev"))
        return json_pack("[{s:s, s:s}]", "label", "serial0", "filename", "pty:/dev/pts/7");
    else if (IS("query-vnc"))
        return json_pack("{s:b, s:s}", "enabled", 1, "service", "5901");
    else if (!IS("quit") && !IS("migrate-set-capabilities") && !IS("change-vnc-password") && !IS("announce-self"))
        return refuse("The command has not been found", why, len);
#undef IS
    return json_object();
}

/* What QEMU does after it has answered. */
static void after(struct fake *f, const char *command)
{
    if (strcmp(command, "quit") == 0)
        end(0);
    if (strcmp(command, "migrate-incoming") != 0)
        return;
    struct planned *p = plan(f, DELAY, "load");
    if (p != NULL)
        rest(p->number);
    if (plan(f, SILENT, "load") != NULL)
        return;
    put_event(f, "MIGRATION", json_pack("{s:s}", "status", "active"));
    if (plan(f, DIE, "load") != NULL || load_state(f, f->named_fd) < 0) {
        fprintf(stderr, "fake-qemu: load of migration failed: Invalid argument\n");
        end(1);
    }
    close(f->named_fd);
    f->named_fd = -1;
    f->status = "paused";
    put_event(f, "MIGRATION", json_pack("{s:s}", "status", "completed"));
}

static void serve_line(struct fake *f, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    const char *command = json_string_value(json_object_get(object, "execute"));
    char why[300] = "";

    if (command == NULL) {
        put_json(f, json_pack("{s:{s:s, s:s}}", "error", "class", "GenericError", "desc", "Invalid JSON syntax"));
    } else if (!misbehave(f, command)) {
        json_t *id = json_incref(json_object_get(object, "id"));
        json_t *result = plan(f, FAIL, command)
                             ? refuse("model: told to fail", why, sizeof why)
                             : execute(f, command, json_object_get(object, "arguments"), why, sizeof why);
        if (result != NULL)
            put_json(f, json_pack("{s:o, s:o*}", "return", result, "id", id));
        else
            put_json(f, json_pack("{s:{s:s, s:s}, s:o*}", "error", "class", "GenericError", "desc", why, "id", id));
        if (result != NULL)
            after(f, command);
    }
    if (f->received_fd >= 0) {
        close(f->received_fd);
        f->received_fd = -1;
    }
    json_decref(object);
}

static ssize_t receive(struct fake *f, char *buf, size_t len)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { buf, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    ssize_t n = recvmsg(f->client, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

    if (c != NULL && c->cmsg_type == SCM_RIGHTS)
        memcpy(&f->received_fd, CMSG_DATA(c), sizeof(int));
    return n;
}

/* As QEMU does when its last monitor has closed, if it runs: what was given and not taken back goes. */
static void forget_fdsets(struct fake *f)
{
    if (strcmp(f->status, "running") != 0)
        return;
    for (unsigned i = 0; i < FAKE_FDS_MAX; i++)
        if (f->fdset[i] >= 0) {
            close(f->fdset[i]);
            f->fdset[i] = -1;
        }
}

static void serve_client(struct fake *f)
{
    static char buf[65536];
    size_t have = 0;

    f->negotiated = false;
    if (!misbehave(f, "greeting"))
        put_json(f, json_pack("{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[]}}", "QMP", "version", "qemu", "major", 7, "minor",
                              2, "micro", 0, "package", "fake", "capabilities"));
    for (;;) {
        ssize_t n = receive(f, buf + have, sizeof buf - 1 - have);
        if (n <= 0) {
            forget_fdsets(f);
            return;
        }
        have += (size_t)n;
        buf[have] = '\0';
        for (char *end; (end = memchr(buf, '\n', have)) != NULL;) {
            *end = '\0';
            serve_line(f, buf);
            have -= (size_t)(end + 1 - buf);
            memmove(buf, end + 1, have);
        }
    }
}

int main(int argc, char **argv)
{
    static struct fake f = { .listener = -1,
                             .client = -1,
                             .gate = -1,
                             .tag = "fake",
                             .version = "7.2.0",
                             .status = "prelaunch",
                             .named_fd = -1,
                             .received_fd = -1 };

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        const char *delay = getenv("FAKE_QEMU_VERSION_DELAY");
        sleep(delay ? (unsigned)atoi(delay) : 0);
        puts("QEMU emulator version 7.2.0 (fake)");
        return 0;
    }
    for (int i = 0; i < FAKE_FDS_MAX; i++)
        f.fdset[i] = -1;
    for (int i = 1; i < argc; i++) {
        f.no_eof = f.no_eof || strcmp(argv[i], "--no-eof") == 0;
        f.no_events = f.no_events || strcmp(argv[i], "--no-events") == 0;
        f.state_grows = f.state_grows || strcmp(argv[i], "--state-grows") == 0;
        f.leak_fdset = f.leak_fdset || strcmp(argv[i], "--leak-fdset") == 0;
        if (i + 1 < argc)
            fake_qemu_option(&f, argv[i], argv[i + 1]);
    }
    for (int i = 1; i + 1 < argc && strcmp(f.status, "inmigrate") != 0; i++)
        fake_machine_act(&f.machine, argv[i], argv[i + 1]);
    if (f.listener < 0)
        die("no monitor socket");
    misbehave(&f, "start");
    if (f.gate >= 0 && accept(f.gate, NULL, NULL) < 0)
        die("gate");
    for (;;) {
        f.client = accept4(f.listener, NULL, NULL, SOCK_CLOEXEC);
        if (f.client < 0)
            die("accept");
        serve_client(&f);
        close(f.client);
    }
}
