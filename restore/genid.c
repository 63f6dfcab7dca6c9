/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that goes back in time learns it from its VM generation ID; one that has only moved keeps it. */
#include "restore/internal.h"
#include "vm/genid.h"

void cv_restore_new_genid(struct cv_restore *r)
{
    if (!r->opt->handed_over && r->g.spec.genid[0] != '\0')
        cv_genid_make(r->g.spec.genid);
}

int cv_restore_put_genid(struct cv_restore *r, struct cv_error *err)
{
    uint64_t address = cv_guest_state_param(&r->state, CV_PARAM_GENID_ADDRESS);
    uint8_t bytes[CV_GENID_BYTES];

    /* Without an address the guest's firmware was told of none, or the guest has none of that kind. */
    if (r->opt->handed_over || r->g.spec.genid[0] == '\0' || address == 0)
        return 0;
    if (cv_genid_parse(r->g.spec.genid, bytes, err) < 0)
        return -1;
    if (r->g.host->ops->write_memory(r->g.host, r->g.domid, address, bytes, sizeof bytes, err) < 0)
        return cv_context(err, "the guest's VM generation ID");
    return 0;
}
