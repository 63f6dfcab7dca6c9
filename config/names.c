/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What things are called; apart from the parser, because images are shown where libxlutil is not installed. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

const char *cv_cap_name(enum cv_cap one)
{
    switch (one) {
    case CV_CAP_UI: return "ui";
    case CV_CAP_IDE: return "ide";
    case CV_CAP_SERIAL: return "serial";
    case CV_CAP_PARALLEL: return "parallel";
    case CV_CAP_AUDIO: return "audio";
    case CV_CAP_USB: return "usb";
    case CV_CAP_ACPI: return "acpi";
    case CV_CAP_PLATFORM: return "platform";
    case CV_CAP_ALL: break;
    }
    return "?";
}

const char *cv_caps_string(unsigned caps, char *buf, size_t len)
{
    size_t at = 0;

    buf[0] = '\0';
    for (unsigned bit = 1; bit <= CV_CAP_ALL && at < len; bit <<= 1)
        if (caps & bit)
            at += (size_t)snprintf(buf + at, len - at, "%s%s", at ? "+" : "", cv_cap_name((enum cv_cap)bit));
    return buf;
}

const char *cv_disk_model_name(enum cv_disk_model m)
{
    static const char *const names[] = { "ide", "ahci", "virtio-blk", "nvme", "undecided" };
    return names[m];
}

const char *cv_config_name_refusal(const char *name)
{
    size_t len = strlen(name);

    if (len == 0)
        return "a guest needs a name";
    if (len > CV_CONFIG_NAME_MAX)
        return "has more than 60 characters";
    if (strspn(name, "0123456789") == len)
        return "a name of digits alone would be a domid";
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && strchr("+-._", *p) == NULL)
            return "a name has letters, digits, +, -, . and _ only";
    return "";
}
