/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/local.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* ---- what Xen's vif-bridge script does for an emulated card's TAP, without the script: name, MAC, MTU, bridge, up
 * ---- */

static int open_tap(const char *ifname, struct cv_error *err)
{
    struct ifreq ifr = { 0 };
    unsigned features = 0;

    CV_AUTO_FD fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "open /dev/net/tun");
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
    /* as QEMU opens its own: it finds out by itself that frames have the virtio header */
    if (ioctl(fd, TUNGETFEATURES, &features) == 0 && (features & IFF_VNET_HDR))
        ifr.ifr_flags |= IFF_VNET_HDR;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return cv_fail(err, errno == EBUSY ? CV_E_BUSY : CV_E_IO, errno, "create TAP %s", ifname);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return cv_fail(err, CV_E_IO, errno, "TAP %s", ifname);
    return cv_fd_take(&fd);
}

static int set_up(int ctl, const char *ifname, const char *bridge, struct cv_error *err)
{
    static const unsigned char mac[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff }; /* never the bridge's own address */
    struct ifreq ifr = { 0 }, of_bridge = { 0 };

    snprintf(of_bridge.ifr_name, sizeof of_bridge.ifr_name, "%s", bridge);
    if (ioctl(ctl, SIOCGIFMTU, &of_bridge) < 0)
        return cv_fail(err, errno == ENODEV ? CV_E_NOT_FOUND : CV_E_IO, errno, "bridge %s", bridge);
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    ifr.ifr_mtu = of_bridge.ifr_mtu;
    if (ioctl(ctl, SIOCSIFMTU, &ifr) < 0)
        return cv_fail(err, CV_E_IO, errno, "MTU of %s", ifname);
    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr.ifr_hwaddr.sa_data, mac, sizeof mac);
    if (ioctl(ctl, SIOCSIFHWADDR, &ifr) < 0)
        return cv_fail(err, CV_E_IO, errno, "address of %s", ifname);
    of_bridge.ifr_ifindex = (int)if_nametoindex(ifname);
    if (ioctl(ctl, SIOCBRADDIF, &of_bridge) < 0)
        return cv_fail(err, errno == EOPNOTSUPP ? CV_E_NOT_FOUND : CV_E_IO, errno, "attach %s to bridge %s", ifname,
                       bridge);
    if (ioctl(ctl, SIOCGIFFLAGS, &ifr) < 0)
        return cv_fail(err, CV_E_IO, errno, "flags of %s", ifname);
    ifr.ifr_flags |= IFF_UP;
    if (ioctl(ctl, SIOCSIFFLAGS, &ifr) < 0)
        return cv_fail(err, CV_E_IO, errno, "bring %s up", ifname);
    return 0;
}

int cv_local_tap(struct cv_host *h, const char *ifname, const char *bridge, struct cv_error *err)
{
    CV_AUTO_FD tap = open_tap(ifname, err);
    CV_AUTO_FD ctl = -1;

    (void)h;
    if (tap < 0)
        return -1;
    if (*bridge == '\0')
        return cv_fd_take(&tap);
    ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ctl < 0)
        return cv_fail(err, CV_E_IO, errno, "socket");
    if (set_up(ctl, ifname, bridge, err) < 0)
        return -1;
    return cv_fd_take(&tap);
}

int cv_local_bridge(struct cv_host *h, const char *name, struct cv_error *err)
{
    char path[64];

    (void)h;
    /* what has a slash or too many bytes is no interface's name, and if_nametoindex does not know it */
    if (if_nametoindex(name) == 0)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "there is no bridge %.64s", name);
    snprintf(path, sizeof path, "/sys/class/net/%.15s/bridge", name);
    if (access(path, F_OK) < 0)
        return cv_fail(err, CV_E_INVALID, 0, "%s is a network interface, but no bridge", name);
    return 0;
}

int cv_local_processes(struct cv_host *h, int (*each)(void *user, int pid), void *user, struct cv_error *err)
{
    DIR *d = opendir("/proc");
    int rc = 0;

    (void)h;
    if (d == NULL)
        return cv_fail(err, CV_E_IO, errno, "list the processes");
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (isdigit((unsigned char)e->d_name[0]))
            rc = each(user, atoi(e->d_name));
    closedir(d);
    return rc < 0 ? -1 : 0;
}
