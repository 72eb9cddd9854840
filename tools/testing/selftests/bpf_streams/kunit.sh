#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh SUITE OPTION: what a suite of KUnit tests found when the kernel booted.
# They run with kunit.enable=1 on the kernel's command line, if OPTION is enabled.

results=/sys/kernel/debug/kunit/$1/results

bail_out()
{
	echo "Bail out! $*"
	exit 1
}

# With kselftest's status. Who knows that the kernel is ours knows how it was booted.
skip()
{
	[ -z "$BPF_STREAMS_REQUIRED" ] || bail_out "$*"
	echo "1..0 # SKIP $*"
	exit 4
}

# The tests are indented
has_tests()
{
	grep -q '^    \(not \)\{0,1\}ok ' "$results"
}

[ -d /sys/kernel/debug/kunit ] ||
	mount -t debugfs none /sys/kernel/debug 2>/dev/null
[ -e "$results" ] || skip "kernel without $2, or without kunit.enable=1"
if ! has_tests; then
	! grep -q '^not ok ' "$results" || bail_out "the suite $1 could not be set up"
	skip "not booted with kunit.enable=1"
fi

# Its test points are those of a suite within the file
echo "TAP version 13"
sed -n 's/^    //p' "$results"
! grep -q '^ *not ok ' "$results"
