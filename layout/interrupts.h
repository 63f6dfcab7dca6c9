/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MSIs of emulated devices.  Xen before 4.19 gives every HVM guest pirqs (vm/spec.h), and later ones do where it is
 * asked for.  A Linux guest with PV drivers that has them takes the MSI of an emulated device over an event channel,
 * and event channels do not survive a restore: Linux binds those of pins (INTx) again, and those of MSIs only when the
 * device's driver sets its interrupts up again, as some do and others do not.  What these others serve is dead then.
 *
 * So a secondary emulator that serves a device of the others offers no MSI when the guest will have pirqs: its CPU has
 * no APIC, without which QEMU gives its devices no MSI.  Where it does (the default emulator, which the guest's CPUs
 * are plugged into; what was made so), a save is refused (guest/blockers.h). */
#ifndef CONVOY_LAYOUT_INTERRUPTS_H
#define CONVOY_LAYOUT_INTERRUPTS_H

#include "layout/layout.h"

enum cv_msi {
    CV_MSI_NONE,  /* the device has none */
    CV_MSI_AGAIN, /* Linux's driver sets them up again in a resume */
    CV_MSI_DIES,  /* it does not, or nobody has looked */
};
/* Of one of QEMU's drivers, by name. */
enum cv_msi cv_msi_of(const char *driver);

/* Do dm's devices offer the MSIs that they have? */
bool cv_layout_offers_msi(const struct cv_layout_dm *dm);
/* Would dev, one of dm's, be dead after a restore, if the guest takes its MSI over an event channel? */
bool cv_layout_msi_dies(const struct cv_layout_dm *dm, const struct cv_layout_device *dev);

#endif
