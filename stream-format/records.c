/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/records.h"

/* clang-format off */
const struct cv_record_rule cv_record_rules[] = {
#define CV_R(name_, word_, id_, presence_, profile_, min_, max_, rank_, tag_, section_)                           \
    { .name = #name_, .section = section_, .id = (id_), .presence = CV_PRESENCE_##presence_,                      \
      .profile = CV_PROFILE_##profile_, .tag = CV_TAG_##tag_, .min = (min_), .max = (max_), .rank = (rank_) },
#include "stream-format/records.def"
#undef CV_R
};
/* clang-format on */
const size_t cv_record_rules_count = sizeof cv_record_rules / sizeof cv_record_rules[0];

const struct cv_record_rule *cv_record_rule(uint32_t raw_type)
{
    for (size_t i = 0; i < cv_record_rules_count; i++)
        if (cv_record_rules[i].id == raw_type)
            return &cv_record_rules[i];
    return NULL;
}

const char *cv_record_name(uint32_t raw_type)
{
    const struct cv_record_rule *rule = cv_record_rule(raw_type);
    return rule ? rule->name : "?";
}
