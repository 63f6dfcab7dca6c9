/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU answers to query-pci and "info ramblock", taken apart. */
#ifndef CONVOY_EMULATORS_ANSWERS_H
#define CONVOY_EMULATORS_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"

/* The functions of the one bus; borrowed from reply.  CV_E_EMULATOR: it has none. */
int cv_answer_pci(const json_t *reply, const json_t **functions_out, struct cv_error *err) CV_CHECKED;
uint16_t cv_answer_bdf(const json_t *function);
bool cv_answer_has_bdf(const json_t *functions, uint16_t bdf);
/* The chipset of every machine, and the platform device, are known to be there. */
bool cv_answer_of_the_machine(uint16_t bdf);

/* Calls block for each RAM block but the guest's RAM; stops at the first that is not 0.  CV_E_EMULATOR: no list. */
int cv_answer_blocks(const json_t *reply,
                     int (*block)(void *user, const char *name, uint64_t gfn, uint64_t pages, struct cv_error *err),
                     void *user, struct cv_error *err) CV_CHECKED;

#endif
