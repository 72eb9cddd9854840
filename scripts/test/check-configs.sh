#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernels of other configurations: they build without a warning in our lines, and what
# the machine can boot passes the tests that depend on the configuration. The last line
# counts, as that of check.sh.
#
#   check-configs.sh [NAME]...      all if none is named
#
# The kernel of all other tests, configs/vm.config, has full preemption.

. "$(dirname "$0")/../lib.sh"
use build/variants build/debian-suites test/tap test/selftests test/counted-steps

CONFIGS=(off none up nomemcg nobtf rt i386 arm64 mte)
TABLE=$BUILD/log/check-configs.table

# What depends on the scheduler, on locks or on memory; all else is the same everywhere
PORTABLE=(test_silent test_write test_read test_capacity test_concurrency test_lifetime
	  test_context test_open test_stat test_stack test_may_goto test_res_lock
	  test_res_lock_contexts test_res_lock_stress test_page_alloc.sh
	  test_rqspinlock.sh test_storm test_security)

# tested NAME CPUS TEST...: runs them, and tells what came of it
tested() {
	local name=$1 cpus=$2 passed=$PASSED failed=$FAILED skipped=$SKIPPED
	local VM_ARGS=(--kernel "$OUT/$IMAGE_PATH" --append kunit.enable=1 --boot-timeout 600)

	selftests "$cpus" ", $name" "${@:3}"
	# one of those that passed is the boot
	RESULT="$((PASSED - passed - 1)) passed, $((FAILED - failed)) failed, $((SKIPPED - skipped)) skipped"
}

# Programs run as on any kernel without streams
off_tests() {
	local REQUIRED=

	tested "$1" "$SMP" test_silent test_printk test_demos.sh
}

nobtf_tests() {
	tested "$1" "$SMP" test_silent
}

# Without those that load programs with timers, which this kernel refuses. The locks
# have their KUnit tests.
rt_tests() {
	tested "$1" "$SMP" test_silent test_write test_read test_capacity test_concurrency \
		test_lifetime test_context test_open test_stat test_page_alloc.sh \
		test_rqspinlock.sh test_storm test_security
}

up_tests() {
	tested "$1" 1 "${PORTABLE[@]}"
}

i386_tests() {
	RESULT="not run: the tests' user space has 64 bits"
}

arm64_sysroot() {
	local package

	suites_of arm64 bookworm
	suites_update
	rm -rf "$BUILD/arm64/sysroot.tmp"
	for package in busybox-static libelf-dev zlib1g-dev; do
		suites_deb "$package" "$BUILD/arm64/sysroot.tmp" ||
			die "cannot fetch $package for arm64 (log: $(rel "$LOGS/suites-fetch"))"
	done
	mv -T "$BUILD/arm64/sysroot.tmp" "$BUILD/arm64/sysroot"
}

arm64_tools() {
	local tool

	[[ -d $BUILD/arm64/sysroot ]] || step "fetching libraries for arm64" "$LOGS/arm64-sysroot" arm64_sysroot
	for tool in libbpf bpftool selftests; do
		child "$SCRIPTS/build/tools.sh" "$tool" arm64
	done
}

arm64_is_ready() {
	if ! arm64_tools; then
		fail "the tools for arm64"
		RESULT="no tests"
		return 1
	fi
	pass
}

arm64_tests() {
	local tests

	arm64_is_ready || return 0
	mapfile -t tests < <(tests_in "$BUILD/arm64/selftests")
	tested "$1" "$SMP" "${tests[@]}"
}

# QEMU 7.2 loses tags: KASAN then reports the first object that the kernel allocates
mte_is_emulated() {
	local major

	major=$(qemu-system-aarch64 --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
	((major >= 10))
}

mte_tests() {
	if ! mte_is_emulated; then
		SKIPPED=$((SKIPPED + 1))
		RESULT="not run: needs QEMU 10, which Debian 13 has"
		return 0
	fi
	arm64_is_ready || return 0
	tested "$1" "$SMP" "${PORTABLE[@]}" test_printk test_memory
}

check_config() {
	local name=$1 built=yes

	RESULT="not built"
	if [[ $name == @(arm64|mte) && -z ${SKIP_DEPS:-} ]]; then
		child "$SCRIPTS/build/deps.sh" "$SCRIPTS/build/packages-arm64.txt" || fail "packages for arm64"
	fi
	if child "$SCRIPTS/build/kernel.sh" "$name"; then
		pass
		variant "$name"
		if declare -F "${name}_tests" >/dev/null; then
			"${name}_tests" "$name"
		else
			tested "$name" "$SMP" "${PORTABLE[@]}"
		fi
	else
		fail "make kernel-$name"
		built=no
	fi
	printf '%-8s %-7s %s\n' "$name" "$built" "$RESULT" >>"$TABLE"
}

(($#)) || set -- "${CONFIGS[@]}"
for config; do
	[[ " ${CONFIGS[*]} " == *" $config "* ]] ||
		die "there is no configuration '$config'" "there are: ${CONFIGS[*]}"
done
build_all
printf '%-8s %-7s %s\n' kernel builds tests >"$TABLE"
for config; do
	check_config "$config"
done
echo
cat "$TABLE"
finish
