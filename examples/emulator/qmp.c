/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of docs/emulator-protocol.md, one line of JSON each, and the envelope of a state. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emulator.h"

#define LINE_MAX_BYTES 65536u
#define FDSETS_MAX 8

static char line[LINE_MAX_BYTES];
static size_t have;
static bool negotiated;
static int received = -1, named = -1; /* came with the last bytes; given by getfd */
static char named_as[64];
static int fdsets[FDSETS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int take(int *fd)
{
    int it = *fd;
    *fd = -1;
    return it;
}

static void put(struct emulator *e, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    if (text != NULL &&
        (send(e->client, text, strlen(text), MSG_NOSIGNAL) < 0 || send(e->client, "\r\n", 2, MSG_NOSIGNAL) < 0))
        shutdown(e->client, SHUT_RDWR); /* it does not read: qmp_serve sees the end */
    free(text);
    json_decref(object);
}

static json_t *version(void)
{
    int major, minor, micro;

    sscanf(EMULATOR_VERSION, "%d.%d.%d", &major, &minor, &micro);
    return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "major", major, "minor", minor, "micro", micro, "package",
                     DEVICE_NAME);
}

/* ---- the state, in the envelope that every device state has ---- */

#define STATE_MAX 512u

static size_t envelope(const struct emulator *e, uint8_t *out)
{
    static const uint8_t
        head[] = { 'Q', 'E', 'V', 'M', 0, 0, 0, 3, /* magic, version */ 4, 0, 0, 0, 1 /* a section */ };
    static const uint8_t versions[] = { 0, 0, 0, 0, 0, 0, 0, 1 }; /* instance 0, version 1 of its format */
    char name[64];
    size_t n = sizeof head, len;

    len = (size_t)snprintf(name, sizeof name, "0000:00:%02x.%x/%s", e->slot, e->function, DEVICE_NAME);
    memcpy(out, head, n);
    out[n++] = (uint8_t)len;
    memcpy(out + n, name, len);
    memcpy(out + n + len, versions, sizeof versions);
    return n + len + sizeof versions;
}

static const uint8_t footer[] = { 0x7e, 0, 0, 0, 1, /* the section ends */ 0 /* and the state */ };

static bool save(const struct emulator *e, int fd)
{
    uint8_t state[STATE_MAX];
    size_t n = envelope(e, state);

    device_save(state + n);
    memcpy(state + n + DEVICE_STATE_BYTES, footer, sizeof footer);
    n += DEVICE_STATE_BYTES + sizeof footer;
    return ftruncate(fd, 0) == 0 && write(fd, state, n) == (ssize_t)n;
}

static bool load(const struct emulator *e, int fd)
{
    uint8_t mine[STATE_MAX], state[STATE_MAX];
    size_t n = envelope(e, mine), size = n + DEVICE_STATE_BYTES + sizeof footer;

    return read(fd, state, sizeof state) == (ssize_t)size && memcmp(state, mine, n) == 0 &&
           memcmp(state + n + DEVICE_STATE_BYTES, footer, sizeof footer) == 0 && device_load(state + n);
}

/* ---- commands: the value of "return", or NULL and *why ---- */

static json_t *no(const char **why, const char *text)
{
    *why = text;
    return NULL;
}

static json_t *capabilities(struct emulator *e, const json_t *args, const char **why)
{
    (void)e, (void)args, (void)why;
    negotiated = true;
    return json_object();
}

static json_t *query_version(struct emulator *e, const json_t *args, const char **why)
{
    (void)e, (void)args, (void)why;
    return version();
}

static json_t *query_status(struct emulator *e, const json_t *args, const char **why)
{
    (void)args, (void)why;
    return json_pack("{s:s, s:b}", "status",
                     e->incoming  ? "inmigrate"
                     : e->running ? "running"
                                  : "paused",
                     "running", e->running);
}

static json_t *query_pci(struct emulator *e, const json_t *args, const char **why)
{
    (void)args, (void)why;
    return json_pack("[{s:i, s:[{s:i, s:i, s:i, s:s}]}]", "bus", 0, "devices", "bus", 0, "slot", e->slot, "function",
                     e->function, "qdev_id", DEVICE_NAME);
}

static json_t *nothing(struct emulator *e, const json_t *args, const char **why)
{
    (void)e, (void)args, (void)why;
    return json_object();
}

static json_t *run(struct emulator *e, bool on, const char **why)
{
    if (e->incoming)
        return no(why, "it has not been given its state yet");
    if (!xen_run(on))
        return no(why, strerror(errno));
    e->running = on;
    return json_object();
}

static json_t *stop(struct emulator *e, const json_t *args, const char **why)
{
    (void)args;
    return run(e, false, why);
}

static json_t *cont(struct emulator *e, const json_t *args, const char **why)
{
    (void)args;
    return run(e, true, why);
}

static json_t *dirty_log(struct emulator *e, const json_t *args, const char **why)
{
    const json_t *on = json_object_get(args, "enable");

    (void)e;
    if (!json_is_boolean(on))
        return no(why, "'enable' is missing");
    xen_dirty_log(json_is_true(on));
    return json_object();
}

static json_t *add_fd(struct emulator *e, const json_t *args, const char **why)
{
    (void)e, (void)args;
    for (int i = 0; received >= 0 && i < FDSETS_MAX; i++)
        if (fdsets[i] < 0) {
            fdsets[i] = take(&received);
            return json_pack("{s:i, s:i}", "fdset-id", i, "fd", fdsets[i]);
        }
    return no(why, "no descriptor came along, or there are too many");
}

static int *fdset(json_int_t id) { return id >= 0 && id < FDSETS_MAX && fdsets[id] >= 0 ? &fdsets[id] : NULL; }

static json_t *remove_fd(struct emulator *e, const json_t *args, const char **why)
{
    const json_t *id = json_object_get(args, "fdset-id");
    int *fd = json_is_integer(id) ? fdset(json_integer_value(id)) : NULL;

    (void)e;
    if (fd == NULL)
        return no(why, "there is no such set");
    drop(fd);
    return json_object();
}

static json_t *save_state(struct emulator *e, const json_t *args, const char **why)
{
    const char *file = json_string_value(json_object_get(args, "filename"));
    int id = -1, end = 0, *fd = NULL;

    if (file != NULL && sscanf(file, "/dev/fdset/%d%n", &id, &end) == 1 && file[end] == '\0')
        fd = fdset(id);
    if (fd == NULL)
        return no(why, "'filename' is /dev/fdset/N of add-fd");
    if (e->running || e->incoming)
        return no(why, "it is not stopped, or has no state");
    return save(e, *fd) ? json_object() : no(why, strerror(errno));
}

static json_t *get_fd(struct emulator *e, const json_t *args, const char **why)
{
    const char *name = json_string_value(json_object_get(args, "fdname"));

    (void)e;
    if (name == NULL || received < 0)
        return no(why, "no descriptor came along, or no name");
    drop(&named);
    named = take(&received);
    snprintf(named_as, sizeof named_as, "fd:%s", name);
    return json_object();
}

static json_t *incoming(struct emulator *e, const json_t *args, const char **why)
{
    const char *uri = json_string_value(json_object_get(args, "uri"));

    if (!e->incoming)
        return no(why, "-incoming was not given");
    if (uri == NULL || named < 0 || strcmp(uri, named_as) != 0)
        return no(why, "'uri' is fd:NAME of getfd");
    bool good = load(e, named);
    drop(&named);
    if (!good)
        return no(why, "no whole state of this device at this place");
    e->incoming = false;
    return json_object();
}

static json_t *quit(struct emulator *e, const json_t *args, const char **why)
{
    (void)args, (void)why;
    e->quit = true;
    return json_object();
}

static const struct {
    const char *name;
    json_t *(*execute)(struct emulator *e, const json_t *args, const char **why);
} commands[] = {
    { "qmp_capabilities", capabilities },
    { "query-version", query_version },
    { "query-status", query_status },
    { "query-pci", query_pci },
    { "query-migrate", nothing },
    { "stop", stop },
    { "cont", cont },
    { "xen-set-global-dirty-log", dirty_log },
    { "add-fd", add_fd },
    { "remove-fd", remove_fd },
    { "xen-save-devices-state", save_state },
    { "migrate-set-capabilities", nothing },
    { "getfd", get_fd },
    { "migrate-incoming", incoming },
    { "quit", quit },
};

/* ---- lines ---- */

static void serve(struct emulator *e, const char *text)
{
    const char *why = "no such command", *name;
    json_t *request = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *result = NULL;
    json_t *id = json_incref(json_object_get(request, "id"));

    name = json_string_value(json_object_get(request, "execute"));
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            result = negotiated || i == 0 ? commands[i].execute(e, json_object_get(request, "arguments"), &why)
                                          : no(&why, "qmp_capabilities comes first");
    if (result != NULL)
        put(e, json_pack("{s:o, s:o*}", "return", result, "id", id));
    else
        put(e, json_pack("{s:{s:s, s:s}, s:o*}", "error", "class", "GenericError", "desc", why, "id", id));
    json_decref(request);
    drop(&received); /* nobody wanted it */
}

void qmp_accept(struct emulator *e)
{
    e->client = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
    have = 0;
    negotiated = false;
    if (e->client >= 0)
        put(e, json_pack("{s:{s:o, s:[]}}", "QMP", "version", version(), "capabilities"));
}

static ssize_t receive(struct emulator *e)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { line + have, sizeof line - 1 - have };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    ssize_t n = recvmsg(e->client, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        drop(&received);
        memcpy(&received, CMSG_DATA(c), sizeof received);
    }
    return n;
}

void qmp_serve(struct emulator *e)
{
    ssize_t n = receive(e);

    if (n <= 0 || have + (size_t)n >= sizeof line - 1) { /* gone, or a line without an end */
        drop(&e->client);
        drop(&received);
        return;
    }
    have += (size_t)n;
    for (char *end; (end = memchr(line, '\n', have)) != NULL && !e->quit;) {
        *end = '\0';
        serve(e, line);
        have -= (size_t)(end + 1 - line);
        memmove(line, end + 1, have);
    }
}
