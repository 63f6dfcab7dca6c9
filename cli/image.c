/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"

int cli_image_open(const char *path, struct cv_error *err)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

    struct stat st;

    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "open %s", path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return cv_fail(err, CV_E_INVALID, EISDIR, "open %s", path);
    }
    return fd;
}

int cli_image_spare(int fd, const char *out_path, struct cv_error *err)
{
    struct stat in, out;

    if (fstat(fd, &in) < 0 || stat(out_path, &out) < 0 || in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return 0;
    return cv_fail(err, CV_E_INVALID, 0, "%s is the image itself: the output needs another name", out_path);
}

static void show(void *user, uint64_t bytes) { cli_progress_show(user, bytes); }

int cli_image_read(struct cli *c, int fd, struct cv_image_options *opt, const char *progress, struct cv_image *img,
                   struct cv_error *err)
{
    struct cv_reader_options ro = { .cancel = &c->cancel,
                                    .defer_hash_of_pages = opt->check_pages || opt->sink || opt->open_sink,
                                    .accept_features =
                                        CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS };
    struct cli_progress bar;
    struct cv_reader *r;

    opt->mem.cancel = &c->cancel;
    if (cv_reader_new(&r, fd, &ro, err) < 0)
        return -1;
    if (progress != NULL) {
        cli_progress_init(&bar, progress, fd);
        opt->progress = show;
        opt->progress_user = &bar;
    }
    int rc = cv_image_read(img, r, opt, err);
    if (progress != NULL)
        cli_progress_end(&bar);
    cv_reader_free(r);
    return rc;
}
