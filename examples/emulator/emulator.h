/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An emulator of one PCI device, in four files: main.c (arguments, rights, the loop), qmp.c (what convoy asks),
 * xen.c (what Xen asks), checksum.c (the device).  Only checksum.c is about this device. */
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMULATOR_VERSION "1.0.0"
#define DEVICE_NAME "checksum"
#define BAR_SIZE 4096u

/* ---- xen.c: an ioreq server, and the guest's memory ---- */

/* Opens Xen, makes the server for the device at this slot and function; it serves nothing yet.  False: errno. */
bool xen_open(unsigned domid, unsigned vcpus, unsigned slot, unsigned function);
/* From here on the handles reach this domain only, whatever becomes of the process. */
bool xen_restrict(void);
bool xen_run(bool on);
int xen_fd(void); /* readable: xen_serve has something to do; -1: there is no Xen (-no-xen) */
void xen_serve(void);
/* While it is on, Xen is told of every page that DMA writes. */
void xen_dirty_log(bool on);
/* The device's DMA.  False: there is no memory, in part or at all. */
bool guest_copy(uint64_t address, void *buf, size_t len, bool to_guest);
/* The BAR lies there from now on; 0: nowhere. */
void bar_moves(uint64_t address);

/* ---- checksum.c: the device ---- */

#define DEVICE_STATE_BYTES (64u + 10 * 4)
void device_init(void);
uint32_t device_config_read(unsigned offset, unsigned size);
void device_config_write(unsigned offset, unsigned size, uint32_t value);
uint32_t device_read(unsigned offset);
void device_write(unsigned offset, uint32_t value);
void device_save(uint8_t state[DEVICE_STATE_BYTES]);
/* False: no state of this device; then nothing has changed. */
bool device_load(const uint8_t state[DEVICE_STATE_BYTES]);

/* ---- qmp.c ---- */

struct emulator {
    unsigned slot, function; /* of its device */
    int listener, client;    /* client -1: nobody is connected */
    bool incoming, running, quit;
};
void qmp_accept(struct emulator *e);
void qmp_serve(struct emulator *e);

#endif
