#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh DIR KDIR: runs the programs in DIR for a limited time, and the litmus tests with
# the memory model of the kernel tree KDIR. Prints TAP; names of test points begin with
# the name of the program. SEED= repeats the random choices.

dir=$1
kdir=$2
points=0
failed=0

: "${SEED:=$((RANDOM * 32768 + RANDOM + 1))}"
export SEED

point() {
	points=$((points + 1))
	echo "$1 $points - $2"
	[[ $1 == ok ]] || failed=$((failed + 1))
}

# tap NAME COMMAND...: prints the command's test points, and one more if it fails without
# a failed one
tap() {
	local name=$1 before=$failed line

	shift
	while IFS= read -r line; do
		case $line in
		'ok '*' - '*)
			point ok "$name: ${line#*' - '}"
			;;
		'not ok '*' - '*)
			point 'not ok' "$name: ${line#*' - '}"
			;;
		'1..0 # SKIP'*)
			point ok "$name ${line#1..0 }"
			;;
		'TAP version'*|1..*|'status 0'|'status 4')
			;;
		'status '*)
			((failed > before)) || point 'not ok' "$name: $line"
			;;
		*)
			echo "# ${line#\# }"
			;;
		esac
	done < <("$@" 2>&1; echo "status $?")
}

# run NAME [SETTING=VALUE]...
run() {
	local name=$1

	echo "# $*"
	shift
	tap "$name" env "$@" "$dir/$name"
}

# fuzz NAME WHAT ARGS...: runs a fuzzer as one test point, and prints its output only if
# it fails
fuzz() {
	local name=$1 what=$2 log=$dir/build/$1.log

	shift 2
	echo "# $name $*"
	if (cd "$dir/build" && "$dir/$name" -seed="$SEED" "$@" >"$log" 2>&1); then
		point ok "$name: $what"
	else
		sed 's/^/# /' "$log"
		point 'not ok' "$name: $what"
	fi
}

echo "TAP version 13"
echo "# SEED=$SEED"
run unit-plain
run unit-asan
run unit-tsan
run step-plain
run step-asan STRIDE=13	# more steps than step-plain, and slower ones
run stress-plain
run stress-asan
run stress-tsan MESSAGES=1500
run order-tsan
run format-plain
run format-asan
run format-tags
fuzz fuzzer "the stream behaves like the model" -runs=40000 -max_len=256 -len_control=0
fuzz format-fuzzer "the renderer prints the same as the base" -runs=300000 -max_len=256 \
	-len_control=0
tap litmus bash "$(dirname "$0")/litmus/run.sh" "$kdir"
echo "1..$points"
((failed == 0))
