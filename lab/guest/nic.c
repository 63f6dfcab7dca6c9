/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet.h"
#include "work.h"

enum { MAX_NICS = 8 };

static struct nic {
    struct progress sent, received;
    pthread_t thread;
    int fd;
    uint32_t id;
    bool silent;        /* reporter only */
    atomic_ulong heard; /* tick of the last good answer; 0: none yet */
} nics[MAX_NICS];
static int nic_count;

static void nic_receive(struct nic *n)
{
    union {
        struct packet packet;
        unsigned char bytes[2048];
    } in;
    ssize_t len;

    while ((len = recv(n->fd, &in, sizeof in, MSG_DONTWAIT)) >= 0) {
        if (!packet_good(&in.packet, (size_t)len) || in.packet.guest != n->id ||
            in.packet.number > atomic_load(&n->sent.done)) {
            fail("NIC %s: corrupt packet of %zd bytes", n->sent.name, len);
            continue;
        }
        atomic_fetch_add(&n->received.done, 1);
        atomic_store(&n->heard, atomic_load(&ticks));
    }
}

static void *nic_worker(void *arg)
{
    struct nic *n = arg;
    static const struct sockaddr_in peer = { .sin_family = AF_INET };
    struct sockaddr_in to = peer;
    union {
        struct packet packet;
        unsigned char bytes[2048];
    } out;
    long interval = 1000 / (par.net_pps < 1000 ? par.net_pps : 1000);

    to.sin_port = htons(PACKET_PORT);
    inet_pton(AF_INET, PACKET_PEER, &to.sin_addr);
    for (;;) {
        unsigned long number = atomic_load(&n->sent.done) + 1;

        packet_make(&out.packet, (size_t)par.net_size, n->id, number);
        atomic_store(&n->sent.done, number);
        begin(&n->sent);
        /* Full queues and a link that is down are told by the missing answers. */
        (void)!sendto(n->fd, &out, (size_t)par.net_size, 0, (struct sockaddr *)&to, sizeof to);
        end(&n->sent);
        sleep_ms(interval);
        nic_receive(n);
    }
    return NULL;
}

/* The address comes from the MAC's last two bytes, so that whoever gives the MACs knows the addresses. */
static int nic_configure(const char *name, uint32_t *address_out)
{
    struct ifreq r = { 0 };
    struct sockaddr_in address = { .sin_family = AF_INET }, mask = { .sin_family = AF_INET };
    const unsigned char *mac;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

    snprintf(r.ifr_name, sizeof r.ifr_name, "%.15s", name);
    if (ioctl(s, SIOCGIFHWADDR, &r) < 0)
        goto out;
    mac = (const unsigned char *)r.ifr_hwaddr.sa_data;
    address.sin_addr.s_addr = htonl(0x0a4d0000u | (uint32_t)mac[4] << 8 | (2u + mac[5] % 252u));
    mask.sin_addr.s_addr = htonl(0xffff0000u);
    memcpy(&r.ifr_addr, &address, sizeof address);
    if (ioctl(s, SIOCSIFADDR, &r) < 0)
        goto out;
    memcpy(&r.ifr_netmask, &mask, sizeof mask);
    if (ioctl(s, SIOCSIFNETMASK, &r) < 0)
        goto out;
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
        goto out;
    *address_out = ntohl(address.sin_addr.s_addr);
    rc = 0;
out:
    close(s);
    return rc;
}

void nic_start(const char *name)
{
    struct nic *n = &nics[nic_count];

    snprintf(n->sent.name, sizeof n->sent.name, "%.15s", name);
    n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (nic_configure(name, &n->id) < 0 ||
        setsockopt(n->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0) {
        fail("NIC %s: %s", name, strerror(errno));
        return;
    }
    nic_count++;
    pthread_create(&n->thread, NULL, nic_worker, n);
}

static void check_nic(struct nic *n)
{
    unsigned long heard = atomic_load(&n->heard), limit = (unsigned long)par.stall_s * 1000 / TICK_MS;

    check_stuck(&n->sent, "NIC");
    if (heard != 0 && !n->silent && atomic_load(&ticks) - heard > limit) {
        fail("NIC %s silent for %ld s", n->sent.name, par.stall_s);
        n->silent = true;
    }
}

int nic_workers(void) { return nic_count; }

void nic_check(void)
{
    for (int i = 0; i < nic_count; i++)
        check_nic(&nics[i]);
}

void nic_report(void)
{
    for (int i = 0; i < nic_count; i++)
        printf(" %s=%lu/%lu", nics[i].sent.name, atomic_load(&nics[i].received.done), atomic_load(&nics[i].sent.done));
}
