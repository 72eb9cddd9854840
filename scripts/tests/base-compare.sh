#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/test/base-compare.sh and base-compare.py, with machines that only pretend.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

COMPARE=$SCRIPTS/test/base-compare.py
REPO_DIR=$DIR/repo
OUT=$REPO_DIR/build/base-compare

# --- what differs ---

# results NAME LINE...: a file of results. In LINE, spaces stand for tabs
results() {
	printf '%s\n' "${@:2}" | tr ' ' '\t' >"$DIR/$1"
}

reasons() {
	printf '%s\n' "$@" >"$DIR/reasons"
}

# table ARGS...: of the files in $DIR
table() {
	try "$COMPARE" table "$@"
}

# again TEST...: those that have to be run again
again() {
	[[ $("$COMPARE" again "$DIR/base" "$DIR/series") == "$(printf '%s\n' "$@")" ]]
}

cd "$DIR" || exit
reasons '# comment'
results base 'ran t ' 'ok t t/a' 'fail t t/b' 'skip t t/c'
results series 'ran t ' 'ok t t/a' 'fail t t/b' 'skip t t/c'
table reasons base series
point "what is the same is counted" good 'the same: 3 (1 ok, 1 fail, 1 skip)' '0 differ'
point "and not run again" again

results series 'ran t ' 'fail t t/a' 'fail t t/b' 'skip t t/c'
table reasons base series
point "a difference without a reason fails" bad 't/a' 'no reason: t/a' '1 differ, 1 of them without'
point "and is run again" again t
reasons 't/a ## that is why'
table reasons base series
point "with a reason it does not" good 't/a' 'that is why' '1 differ, 0 of them without'
reasons 't* ## that is why'
table reasons base series
point "a pattern is a reason" good 'that is why' '1 differ, 0 of them without'
reasons 't/a ## that is why' 'u/* ## no longer'
table reasons base series
point "a reason that explains nothing fails" bad 'explains nothing: u/*'
table --some reasons base series
point "but if only some tests were run" good '1 differ, 0 of them without'
reasons 't/a ## that is why' '- u ## takes long'
table reasons base series
point "what is left out is no reason" good '1 differ'
reasons '[ta]/a ## no class'
table reasons base series
point "only * is special in a pattern" bad 'no reason: t/a'

reasons '# none'
results series 'ran t ' 'ok t t/a' 'fail t t/b'
table reasons base series
point "a subtest that is missing" bad 'no reason: t/c' 'absent'
results series 'panic t '
table reasons base series
point "a panic is one difference" bad 'no reason: t' 'panic' '1 differ'
results base 'panic t '
table reasons base series
point "unless it is on both" good 'the same: 1 (1 panic)'
results series 'hang t '
table reasons base series
point "and not a hang on one of them" bad 'no reason: t'
results base 'ran t ' 'quiet t t,_messages'
results series 'ran t ' 'trouble t t,_messages'
table reasons base series
point "trouble in the kernel's messages" bad 'no reason: t,_messages'
: >base
: >series
table reasons base series
point "no results at all" bad 'the same: 0'

results base1 'ran t ' 'ok t a' 'ran u ' 'ok u b' 'ok u c' 'ok u d'
results series1 'ran t ' 'ok t a' 'ran u ' 'fail u b' 'fail u c' 'ok u d'
results base2 'ran u ' 'fail u b' 'ok u c' 'ok u d'
results series2 'ran u ' 'fail u b' 'fail u c' 'ok u d'
table reasons base1 series1 base2 series2
point "what one run tells otherwise is unsteady" bad '1 unsteady; 1 differ' 'ok/fail     fail'
point "and needs no reason" grep -q -x 'no reason: c' "$DIR/out"
point "the rest differs or is the same" says 'the same: 2'

# --- a run ---

# machine KERNEL TEST-OUTPUT...: what the machine prints for a test, by its name; PANIC
# as the output ends the machine
machine() {
	local kernel=$1 test

	rm -rf "$DIR/$kernel-machine"
	mkdir "$DIR/$kernel-machine"
	for test in "${@:2}"; do
		printf '%b' "${test#*=}" >"$DIR/$kernel-machine/${test%%=*}"
	done
}

compare() {
	printf '%s\n' "$@" >"$REPO_DIR/scripts/test/base-compare.txt"
	try env ACCEL=kvm TESTS="$TESTS" "$REPO_DIR/scripts/test/base-compare.sh" run
}

mkdir -p "$OUT/tree/tools/testing/selftests/bpf/prog_tests"
cp -r "$TOP/scripts" "$REPO_DIR/scripts"
cat >"$REPO_DIR/scripts/vm/vm.sh" <<'END'
#!/bin/bash
outcome="exit 0"
while [[ $1 != -- ]]; do
	case $1 in
	--kernel)	machine=$PRETEND/series-machine
			[[ $2 != */base-compare/* ]] || machine=$PRETEND/base-machine ;;
	--result)	result=$2 ;;
	--add)		[[ $2 != *:/base-tests/list ]] || list=${2%:*} ;;
	esac
	shift
done
while read -r test; do
	echo "$test" >>"$machine.ran"
	echo "# === begin $test"
	if [[ $(<"$machine/$test") == PANIC ]]; then
		outcome=panic
		break
	fi
	sed '/^status /d' "$machine/$test"
	printf '\n# === end %s\n' "$test $(sed -n 's/^status //p' "$machine/$test")"
done <"$list"
echo "$outcome" >"$result"
[[ $outcome != panic ]]
END
export PRETEND=$DIR

TESTS=
try "$REPO_DIR/scripts/test/base-compare.sh" run
point "what is not built does not run" bad "make base-compare"
touch "$OUT/initramfs.cpio"
TESTS=a,test_verifier,test_maps
PROGS='#1/1 a/x:OK\n#1/2 a/y:SKIP\n#1 a:OK (SKIP: 1/2)\nSummary: 1/1 PASSED, 1 SKIPPED, 0 FAILED\nstatus 0\n'
VERIFIER='#0/u add OK\n#0/p add OK\n#1/p sub FAIL\nwhy\n#2/p mul SKIP (requires BPF JIT)\nSummary: 2 PASSED, 1 SKIPPED, 1 FAILED\nstatus 1\n'
for kernel in base series; do
	machine $kernel a="$PROGS" test_verifier="$VERIFIER" test_maps='Fork\nstatus 0\n'
done
compare '# none'
point "two kernels that do the same" good 'the same: 10 (4 ok, 3 quiet, 2 skip, 1 fail)' '0 differ'
point "all of it is run once" test "$(xargs <"$DIR/series-machine.ran")" = "a test_verifier test_maps"

machine series a="$PROGS" test_verifier="${VERIFIER/0\/p add OK/0\/p add FAIL}" test_maps='Fork\nstatus 0\n'
rm "$DIR"/*.ran
compare '# none'
point "results that the summary belies" bad 'no reason: test_verifier' 'crash'
point "what differs is run thrice" test "$(grep -c test_verifier "$DIR/series-machine.ran")" = 3
point "all else once" test "$(grep -c test_maps "$DIR/series-machine.ran")" = 1

machine series a="$PROGS" test_verifier="$VERIFIER" test_maps='Fork\nstatus 255 WARNING: CPU: 0\n'
compare '# none'
point "a program that fails" bad 'no reason: test_maps'
point "and trouble" says "no reason: test_maps, the kernel's messages"
compare 'test_maps* ## it fails'
point "with a reason" good 'it fails' '2 differ, 0 of them without'

machine series a=PANIC test_verifier="$VERIFIER" test_maps='Fork\nstatus 0\n'
compare 'a ## it panics'
point "a panic ends one test" good 'it panics' 'the same: 7' '1 differ, 0 of them without'
machine series a="${PROGS/status 0/status 137}" test_verifier="$VERIFIER" test_maps='Fork\nstatus 0\n'
compare 'a ## it takes long'
point "so does the time limit" good 'hang' 'it takes long'
machine series a="${PROGS/status 0/status 139}" test_verifier="$VERIFIER" test_maps='Fork\nstatus 0\n'
compare '# none'
point "and a crash" bad 'crash' 'no reason: a'

for kernel in base series; do
	machine $kernel a="$PROGS" test_{maps,tag,lru_map,lpm_map,sock,sockmap,sysctl,tcpnotify_user,bpf}='status 0\n'
done
printf 'DEFINE_TEST(a)\nDEFINE_TEST(b)\n' >"$OUT/tree/tools/testing/selftests/bpf/prog_tests/tests.h"
TESTS=
rm "$DIR"/*.ran
compare '- b ## why not' '- test_verifier ## why not' '- a/z ## why not'
point "all tests but what is left out" good '0 differ' '3 left out'
point "which is not run" test "$(grep -c -x -e b -e test_verifier "$DIR/series-machine.ran")" = 0
compare '- b'
point "an entry without a reason is an error" bad "reason"
try "$REPO_DIR/scripts/test/base-compare.sh" sometimes
point "it does not guess" bad "unknown argument"

plan_done
