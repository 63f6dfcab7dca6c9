/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-tool-seeds FOLDER: writes the seeds of tests/fuzz/fuzz_xl.c, and small images for tests/tools. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convert/convert.h"
#include "tests/support/guest_image.h"

static void write_file(const char *folder, const char *name, const struct cv_buf *b)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(b->data, 1, b->len, f) != b->len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static void image(const char *folder, const char *name, struct guest_image_options opt)
{
    CV_AUTO_BUF b = { 0 };

    opt.small = true;
    guest_image(&b, &opt);
    write_file(folder, name, &b);
}

static void xl(const char *folder, const char *name, struct guest_image_options opt)
{
    const struct cv_convert_options co = { .mem = { .codec = CV_CODEC_ZSTD, .level = 1 },
                                           .version = "0",
                                           .default_model = "/q" };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    opt.small = true;
    guest_image(&b, &opt);
    int in_fd = guest_image_fd(b.data, b.len), out_fd = memfd_create("xl", MFD_CLOEXEC);
    if (cv_convert_to_xl(in_fd, out_fd, &co, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    guest_image_slurp(out_fd, &out);
    write_file(folder, name, &out);
    close(in_fd);
    close(out_fd);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    image(argv[1], "one.cvy", (struct guest_image_options){ .seed = 1 });
    image(argv[1], "three.cvy", (struct guest_image_options){ .seed = 2, .config = guest_image_config3, .passes = 2 });
    image(argv[1], "no-section.cvy", (struct guest_image_options){ .seed = 3, .without_section = "0000:00:04.0" });
    xl(argv[1], "one.xl", (struct guest_image_options){ .seed = 4 });
    xl(argv[1], "bare.xl", (struct guest_image_options){ .seed = 5, .no_policy = true, .no_nodes = true });
    return 0;
}
