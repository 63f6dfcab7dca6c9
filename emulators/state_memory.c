/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/state_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int make(unsigned dmid, unsigned flags, struct cv_error *err)
{
    char name[32];

    snprintf(name, sizeof name, "device-state-%u", dmid);
    int fd = memfd_create(name, MFD_CLOEXEC | flags);
    /* Whoever has it for reading could open it for writing through /proc: not as another user. */
    if (fd < 0 || fchmod(fd, 0600) < 0) {
        cv_fail(err, CV_E_IO, errno, "make a memory file for emulator %u's device state", dmid);
        cv_fd_dispose(&fd);
    }
    return fd;
}

int cv_state_memory_to_load(unsigned dmid, struct cv_error *err) { return make(dmid, 0, err); }

/* QEMU truncates what it saves to, a descriptor of ours too: a size that is set and sealed beforehand leaves it no
 * room. */
int cv_state_memory(unsigned dmid, struct cv_error *err) { return make(dmid, MFD_ALLOW_SEALING, err); }

int cv_state_reopen(int fd, int mode, struct cv_error *err)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int other = open(path, mode | O_CLOEXEC);
    if (other < 0)
        cv_fail(err, CV_E_IO, errno, "open the state file again");
    return other;
}

/* What is looked at from here on stays as it is. */
static int seal(int fd, off_t size, struct cv_error *err)
{
    if (fcntl(fd, F_GET_SEALS) < 0)
        return 0;
    if (ftruncate(fd, size) < 0)
        return cv_fail(err, CV_E_IO, errno, "cut its state file to %lld bytes", (long long)size);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return cv_fail(err, CV_E_EMULATOR, errno, "its state can still be changed");
    return 0;
}

/* Growth first: who writes without end is not to win the race.  (Nor may it hold on to what it has mapped.) */
static int shut(int fd, long long size, struct cv_error *err)
{
    int rc = fcntl(fd, F_GET_SEALS) < 0 ? 0 : fcntl(fd, F_ADD_SEALS, F_SEAL_GROW);

    if (rc < 0 || ftruncate(fd, 0) < 0)
        return cv_fail(err, CV_E_IO, errno, "its state of %lld bytes cannot be given back", size);
    return cv_fail(err, CV_E_EMULATOR, 0, "its state of %lld bytes is too large: at most %u MiB", size,
                   CV_STATE_BYTES_MAX >> 20);
}

int cv_state_watch(int fd, struct cv_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return cv_fail(err, CV_E_IO, errno, "size of its state file");
    /* What is set aside behind its end is taken, too. */
    long long taken = (long long)st.st_blocks * 512;
    if (taken < st.st_size)
        taken = st.st_size;
    return taken > (long long)CV_STATE_BYTES_MAX ? shut(fd, taken, err) : 0;
}

int cv_state_close(int fd, int written, uint64_t *size_out, struct cv_error *err)
{
    static const uint8_t magic[8] = { 'Q', 'E', 'V', 'M', 0, 0, 0, 3 };
    uint8_t head[8] = { 0 }, tail = 1;
    off_t size = lseek(written, 0, SEEK_CUR);

    if (size < 0)
        return cv_fail(err, CV_E_IO, errno, "size of its state file");
    if (size > (off_t)CV_STATE_BYTES_MAX)
        return shut(fd, (long long)size, err);
    if (seal(fd, size, err) < 0)
        return -1;
    if (size > 8 && (pread(fd, head, 8, 0) != 8 || pread(fd, &tail, 1, size - 1) != 1))
        return cv_fail(err, CV_E_IO, errno, "read its state file");
    if (size <= 8 || memcmp(head, magic, 8) != 0 || tail != 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "its state of %lld bytes is not whole", (long long)size);
    *size_out = (uint64_t)size;
    return 0;
}
