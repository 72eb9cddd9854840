#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# alloc_pages_nolock() and free_pages_nolock(): what their KUnit tests found when
# the kernel booted. They run with kunit.enable=1 on the kernel's command line.

results=/sys/kernel/debug/kunit/page_alloc_nolock/results

# kselftest's status of a test that is skipped
skip()
{
	echo "1..0 # SKIP $*"
	exit 4
}

[ -d /sys/kernel/debug/kunit ] ||
	mount -t debugfs none /sys/kernel/debug 2>/dev/null
[ -e "$results" ] || skip "kernel without CONFIG_PAGE_ALLOC_NOLOCK_KUNIT_TEST"
grep -q '^    \(not \)\{0,1\}ok ' "$results" || skip "not booted with kunit.enable=1"

# Its test points are those of a suite within the file
echo "TAP version 13"
sed -n 's/^    //p' "$results"
! grep -q '^ *not ok ' "$results"
