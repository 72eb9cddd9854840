#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds everything and tests everything. The last line is
#
#	N passed, N failed, N skipped
#
# where build steps, tests of our scripts, every test point of the selftests and
# those of the base's own tests count. The status is 0 if nothing failed.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tap-lib.sh
. "$SCRIPTS/tap-lib.sh"
# shellcheck source=selftests-lib.sh
. "$SCRIPTS/selftests-lib.sh"

REQUIRED=1

finish() {
	echo
	if ((${#FAILURES[@]})); then
		echo "failed:"
		printf '    %s\n' "${FAILURES[@]}"
	fi
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0))
	exit
}

# must NAME CMD...: a step without which the rest makes no sense
must() {
	local name=$1

	shift
	if ! child "$@"; then
		fail "$name"
		warn "the steps after $name were left out"
		finish
	fi
	pass
}

# may NAME CMD...: a step on which nothing depends
may() {
	local name=$1

	shift
	if child "$@"; then
		pass
	else
		fail "$name"
	fi
}

# Tests of the scripts themselves, on the host
script_tests() {
	local test status out

	for test in "$@"; do
		out=$LOGS/test-$(basename "$test").tap
		status=0
		teed "$out" "$test" 2>"$out.err" || status=$?
		count_tap "scripts/tests/$(basename "$test")" "$status" "$out"
		((status == 0)) || sed 's/^/    | /' "$out.err" >&2
	done
}

# The core of the streams in user space
core_tests() {
	local status=0 out=$LOGS/core-tests.tap

	teed "$out" "$SCRIPTS/core-tests.sh" check || status=$?
	count_tap "core tests" "$status" "$out"
}

all_selftests() {
	local tests

	mapfile -t tests < <(all_tests)
	if ((${#tests[@]} == 0)); then
		fail "no selftests in build/selftests"
		return
	fi
	selftests "$SMP" "" "${tests[@]}"
	# What waits for a lock of the context that it interrupted hangs at once here;
	# with a second CPU it may get away with it
	selftests 1 ", 1 CPU" test_context test_page_alloc.sh test_res_lock test_rqspinlock.sh
}

# torture_stats TYPE LOG: what locktorture printed now and then
torture_stats() {
	local type=$1 log=$2 stats

	stats=$(grep -a -o 'Writes:  Total: .*' "$log" | tr -d '\r') || :
	if ! grep -a -q "\b$type-torture:--- Start of test" "$log"; then
		fail "lock torture of $type did not start ($(rel "$log"))"
	elif ! grep -q 'Total: [1-9]' <<<"$stats"; then
		fail "lock torture of $type took no lock ($(rel "$log"))"
	elif grep -q -v 'Fail: 0 *$' <<<"$stats"; then
		fail "lock torture of $type: $(grep -m 1 -v 'Fail: 0 *$' <<<"$stats") ($(rel "$log"))"
	else
		say "lock torture of $type: $(tail -n 1 <<<"$stats")"
		pass
	fi
}

# tortured TYPE: the lock's own tests on the lockdep kernel, with other locks of that
# type being tortured meanwhile. Not by threads that get a real-time priority now and
# then: those keep others from their CPU for so long that locks time out.
tortured() {
	local type=$1 label=", lockdep, $1"
	local torture="locktorture.torture_type=$type locktorture.stat_interval=5 locktorture.rt_boost=0"
	local VM_ARGS=("${VM_ARGS[@]}" --boot-timeout 600
		--append "kunit.enable=1 kunit.filter_glob=rqspinlock $torture")

	selftests 4 "$label" test_rqspinlock.sh
	torture_stats "$type" "$LOGS/selftests-${label//[ ,]/}-1.console"
}

lockdep_tests() {
	local VM_ARGS=(--kernel "$BUILD/lockdep/arch/x86/boot/bzImage"
		--append locktorture.nwriters_stress=0)

	if ! child "$SCRIPTS/lockdep.sh"; then
		fail "make lockdep"
		return
	fi
	pass
	selftests "$SMP" ", lockdep" test_res_lock test_res_lock_contexts test_res_lock_stress
	tortured res_spin_lock
	tortured res_spin_lock_irq
}

base_tests() {
	local status=0

	if ! child "$SCRIPTS/base-tests.sh" build; then
		fail "the build of the base's tests"
		return
	fi
	pass
	child "$SCRIPTS/base-tests.sh" run || status=$?
	count_tap "base tests" "$status" "$LOGS/base-tests.tap"
}

unset CMD KERNEL INITRAMFS TESTS
prepare_build
if [[ -z ${SKIP_DEPS:-} ]]; then
	must "make deps" "$SCRIPTS/deps.sh"
fi
must "make tree" "$SCRIPTS/tree.sh" --strict
must "make kernel" "$SCRIPTS/kernel.sh"
must "make libbpf" "$SCRIPTS/tools.sh" libbpf
must "make bpftool" "$SCRIPTS/tools.sh" bpftool
must "the selftests' build" "$SCRIPTS/tools.sh" selftests
may "make lint" "$SCRIPTS/lint.sh"
script_tests "$SCRIPTS"/tests/*.sh
core_tests
all_selftests
if [[ -n ${LOCKDEP:-} ]]; then
	lockdep_tests
fi
base_tests
finish
