/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

const struct cv_host_dirs cv_host_dirs_usual = { 0 };
