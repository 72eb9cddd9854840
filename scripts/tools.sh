#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what runs in user space, from the composed tree:
#
#   tools.sh libbpf      build/libbpf: include/ and lib64/
#   tools.sh bpftool     build/tools/bpftool, static
#   tools.sh selftests   build/selftests: the test programs, static

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"
# shellcheck source=build-env.sh
. "$SCRIPTS/build-env.sh"

OBJ=$BUILD/obj
VMLINUX=$BUILD/kernel/vmlinux

libbpf() {
	mkdir -p "$OBJ/libbpf"
	step "building libbpf" "$LOGS/libbpf" \
		tmake_step tools/lib/bpf OUTPUT="$OBJ/libbpf/" DESTDIR="$BUILD/libbpf" prefix= install
	say "build/libbpf is up to date"
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
	mkdir -p "$OBJ/bpftool" "$BUILD/tools"
	bpftool_features >"$OBJ/bpftool/features"
	step "building bpftool" "$LOGS/bpftool" \
		tmake_step tools/bpf/bpftool OUTPUT="$OBJ/bpftool/" \
			FEATURES_DUMP="$OBJ/bpftool/features" VMLINUX_BTF="$VMLINUX" \
			EXTRA_LDFLAGS=-static
	if ! cmp -s "$OBJ/bpftool/bpftool" "$BUILD/tools/bpftool"; then
		put "$BUILD/tools/bpftool" <"$OBJ/bpftool/bpftool"
		chmod 755 "$BUILD/tools/bpftool"
	fi
	say "build/tools/bpftool is up to date"
}

selftests() {
	local dir=tools/testing/selftests/bpf_streams

	need clang
	[[ -f $LINUX/$dir/Makefile ]] || die "the composed tree has no $dir/Makefile"
	[[ -x $BUILD/tools/bpftool && -d $BUILD/libbpf ]] ||
		die "no bpftool or libbpf" "run: make bpftool libbpf"
	mkdir -p "$BUILD/selftests"
	step "building selftests" "$LOGS/selftests" \
		tmake_step $dir OUTPUT="$BUILD/selftests" VMLINUX="$VMLINUX" \
			BPFTOOL="$BUILD/tools/bpftool" LIBBPF_DIR="$BUILD/libbpf" \
			KHDR_INCLUDES="-isystem $BUILD/kernel/usr/include"
	say "build/selftests is up to date: $(find "$BUILD/selftests" -maxdepth 1 -name 'test_*' -perm -u+x | wc -l) tests"
}

tmake_step() {
	tmake "$1" -j"$JOBS" "${@:2}"
}

[[ -f $COMPOSED/list ]] || die "there is no composed tree" "run: make tree"
need gcc make
prepare_build
case ${1:-} in
libbpf|bpftool|selftests)
	lock "$1"
	"$1"
	;;
*)
	die "which of libbpf, bpftool, selftests?"
	;;
esac
