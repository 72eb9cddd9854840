# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The environment of compilers, for what builds.

use series/lib

# No dates, names or paths of this machine in what is built
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=bpf-streams KBUILD_BUILD_HOST=localhost
unset CFLAGS LDFLAGS KCFLAGS KAFLAGS EXTRA_CFLAGS EXTRA_LDFLAGS LLVM W C V CC HOSTCC
# Settings of ours, whose names may mean something else to another make
export -n "${SETTINGS[@]}"

# ccache where it is present and works; hits also in another checkout
CCACHE=
if command -v ccache >/dev/null && ccache -s >/dev/null 2>&1; then
	CCACHE='ccache '
	export CCACHE_BASEDIR=$REPO CCACHE_NOHASHDIR=1
	export CCACHE_SLOPPINESS=time_macros
fi

# What the kernels that we build are for, as the kernel's make calls it, and what the
# names of that compiler and its binutils begin with
KARCH=x86_64
CROSS=

# kmake OUT ARGS...: the kernel's make
kmake() {
	local out=$1

	shift
	make -C "$LINUX" O="$out" ARCH="$KARCH" CROSS_COMPILE="$CROSS" \
		CC="${CCACHE}${CROSS}gcc" HOSTCC="${CCACHE}gcc" LOCALVERSION= "$@"
}

# tmake DIR ARGS...: the make of one of the tools
tmake() {
	make -C "$LINUX/$1" CC="${CCACHE}gcc" HOSTCC="${CCACHE}gcc" "${@:2}"
}
