#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the base's own BPF tests that scripts/test/test-progs.txt names, in the test
# machine:
#
#   test-progs.sh build   build/base-tests/test_progs
#   test-progs.sh run     runs it; the result is build/log/base-tests.tap
#
# TESTS=name,name runs only those, TESTS=all even those that the list leaves out;
# names as "test_progs -a" takes them, "test/subtest" for one subtest.

. "$(dirname "$0")/../lib.sh"
use series/lib test/tap

LIST=$SCRIPTS/test/test-progs.txt
OUT=$BUILD/base-tests
LIMIT=${TEST_TIMEOUT:-1800}
TESTS=${TESTS:-}

# entries SIGN: what the list has of one kind
entries() {
	allow_patterns "$LIST" | sed -n "s/^[$1][[:space:]]*//p"
}

# Arenas need address spaces, which clang has for BPF from version 19 on
find_clang() {
	local clang

	for clang in clang-19 clang clang-20 clang-21; do
		# grep must read all, else clang may fail to write
		if "$clang" --target=bpf -mcpu=v3 -dM -E - </dev/null 2>/dev/null |
		   grep __BPF_FEATURE_ADDR_SPACE_CAST >/dev/null; then
			echo "$clang"
			return
		fi
	done
	die "no clang that knows BPF arenas (19 or later)" "run: make deps"
}

build() {
	local clang files

	clang=$(find_clang)
	[[ -x $BUILD/tools/bpftool && -d $BUILD/libbpf && -f $BUILD/kernel/vmlinux ]] ||
		die "no kernel, bpftool or libbpf" "run: make bpftool libbpf"
	files=$(entries + | tr '\n' ' ')
	mkdir -p "$OUT"
	step "building the base's tests" "$LOGS/base-tests.build" \
		make -f "$SCRIPTS/test/test-progs.mk" -j"$JOBS" FILES="$files" OUT="$OUT" \
			SRC="$LINUX/tools/testing/selftests/bpf" KERNEL="$BUILD/kernel" \
			LIBBPF="$BUILD/libbpf" BPFTOOL="$BUILD/tools/bpftool" \
			SHIM="$SCRIPTS/test/test-progs-shim.c" \
			CLANG="$CCACHE$clang" CC="${CCACHE}gcc" STATIC="$(static_flag gcc)"
	say "build/base-tests is up to date"
}

# What the runner is told; its own files are in /base-tests
selection() {
	case $TESTS in
	'')	echo "-d@/base-tests/left-out" ;;
	all)	;;
	*)	printf -- "-a '%s'" "${TESTS//\'/}" ;;
	esac
}

# may_goto loops end by time: the clock counts instructions where it can, so that a
# busy host ends none of them too early
in_machine() {
	local clock=(--icount)

	[[ ${ACCEL:-} != kvm ]] || clock=()
	"$SCRIPTS/vm/vm.sh" ${clock[@]+"${clock[@]}"} --add "$OUT/test_progs:/base-tests/test_progs" \
		--add "$OUT/left-out:/base-tests/left-out" --mem 2048 \
		--timeout "$LIMIT" --scan --log "$LOGS/base-tests.console" \
		--result "$OUT/result" -- "cd /base-tests && ./test_progs $(selection)"
}

# One TAP point for each entry of the list that was not run
left_out() {
	sed -n 's/^-[[:space:]]*\(.*[^[:space:]]\)[[:space:]]*##[[:space:]]*/ok - \1 # SKIP /p' "$LIST"
}

run() {
	local tap=$LOGS/base-tests.tap out=$LOGS/base-tests.out rc=0 ended

	[[ -x $OUT/test_progs ]] || die "the base's tests are not built" "run: make base-tests"
	entries - >"$OUT/left-out"
	rm -f "$tap" "$OUT/result"
	TAIL=60
	HINT="the results of all tests: $(rel "$tap")"
	step "running the base's tests" "$out" in_machine || rc=$?
	ended=$(cat "$OUT/result" 2>/dev/null) || ended="no machine"
	{
		test_progs_tap "${ended#exit }" "$out"
		if ((rc == 0)) || [[ $ended == "exit $rc" ]]; then
			echo "ok - the machine, and its kernel's messages"
		else
			echo "not ok - the machine, or its kernel's messages (log/base-tests.console)"
		fi
		[[ -n $TESTS ]] || left_out
	} | number_tap | put "$tap"
	PASSED=0 FAILED=0 SKIPPED=0
	count_tap base-tests 0 "$tap"
	((FAILED == 0)) || printf '    %s\n' "${FAILURES[@]}" >&2
	say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0))
}

prepare_build
case ${1:-} in
build)
	use build/env build/link
	need_tree
	need gcc make
	lock base-tests
	build
	;;
run)
	lock base-tests
	run
	;;
*)
	die "build or run?"
	;;
esac
