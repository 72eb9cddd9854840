#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What messages cost, in instructions and bytes: runs selftests/bench_streams in a machine
# with one CPU whose clock counts instructions, so that the figures are the same on every
# host. Prints a table, writes build/bench/bench.json, and compares with the figures in
# the tree (scripts/test/bench-baseline.json): what got worse by more than
# 3 % fails.
#
#   bench.sh           measures and compares
#   bench.sh update    measures, and makes that the figures in the tree
#   PEERS='6.17 newest' bench.sh   also on Debian's kernels of those generations
#
# The last line counts, as that of check.sh.

. "$(dirname "$0")/../lib.sh"
use test/counted-steps test/measure

PEERS=${PEERS:-}

case ${1:-} in
''|update)	;;
*)		die "unknown argument $1" ;;
esac
build_all
bench_tests "${1:-}"
finish
