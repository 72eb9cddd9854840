#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles our kernel code with W=1, in an output folder of its own, and fails on
# warnings in our files and on our lines of the base's files. With --sparse,
# sparse looks at the same files; scripts/build/sparse-allow.txt lists exceptions.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/our-code

OUT=$BUILD/kernel-w1
KERNEL_OUT=$BUILD/kernel
LOG=$LOGS/w1
WORK=$BUILD/warnings.tmp.$$
WHAT="W=1"
ALLOW=/dev/null

# Objects of all our .c files and of those that the patches change. What the
# configuration leaves out cannot be checked.
find_objects() {
	local kind path

	OBJECTS=()
	while read -r kind path; do
		if [[ -f $KERNEL_OUT/${path%.c}.o ]]; then
			OBJECTS+=("${path%.c}.o")
		elif [[ $kind == overlay ]]; then
			warn "note: configs/vm.config does not enable $path: not checked"
		fi
	done < <(our_sources)
}

compile() {
	kmake "$OUT" -j"$JOBS" "$@" "${OBJECTS[@]}"
}

ARGS=(W=1)
if [[ ${1:-} == --sparse ]]; then
	need sparse
	ARGS+=(C=2 CHECK=sparse)
	ALLOW=$SCRIPTS/build/sparse-allow.txt
	WHAT=sparse
	LOG=$LOGS/sparse
fi
[[ -f $KERNEL_OUT/.config ]] || die "no kernel built" "run: make kernel"
prepare_build
lock warnings
mkdir -p "$OUT" "$WORK"
rm_at_exit "$WORK"
find_objects
if ((${#OBJECTS[@]} == 0)); then
	say "$WHAT: no kernel code of ours"
	exit 0
fi
cmp -s "$KERNEL_OUT/.config" "$OUT/.config" || cp "$KERNEL_OUT/.config" "$OUT/.config"
# What an interrupted run compiled must be compiled again to show its warnings
if [[ -e $OUT/.unfinished ]]; then
	(cd "$OUT" && rm -f "${OBJECTS[@]}")
fi
: >"$OUT/.unfinished"
step "compiling ${#OBJECTS[@]} objects with $WHAT" "$LOG" compile "${ARGS[@]}"
allow_patterns "$ALLOW" >"$WORK/allow"
if our_warnings "$LOG" "$OUT" | grep -v -E -f "$WORK/allow" >"$WORK/found"; then
	cat "$WORK/found" >&2
	die "$WHAT finds the above in our code (log: $(rel "$LOG"))"
fi
rm -f "$OUT/.unfinished"
say "$WHAT: nothing in our lines of ${#OBJECTS[@]} objects"
