# SPDX-License-Identifier: LGPL-2.1-or-later
# One Xen host as one QEMU process. Everything of a host is in its folder, so that several can run side by side.
# Needs common.sh.
# shellcheck shell=bash

# Each word that is taken away was seen to break Xen, dom0 or its guests under emulation (README.md says how).
# (The last three are not in TCG anyway; naming them avoids warnings.)
HOST_CPU=EPYC,-smap,-smep,-monitor,-rdtscp,-xsave,-avx,-avx2,-fma,-f16c,-xsaveopt,-xsaves,-xgetbv1,+svm,+npt,-topoext,-nrip-save,-xsavec
HOST_XEN_ARGS=${LAB_XEN_ALL:-"console=com1 com1=115200,8n1 dom0_max_vcpus=2 loglvl=all guest_loglvl=all spec-ctrl=no bootscrub=no sched_ratelimit_us=0"}
HOST_DOM0_ARGS=${LAB_DOM0_ALL:-"console=hvc0 quiet loglevel=4 mitigations=off panic=1 net.ifnames=0"}

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

# host_start RUN-DIR IMAGE-DIR INITRAMFS MEMORY-MB IN-CHARDEV EXTRA-SHARE...
# RUN-DIR/ctl (the control share) is filled by the caller; QEMU's pid is left in HOST_PID.
# An extra share is TAG=PATH or, read-only, TAG:PATH.
host_start()
{
    local run=$1 image=$2 initramfs=$3 memory=$4 in=$5 s args=()
    shift 5
    mapfile -t args < <(
        share_args ctl "$run/ctl"
        share_args convoy "$CHECKOUT" readonly
        for s in "$@"; do
            case $s in
            *=*) share_args "${s%%=*}" "${s#*=}" ;;
            *) share_args "${s%%:*}" "${s#*:}" readonly ;;
            esac
        done
        port_args out "file,path=$run/out,append=on"
        port_args err "file,path=$run/err,append=on"
        port_args ctl "file,path=$run/events,append=on"
        [ -z "$in" ] || [ "$in" = tty ] || port_args in "$in"
        [ "$in" != tty ] ||
            printf '%s\n' -chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty,name=tty
    )
    # LAB_QEMU_ARGS and the other LAB_ variables here are for experiments.
    # shellcheck disable=SC2086
    qemu-system-x86_64 -name "convoy lab" -nodefaults -no-user-config -display none -no-reboot \
        -machine pc -accel tcg,thread=multi,tb-size=1024 -cpu "$HOST_CPU" -smp "${LAB_CPUS:-2}" -m "$memory" \
        -chardev "file,id=console,path=$run/console.log" -serial chardev:console \
        -kernel "$image/xen" -append "$HOST_XEN_ARGS ${LAB_XEN_ARGS:-} dom0_mem=${LAB_DOM0_MEMORY:-1536}M,max:${LAB_DOM0_MEMORY:-1536}M" \
        -initrd "$image/vmlinuz $HOST_DOM0_ARGS,$initramfs" \
        -drive "file=$image/root.img,format=raw,if=virtio,snapshot=on" \
        -device virtio-serial-pci "${args[@]}" ${LAB_QEMU_ARGS:-} <&0 2>"$run/qemu.log" &
    # shellcheck disable=SC2034 # for the caller
    HOST_PID=$!
}
