/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of other toolstacks to ours and back, in one pass with bounded memory.  docs/stream-format.md, 8, says what
 * becomes of each record; libxl-json/json.h what of the configuration. */
#ifndef CONVOY_CONVERT_CONVERT_H
#define CONVOY_CONVERT_CONVERT_H

#include "memory/pipeline.h"

struct cv_convert_options {
    struct cv_mem_options mem;                    /* packing, cancel */
    const char *default_model;                    /* the emulator's program, for guests from elsewhere */
    const char *version;                          /* convoy's, for HOST */
    uint64_t time;                                /* seconds since 1970, for HOST */
    const char *libvirt_xml;                      /* to_xl: virsh's save file with this XML; NULL = xl's */
    const uint8_t *stream_id;                     /* 16 bytes: the same output twice; NULL = random */
    bool index;                                   /* the output is a file */
    void (*progress)(void *user, uint64_t bytes); /* of the input; NULL = none */
    void *progress_user;
};

/* xl's save file to a convoy stream.  What is on out_fd after a failure is to be thrown away.
 * Errors: CV_E_STREAM (damaged), CV_E_STREAM_VERSION, CV_E_UNSUPPORTED (convoy could not go on with this guest),
 * CV_E_IO. */
int cv_convert_from_xl(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err) CV_CHECKED;

/* A convoy stream of a guest with one emulator to xl's save file.  Errors: as above; CV_E_UNSUPPORTED: more than one
 * emulator, or devices that libxl cannot describe. */
int cv_convert_to_xl(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err) CV_CHECKED;

/* A convoy stream to xenopsd's suspend image, and back without loss.  Of several emulators the states are in its one
 * record for an emulator, as convoy-dm(8) takes them.  Errors: as above; CV_E_UNSUPPORTED also for states longer than
 * xenopsd takes, and for an image that xenopsd wrote of a guest that it made: it does not say which devices there are.
 */
int cv_convert_to_xenopsd(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err) CV_CHECKED;
int cv_convert_from_xenopsd(int in_fd, int out_fd, const struct cv_convert_options *opt,
                            struct cv_error *err) CV_CHECKED;

#endif
