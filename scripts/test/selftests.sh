# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs the selftests in the machine and counts.

use test/tap

# Seconds for one test program, and CPUs of the machine that runs them. The longest
# takes some 200 on a host with nothing else to do.
TEST_TIMEOUT=${TEST_TIMEOUT:-1800}
SMP=${SMP:-2}

# Set where the kernel is known to be ours: a test that finds no streams has failed
REQUIRED=
# More "NAME=value" for the tests
ENVIRONMENT=

# teed LOG CMD...: what it prints goes to LOG too, and is there when this returns
teed() {
	local log=$1 fd tee rc=0

	shift
	exec {fd}> >(tee "$log")
	tee=$!
	child "$@" >&"$fd" || rc=$?
	exec {fd}>&-
	wait "$tee" 2>/dev/null || :
	return $rc
}

# count_selftests FILE LABEL: cuts what run-tests printed into one file for each
# test, and counts. Sets UNFINISHED to the test that never ended.
count_selftests() {
	local file=$1 label=$2 line test='' out=''

	UNFINISHED=
	while IFS= read -r line; do
		case $line in
		'# === begin '*)
			test=${line#'# === begin '}
			out=$LOGS/selftest-$test${label:+-${label//[ ,]/}}.tap
			: >"$out"
			UNFINISHED=$test
			;;
		"# === end $test "*)
			count_tap "$test$label" "${line##* }" "$out"
			ENDED[$test]=1
			UNFINISHED=
			;;
		*)
			[[ -z $out ]] || printf '%s\n' "$line" >>"$out"
			;;
		esac
	done < <(tr -d '\r' <"$file")
}

# More arguments for the machines that selftests() starts. The kernel's own tests run
# before init does, and may be slow.
VM_ARGS=(--append kunit.enable=1 --boot-timeout 600)

# selftests CPUS LABEL TEST...: runs the tests in one machine. When the machine dies
# under a test, that test has failed, and the others run in a new one. LABEL is what
# the tests' names get.
selftests() {
	local cpus=$1 label=$2 tests rest test rc run=0 log

	shift 2
	if (($# == 0)); then
		fail "no tests to run$label"
		return
	fi
	tests=("$@")
	declare -A ENDED=()
	rest=("${tests[@]}")
	while ((${#rest[@]})); do
		run=$((run + 1))
		log=$LOGS/selftests${label:+-${label//[ ,]/}}-$run
		say "running ${#rest[@]} test programs in the machine$label"
		rc=0
		teed "$log.out" "$SCRIPTS/vm/vm.sh" --log "$log.console" --mem 2048 --smp "$cpus" \
			--timeout $((TEST_TIMEOUT * ${#rest[@]} + 60)) --scan "${VM_ARGS[@]}" \
			-- "${REQUIRED:+BPF_STREAMS_REQUIRED=1 }${ENVIRONMENT:+$ENVIRONMENT }run-tests $TEST_TIMEOUT ${rest[*]}" || rc=$?
		count_selftests "$log.out" "$label"
		if ((rc)); then
			fail "the machine$label, or its kernel's messages${UNFINISHED:+, during $UNFINISHED} ($(rel "$log").console)"
		else
			pass
		fi
		if [[ -z $UNFINISHED || -n ${ENDED[$UNFINISHED]:-} ]]; then
			break
		fi
		fail "$UNFINISHED$label: did not end"
		ENDED[$UNFINISHED]=1
		rest=()
		for test in "${tests[@]}"; do
			[[ -n ${ENDED[$test]:-} ]] || rest+=("$test")
		done
	done
	for test in "${tests[@]}"; do
		[[ -n ${ENDED[$test]:-} ]] || fail "$test$label: was never run"
	done
}

tests_in() {
	find "$1" -maxdepth 1 -name 'test_*' -perm -u+x -type f -printf '%f\n' | sort
}

all_tests() {
	tests_in "$BUILD/selftests"
}
