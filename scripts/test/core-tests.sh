#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The core of the streams in user space, tools/testing/bpf_streams of the composed
# tree:
#
#   core-tests.sh check   all its tests, about a minute; prints TAP
#   core-tests.sh fuzz    the fuzzer until it is stopped; $FUZZ_TIME: seconds
#   core-tests.sh format-fuzz   the same, of formats
#   core-tests.sh contention    what writing costs while others write

. "$(dirname "$0")/../lib.sh"
use series/lib build/env
SAY_FD=2

OUT=$BUILD/core-tests

need_tree
need gcc clang
prepare_build
lock core-tests
mkdir -p "$OUT"
step "building the core of the streams in user space" "$LOGS/core-tests" \
	make -C "$LINUX/tools/testing/bpf_streams" -j"$JOBS" OUTPUT="$OUT"
case ${1:-} in
check|fuzz|format-fuzz|contention)
	child make -s -C "$LINUX/tools/testing/bpf_streams" OUTPUT="$OUT" \
		FUZZ_TIME="${FUZZ_TIME:-0}" ${SEED:+SEED="$SEED"} "$1"
	;;
*)
	die "check, fuzz, format-fuzz or contention?"
	;;
esac
