#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/test/bench.py: what is worse, what is not, and the table.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

bench() {
	try python3 "$TOP/scripts/test/bench.py" "$@"
}

printf 'ints24.stream 800.0\nmemory.1 16.0\n' >"$DIR/here"
bench json "$DIR/here"
cp "$DIR/out" "$DIR/baseline"
bench compare "$DIR/baseline" "$DIR/here"
point "the same is fine" good
printf 'ints24.stream 823.0\nmemory.1 16.0\n' >"$DIR/now"
bench compare "$DIR/baseline" "$DIR/now"
point "so is a little more" good
printf 'ints24.stream 825.0\nmemory.1 16.0\n' >"$DIR/now"
bench compare "$DIR/baseline" "$DIR/now"
point "more than 3 % is not" bad "ints24.stream: 825.0, was 800.0"
printf 'ints24.stream 700.0\nmemory.1 16.0\n' >"$DIR/now"
bench compare "$DIR/baseline" "$DIR/now"
point "what is better is told" good "ints24.stream: 700.0, was 800.0: better"
printf 'ints24.stream 800.0\n' >"$DIR/now"
bench compare "$DIR/baseline" "$DIR/now"
point "a figure that has gone" bad "memory.1: was 16.0 and is not measured any more"
printf 'ints24.stream 800.0\nmemory.1 16.0\nmemory.2 16.0\n' >"$DIR/now"
bench compare "$DIR/baseline" "$DIR/now"
point "a figure that is new" bad "memory.2: 16.0 is new"
printf 'ints24.stream 1600.0\n' >"$DIR/other"
bench table "$DIR" here other
point "the table has ratios" good "three integers, 24 bytes" "1600.0   x2.0"
printf 'ints24.stream 851.0\n' >"$DIR/now"
bench json "$DIR/now"
cp "$DIR/out" "$DIR/baseline"
bench compare "$DIR/baseline" "$DIR/now"
point "a figure above its budget" bad "ints24.stream: 851.0, and may be 850"
printf 'ints24.stream 800.0\nints24.refused 801.0\n' >"$DIR/now"
bench json "$DIR/now"
cp "$DIR/out" "$DIR/baseline"
bench compare "$DIR/baseline" "$DIR/now"
point "refusing that takes longer than accepting" bad "ints24.refused: 801.0, more than"
bench table
point "arguments that are missing" bad "bench.py table DIR NAME"

plan_done
