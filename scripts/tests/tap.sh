#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/test/tap.sh: what counts as passed and failed, and how test_progs'
# results become TAP.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness test/tap

# counts STATUS TEXT PASSED FAILED SKIPPED
counts() {
	PASSED=0
	FAILED=0
	SKIPPED=0
	FAILURES=()
	printf '%b' "$2" >"$DIR/tap"
	count_tap name "$1" "$DIR/tap"
	[[ "$PASSED $FAILED $SKIPPED" == "$3 $4 $5" ]] || {
		echo "# counted $PASSED passed, $FAILED failed, $SKIPPED skipped"
		return 1
	}
}

point "two passed" counts 0 'TAP version 13\n1..2\n# x\nok 1 a\nok 2 b\n' 2 0 0
point "plan at the end" counts 0 'ok 1 a\nok 2 b\n1..2\n' 2 0 0
point "one failed" counts 1 '1..2\nok 1 a\nnot ok 2 b\n' 1 1 0
point "one skipped" counts 0 '1..2\nok 1 a\nok 2 b # SKIP no\n' 1 0 1
point "all skipped" counts 4 '1..0 # SKIP no kernel\n' 0 0 1
point "status 4 alone is a skip" counts 4 '' 0 0 1
point "nothing printed is a failure" counts 0 '' 0 1 0
point "a crash after the last point is a failure" counts 139 '1..1\nok 1 a\n' 1 1 0
point "an end before the plan's is a failure" counts 137 '1..3\nok 1 a\n' 1 1 0
point "a plan not fulfilled is a failure" counts 0 '1..3\nok 1 a\n' 1 1 0
point "bailing out is a failure" counts 1 '1..2\nok 1 a\nBail out! x\nok 2 b\n' 2 1 0
point "carriage returns do not matter" counts 0 '1..1\r\nok 1 a\r\n' 1 0 0

# progs STATUS TEXT PASSED FAILED SKIPPED
progs() {
	printf '%b' "$2" >"$DIR/progs"
	test_progs_tap "$1" "$DIR/progs" | number_tap >"$DIR/out"
	counts 0 "$(sed 's/\\/\\\\/g' "$DIR/out")\n" "${@:3}"
}

point "test_progs: a test without subtests" progs 0 '#1 a:OK\nSummary: 1/0 PASSED, 0 SKIPPED, 0 FAILED\n' 1 0 0
point "subtests count instead of their test" progs 0 \
	'#1/1 a/x: y:OK\r\n#1/2 a/z:SKIP\r\n#1 a:OK (SKIP: 1/2)\r\n#2 b:SKIP\r\nSummary: 2/1 PASSED, 2 SKIPPED, 0 FAILED\r\n' 1 0 2
point "with their whole names" grep -qxF 'ok 1 - a/x: y' "$DIR/out"
point "failures, which are printed twice" progs 1 \
	'log\n#1/1 a/x:FAIL\n#1/2 a/y:OK\n#1 a:FAIL\n#2 b:FAIL\n\nAll error logs:\nlog\n#1/1 a/x:FAIL\n#1 a:FAIL\n#2 b:FAIL\nSummary: 0/1 PASSED, 0 SKIPPED, 2 FAILED\n' 1 2 0
point "a test that failed beside its subtests" progs 1 \
	'#1/1 a/x:OK\n#1 a:FAIL\nSummary: 0/1 PASSED, 0 SKIPPED, 1 FAILED\n' 1 1 0
point "a name with # is no directive" progs 1 \
	'#1/1 a/# SKIP:FAIL\n#1 a:FAIL\nSummary: 0/0 PASSED, 0 SKIPPED, 1 FAILED\n' 0 1 0
point "no summary is a failure" progs 139 '#1 a:OK\n#2/1 b/x:OK\n' 2 1 0
point "a machine that died is told" grep -q 'panic' <(test_progs_tap panic "$DIR/progs")
point "results that are missing are a failure" progs 0 '#1 a:OK\nSummary: 2/0 PASSED, 0 SKIPPED, 0 FAILED\n' 1 1 0
point "a bad end after all tests is a failure" progs 139 '#1 a:OK\nSummary: 1/0 PASSED, 0 SKIPPED, 0 FAILED\n' 1 1 0
point "no output is a failure" progs 0 '' 0 2 0

plan_done
