/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxc_save DOMID: libxenguest's own saver over a paused domain, its stream on standard output.  What bench/libxc
 * compares convoy's memory path with; nothing of convoy uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenguest.h>

struct domain {
    xc_interface *xc;
    uint32_t domid;
};

/* Called where the guest is to stop.  It is paused, so that its processors are between two instructions, and says
 * nothing. */
static int suspend(void *data)
{
    const struct domain *d = data;

    return xc_domain_shutdown(d->xc, (int)d->domid, SHUTDOWN_suspend) == 0;
}

/* An emulator of a guest that stands still writes nothing. */
static int nothing_to_log(uint32_t domid, unsigned int enable, void *data)
{
    (void)domid, (void)enable, (void)data;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "libxc_save DOMID\n"), 2;
    struct domain d = { .xc = xc_interface_open(NULL, NULL, 0), .domid = (uint32_t)atoi(argv[1]) };
    struct save_callbacks callbacks = { .suspend = suspend, .switch_qemu_logdirty = nothing_to_log, .data = &d };

    if (d.xc == NULL)
        return 1;
    int rc = xc_domain_save(d.xc, STDOUT_FILENO, d.domid, 0, &callbacks, XC_STREAM_PLAIN, -1);
    /* Not the fast way, which answers a hypercall that this guest did not make. */
    if (xc_domain_resume(d.xc, d.domid, 0) != 0)
        rc = -1;
    xc_interface_close(d.xc);
    return rc == 0 ? 0 : 1;
}
