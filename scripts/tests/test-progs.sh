#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/test/test-progs.sh, with a machine that only pretends.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

REPO_DIR=$DIR/repo
SUMMARY='Summary: 1/1 PASSED, 0 SKIPPED, 0 FAILED'

# machine STATUS RESULT OUTPUT: a run, and how it ends in the machine
machine() {
	export PRETEND_STATUS=$1 PRETEND_RESULT=$2 PRETEND_OUTPUT=$3
	try "$REPO_DIR/scripts/test/test-progs.sh" run
}

list() {
	printf '%s\n' "$@" >"$REPO_DIR/scripts/test/test-progs.txt"
}

mkdir -p "$REPO_DIR/build/base-tests"
cp -r "$TOP/scripts" "$REPO_DIR/scripts"
export PRETEND_COMMAND=$DIR/command
cat >"$REPO_DIR/scripts/vm/vm.sh" <<'END'
#!/bin/bash
while [[ $1 != -- ]]; do
	[[ $1 != --result ]] || echo "$PRETEND_RESULT" >"$2"
	shift
done
echo "$2" >"$PRETEND_COMMAND"
printf '%b' "$PRETEND_OUTPUT"
exit "$PRETEND_STATUS"
END

list '+ a ## why'
try "$REPO_DIR/scripts/test/test-progs.sh" run
point "what is not built does not run" bad "make base-tests"
touch "$REPO_DIR/build/base-tests/test_progs"
chmod +x "$REPO_DIR/build/base-tests/test_progs"

machine 0 "exit 0" "#1/1 a/x:OK\n#1 a:OK\n$SUMMARY\n"
point "all passed" good "2 passed, 0 failed, 0 skipped"
list '+ a ## why' '- b/*c d* ## why not'
machine 0 "exit 0" "#1/1 a/x:OK\n#1 a:OK\n$SUMMARY\n"
point "what is left out counts as skipped" good "2 passed, 0 failed, 1 skipped"
point "with its reason" grep -q -x -F 'ok 3 - b/*c d* # SKIP why not' "$REPO_DIR/build/log/base-tests.tap"
point "the runner is told" grep -q -x -F 'b/*c d*' "$REPO_DIR/build/base-tests/left-out"
point "by this option" grep -q -e '-d@/base-tests/left-out' "$DIR/command"
TESTS='b/xc dx' machine 0 "exit 0" "#1/1 a/x:OK\n#1 a:OK\n$SUMMARY\n"
point "tests that were asked for" good "2 passed, 0 failed, 0 skipped"
point "are what the runner is told" grep -q -F -e "-a 'b/xc dx'" "$DIR/command"
machine 1 "exit 1" "#1/1 a/x:FAIL\n#1 a:FAIL\nSummary: 0/0 PASSED, 0 SKIPPED, 1 FAILED\n"
point "a failure" bad "1 passed, 1 failed, 1 skipped" "a/x"
machine 125 "exit 0" "#1/1 a/x:OK\n#1 a:OK\n$SUMMARY\n"
point "trouble in the kernel's messages" bad "1 passed, 1 failed, 1 skipped" "kernel's messages"
machine 125 panic "#1/1 a/x:OK\n#1 a:OK\n"
point "a panic" bad "1 passed, 2 failed, 1 skipped" "panic"
machine 124 timeout ""
point "the time limit" bad "0 passed, 2 failed, 1 skipped" "timeout"
list '+ a ## why' '- b'
machine 0 "exit 0" "#1/1 a/x:OK\n#1 a:OK\n$SUMMARY\n"
point "an entry without a reason is an error" bad "reason"
try "$REPO_DIR/scripts/test/test-progs.sh"
point "it wants to know what to do" bad "build or run"

plan_done
