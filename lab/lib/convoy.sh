# SPDX-License-Identifier: LGPL-2.1-or-later
# convoy compiled for a suite. Needs common.sh and image.sh.
# shellcheck shell=bash

build_tree_build()
{
    say "building the $2 tree to compile in (once)"
    debian_tree "$2" "$(package_list "$LAB_DIR/image/packages.build" "$2" | paste -sd,)" "$1/tree.tar"
    mkdir "$1/tree"
    if [ "$(id -u)" = 0 ]; then
        tar -C "$1/tree" -xf "$1/tree.tar" --exclude='./dev/*'
    else
        unshare -r tar -C "$1/tree" -xf "$1/tree.tar" --no-same-owner --exclude='./dev/*'
    fi
    mkdir -p "$1/tree/checkout" "$1/tree/build" "$1/tree/stage"
    rm "$1/tree.tar"
}

# The compile itself; runs on the outer machine or in the tree, with the same three folders.
compile()
{
    local source=$1 build=$2 stage=$3
    cmake -G Ninja -S "$source" -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCONVOY_TESTS=OFF >"$build/configure.log" 2>&1 ||
        { cat "$build/configure.log"; return 1; }
    ninja -C "$build" --quiet >"$build/ninja.log" 2>&1 || { cat "$build/ninja.log"; return 1; }
    DESTDIR=$stage cmake --install "$build" >"$build/install.log"
}

# In a mount namespace of its own (with a user namespace for who is not root): nothing is left mounted.
compile_in_tree()
{
    local tree=$1 source=$2 build=$3 stage=$4 ns=(unshare -m)
    [ "$(id -u)" = 0 ] || ns=(unshare -r -m)
    export -f compile
    # shellcheck disable=SC2016 # the arguments are the inner shell's
    "${ns[@]}" bash -euo pipefail -c '
        tree=$1
        mount --bind "$2" "$tree/checkout"; mount --bind "$3" "$tree/build"; mount --bind "$4" "$tree/stage"
        mount --rbind /dev "$tree/dev"
        exec chroot "$tree" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            bash -euo pipefail -c "compile /checkout /build /stage"' - "$tree" "$source" "$build" "$stage"
}

# convoy_build SUITE STAGE: what `cmake --install` installs, under STAGE.
convoy_build()
{
    local suite=$1 stage=$2 build
    build=$CACHE/build/$suite-$(key_of "$CHECKOUT")
    mkdir -p "$build" "$stage"
    (
        # Two labs of one checkout share the build tree.
        flock 9
        trap '[ $? = 0 ] || say "error: convoy does not build for $suite (--no-build runs the lab without it)"' EXIT
        if [ "$suite" = "$(outer_suite)" ]; then
            local packages
            mapfile -t packages < <(package_list "$LAB_DIR/image/packages.build" "$suite")
            need_packages "${packages[@]}"
            compile "$CHECKOUT" "$build" "$stage"
        else
            local tree
            tree=$(cached tree "$suite-$(key_of "$LAB_DIR/image/packages.build" "$suite")" build_tree_build "$suite")/tree
            compile_in_tree "$tree" "$CHECKOUT" "$build" "$stage"
        fi
    ) 9>"$build.lock" >&2
}
