/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ioreq server: accesses of the guest's vCPUs to the device, one at a time and vCPU, in a page that Xen shares. */
#define __XEN_TOOLS__ 1 /* device models are tools in the eyes of its headers */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xentoolcore.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "emulator.h"

#define VCPUS_MAX 128u /* requests in one page */
#define PAGE 4096u

static xendevicemodel_handle *model;
static xenforeignmemory_handle *memory;
static xenevtchn_handle *events;
static domid_t domain;
static ioservid_t server;
static struct shared_iopage *page;
static unsigned vcpu_count;
static xenevtchn_port_or_error_t ports[VCPUS_MAX];
static uint64_t bar; /* 0: nowhere */
static bool logs;
static uint8_t own_memory[1 << 20]; /* -no-xen: a guest's */

static bool bind(void)
{
    /* Only an enabled server's page says which events are whose. */
    if (xendevicemodel_set_ioreq_server_state(model, domain, server, 1) < 0)
        return false;
    for (unsigned i = 0; i < vcpu_count; i++) {
        ports[i] = xenevtchn_bind_interdomain(events, domain, page->vcpu_ioreq[i].vp_eport);
        if (ports[i] < 0)
            return false;
    }
    return xendevicemodel_set_ioreq_server_state(model, domain, server, 0) == 0;
}

bool xen_open(unsigned domid, unsigned vcpus, unsigned slot, unsigned function)
{
    void *at = NULL;

    domain = (domid_t)domid;
    vcpu_count = vcpus;
    errno = EINVAL;
    if (vcpus > VCPUS_MAX || (model = xendevicemodel_open(NULL, 0)) == NULL ||
        (memory = xenforeignmemory_open(NULL, 0)) == NULL || (events = xenevtchn_open(NULL, 0)) == NULL)
        return false;
    if (xendevicemodel_create_ioreq_server(model, domain, HVM_IOREQSRV_BUFIOREQ_OFF, &server) < 0)
        return false;
    if (xenforeignmemory_map_resource(memory, domain, XENMEM_resource_ioreq_server, server,
                                      XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &at, PROT_READ | PROT_WRITE,
                                      0) == NULL)
        return false;
    page = at;
    return bind() && xendevicemodel_map_pcidev_to_ioreq_server(model, domain, server, 0, 0, (uint8_t)slot,
                                                               (uint8_t)function) == 0;
}

bool xen_restrict(void) { return model == NULL || xentoolcore_restrict_all(domain) == 0; }

int xen_fd(void) { return events == NULL ? -1 : xenevtchn_fd(events); }

/* ---- the guest's memory ---- */

static bool copy_in_page(uint64_t address, uint8_t *buf, size_t len, bool to_guest)
{
    xen_pfn_t gfn = address / PAGE;
    int error = 0;
    uint8_t *p;

    if (memory == NULL) { /* -no-xen */
        if (address + len > sizeof own_memory)
            return false;
        memcpy(to_guest ? own_memory + address : buf, to_guest ? buf : own_memory + address, len);
        return true;
    }
    p = xenforeignmemory_map(memory, domain, to_guest ? PROT_READ | PROT_WRITE : PROT_READ, 1, &gfn, &error);
    if (p == NULL || error != 0) {
        if (p != NULL)
            xenforeignmemory_unmap(memory, p, 1);
        return false;
    }
    memcpy(to_guest ? p + address % PAGE : buf, to_guest ? buf : p + address % PAGE, len);
    xenforeignmemory_unmap(memory, p, 1);
    /* Xen does not see what is written through a mapping.  Said after the write: said before, a pass of the save could
     * take the mark, and the old page with it. */
    if (to_guest && logs)
        xendevicemodel_modified_memory(model, domain, gfn, 1);
    return true;
}

bool guest_copy(uint64_t address, void *buf, size_t len, bool to_guest)
{
    for (uint8_t *at = buf; len > 0;) {
        size_t n = PAGE - address % PAGE < len ? PAGE - address % PAGE : len;
        if (!copy_in_page(address, at, n, to_guest))
            return false;
        address += n;
        at += n;
        len -= n;
    }
    return true;
}

void xen_dirty_log(bool on) { logs = on; }

void bar_moves(uint64_t address)
{
    if (model != NULL && address != bar && bar != 0)
        xendevicemodel_unmap_io_range_from_ioreq_server(model, domain, server, 1, bar, bar + BAR_SIZE - 1);
    if (model != NULL && address != bar && address != 0 &&
        xendevicemodel_map_io_range_to_ioreq_server(model, domain, server, 1, address, address + BAR_SIZE - 1) < 0)
        fprintf(stderr, "the BAR at %#llx: %s\n", (unsigned long long)address, strerror(errno));
    bar = address;
}

/* ---- requests ---- */

static uint64_t access_device(const struct ioreq *r, uint64_t address, uint64_t value)
{
    unsigned offset = (unsigned)(address - bar);

    if (r->type == IOREQ_TYPE_PCI_CONFIG) {
        if (r->dir == IOREQ_READ)
            return device_config_read((uint32_t)r->addr, r->size);
        device_config_write((uint32_t)r->addr, r->size, (uint32_t)value);
    } else if (r->type == IOREQ_TYPE_COPY && bar != 0 && offset < BAR_SIZE) {
        if (r->dir == IOREQ_READ)
            return device_read(offset);
        device_write(offset, (uint32_t)value);
    } else if (r->dir == IOREQ_READ) {
        return ~UINT64_C(0);
    }
    return 0;
}

/* A string instruction has its data in memory, count times. */
static void access_string(struct ioreq *r)
{
    uint64_t step = r->df ? -(uint64_t)r->size : r->size;

    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t value = 0, at = r->data + i * step;
        if (r->size > sizeof value)
            return;
        if (r->dir == IOREQ_WRITE)
            guest_copy(at, &value, r->size, false);
        value = access_device(r, r->addr + i * step, value);
        if (r->dir == IOREQ_READ)
            guest_copy(at, &value, r->size, true);
    }
}

static void answer(unsigned vcpu)
{
    volatile struct ioreq *shared = &page->vcpu_ioreq[vcpu];
    struct ioreq r;

    if (shared->state != STATE_IOREQ_READY)
        return;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    r = *shared;
    shared->state = STATE_IOREQ_INPROCESS;
    if (r.data_is_ptr)
        access_string(&r);
    else if (r.dir == IOREQ_READ)
        shared->data = access_device(&r, r.addr, 0);
    else
        access_device(&r, r.addr, r.data);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    shared->state = STATE_IORESP_READY;
    xenevtchn_notify(events, ports[vcpu]);
}

void xen_serve(void)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(events);

    if (port < 0)
        return;
    xenevtchn_unmask(events, (evtchn_port_t)port);
    for (unsigned i = 0; i < vcpu_count; i++)
        if (ports[i] == port)
            answer(i);
}

bool xen_run(bool on)
{
    if (model == NULL)
        return true;
    if (xendevicemodel_set_ioreq_server_state(model, domain, server, on) < 0)
        return false;
    for (unsigned i = 0; on && i < vcpu_count; i++)
        answer(i); /* what came before */
    return true;
}
