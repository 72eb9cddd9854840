#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What messages cost, in instructions and bytes: runs selftests/bench_streams in a machine
# with one CPU whose clock counts instructions, so that the figures are the same on every
# host. Prints a table, writes build/bench/bench.json, and compares with the figures in
# the tree (scripts/bench-baseline.json): what got worse by more than
# 3 % fails.
#
#   bench.sh           measures and compares
#   bench.sh update    measures, and makes that the figures in the tree
#   PEERS='6.17 newest' bench.sh   also on Debian's kernels of those generations
#
# The last line counts, as that of check.sh.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=suites-lib.sh
. "$SCRIPTS/suites-lib.sh"
# shellcheck source=kernels-lib.sh
. "$SCRIPTS/kernels-lib.sh"
# shellcheck source=tap-lib.sh
. "$SCRIPTS/tap-lib.sh"
# shellcheck source=selftests-lib.sh
. "$SCRIPTS/selftests-lib.sh"
# shellcheck source=check-lib.sh
. "$SCRIPTS/check-lib.sh"
# shellcheck source=bench-lib.sh
. "$SCRIPTS/bench-lib.sh"

PEERS=${PEERS:-}

case ${1:-} in
''|update)	;;
*)		die "unknown argument $1" ;;
esac
build_all
bench_tests "${1:-}"
finish
