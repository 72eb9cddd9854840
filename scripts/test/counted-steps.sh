# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts that test on kernels of ours share: build, count, tell.

use test/tap test/selftests

# A test that finds no streams has failed
REQUIRED=1

finish() {
	echo
	if ((${#FAILURES[@]})); then
		echo "failed:"
		printf '    %s\n' "${FAILURES[@]}"
	fi
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0))
	exit
}

# must NAME CMD...: a step without which the rest makes no sense
must() {
	local name=$1

	shift
	if ! child "$@"; then
		fail "$name"
		warn "the steps after $name were left out"
		finish
	fi
	pass
}

# may NAME CMD...: a step on which nothing depends
may() {
	local name=$1

	shift
	if child "$@"; then
		pass
	else
		fail "$name"
	fi
}

# Everything that tests need
build_all() {
	unset CMD KERNEL INITRAMFS TESTS
	prepare_build
	if [[ -z ${SKIP_DEPS:-} ]]; then
		must "make deps" "$SCRIPTS/build/deps.sh"
	fi
	must "make tree" "$SCRIPTS/series/tree.sh" --strict
	must "make kernel" "$SCRIPTS/build/kernel.sh"
	must "make libbpf" "$SCRIPTS/build/tools.sh" libbpf
	must "make bpftool" "$SCRIPTS/build/tools.sh" bpftool
	must "the selftests' build" "$SCRIPTS/build/tools.sh" selftests
}
