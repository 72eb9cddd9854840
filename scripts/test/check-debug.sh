#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The selftests on kernels that check themselves: their use of memory and locks
# (kasan), data races (kcsan), and locks while others are tortured (lockdep). The last
# line counts, as that of check.sh.
#
#   check-debug.sh [kasan|kcsan|lockdep]...     all three if none is named
#
# With KASAN all tests take hours. TESTS=test_read,test_open in the environment has only
# these run with KASAN and KCSAN.

. "$(dirname "$0")/../lib.sh"
# With KASAN the longest test takes ten times as long as without
TEST_TIMEOUT=${TEST_TIMEOUT:-7200}
use build/our-code test/tap test/selftests test/counted-steps

# Some tests keep a CPU busy on purpose, for longer here than the watchdog waits
PATIENCE=watchdog_thresh=60

# build_all() unsets it
CHOSEN=${TESTS:-}

chosen_tests() {
	if [[ -n $CHOSEN ]]; then
		tr -s ',' '\n' <<<"$CHOSEN"
	else
		all_tests
	fi
}

check_chosen_tests() {
	local test

	while IFS= read -r test; do
		[[ -x $BUILD/selftests/$test ]] ||
			die "there is no test '$test'" "there are: $(all_tests | xargs)"
	done < <(chosen_tests)
}

# build_variant NAME
build_variant() {
	if ! child "$SCRIPTS/build/kernel.sh" "$1"; then
		fail "make kernel-$1"
		return 1
	fi
	pass
	VM_ARGS=(--kernel "$BUILD/kernel-$1/arch/x86/boot/bzImage" --boot-timeout 900)
}

kasan_tests() {
	local VM_ARGS tests

	build_variant kasan || return 0
	# The shadow of an arena takes 512 MiB, which are freed some time after the arena
	VM_ARGS+=(--mem 8192 --append "kunit.enable=1 locktorture.nwriters_stress=0 kasan_multi_shot $PATIENCE")
	mapfile -t tests < <(chosen_tests)
	# Half of the time goes into stack traces of what the verifier allocates. All programs
	# take more than an hour.
	ENVIRONMENT=BPF_STREAMS_SAMPLE=7
	selftests "$SMP" ", kasan" "${tests[@]}"
	ENVIRONMENT=
}

kcsan_tests() {
	local VM_ARGS tests

	build_variant kcsan || return 0
	our_functions "$BUILD/kernel-kcsan" | put "$BUILD/kernel-kcsan/our-functions"
	VM_ARGS+=(--append "kunit.enable=1 $PATIENCE"
		  --kcsan "$BUILD/kernel-kcsan/our-functions")
	# These verify thousands of programs, one after the other, so races are unlikely
	mapfile -t tests < <(chosen_tests | grep -vxE 'test_(loops|shapes)')
	selftests 4 ", kcsan" "${tests[@]}"
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
	local VM_ARGS=("${VM_ARGS[@]}" --append "kunit.enable=1 kunit.filter_glob=rqspinlock $torture")

	selftests 4 "$label" test_rqspinlock.sh
	torture_stats "$type" "$LOGS/selftests-${label//[ ,]/}-1.console"
}

lockdep_tests() {
	local VM_ARGS

	build_variant lockdep || return 0
	# Poison freed pages, and check them when they are allocated. Not with KASAN: it
	# detects accesses to freed pages, and would call kasan_report() for each word that
	# is checked.
	VM_ARGS+=(--append "kunit.enable=1 locktorture.nwriters_stress=0 page_poison=1 $PATIENCE")
	selftests "$SMP" ", lockdep" test_res_lock test_res_lock_contexts test_res_lock_stress \
		test_arena test_capacity test_lifetime test_memory test_page_alloc.sh
	tortured res_spin_lock
	tortured res_spin_lock_irq
}

(($#)) || set -- lockdep kasan kcsan
for kernel; do
	case $kernel in
	lockdep|kasan|kcsan) ;;
	*) die "there is no kernel '$kernel'" "there are: lockdep kasan kcsan" ;;
	esac
done
build_all
check_chosen_tests
for kernel; do
	"${kernel}_tests"
done
finish
