#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh SUITE OPTION: what a suite of KUnit tests found when the kernel booted.
# They run with kunit.enable=1 on the kernel's command line, if OPTION is enabled.

results=/sys/kernel/debug/kunit/$1/results

# kselftest's status of a test that is skipped
skip()
{
	echo "1..0 # SKIP $*"
	exit 4
}

[ -d /sys/kernel/debug/kunit ] ||
	mount -t debugfs none /sys/kernel/debug 2>/dev/null
[ -e "$results" ] || skip "kernel without $2"
grep -q '^    \(not \)\{0,1\}ok ' "$results" || skip "not booted with kunit.enable=1"

# Its test points are those of a suite within the file
echo "TAP version 13"
sed -n 's/^    //p' "$results"
! grep -q '^ *not ok ' "$results"
