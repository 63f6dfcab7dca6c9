/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/findings.h"

#include <stdio.h>

json_t *cli_json_text(const char *text)
{
    json_t *v = json_string(text);
    char plain[600];
    size_t i = 0;

    if (v != NULL)
        return v;
    for (; text[i] && i < sizeof plain - 1; i++)
        plain[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    plain[i] = '\0';
    return json_string(plain);
}

json_t *cli_findings_json(const struct cv_findings *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->count; i++) {
        const struct cv_finding *one = &f->items[i];
        json_t *o = json_object();
        json_object_set_new(o, "check", cli_json_text(one->check));
        json_object_set_new(o, "blocks", json_boolean(one->code != CV_OK));
        if (one->code != CV_OK)
            json_object_set_new(o, "code", json_string(cv_code_name(one->code)));
        json_object_set_new(o, "text", cli_json_text(one->text));
        if (one->advice[0] != '\0')
            json_object_set_new(o, "advice", cli_json_text(one->advice));
        json_array_append_new(list, o);
    }
    return list;
}
