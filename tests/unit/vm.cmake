# SPDX-License-Identifier: LGPL-2.1-or-later
convoy_test(test_vm SOURCES test_vm.c LINKS convoy_vm)
