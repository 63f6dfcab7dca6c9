# SPDX-License-Identifier: LGPL-2.1-or-later
convoy_test(test_base SOURCES test_base.c LINKS convoy_base)
