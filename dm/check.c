/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "dm/probe.h"
#include "emulators/answers.h"
#include "emulators/protocol.h"
#include "emulators/state_memory.h"
#include "emulators/version.h"
#include "stream-format/qemu_state.h"

static int bad(struct cv_error *err, const char *text) { return cv_fail(err, CV_E_EMULATOR, 0, "%s", text); }

/* Its status is `wanted`; NULL: any in which it does not run and has its state. */
static int is_status(struct cv_probe *p, const char *wanted, struct cv_error *err)
{
    if (cv_probe_do(p, "query-status", NULL, -1, err) < 0)
        return -1;
    const char *status = json_string_value(json_object_get(p->reply, "status"));
    const json_t *running = json_object_get(p->reply, "running");
    if (status == NULL || !json_is_boolean(running))
        return bad(err, "query-status: its answer has no \"status\" and \"running\"");
    if (json_is_true(running) != (strcmp(status, "running") == 0))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-status: '%.20s', and running says otherwise", status);
    if (wanted != NULL ? strcmp(status, wanted) == 0
                       : strcmp(status, "paused") == 0 || strcmp(status, "prelaunch") == 0)
        return 0;
    return cv_fail(err, CV_E_EMULATOR, 0, "query-status: it is '%.20s', not %s", status,
                   wanted != NULL ? wanted : "paused or prelaunch");
}

/* ---- the connection ---- */

static int greets(struct cv_probe *p, struct cv_error *err)
{
    if (cv_probe_refused(p, "query-status", NULL, "before qmp_capabilities", err) < 0 ||
        cv_probe_do(p, "qmp_capabilities", NULL, -1, err) < 0)
        return -1;
    return cv_probe_do(p, "query-status", NULL, -1, err);
}

static int says_version(struct cv_probe *p, struct cv_error *err)
{
    int n[3];
    char asked[32], said[64];

    if (cv_probe_do(p, "query-version", NULL, -1, err) < 0)
        return -1;
    if (json_unpack(json_object_get(p->reply, "qemu"), "{s:i, s:i, s:i}", "major", &n[0], "minor", &n[1], "micro",
                    &n[2]) < 0)
        return bad(err, "query-version: its answer has no \"qemu\" with \"major\", \"minor\", \"micro\"");
    snprintf(asked, sizeof asked, "%d.%d.%d", n[0], n[1], n[2]);
    cv_program_version(p->command[0], said, sizeof said);
    if (strcmp(said, asked) == 0)
        return 0;
    return cv_fail(err, CV_E_EMULATOR, 0, "--version says '%s' behind the word version, query-version %s", said, asked);
}

static int starts_stopped(struct cv_probe *p, struct cv_error *err) { return is_status(p, NULL, err); }

static int unknown_command(struct cv_probe *p, struct cv_error *err)
{
    if (cv_probe_refused(p, "convoy-no-such-command", NULL, "(which there is not)", err) < 0)
        return -1;
    return is_status(p, NULL, err);
}

static int no_json(struct cv_probe *p, struct cv_error *err)
{
    json_t *line = NULL;

    /* An error, or the end of the connection; never silence, and never its own end. */
    if (cv_probe_put(p, "} this is no JSON ]\n", -1, err) < 0)
        return -1;
    struct pollfd f = { .fd = p->fd, .events = POLLIN };
    if (poll(&f, 1, p->answer_ms) != 1)
        return bad(err, "neither an error nor the end of the connection");
    char byte;
    if (recv(p->fd, &byte, 1, MSG_PEEK) == 1 && cv_probe_line(p, &line, err) < 0)
        return -1;
    bool good = line == NULL || json_object_get(line, "error") != NULL;
    json_decref(line);
    if (!good)
        return bad(err, "taken for something else");
    return cv_probe_connect(p, true, err) < 0 ? -1 : is_status(p, NULL, err);
}

static int pieces(struct cv_probe *p, struct cv_error *err)
{
    static const char half[] = "{\"execute\": \"query-st", rest[] = "atus\", \"id\": \"a\"}\n",
                      two[] = "{\"execute\": \"query-status\", \"id\": \"b\"}\n{\"execute\": \"query-status\", \"id\": "
                              "\"c\"}\n";

    if (cv_probe_put(p, half, -1, err) < 0)
        return -1;
    struct pollfd f = { .fd = p->fd, .events = POLLIN };
    if (poll(&f, 1, 100) != 0)
        return bad(err, "it answers half a question");
    if (cv_probe_put(p, rest, -1, err) < 0 || cv_probe_put(p, two, -1, err) < 0)
        return -1;
    for (const char *id = "abc"; *id != '\0'; id++) {
        json_t *line;
        if (cv_probe_line(p, &line, err) < 0)
            return cv_context(err, "question %c of three", *id);
        const char *text = json_string_value(json_object_get(line, "id"));
        bool good = text != NULL && text[0] == *id && json_is_object(json_object_get(line, "return"));
        json_decref(line);
        if (!good)
            return cv_fail(err, CV_E_EMULATOR, 0, "the answer to question %c of three is not the next one", *id);
    }
    return 0;
}

static int nonsense(struct cv_probe *p, struct cv_error *err)
{
    for (size_t i = 0; cv_protocol_commands[i] != NULL; i++) {
        const char *c = cv_protocol_commands[i];
        if (strcmp(c, "quit") == 0 || strcmp(c, "qmp_capabilities") == 0)
            continue;
        if (cv_probe_ask(p, c,
                         json_pack("{s:i, s:[], s:s, s:{}, s:b, s:i}", "filename", 7, "uri", "enable", "perhaps",
                                   "fdname", "fdset-id", 1, "capabilities", -1),
                         -1, err) < 0)
            return -1;
    }
    return cv_probe_do(p, "query-status", NULL, -1, err);
}

static int connects_again(struct cv_probe *p, struct cv_error *err)
{
    for (int i = 0; i < 3; i++)
        if (cv_probe_connect(p, true, err) < 0 || is_status(p, NULL, err) < 0)
            return cv_context(err, "connection %d", i + 2);
    return 0;
}

/* ---- running ---- */

static int stops_and_goes(struct cv_probe *p, struct cv_error *err)
{
    static const char *const acts[] = { "cont", "cont", "stop", "stop", "cont" };

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (cv_probe_do(p, acts[i], NULL, -1, err) < 0 || is_status(p, *acts[i] == 'c' ? "running" : "paused", err) < 0)
            return cv_context(err, "after %s", acts[i]);
    return 0;
}

static int logs_dirty(struct cv_probe *p, struct cv_error *err)
{
    static const bool acts[] = { true, true, false, true, false };

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (cv_probe_do(p, "xen-set-global-dirty-log", json_pack("{s:b}", "enable", acts[i]), -1, err) < 0)
            return cv_context(err, "log %s", acts[i] ? "on" : "off");
    return 0;
}

static int names_devices(struct cv_probe *p, struct cv_error *err)
{
    const json_t *functions;

    if (cv_probe_do(p, "query-pci", NULL, -1, err) < 0 || cv_answer_pci(p->reply, &functions, err) < 0)
        return -1;
    for (size_t i = 0; p->command[i] != NULL; i++) {
        const char *at = strstr(p->command[i], ",addr=");
        unsigned slot, fn;
        if (at != NULL && sscanf(at, ",addr=%x.%x", &slot, &fn) == 2 && slot < 32 && fn < 8 &&
            !cv_answer_has_bdf(functions, (uint16_t)(slot << 3 | fn)))
            return cv_fail(err, CV_E_EMULATOR, 0, "query-pci: nothing at %02x.%x, where '%.80s' is", slot, fn,
                           p->command[i]);
    }
    return 0;
}

/* ---- states ---- */

static int can_be_saved(struct cv_probe *p, struct cv_error *err)
{
    if (cv_probe_do(p, "query-migrate", NULL, -1, err) < 0)
        return -1;
    if (!json_is_object(p->reply))
        return bad(err, "query-migrate: its answer is no object");
    const json_t *reasons = json_object_get(p->reply, "blocked-reasons");
    if (json_array_size(reasons) == 0)
        return 0;
    const char *why = json_string_value(json_array_get(reasons, 0));
    return cv_fail(err, CV_E_EMULATOR, 0, "query-migrate: cannot be saved: %.200s", why != NULL ? why : "no reason");
}

static int give(struct cv_probe *p, int fd, long long *id_out, struct cv_error *err)
{
    if (cv_probe_do(p, "add-fd", NULL, fd, err) < 0)
        return -1;
    if (json_unpack(p->reply, "{s:I}", "fdset-id", id_out) < 0)
        return bad(err, "add-fd: its answer has no \"fdset-id\"");
    return 0;
}

static int takes_descriptors(struct cv_probe *p, struct cv_error *err)
{
    long long id = -1, other = -1;

    CV_AUTO_FD fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (cv_probe_refused(p, "add-fd", NULL, "without a descriptor", err) < 0 ||
        cv_probe_refused(p, "getfd", json_pack("{s:s}", "fdname", "x"), "without a descriptor", err) < 0 ||
        give(p, fd, &id, err) < 0 || give(p, fd, &other, err) < 0)
        return -1;
    if (id == other)
        return cv_fail(err, CV_E_EMULATOR, 0, "add-fd: the set %lld twice", id);
    if (cv_probe_do(p, "remove-fd", json_pack("{s:I}", "fdset-id", id), -1, err) < 0 ||
        cv_probe_ask(p, "remove-fd", json_pack("{s:I}", "fdset-id", id), -1, err) < 0)
        return -1; /* (a QEMU that is stopped keeps it, and takes that twice) */
    return cv_probe_do(p, "remove-fd", json_pack("{s:I}", "fdset-id", other), -1, err);
}

/* As cv_emuset_save_state does it.  The file, caller's. */
static int save(struct cv_probe *p, struct cv_error *err)
{
    char name[40];
    long long id;
    uint64_t size;

    CV_AUTO_FD file = cv_state_memory(0, err);
    CV_AUTO_FD end = file < 0 ? -1 : cv_state_reopen(file, O_WRONLY, err);
    if (end < 0 || give(p, end, &id, err) < 0)
        return -1;
    snprintf(name, sizeof name, "/dev/fdset/%lld", id);
    if (cv_probe_do(p, "xen-save-devices-state", json_pack("{s:s, s:b}", "filename", name, "live", 1), -1, err) < 0 ||
        cv_probe_do(p, "remove-fd", json_pack("{s:I}", "fdset-id", id), -1, err) < 0 ||
        cv_state_close(file, end, &size, err) < 0)
        return -1;
    return cv_fd_take(&file);
}

static int contents(int fd, char **data_out, size_t *len_out, struct cv_error *err)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return cv_file_read(path, CV_STATE_BYTES_MAX, data_out, len_out, err);
}

static int saves(struct cv_probe *p, struct cv_error *err)
{
    CV_AUTO_FREE char *data = NULL;
    size_t len;

    if (cv_probe_refused(p, "xen-save-devices-state", json_pack("{s:s, s:b}", "filename", "/dev/fdset/777", "live", 1),
                         "into no set", err) < 0)
        return -1;
    CV_AUTO_FD file = save(p, err);
    if (file < 0 || contents(file, &data, &len, err) < 0 || cv_qemu_state_check(data, len, err) < 0)
        return -1;
    /* The guest may go on here: it is asked for its state again, and runs. */
    CV_AUTO_FD again = save(p, err);
    if (again < 0)
        return cv_context(err, "a second time");
    return cv_probe_do(p, "cont", NULL, -1, err) < 0 ? -1 : is_status(p, "running", err);
}

static int load_capabilities(struct cv_probe *p, struct cv_error *err)
{
    return cv_probe_do(p, "migrate-set-capabilities",
                       json_pack("{s:[{s:s, s:b}, {s:s, s:b}]}", "capabilities", "capability", "events", "state", 1,
                                 "capability", "late-block-activate", "state", 1),
                       -1, err);
}

static int waits(struct cv_probe *p, struct cv_error *err)
{
    if (is_status(p, "inmigrate", err) < 0 || load_capabilities(p, err) < 0 ||
        cv_probe_refused(p, "migrate-incoming", json_pack("{s:s}", "uri", "fd:nobody"), "of a name that was not given",
                         err) < 0)
        return -1;
    return is_status(p, "inmigrate", err);
}

/* A load is over when an event says so, or query-status, or its process ends.  *good_out: it has the state. */
static int load(struct cv_probe *p, int fd, bool *good_out, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    int64_t deadline = cv_after_ms(p->answer_ms);
    struct pollfd nap = { .fd = -1 };

    *good_out = false;
    CV_AUTO_FD file = cv_state_reopen(fd, O_RDONLY, err);
    if (file < 0 || load_capabilities(p, err) < 0 ||
        cv_probe_do(p, "getfd", json_pack("{s:s}", "fdname", "convoy-state"), file, err) < 0)
        return -1;
    if (cv_probe_ask(p, "migrate-incoming", json_pack("{s:s}", "uri", "fd:convoy-state"), -1, &why) < 0)
        return p->pid == 0 ? 0 : cv_fail_as(err, &why);
    while (*p->refusal == '\0' && strcmp(p->migration, "failed") != 0 && cv_now_ms() < deadline) {
        if (cv_probe_do(p, "query-status", NULL, -1, &why) < 0)
            return p->pid == 0 ? 0 : cv_fail_as(err, &why);
        const char *status = json_string_value(json_object_get(p->reply, "status"));
        if (status != NULL && strcmp(status, "inmigrate") != 0) {
            *good_out = true;
            return is_status(p, NULL, err);
        }
        poll(&nap, 1, 20);
    }
    return *p->refusal != '\0' || strcmp(p->migration, "failed") == 0
               ? 0
               : cv_fail(err, CV_E_TIMEOUT, 0, "migrate-incoming: neither loaded nor failed within %d s",
                         p->answer_ms / 1000);
}

/* The same command line, waiting for a state. */
static int start_incoming(struct cv_probe *p, struct cv_error *err)
{
    const char *const *command = p->command;

    cv_probe_end(p);
    return cv_probe_start(p, command, true, p->answer_ms, err) < 0 ? -1
                                                                   : cv_probe_do(p, "qmp_capabilities", NULL, -1, err);
}

static int comes_back(struct cv_probe *p, struct cv_error *err)
{
    CV_AUTO_FREE char *before = NULL, *after = NULL;
    size_t a = 0, b = 0;
    bool good;

    CV_AUTO_FD file = save(p, err);
    if (file < 0 || start_incoming(p, err) < 0 || load(p, file, &good, err) < 0)
        return -1;
    if (!good)
        return cv_fail(err, CV_E_EMULATOR, 0, "its own state is refused: %s", p->pid == 0 ? "it ends" : p->refusal);
    CV_AUTO_FD again = save(p, err);
    if (again < 0 || contents(file, &before, &a, err) < 0 || contents(again, &after, &b, err) < 0)
        return -1;
    if (a != b || memcmp(before, after, a) != 0)
        return cv_fail(err, CV_E_EMULATOR, 0,
                       "the state that it was given has %zu bytes, what it then saves is another, "
                       "of %zu",
                       a, b);
    return cv_probe_do(p, "cont", NULL, -1, err) < 0 ? -1 : is_status(p, "running", err);
}

static int refuses_state(struct cv_probe *p, const void *data, size_t len, const char *what, struct cv_error *err)
{
    bool good;

    CV_AUTO_FD file = cv_state_memory_to_load(0, err);
    if (file < 0 || cv_write_full(file, data, len, CV_NEVER, NULL, err) < 0 || start_incoming(p, err) < 0 ||
        load(p, file, &good, err) < 0)
        return -1;
    return good ? cv_fail(err, CV_E_EMULATOR, 0, "%s: loaded", what) : 0;
}

static int refuses_cut(struct cv_probe *p, struct cv_error *err)
{
    CV_AUTO_FREE char *data = NULL;
    size_t len = 0;

    CV_AUTO_FD file = save(p, err);
    if (file < 0 || contents(file, &data, &len, err) < 0)
        return -1;
    if (refuses_state(p, data, len / 2, "the first half of its state", err) < 0)
        return -1;
    return refuses_state(p, data, 0, "no byte of a state", err);
}

static int refuses_others(struct cv_probe *p, struct cv_error *err)
{
    static const char others[] = "QEVM\0\0\0\3" /* a section 1 */ "\4\0\0\0\1\6nobody" /* instance 0, version 1 */
                                 "\0\0\0\0\0\0\0\1" /* data and the end mark */ "and all that is his\0";

    return refuses_state(p, others, sizeof others - 1, "another emulator's state", err);
}

/* ---- the end ---- */

static int quits(struct cv_probe *p, struct cv_error *err)
{
    int status;

    if (cv_probe_do(p, "quit", NULL, -1, err) < 0 || cv_probe_wait(p, &status, err) < 0)
        return -1;
    return status == 0 ? 0 : cv_fail(err, CV_E_EMULATOR, 0, "it ends with status %d", status);
}

static int is_told(struct cv_probe *p, struct cv_error *err)
{
    int status;

    kill(p->pid, SIGTERM);
    return cv_probe_wait(p, &status, err);
}

static const struct {
    const char *name;
    int (*run)(struct cv_probe *p, struct cv_error *err);
    bool raw, incoming; /* not negotiated; waiting for a state */
} points[] = {
    { "greeting, and qmp_capabilities first", greets, true, false },
    { "query-version, and --version", says_version, false, false },
    { "starts stopped", starts_stopped, false, false },
    { "an unknown command", unknown_command, false, false },
    { "what is no JSON", no_json, false, false },
    { "half a question, and two at once", pieces, false, false },
    { "every command with nonsense", nonsense, false, false },
    { "a new connection", connects_again, false, false },
    { "stop and cont", stops_and_goes, false, false },
    { "xen-set-global-dirty-log", logs_dirty, false, false },
    { "query-pci", names_devices, false, false },
    { "query-migrate", can_be_saved, false, false },
    { "add-fd, remove-fd, getfd", takes_descriptors, false, false },
    { "xen-save-devices-state", saves, false, false },
    { "-incoming defer waits", waits, false, true },
    { "saved, loaded, saved: the same", comes_back, false, false },
    { "a state that is cut", refuses_cut, false, false },
    { "a state of another emulator", refuses_others, false, false },
    { "quit", quits, false, false },
    { "SIGTERM", is_told, false, false },
};

unsigned cv_dm_check(const char *const *command, int answer_ms, cv_dm_point say, void *user)
{
    unsigned failed = 0;

    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_probe p;
        int rc = cv_probe_start(&p, command, points[i].incoming, answer_ms, &err);
        if (rc == 0 && !points[i].raw)
            rc = cv_probe_do(&p, "qmp_capabilities", NULL, -1, &err);
        if (rc == 0)
            rc = points[i].run(&p, &err);
        cv_probe_end(&p);
        say(user, points[i].name, rc < 0 ? &err : NULL);
        failed += rc < 0;
    }
    return failed;
}
