/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/version.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define ASK_VERSION_MS 20000

/* Its first line is "QEMU emulator version 7.2.22 (...)". */
void cv_program_version(const char *program, char *version, size_t size)
{
    char text[256] = "";
    size_t got = 0;
    int fds[2];

    version[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        if (cv_fd_standard(-1, fds[1], -1))
            execl(program, program, "--version", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    if (pid > 0 && cv_read_full(fds[0], text, sizeof text - 1, &got, cv_after_ms(ASK_VERSION_MS), NULL, NULL) == 0)
        text[got] = '\0';
    close(fds[0]);
    if (pid > 0) {
        kill(pid, SIGKILL); /* it has said what it had to say */
        waitpid(pid, NULL, 0);
    }
    const char *at = strstr(text, "version ");
    if (at != NULL)
        snprintf(version, size, "%.*s", (int)strspn(at + 8, "0123456789."), at + 8);
}

bool cv_version_takes_state(const char *from, const char *to, const char *machine)
{
    int a[2] = { 0, 0 }, b[2] = { 0, 0 };

    if (sscanf(from, "%d.%d", &a[0], &a[1]) != 2 || sscanf(to, "%d.%d", &b[0], &b[1]) != 2)
        return true; /* no version, no judgement: the load tells */
    if (a[0] == b[0] && a[1] == b[1])
        return true;
    bool newer = b[0] > a[0] || (b[0] == a[0] && b[1] > a[1]);
    size_t word = strcspn(machine, ",");
    bool pinned = strncmp(machine, "xenfv", 5) == 0 || (word > 0 && strcspn(machine, "0123456789") < word);
    return newer && pinned;
}
