/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which release of QEMU a program is, and whether it reads the device states of another one. */
#ifndef CONVOY_EMULATORS_VERSION_H
#define CONVOY_EMULATORS_VERSION_H

#include <stdbool.h>
#include <stddef.h>

/* Runs "program --version" for at most 20 s (a busy host): "7.2.22", cut to size; "" if it does not say. */
void cv_program_version(const char *program, char *version, size_t size);

/* Does a QEMU of version `to` read what one of version `from` saved of this -machine?  QEMU reads states of older
 * versions, of machines whose type names a version ("xenfv" and "pc-i440fx-7.2" do; "pc" means the newest one).  True
 * where a version is not known: the load tells. */
bool cv_version_takes_state(const char *from, const char *to, const char *machine);

#endif
