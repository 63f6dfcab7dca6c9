/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the guest sends to guest-peer and gets back unchanged.  Both run on the same kind of machine, so the fields are
 * in its byte order.
 */
#ifndef LAB_GUEST_PACKET_H
#define LAB_GUEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKET_PEER "10.77.0.1"
#define PACKET_MAGIC 0x796f766e6f436b50u

enum { PACKET_PORT = 7777 };

struct packet {
    uint64_t magic, sum, number;
    uint32_t guest; /* the NIC's IPv4 address, host order */
    uint32_t length;
};

static inline uint64_t packet_sum(const struct packet *p, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)p;
    uint64_t sum = 0xcbf29ce484222325u;

    for (size_t i = offsetof(struct packet, number); i < length; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

/* p has room for length bytes, at least sizeof *p. */
static inline void packet_make(struct packet *p, size_t length, uint32_t guest, uint64_t number)
{
    memset(p, (int)(number & 0xff), length);
    p->magic = PACKET_MAGIC;
    p->number = number;
    p->guest = guest;
    p->length = (uint32_t)length;
    p->sum = packet_sum(p, length);
}

static inline bool packet_good(const struct packet *p, size_t length)
{
    return length >= sizeof *p && p->magic == PACKET_MAGIC && p->length == length && p->sum == packet_sum(p, length);
}

#endif
