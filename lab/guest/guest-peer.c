/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * guest-peer: sends every packet of the test guests back, and writes what can be seen of them from outside: one line of
 * JSON for each guest and interval, and at once for each silence and for each step back of a guest's packet numbers
 * (a guest that runs twice, or from an older image).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "packet.h"

enum { MAX_GUESTS = 64 };

struct guest {
    uint32_t address;
    uint64_t packets, number, lost, back, corrupt;
    double last, longest, longest_at; /* s of the wall clock; longest in ms */
};

static struct guest guests[MAX_GUESTS];
static int guest_count;
static double silence_ms = 100, interval_s = 5;
static volatile sig_atomic_t stop, dump;

static void on_signal(int s)
{
    if (s == SIGUSR1)
        dump = 1;
    else
        stop = 1;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *name(const struct guest *g)
{
    static char text[INET_ADDRSTRLEN];
    struct in_addr a = { htonl(g->address) };

    return inet_ntop(AF_INET, &a, text, sizeof text);
}

static void say_event(const struct guest *g, double at, const char *event, double value)
{
    printf("{\"at\":%.6f,\"guest\":\"%s\",\"event\":\"%s\",\"%s\":%.1f}\n", at, name(g), event,
           strcmp(event, "silence") == 0 ? "ms" : "packets", value);
    fflush(stdout);
}

static void say_all(void)
{
    for (int i = 0; i < guest_count; i++) {
        const struct guest *g = &guests[i];

        printf("{\"at\":%.6f,\"guest\":\"%s\",\"packets\":%" PRIu64 ",\"number\":%" PRIu64 ",\"lost\":%" PRIu64
               ",\"back\":%" PRIu64 ",\"corrupt\":%" PRIu64 ",\"longest_ms\":%.1f,\"longest_at\":%.6f}\n",
               now(), name(g), g->packets, g->number, g->lost, g->back, g->corrupt, g->longest, g->longest_at);
    }
    fflush(stdout);
}

static struct guest *find(uint32_t address)
{
    for (int i = 0; i < guest_count; i++)
        if (guests[i].address == address)
            return &guests[i];
    if (guest_count == MAX_GUESTS)
        return NULL;
    guests[guest_count].address = address;
    return &guests[guest_count++];
}

static void count(struct guest *g, const struct packet *p, size_t length, double at)
{
    double silent = g->last != 0 ? (at - g->last) * 1000 : 0;

    if (!packet_good(p, length) || p->guest != g->address) {
        g->corrupt++;
        return;
    }
    if (silent > g->longest) {
        g->longest = silent;
        g->longest_at = g->last;
    }
    if (silent >= silence_ms)
        say_event(g, at, "silence", silent);
    if (g->packets != 0 && p->number <= g->number) {
        g->back++;
        say_event(g, at, "back", (double)(g->number - p->number));
    } else if (g->packets != 0) {
        g->lost += p->number - g->number - 1;
    }
    g->number = p->number;
    g->packets++;
    g->last = at;
}

/* The kernel's time of arrival: this process may itself wait for a CPU. */
static double arrival(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;

            memcpy(&t, CMSG_DATA(c), sizeof t);
            return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
        }
    return now();
}

static void serve(int fd)
{
    union {
        struct packet packet;
        unsigned char bytes[2048];
    } in;
    char control[256];
    struct sockaddr_in from;
    struct iovec v = { &in, sizeof in };
    struct msghdr m = { .msg_name = &from,
                        .msg_namelen = sizeof from,
                        .msg_iov = &v,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof control };
    ssize_t length = recvmsg(fd, &m, MSG_DONTWAIT);
    struct guest *g;

    if (length < 0)
        return;
    (void)!sendto(fd, &in, (size_t)length, MSG_DONTWAIT, (struct sockaddr *)&from, sizeof from);
    g = find(ntohl(from.sin_addr.s_addr));
    if (g != NULL)
        count(g, &in.packet, (size_t)length, arrival(&m));
}

static int open_socket(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PACKET_PORT) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("guest-peer");
        exit(1);
    }
    return fd;
}

static void parse(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "i:s:")) != -1)
        switch (c) {
        case 'i': interval_s = strtod(optarg, NULL); break;
        case 's': silence_ms = strtod(optarg, NULL); break;
        default:
            fprintf(stderr, "usage: guest-peer [-i SECONDS between summaries] [-s MS that count as a silence]\n");
            exit(2);
        }
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct pollfd p = { .events = POLLIN };
    double next;

    parse(argc, argv);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    p.fd = open_socket();
    for (next = now() + interval_s; !stop;) {
        double wait = next - now();

        if (dump || wait <= 0) {
            dump = 0;
            say_all();
            next = now() + interval_s;
            continue;
        }
        if (poll(&p, 1, (int)(wait * 1000) + 1) > 0)
            serve(p.fd);
    }
    say_all();
    return 0;
}
