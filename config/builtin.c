/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Built-in devices that belong to a capability: display, serial, audio, USB. */
#include <string.h>

#include "config/reader.h"

static int read_vga(struct cv_reader *r, struct cv_error *err)
{
    static const struct {
        const char *word;
        enum cv_vga vga;
    } words[] = {
        { "cirrus", CV_VGA_CIRRUS }, { "stdvga", CV_VGA_STD }, { "std", CV_VGA_STD }, { "none", CV_VGA_NONE }
    };
    static const unsigned least[] = { [CV_VGA_CIRRUS] = 8, [CV_VGA_STD] = 16, [CV_VGA_NONE] = 0 }; /* libxl's */
    const char *text = "cirrus";
    bool std = false, found = false;
    long long mib = -1;

    if (cv_reader_string(r, "vga", &text, err) < 0 || cv_reader_bool(r, "stdvga", &std, err) < 0 ||
        cv_reader_number(r, "videoram", 0, 256, &mib, err) < 0)
        return -1;
    if (cv_reader_has(r, "stdvga") && cv_reader_has(r, "vga"))
        return cv_reader_fail(r, "stdvga", CV_E_INVALID, err, "cannot be given together with vga");
    if (std)
        text = "stdvga";
    if (r->c->nographic && cv_reader_has(r, "vga") && strcmp(text, "none") != 0)
        return cv_reader_fail(r, "nographic", CV_E_INVALID, err, "cannot be given together with vga='%s'", text);
    if (r->c->nographic)
        text = "none";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].word) == 0) {
            r->c->vga = words[i].vga;
            found = true;
        }
    if (!found)
        return cv_reader_fail(r, "vga", CV_E_UNSUPPORTED, err, "'%s': convoy knows stdvga, cirrus and none", text);
    unsigned min = least[r->c->vga];
    if (mib >= 0 && r->c->vga == CV_VGA_NONE)
        mib = 0; /* as in libxl: without a card there is no video RAM */
    if (mib >= 0 && (mib < min || (mib & (mib - 1)) != 0))
        return cv_reader_fail(r, "videoram", CV_E_INVALID, err,
                              "%lld must be a power of two, at least %u for this card", mib, min);
    r->c->videoram_mib = mib < 0 ? min : (unsigned)mib;
    if (r->c->memory_kib <= ((uint64_t)r->c->videoram_mib << 10) + 4096)
        return cv_reader_fail(r, "memory", CV_E_INVALID, err, "%llu MB leaves no RAM beside %u MB of video RAM",
                              (unsigned long long)r->c->memory_kib >> 10, r->c->videoram_mib);
    return 0;
}

/* "address", "address:display", or the same with an IPv6 address in brackets, as QEMU has it; the display moves to
 * vncdisplay. */
static int check_listen(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const char *listen = c->vnclisten, *end = *listen == '[' ? strchr(listen, ']') : NULL;
    const char *colon = strchr(end != NULL ? end : listen, ':');
    long long display = 0;

    if (strchr(listen, ',') != NULL)
        return cv_reader_fail(r, "vnclisten", CV_E_INVALID, err, "has a comma");
    if ((*listen == '[') != (end != NULL) || (end != NULL && end[1] != '\0' && end[1] != ':') ||
        (colon != NULL && !cv_text_number(colon + 1, 0, 59635, &display)))
        return cv_reader_fail(r, "vnclisten", CV_E_INVALID, err,
                              "'%s' must be ADDRESS or ADDRESS:DISPLAY, "
                              "an IPv6 address in brackets",
                              listen);
    if (colon == NULL)
        return 0;
    if (cv_reader_has(r, "vncdisplay"))
        return cv_reader_fail(r, "vncdisplay", CV_E_INVALID, err, "vnclisten has a display already");
    c->vncdisplay = (unsigned)display;
    c->vnclisten = cv_pool_stringn(&c->pool, listen, (size_t)(colon - listen));
    return 0;
}

static int read_vnc(struct cv_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    long long display = 0;
    bool sdl = false, spice = false;

    c->vnc = c->vncunused = true; /* libxl's defaults for HVM guests */
    c->vnclisten = c->vncpasswd = c->keymap = "";
    if (cv_reader_bool(r, "vnc", &c->vnc, err) < 0 || cv_reader_bool(r, "vncunused", &c->vncunused, err) < 0 ||
        cv_reader_string(r, "vnclisten", &c->vnclisten, err) < 0 ||
        cv_reader_string(r, "vncpasswd", &c->vncpasswd, err) < 0 ||
        cv_reader_string(r, "keymap", &c->keymap, err) < 0 || cv_reader_bool(r, "nographic", &c->nographic, err) < 0 ||
        cv_reader_number(r, "vncdisplay", 0, 59635, &display, err) < 0 || cv_reader_bool(r, "sdl", &sdl, err) < 0 ||
        cv_reader_bool(r, "spice", &spice, err) < 0)
        return -1;
    c->vncdisplay = (unsigned)display;
    if (sdl || spice)
        return cv_reader_fail(r, sdl ? "sdl" : "spice", CV_E_UNSUPPORTED, err, "only vnc is supported");
    if (strchr(c->keymap, ',') != NULL || strchr(c->keymap, '/') != NULL)
        return cv_reader_fail(r, "keymap", CV_E_INVALID, err, "'%s' is no name of a keymap", c->keymap);
    if (check_listen(r, err) < 0)
        return -1;
    if (c->nographic && c->vnc && cv_reader_has(r, "vnc"))
        return cv_reader_fail(r, "nographic", CV_E_INVALID, err, "cannot be given together with vnc");
    c->vnc = c->vnc && !c->nographic;
    if (strlen(c->vncpasswd) > 8)
        return cv_reader_fail(r, "vncpasswd", CV_E_INVALID, err, "VNC passwords have at most 8 characters");
    return 0;
}

static int read_serial(struct cv_reader *r, struct cv_error *err)
{
    if (cv_reader_strings(r, "serial", &r->c->serials, err) < 0)
        return -1;
    if (r->c->serials.count > 4)
        return cv_reader_fail(r, "serial", CV_E_INVALID, err, "more than 4 serial ports");
    for (size_t i = 0; i < r->c->serials.count; i++) {
        const char **one = &r->c->serials.items[i];
        if (**one == '\0')
            return cv_reader_fail(r, "serial", CV_E_INVALID, err, "an empty string names no device");
        if (strncmp(*one, "file:", 5) == 0)
            *one = cv_pool_printf(&r->c->pool, "file:%s", cv_reader_absolute(r, *one + 5));
    }
    return 0;
}

static int read_audio(struct cv_reader *r, struct cv_error *err)
{
    const char *text = "";

    if (cv_reader_string(r, "soundhw", &text, err) < 0)
        return -1;
    if (*text && strcmp(text, "hda") != 0 && strcmp(text, "ac97") != 0 && strcmp(text, "es1370") != 0)
        return cv_reader_fail(r, "soundhw", CV_E_UNSUPPORTED, err, "'%s': convoy knows hda, ac97 and es1370", text);
    r->c->soundhw = text;
    return 0;
}

static int read_usb(struct cv_reader *r, struct cv_error *err)
{
    static const char *const words[][2] = {
        { "tablet", "usb-tablet" }, { "mouse", "usb-mouse" }, { "keyboard", "usb-kbd" }, { "kbd", "usb-kbd" }
    };
    struct cv_guest_config *c = r->c;
    struct cv_strings list = { 0 };
    long long version = 0;

    if (cv_reader_bool(r, "usb", &c->usb, err) < 0 || cv_reader_number(r, "usbversion", 1, 3, &version, err) < 0 ||
        cv_reader_strings(r, "usbdevice", &list, err) < 0)
        return -1;
    if (version != 0 && (c->usb || list.count > 0))
        return cv_reader_fail(r, "usbversion", CV_E_INVALID, err, "cannot be given together with usb or usbdevice");
    c->usbversion = (unsigned)version;
    c->usb = c->usb || list.count > 0;
    for (size_t i = 0; i < list.count; i++) {
        const char *driver = NULL;
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (strcmp(list.items[i], words[w][0]) == 0)
                driver = words[w][1];
        if (driver == NULL)
            return cv_reader_fail(r, "usbdevice", CV_E_UNSUPPORTED, err,
                                  "'%s': convoy knows tablet, mouse and keyboard; host devices cannot be saved",
                                  list.items[i]);
        cv_strings_add(&c->pool, &c->usbdevices, driver);
    }
    return 0;
}

int cv_config_read_devices(struct cv_reader *r, struct cv_error *err)
{
    if (read_vnc(r, err) < 0 || read_vga(r, err) < 0 || read_serial(r, err) < 0 || read_audio(r, err) < 0)
        return -1;
    return read_usb(r, err);
}
