# SPDX-License-Identifier: LGPL-2.1-or-later
# For end-to-end tests on two hosts: the guest $name goes from one to the other by ssh. Needs lib.sh.
# shellcheck shell=bash

# move EMULATORS FROM TO [OPTION...]: it goes on right there, and nothing of it stays here. OPTIONs go to convoy migrate.
move()
{
    local emulators=$1 from=$2 to=$3 domid before
    domid=$(on "$from" domid_of "$name")
    before=$(on "$from" guest_line "$GUEST_LOG")
    on "$to" rm -f "$GUEST_LOG"
    on "$from" timeout 300 convoy migrate "${@:4}" "$name" "$to"
    on "$from" no_leftovers "$name" "$domid"
    on "$to" guest_came_back "$before"
    [ "$(on "$to" pgrep -fc 'xen-domid [0-9]')" = "$emulators" ] || fail "not $emulators emulators at $to"
}
