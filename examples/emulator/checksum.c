/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device that reads the guest's memory and writes into it: one checksum over everything that it was ever shown.
 *
 *      BAR 0, 4 KiB, 32-bit registers
 *      0x00 r   0x314d5553 "SUM1"          0x14, 0x18  where to write the record (low, high)
 *      0x04 r   status                     0x1c w      1: take the bytes in; 2: begin anew
 *      0x08, 0x0c  address (low, high)     0x20 r      the checksum
 *      0x10     bytes, 1 to 65536          0x24 r      how many times it was asked
 *
 * After command 1 the record { count, checksum } lies in the guest's memory, 8 bytes, little-endian; status is 0, or 1
 * when memory could not be reached or the device is no bus master.  The checksum is FNV-1a, and goes on from the last.
 */
#include <string.h>

#include "emulator.h"

enum { ID, STATUS, FROM_LOW, FROM_HIGH, LENGTH, TO_LOW, TO_HIGH, COMMAND, SUM, COUNT, REGISTERS };
#define IDENTITY 0x314d5553u
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u
#define CONFIG_BYTES 64u /* the header; there is nothing behind it */
#define DECODES_MEMORY 2u
#define BUS_MASTER 4u

static uint8_t config[CONFIG_BYTES];
static uint32_t registers[REGISTERS];

static uint32_t load32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

static void store32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void device_init(void)
{
    memset(config, 0, sizeof config);
    store32(config, 0x73751234);     /* device, vendor */
    store32(config + 8, 0xff000001); /* class: none of the known ones; revision 1 */
    memset(registers, 0, sizeof registers);
    registers[ID] = IDENTITY;
    registers[SUM] = FNV_START;
}

/* ---- PCI configuration space ---- */

static void place_bar(void)
{
    uint32_t address = load32(config + 0x10) & ~(BAR_SIZE - 1);

    bar_moves(config[4] & DECODES_MEMORY && address != ~(BAR_SIZE - 1) ? address : 0);
}

uint32_t device_config_read(unsigned offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size && offset + i < CONFIG_BYTES; i++)
        value |= (uint32_t)config[offset + i] << 8 * i;
    return value;
}

void device_config_write(unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++, value >>= 8) {
        unsigned at = offset + i;
        if (at == 4)
            config[at] = value & (DECODES_MEMORY | BUS_MASTER);
        else if (at == 0x11)
            config[at] = value & 0xf0; /* 4 KiB: what lies below is 0 */
        else if (at == 0x12 || at == 0x13 || at == 0x3c)
            config[at] = (uint8_t)value;
    }
    place_bar();
}

/* ---- registers ---- */

static bool take_in(void)
{
    uint64_t from = registers[FROM_LOW] | (uint64_t)registers[FROM_HIGH] << 32;
    uint64_t to = registers[TO_LOW] | (uint64_t)registers[TO_HIGH] << 32;
    uint32_t sum = registers[SUM], left = registers[LENGTH];
    uint8_t bytes[4096], record[8];

    if (!(config[4] & BUS_MASTER) || left == 0 || left > 65536)
        return false;
    while (left > 0) {
        uint32_t n = left < sizeof bytes ? left : (uint32_t)sizeof bytes;
        if (!guest_copy(from, bytes, n, false))
            return false;
        for (uint32_t i = 0; i < n; i++)
            sum = (sum ^ bytes[i]) * FNV_PRIME;
        from += n;
        left -= n;
    }
    store32(record, registers[COUNT] + 1);
    store32(record + 4, sum);
    if (!guest_copy(to, record, sizeof record, true))
        return false;
    registers[SUM] = sum;
    registers[COUNT]++;
    return true;
}

uint32_t device_read(unsigned offset) { return offset % 4 == 0 && offset / 4 < REGISTERS ? registers[offset / 4] : 0; }

void device_write(unsigned offset, uint32_t value)
{
    unsigned r = offset / 4;

    if (offset % 4 != 0)
        return;
    if (r >= FROM_LOW && r <= TO_HIGH) {
        registers[r] = value;
    } else if (r == COMMAND && value == 1) {
        registers[STATUS] = !take_in();
    } else if (r == COMMAND && value == 2) {
        registers[STATUS] = registers[COUNT] = 0;
        registers[SUM] = FNV_START;
    }
}

/* ---- state ---- */

void device_save(uint8_t state[DEVICE_STATE_BYTES])
{
    memcpy(state, config, CONFIG_BYTES);
    for (int i = 0; i < REGISTERS; i++)
        store32(state + CONFIG_BYTES + 4 * i, registers[i]);
}

bool device_load(const uint8_t state[DEVICE_STATE_BYTES])
{
    /* What cannot be written has to be what it is here; the rest is the guest's, and may be anything. */
    if (memcmp(state, config, 4) != 0 || memcmp(state + 8, config + 8, 8) != 0 || (state[0x10] | state[5]) != 0 ||
        (state[0x11] & 0x0f) != 0 || load32(state + CONFIG_BYTES) != IDENTITY ||
        load32(state + CONFIG_BYTES + 4 * STATUS) > 1)
        return false;
    memcpy(config, state, CONFIG_BYTES);
    for (int i = 0; i < REGISTERS; i++)
        registers[i] = load32(state + CONFIG_BYTES + 4 * i);
    place_bar();
    return true;
}
