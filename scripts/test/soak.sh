#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make soak: test_storm for $STORM seconds in one machine; then for a short time on one
# CPU whose clock counts its instructions, so that the time with interrupts off is not
# that for which the host let an emulated CPU wait. And the tests where printing fails,
# and where programs go with text unread: this kernel keeps account of what the streams
# have allocated. Tells the figures. The last line counts, as that of check.sh.

. "$(dirname "$0")/../lib.sh"
use test/selftests test/counted-steps

STORM=${STORM:-600}
COUNTED=10

# storm SECONDS CPUS LABEL
storm() {
	ENVIRONMENT="BPF_STREAMS_STORM=$1"
	selftests "$2" ", $3" test_storm
}

# figures LABEL TITLE
figures() {
	local log=$LOGS/selftest-test_storm-$1.tap

	[[ -f $log ]] || return 0
	echo
	echo "$2:"
	sed -n 's/^# figure: //p' "$log" | tr -d '\r' | awk '
		$1 == "there" { sub(/^there /, ""); printf "%-32s %s\n", "", $0; next }
		{ name = $1; gsub(/_/, " ", name); printf "%-32s %15s\n", name, $2 }'
}

[[ $STORM =~ ^[0-9]+$ ]] || die "STORM must be a number of seconds, not '$STORM'"
[[ $SMP =~ ^[2-8]$ ]] || die "a storm takes 2 to 8 CPUs (SMP), not '$SMP'"
build_all
must "make kernel-soak" "$SCRIPTS/build/kernel.sh" soak
VM_ARGS=(--kernel "$BUILD/kernel-soak/arch/x86/boot/bzImage" --boot-timeout 600)
TEST_TIMEOUT=$((STORM + 1200))
storm "$STORM" "$SMP" soak
ENVIRONMENT=
selftests "$SMP" ", account" test_context test_lifetime
VM_ARGS+=(--icount)
storm "$COUNTED" 1 counted
figures soak "$STORM seconds, $SMP CPUs"
figures counted "$COUNTED seconds of 1 instruction per ns, 1 CPU"
finish
