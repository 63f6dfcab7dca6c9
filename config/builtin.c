/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Built-in devices that belong to a capability: display, serial, audio, USB. */
#include <string.h>

#include "config/reader.h"

static int read_vga(struct cv_config_reader *r, struct cv_error *err)
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
    if (cv_reader_has(r, "stdvga") && cv_reader_has(r, "vga")) {
        if (std != (strncmp(text, "std", 3) == 0))
            cv_reader_warn(r, "stdvga", "has no effect, as under xl: vga='%s' says it", text);
    } else if (std) {
        text = "stdvga";
    }
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
    if (r->c->memory_kib != 0 && r->c->memory_kib <= ((uint64_t)r->c->videoram_mib << 10) + 4096)
        return cv_reader_fail(r, "memory", CV_E_INVALID, err, "%llu MB leaves no RAM beside %u MB of video RAM",
                              (unsigned long long)r->c->memory_kib >> 10, r->c->videoram_mib);
    return 0;
}

/* "address", "address:display", or the same with an IPv6 address in brackets, as QEMU has it; the display moves to
 * vncdisplay. */
static int check_listen(struct cv_config_reader *r, struct cv_error *err)
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

#define ONLY_VNC "only vnc is supported: vnc = 1 shows the same display"

static int read_vnc(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    long long display = 0;
    bool sdl = false, spice = false;
    const struct {
        const char *key;
        bool *to;
    } switches[] = { { "vnc", &c->vnc },
                     { "vncunused", &c->vncunused },
                     { "nographic", &c->nographic },
                     { "sdl", &sdl },
                     { "spice", &spice } };
    const struct {
        const char *key, **to;
    } texts[] = { { "vnclisten", &c->vnclisten }, { "vncpasswd", &c->vncpasswd }, { "keymap", &c->keymap } };

    c->vnc = c->vncunused = true; /* libxl's defaults for HVM guests */
    c->vnclisten = c->vncpasswd = c->keymap = "";
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (cv_reader_bool(r, switches[i].key, switches[i].to, err) < 0)
            return -1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (cv_reader_string(r, texts[i].key, texts[i].to, err) < 0)
            return -1;
    if (cv_reader_number(r, "vncdisplay", 0, 59635, &display, err) < 0)
        return -1;
    c->vncdisplay = (unsigned)display;
    if (sdl)
        cv_reader_keep(r, cv_reader_fail(r, "sdl", CV_E_UNSUPPORTED, err, ONLY_VNC), err);
    if (spice)
        cv_reader_keep(r, cv_reader_fail(r, "spice", CV_E_UNSUPPORTED, err, ONLY_VNC), err);
    if (strchr(c->keymap, ',') != NULL || strchr(c->keymap, '/') != NULL)
        return cv_reader_fail(r, "keymap", CV_E_INVALID, err, "'%s' is no name of a keymap", c->keymap);
    if (check_listen(r, err) < 0)
        return -1;
    if (c->nographic && c->vnc && cv_reader_has(r, "vnc"))
        return cv_reader_fail(r, "nographic", CV_E_INVALID, err, "cannot be given together with vnc");
    c->vnc = c->vnc && !c->nographic;
    if (strlen(c->vncpasswd) > 8)
        cv_reader_warn(r, "vncpasswd", "VNC looks at the first 8 characters only, and this password has %zu",
                       strlen(c->vncpasswd));
    return 0;
}

static int read_serial(struct cv_config_reader *r, struct cv_error *err)
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

static int read_audio(struct cv_config_reader *r, struct cv_error *err)
{
    const char *text = "";

    if (cv_reader_string(r, "soundhw", &text, err) < 0)
        return -1;
    if (*text && strcmp(text, "hda") != 0 && strcmp(text, "ac97") != 0 && strcmp(text, "es1370") != 0)
        return cv_reader_fail(r, "soundhw", CV_E_UNSUPPORTED, err, "'%s': convoy knows hda, ac97 and es1370", text);
    r->c->soundhw = text;
    return 0;
}

static int read_usb(struct cv_config_reader *r, struct cv_error *err)
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
        if (driver != NULL)
            cv_strings_add(&c->pool, &c->usbdevices, driver);
        else
            cv_reader_keep(r,
                           cv_reader_fail(r, "usbdevice", CV_E_UNSUPPORTED, err,
                                          "'%s': convoy knows tablet, mouse and keyboard; host devices cannot be saved",
                                          list.items[i]),
                           err);
    }
    return 0;
}

/* One word of "type=devicemodel,version=2,ports=8".  false: not understood. */
static bool usbctrl_word(char *word, const char **type, long long *version)
{
    long long ports;

    word += strspn(word, " \t");
    if (strncmp(word, "type=", 5) == 0)
        *type = word + 5;
    else if (strncmp(word, "version=", 8) == 0)
        return cv_text_number(word + 8, 1, 3, version);
    else if (strncmp(word, "ports=", 6) == 0)
        return cv_text_number(word + 6, 1, 31, &ports); /* QEMU's controllers have as many as they have */
    else
        return *word == '\0';
    return true;
}

static int read_usbctrl(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    struct cv_strings list = { 0 };
    const char *type = "auto";
    long long version = 2; /* libxl's */
    char text[128], *rest = text, *word;

    if (cv_reader_strings(r, "usbctrl", &list, err) < 0 || list.count == 0)
        return 0;
    if (list.count > 1)
        return cv_reader_fail(r, "usbctrl", CV_E_UNSUPPORTED, err, "a guest has one USB controller here: leave one");
    if (strlen(list.items[0]) >= sizeof text)
        return cv_reader_fail(r, "usbctrl", CV_E_INVALID, err, "is too long");
    strcpy(text, list.items[0]);
    while ((word = strsep(&rest, ",")) != NULL)
        if (!usbctrl_word(word, &type, &version))
            return cv_reader_fail(r, "usbctrl", CV_E_INVALID, err,
                                  "'%s': a controller is type=, version=1 to 3, ports=", word);
    if (strcmp(type, "auto") != 0 && strcmp(type, "devicemodel") != 0)
        return cv_reader_fail(r, "usbctrl", CV_E_UNSUPPORTED, err,
                              "'%s': PV controllers are for passed-through devices, and those cannot be saved; "
                              "type=devicemodel is an emulated one",
                              type);
    if (c->usb || c->usbversion != 0)
        return cv_reader_fail(r, "usbctrl", CV_E_UNSUPPORTED, err,
                              "a guest has one USB controller here: leave out this one, or usb, usbdevice and "
                              "usbversion");
    c->usbversion = (unsigned)version;
    return 0;
}

int cv_config_read_devices(struct cv_config_reader *r, struct cv_error *err)
{
    static int (*const parts[])(struct cv_config_reader *, struct cv_error *) = { read_vnc,   read_vga, read_serial,
                                                                                  read_audio, read_usb, read_usbctrl };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cv_reader_keep(r, parts[i](r, err), err);
    return 0;
}
