#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what runs in user space, from the composed tree:
#
#   tools.sh libbpf      build/libbpf: include/ and lib64/
#   tools.sh bpftool     build/tools/bpftool
#   tools.sh selftests   build/selftests: the test programs
#
# Programs are static where libelf can be linked statically.
#
# "tools.sh NAME arm64" puts the same for arm64 into build/arm64, with libelf and zlib
# from build/arm64/sysroot.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/link

FOR=${2:-}
INTO=$BUILD${FOR:+/$FOR}
OBJ=$INTO/obj
KERNEL=$BUILD/kernel${FOR:+-$FOR}
# Any kernel for arm64 will do
[[ $FOR != arm64 || -f $KERNEL/vmlinux ]] || KERNEL=$BUILD/kernel-mte
VMLINUX=$KERNEL/vmlinux
HEADERS=$KERNEL/usr/include
LOG=$LOGS/${FOR:+$FOR-}
# What compiles for another architecture
CROSS_GCC=gcc
CROSS_ARGS=()
CROSS_CFLAGS=
CROSS_LDFLAGS=
# What is handed out is the same wherever it was built
NO_PATHS="-ffile-prefix-map=$LINUX=. -ffile-prefix-map=$OBJ=."
# What later compilers refuse, and older ones warn of
STRICT="-Werror=implicit-function-declaration -Werror=implicit-int"
STRICT+=" -Werror=int-conversion -Werror=incompatible-pointer-types"

# Of another architecture only the static one: the sysroot has no shared libraries
libbpf() {
	local targets=(install)

	[[ -z $FOR ]] || targets=("$OBJ/libbpf/libbpf.a" install_headers)
	mkdir -p "$OBJ/libbpf"
	step "building libbpf${FOR:+ for $FOR}" "${LOG}libbpf" \
		tmake_step tools/lib/bpf OUTPUT="$OBJ/libbpf/" DESTDIR="$INTO/libbpf" prefix= \
			EXTRA_CFLAGS="$STRICT $CROSS_CFLAGS" "${targets[@]}"
	[[ -z $FOR ]] || install -D -m 644 "$OBJ/libbpf/libbpf.a" "$INTO/libbpf/lib64/libbpf.a"
	say "$(rel "$INTO")/libbpf is up to date"
}

# What the machine happens to have must not decide what bpftool can do: no
# disassembler, no libcap; profiler and process names (that need clang) are in
bpftool_features() {
	printf 'feature-%s=0\n' llvm libcap libbfd libbfd-liberty libbfd-liberty-z \
		disassembler-four-args disassembler-init-styled
	echo feature-clang-bpf-co-re=1
}

bpftool() {
	need clang llvm-strip
	[[ -f $VMLINUX ]] || die "no kernel to take the types from" "run: make kernel"
	mkdir -p "$OBJ/bpftool" "$INTO/tools"
	bpftool_features >"$OBJ/bpftool/features"
	step "building bpftool${FOR:+ for $FOR}" "${LOG}bpftool" \
		tmake_step tools/bpf/bpftool OUTPUT="$OBJ/bpftool/" \
			FEATURES_DUMP="$OBJ/bpftool/features" VMLINUX_BTF="$VMLINUX" \
			CLANG="LINUX=$LINUX OBJ=$OBJ $SCRIPTS/build/bpf-clang.sh" EXTRA_CFLAGS="$NO_PATHS $STRICT $CROSS_CFLAGS" \
			EXTRA_LDFLAGS="$STATIC $CROSS_LDFLAGS"
	if ! cmp -s "$OBJ/bpftool/bpftool" "$INTO/tools/bpftool"; then
		put "$INTO/tools/bpftool" <"$OBJ/bpftool/bpftool"
		chmod 755 "$INTO/tools/bpftool"
	fi
	say "$(rel "$INTO")/tools/bpftool is up to date"
}

selftests() {
	local dir=tools/testing/selftests/bpf_streams

	need clang
	[[ -f $LINUX/$dir/Makefile ]] || die "the composed tree has no $dir/Makefile"
	[[ -x $BUILD/tools/bpftool && -d $INTO/libbpf ]] ||
		die "no bpftool or libbpf" "run: make bpftool libbpf"
	mkdir -p "$INTO/selftests"
	# of the environment: the Makefile adds to them
	[[ -z $FOR ]] || export CPPFLAGS=$CROSS_CFLAGS LDFLAGS=$CROSS_LDFLAGS
	step "building selftests${FOR:+ for $FOR}" "${LOG}selftests" \
		tmake_step $dir OUTPUT="$INTO/selftests" VMLINUX="$VMLINUX" \
			BPFTOOL="$BUILD/tools/bpftool" LIBBPF_DIR="$INTO/libbpf" \
			KHDR_INCLUDES="-isystem $HEADERS" STATIC="$STATIC"
	say "$(rel "$INTO")/selftests is up to date: $(find "$INTO/selftests" -maxdepth 1 -name 'test_*' -perm -u+x | wc -l) tests"
}

tmake_step() {
	tmake "$1" -j"$JOBS" "${CROSS_ARGS[@]}" "${@:2}"
}

need_tree
need gcc make
prepare_build
case $FOR in
'')
	;;
arm64)
	CROSS_GCC=aarch64-linux-gnu-gcc
	CROSS_ARGS=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- CC="$CCACHE$CROSS_GCC")
	CROSS_CFLAGS="-I$INTO/sysroot/usr/include"
	CROSS_LDFLAGS="-L$INTO/sysroot/usr/lib/aarch64-linux-gnu"
	;;
*)
	die "there is nothing for '$FOR'"
	;;
esac
# shellcheck disable=SC2086 # words
STATIC=$(static_flag "$CROSS_GCC" $CROSS_CFLAGS $CROSS_LDFLAGS)
case ${1:-} in
libbpf|bpftool|selftests)
	lock "$1${FOR:+-$FOR}"
	"$1"
	;;
*)
	die "which of libbpf, bpftool, selftests?"
	;;
esac
