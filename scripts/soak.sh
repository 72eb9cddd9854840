#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make soak: test_storm for $STORM seconds in one machine; then tells its figures. The last
# line counts, as that of check.sh.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tap-lib.sh
. "$SCRIPTS/tap-lib.sh"
# shellcheck source=selftests-lib.sh
. "$SCRIPTS/selftests-lib.sh"
# shellcheck source=check-lib.sh
. "$SCRIPTS/check-lib.sh"

STORM=${STORM:-600}

figures() {
	sed -n 's/^# figure: //p' "$1" | tr -d '\r' | awk '
		$1 == "there" { sub(/^there /, ""); printf "%-32s %s\n", "", $0; next }
		{ name = $1; gsub(/_/, " ", name); printf "%-32s %15s\n", name, $2 }'
}

[[ $STORM =~ ^[0-9]+$ ]] || die "STORM must be a number of seconds, not '$STORM'"
[[ $SMP =~ ^[2-8]$ ]] || die "a storm takes 2 to 8 CPUs (SMP), not '$SMP'"
build_all
must "make kernel-soak" "$SCRIPTS/kernel.sh" soak
VM_ARGS=(--kernel "$BUILD/kernel-soak/arch/x86/boot/bzImage")
TEST_TIMEOUT=$((STORM + 1200))
ENVIRONMENT="BPF_STREAMS_STORM=$STORM"
selftests "$SMP" ", soak" test_storm
if [[ -f $LOGS/selftest-test_storm-soak.tap ]]; then
	echo
	echo "$STORM seconds, $SMP CPUs:"
	figures "$LOGS/selftest-test_storm-soak.tap"
fi
finish
