# SPDX-License-Identifier: LGPL-2.1-or-later
# PVH guests: lib.sh first. They have no serial port: their log is what xenconsoled writes.
# shellcheck shell=bash

# pvh_qcow2 FILE MB: an empty image; no qemu-img here.
pvh_qcow2()
{
    python3 - "$1" "$2" <<'END'
import struct, sys
cluster = 1 << 16
header = struct.pack('>4sIQIIQIIQQIIQ', b'QFI\xfb', 2, 0, 0, 16, int(sys.argv[2]) << 20, 0, 1, 3 * cluster, cluster, 1, 0, 0)
with open(sys.argv[1], 'wb') as f:
    for block in (header, struct.pack('>Q', 2 * cluster), struct.pack('>4H', 1, 1, 1, 1), b''):
        f.write(block.ljust(cluster, b'\0'))
END
}

# pvh_log: an empty log for $name, whatever a migration calls the guest meanwhile.
pvh_log()
{
    local suffix
    rm -f "$GUEST_LOG"
    for suffix in incoming migratedaway; do ln -sf "$(basename "$GUEST_LOG")" "${GUEST_LOG%.log}--$suffix.log"; done
}

# pvh_config DISKS DISK: $WORK_DIR/$name.cfg of a guest that works on the disks DISKS (environment: VCPUS).
pvh_config()
{
    cat >"$WORK_DIR/$name.cfg" <<END
type = "pvh"
name = "$name"
memory = 200
vcpus = ${VCPUS:-1}
kernel = "$GUEST_KERNEL"
ramdisk = "$GUEST_RAMDISK"
cmdline = "${GUEST_CMDLINE/ttyS0/hvc0} g.pv=1 g.ram=8 g.verify=4 g.dirty=1 g.diskops=2 g.net=20 g.report=2 g.disks=$1 g.nics=1"
tsc_mode = "native"
vif = [ "mac=00:16:3e:00:00:05" ]
disk = [ $2 ]
END
}

# pvh_watch SECONDS: it goes on for so long; a driver's time-outs would come.
pvh_watch()
{
    local before end
    step "watched for $1 s"
    # shellcheck disable=SC2154 # at: of scripts with two hosts
    before=$(on "${at:-$LAB_HOSTNAME}" guest_line "$GUEST_LOG") end=$((SECONDS + $1))
    while [ $SECONDS -lt $end ]; do on "${at:-$LAB_HOSTNAME}" guest_more "$GUEST_LOG" 5 60 || fail "the guest stands still"; done
    on "${at:-$LAB_HOSTNAME}" guest_goes_on "$before"
}
