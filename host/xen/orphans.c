/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an emulator leaves in Xen when it dies.  Its ioreq server stays: Xen goes on sending it requests, a vCPU that
 * waits for an answer waits for ever, and as long as one does, no shutdown but a crash is carried out.  Destroying the
 * server would wake nobody (free_xen_event_channel notifies no one): the request has to be answered as the emulator
 * would have done it, in the page and through the event channel, which Xen has made free to be bound again. */
#include <errno.h>
#include <sys/mman.h>

#include "host/xen/xen.h"

#include <xen/hvm/ioreq.h>
#include <xendevicemodel.h>

#define SERVERS_MAX 8 /* Xen's MAX_NR_IOREQ_SERVERS */
#define SLOTS (XC_PAGE_SIZE / sizeof(struct ioreq))

struct orphans {
    struct xen_host *x;
    uint32_t domid;
    xendevicemodel_handle *dm;
    xenevtchn_handle *evtchn;
};

/* The emulator's end of a vCPU's channel.  -1: a living one has it. */
static xenevtchn_port_or_error_t bind(struct orphans *o, const struct ioreq *r)
{
    return r->vp_eport == 0 ? -1 : xenevtchn_bind_interdomain(o->evtchn, o->domid, r->vp_eport);
}

/* Nobody is there: ones are read, what is written is lost. */
static void answer(struct orphans *o, struct ioreq *r, xenevtchn_port_or_error_t port)
{
    if (r->state != STATE_IOREQ_READY && r->state != STATE_IOREQ_INPROCESS)
        return;
    if (r->dir == IOREQ_READ && !r->data_is_ptr)
        r->data = ~(uint64_t)0;
    __sync_synchronize(); /* Xen reads data after it has seen the state */
    r->state = STATE_IORESP_READY;
    __sync_synchronize();
    xenevtchn_notify(o->evtchn, (evtchn_port_t)port);
}

/* From the first slot on: each domain has a vCPU 0.  The domain stands still while Xen switches the server off, so no
 * request comes after that. */
static int release(struct orphans *o, ioservid_t id, struct ioreq *slots, unsigned *count, struct cv_error *err)
{
    xenevtchn_port_or_error_t port = bind(o, &slots[0]);

    if (port < 0)
        return 0;
    if (xendevicemodel_set_ioreq_server_state(o->dm, (domid_t)o->domid, id, 0) < 0)
        return xen_fail(o->x, err, "cannot switch ioreq server %u of domain %u off", id, o->domid);
    (*count)++;
    for (size_t i = 0; i < SLOTS; i++) {
        if (i > 0)
            port = bind(o, &slots[i]);
        if (port >= 0)
            answer(o, &slots[i], port);
    }
    return 0;
}

static int look_at(struct orphans *o, ioservid_t id, unsigned *count, struct cv_error *err)
{
    void *page = NULL;
    xenforeignmemory_resource_handle *r =
        xenforeignmemory_map_resource(o->x->fmem, (domid_t)o->domid, XENMEM_resource_ioreq_server, id,
                                      XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page, PROT_READ | PROT_WRITE, 0);

    if (r == NULL && errno == ENOENT)
        return 0;
    if (r == NULL)
        return xen_fail(o->x, err, "cannot map ioreq server %u of domain %u", id, o->domid);
    int rc = release(o, id, page, count, err);
    xenforeignmemory_unmap_resource(o->x->fmem, r);
    return rc;
}

int xen_release_orphans(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err)
{
    struct orphans o = { .x = xen_host(h), .domid = domid };
    unsigned count = 0;
    int rc = 0;

    o.dm = xendevicemodel_open(o.x->logger, 0);
    o.evtchn = xenevtchn_open(o.x->logger, 0);
    if (o.dm == NULL || o.evtchn == NULL)
        rc = xen_fail(o.x, err, "cannot open Xen's device model interface or its event channels");
    for (unsigned id = 0; id < SERVERS_MAX && rc == 0; id++)
        rc = look_at(&o, (ioservid_t)id, &count, err);
    if (o.evtchn != NULL)
        xenevtchn_close(o.evtchn); /* and every channel that was bound */
    if (o.dm != NULL)
        xendevicemodel_close(o.dm);
    if (rc == 0 && count_out != NULL)
        *count_out = count;
    return rc;
}
