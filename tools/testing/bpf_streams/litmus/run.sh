#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh KDIR: runs the litmus tests with herd7 ($HERD7) and the memory model of the
# kernel tree. The outcome that a test describes must be impossible, and must become
# possible if any one of the labelled barriers is removed. Prints TAP.

herd=${HERD7:-herd7}
kdir=$(realpath "$1")
model=$kdir/tools/memory-model
points=0
failed=0

point() {
	points=$((points + 1))
	echo "$1 $points - $2"
	[[ $1 == ok ]] || failed=$((failed + 1))
}

# weaken LINE: prints the test on standard input without the barrier in that line
weaken() {
	sed "$1"'{
		s/\bcmpxchg(/cmpxchg_relaxed(/
		s/\bxchg(/xchg_relaxed(/
		s/atomic_sub_return(/atomic_sub_return_relaxed(/
		s/smp_[rw]*mb();//
		s/smp_store_release(\(.*\), \(.*\))/WRITE_ONCE(*\1, \2)/
		s/smp_load_acquire(\(.*\))/READ_ONCE(*\1)/
	}'
}

# verdict: prints Never, Sometimes or Always for the test on standard input
verdict() {
	# $herd can contain arguments
	(cd "$model" && $herd -conf linux-kernel.cfg /dev/stdin) 2>&1 |
		tee "$work/herd" | awk '$1 == "Observation" { print $3 }'
}

# expect NAME VERDICT: checks the verdict on the test on standard input
expect() {
	local found

	cat >"$work/test.litmus"
	found=$(verdict <"$work/test.litmus")
	if [[ $found == "$2" ]]; then
		point ok "$1: ${2,,}"
	else
		sed 's/^/# /' "$work/test.litmus" "$work/herd"
		point 'not ok' "$1: ${2,,}"
	fi
}

cd "$(dirname "$0")" || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "TAP version 13"
if ! $herd -version >/dev/null 2>&1; then
	echo "1..0 # SKIP herd7 is not installed"
	exit 4
fi
for test in *.litmus; do
	name=${test%.litmus}
	expect "$name" Never <"$test"
	while IFS=: read -r line text; do
		weaken "$line" <"$test" >"$work/weak"
		expect "$name without ${text##*// } (line $line)" Sometimes <"$work/weak"
	done < <(grep -n '// [a-z]*:[A-Z]$' "$test")
done
while read -r label; do
	if grep -q "// $label\$" ./*.litmus; then
		point ok "there is a test of $label"
	else
		point 'not ok' "there is a test of $label"
	fi
done < <(grep -h -o '/\* [a-z]*:[A-Z] \*/' "$kdir"/kernel/bpf/{stream*,rqspinlock}.c \
		"$kdir"/include/linux/rqspinlock.h | tr -d '/* ' | sort -u)
echo "1..$points"
((failed == 0))
