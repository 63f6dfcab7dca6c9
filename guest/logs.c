/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "emulators/paths.h"

/* By its name in the logs' folder, which is root's; not by the emulator's descriptor 2, which may be anything by now.
 * It appends, and so what it writes next is at the new end. */
static int cut(const char *path, struct cv_sink *sink)
{
    CV_AUTO_FD fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= (off_t)CV_GUEST_LOG_MAX)
        return 0;
    if (ftruncate(fd, 0) < 0)
        return 0;
    dprintf(fd, "convoy: %lld bytes that stood here were too many: cut off\n", (long long)st.st_size);
    cv_log(sink, CV_LOG_WARN, "%s had %lld bytes, and was cut", path, (long long)st.st_size);
    return 1;
}

unsigned cv_guest_bound_logs(const struct cv_guest *g)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->layout.count; i++) {
        char path[512];
        if (g->layout.dms[i].role == CV_DM_ATTACHED)
            continue;
        cv_path_log(g->host->dirs->log, g->layout.dms[i].name, g->made_as, path, sizeof path);
        n += (unsigned)cut(path, g->sink);
    }
    return n;
}
