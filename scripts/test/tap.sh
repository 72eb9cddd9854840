# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Counts what passed and failed.

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

# test_progs_tap STATUS FILE: what the kernel's test_progs printed, as TAP without
# numbers. A test that has subtests is a point of its own only if it failed and they
# did not. STATUS is a word if the runner never ended. That all results were found
# is checked with the runner's own summary.
test_progs_tap() {
	tr -d '\r' <"$2" | awk -v status="$1" '
		function point(name, result) {
			gsub(/#/, "\\\\#", name)
			if (result == "FAIL")
				print "not ok - " name
			else
				print "ok - " name (result == "SKIP" ? " # SKIP by the runner" : "")
		}
		# what failed is printed once more, with its messages
		/^All error logs:$/ { again = 1 }
		/^Summary: [0-9]+\/[0-9]+ PASSED, [0-9]+ SKIPPED, [0-9]+ FAILED$/ { summary = $0 }
		again || !/^#[0-9]+(\/[0-9]+)? +/ { next }
		!match($0, /:(OK|FAIL|SKIP|OK \(SKIP: [0-9]+\/[0-9]+\))$/) { next }
		{
			result = substr($0, RSTART + 1)
			name = substr($0, 1, RSTART - 1)
			sub(/^#[^ ]+ +/, "", name)
		}
		$1 ~ /\// {
			point(name, result)
			subtests[result]++
			next
		}
		{
			if (subtests["OK"] + subtests["FAIL"] + subtests["SKIP"] == 0) {
				point(name, result)
				skipped += (result == "SKIP")
			} else if (result == "FAIL" && !subtests["FAIL"]) {
				point(name " (beside its subtests)", result)
			}
			if (result == "FAIL")
				failed++
			else
				passed++
			subpassed += subtests["OK"]
			skipped += subtests["SKIP"]
			split("", subtests)
		}
		END {
			found = sprintf("Summary: %d/%d PASSED, %d SKIPPED, %d FAILED",
					passed, subpassed, skipped, failed)
			if (summary == "")
				print "Bail out! test_progs ended without a summary (" status ")"
			else if (summary != found)
				print "Bail out! test_progs says \"" summary "\", its results \"" found "\""
			else if (status != (failed ? 1 : 0))
				print "Bail out! test_progs ended badly (" status ")"
		}
	'
}

# number_tap: points get numbers, and a plan at the end
number_tap() {
	awk '
		/^(not )?ok / { sub(/ok /, "ok " ++points " ") }
		{ print }
		END { print "1.." points + 0 }
	'
}
