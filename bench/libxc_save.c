/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxc_save DOMID: libxenguest's own saver over a domain that has suspended already, its stream on standard output.  What
 * bench/libxc compares convoy's memory path with; nothing of convoy uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenguest.h>

/* Called where the guest is to stop: it stands still since before we were started. */
static int stands_still(void *data)
{
    (void)data;
    return 1;
}

int main(int argc, char **argv)
{
    struct save_callbacks callbacks = { .suspend = stands_still };

    if (argc != 2)
        return fprintf(stderr, "libxc_save DOMID\n"), 2;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    if (xc == NULL)
        return 1;
    int rc = xc_domain_save(xc, STDOUT_FILENO, (uint32_t)atoi(argv[1]), 0, &callbacks, XC_STREAM_PLAIN, -1);
    xc_interface_close(xc);
    return rc == 0 ? 0 : 1;
}
