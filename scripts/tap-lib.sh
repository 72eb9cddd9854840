# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Counts what passed and failed; sourced by check.sh.

PASSED=0
FAILED=0
SKIPPED=0
FAILURES=()

pass() {
	PASSED=$((PASSED + 1))
}

fail() {
	FAILED=$((FAILED + 1))
	FAILURES+=("$1")
}

# count_tap NAME STATUS FILE: counts the test points of one program's output.
# A program that ends early or badly without saying why is one failure more.
count_tap() {
	local name=$1 status=$2 file=$3 line plan='' points=0 failed=0 skipped=0 number

	while IFS= read -r line; do
		case $line in
		1..*)
			number=${line#1..}
			plan=${number%%[!0-9]*}
			[[ $line != *'# SKIP'* ]] || skipped=1
			;;
		'ok '*'# SKIP'*|'ok '*'# skip'*|'ok '*'# XFAIL'*)
			points=$((points + 1))
			skipped=$((skipped + 1))
			;;
		'ok '*)
			points=$((points + 1))
			PASSED=$((PASSED + 1))
			;;
		'not ok '*'# TODO'*)
			points=$((points + 1))
			skipped=$((skipped + 1))
			;;
		'not ok '*)
			points=$((points + 1))
			failed=$((failed + 1))
			fail "$name: $line"
			;;
		'Bail out!'*)
			failed=$((failed + 1))
			fail "$name: $line"
			;;
		esac
	done < <(tr -d '\r' <"$file")
	if ((status == 4 && points == 0)); then
		skipped=1
	elif ((points == 0 && skipped == 0)); then
		failed=$((failed + 1))
		fail "$name: no test point at all (status $status)"
	elif [[ -n $plan ]] && ((points != plan)); then
		failed=$((failed + 1))
		fail "$name: $points of $plan test points (status $status)"
	fi
	if ((status != 0 && status != 4 && failed == 0)); then
		fail "$name: status $status"
	fi
	SKIPPED=$((SKIPPED + skipped))
}
