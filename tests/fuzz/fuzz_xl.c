/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's save file or xenopsd's suspend image, whatever it holds, to a convoy stream: and what comes out whole is an
 * image that can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "convert/convert.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cv_convert_options options = {
    .mem = { .threads = 0, .codec = CV_CODEC_NONE },
    .default_model = "/usr/bin/qemu-system-i386",
    .version = "fuzz",
};

static void read_back(int fd)
{
    struct cv_image_options opt = { .check_pages = true };
    struct cv_reader_options ro = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_image *img = calloc(1, sizeof *img);
    struct cv_reader *r;

    if (img == NULL || lseek(fd, 0, SEEK_SET) < 0 || cv_reader_new(&r, fd, &ro, &err) < 0 ||
        cv_image_read(img, r, &opt, &err) < 0)
        abort();
    cv_reader_free(r);
    cv_image_dispose(img);
    free(img);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FD in = memfd_create("xl", MFD_CLOEXEC), out = memfd_create("cvy", MFD_CLOEXEC);

    if (cv_write_full(in, data, size, CV_NEVER, NULL, &err) < 0 || lseek(in, 0, SEEK_SET) < 0)
        abort();
    bool xenopsd = size > 11 && memcmp(data, "XenSavedDom", 11) == 0;
    if ((xenopsd ? cv_convert_from_xenopsd : cv_convert_from_xl)(in, out, &options, &err) == 0)
        read_back(out);
    else if (err.code == CV_OK || err.code == CV_E_INTERNAL)
        abort();
    return 0;
}
