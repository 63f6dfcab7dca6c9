/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keep: a live copy of a running guest in a file, looked at before it is believed; and of files that there are already.
 *
 *     cc -o keep keep.c $(pkg-config --cflags --libs libconvoy)
 *     keep FILE [GUEST]
 *
 * With GUEST it is saved to FILE first, while it runs; ^C: it goes on, and FILE is as it was. */
#include <convoy/convoy.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static convoy_cancel *stop;

/* The one call that a handler may make. */
static void on_interrupt(int sig)
{
    (void)sig;
    convoy_cancel_request(stop);
}

static void on_message(void *user, int level, const char *text)
{
    (void)user;
    fprintf(stderr, "keep: %s%s\n", level == 1 ? "warning: " : "", text);
}

static int failed(const char *what, const convoy_error *err)
{
    fprintf(stderr, "keep: %s: %s (%s)\n", what, err->text, convoy_code_name(err->code));
    return 1;
}

static int save(const char *guest, const char *file)
{
    convoy_sink sink;
    convoy_save_options o;
    convoy_save_report report;
    convoy_error err;
    convoy_host *h;
    int rc;

    memset(&sink, 0, sizeof sink);
    sink.size = sizeof sink;
    sink.message = on_message;
    sink.levels = 2; /* errors and warnings */
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.after = CONVOY_AFTER_CONTINUE;
    o.live = 1;
    o.cancel = stop;
    report.size = sizeof report;
    h = convoy_host_open(&sink, NULL, &err);
    if (h == NULL)
        return failed("this host", &err);
    rc = convoy_save(h, guest, file, &o, &report, &err);
    convoy_host_close(h);
    if (rc != 0)
        return failed(guest, &err);
    printf("%s: %llu bytes, stopped for %.2f s\n", guest, (unsigned long long)report.bytes,
           (double)report.down_ns / 1e9);
    return 0;
}

static int verify(const char *file)
{
    convoy_image_options o;
    convoy_error err;
    int rc, fd = open(file, O_RDONLY);

    if (fd < 0) {
        perror(file);
        return 1;
    }
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.cancel = stop;
    rc = convoy_verify_fd(fd, &o, &err);
    close(fd);
    if (rc != 0)
        return failed(file, &err);
    printf("%s: whole\n", file);
    return 0;
}

int main(int argc, char **argv)
{
    convoy_error err;
    int status = 0;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: keep FILE [GUEST]   (libconvoy %s)\n", convoy_version());
        return 2;
    }
    stop = convoy_cancel_new(&err);
    if (stop == NULL)
        return failed("keep", &err);
    signal(SIGINT, on_interrupt);
    if (argc == 3)
        status = save(argv[2], argv[1]);
    if (status == 0)
        status = verify(argv[1]);
    signal(SIGINT, SIG_DFL); /* nobody asks for the token from here on */
    convoy_cancel_free(stop);
    return status;
}
