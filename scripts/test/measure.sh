# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Measures what messages cost.

use build/debian-suites vm/debian-kernels test/tap test/counted-steps

BENCH=$BUILD/bench
BASELINE=$SCRIPTS/test/bench-baseline.json

# bench_on NAME KERNEL: the figures go to build/bench/NAME
bench_on() {
	local out=$BENCH/$1

	if ! step "measuring on $1" "$out.log" "$SCRIPTS/vm/vm.sh" --kernel "$2" --icount --smp 1 \
		--mem 1024 --boot-timeout 600 --timeout 600 --log "$out.console" \
		-- /selftests/bench_streams; then
		fail "bench on $1"
		return 1
	fi
	tr -d '\r' <"$out.log" | sed -n 's/^figure //p' >"$out"
	if ! [[ -s $out ]]; then
		fail "bench on $1 told no figures ($(rel "$out.log"))"
		return 1
	fi
	pass
}

bench_peers() {
	local peer

	[[ -n $PEERS ]] || return 0
	suites_update
	for peer in $PEERS; do
		[[ $peer != newest ]] || peer=$(newest_generation)
		if debian_kernel "$peer"; then
			! bench_on "$KERNEL_VERSION" "$KERNEL_FILE" || MEASURED+=("$KERNEL_VERSION")
		else
			fail "no kernel of $peer is to be had"
		fi
	done
}

# The plot of the documentation, where gnuplot is
bench_plot() {
	python3 "$SCRIPTS/test/bench.py" plot "$BENCH" "$@" >"$BENCH/plot.data"
	gnuplot -e "data='$BENCH/plot.data'; columns=$(($# + 4))" "$SCRIPTS/test/bench.gnuplot" |
		sed 's/[[:space:]]*$//' | put "$BENCH/plot.svg"
}

# On this machine, in time: shown, and compared with nothing
bench_contention() {
	if child "$SCRIPTS/test/core-tests.sh" contention; then
		pass
	else
		fail "the threads of tools/testing/bpf_streams/contention.c"
	fi
}

# bench_tests [update]
bench_tests() {
	local MEASURED=(here)

	rm -rf "$BENCH"
	mkdir -p "$BENCH"
	bench_on here "$BUILD/kernel/arch/x86/boot/bzImage" || return 0
	bench_peers
	if [[ ${1:-} == update ]]; then
		python3 "$SCRIPTS/test/bench.py" json "$BENCH/here" | put "$BASELINE"
		say "$(rel "$BASELINE") has the figures of now"
	fi
	python3 "$SCRIPTS/test/bench.py" table "$BENCH" "${MEASURED[@]}"
	python3 "$SCRIPTS/test/bench.py" json "$BENCH/here" | put "$BENCH/bench.json"
	bench_contention
	if step "plotting" "$BENCH/plot.log" bench_plot "${MEASURED[@]}"; then
		pass
	else
		fail "the plot of the figures"
	fi
	if python3 "$SCRIPTS/test/bench.py" compare "$BASELINE" "$BENCH/here"; then
		pass
	else
		fail "figures got worse, see above; if that is as it must be: make bench-update"
	fi
}
