#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/tap-lib.sh: what counts as passed and failed.

# shellcheck source=../test-lib.sh
. "$(dirname "$0")/../test-lib.sh"
# shellcheck source=../tap-lib.sh
. "$SCRIPTS/tap-lib.sh"

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

plan_done
