#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh KDIR: asks herd7 ($HERD7) whether what each litmus test describes can happen,
# by the memory model of the kernel tree. It must not; but it must be able to when any
# one of the labelled barriers is missing. Prints TAP.

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

# weaken LINE: the same without the barrier
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

# verdict: Never, Sometimes or Always, of the test on standard input
verdict() {
	# $herd may have arguments
	(cd "$model" && $herd -conf linux-kernel.cfg /dev/stdin) 2>&1 |
		tee "$work/herd" | awk '$1 == "Observation" { print $3 }'
}

# expect NAME VERDICT, the test on standard input
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
	echo "1..0 # SKIP no herd7"
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
		point ok "a test has $label"
	else
		point 'not ok' "a test has $label"
	fi
done < <(grep -h -o '/\* [a-z]*:[A-Z] \*/' "$kdir"/kernel/bpf/{stream*,rqspinlock}.c \
		"$kdir"/include/linux/rqspinlock.h | tr -d '/* ' | sort -u)
echo "1..$points"
((failed == 0))
