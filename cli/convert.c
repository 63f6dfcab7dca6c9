/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/output.h"
#include "cli/image.h"
#include "cli/progress.h"
#include "convert/convert.h"
#include "convert/xl_format.h"

enum kind { KIND_NONE, KIND_XL, KIND_LIBVIRT, KIND_CONVOY, KIND_XENOPSD };

struct convert {
    enum kind from, to; /* KIND_NONE: as the input says */
    const char *out_path, *path, *xml_path;
    bool out_given;
    struct cv_convert_options opt;
    struct cli_progress bar;
};

static bool to_stdout(const struct convert *v) { return strcmp(v->out_path, "-") == 0; }

static const char *const kind_names[] = {
    [KIND_XL] = "xl", [KIND_LIBVIRT] = "libvirt", [KIND_CONVOY] = "convoy", [KIND_XENOPSD] = "xenopsd"
};

static enum kind kind_named(const char *name)
{
    for (enum kind k = KIND_XL; k <= KIND_XENOPSD; k++)
        if (strcmp(name, kind_names[k]) == 0)
            return k;
    return KIND_NONE;
}

static int take_option(struct convert *v, int opt, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;

    switch (opt) {
    case 't':
        v->to = kind_named(optarg);
        return v->to != KIND_NONE ? 0 : cli_usage(argv, "--to is xl, libvirt, xenopsd or convoy");
    case 'f':
        v->from = kind_named(optarg);
        return v->from != KIND_NONE && v->from != KIND_LIBVIRT ? 0 : cli_usage(argv, "--from is xl, xenopsd or convoy");
    case 'x': v->xml_path = optarg; return 0;
    case 'o':
        v->out_path = optarg;
        v->out_given = true;
        return 0;
    case 'm':
        v->opt.default_model = optarg;
        return optarg[0] == '/' ? 0 : cli_usage(argv, "--model takes an absolute path");
    case 'C':
    case 'T': return cli_mem_option(&v->opt.mem, opt, optarg, &err) < 0 ? cli_error(&err) : 0;
    default: return cli_usage(argv, NULL);
    }
}

static int parse_arguments(int argc, char **argv, struct convert *v)
{
    static const struct option options[] = {
        { "to", required_argument, NULL, 't' },       { "from", required_argument, NULL, 'f' },
        { "output", required_argument, NULL, 'o' },   { "model", required_argument, NULL, 'm' },
        { "compress", required_argument, NULL, 'C' }, { "threads", required_argument, NULL, 'T' },
        { "xml", required_argument, NULL, 'x' },      { NULL, 0, NULL, 0 }
    };
    int opt, status;

    cli_mem_defaults(&v->opt.mem);
    v->out_path = "-";
    while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        if ((status = take_option(v, opt, argv)) != 0)
            return status;
    if (optind + 1 != argc && optind + 2 != argc)
        return cli_usage(argv, "one image is wanted, and at most one place for the other");
    if (optind + 2 == argc && v->out_given)
        return cli_usage(argv, "-o and a second file are the same thing");
    if ((v->to == KIND_LIBVIRT) != (v->xml_path != NULL))
        return cli_usage(argv, "--to libvirt and --xml go together: libvirt's save file holds the domain's XML");
    if (optind + 2 == argc)
        v->out_path = argv[optind + 1];
    if (to_stdout(v) && isatty(STDOUT_FILENO))
        return cli_usage(argv, "an image is not written to a terminal: -o names a file");
    v->path = argv[optind];
    return 0;
}

static void show(void *user, uint64_t bytes) { cli_progress_show(user, bytes); }

#define MAGIC_BYTES 32

/* The first bytes, without taking them; of a pipe or a socket as many as have come. 0: it cannot be looked at, or
 * nothing is there. */
static size_t peek(int fd, char magic[MAGIC_BYTES])
{
    CV_AUTO_FD in = -1;
    CV_AUTO_FD out = -1;
    int copy[2];

    ssize_t n = pread(fd, magic, MAGIC_BYTES, 0);
    if (n >= 0)
        return (size_t)n;
    n = recv(fd, magic, MAGIC_BYTES, MSG_PEEK);
    if (n < 0 && pipe2(copy, O_CLOEXEC) == 0) {
        in = copy[0];
        out = copy[1];
        n = tee(fd, out, MAGIC_BYTES, 0);
        if (n > 0)
            n = read(in, magic, (size_t)n);
    }
    return n < 0 ? 0 : (size_t)n;
}

static bool begins(const char *magic, size_t got, const char *with, size_t len)
{
    return got > 0 && memcmp(magic, with, got < len ? got : len) == 0;
}

static int tell_kind(const char *magic, size_t got, enum kind *out, struct cv_error *err)
{
    static const char xl[] = "Xen saved domain",
                      convoy[] = "\x89"
                                 "CVY",
                      xenopsd[] = "XenSavedDom", libvirt[] = "libvirt-xml";

    if (begins(magic, got, libvirt, sizeof libvirt - 1))
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "it is a save file of libvirt: 'virsh restore' takes it, and convoy saves that guest");
    if (begins(magic, got, convoy, sizeof convoy - 1))
        *out = KIND_CONVOY;
    else if (got >= sizeof xenopsd - 1 && begins(magic, got, xenopsd, sizeof xenopsd - 1))
        *out = KIND_XENOPSD;
    else
        *out = begins(magic, got, xl, sizeof xl - 1) ? KIND_XL : KIND_NONE;
    return 0;
}

/* What it is says what becomes of it, unless the user has said so; what does not come through is said at once. */
static int look_at_input(struct convert *v, int fd, struct cv_error *err)
{
    static const char *const things[] = {
        [KIND_XL] = "a save file of xl", [KIND_CONVOY] = "a convoy image", [KIND_XENOPSD] = "a suspend image of xenopsd"
    };
    char magic[MAGIC_BYTES] = "";
    enum kind is;

    if (tell_kind(magic, peek(fd, magic), &is, err) < 0)
        return -1;
    if (v->from != KIND_NONE && is != KIND_NONE && v->from != is)
        return cv_fail(err, CV_E_INVALID, 0, "it is %s, not %s", things[is], things[v->from]);
    if (is != KIND_NONE)
        v->from = is;
    if (v->to == KIND_NONE)
        v->to = v->from == KIND_CONVOY ? KIND_XL : v->from == KIND_NONE ? KIND_NONE : KIND_CONVOY;
    if (v->to == KIND_NONE)
        return cv_fail(err, CV_E_INVALID, 0,
                       "its first bytes are neither a convoy image's nor a save file's of xl or xenopsd");
    if (v->from == v->to)
        return cv_fail(err, CV_E_INVALID, 0, "it is %s already", things[v->to]);
    if (v->from != KIND_NONE && v->from != KIND_CONVOY && v->to != KIND_CONVOY)
        return cv_fail(err, CV_E_INVALID, 0, "it is %s: make a convoy image of it first", things[v->from]);
    return 0;
}

static int convert_as_said(const struct convert *v, int fd, int out_fd, struct cv_error *err)
{
    switch (v->to) {
    case KIND_XL:
    case KIND_LIBVIRT: return cv_convert_to_xl(fd, out_fd, &v->opt, err);
    case KIND_XENOPSD: return cv_convert_to_xenopsd(fd, out_fd, &v->opt, err);
    default:
        return v->from == KIND_XENOPSD ? cv_convert_from_xenopsd(fd, out_fd, &v->opt, err)
                                       : cv_convert_from_xl(fd, out_fd, &v->opt, err);
    }
}

static int convert(struct convert *v, int out_fd, struct cv_error *err)
{
    CV_AUTO_FD fd = cli_image_open(v->path, err);

    if (fd < 0)
        return -1;
    cli_progress_init(&v->bar, "converting", fd);
    v->opt.progress = show;
    v->opt.progress_user = &v->bar;
    int rc = to_stdout(v) ? 0 : cli_image_spare(fd, v->out_path, err);
    if (rc == 0)
        rc = look_at_input(v, fd, err);
    if (rc == 0)
        rc = convert_as_said(v, fd, out_fd, err);
    cli_progress_end(&v->bar);
    return rc < 0 ? cv_context(err, "%s", v->path) : 0;
}

/* What virsh dumpxml has written.  libvirt reads it at the restore, and says what is wrong with it. */
static int read_xml(const char *path, char **out, struct cv_error *err)
{
    size_t len;

    if (cv_file_read(path, CV_LIBVIRT_XML_MAX, out, &len, err) < 0)
        return -1;
    if (strlen(*out) != len || strstr(*out, "<domain") == NULL)
        return cv_fail(err, CV_E_INVALID, 0, "%s: no XML of a domain: virsh dumpxml --security-info writes it", path);
    return 0;
}

static int to_file(struct convert *v, struct cv_error *err)
{
    struct cv_output out;

    if (cv_output_open(&out, v->out_path, err) < 0)
        return -1;
    v->opt.index = true;
    int rc = convert(v, out.fd, err);
    if (rc == 0)
        rc = cv_output_commit(&out, err);
    return cv_output_abandon(&out, rc < 0 ? NULL : err) < 0 ? -1 : rc;
}

int cmd_convert(struct cli *c, int argc, char **argv)
{
    struct convert v = { .opt = { .version = CONVOY_VERSION, .time = (uint64_t)time(NULL) } };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout_host host;
    int status = parse_arguments(argc, argv, &v);

    if (status != 0)
        return status;
    cv_layout_host_probe(&host);
    if (v.opt.default_model == NULL)
        v.opt.default_model = host.default_model;
    v.opt.mem.cancel = &c->cancel;
    CV_AUTO_FREE char *xml = NULL;
    if (v.xml_path != NULL && read_xml(v.xml_path, &xml, &err) < 0)
        return cli_error(&err);
    v.opt.libvirt_xml = xml;
    int rc = to_stdout(&v) ? convert(&v, STDOUT_FILENO, &err) : to_file(&v, &err);
    return rc < 0 ? cli_error(&err) : 0;
}
