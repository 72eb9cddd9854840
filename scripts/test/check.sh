#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds everything and tests everything. The last line is
#
#	N passed, N failed, N skipped
#
# where build steps, tests of our scripts, every test point of the selftests, those of
# the base's own tests and of what is handed out count. The status is 0 if nothing failed.

. "$(dirname "$0")/../lib.sh"
use test/tap test/selftests test/counted-steps test/measure dist/dist-tests

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

	teed "$out" "$SCRIPTS/test/core-tests.sh" check || status=$?
	count_tap "core tests" "$status" "$out"
}

all_selftests() {
	local tests

	mapfile -t tests < <(all_tests)
	selftests "$SMP" "" "${tests[@]}"
	# What waits for a lock of the context that it interrupted hangs at once here;
	# with a second CPU it may get away with it
	selftests 1 ", 1 CPU" test_context test_page_alloc.sh test_res_lock test_rqspinlock.sh
}

base_tests() {
	local status=0

	if ! child "$SCRIPTS/test/test-progs.sh" build; then
		fail "the build of the base's tests"
		return
	fi
	pass
	child "$SCRIPTS/test/test-progs.sh" run || status=$?
	count_tap "base tests" "$status" "$LOGS/base-tests.tap"
}

build_all
may "make lint" "$SCRIPTS/build/lint.sh"
script_tests "$SCRIPTS"/tests/*.sh
core_tests
all_selftests
base_tests
# Debian's kernels only where they are asked for
PEERS=
bench_tests ""
dist_tests
finish
