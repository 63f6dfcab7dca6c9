/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of guests as they are saved, with what the tools look at in their device states. */
#include <stdlib.h>
#include <string.h>

#include "stream-format/bodies.h"
#include "stream-format/qemu_state.h"
#include "tests/fuzz/make_seeds.h"
#include "tests/support/guest_image.h"
#include "tests/support/raw_stream.h"

/* What QEMU keeps of a PCI device begins with a version and its configuration space; here: two memory BARs (one of 64
 * bits), a ROM. */
static void put_config_space(uint8_t *section)
{
    static const uint8_t version[4] = { 0, 0, 0, 2 };
    uint8_t *space = section + sizeof version;

    memcpy(section, version, sizeof version);
    memset(space, 0, 64);
    cv_store32(space, 0x12348086);
    cv_store32(space + 0x10, 0xf1000000);
    cv_store32(space + 0x14, 0xc001);
    cv_store32(space + 0x18, 0xf2000004);
    cv_store32(space + 0x30, 0xf3000001);
}

static void give_bars(struct raw_record *r)
{
    struct cv_rec_device_state d;
    struct cv_qemu_state q;
    struct cv_error err;

    must(cv_rec_device_state_decode(&d, r->body.data, r->body.len, &err));
    uint8_t *blob = r->body.data + r->body.len - d.blob_len;
    must(cv_qemu_state_decode(&q, blob, d.blob_len, &err));
    for (size_t i = 0; i < q.count; i++)
        if (strncmp(q.sections[i].name, "0000:", 5) == 0 && q.sections[i].data_len > 260)
            put_config_space(blob + q.sections[i].data_offset);
    cv_qemu_state_dispose(&q);
    d.blob = blob;
    must(cv_rec_device_state_head(&d, r->body.data, &err));
}

static void image(const char *name, struct guest_image_options opt)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    struct cv_buf b = { 0 };

    opt.small = true;
    guest_image(&b, &opt);
    if (s == NULL || raw_parse(s, b.data, b.len) < 0)
        abort();
    for (size_t i = 0; i < s->count; i++)
        if (s->record[i].type == CV_REC_DEVICE_STATE)
            give_bars(&s->record[i]);
    raw_emit(s, &b);
    write_file("image", name, b.data, b.len);
    raw_dispose(s);
    free(s);
    cv_buf_dispose(&b);
}

/* Guests of one emulator that xl can and cannot describe. */
#define GUEST "type = 'hvm'\nname = 'x'\nuuid = '01234567-89ab-cdef-0123-456789abcdef'\nmemory = 32\n"
static const char with_usb[] = GUEST "vga = 'stdvga'\nusbversion = 3\nsoundhw = 'hda'\nhdtype = 'ahci'\n"
                                     "disk = [ 'format=raw,vdev=hda,access=rw,target=/dev/vg/disk' ]\n";
static const char without_vga[] = GUEST "vga = 'none'\nnographic = 1\n";
static const char with_virtio[] =
    GUEST "disk = [ 'format=raw,vdev=xvdb,access=rw,model=virtio-blk,target=/dev/vg/b' ]\n";

static const char devices[] =
    "{\"c_info\":{\"type\":\"hvm\"},\"disks\":[{\"vdev\":\"xvdb\",\"pdev_path\":\"/dev/vg/b\","
    "\"backend\":\"phy\"}],\"nics\":[{\"devid\":0}]}";

/* Behind its length; what it is based on is made to fit by the target (fuzz_chain.c). */
static void put_link(struct cv_buf *out, struct guest_image_options opt, bool based)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    struct cv_rec_parent p = { .name = "0.cvy", .name_len = 5 };
    struct cv_buf b = { 0 }, body = { 0 };
    struct cv_error err;
    uint8_t len[4];

    opt.small = true;
    guest_image(&b, &opt);
    if (s == NULL || raw_parse(s, b.data, b.len) < 0)
        abort();
    if (based) {
        must(cv_rec_parent_encode(&p, &body, &err));
        raw_insert(s, raw_find(s, CV_REC_MEMORY, 0), CV_REC_PARENT, 0, body.data, body.len);
        s->header.required_features |= CV_FEATURE_INCREMENTAL;
        cv_buf_dispose(&body);
    }
    const struct cv_rec_devices d = { .schema = 1, .json = devices, .json_len = sizeof devices - 1 };
    if (opt.config != NULL) {
        must(cv_rec_devices_encode(&d, &body, &err));
        raw_insert(s, raw_find(s, CV_REC_VCPUS, 0), CV_REC_DEVICES, 0, body.data, body.len);
    }
    raw_emit(s, &b);
    cv_store32(len, (uint32_t)b.len);
    must(cv_buf_append(out, len, sizeof len, &err));
    must(cv_buf_append(out, b.data, b.len, &err));
    cv_buf_dispose(&body);
    cv_buf_dispose(&b);
    raw_dispose(s);
    free(s);
}

static void chain(const char *name, unsigned links, struct guest_image_options opt)
{
    struct cv_buf out = { 0 };

    for (unsigned i = 0; i < links; i++) {
        opt.seed = 20 + i;
        put_link(&out, opt, i > 0);
    }
    write_file("chain", name, out.data, out.len);
    cv_buf_dispose(&out);
}

#define PVH "type=\"pvh\"\nname=\"p\"\nmemory=64\nvcpus=2\nkernel=\"/k\"\n"
static const char pvh[] = PVH "disk=[\"/a,raw,xvda,w\"]\n", pvh_qdisk[] = PVH "disk=[\"/b,qcow2,xvda,w\"]\n";

void images(void)
{
    chain("guests", 2, (struct guest_image_options){ .no_policy = true });
    chain("guests-three", 3, (struct guest_image_options){ .config = with_virtio, .no_policy = true, .passes = 2 });
    image("one.cvy", (struct guest_image_options){ .seed = 1 });
    image("three.cvy", (struct guest_image_options){ .seed = 2, .config = guest_image_config3, .passes = 2 });
    image("usb.cvy", (struct guest_image_options){ .seed = 4, .config = with_usb, .no_policy = true });
    image("no-vga.cvy", (struct guest_image_options){ .seed = 5, .config = without_vga, .no_policy = true });
    image("virtio.cvy", (struct guest_image_options){ .seed = 6, .config = with_virtio, .no_policy = true });
    image("pvh.cvy", (struct guest_image_options){ .seed = 7, .config = pvh, .no_policy = true, .no_nodes = true });
    image("pvh-qdisk.cvy",
          (struct guest_image_options){ .seed = 8, .config = pvh_qdisk, .no_policy = true, .no_nodes = true });
    image("roms.cvy", (struct guest_image_options){ .seed = 3, .nic_roms = true, .no_policy = true, .no_nodes = true });
}
