# SPDX-License-Identifier: LGPL-2.1-or-later
# One Xen host as one QEMU process. Everything of a host is in its folder, so that several can run side by side.
# Needs common.sh.
# shellcheck shell=bash

# Each word that is taken away was seen to break Xen, dom0 or its guests under emulation (README.md says how).
# (The last three are not in TCG anyway; naming them avoids warnings.)
HOST_CPU=EPYC,-smap,-smep,-monitor,-rdtscp,-xsave,-avx,-avx2,-fma,-f16c,-xsaveopt,-xsaves,-xgetbv1,+svm,+npt,-topoext,-nrip-save,-xsavec
HOST_XEN_ARGS=${LAB_XEN_ALL:-"console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all spec-ctrl=no bootscrub=no sched_ratelimit_us=0"}
HOST_DOM0_ARGS=${LAB_DOM0_ALL:-"console=hvc0 quiet loglevel=4 mitigations=off panic=1 net.ifnames=0"}

# host_cpus: processors of each host.  One: QEMU's TCG (7.2 to 10.0, at least) clears a flag of the first processor,
# IGNNE#, from whichever processor loads an FPU state, by an unlocked read and write of the word that also says whether
# the first one is in a guest, behind nested page tables, with interrupts on (target/i386, cpu_clear_ignne, hflags2).
# With two processors a guest so gets a triple fault, or the host loses interrupts, every few minutes.
host_cpus() { printf '%s\n' "${LAB_CPUS:-1}"; }

# share_args TAG PATH [readonly]
share_args()
{
    printf '%s\n' -fsdev "local,id=$1,path=${2//,/,,},security_model=none,multidevs=remap${3:+,readonly=on}" \
        -device "virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

# port_args NAME CHARDEV: a virtio-serial port that dom0 finds by its name.
port_args()
{
    printf '%s\n' -chardev "$2,id=$1" -device "virtserialport,chardev=$1,name=$1"
}

# One raw image in eight partitions, /dev/vdb1 to vdb8 in the dom0 of every host it is attached to: a SAN of small means.
SAN_PARTITION_MB=64

# san_create FILE: holes only; the table is written by sfdisk, which needs no root for a file.
san_create()
{
    local i
    truncate -s $((9 * SAN_PARTITION_MB))M "$1"
    {
        echo 'label: gpt'
        for i in 1 2 3 4 5 6 7 8; do echo "size=${SAN_PARTITION_MB}MiB, name=san$i"; done
    } | PATH=$PATH:/sbin:/usr/sbin sfdisk --quiet "$1" >&2
}

# san_args FILE: no lock, for every host writes to it, and no cache of this machine's between them.
san_args()
{
    printf '%s\n' -drive "file.filename=${1//,/,,},file.locking=off,file.driver=file,driver=raw,if=none,id=san,cache=writethrough,discard=unmap,detect-zeroes=unmap,werror=report,rerror=report" \
        -device virtio-blk-pci,drive=san,addr=0x1d
}

# link_args NUMBER FOLDER: the two networks of host NUMBER (1 or 2). lan carries the guests' packets, link is for migrations.
# A stream has flow control, so that nothing is lost on it but what lab-link makes it lose.
link_args()
{
    local net slot=0x1b role=server=on
    [ "$1" = 1 ] || role=server=off
    for net in lan link; do
        printf '%s\n' -netdev "stream,id=$net,$role,addr.type=unix,addr.path=$2/$net.sock" \
            -device "virtio-net-pci,netdev=$net,mac=52:54:00:00:0${#net}:0$1,addr=$slot,romfile="
        slot=0x1c
    done
}

# ask_args FOLDER: what is asked when time is nearly over: dom0 reads FOLDER/ask.in (its watcher waits for a line), QEMU's
# monitor FOLDER/monitor.in. FIFOs, which QEMU opens for both directions, so that nobody waits for a reader.
ask_args()
{
    mkfifo "$1"/{ask,monitor}.{in,out}
    port_args ask "pipe,path=$1/ask"
    printf '%s\n' -chardev "pipe,id=monitor,path=$1/monitor" -mon chardev=monitor,mode=readline
}

# host_start RUN-DIR IMAGE-DIR INITRAMFS MEMORY-MB CPUS
# RUN-DIR/ctl (the control share) is filled by the caller, so are the arrays HOST_SHARES (TAG=PATH or, read-only,
# TAG:PATH) and HOST_ARGS (more of QEMU's arguments). Leaves QEMU's pid in HOST_PID.
host_start()
{
    local run=$1 image=$2 initramfs=$3 memory=$4 cpus=$5 s args=()
    mapfile -t args < <(
        share_args ctl "$run/ctl"
        share_args convoy "$CHECKOUT" readonly
        for s in "${HOST_SHARES[@]}"; do
            case $s in
            *=*) share_args "${s%%=*}" "${s#*=}" ;;
            *) share_args "${s%%:*}" "${s#*:}" readonly ;;
            esac
        done
        port_args ctl "file,path=$run/events,append=on"
        ask_args "$run"
    )
    # report: by default QEMU stops the whole machine, without a word, when the disk of this one is full.
    # LAB_QEMU_ARGS and the other LAB_ variables here are for experiments.
    # shellcheck disable=SC2086
    qemu-system-x86_64 -name "convoy lab" -nodefaults -no-user-config -display none -no-reboot \
        -machine pc -accel tcg,thread=multi,tb-size=1024 -cpu "$HOST_CPU" -smp "$cpus" -m "$memory" \
        -chardev "file,id=console,path=$run/console.log" -serial chardev:console \
        -kernel "$image/xen" -append "$HOST_XEN_ARGS dom0_max_vcpus=$cpus ${LAB_XEN_ARGS:-} dom0_mem=${LAB_DOM0_MEMORY:-1536}M,max:${LAB_DOM0_MEMORY:-1536}M" \
        -initrd "$image/vmlinuz $HOST_DOM0_ARGS,$initramfs" \
        -drive "file=$image/root.img,format=raw,if=virtio,snapshot=on,werror=report,rerror=report" \
        -device virtio-serial-pci "${args[@]}" ${HOST_ARGS[@]+"${HOST_ARGS[@]}"} ${LAB_QEMU_ARGS:-} <&0 2>"$run/qemu.log" &
    # shellcheck disable=SC2034 # for the caller
    HOST_PID=$!
}
