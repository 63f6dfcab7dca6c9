/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save/report.h"

#include "guest/tell.h"

static json_t *emulators(const struct cv_save *s)
{
    const struct cv_save_report *r = &s->report;
    json_t *list = json_array();

    for (unsigned i = 0; i < s->g.layout.count; i++)
        json_array_append_new(list, json_pack("{s:i,s:s,s:o,s:o,s:I}", "dmid", i, "name", s->g.layout.dms[i].name,
                                              "stop_ms", cv_tell_ms(r->emulator_stop_ns[i]), "save_ms",
                                              cv_tell_ms(r->emulator_state_ns[i]), "state_bytes",
                                              (json_int_t)r->state_bytes[i]));
    return list;
}

void cv_save_tell_report(const struct cv_save *s)
{
    const struct cv_save_report *r = &s->report;
    json_t *parts =
        json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "suspend", cv_tell_ms(r->suspend_ns), "stop", cv_tell_ms(r->stop_ns),
                  "freeze", cv_tell_ms(r->freeze_ns), "last_pages", cv_tell_ms(r->last_pages_ns), "states",
                  cv_tell_ms(r->states_ns), "tail", cv_tell_ms(r->tail_ns));

    cv_tell(s->sink,
            json_pack("{s:s,s:i,s:s,s:I,s:I,s:i,s:o,s:o,s:o,s:o}", "event", "report", "domid", (int)s->domid, "name",
                      s->g.spec.name, "bytes", (json_int_t)r->bytes, "guest_pages", (json_int_t)r->guest_pages,
                      "passes", (int)r->passes, "total_ms", cv_tell_ms(r->total_ns), "down_ms", cv_tell_ms(r->down_ns),
                      "down_parts", parts, "emulators", emulators(s)));
}
